-- Setting and reading the rules about fields.

-- Who may know the registration and the rules of a table: who may read it and is of its organization, or may act as
-- its owner.
CREATE FUNCTION leadguard.reads_rules(target regclass, concealed_by regclass, org_id bigint, organization_column name)
    RETURNS boolean
    LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT has_table_privilege(coalesce(concealed_by, target), 'SELECT')
           AND (pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = target), 'USAGE')
                OR CASE WHEN organization_column IS NULL THEN org_id = leadguard.current_organization()
                        ELSE leadguard.current_member() IS NOT NULL END)
    $$;
COMMENT ON FUNCTION leadguard.reads_rules(regclass, regclass, bigint, name) IS
'Internal: whether the caller may know the rules about fields of a protected table, whose registration is given.';

CREATE VIEW leadguard.protected WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, p.preset,
           jsonb_strip_nulls(jsonb_build_object('id', p.id_column, 'owner', p.owner_column, 'creator', p.creator_column,
               'territory', p.territory_column, 'organization', p.organization_column,
               'segment', p.segment_column, 'team', p.team_column, 'stage', p.stage_column, 'status', p.status_column,
               'sensitive', p.sensitive_column, 'parent', p.parent_column,
               'archived_at', p.archived_at_column, 'archived_by', p.archived_by_column)) AS columns,
           -- Which of the organizations in a shared table registered it is no matter of the others.
           CASE WHEN p.organization_column IS NULL OR p.org_id = leadguard.current_organization()
                     OR leadguard.current_member() IS NULL THEN o.key END AS organization, p.force, p.protected_at, p.object, p.parent
    FROM leadguard.protected_table p
    JOIN leadguard.organization o ON o.id = p.org_id
    -- A table dropped meanwhile is none.
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.protected IS 'The tables that leadguard secures, with preset and mapped columns. For members of the organization who may read the table, and its owner.';

CREATE VIEW leadguard.protected_children WITH (security_barrier) AS
    SELECT c.target, c.parent, c.kind,
           jsonb_strip_nulls(jsonb_build_object('id', c.id_column, 'parent', c.parent_column, 'content', c.content_column,
               'author', c.author_column, 'created_at', c.time_column)) AS columns
    FROM leadguard.protected_child c
    JOIN leadguard.protected_table p ON p.target = c.parent
    WHERE leadguard.reads_rules(c.target, NULL, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.protected_children IS 'The tables of notes and tags that leadguard secures, with their parents and columns.';

CREATE VIEW leadguard.field_versions WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, v.version, v.state, v.note, m.key AS created_by, v.created_at,
           v.activated_at, p.target AS base
    FROM leadguard.field_version v
    JOIN leadguard.protected_table p ON p.target = v.target
    LEFT JOIN leadguard.member m ON m.id = v.created_by
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.field_versions IS 'Versions of the field matrix: draft, proposed, active, retired. base is the protected table itself where a view has its name. For members of the organization who may read the table, and its owner.';

CREATE VIEW leadguard.field_cells WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, v.version, v.state,
           CASE WHEN r.key = '' THEN r.column_name::text ELSE r.column_name || '.' || r.key END AS field, r.role, r.access
    FROM leadguard.field_rule r
    JOIN leadguard.field_version v ON v.id = r.version_id
    JOIN leadguard.protected_table p ON p.target = v.target
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.field_cells IS 'Cells of the field matrix in all versions; the active one counts. For members of the organization who may read the table, and its owner.';

CREATE VIEW leadguard.field_signatures WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, v.version, v.state, m.key AS signer, s.signed_at
    FROM leadguard.field_signature s
    JOIN leadguard.member m ON m.id = s.member_id
    JOIN leadguard.field_version v ON v.id = s.version_id
    JOIN leadguard.protected_table p ON p.target = v.target
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.field_signatures IS 'Who must sign a version of the field matrix, and when he did. For members of the organization who may read the table, and its owner.';

CREATE VIEW leadguard.field_values WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target,
           CASE WHEN r.key = '' THEN r.column_name::text ELSE r.column_name || '.' || r.key END AS field, r.value
    FROM leadguard.field_value r
    JOIN leadguard.protected_table p ON p.target = r.target
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.field_values IS 'Valid values of fields. For members of the organization who may read the table, and its owner.';

CREATE VIEW leadguard.field_transitions WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, r.column_name::text AS field, r.from_value, r.to_value, r.role, r.condition
    FROM leadguard.field_transition r
    JOIN leadguard.protected_table p ON p.target = r.target
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.field_transitions IS 'Defined changes of fields. For members of the organization who may read the table, and its owner.';

CREATE VIEW leadguard.tag_columns WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, r.column_name
    FROM leadguard.tag_column r
    JOIN leadguard.protected_table p ON p.target = r.target
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.tag_columns IS 'Columns that hold tags. For members of the organization who may read the table, and its owner.';

CREATE VIEW leadguard.tag_namespaces WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, r.namespace, r.role
    FROM leadguard.tag_namespace r
    JOIN leadguard.protected_table p ON p.target = r.target
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.tag_namespaces IS 'Namespaces of tags and the roles that own them. For members of the organization who may read the table, and its owner.';

CREATE FUNCTION leadguard.set_field(target regclass, field text, role text, access text)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'set_field_wrapper';
COMMENT ON FUNCTION leadguard.set_field(regclass, text, text, text) IS
'Sets one cell of the draft: what a role may do with a field (a column, or column.key of a jsonb column): owner, editor, read-only, no access; NULL takes the cell out. Opens a draft that copies the active version if there is none. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, or an argument that does not fit; 42703: no such column, 23505: a second owner, 55000: a version waits for signatures.';

CREATE FUNCTION leadguard.set_fields(target regclass, matrix jsonb)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'set_fields_wrapper';
COMMENT ON FUNCTION leadguard.set_fields(regclass, jsonb) IS
'Replaces the draft by a matrix: {"source": {"marketing": "owner", "sales": "read-only"}}. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, or an argument that does not fit; 42703: no such column, 23505: a second owner, 55000: a version waits for signatures.';

CREATE FUNCTION leadguard.import_fields(target regclass, csv text)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'import_fields_wrapper';
COMMENT ON FUNCTION leadguard.import_fields(regclass, text) IS
'Replaces the draft by a matrix in CSV: the first line is field and the roles, each further line a field and its access for each role. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, or an argument that does not fit; 42703: no such column, 23505: a second owner, 55000: a version waits for signatures.';

CREATE FUNCTION leadguard.get_fields(target regclass, version integer DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'get_fields_wrapper';
COMMENT ON FUNCTION leadguard.get_fields(regclass, integer) IS
'The matrix of a version, of the active one by default, as set_fields takes it. For members of the organization who may read the table, and its owner; NULL for others and where there is none. 22023: not a protected table.';

CREATE FUNCTION leadguard.export_fields(target regclass, version integer DEFAULT NULL)
    RETURNS text
    LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'export_fields_wrapper';
COMMENT ON FUNCTION leadguard.export_fields(regclass, integer) IS
'The matrix of a version, of the active one by default, as import_fields takes it. For members of the organization who may read the table, and its owner; NULL for others and where there is none. 22023: not a protected table.';

CREATE FUNCTION leadguard.field_matrix(target regclass, version integer DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'leadguard_field_matrix';
COMMENT ON FUNCTION leadguard.field_matrix(regclass, integer) IS
'The matrix of a version, of the active one by default, as a table: one row for each field, one column for each role that the column definition list names, as in SELECT * FROM leadguard.field_matrix(''crm.lead'') AS m (field text, marketing text, sales text). For members of the organization who may read the table, and its owner; no rows for others. 22023: not a protected table, no such role, no column "field"; 42804: a column that is not text; 0A000: no column definition list.';

CREATE FUNCTION leadguard.propose_fields(target regclass, signers text[], note text DEFAULT NULL)
    RETURNS integer
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'propose_fields_wrapper';
COMMENT ON FUNCTION leadguard.propose_fields(regclass, text[], text) IS
'Freezes the draft and asks members (keys) to sign it; returns the number of the version. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, no signer, or one that is no active person of the organization; 55000: no draft, or it names a column that is gone.';

CREATE FUNCTION leadguard.sign_fields(target regclass, version integer)
    RETURNS text
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'sign_fields_wrapper';
COMMENT ON FUNCTION leadguard.sign_fields(regclass, integer) IS
'Signs a proposed version; returns its state: proposed while signatures are missing, active after the last one, which retires the former version. For the members that propose_fields named, in person (42501). 22023: not a protected table; 55000: signed already, not proposed, names a column that is gone, or closes a column with no access that is not concealed.';

CREATE FUNCTION leadguard.discard_fields(target regclass)
    RETURNS boolean
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'discard_fields_wrapper';
COMMENT ON FUNCTION leadguard.discard_fields(regclass) IS
'Drops the draft, or retires the proposed version, whose number is not used again; false when there is none. The active version stays. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table.';

CREATE FUNCTION leadguard.set_field_default(target regclass, access text)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'set_field_default_wrapper';
COMMENT ON FUNCTION leadguard.set_field_default(regclass, text) IS
'What columns follow that the matrix does not list: editor (the level on the row, the default) or no access. Counts at once. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, unknown access.';

CREATE FUNCTION leadguard.valid_values(target regclass, field text, "values" text[])
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'valid_values_wrapper';
COMMENT ON FUNCTION leadguard.valid_values(regclass, text, text[]) IS
'Says which values a field takes; NULL or an empty list: every value. NULL always passes. Counts at once. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, or an argument that does not fit; 42703: no such column; and what the type of the column says of a value that is none.';

CREATE FUNCTION leadguard.set_transition(target regclass, field text, from_value text, to_value text, role text DEFAULT NULL, condition jsonb DEFAULT '{}')
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'set_transition_wrapper';
COMMENT ON FUNCTION leadguard.set_transition(regclass, text, text, text, text, jsonb) IS
'Defines a change of a column; one with any takes no other change. from_value NULL: a new row, or one without value; role NULL: every role; condition: {"column": "present" | "absent" | ["value", ...]}, judged on the changed row. Counts at once. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, or an argument that does not fit; 42703: no such column.';

CREATE FUNCTION leadguard.drop_transition(target regclass, field text, from_value text, to_value text, role text DEFAULT NULL)
    RETURNS boolean
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'drop_transition_wrapper';
COMMENT ON FUNCTION leadguard.drop_transition(regclass, text, text, text, text) IS
'Takes a defined change back; false when there is none. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, or an argument that does not fit; 42703: no such column.';

CREATE FUNCTION leadguard.tag_column(target regclass, column_name text, enabled boolean DEFAULT true)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'tag_column_wrapper';
COMMENT ON FUNCTION leadguard.tag_column(regclass, text, boolean) IS
'Says that a column of type text[] holds tags of the form namespace:tag, or no longer does. Counts at once. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, or an argument that does not fit; 42703: no such column.';

CREATE FUNCTION leadguard.tag_namespace(target regclass, namespace text, role text)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'tag_namespace_wrapper';
COMMENT ON FUNCTION leadguard.tag_namespace(regclass, text, text) IS
'Gives a namespace of tags to a role, or removes it (role NULL). Counts at once. For the table''s owner, superusers and members with the capability manage_fields of the organization that the table belongs to (42501). 22023: not a protected table, no such role, no name for a namespace.';
