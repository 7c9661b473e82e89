\echo Use "ALTER EXTENSION leadguard UPDATE TO '0.5.0'" to load this file. \quit

-- From 0.4.0 to 0.5.0: what sql/install says now and did not say then, in the same words. Protected tables keep their
-- policies and triggers. tests/upgrade compares the result with a new installation.
--
-- Plain CREATE: an object that is already there belongs to somebody else, and the update must stop (CVE-2022-2625).

-- Waits for open transactions that use protected tables: before anything else is locked.
LOCK TABLE leadguard.role IN ACCESS EXCLUSIVE MODE;

COMMENT ON FUNCTION leadguard.access_matrix(regclass) IS
'What the rules and switches of a protected table come to: for each role and path yes, no, or the statuses under which. For members of its organization who may read the table, and its owner; 42501, 22023.';

-- 14_approvals.sql:
ALTER TABLE leadguard.approval
    ADD operation text,
    ADD records bigint CONSTRAINT approval_records_positive CHECK (records > 0),
    ADD subject bigint CONSTRAINT approval_subject_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    ADD detail jsonb NOT NULL DEFAULT '{}';
ALTER TABLE leadguard.approval DROP CONSTRAINT approval_kind_known;
ALTER TABLE leadguard.approval ADD CONSTRAINT approval_kind_known CHECK (kind IN ('field', 'delete', 'purge', 'restore',
    'batch', 'import', 'schema', 'access', 'role'));
COMMENT ON COLUMN leadguard.approval.kind IS
'field, delete, purge, restore: one write of a record. batch, import: many rows at once. schema: a change of a protected table. access, role: more access for a member.';
COMMENT ON COLUMN leadguard.approval.operation IS 'Of a batch: insert, update, reassign.';
COMMENT ON COLUMN leadguard.approval.records IS 'Of a batch or an import: how many rows at most.';
COMMENT ON COLUMN leadguard.approval.subject IS 'Of kinds access and role: the member who is to get it.';
-- 64_approvals_api.sql:
COMMENT ON FUNCTION leadguard.decide_approval(bigint, boolean, text) IS
'Grants or denies a request of any kind, once, and tells the requester. For persons with the capability approve, of the requesters organization, who see the record, if it is for one, and are not the requester; requests of kinds access and role are decided by whoever may give what they ask for. Errors: 42501 no right, own request, or no such request for the caller; 22023 arguments; 55000 decided already, or expired.';
-- 20_presets.sql:
INSERT INTO leadguard.access_switch (name, contradiction, per_role, choices, default_value, meaning) VALUES
    ('batch_insert', 'X14', true, '{}', '100',
     'How many rows a member with the role inserts in one transaction without an approval: a number, or none. The most generous role wins; role * is for roles without a value of their own.'),
    ('batch_update', 'X14', true, '{}', '100',
     'The same for updates.'),
    ('batch_archive', 'X14', true, '{}', '100',
     'The same for archiving, for which there is no approval: more is for data owners.'),
    ('batch_delete', 'X14', true, '{}', '100',
     'The same for deleting for good, for which there is no approval: more is for data owners.'),
    ('batch_reassign', 'X14', true, '{}', '100',
     'The same for giving records to other owners.'),
    ('batch_from', 'X14', false, '{}', '10',
     'From how many rows of one transaction on it is a batch: logged, and not allowed to take away what others work on.'),
    ('active_days', 'X14', false, '{}', '30',
     'How many days after somebody changed or claimed a record a batch of others does not take it away; 0: never mind.'),
    ('batch_window', 'X14', false, '{}', '0',
     'Over how many seconds the rows of several transactions count together, where the library is preloaded; 0: each transaction for itself.'),
    ('export', 'X14', true, '{capability,free}', 'capability',
     'Whether COPY TO needs the capability export.');
ANALYZE leadguard.access_switch;
-- 69_rules_api.sql:
CREATE OR REPLACE VIEW leadguard.switches WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, s.name AS switch, s.role,
           coalesce(t.value, e.value, s.preset_value) AS value, s.preset_value AS preset_default, s.contradiction, s.choices, s.meaning
    FROM leadguard.protected_table p
    CROSS JOIN LATERAL (
        SELECT k.name, r.role, k.contradiction, k.choices, k.meaning,
               coalesce((SELECT d.value FROM leadguard.preset_switch d
                         WHERE d.preset = p.preset AND d.object IN ('*', p.object) AND d.switch = k.name AND d.role = r.role
                         ORDER BY d.object = '*' LIMIT 1), k.default_value) AS preset_value
        FROM leadguard.access_switch k
        CROSS JOIN LATERAL (
            SELECT '' AS role WHERE NOT k.per_role
            UNION
            SELECT u.role FROM leadguard.preset_rule u WHERE k.per_role AND u.preset = p.preset AND u.object IN ('*', p.object)
            UNION
            SELECT u.role FROM leadguard.access_rule u WHERE k.per_role AND u.target = p.target
            UNION
            SELECT u.role FROM leadguard.preset_switch u WHERE k.per_role AND u.preset = p.preset AND u.object IN ('*', p.object) AND u.switch = k.name
            UNION
            SELECT u.role FROM leadguard.table_switch u WHERE k.per_role AND u.target = p.target AND u.switch = k.name) r
        UNION ALL
        SELECT 'preset', '', 'X15', ARRAY['four_role', 'decision_site', 'organization', 'sales_hierarchy'],
               'The vocabulary of roles and the rules that the table starts from; leadguard.set_preset changes it.', p.preset) s
    LEFT JOIN leadguard.table_switch t ON t.target = p.target AND t.switch = s.name AND t.role = s.role
    -- Of those about batches, what is set for every role holds for roles without a value of their own.
    LEFT JOIN leadguard.table_switch e ON e.target = p.target AND e.switch = s.name AND e.role = '*' AND s.role <> ''
        AND (s.name = 'export' OR s.name LIKE 'batch\_%')
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);

-- Views of concealed tables that were dropped: watch_drop keeps no number of a relation that is gone.
UPDATE leadguard.protected_table p SET concealed_by = 0
WHERE p.concealed_by IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) p.concealed_by);

-- 20_presets.sql:
INSERT INTO leadguard.access_switch (name, contradiction, per_role, choices, default_value, meaning) VALUES
    ('owner_change', 'X20', false, '{free,handoff,admin}', 'free',
     'By what the owner of a record changes: free, by whoever may reassign it; handoff, by handoffs and by data owners (capability assign or approve); admin, by data owners only.'),
    ('previous_owner_access', 'X9', false, '{none,read,edit}', 'none',
     'What the previous owner keeps after a handoff, as a share: nothing, read or edit. A rule that hides the new stage from a role still does.'),
    ('routing', 'K38', false, '{off,insert}', 'off',
     'Whether new rows without an owner are given to somebody by the assignment rules (insert), or belong to whoever inserts them (off).'),
    ('qualified', 'O1, O2', false, '{}', '',
     'The stages, or without a stage column the statuses, in which a record is qualified, separated by commas: rules of kind territory are for these, rules of kind qualifier for the others.'),
    ('claims', 'K41', false, '{update,read}', 'update',
     'Who claims a record: whoever may update it, or whoever reads it.');
ANALYZE leadguard.access_switch;

-- 71_directory_safety.sql and 72_organizations.sql:
CREATE OR REPLACE FUNCTION leadguard.directory_limits()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member bigint;
    territory bigint;
    team bigint;
    gone text;
    why text;
    hint text := 'A member with the capability administer can.';
BEGIN
    IF leadguard.current_member() IS NULL
        OR pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        RETURN coalesce(new, old);
    END IF;
    -- An id of another organization is answered like one that does not exist.
    IF TG_OP <> 'DELETE' THEN
        CASE TG_TABLE_NAME
        WHEN 'member' THEN member := new.manager_id;
        WHEN 'member_role', 'member_scope' THEN member := new.member_id;
        WHEN 'territory' THEN member := new.owner_id; territory := new.parent_id;
        WHEN 'territory_member' THEN member := new.member_id; territory := new.territory_id;
        WHEN 'team_member' THEN member := new.member_id; team := new.team_id;
        ELSE
        END CASE;
        gone := CASE WHEN territory IS NOT NULL AND NOT leadguard.in_my_organization('territory', territory) THEN 'territory ' || territory
                     WHEN team IS NOT NULL AND NOT leadguard.in_my_organization('team', team) THEN 'team ' || team
                     WHEN member IS NOT NULL AND NOT leadguard.in_my_organization('member', member) THEN 'member ' || member END;
        IF gone IS NOT NULL THEN
            RAISE EXCEPTION 'there is no % in your organization', gone USING ERRCODE = '23503';
        END IF;
    END IF;

    IF TG_TABLE_NAME = 'organization' THEN
        IF (new.key, new.name) IS DISTINCT FROM (old.key, old.name) AND NOT leadguard.has_capability('own_organization') THEN
            why := 'the key and the name of an organization';
            hint := 'A member with the capability own_organization (the Owner) can.';
        ELSIF (new.organization_view, new.domain_roles, new.third_admin) <> (old.organization_view, old.domain_roles, old.third_admin)
            AND NOT leadguard.has_capability('manage_organization') THEN
            why := 'the settings of an organization';
            hint := 'A member with the capability manage_organization can.';
        END IF;
    ELSIF NOT leadguard.has_capability('administer') THEN
        CASE TG_TABLE_NAME
        WHEN 'member' THEN
            why := CASE
                WHEN TG_OP = 'INSERT' THEN CASE
                    WHEN NOT leadguard.is_fresh_id('member', new.id) THEN 'the id of a member'
                    WHEN new.db_role IS NOT NULL THEN 'the login role of a member'
                    WHEN new.kind = 'system' THEN 'a member of kind system' END
                WHEN leadguard.outranks_me(old.id) THEN 'a member of a higher rank than your own'
                WHEN TG_OP = 'UPDATE' THEN CASE
                    WHEN new.id <> old.id OR new.org_id <> old.org_id THEN 'the id and organization of a member'
                    WHEN new.db_role IS DISTINCT FROM old.db_role THEN 'the login role of a member'
                    WHEN new.kind <> old.kind AND new.kind <> 'guest' THEN 'the kind of a member'
                    WHEN new.manager_id IS DISTINCT FROM old.manager_id AND leadguard.would_command(new.id, new.manager_id)
                        THEN 'a place below yourself, or one of somebody of a higher rank' END
                END;
        WHEN 'member_role' THEN
            IF TG_OP <> 'INSERT' THEN
                why := CASE WHEN old.member_id = leadguard.current_member() THEN 'your own roles'
                            WHEN leadguard.outranks_me(old.member_id) THEN 'the roles of a member of a higher rank than your own'
                            WHEN NOT leadguard.may_give(old.role_id) THEN format('the role "%s"', old.role) END;
            END IF;
            IF TG_OP <> 'DELETE' AND why IS NULL THEN
                why := CASE WHEN new.member_id = leadguard.current_member() THEN 'your own roles'
                            WHEN leadguard.outranks_me(new.member_id) THEN 'the roles of a member of a higher rank than your own'
                            WHEN NOT leadguard.may_give(new.role_id) THEN format('the role "%s"', new.role) END;
            END IF;
        WHEN 'team' THEN
            IF TG_OP = 'INSERT' AND NOT leadguard.is_fresh_id('team', new.id) THEN
                why := 'the id of a team';
            ELSIF TG_OP = 'UPDATE' AND (new.id, new.org_id, new.key) <> (old.id, old.org_id, old.key) THEN
                why := 'the key of a team';
            END IF;
        WHEN 'team_member' THEN
            -- Which teams he manages is a matter of the policies.
        ELSE
            why := 'leadguard.' || TG_TABLE_NAME;
        END CASE;
    END IF;
    IF why IS NOT NULL THEN
        RAISE EXCEPTION '% on leadguard.% refused: % is not yours to write', TG_OP, TG_TABLE_NAME, why
            USING ERRCODE = '42501', HINT = hint;
    END IF;
    RETURN coalesce(new, old);
END
$$;

CREATE OR REPLACE FUNCTION leadguard.restore_default_organization()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE leadguard.organization o
    SET name = new.name, organization_view = new.organization_view, archived_at = new.archived_at, merged_into = new.merged_into,
        domain_roles = new.domain_roles, third_admin = new.third_admin
    WHERE o.id = new.id AND o.key = new.key;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN new;
END
$$;

-- fix-D: the comment of an existing function.
COMMENT ON FUNCTION leadguard.owned_records(text) IS
'How many unarchived records a member owns in each protected table, whether or not the caller sees them; tables without any are left out, and NULL stands for one that lost a mapped column. For superusers, and about members of the own organization for members with administer or manage_members (42501). 22023: there is no such member.';

-- 20_presets.sql:
INSERT INTO leadguard.access_switch (name, contradiction, per_role, choices, default_value, meaning) VALUES
    ('schema_changes', 'K49', false, '{record,refuse}', 'record',
     'What becomes of a change of the table''s schema that no approval covers: it is recorded as a violation, or refused.');

-- 15_audit.sql: what was the table audit_log stores the log, in a form in which a row may have many records, and is read
-- through a view. The months that audit_partitions made are no part of the extension, and follow.
ALTER TABLE leadguard.audit_log RENAME TO audit_entry;
ALTER TABLE leadguard.audit_value RENAME TO audit_entry_value;
ALTER TABLE leadguard.audit_entry_value RENAME CONSTRAINT audit_value_pkey TO audit_entry_value_pkey;
ALTER TABLE leadguard.audit_entry
    ADD records text[],
    ADD fields text[],
    ADD digests bytea,
    ADD old_values text[],
    ADD new_values text[];
DO $$
DECLARE
    partition text;
BEGIN
    FOR partition IN
        SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'leadguard.audit_entry'::regclass AND c.relnamespace = 'leadguard'::regnamespace
          AND c.relname ~ '^audit_log_([0-9]{4}_[0-9]{2}|default)$'
    LOOP
        EXECUTE format('ALTER TABLE leadguard.%I SET (toast_tuple_target = 8160)', partition);
        EXECUTE format('CREATE INDEX %I ON leadguard.%I USING gin (records)', partition || '_records_idx', partition);
        EXECUTE format('CREATE INDEX %I ON leadguard.%I (transaction)', partition || '_transaction_idx', partition);
    END LOOP;
END
$$;
COMMENT ON COLUMN leadguard.audit_entry.at IS NULL;
COMMENT ON COLUMN leadguard.audit_entry.session_role IS NULL;
COMMENT ON COLUMN leadguard.audit_entry.outer_role IS NULL;
COMMENT ON COLUMN leadguard.audit_entry.member_id IS NULL;
COMMENT ON COLUMN leadguard.audit_entry.organization IS NULL;
COMMENT ON COLUMN leadguard.audit_entry.target_name IS NULL;
COMMENT ON COLUMN leadguard.audit_entry.changes IS NULL;
COMMENT ON TABLE leadguard.audit_entry IS
'The rows of audit_log as they are stored: one for each record, and, of statements that changed many records, one for as many of them as fit on a page. Append-only for everybody. Members with the capability audit read the rows of their organization.';
COMMENT ON COLUMN leadguard.audit_entry.records IS 'Instead of record, where a statement changed many: all that the row is about.';
COMMENT ON COLUMN leadguard.audit_entry.fields IS 'Instead of changes: what changed in at least one of the records.';
COMMENT ON COLUMN leadguard.audit_entry.digests IS
'For each of the records, for each of the fields: 16 bytes for the value before and 16 for the one after, zeros for NULL; both zeros where the field did not change.';
COMMENT ON COLUMN leadguard.audit_entry.old_values IS
'For each of the records, for each of the fields, what audit_value shows. Erasing a record makes its values NULL; the digests stay.';
COMMENT ON COLUMN leadguard.audit_entry.has_values IS 'Values were kept, here or in audit_entry_value.';
COMMENT ON COLUMN leadguard.audit_entry.mac IS 'Keyed digest of the row without its values; audit_verify recomputes it.';
COMMENT ON TABLE leadguard.audit_entry_value IS
'What audit_value shows of rows of audit_entry with one record. Erasing a record takes its rows away.';

CREATE FUNCTION leadguard.audit_changes(fields text[], digests bytea)
RETURNS jsonb LANGUAGE c IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'MODULE_PATHNAME', 'audit_changes_wrapper';
COMMENT ON FUNCTION leadguard.audit_changes(text[], bytea) IS
'Internal: audit_log.changes of one record, from its part of audit_entry.digests.';

CREATE FUNCTION leadguard.audit_values(fields text[], old_values text[], new_values text[])
RETURNS jsonb LANGUAGE c IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'MODULE_PATHNAME', 'audit_values_wrapper';
COMMENT ON FUNCTION leadguard.audit_values(text[], text[], text[]) IS
'Internal: audit_value.values of one record, from its part of the arrays in audit_entry; NULL when none is kept.';

-- Functions, because a view would read the tables with the rights of its owner. The planner takes their place, so that
-- conditions on the views reach the indexes.
CREATE FUNCTION leadguard.audit_rows()
RETURNS TABLE (id bigint, at timestamptz, transaction xid8, session_role text, outer_role text, member_id bigint, member_key text,
               organization bigint, target regclass, target_name text, record text, action text, reason text, approval bigint,
               detail text, changes jsonb, has_values boolean, mac bytea)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE
BEGIN ATOMIC
    SELECT e.id, e.at, e.transaction, e.session_role, e.outer_role, e.member_id, e.member_key, e.organization, e.target, e.target_name,
           e.record, e.action, e.reason, e.approval, e.detail, e.changes, e.has_values, e.mac
    FROM leadguard.audit_entry e
    WHERE e.records IS NULL
    UNION ALL
    SELECT e.id, e.at, e.transaction, e.session_role, e.outer_role, e.member_id, e.member_key, e.organization, e.target, e.target_name,
           r.record, e.action, e.reason, e.approval, e.detail,
           leadguard.audit_changes(e.fields, substr(e.digests, 1 + ((r.n - 1) * 32 * cardinality(e.fields))::integer, 32 * cardinality(e.fields))),
           e.has_values, e.mac
    FROM leadguard.audit_entry e, unnest(e.records) WITH ORDINALITY AS r (record, n)
    WHERE e.records IS NOT NULL;
END;
COMMENT ON FUNCTION leadguard.audit_rows() IS 'Internal: what the caller may read of the audit. Use the view leadguard.audit_log.';

CREATE VIEW leadguard.audit_log AS SELECT * FROM leadguard.audit_rows();
COMMENT ON VIEW leadguard.audit_log IS
'One row for each change of a record, and for each decision about records and rules: who, when, what. Members with the capability audit read the rows of their organization. What happened to one record: leadguard.record_history.';
COMMENT ON COLUMN leadguard.audit_log.id IS 'Its number; rows of one statement that are stored together have one.';
COMMENT ON COLUMN leadguard.audit_log.at IS 'When the client sent the statement.';
COMMENT ON COLUMN leadguard.audit_log.session_role IS 'The login.';
COMMENT ON COLUMN leadguard.audit_log.outer_role IS 'The role of the session, which SET ROLE changes.';
COMMENT ON COLUMN leadguard.audit_log.member_id IS 'The member for whom the session worked; NULL for a superuser or owner who is none.';
COMMENT ON COLUMN leadguard.audit_log.organization IS 'The organization of the record.';
COMMENT ON COLUMN leadguard.audit_log.target_name IS 'How the table was called then.';
COMMENT ON COLUMN leadguard.audit_log.changes IS
'{"field": {"old": digest, "new": digest}}, null for NULL. A digest is an HMAC-SHA256 over record, field and value, cut to 128 bits.';
COMMENT ON COLUMN leadguard.audit_log.has_values IS 'Values were kept in audit_value.';
COMMENT ON COLUMN leadguard.audit_log.mac IS 'Keyed digest of the row as it is stored; audit_verify recomputes it.';

CREATE FUNCTION leadguard.audit_value_rows()
RETURNS TABLE (audit_id bigint, at timestamptz, organization bigint, target regclass, record text, "values" jsonb)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.audit_id, v.at, v.organization, v.target, v.record, v."values" FROM leadguard.audit_entry_value v
    UNION ALL
    SELECT k.id, k.at, k.organization, k.target, k.record, k."values"
    FROM (SELECT e.id, e.at, e.organization, e.target, r.record,
                 leadguard.audit_values(e.fields, e.old_values[1 + (r.n - 1) * cardinality(e.fields) : r.n * cardinality(e.fields)],
                                        e.new_values[1 + (r.n - 1) * cardinality(e.fields) : r.n * cardinality(e.fields)]) AS "values"
          FROM leadguard.audit_entry e, unnest(e.records) WITH ORDINALITY AS r (record, n)
          WHERE e.records IS NOT NULL AND e.has_values) k
    WHERE k."values" IS NOT NULL;
END;
COMMENT ON FUNCTION leadguard.audit_value_rows() IS 'Internal: what the caller may read of the values. Use the view leadguard.audit_value.';

CREATE VIEW leadguard.audit_value AS SELECT * FROM leadguard.audit_value_rows();
COMMENT ON VIEW leadguard.audit_value IS
'What changed fields said before and after, {"field": {"old": text, "new": text}}, without the fields that are masked or closed to some role. Erasing a record takes its rows away; the digests in audit_log stay.';

-- 67_audit_api.sql:
-- Dumps of versions before 0.5.0 know the views as tables.
CREATE FUNCTION leadguard.restore_audit()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_table_name = 'audit_value' THEN
        INSERT INTO leadguard.audit_entry_value (audit_id, at, organization, target, record, "values")
        VALUES (new.audit_id, new.at, new.organization, new.target, new.record, new."values");
    ELSE
        INSERT INTO leadguard.audit_entry (id, at, transaction, session_role, outer_role, member_id, member_key, organization, target, target_name,
                                           record, action, reason, approval, detail, changes, has_values, mac)
        VALUES (new.id, new.at, new.transaction, new.session_role, new.outer_role, new.member_id, new.member_key, new.organization, new.target, new.target_name,
                new.record, new.action, new.reason, new.approval, new.detail, new.changes, new.has_values, new.mac);
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.restore_audit() IS
'Trigger INSTEAD OF INSERT of audit_log and audit_value: puts what the dump of an older version holds where it is stored; the tables take it from a restore only (append_only).';
CREATE TRIGGER audit_10_restore INSTEAD OF INSERT ON leadguard.audit_log FOR EACH ROW EXECUTE FUNCTION leadguard.restore_audit();
CREATE TRIGGER audit_10_restore INSTEAD OF INSERT ON leadguard.audit_value FOR EACH ROW EXECUTE FUNCTION leadguard.restore_audit();

CREATE OR REPLACE FUNCTION leadguard.audit_partitions(ahead integer DEFAULT 3)
RETURNS TABLE (partition text, first date, made boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    low timestamptz;
    high timestamptz;
BEGIN
    IF NOT pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = 'leadguard.audit_entry'::regclass), 'USAGE') THEN
        RAISE EXCEPTION 'audit_partitions refused'
            USING ERRCODE = '42501', HINT = 'A superuser or the owner of the extension makes partitions of the audit.';
    END IF;
    IF ahead IS NULL OR ahead NOT BETWEEN 0 AND 120 THEN
        RAISE EXCEPTION 'argument "ahead" must be a number of months from 0 to 120' USING ERRCODE = '22023';
    END IF;
    -- What a dump of a version before 0.5.0 brought could not become a partition of a view.
    FOR partition, first IN
        SELECT c.relname, to_date(right(c.relname, 7), 'YYYY_MM') FROM pg_class c
        WHERE c.relnamespace = 'leadguard'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition AND c.relname ~ '^audit_log_[0-9]{4}_[0-9]{2}$'
        ORDER BY 1
    LOOP
        EXECUTE format('ALTER TABLE leadguard.%I ADD COLUMN IF NOT EXISTS records text[], ADD COLUMN IF NOT EXISTS fields text[], '
                       'ADD COLUMN IF NOT EXISTS digests bytea, ADD COLUMN IF NOT EXISTS old_values text[], ADD COLUMN IF NOT EXISTS new_values text[]', partition);
        EXECUTE format('ALTER TABLE leadguard.%I SET (toast_tuple_target = 8160)', partition);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON leadguard.%I USING gin (records)', partition || '_records_idx', partition);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON leadguard.%I (transaction)', partition || '_transaction_idx', partition);
        EXECUTE format('ALTER TABLE leadguard.audit_entry ATTACH PARTITION leadguard.%I FOR VALUES FROM (%L) TO (%L)', partition,
                       first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC');
        made := true;
        RETURN NEXT;
    END LOOP;
    FOR number IN 0 .. ahead LOOP
        first := (this + make_interval(months => number))::date;
        partition := 'audit_log_' || to_char(first, 'YYYY_MM');
        low := first::timestamp AT TIME ZONE 'UTC';
        high := (first + interval '1 month') AT TIME ZONE 'UTC';
        -- Rows in the default partition cannot move; their month stays there.
        made := to_regclass('leadguard.' || partition) IS NULL
            AND NOT EXISTS (SELECT FROM leadguard.audit_log_default d WHERE d.at >= low AND d.at < high);
        IF made THEN
            EXECUTE format('CREATE TABLE leadguard.%I PARTITION OF leadguard.audit_entry FOR VALUES FROM (%L) TO (%L) WITH (toast_tuple_target = 8160)', partition, low, high);
            EXECUTE format('ALTER TABLE leadguard.%I ADD CONSTRAINT %I PRIMARY KEY (at, id)', partition, partition || '_pkey');
            EXECUTE format('CREATE INDEX %I ON leadguard.%I (target, record)', partition || '_record_idx', partition);
            EXECUTE format('CREATE INDEX %I ON leadguard.%I USING gin (records)', partition || '_records_idx', partition);
            EXECUTE format('CREATE INDEX %I ON leadguard.%I (transaction)', partition || '_transaction_idx', partition);
            EXECUTE format('REVOKE ALL ON leadguard.%I FROM PUBLIC', partition);
            EXECUTE format('ALTER TABLE leadguard.%I ENABLE ROW LEVEL SECURITY', partition);
            EXECUTE format('CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.%I '
                           'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only()', partition);
            EXECUTE format('ALTER TABLE leadguard.%I ENABLE ALWAYS TRIGGER audit_00_append_only', partition);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.audit_partitions(integer) IS
'Makes partitions of the audit log for this month (UTC) and the given number of months ahead, and says which; a month that has one, or whose rows are in the default partition already, is left as it is. Months that the dump of a version before 0.5.0 brought as tables become partitions too. To be called by a scheduler, once a month or more often. For superusers and the extension''s owner (42501). 22023: not 0 to 120 months.';

CREATE FUNCTION leadguard.record_history(target regclass, record text)
RETURNS TABLE (audit_id bigint, at timestamptz, member text, session_role text, action text, reason text, detail text, changes jsonb, "values" jsonb)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'record_history_wrapper';
COMMENT ON FUNCTION leadguard.record_history(regclass, text) IS
'What the audit has of one record, oldest first, by index: changes are digests, values what the fields said before and after where they are kept. Members with the capability audit see rows of their organization, superusers all; others 42501. 22023: an argument is NULL.';

-- 31_identity_functions.sql:
CREATE FUNCTION leadguard.is_unbound()
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT leadguard.current_member() IS NULL
       AND pg_has_role(session_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = 'leadguard.member'::regclass), 'USAGE')
$$;
COMMENT ON FUNCTION leadguard.is_unbound() IS
'Internal: whether the session is no member, and its login a superuser or the owner of the extension.';

-- 31_identity_functions.sql:
CREATE FUNCTION leadguard.is_restore()
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- pg_restore and the scripts of pg_dump run with row_security off.
    SELECT current_setting('row_security') <> 'on'
       AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = session_user AND r.rolsuper)
$$;
COMMENT ON FUNCTION leadguard.is_restore() IS
'Internal: whether a superuser puts a dump back, whose rows were decided, written down and told long ago.';

-- 50_protect.sql:
CREATE FUNCTION leadguard.protected_since(relations oid[])
RETURNS regclass LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'protected_since_wrapper';
COMMENT ON FUNCTION leadguard.protected_since(oid[]) IS
'Internal: a protected table that is one of these relations, or the root of one, and that the transaction does not see as protected, being older.';

-- 74_joining.sql:
CREATE OR REPLACE FUNCTION leadguard.role_for(email text, organization text DEFAULT NULL)
RETURNS TABLE (kind text, role text)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asked bigint;
    own bigint := leadguard.current_organization();
    free boolean := leadguard.is_unbound();
BEGIN
    SELECT o.id INTO asked FROM leadguard.organization o
    WHERE CASE WHEN role_for.organization IS NOT NULL THEN o.key = role_for.organization ELSE o.id = coalesce(own, 1) END;
    IF NOT free AND (asked IS DISTINCT FROM own OR own IS NULL
        OR NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_organization')
                OR leadguard.has_capability('manage_members'))) THEN
        RAISE EXCEPTION 'role_for refused'
            USING ERRCODE = '42501',
                  HINT = 'Members with the capability administer, manage_organization or manage_members ask about their organization.';
    ELSIF asked IS NULL THEN
        RAISE EXCEPTION 'there is no organization %', quote_nullable(organization) USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT * FROM leadguard.joins_as(asked, email);
END
$$;

-- 31_identity_functions.sql:
CREATE OR REPLACE FUNCTION leadguard.rebind_roles()
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bound bigint;
BEGIN
    DELETE FROM leadguard.role_binding;
    PERFORM leadguard.bind_roles(array_agg(m.db_role), 'person', array_agg(m.id)) FROM leadguard.member m WHERE m.db_role IS NOT NULL;
    PERFORM leadguard.bind_roles(array_agg(l.db_role), l.mode, array_agg(l.member_id)) FROM leadguard.login_role l GROUP BY l.mode;
    SELECT count(*) INTO bound FROM leadguard.role_binding;
    PERFORM leadguard.note_event('rebind_roles', NULL, NULL, NULL, NULL, format('%s login roles', bound));
    RETURN bound;
END
$$;

-- 71_directory_safety.sql:
CREATE OR REPLACE FUNCTION leadguard.is_fresh_id(kind text, id bigint)
RETURNS boolean LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN kind IN ('member', 'team') THEN coalesce(currval(format('leadguard.%I', kind || '_id_seq')) = id, false) ELSE false END;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RETURN false;
END
$$;

-- 67_audit_api.sql:
CREATE OR REPLACE FUNCTION leadguard.audit_batches(since timestamptz DEFAULT now() - interval '1 day', at_least integer DEFAULT 2)
RETURNS TABLE (at timestamptz, transaction xid8, session_role text, member_key text, target_name text, action text, records bigint)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF since IS NULL OR at_least IS NULL THEN
        RAISE EXCEPTION 'argument "%" must not be NULL', CASE WHEN since IS NULL THEN 'since' ELSE 'at_least' END USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT l.at, l.transaction, l.session_role, l.member_key, l.target_name, l.action, count(*)
    FROM leadguard.audit_log l
    WHERE l.at >= since AND l.record IS NOT NULL
    GROUP BY l.at, l.transaction, l.session_role, l.member_key, l.target_name, l.action
    HAVING count(*) >= at_least
    ORDER BY l.at, l.transaction;
END
$$;
COMMENT ON FUNCTION leadguard.audit_batches(timestamptz, integer) IS
'Statements that changed several records: who, when, what, how many. Reads audit_log with the caller''s rights: members with the capability audit their organization''s rows, others none. 22023: NULL.';

-- 74_joining.sql:
CREATE OR REPLACE FUNCTION leadguard.join_by_domain()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_restore() AND EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.org_id = new.org_id) THEN
        new.kind := (SELECT j.kind FROM leadguard.joins_as(new.org_id, new.email) j);
    END IF;
    RETURN new;
END
$$;

-- 74_joining.sql:
CREATE OR REPLACE FUNCTION leadguard.join_with_role()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_restore() AND EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.org_id = new.org_id) THEN
        INSERT INTO leadguard.member_role (member_id, role)
        SELECT m.id, j.role
        FROM leadguard.member m
        CROSS JOIN LATERAL leadguard.joins_as(m.org_id, m.email) j
        WHERE m.id = new.id AND j.role IS NOT NULL AND j.kind = m.kind
          AND NOT EXISTS (SELECT FROM leadguard.member_role mr WHERE mr.member_id = m.id);
    END IF;
    RETURN NULL;
END
$$;

-- 50_protect.sql:
CREATE OR REPLACE FUNCTION leadguard.watch_ddl()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    touched oid[];
    item record;
BEGIN
    SELECT array_agg(d.objid) INTO touched
    FROM pg_event_trigger_ddl_commands() d
    WHERE d.classid = 'pg_class'::regclass;
    -- A transaction that is older than protect does not see what there is to follow, nor what a partition must get.
    IF current_setting('transaction_isolation') <> 'read committed' AND leadguard.protected_since(touched) IS NOT NULL THEN
        RAISE EXCEPTION '% was protected while this transaction ran', leadguard.protected_since(touched)
            USING ERRCODE = '40001', HINT = 'Run the transaction again.';
    END IF;
    IF NOT EXISTS (SELECT FROM unnest(touched) r (oid)
                   JOIN leadguard.protected_table p ON p.target IN (r.oid, pg_partition_root(r.oid)))
       AND NOT EXISTS (SELECT FROM pg_inherits i
                       JOIN leadguard.protected_table p ON p.target IN (i.inhrelid, i.inhparent)
                       WHERE i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched))
       AND NOT EXISTS (SELECT FROM leadguard.protected_child h
                       WHERE h.target = ANY (touched)
                          OR h.target IN (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = ANY (touched))) THEN
        RETURN;
    END IF;

    -- The policies follow a renamed column by themselves; the registry must too. As long as the permissive
    -- policy stands no mapped column was dropped, so the one name that is missing is the renamed one.
    FOR item IN
        SELECT d.objid, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        JOIN pg_policy o ON o.polrelid = d.objid AND o.polname = 'leadguard_open'
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
    LOOP
        UPDATE leadguard.protected_table p
        SET id_column = CASE WHEN p.id_column = missing.name THEN item.name ELSE p.id_column END,
            owner_column = CASE WHEN p.owner_column = missing.name THEN item.name ELSE p.owner_column END,
            creator_column = CASE WHEN p.creator_column = missing.name THEN item.name ELSE p.creator_column END,
            territory_column = CASE WHEN p.territory_column = missing.name THEN item.name ELSE p.territory_column END,
            organization_column = CASE WHEN p.organization_column = missing.name THEN item.name ELSE p.organization_column END,
            archived_at_column = CASE WHEN p.archived_at_column = missing.name THEN item.name ELSE p.archived_at_column END,
            archived_by_column = CASE WHEN p.archived_by_column = missing.name THEN item.name ELSE p.archived_by_column END,
            segment_column = CASE WHEN p.segment_column = missing.name THEN item.name ELSE p.segment_column END,
            team_column = CASE WHEN p.team_column = missing.name THEN item.name ELSE p.team_column END,
            parent_column = CASE WHEN p.parent_column = missing.name THEN item.name ELSE p.parent_column END,
            stage_column = CASE WHEN p.stage_column = missing.name THEN item.name ELSE p.stage_column END,
            status_column = CASE WHEN p.status_column = missing.name THEN item.name ELSE p.status_column END,
            sensitive_column = CASE WHEN p.sensitive_column = missing.name THEN item.name ELSE p.sensitive_column END
        FROM (
            SELECT m.name
            FROM leadguard.protected_table q
            CROSS JOIN LATERAL unnest(ARRAY[q.id_column, q.owner_column, q.creator_column, q.territory_column, q.organization_column,
                                               q.archived_at_column, q.archived_by_column, q.segment_column, q.team_column,
                                               q.parent_column, q.stage_column, q.status_column, q.sensitive_column]) AS m (name)
            WHERE q.target = item.objid AND m.name IS NOT NULL
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = q.target AND a.attname = m.name AND NOT a.attisdropped)
        ) missing
        WHERE p.target = item.objid;
    END LOOP;

    -- The same for tables of notes and tags, whose registered columns cannot be dropped.
    FOR item IN
        SELECT d.objid, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_child h ON h.target = d.objid
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
    LOOP
        UPDATE leadguard.protected_child h
        SET id_column = CASE WHEN h.id_column = missing.name THEN item.name ELSE h.id_column END,
            parent_column = CASE WHEN h.parent_column = missing.name THEN item.name ELSE h.parent_column END,
            content_column = CASE WHEN h.content_column = missing.name THEN item.name ELSE h.content_column END,
            author_column = CASE WHEN h.author_column = missing.name THEN item.name ELSE h.author_column END,
            time_column = CASE WHEN h.time_column = missing.name THEN item.name ELSE h.time_column END
        FROM (
            SELECT m.name
            FROM leadguard.protected_child q
            CROSS JOIN LATERAL unnest(ARRAY[q.id_column, q.parent_column, q.content_column, q.author_column, q.time_column]) AS m (name)
            WHERE q.target = item.objid AND m.name IS NOT NULL
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = q.target AND a.attname = m.name AND NOT a.attisdropped)
        ) missing
        WHERE h.target = item.objid;
    END LOOP;

    -- What a tombstone keeps follows too. Columns that are dropped leave the list, so the missing one is the renamed one.
    FOR item IN
        SELECT DISTINCT d.objid, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid AND p.attribution <> '{}'
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
          AND a.attname <> ALL (p.attribution)
    LOOP
        UPDATE leadguard.protected_table p SET attribution = array_replace(p.attribution, missing.name, item.name)
        FROM (
            SELECT m.name
            FROM leadguard.protected_table q
            CROSS JOIN LATERAL unnest(q.attribution) AS m (name)
            WHERE q.target = item.objid
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = q.target AND a.attname = m.name AND NOT a.attisdropped)
            LIMIT 1
        ) missing
        WHERE p.target = item.objid;
    END LOOP;

    -- Rules about fields name a column by number and name; an explicit rename is the one thing that they follow.
    -- Where a rule of a column that is gone has the new name already, both stay as they are and close the column.
    FOR item IN
        SELECT DISTINCT d.objid, d.objsubid::smallint AS attnum, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
    LOOP
        PERFORM leadguard.rename_fields(item.objid, item.attnum, item.name);
    END LOOP;

    -- The view of a concealed table has its columns; what a generated one is computed from may change under the same
    -- name. What conceal itself alters has no view yet.
    FOR item IN
        SELECT DISTINCT p.target
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.command_tag = 'ALTER TABLE' AND p.concealed_by IS NOT NULL
          AND ((SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                WHERE a.attrelid = p.target AND a.attnum > 0 AND NOT a.attisdropped)
               <> (SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                   WHERE a.attrelid = p.concealed_by AND a.attnum > 0 AND NOT a.attisdropped)
               OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p.target AND a.attgenerated <> ''))
    LOOP
        PERFORM leadguard.refresh_view(item.target);
    END LOOP;

    -- A query of an inheritance parent, or of the table that a protected table became a partition of, reads
    -- the rows below it without their policies.
    SELECT p.target, i.inhparent::regclass AS parent, i.inhrelid::regclass AS child INTO item
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhparent
    JOIN (SELECT q.target FROM leadguard.protected_table q UNION ALL SELECT h.target FROM leadguard.protected_child h) p
        ON p.target = i.inhrelid OR (p.target = i.inhparent AND c.relkind = 'r')
    WHERE i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is protected and cannot take part in inheritance', item.target
            USING ERRCODE = '42809',
                  DETAIL = format('%s would be read through %s without the policies of its own.', item.child, item.parent),
                  HINT = format(CASE WHEN EXISTS (SELECT FROM leadguard.protected_child h WHERE h.target = item.target)
                                     THEN 'leadguard.unprotect(%L) first.'
                                     ELSE 'leadguard.unprotect(%L) first, or partition the table.' END, item.target);
    END IF;

    -- What this transaction attached and the watch of the schema (85_schema_watch.sql), which comes after this one, does
    -- not know yet: also one that carries our names, which need not be as protect made them. A restore attaches before
    -- the table is known.
    FOR item IN
        SELECT DISTINCT p.target
        FROM pg_inherits i
        JOIN leadguard.protected_table p ON p.target = pg_partition_root(i.inhrelid)
        JOIN leadguard.schema_known k ON k.target = p.target
        WHERE (i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched)) AND age(i.xmin) <= 0
          AND NOT leadguard.is_at_work()
          AND NOT EXISTS (SELECT FROM leadguard.schema_shape s WHERE (s.target, s.relation, s.kind) = (p.target, i.inhrelid, 'partition'))
    LOOP
        PERFORM leadguard.extend_protection(item.target);
    END LOOP;

    -- New partitions: those without our policies that this transaction attached. A restore attaches partitions
    -- before it fills the registry, and brings policies and triggers itself, which must not be there already. One
    -- that runs as a single transaction is told by all of this together: its setting of row_security, a login that is
    -- a superuser (other roles write no registry), and a row of the registry that is newer than the partition. A row
    -- that set_archive, conceal or the like has just changed is older than a partition that comes now. While protect
    -- runs, alone or as a migration, all partitions have their policies before the first ALTER TABLE. A partition of a
    -- concealed table is looked at even if it has them: once detached, and granted since.
    FOR item IN
        SELECT DISTINCT p.target
        FROM pg_inherits i
        JOIN leadguard.protected_table p ON p.target = pg_partition_root(i.inhrelid)
        WHERE (i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched)) AND age(i.xmin) <= 0
          AND (p.concealed_by IS NOT NULL
               OR NOT EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = i.inhrelid AND o.polname = 'leadguard_open'))
          AND NOT (current_setting('row_security') = 'off' AND age(p.xmin) <= 0 AND i.cmin::text::bigint < p.cmin::text::bigint
                   AND EXISTS (SELECT FROM pg_stat_get_activity(pg_backend_pid()) a JOIN pg_roles r ON r.oid = a.usesysid WHERE r.rolsuper))
    LOOP
        PERFORM leadguard.extend_protection(item.target);
    END LOOP;
END
$$;

-- 50_protect.sql:
CREATE OR REPLACE FUNCTION leadguard.watch_drop()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone oid[];
    item record;
BEGIN
    -- Looks before it writes: almost nothing that is dropped concerns a protected table.
    SELECT array_agg(d.objid) INTO gone
    FROM pg_event_trigger_dropped_objects() d
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0
      AND (EXISTS (SELECT FROM leadguard.protected_table p WHERE p.target = d.objid OR p.concealed_by = d.objid)
           OR EXISTS (SELECT FROM leadguard.table_grant g WHERE g.object = d.objid)
           OR EXISTS (SELECT FROM leadguard.member_scope s WHERE s.target = d.objid)
           OR EXISTS (SELECT FROM leadguard.protected_child h WHERE h.target = d.objid OR h.parent = d.objid));
    IF gone IS NOT NULL THEN
        -- Notes and tags that outlive their parent stay closed; what leadguard granted on them goes with its record.
        FOR item IN
            SELECT DISTINCT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass AS object,
                   g.privilege, r.rolname
            FROM leadguard.protected_child h
            JOIN leadguard.table_grant g ON g.target = h.parent
            JOIN pg_class c ON c.oid = g.object AND (c.oid = h.target OR EXISTS (
                SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = h.target AND d.deptype IN ('a', 'i')))
            JOIN pg_roles r ON r.rolname = g.grantee
            WHERE h.parent = ANY (gone)
        LOOP
            EXECUTE format('REVOKE %s ON %s %s FROM %I', item.privilege, item.kind, item.object, item.rolname);
        END LOOP;
        DELETE FROM leadguard.protected_child h WHERE h.target = ANY (gone) OR h.parent = ANY (gone);
        DELETE FROM leadguard.table_grant g WHERE g.target = ANY (gone) OR g.object = ANY (gone);
        DELETE FROM leadguard.record_grant g WHERE g.target = ANY (gone);
        DELETE FROM leadguard.record_contact c WHERE c.target = ANY (gone);
        DELETE FROM leadguard.member_scope s WHERE s.target = ANY (gone);
        DELETE FROM leadguard.protected_table p WHERE p.target = ANY (gone);
        -- A table whose view is gone stays concealed, by no relation: conceal makes the view again.
        UPDATE leadguard.protected_table p SET concealed_by = 0 WHERE p.concealed_by = ANY (gone);
    END IF;
    -- Dropping the column would drop what its notes say.
    SELECT h.target, d.address_names[3] AS name INTO item
    FROM pg_event_trigger_dropped_objects() d
    JOIN leadguard.protected_child h ON h.target = d.objid
        AND d.address_names[3] IN (h.id_column, h.parent_column, h.content_column, h.author_column, h.time_column)
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'column "%" of % cannot be dropped: its protection relies on it', item.name, item.target
            USING ERRCODE = '2BP01', HINT = format('leadguard.unprotect(%L) first.', item.target);
    END IF;
    FOR item IN
        SELECT p.target, d.address_names[3]::name AS name
        FROM pg_event_trigger_dropped_objects() d
        JOIN leadguard.protected_table p ON p.target = d.objid AND d.address_names[3]::name = ANY (p.attribution)
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LOOP
        UPDATE leadguard.protected_table p SET attribution = array_remove(p.attribution, item.name) WHERE p.target = item.target;
    END LOOP;
    -- Rules about a dropped column stay, and concern no column that takes its name: 0 is the number of none, and is
    -- what a dump carries over.
    FOR item IN
        SELECT d.objid, d.address_names[3]::name AS name
        FROM pg_event_trigger_dropped_objects() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LOOP
        UPDATE leadguard.field_rule r SET attnum = 0 FROM leadguard.field_version v
        WHERE v.id = r.version_id AND v.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.field_value r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.field_transition r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.tag_column r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.column_mask r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
    END LOOP;
    -- The policies do not name the creator, so its column can go while the protection stands.
    FOR item IN
        SELECT p.target
        FROM pg_event_trigger_dropped_objects() d
        JOIN leadguard.protected_table p ON p.target = d.objid AND p.creator_column = d.address_names[3]
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LOOP
        UPDATE leadguard.protected_table p SET creator_column = NULL WHERE p.target = item.target;
    END LOOP;
END
$$;

-- 50_protect.sql:
COMMENT ON FUNCTION leadguard.watch_drop() IS
'Event trigger after any drop: forgets protected tables and views of concealed ones that are gone, so that a recycled OID inherits nothing; keeps the registered columns of notes and tags (2BP01).';

-- 66_masks.sql:
COMMENT ON FUNCTION leadguard.conceal(regclass, boolean) IS
'Moves a protected table to the schema <schema>_base and puts a view in its place, through which columns can be masked and closed; makes that view again where somebody has dropped it. Returns the steps; with dry_run it only returns them. For the table''s owner and superusers (42501). 42704: not protected, 42710: concealed already, 55000: views read the table, or roles have privileges on partitions.';

-- 65_archive.sql:
DROP INDEX leadguard.tombstone_record_idx;
CREATE INDEX tombstone_record_idx ON leadguard.tombstone USING hash (record);

-- 50_protect.sql:
COMMENT ON FUNCTION leadguard.extend_protection(regclass) IS
'Internal: puts policies, triggers and row security on partitions of a protected table that lack them, and puts right what newly attached ones bring along of these.';

-- 16_children.sql:
COMMENT ON TABLE leadguard.erasure IS
'Proof of erased notes: who erased which note when and why, and the keyed digest of what it said. Append-only for everybody; a merger of organizations passes it on. Members with the capability audit read those of their organization.';

-- 65_archive.sql:
COMMENT ON TABLE leadguard.tombstone IS
'What stays of a purged record: who purged it, when and why, and its attribution. Append-only for everybody; a merger of organizations passes it on. Members with the capability audit read those of their organization.';

-- 72_organizations.sql:
COMMENT ON FUNCTION leadguard.merge_organization(text, text, text) IS
'Moves everything of one organization into another: members, territories, teams, roles, rules about e-mail domains (those that the other one allows and has none for; not that for all others), protected tables and the records of shared ones, each of which is audited; approvals, templates of batches, imports, assignment, changes of schemas, reviews and findings, tombstones and proofs of erasure; grants stay, the hierarchies stand side by side, and the source is archived. Superuser and extension owner only (42501). What the audit wrote before stays with the source, for superusers. 23505 with the list where keys of territories or teams or names of roles or batch templates clash; 22023: unknown or archived organizations, or no reason.';

-- What members should hear about, as rows that stay until they are read.

CREATE TABLE leadguard.notification (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT notification_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT notification_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    member_id   bigint NOT NULL CONSTRAINT notification_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    at          timestamptz NOT NULL DEFAULT now(),
    kind        text NOT NULL,
    target      regclass,
    record      text,
    caused_by   bigint CONSTRAINT notification_cause_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    detail      jsonb NOT NULL DEFAULT '{}',
    read_at     timestamptz
);
CREATE INDEX notification_unread_idx ON leadguard.notification (member_id, id) WHERE read_at IS NULL;
COMMENT ON TABLE leadguard.notification IS
'The outbox: whom a change of owner, a handoff, a dispute or a new role concerns. Each member reads his own; NOTIFY leadguard_notification wakes up whoever delivers them, when a transaction commits (not a prepared one).';
COMMENT ON COLUMN leadguard.notification.kind IS
'What happened: owner_changed, handoff, claim, claim_released, dispute, dispute_closed, role_given, role_taken, team_joined, access_granted, approval_requested, approval_decided or offboarding.';
COMMENT ON COLUMN leadguard.notification.detail IS 'What is worth knowing about it, never a value of the record.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.notification', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.notification_id_seq', '');

-- Batches: what was approved in advance for many rows at once.

CREATE TABLE leadguard.batch_template (
    id              bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT batch_template_pkey PRIMARY KEY,
    org_id          bigint NOT NULL CONSTRAINT batch_template_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    name            text NOT NULL CONSTRAINT batch_template_named CHECK (name <> ''),
    target          regclass NOT NULL CONSTRAINT batch_template_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    operation       text NOT NULL CONSTRAINT batch_template_operation_known CHECK (operation IN ('insert', 'update', 'reassign', 'import')),
    role            text,
    records         bigint CONSTRAINT batch_template_records_positive CHECK (records > 0),
    until           timestamptz,
    match_keys      jsonb,
    reason          text,
    made_by         bigint CONSTRAINT batch_template_maker_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    made_at         timestamptz NOT NULL DEFAULT now(),
    withdrawn_by    bigint CONSTRAINT batch_template_withdrawer_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    withdrawn_at    timestamptz
);
CREATE UNIQUE INDEX batch_template_name_unique ON leadguard.batch_template (org_id, name) WHERE withdrawn_at IS NULL;
CREATE INDEX batch_template_target_idx ON leadguard.batch_template (target, operation) WHERE withdrawn_at IS NULL;
COMMENT ON TABLE leadguard.batch_template IS
'Batches that data owners let pass in advance. Withdrawn ones stay: the log of batches names them. Written by leadguard.set_batch_template, read through the view leadguard.batch_templates.';
COMMENT ON COLUMN leadguard.batch_template.role IS 'Whom it is for; NULL: everybody of the organization.';
COMMENT ON COLUMN leadguard.batch_template.records IS 'How many rows of one transaction at most; NULL: any number.';
COMMENT ON COLUMN leadguard.batch_template.match_keys IS 'Of imports: by what rows are compared with each other and with those that are there.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.batch_template', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.batch_template_id_seq', '');

-- Import sessions: what was loaded, what is wrong with it, and what became of it.

CREATE TABLE leadguard.import_target (
    target          regclass CONSTRAINT import_target_pkey PRIMARY KEY
                    CONSTRAINT import_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    view            regclass CONSTRAINT import_target_view_unique UNIQUE,
    match_keys      jsonb NOT NULL DEFAULT '{}' CONSTRAINT import_target_keys_form CHECK (jsonb_typeof(match_keys) = 'object'),
    required        text[] NOT NULL DEFAULT '{}',
    disqualified    text[] NOT NULL DEFAULT '{}',
    prepared_by     bigint CONSTRAINT import_target_preparer_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    prepared_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE leadguard.import_target IS
'Protected tables that rows are imported into, written by leadguard.prepare_imports.';
COMMENT ON COLUMN leadguard.import_target.view IS 'The view that COPY loads rows into.';
COMMENT ON COLUMN leadguard.import_target.match_keys IS
'By what a row is the same as another one: {"columns": "normalisation"}.';
COMMENT ON COLUMN leadguard.import_target.required IS 'Columns that a row must say something in, beside those that are NOT NULL.';
COMMENT ON COLUMN leadguard.import_target.disqualified IS
'Values of the status or stage column by which an existing record counts as disqualified.';

CREATE TABLE leadguard.import_session (
    id              bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT import_session_pkey PRIMARY KEY,
    org_id          bigint NOT NULL CONSTRAINT import_session_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    target          regclass NOT NULL CONSTRAINT import_session_target_prepared REFERENCES leadguard.import_target ON DELETE CASCADE DEFERRABLE,
    member_id       bigint NOT NULL CONSTRAINT import_session_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    state           text NOT NULL DEFAULT 'open' CONSTRAINT import_session_state_known
                    CHECK (state IN ('open', 'checked', 'submitted', 'approved', 'refused', 'committed', 'cancelled')),
    note            text,
    begun_at        timestamptz NOT NULL DEFAULT now(),
    checked_at      timestamptz,
    submitted_at    timestamptz,
    ended_at        timestamptz,
    records         bigint NOT NULL DEFAULT 0,
    good            bigint NOT NULL DEFAULT 0,
    inserted        bigint,
    justification   text,
    template        bigint,
    approval        bigint CONSTRAINT import_session_approval_exists REFERENCES leadguard.approval ON DELETE SET NULL DEFERRABLE,
    self_approved   boolean NOT NULL DEFAULT false,
    digest          bytea,
    settings        text
);
CREATE UNIQUE INDEX import_session_one_open ON leadguard.import_session (member_id, target) WHERE state IN ('open', 'checked');
CREATE INDEX import_session_approval_idx ON leadguard.import_session (approval) WHERE approval IS NOT NULL;
COMMENT ON TABLE leadguard.import_session IS
'Imports: who loads rows for which table, how far that went, and what covered it. Read through leadguard.imports().';
COMMENT ON COLUMN leadguard.import_session.state IS
'open: rows are loaded. checked: the last check is about all of them. submitted: waits for an approval. approved: may be committed. refused, committed, cancelled: the end.';
COMMENT ON COLUMN leadguard.import_session.digest IS
'SHA-256 over the rows as they were submitted; others are not committed.';
COMMENT ON COLUMN leadguard.import_session.settings IS
'How the check read dates, times, amounts and arrays: the order of days and months, intervals, time zone and its abbreviations, lc_monetary, array_nulls. Under others nothing is committed.';

CREATE TABLE leadguard.import_row (
    import_id       bigint NOT NULL CONSTRAINT import_row_session_exists REFERENCES leadguard.import_session ON DELETE CASCADE DEFERRABLE,
    line            bigint NOT NULL,
    data            jsonb NOT NULL,
    CONSTRAINT import_row_pkey PRIMARY KEY (import_id, line)
);
COMMENT ON TABLE leadguard.import_row IS
'Rows that were loaded and are not committed yet, {"column": text}, without what was empty. They go with commit, cancel and leadguard.import_cleanup, and are not dumped. Read through leadguard.import_rows.';

CREATE TABLE leadguard.import_problem (
    import_id       bigint NOT NULL CONSTRAINT import_problem_session_exists REFERENCES leadguard.import_session ON DELETE CASCADE DEFERRABLE,
    line            bigint NOT NULL,
    field           text NOT NULL,
    problem         text NOT NULL,
    detail          text,
    CONSTRAINT import_problem_pkey PRIMARY KEY (import_id, line, field, problem)
);
COMMENT ON TABLE leadguard.import_problem IS
'What is wrong with rows of imports, without their values: it stays when the rows are gone. Read through leadguard.import_report.';
COMMENT ON COLUMN leadguard.import_problem.field IS 'The column, or the columns of the match key; empty for the row as a whole.';

-- Loaded rows are no data yet, and a session without them cannot go on: only what has ended is dumped.
SELECT pg_catalog.pg_extension_config_dump('leadguard.import_target', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.import_session', 'WHERE state IN (''refused'', ''committed'', ''cancelled'')');
SELECT pg_catalog.pg_extension_config_dump('leadguard.import_session_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.import_problem',
    'WHERE import_id IN (SELECT s.id FROM leadguard.import_session s WHERE s.state IN (''refused'', ''committed'', ''cancelled''))');

-- Who gets a record: rules that route it, steps by which it is handed over, and who claims it.

CREATE TABLE leadguard.assignment_rule (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT assignment_rule_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT assignment_rule_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    target      regclass NOT NULL CONSTRAINT assignment_rule_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    name        text NOT NULL CONSTRAINT assignment_rule_name_not_empty CHECK (name <> ''),
    position    integer NOT NULL,
    condition   jsonb NOT NULL DEFAULT '[]',
    kind        text NOT NULL CONSTRAINT assignment_rule_kind_known CHECK (kind IN ('owner', 'pool', 'qualifier', 'territory')),
    owner_id    bigint CONSTRAINT assignment_rule_owner_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    territory_id bigint CONSTRAINT assignment_rule_territory_exists REFERENCES leadguard.territory ON DELETE CASCADE DEFERRABLE,
    territory_column name,
    turn        integer NOT NULL DEFAULT 0,
    CONSTRAINT assignment_rule_name_unique UNIQUE (target, org_id, name),
    CONSTRAINT assignment_rule_gives CHECK ((kind = 'owner') = (owner_id IS NOT NULL)
        AND (territory_id IS NULL OR territory_column IS NULL)
        AND (kind <> 'territory' OR territory_id IS NOT NULL OR territory_column IS NOT NULL))
);
CREATE INDEX assignment_rule_owner_idx ON leadguard.assignment_rule (owner_id);
COMMENT ON TABLE leadguard.assignment_rule IS
'Which records go to whom: the first rule in order of position whose condition a record meets. Written by leadguard.set_assignment_rule, read through the view leadguard.assignment_rules.';
COMMENT ON COLUMN leadguard.assignment_rule.condition IS
'What a record must say: a list of {"column": name, "is" | "is_not" | "in" | "not_in" | "at_least" | "at_most": value, "is_null": boolean}, {"territory": keys}, {"segment": values}. All must hold; an empty list always does.';
COMMENT ON COLUMN leadguard.assignment_rule.territory_column IS 'The territory is the one whose key this column holds.';
COMMENT ON COLUMN leadguard.assignment_rule.turn IS
'The position in the pool of the member who was served last. Whoever serves locks the row until the end of his transaction.';

CREATE TABLE leadguard.assignment_pool (
    rule_id     bigint NOT NULL CONSTRAINT assignment_pool_rule_exists REFERENCES leadguard.assignment_rule ON DELETE CASCADE DEFERRABLE,
    member_id   bigint NOT NULL CONSTRAINT assignment_pool_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    position    integer NOT NULL,
    capacity    bigint CONSTRAINT assignment_pool_capacity_positive CHECK (capacity > 0),
    assigned    bigint NOT NULL DEFAULT 0,
    CONSTRAINT assignment_pool_pkey PRIMARY KEY (rule_id, member_id),
    CONSTRAINT assignment_pool_position_unique UNIQUE (rule_id, position)
);
CREATE INDEX assignment_pool_member_idx ON leadguard.assignment_pool (member_id);
COMMENT ON TABLE leadguard.assignment_pool IS 'The members among whom a rule deals records out, in this order.';
COMMENT ON COLUMN leadguard.assignment_pool.capacity IS
'Who owns so many unarchived records of the table is passed over; NULL: never.';
COMMENT ON COLUMN leadguard.assignment_pool.assigned IS 'How many records the rule has given to the member.';

CREATE TABLE leadguard.handoff_step (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT handoff_step_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT handoff_step_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    target      regclass NOT NULL CONSTRAINT handoff_step_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    name        text NOT NULL CONSTRAINT handoff_step_name_not_empty CHECK (name <> ''),
    from_stage  text,
    from_role   text,
    to_stage    text,
    to_role     text,
    fields      jsonb NOT NULL DEFAULT '{}',
    notify      text[] NOT NULL DEFAULT '{}',
    needs_acceptance boolean NOT NULL DEFAULT false,
    CONSTRAINT handoff_step_name_unique UNIQUE (target, org_id, name)
);
COMMENT ON TABLE leadguard.handoff_step IS
'The steps by which records are handed over: from which stage and role to which, which fields change, who is told. Written by leadguard.set_handoff_step; members of the organization read them.';
COMMENT ON COLUMN leadguard.handoff_step.from_stage IS 'The stage that a record must be in; NULL: any.';
COMMENT ON COLUMN leadguard.handoff_step.from_role IS 'The role of whoever hands over; NULL: whoever may reassign the record.';
COMMENT ON COLUMN leadguard.handoff_step.fields IS 'Columns and the constants that they are set to.';
COMMENT ON COLUMN leadguard.handoff_step.notify IS
'Who is told beside the old and the new owner: record_team, managers (those directly above both), role:NAME, or keys of members.';

CREATE TABLE leadguard.handoff (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT handoff_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT handoff_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    target      regclass NOT NULL CONSTRAINT handoff_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    record      text NOT NULL,
    step        text NOT NULL,
    from_member bigint CONSTRAINT handoff_giver_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    to_member   bigint NOT NULL CONSTRAINT handoff_receiver_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    started_by  bigint CONSTRAINT handoff_starter_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    state       text NOT NULL DEFAULT 'open' CONSTRAINT handoff_state_known CHECK (state IN ('open', 'done', 'refused', 'withdrawn')),
    reason      text,
    answer      text,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at    timestamptz,
    grant_id    bigint,
    sensitive   boolean NOT NULL DEFAULT false,
    CONSTRAINT handoff_end CHECK ((state = 'open') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX handoff_one_open ON leadguard.handoff (target, record) WHERE state = 'open';
CREATE INDEX handoff_record_idx ON leadguard.handoff (target, record);
CREATE INDEX handoff_receiver_idx ON leadguard.handoff (to_member) WHERE state = 'open';
COMMENT ON TABLE leadguard.handoff IS
'Handoffs that happened, and those that wait for the receiver. Who gave, who receives and who has the capability approve or audit read them.';
COMMENT ON COLUMN leadguard.handoff.from_member IS 'The owner before.';
COMMENT ON COLUMN leadguard.handoff.grant_id IS 'The share by which the receiver sees the record until he answers.';
COMMENT ON COLUMN leadguard.handoff.sensitive IS 'Whether the record was marked as sensitive when it was handed over.';

CREATE TABLE leadguard.dispute (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT dispute_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT dispute_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    target      regclass NOT NULL CONSTRAINT dispute_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    record      text NOT NULL,
    opened_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_by   bigint CONSTRAINT dispute_closer_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    closed_at   timestamptz,
    winner      bigint CONSTRAINT dispute_winner_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    reason      text,
    CONSTRAINT dispute_end CHECK (closed_at IS NOT NULL OR (closed_by IS NULL AND winner IS NULL AND reason IS NULL))
);
CREATE UNIQUE INDEX dispute_one_open ON leadguard.dispute (target, record) WHERE closed_at IS NULL;
COMMENT ON TABLE leadguard.dispute IS
'Records that more than one member claims. Only a data owner closes one. Claimants and members with the capability approve or audit read them.';

CREATE TABLE leadguard.claim (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT claim_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT claim_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    target      regclass NOT NULL CONSTRAINT claim_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    record      text NOT NULL,
    member_id   bigint NOT NULL CONSTRAINT claim_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    claimed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    state       text NOT NULL DEFAULT 'open' CONSTRAINT claim_state_known CHECK (state IN ('open', 'disputed', 'closed')),
    closed_at   timestamptz,
    reason      text,
    dispute_id  bigint CONSTRAINT claim_dispute_exists REFERENCES leadguard.dispute ON DELETE SET NULL DEFERRABLE,
    CONSTRAINT claim_end CHECK ((state = 'closed') = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX claim_one_open ON leadguard.claim (target, record) WHERE state = 'open';
CREATE UNIQUE INDEX claim_once ON leadguard.claim (target, record, member_id) WHERE state <> 'closed';
CREATE INDEX claim_record_idx ON leadguard.claim (target, record);
COMMENT ON TABLE leadguard.claim IS
'Who claims a record. A second claim opens a dispute. Claimants and members with the capability approve or audit read them.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.assignment_rule', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.assignment_rule_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.assignment_pool', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.handoff_step', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.handoff_step_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.handoff', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.handoff_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.dispute', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.dispute_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.claim', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.claim_id_seq', '');

-- People who come, change and go: job functions, onboarding, offboarding, delegation.

-- D2: whether a third administrator is worth a warning.
ALTER TABLE leadguard.organization ADD COLUMN third_admin text NOT NULL DEFAULT 'warn'
    CONSTRAINT organization_third_admin_known CHECK (third_admin IN ('warn', 'refuse', 'allow'));
COMMENT ON COLUMN leadguard.organization.third_admin IS
'What happens when more than two active members of the organization would have a role of rank 90 or more with the capability administer: warn, refuse or allow.';
SELECT pg_catalog.pg_extension_config_dump('leadguard.organization',
    'WHERE id <> 1 OR name <> ''Default organization'' OR organization_view OR archived_at IS NOT NULL OR merged_into IS NOT NULL
        OR domain_roles <> ''guest_only'' OR third_admin <> ''warn''');

-- What a job is called, and the role that goes with it (D35).
CREATE TABLE leadguard.job_function (
    org_id      bigint NOT NULL DEFAULT 1 CONSTRAINT job_function_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    name        text NOT NULL CONSTRAINT job_function_name_not_empty CHECK (name <> ''),
    role        text NOT NULL,
    role_id     bigint NOT NULL CONSTRAINT job_function_role_exists REFERENCES leadguard.role DEFERRABLE,
    description text NOT NULL DEFAULT '',
    CONSTRAINT job_function_pkey PRIMARY KEY (org_id, name)
);
COMMENT ON TABLE leadguard.job_function IS
'The standard role of each job function of an organization. Written by members with the capability administer or manage_organization; it gives nothing by itself: leadguard.onboard gives the role, leadguard.job_deviations finds who has another one.';
COMMENT ON COLUMN leadguard.job_function.role_id IS 'The role that the name means; filled in by a trigger.';

CREATE TABLE leadguard.member_function (
    member_id       bigint NOT NULL CONSTRAINT member_function_pkey PRIMARY KEY
                    CONSTRAINT member_function_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    job_function    text NOT NULL,
    org_id          bigint NOT NULL,
    CONSTRAINT member_function_exists FOREIGN KEY (org_id, job_function) REFERENCES leadguard.job_function
        ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE
);
COMMENT ON TABLE leadguard.member_function IS
'Which job function a member has. Written by leadguard.onboard, and by members with the capability administer or manage_members.';
COMMENT ON COLUMN leadguard.member_function.org_id IS 'The organization of the member; filled in by a trigger.';

-- Leaving, in three phases (D19 to D21).
CREATE TABLE leadguard.offboarding (
    id              bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT offboarding_pkey PRIMARY KEY,
    org_id          bigint NOT NULL CONSTRAINT offboarding_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    member_id       bigint NOT NULL CONSTRAINT offboarding_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    planned_by      bigint CONSTRAINT offboarding_planner_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    planned_at      timestamptz NOT NULL DEFAULT now(),
    last_day        date NOT NULL,
    transition_role text NOT NULL,
    note            text NOT NULL DEFAULT '',
    new_owner       bigint CONSTRAINT offboarding_new_owner_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    roles           text[] NOT NULL DEFAULT '{}',
    reassigned_at   timestamptz,
    ended_at        timestamptz,
    state           text NOT NULL DEFAULT 'planned' CONSTRAINT offboarding_state_known CHECK (state IN ('planned', 'leaving', 'ended', 'cancelled')),
    CONSTRAINT offboarding_phases CHECK ((state = 'ended') = (ended_at IS NOT NULL) AND (state <> 'leaving' OR reassigned_at IS NOT NULL)
        AND (state <> 'planned' OR reassigned_at IS NULL))
);
CREATE UNIQUE INDEX offboarding_open ON leadguard.offboarding (member_id) WHERE state IN ('planned', 'leaving');
COMMENT ON TABLE leadguard.offboarding IS
'Members who leave: planned (what they own and who could take it), leaving (everything was handed over, a transition role is left), ended (no membership any more). Written by leadguard.offboard_plan, offboard_last_day, offboard_end and offboard_cancel.';
COMMENT ON COLUMN leadguard.offboarding.transition_role IS 'What the member has from the last day until the end.';
COMMENT ON COLUMN leadguard.offboarding.new_owner IS 'Who took on the last day what the member owned.';
COMMENT ON COLUMN leadguard.offboarding.roles IS 'The roles that the member had before the last day.';

-- Somebody else works on what a member owns, until a day.
CREATE TABLE leadguard.delegation (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT delegation_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT delegation_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    member_id   bigint NOT NULL CONSTRAINT delegation_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    delegate_id bigint NOT NULL CONSTRAINT delegation_delegate_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    target      regclass CONSTRAINT delegation_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    level       text NOT NULL CONSTRAINT delegation_level_known CHECK (level IN ('read', 'edit', 'full')),
    until       timestamptz NOT NULL,
    reason      text NOT NULL CONSTRAINT delegation_reason_given CHECK (reason <> ''),
    created_by  bigint CONSTRAINT delegation_creator_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    CONSTRAINT delegation_to_another CHECK (delegate_id <> member_id)
);
CREATE INDEX delegation_member_idx ON leadguard.delegation (member_id) WHERE ended_at IS NULL;
COMMENT ON TABLE leadguard.delegation IS
'Who reaches, until when, what a member owns: an absence with an end date. Each record has a grant of kind delegated, which follows the owner of the record. Written by leadguard.delegate and undelegate.';
COMMENT ON COLUMN leadguard.delegation.target IS 'The protected table; NULL for all of them.';

-- A grant says which request or which delegation it comes from (K20).
ALTER TABLE leadguard.record_grant
    ADD COLUMN approval_id bigint CONSTRAINT record_grant_approval_exists REFERENCES leadguard.approval ON DELETE SET NULL DEFERRABLE,
    ADD COLUMN delegation_id bigint CONSTRAINT record_grant_delegation_exists REFERENCES leadguard.delegation ON DELETE CASCADE DEFERRABLE,
    DROP CONSTRAINT record_grant_kind_known,
    ADD CONSTRAINT record_grant_kind_known CHECK (kind IN ('record_team', 'share', 'contact', 'delegated')),
    ADD CONSTRAINT record_grant_delegated_kind CHECK (CASE kind WHEN 'delegated' THEN delegation_id IS NOT NULL WHEN 'share' THEN true ELSE delegation_id IS NULL END);
CREATE INDEX record_grant_delegation_idx ON leadguard.record_grant (delegation_id) WHERE delegation_id IS NOT NULL;
COMMENT ON COLUMN leadguard.record_grant.approval_id IS 'The granted request (leadguard.request_access) by which the holder has it.';
COMMENT ON COLUMN leadguard.record_grant.delegation_id IS 'The delegation by which the holder has it, or by which the delegate has shared it: it goes with it.';

-- Guests are looked at every quarter (D28).
CREATE TABLE leadguard.guest_review (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT guest_review_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT guest_review_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    member_id   bigint NOT NULL CONSTRAINT guest_review_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    reviewed_by bigint CONSTRAINT guest_review_reviewer_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    reviewed_at timestamptz NOT NULL DEFAULT now(),
    decision    text NOT NULL CONSTRAINT guest_review_decision_known CHECK (decision IN ('keep', 'end')),
    note        text NOT NULL CONSTRAINT guest_review_note_given CHECK (note <> '')
);
CREATE INDEX guest_review_member_idx ON leadguard.guest_review (member_id, reviewed_at);
COMMENT ON TABLE leadguard.guest_review IS
'Who looked at a guest and what was decided. Written by leadguard.review_guest; leadguard.guests_due names those to look at.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.job_function', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.member_function', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.offboarding', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.offboarding_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.delegation', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.delegation_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.guest_review', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.guest_review_id_seq', '');

-- What changed about protected tables, and who had agreed.

CREATE TABLE leadguard.schema_change (
    id              bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT schema_change_pkey PRIMARY KEY,
    org_id          bigint CONSTRAINT schema_change_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    transaction     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    target          regclass NOT NULL,
    target_name     text NOT NULL,
    kind            text NOT NULL,
    object          text NOT NULL DEFAULT '',
    detail          jsonb NOT NULL DEFAULT '{}',
    session_role    text,
    member_id       bigint CONSTRAINT schema_change_member_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    approval        bigint,
    rationale       text,
    requesting_team text,
    expected_usage  text,
    state           text NOT NULL CONSTRAINT schema_change_state_known CHECK (state IN ('approved', 'violation', 'accepted')),
    resolved_by     bigint CONSTRAINT schema_change_resolver_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    resolved_at     timestamptz,
    resolution      text,
    CONSTRAINT schema_change_resolution CHECK ((state = 'accepted') = (resolved_at IS NOT NULL) AND (resolved_at IS NULL) = (resolution IS NULL))
);
CREATE INDEX schema_change_open_idx ON leadguard.schema_change (target) WHERE state = 'violation';
CREATE INDEX schema_change_approval_idx ON leadguard.schema_change (approval) WHERE approval IS NOT NULL;
COMMENT ON TABLE leadguard.schema_change IS
'The changelog of protected tables. approved: an approval of kind schema covered the change; violation: none did; accepted: a violation that a data owner accepted afterwards. Members with the capability audit read that of their organization, the owner of a table what concerns it.';
COMMENT ON COLUMN leadguard.schema_change.org_id IS 'NULL for a table that several organizations share.';
COMMENT ON COLUMN leadguard.schema_change.member_id IS 'NULL for nobody who is a member, and for a table that several organizations share.';
COMMENT ON COLUMN leadguard.schema_change.kind IS
'add column, drop column, rename column, change type, change default, change not null; add, drop, change constraint, policy, trigger, rule; disable trigger; drop, change view (the one that conceals the table); row security, owner, rename table, drop table, of type, attach partition, detach partition; tag namespace, attribute, valid value, drop valid values.';
COMMENT ON COLUMN leadguard.schema_change.object IS 'The column, constraint, policy, trigger, partition, namespace or value; empty for what concerns the whole table.';
COMMENT ON COLUMN leadguard.schema_change.detail IS 'How it was and is by definition; also: what the same command changed with it. unnoticed: event triggers were off when it happened. mended: an attached partition came so, and is again as leadguard makes it.';
COMMENT ON COLUMN leadguard.schema_change.session_role IS 'The login; NULL for a change that was only found later.';

CREATE TABLE leadguard.schema_change_maker (
    change      bigint CONSTRAINT schema_change_maker_pkey PRIMARY KEY
                CONSTRAINT schema_change_maker_change_exists REFERENCES leadguard.schema_change ON DELETE CASCADE DEFERRABLE,
    member_id   bigint NOT NULL CONSTRAINT schema_change_maker_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE
);
COMMENT ON TABLE leadguard.schema_change_maker IS
'Members who changed a table that several organizations share: the changelog, which all of these read, does not name them, and they do not accept what they did.';

-- How the tables looked when they were last looked at. Not dumped: it is taken anew from what a restore makes.
CREATE TABLE leadguard.schema_known (
    target      regclass CONSTRAINT schema_known_pkey PRIMARY KEY,
    taken_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE leadguard.schema_known IS 'Protected tables, and those of notes and tags, whose shape is in schema_shape.';

CREATE TABLE leadguard.schema_shape (
    target      regclass NOT NULL CONSTRAINT schema_shape_known REFERENCES leadguard.schema_known ON DELETE CASCADE,
    relation    regclass NOT NULL,
    kind        text NOT NULL,
    identity    text NOT NULL,
    name        text NOT NULL,
    columns     smallint[] NOT NULL,
    digest      text NOT NULL,
    definition  text NOT NULL,
    CONSTRAINT schema_shape_pkey PRIMARY KEY (target, relation, kind, identity)
);
CREATE INDEX schema_shape_relation_idx ON leadguard.schema_shape (relation);
COMMENT ON TABLE leadguard.schema_shape IS
'What a protected table and its partitions consist of, by the catalogs: columns, defaults, constraints, policies, triggers, rules, row security, owner, name, the type that it is of, partitions; of those what is not as on the table.';
COMMENT ON COLUMN leadguard.schema_shape.digest IS
'Of what Postgres stores, which a rename elsewhere does not change. An item has changed where both digest and definition differ.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.schema_change', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.schema_change_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.schema_change_maker', '');

-- Reviews: findings that stay until they are solved.

CREATE TABLE leadguard.review_check (
    finding     text CONSTRAINT review_check_pkey PRIMARY KEY,
    position    integer NOT NULL,
    kinds       text[] NOT NULL CONSTRAINT review_check_kinds_known CHECK (kinds OPERATOR(pg_catalog.<@) ARRAY['quarterly', 'monthly']),
    lasting     boolean NOT NULL,
    asks        text NOT NULL,
    source      text NOT NULL
);
COMMENT ON TABLE leadguard.review_check IS
'The questions of leadguard.audit_run: each is answered by the function review_<finding>. Shipped.';
COMMENT ON COLUMN leadguard.review_check.lasting IS
'Whether the finding is a state, which a later review finds to be over; otherwise something that happened, which stays until somebody resolves it.';
COMMENT ON COLUMN leadguard.review_check.source IS 'The requirements that ask for it.';

INSERT INTO leadguard.review_check (finding, position, kinds, lasting, asks, source) VALUES
    ('too_many_admins',         10, '{quarterly,monthly}', true,  'Are there more than two administrators?', 'D2, D31, P27'),
    ('everyone_admin',          11, '{quarterly,monthly}', true,  'Is everybody an administrator?', 'D2'),
    ('new_admin',               12, '{monthly}',           false, 'Who became an administrator?', 'D33'),
    ('rights_beyond_role',      20, '{quarterly,monthly}', true,  'Who holds by hand more than the role is meant to allow?', 'K48, D39'),
    ('roles_deviate',           21, '{quarterly}',         true,  'Whose roles are not those of the job function?', 'D31, D35, D39'),
    ('external_not_guest',      22, '{quarterly,monthly}', true,  'Who is external and no guest?', 'D6, D33'),
    ('guest_with_role',         23, '{quarterly,monthly}', true,  'Which guests hold more than a guest''s role?', 'D6, D28'),
    ('guest_not_reviewed',      24, '{quarterly}',         true,  'Which guests has nobody looked at for three months?', 'D28'),
    ('gone_but_active',         30, '{quarterly,monthly}', true,  'Who is gone and still active?', 'D21, D23, D31'),
    ('gone_but_owning',         31, '{quarterly}',         true,  'Which inactive members still own territories or teams?', 'D21, D31'),
    ('permission_creep',        32, '{quarterly}',         true,  'Who holds capabilities and did nothing for 90 days?', 'D39'),
    ('team_owners',             40, '{quarterly}',         true,  'Which teams have not two or three owners?', 'D9'),
    ('team_owner_manages_nobody', 41, '{quarterly}',       true,  'Which owners of teams manage none of its members?', 'D10, D31'),
    ('unused_team',             42, '{quarterly}',         true,  'Which teams have no members, or nothing to share?', 'D32, D38'),
    ('unused_role',             43, '{quarterly}',         true,  'Which roles of the organization does nobody have?', 'D38'),
    ('expired_grants',          44, '{quarterly}',         true,  'Which shares are over and still there?', 'D32, D38'),
    ('record_without_owner',    50, '{quarterly,monthly}', true,  'Which tables hold records without an owner?', 'K54, D22'),
    ('record_without_side',     51, '{quarterly,monthly}', true,  'Which records have contacts and no BUYER or no SELLER?', 'D29, D33'),
    ('guest_without_mark',      52, '{quarterly,monthly}', true,  'Which guests reach a record and are no contact of it?', 'D28, D29'),
    ('contact_outside_rules',   53, '{quarterly,monthly}', true,  'Which contacts stand on the other side than their domain says?', 'D24, D29'),
    ('unlogged_batch',          60, '{quarterly,monthly}', false, 'Which batches are not in the log of batches?', 'K48'),
    ('unapproved_batch',        61, '{quarterly,monthly}', false, 'Which batches over the limit had neither approval nor template?', 'K48, K18'),
    ('unapproved_schema_change', 62, '{quarterly,monthly}', true, 'Which changes of schemas had no approval?', 'K48, K49'),
    ('watch_disabled',          63, '{quarterly,monthly}', true,  'Is something switched off that watches schemas?', 'K48'),
    ('window_not_counted',      64, '{quarterly,monthly}', true,  'Does a table limit batches over time on a server that cannot count them?', 'K31'),
    ('unusual_access',          70, '{quarterly,monthly}', true,  'Who reads, exports or is refused far more than others?', 'D33'),
    ('review_overdue',          71, '{monthly}',           true,  'Was there a quarterly review in the last three months?', 'D31, P27');

CREATE TABLE leadguard.review (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT review_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT review_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    kind        text NOT NULL CONSTRAINT review_kind_known CHECK (kind IN ('quarterly', 'monthly', 'incident')),
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_by      bigint CONSTRAINT review_runner_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    session_role text NOT NULL DEFAULT session_user,
    parameters  jsonb NOT NULL DEFAULT '{}',
    findings    integer NOT NULL DEFAULT 0
);
CREATE INDEX review_org_idx ON leadguard.review (org_id, kind, at);
COMMENT ON TABLE leadguard.review IS
'Reviews that were held, by leadguard.audit_run. Members with the capability audit read those of their organization.';
COMMENT ON COLUMN leadguard.review.findings IS 'How many findings were open after it.';

CREATE TABLE leadguard.finding (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT finding_pkey PRIMARY KEY,
    org_id      bigint NOT NULL CONSTRAINT finding_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    finding     text NOT NULL,
    severity    text NOT NULL CONSTRAINT finding_severity_known CHECK (severity IN ('info', 'low', 'medium', 'high')),
    subject     text NOT NULL,
    evidence    jsonb NOT NULL DEFAULT '{}',
    suggestion  text,
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    first_review bigint NOT NULL CONSTRAINT finding_first_review_exists REFERENCES leadguard.review DEFERRABLE,
    last_review bigint NOT NULL CONSTRAINT finding_last_review_exists REFERENCES leadguard.review DEFERRABLE,
    status      text NOT NULL DEFAULT 'open' CONSTRAINT finding_status_known CHECK (status IN ('open', 'resolved', 'accepted')),
    resolution  text,
    resolved_by bigint CONSTRAINT finding_resolver_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    resolved_at timestamptz,
    history     jsonb NOT NULL DEFAULT '[]',
    concerns    bigint[] NOT NULL DEFAULT '{}',
    CONSTRAINT finding_unique UNIQUE (org_id, finding, subject),
    CONSTRAINT finding_resolution CHECK ((status = 'open') = (resolution IS NULL) AND (status = 'open') = (resolved_at IS NULL))
);
CREATE INDEX finding_open_idx ON leadguard.finding (org_id) WHERE status = 'open';
COMMENT ON TABLE leadguard.finding IS
'What reviews found. A finding stays open until somebody resolves or accepts it, or a later review of a kind that asks the same finds that it is over; one that comes back is open again. Members with the capability audit read those of their organization.';
COMMENT ON COLUMN leadguard.finding.evidence IS 'Names members by key and records by id, never a value of a record.';
COMMENT ON COLUMN leadguard.finding.suggestion IS 'SQL that solves it, for somebody with the rights.';
COMMENT ON COLUMN leadguard.finding.concerns IS
'The numbers of the members whom it is about, whatever their keys are now: they do not resolve it. A number of a member who is gone stays.';
COMMENT ON COLUMN leadguard.finding.history IS 'Earlier resolutions: status, at, by, resolution.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.review', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.review_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.finding', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.finding_id_seq', '');

-- Seals of the audit: a chain of digests that shows a changed, missing or inserted row.

-- Numbers of transactions mean something in one server. What was sealed in another one, before a dump and a restore,
-- belongs to another life; the row is in no dump, so that a restored database begins its own.
CREATE TABLE leadguard.audit_life (
    here    boolean NOT NULL DEFAULT true CONSTRAINT audit_life_pkey PRIMARY KEY CONSTRAINT audit_life_one_row CHECK (here),
    life    uuid NOT NULL DEFAULT gen_random_uuid(),
    since   timestamptz NOT NULL DEFAULT clock_timestamp(),
    sealed  bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE leadguard.audit_life IS
'The life of this database in one server: since when its rows are numbered by transactions of that server, and its last seal. Sealers take turns on the row.';
-- An update finds transactions that have begun already, and write rows with the time of their statements. A new log,
-- which was made in this transaction, has no writers yet; whoever is connected then has nothing to do with it.
INSERT INTO leadguard.audit_life (since)
SELECT CASE WHEN log.xmin = life.xmin THEN clock_timestamp()
            ELSE least(now(), (SELECT min(a.xact_start) FROM pg_catalog.pg_stat_activity a
                               WHERE a.datname = current_database() AND a.pid <> pg_backend_pid())) END
FROM pg_catalog.pg_attribute log, pg_catalog.pg_attribute life
WHERE log.attrelid = 'leadguard.audit_entry'::regclass AND log.attname = 'id'
  AND life.attrelid = 'leadguard.audit_life'::regclass AND life.attname = 'life';

CREATE TABLE leadguard.audit_seal (
    number      bigint CONSTRAINT audit_seal_pkey PRIMARY KEY,
    at          timestamptz NOT NULL,
    life        uuid NOT NULL,
    since       timestamptz NOT NULL,
    snapshot    pg_snapshot NOT NULL,
    first_at    timestamptz,
    last_at     timestamptz,
    "rows"      bigint NOT NULL,
    parts       jsonb NOT NULL,
    previous    bytea,
    mac         bytea NOT NULL
);
COMMENT ON TABLE leadguard.audit_seal IS
'Seals of audit_entry: each covers the rows of all transactions that had ended and that no seal before covers. Append-only for everybody.';
COMMENT ON COLUMN leadguard.audit_seal.life IS 'The life of the database in which it was made, and since when that life lasts.';
COMMENT ON COLUMN leadguard.audit_seal.snapshot IS 'Which transactions had ended, as far as the seal relies on it.';
COMMENT ON COLUMN leadguard.audit_seal.first_at IS 'The times of the first and last row.';
COMMENT ON COLUMN leadguard.audit_seal.parts IS
'{"2026-11": {"rows": count, "ids": "1-5,7", "digest": keyed digest over times, ids and digests of the rows in order}}, a part for each month (UTC).';
COMMENT ON COLUMN leadguard.audit_seal.previous IS 'The mac of the seal before.';
COMMENT ON COLUMN leadguard.audit_seal.mac IS 'Keyed digest over the other columns.';

CREATE TABLE leadguard.audit_retired (
    month   date CONSTRAINT audit_retired_pkey PRIMARY KEY,
    at      timestamptz NOT NULL,
    seal    bigint NOT NULL,
    "rows"  bigint NOT NULL,
    digest  bytea NOT NULL,
    mac     bytea NOT NULL
);
COMMENT ON TABLE leadguard.audit_retired IS
'Months of the audit log that audit_retire has taken away: how many rows the seals up to this one had of it, and a keyed digest over their digests. Append-only for everybody.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_seal', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_retired', '');

-- What functions in SQL tell: the audit, and the members concerned.

CREATE FUNCTION leadguard.note_event(action text, organization bigint, target regclass, record text, reason text, detail text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'note_event_wrapper';
COMMENT ON FUNCTION leadguard.note_event(text, bigint, regclass, text, text, text) IS
'Internal: writes a row of the audit in the name of the current member. organization: whose auditors may read it.';

CREATE FUNCTION leadguard.wake_at_commit()
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'wake_at_commit_wrapper';
COMMENT ON FUNCTION leadguard.wake_at_commit() IS
'Internal: has NOTIFY leadguard_notification sent once when the transaction commits; not for a prepared one.';

CREATE FUNCTION leadguard.tell(member bigint, kind text, target regclass DEFAULT NULL, record text DEFAULT NULL, detail jsonb DEFAULT '{}')
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Nobody needs to be told what he did himself; who is gone cannot be told.
    INSERT INTO leadguard.notification (org_id, member_id, kind, target, record, caused_by, detail)
    SELECT m.org_id, m.id, tell.kind, tell.target, tell.record, leadguard.current_member(), tell.detail
    FROM leadguard.member m
    WHERE m.id = tell.member AND m.active AND m.id IS DISTINCT FROM leadguard.current_member();
    IF FOUND THEN
        PERFORM leadguard.wake_at_commit();
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.tell(bigint, text, regclass, text, jsonb) IS
'Internal: puts a notification for a member into the outbox, and wakes up whoever delivers them at commit.';

CREATE FUNCTION leadguard.data_owners(org bigint)
RETURNS SETOF bigint LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT m.id
    FROM leadguard.member m
    JOIN leadguard.member_role mr ON mr.member_id = m.id
    JOIN leadguard.role r ON r.id = mr.role_id AND 'approve' = ANY (r.capabilities)
    WHERE m.org_id = $1 AND m.active AND m.kind = 'person'
$$;
COMMENT ON FUNCTION leadguard.data_owners(bigint) IS
'Internal: the active persons of an organization with the capability approve, who decide about requests and disputes.';

CREATE FUNCTION leadguard.notifications(unread boolean DEFAULT true, most integer DEFAULT 100)
RETURNS TABLE (id bigint, at timestamptz, kind text, target regclass, record text, caused_by text, detail jsonb, read_at timestamptz)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
    -- A guest lists nobody but himself, so that he learns no other name here.
    SELECT n.id, n.at, n.kind, n.target, n.record, CASE WHEN NOT leadguard.is_guest() THEN m.key END, n.detail, n.read_at
    FROM leadguard.notification n
    LEFT JOIN leadguard.member m ON m.id = n.caused_by AND m.org_id = n.org_id
    WHERE n.member_id = (SELECT leadguard.current_member())
      AND (n.read_at IS NULL OR NOT coalesce($1, true))
    ORDER BY n.id DESC
    LIMIT least(greatest(coalesce($2, 100), 0), 10000)
$$;
COMMENT ON FUNCTION leadguard.notifications(boolean, integer) IS
'The caller''s own notifications, newest first: the unread ones, or all; most: how many at most (10,000). No rows for nobody. Anyone may call it.';

CREATE FUNCTION leadguard.mark_read(ids bigint[] DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    marked bigint;
BEGIN
    UPDATE leadguard.notification n SET read_at = clock_timestamp()
    WHERE (ids IS NULL OR n.id = ANY (ids)) AND n.read_at IS NULL AND n.member_id = leadguard.current_member() AND NOT leadguard.is_analyst();
    GET DIAGNOSTICS marked = ROW_COUNT;
    RETURN marked;
END
$$;
COMMENT ON FUNCTION leadguard.mark_read(bigint[]) IS
'Marks notifications of the caller as read, without ids all of them; how many were not yet. Those of others are passed over like those that do not exist. Anyone may call it.';

CREATE FUNCTION leadguard.notification_cleanup(older_than interval)
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint;
    own bigint := leadguard.current_organization();
    free boolean := leadguard.is_unbound();
BEGIN
    IF NOT free AND (own IS NULL OR leadguard.is_analyst() OR leadguard.is_guest() OR NOT leadguard.has_capability('administer')) THEN
        RAISE EXCEPTION 'notification_cleanup refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability administer clean up those of their organization.';
    ELSIF older_than IS NULL OR older_than < interval '1 day' THEN
        RAISE EXCEPTION 'older_than must be one day or more' USING ERRCODE = '22023', HINT = 'For example ''90 days''.';
    END IF;
    DELETE FROM leadguard.notification n
    WHERE n.at < statement_timestamp() - older_than AND (free OR n.org_id = own);
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM leadguard.note_event('notification_cleanup', own, NULL, NULL, NULL, format('%s notifications', gone));
    RETURN gone;
END
$$;
COMMENT ON FUNCTION leadguard.notification_cleanup(interval) IS
'Deletes notifications older than that, read or not; how many. For members with the capability administer (their organization), superusers and the extension''s owner. Errors: 42501; 22023 for less than a day.';

-- Limits of batches: asking, templates, the log.

CREATE FUNCTION leadguard.request_batch(target regclass, operation text, records bigint, justification text,
                                        until timestamptz DEFAULT now() + interval '7 days')
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'request_batch_wrapper';
COMMENT ON FUNCTION leadguard.request_batch(regclass, text, bigint, text, timestamptz) IS
'Asks for an approval to insert, update or reassign (operation) that many records of a table in one transaction; returns its number. Once granted it is used by the next transaction of the requester that goes over the limit, once, until the given time. For members who write, systems too. Errors: 42501 no member, a guest, or a login that only reads; 22023 arguments, and inserts into a table that is prepared for imports: many rows come into it by import_begin only. Batches that archive or delete cannot be approved: they are for data owners.';

CREATE FUNCTION leadguard.set_batch_template(name text, target regclass, operation text, records bigint, role text DEFAULT NULL,
                                             until timestamptz DEFAULT NULL, reason text DEFAULT NULL, match_keys jsonb DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_batch_template_wrapper';
COMMENT ON FUNCTION leadguard.set_batch_template(text, regclass, text, bigint, text, timestamptz, text, jsonb) IS
'Lets batches pass in advance: operation insert, update, reassign or import, up to so many records (NULL: any number) in one transaction, or one import, by members with the role (NULL: everybody of the organization), until the given time (NULL: until it is withdrawn). Of insert not for a table that is prepared for imports. A template of the same name is replaced. Returns its number. For persons with the capability approve, and superusers (42501); 22023 arguments.';

CREATE FUNCTION leadguard.drop_batch_template(name text)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'drop_batch_template_wrapper';
COMMENT ON FUNCTION leadguard.drop_batch_template(text) IS
'Withdraws a template; true when there was one. Who may call and errors: as set_batch_template.';

CREATE FUNCTION leadguard.override_activity(target regclass, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'override_activity_wrapper';
COMMENT ON FUNCTION leadguard.override_activity(regclass, text) IS
'Lets the caller, in the running transaction, archive or delete records of the table as a batch although others changed, claimed or hand them over just now. For persons with the capability approve, and superusers (42501); 22023 without a reason; 25P01 outside a transaction block.';

CREATE VIEW leadguard.batch_templates WITH (security_barrier) AS
    SELECT t.id, t.name, coalesce(p.concealed_by, p.target) AS target, t.operation, t.role, t.records, t.until, t.match_keys, t.reason,
           (SELECT m.key FROM leadguard.member m WHERE m.id = t.made_by) AS made_by, t.made_at, t.withdrawn_at
    FROM leadguard.batch_template t
    JOIN leadguard.protected_table p ON p.target = t.target
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column)
      AND (leadguard.current_member() IS NULL OR t.org_id = leadguard.current_organization());
COMMENT ON VIEW leadguard.batch_templates IS
'The templates of the protected tables whose rules the caller may read, withdrawn ones included.';

-- A function, because a view would read the log with the rights of its owner.
CREATE FUNCTION leadguard.batch_log()
RETURNS TABLE (at timestamptz, transaction xid8, session_role text, member_key text, organization bigint, target regclass, target_name text,
               operation text, records bigint, approval bigint, template bigint, self_approved boolean, fingerprint text, reason text,
               audit_id bigint)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT l.at, l.transaction, l.session_role, l.member_key, l.organization, l.target, l.target_name,
           d.detail ->> 'operation', (d.detail ->> 'records')::bigint, l.approval, (d.detail ->> 'template')::bigint,
           coalesce((d.detail ->> 'self_approved')::boolean, false), d.detail ->> 'fingerprint', l.reason, l.id
    FROM leadguard.audit_log l
    CROSS JOIN LATERAL (SELECT l.detail::jsonb AS detail) d
    WHERE l.action = 'batch'
$$;
COMMENT ON FUNCTION leadguard.batch_log() IS
'Internal: the batches of the audit that the caller may read. Use the view leadguard.batches.';

CREATE VIEW leadguard.batches AS SELECT * FROM leadguard.batch_log();
COMMENT ON VIEW leadguard.batches IS
'One row for each batch: who wrote (or exported) how many rows of a table in one transaction, with which approval or template; self_approved: by a data owner, or when a member left (offboard_last_day). Members with the capability audit read those of their organization, superusers all.';

-- Importing: stage, check, submit, commit.

CREATE FUNCTION leadguard.import_stage()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_import_stage';
COMMENT ON FUNCTION leadguard.import_stage() IS
'Trigger INSTEAD OF INSERT of staging views: puts the row into the open import of the current member. 42501 for a view that leadguard.prepare_imports did not make or without a member, 55000 without an open import.';

CREATE FUNCTION leadguard.import_staged()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_import_staged';
COMMENT ON FUNCTION leadguard.import_staged() IS
'Trigger AFTER INSERT, FOR EACH STATEMENT, of staging views: writes what the statement loaded.';

CREATE FUNCTION leadguard.prepare_imports(target regclass, match_keys jsonb, view text DEFAULT NULL, required text[] DEFAULT '{}',
                                          disqualified text[] DEFAULT '{}')
RETURNS text LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'prepare_imports_wrapper';
COMMENT ON FUNCTION leadguard.prepare_imports(regclass, jsonb, text, text[], text[]) IS
'Lets members import rows into a protected table; returns the name of the staging view. match_keys: {"columns": "normalisation"}, columns separated by commas, normalisations (exact, trim, lower, digits, phone, email) by |. view: name of the view, which is made in the schema of the table, by default <table>_import. required: columns beside those that are NOT NULL. disqualified: values of the status or stage column. Call it again when columns of the table or these rules change. For the table''s owner and superusers, who make the view, and for members with the capability manage_rules whose organization has the table to itself, who change the rules (42501). 22023: arguments; 42710: the name of the view is taken.';

CREATE FUNCTION leadguard.import_begin(target regclass, note text DEFAULT NULL, template text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_begin_wrapper';
COMMENT ON FUNCTION leadguard.import_begin(regclass, text, text) IS
'Opens an import and returns its number: rows that the member loads into the staging view of the table go to it. template: the pre-approved template that shall cover it. For members who may create rows in the table, systems too; no guests. Errors: 42501; 22023 arguments; 55000 the table is not prepared for imports, or the member has an open import for it.';

CREATE FUNCTION leadguard.import_check(import bigint)
RETURNS TABLE (line bigint, field text, problem text, detail text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_check_wrapper';
COMMENT ON FUNCTION leadguard.import_check(bigint) IS
'Looks for what is wrong with the loaded rows and returns it: invalid, missing, not valid (lists of valid values), tag, closed (a column that the member does not write), refused (a row that he may not insert so), duplicate (of another line), exists, exists (archived), exists (disqualified). Existing rows are all of the organization, those too that the caller does not see: who they are is told only for those that he sees, and not for match keys with a column that is masked; keys with a column that is closed to him are compared by the commit only. Every check is audited. For whoever opened the import. Errors: 42501 no such import for the caller; 55000 it is submitted or over, or a statement is loading rows; 40001 others loaded rows since the snapshot of the transaction.';

CREATE FUNCTION leadguard.import_submit(import bigint, justification text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_submit_wrapper';
COMMENT ON FUNCTION leadguard.import_submit(bigint, text) IS
'Freezes a checked import. Where it has more good rows than the member may insert at once (switch batch_insert), no template covers it and the member has not the capability approve himself, it asks for an approval and returns its number; NULL when the import may be committed. For whoever opened it. Errors: 42501 no such import for the caller; 22023 no justification; 55000 not checked, rows that were not checked, no good row, submitted already or over.';

CREATE FUNCTION leadguard.import_commit(import bigint)
RETURNS TABLE (records bigint, inserted bigint, duplicates bigint, invalid bigint, skipped bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_commit_wrapper';
COMMENT ON FUNCTION leadguard.import_commit(bigint) IS
'Inserts the good rows of a submitted import, all or none, as the caller: with the table''s policies, triggers and defaults. Looks for existing rows again; commits of one table wait for each other. Returns how many rows were loaded and inserted, were there already, were bad, and were left out by triggers of the table. For whoever opened the import. Errors: 42501 no such import for the caller, or what the table refuses; LG004 no approval yet; 55000 not submitted, refused, over, or rows that changed since.';

CREATE FUNCTION leadguard.import_cancel(import bigint)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_cancel_wrapper';
COMMENT ON FUNCTION leadguard.import_cancel(bigint) IS
'Ends an import and deletes its rows. For whoever opened it, and persons with the capability approve of his organization. Errors: 42501 no such import for the caller; 55000 it is over.';

CREATE FUNCTION leadguard.import_cleanup(older_than interval DEFAULT '30 days')
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_cleanup_wrapper';
COMMENT ON FUNCTION leadguard.import_cleanup(interval) IS
'Cancels imports that were begun before that and are not over, with their rows; how many. Leaves out what somebody is working on. For members with the capability administer or approve, in their organization, and superusers, in all (42501). 22023: NULL, or negative.';

CREATE FUNCTION leadguard.reads_import(org_id bigint, member_id bigint, state text)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS $$
    SELECT NOT leadguard.is_analyst() AND NOT leadguard.is_guest() AND reads_import.org_id = leadguard.current_organization()
        AND (reads_import.member_id = leadguard.current_member()
             OR (leadguard.has_capability('approve') AND reads_import.state NOT IN ('open', 'checked')))
$$;
COMMENT ON FUNCTION leadguard.reads_import(bigint, bigint, text) IS
'Internal: whether the current member may see an import: his own, or one that was submitted and that he may approve.';

CREATE FUNCTION leadguard.imports()
RETURNS TABLE (import bigint, target regclass, member text, state text, note text, begun_at timestamptz, checked_at timestamptz,
               submitted_at timestamptz, ended_at timestamptz, records bigint, good bigint, inserted bigint, approval bigint,
               template bigint, self_approved boolean, justification text)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.id, coalesce(p.concealed_by, s.target), m.key, s.state, s.note, s.begun_at, s.checked_at, s.submitted_at, s.ended_at,
           CASE WHEN s.state = 'open' THEN (SELECT count(*) FROM leadguard.import_row r WHERE r.import_id = s.id) ELSE s.records END,
           s.good, s.inserted, s.approval, s.template, s.self_approved, s.justification
    FROM leadguard.import_session s
    JOIN leadguard.member m ON m.id = s.member_id
    JOIN leadguard.protected_table p ON p.target = s.target
    WHERE leadguard.reads_import(s.org_id, s.member_id, s.state)
    ORDER BY s.id
$$;
COMMENT ON FUNCTION leadguard.imports() IS
'Imports and how far they are. Members see their own, persons with the capability approve those of their organization that were submitted.';

CREATE FUNCTION leadguard.import_report(import bigint)
RETURNS TABLE (line bigint, field text, problem text, detail text)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF import IS NULL THEN
        RAISE EXCEPTION 'argument "import" must not be NULL' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT p.line, nullif(p.field, ''), p.problem, p.detail
    FROM leadguard.import_session s
    JOIN leadguard.import_problem p ON p.import_id = s.id
    WHERE s.id = import_report.import AND leadguard.reads_import(s.org_id, s.member_id, s.state)
    ORDER BY p.line, p.field, p.problem;
END
$$;
COMMENT ON FUNCTION leadguard.import_report(bigint) IS
'What the checks and the commit of an import found, as import_check returns it; it stays when the import is over. For whoever sees the import in leadguard.imports(); no rows for others. 22023: NULL.';

CREATE FUNCTION leadguard.import_rows(import bigint)
RETURNS TABLE (line bigint, data jsonb)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF import IS NULL THEN
        RAISE EXCEPTION 'argument "import" must not be NULL' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT r.line, r.data
    FROM leadguard.import_session s
    JOIN leadguard.import_row r ON r.import_id = s.id
    WHERE s.id = import_rows.import AND leadguard.reads_import(s.org_id, s.member_id, s.state)
    ORDER BY r.line;
END
$$;
COMMENT ON FUNCTION leadguard.import_rows(bigint) IS
'The rows of an import that is not over, as they were loaded. For whoever sees the import in leadguard.imports(); no rows for others. 22023: NULL.';

-- Routing, and the steps of handoffs. What touches users' tables runs as the caller.

CREATE FUNCTION leadguard.set_assignment_rule(target regclass, name text, "position" integer, condition jsonb, action jsonb)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_assignment_rule_wrapper';
COMMENT ON FUNCTION leadguard.set_assignment_rule(regclass, text, integer, jsonb, jsonb) IS
'Sets a rule by which records get an owner, or replaces the one of this name; returns its number. condition: a list, all of which must hold, of {"column": name, "is" | "is_not" | "in" | "not_in" | "at_least" | "at_most": value, "is_null": boolean}, {"territory": keys}, {"segment": values}; NULL or empty for every record. action: {"owner": key}, {"pool": [key, {"member": key, "capacity": number}]} (in turns) or {"qualifiers": […]} (in turns, for records that are not qualified), each also with "territory": key or "territory_column": name; or one of these alone, for qualified records. For the table''s owner, superusers, and members with the capability manage_rules or assign about their organization. Errors: 42501; 22023 and 42703 for a rule that cannot work, 22P02 and others for a value that the column cannot hold.';

CREATE FUNCTION leadguard.drop_assignment_rule(target regclass, name text)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'drop_assignment_rule_wrapper';
COMMENT ON FUNCTION leadguard.drop_assignment_rule(regclass, text) IS
'Drops a rule and its pool; false when there is none. Who may call and errors: as set_assignment_rule.';

CREATE FUNCTION leadguard.set_routing(target regclass, on_insert boolean)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_routing_wrapper';
COMMENT ON FUNCTION leadguard.set_routing(regclass, boolean) IS
'Whether new rows without an owner are given to somebody by the rules (switch routing). Who may call and errors: as set_switch; 22023: NULL.';

CREATE FUNCTION leadguard.route(target regclass, record text, dry_run boolean DEFAULT false)
RETURNS TABLE (rule text, owner text, territory text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 1
AS 'MODULE_PATHNAME', 'route_wrapper';
COMMENT ON FUNCTION leadguard.route(regclass, text, boolean) IS
'Gives a record to whom the first rule says that concerns it and has somebody for it, and tells which; dry_run: only tells. rule is NULL where none does. Conditions see what the caller sees of the record. For members with the right to reassign the record or the capability assign, and superusers. Errors: 42501 no right, or no such record for the caller; 22023.';

CREATE FUNCTION leadguard.set_handoff_step(target regclass, name text, from_stage text DEFAULT NULL, from_role text DEFAULT NULL,
                                           to_stage text DEFAULT NULL, to_role text DEFAULT NULL, fields jsonb DEFAULT '{}',
                                           notify text[] DEFAULT '{}', needs_acceptance boolean DEFAULT false)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_handoff_step_wrapper';
COMMENT ON FUNCTION leadguard.set_handoff_step(regclass, text, text, text, text, text, jsonb, text[], boolean) IS
'Defines a step by which records are handed over, or replaces the one of this name; returns its number. from_stage: where a record must be; from_role: the role of whoever hands over (NULL: whoever may reassign); to_stage and to_role: where it goes, and the role of the receiver; fields: {"column": constant} that change too; notify: record_team, managers, role:NAME or keys of members, told beside both owners; needs_acceptance: the receiver answers first. Stages are those of the stage column, or of the status column where there is none. Who may call and errors: as set_assignment_rule.';

CREATE FUNCTION leadguard.drop_handoff_step(target regclass, name text)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'drop_handoff_step_wrapper';
COMMENT ON FUNCTION leadguard.drop_handoff_step(regclass, text) IS
'Drops a step; false when there is none. Who may call and errors: as set_assignment_rule.';

CREATE FUNCTION leadguard.handoff(target regclass, record text, step text, to_member text, reason text DEFAULT NULL,
                                  dry_run boolean DEFAULT false)
RETURNS TABLE (what text, name text, before text, after text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'handoff_wrapper';
COMMENT ON FUNCTION leadguard.handoff(regclass, text, text, text, text, boolean) IS
'Hands a record over to a member (key) by a step, or offers it where the step needs acceptance; tells which fields change (what = field) and who hears of it (what = notify: name is the member, after the kind). It is one UPDATE with the caller''s table privileges: field rules, transitions and triggers apply; the record keeps its key and history. dry_run: all of it is done and taken back. For members who have the step''s role and may update the record, or may reassign it, or have the capability assign. Errors: 42501 no right, wrong role, or no such record for the caller; 22023 arguments; 55000 the record is not in the stage where the step begins, the receiver has not the step''s role, or another handoff waits.';

CREATE FUNCTION leadguard.accept_handoff(id bigint)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'accept_handoff_wrapper';
COMMENT ON FUNCTION leadguard.accept_handoff(bigint) IS
'Takes over a record that was offered; the receiver makes the change, so that field rules and transitions hold for his roles. Errors: 42501 not the receiver, or no such handoff for the caller; 55000 answered already, the record changed since, or who offered it may not hand it over any more.';

CREATE FUNCTION leadguard.refuse_handoff(id bigint, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'refuse_handoff_wrapper';
COMMENT ON FUNCTION leadguard.refuse_handoff(bigint, text) IS
'Refuses an offered record (the receiver), or withdraws the offer (who made it, the owner, persons with the capability approve); the record stays as it is. Errors: 42501 no such handoff for the caller; 22023 without a reason; 55000 answered already.';

CREATE VIEW leadguard.assignment_rules WITH (security_barrier) AS
SELECT r.target, r.position, r.name, r.condition, r.kind, o.key AS owner, t.key AS territory, r.territory_column,
       (SELECT array_agg(m.key || coalesce(' (' || p.capacity || ')', '') ORDER BY p.position)
        FROM leadguard.assignment_pool p JOIN leadguard.member m ON m.id = p.member_id WHERE p.rule_id = r.id) AS pool,
       (SELECT array_agg(p.assigned ORDER BY p.position) FROM leadguard.assignment_pool p WHERE p.rule_id = r.id) AS assigned
FROM leadguard.assignment_rule r
LEFT JOIN leadguard.member o ON o.id = r.owner_id
LEFT JOIN leadguard.territory t ON t.id = r.territory_id
WHERE (r.org_id = (SELECT leadguard.current_organization())
       AND ((SELECT leadguard.has_capability('manage_rules')) OR (SELECT leadguard.has_capability('assign'))))
   OR (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = r.target)
ORDER BY r.target, r.position, r.name;
COMMENT ON VIEW leadguard.assignment_rules IS
'The rules by which records get an owner, in their order: condition, and who or what they give; assigned: how many each of the pool got. For members with the capability manage_rules or assign (their organization), table owners and superusers.';

-- Claims and disputes, and who works on records beside their owners.

CREATE FUNCTION leadguard.put_claim(target regclass, record text, organization bigint, claimant bigint, reason text)
RETURNS TABLE (claim bigint, dispute bigint, opened boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found_dispute bigint;
    other bigint;
BEGIN
    LOOP
        opened := false;
        IF EXISTS (SELECT FROM leadguard.claim c WHERE c.target = put_claim.target AND c.record = put_claim.record
                                                   AND c.member_id = claimant AND c.state <> 'closed') THEN
            RETURN;
        END IF;
        -- A dispute that is open takes the claim in; while this holds its row, nobody closes it.
        SELECT d.id INTO found_dispute FROM leadguard.dispute d
        WHERE d.target = put_claim.target AND d.record = put_claim.record AND d.closed_at IS NULL FOR UPDATE;
        IF found_dispute IS NULL THEN
            -- Of two sessions that come to an unclaimed record at once, the second waits here for the first.
            INSERT INTO leadguard.claim (org_id, target, record, member_id, reason)
            VALUES (organization, put_claim.target, put_claim.record, claimant, put_claim.reason)
            ON CONFLICT (target, record) WHERE state = 'open' DO NOTHING
            RETURNING id INTO claim;
            IF claim IS NOT NULL THEN
                -- Whoever was waited for may have opened a dispute with the claim that was there.
                SELECT d.id INTO found_dispute FROM leadguard.dispute d
                WHERE d.target = put_claim.target AND d.record = put_claim.record AND d.closed_at IS NULL FOR UPDATE;
                IF found_dispute IS NOT NULL THEN
                    UPDATE leadguard.claim c SET state = 'disputed', dispute_id = found_dispute WHERE c.id = claim;
                END IF;
                dispute := found_dispute;
                RETURN NEXT;
                RETURN;
            END IF;
            SELECT c.id INTO other FROM leadguard.claim c
            WHERE c.target = put_claim.target AND c.record = put_claim.record AND c.state = 'open' FOR UPDATE;
            -- It was closed, or a dispute opened, meanwhile.
            CONTINUE WHEN other IS NULL;
            INSERT INTO leadguard.dispute (org_id, target, record) VALUES (organization, put_claim.target, put_claim.record)
            ON CONFLICT (target, record) WHERE closed_at IS NULL DO NOTHING
            RETURNING id INTO found_dispute;
            CONTINUE WHEN found_dispute IS NULL;
            opened := true;
            UPDATE leadguard.claim c SET state = 'disputed', dispute_id = found_dispute WHERE c.id = other;
        END IF;
        dispute := found_dispute;
        INSERT INTO leadguard.claim (org_id, target, record, member_id, reason, state, dispute_id)
        VALUES (organization, put_claim.target, put_claim.record, claimant, put_claim.reason, 'disputed', found_dispute)
        RETURNING id INTO claim;
        RETURN NEXT;
        RETURN;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.put_claim(regclass, text, bigint, bigint, text) IS
'Internal: stores a claim, and opens or joins the dispute that it makes; no row where the member claims the record already.';

CREATE FUNCTION leadguard.end_dispute(dispute bigint, closer bigint, winner bigint, reason text)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE leadguard.dispute d
    SET closed_at = clock_timestamp(), closed_by = closer, winner = end_dispute.winner, reason = end_dispute.reason
    WHERE d.id = dispute;
    UPDATE leadguard.claim c SET state = 'closed', closed_at = clock_timestamp()
    WHERE c.dispute_id = dispute AND c.state = 'disputed' AND c.member_id IS DISTINCT FROM end_dispute.winner;
    UPDATE leadguard.claim c SET state = 'open'
    WHERE c.dispute_id = dispute AND c.state = 'disputed' AND c.member_id = end_dispute.winner;
END
$$;
COMMENT ON FUNCTION leadguard.end_dispute(bigint, bigint, bigint, text) IS
'Internal: closes a dispute; the claim of the winner stays open, the others are closed.';

CREATE FUNCTION leadguard.claim(target regclass, record text, reason text)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'claim_wrapper';
COMMENT ON FUNCTION leadguard.claim(regclass, text, text) IS
'Claims a record; returns the number of the claim. A claim of another member beside it opens a dispute, or joins the one that is open. Owner and claimants are told. For members, no guests, who may update the record, or read it where the switch claims says so. Errors: 42501 no right, or no such record for the caller; 22023 without a reason; 23505 claimed by the caller already; 55000 archived.';

CREATE FUNCTION leadguard.release(claim bigint)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'release_wrapper';
COMMENT ON FUNCTION leadguard.release(bigint) IS
'Ends a claim; a dispute that it is part of stays until it is closed. For who made it; claims in no dispute also for persons with the capability approve of the organization, and who made it is told. Errors: 42501 no such claim for the caller; 22023; 55000 closed already, or in a dispute that close_dispute decides.';

CREATE FUNCTION leadguard.close_dispute(id bigint, winner text, reason text, reassign boolean DEFAULT true)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'close_dispute_wrapper';
COMMENT ON FUNCTION leadguard.close_dispute(bigint, text, text, boolean) IS
'Decides a dispute for one of the claimants (key), or for none (NULL), once; the winner becomes the owner unless reassign is false. For persons with the capability approve of the organization who claim nothing in it; to reassign they need the right on the record. Errors: 42501 no right, own dispute, or no such dispute for the caller; 22023; 55000 closed already.';

CREATE FUNCTION leadguard.worked_on(target regclass, record text, days integer DEFAULT 30)
RETURNS TABLE (member text, what text, times bigint, last_at timestamptz, owner boolean)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'worked_on_wrapper';
COMMENT ON FUNCTION leadguard.worked_on(regclass, text, integer) IS
'Who worked on a record in the last days: changed it (what the audit has: rows that change owner, territory or a field with rules, archiving), claims it, was offered it, or noted something; and whether that is its owner. For whoever reads the record; no rows for others. Errors: 42501 no identity, 22023.';

CREATE FUNCTION leadguard.ghost_leads(target regclass, days integer DEFAULT 30)
RETURNS TABLE (record text, owner text, members text[], last_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'ghost_leads_wrapper';
COMMENT ON FUNCTION leadguard.ghost_leads(regclass, integer) IS
'Records that the caller reads and on which others than the owner worked in the last days, as worked_on says, and all that have no owner; archived ones do not count. Errors: 42501 no identity, 22023.';

-- Who manages members, and job functions: the role that goes with what somebody is.

ALTER TABLE leadguard.job_function ALTER COLUMN org_id SET DEFAULT coalesce(leadguard.current_organization(), 1);

CREATE FUNCTION leadguard.managed_member(operation text, member text)
RETURNS leadguard.member LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found leadguard.member;
BEGIN
    IF NOT leadguard.is_unbound()
        AND (leadguard.is_guest() OR NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_members'))) THEN
        RAISE EXCEPTION '% refused', operation
            USING ERRCODE = '42501', HINT = 'Members with the capability administer or manage_members can.';
    END IF;
    SELECT m.* INTO found FROM leadguard.member m
    WHERE m.key = managed_member.member AND (m.org_id = leadguard.current_organization() OR leadguard.is_unbound());
    IF found.id IS NULL THEN
        RAISE EXCEPTION 'there is no member %', quote_nullable(member)
            USING ERRCODE = '22023', HINT = 'Members are named by their keys; leadguard.member lists those of your organization.';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION leadguard.managed_member(text, text) IS
'Internal: the member with this key, for callers with the capability administer or manage_members in its organization, and superusers; 42501, 22023.';

-- Job functions.
CREATE FUNCTION leadguard.resolve_job_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In a merger the roles of the organization follow.
    IF TG_OP = 'UPDATE' AND new.role = old.role
        AND EXISTS (SELECT FROM leadguard.organization s WHERE s.id = old.org_id AND s.merged_into = new.org_id) THEN
        RETURN new;
    END IF;
    SELECT r.id INTO new.role_id FROM leadguard.role r
    WHERE r.name = new.role AND r.name <> 'system' AND (r.org_id IS NULL OR r.org_id = new.org_id)
    ORDER BY r.org_id NULLS LAST LIMIT 1;
    IF new.role_id IS NULL THEN
        RAISE EXCEPTION 'there is no role "%" for persons', new.role
            USING ERRCODE = '23503', HINT = 'Roles are those shipped and those of the organization, see leadguard.role.';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.resolve_job_function() IS 'Trigger BEFORE ROW of job_function: finds the role by its name, else 23503.';
CREATE TRIGGER directory_30_resolve BEFORE INSERT OR UPDATE ON leadguard.job_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.resolve_job_function();

CREATE FUNCTION leadguard.resolve_member_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT m.org_id INTO new.org_id FROM leadguard.member m
    WHERE m.id = new.member_id AND (leadguard.current_member() IS NULL OR m.org_id = leadguard.current_organization());
    IF new.org_id IS NULL THEN
        RAISE EXCEPTION 'there is no member % in your organization', new.member_id
            USING ERRCODE = '23503', HINT = 'leadguard.member lists the members with their ids.';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.resolve_member_function() IS 'Trigger BEFORE ROW of member_function: fills the organization of the member, 23503 for one of another.';
CREATE TRIGGER directory_30_resolve BEFORE INSERT OR UPDATE OF member_id ON leadguard.member_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.resolve_member_function();

-- Who manages members gives job functions to those who are not above him, and none to himself.
CREATE FUNCTION leadguard.limit_member_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    follows boolean;
    item bigint;
BEGIN
    IF leadguard.current_member() IS NULL OR leadguard.has_capability('administer') THEN
        RETURN coalesce(new, old);
    END IF;
    -- A job function that was renamed or dropped, or a member who was deleted, takes this along.
    follows := TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR (new.member_id = old.member_id AND new.org_id = old.org_id))
        AND NOT EXISTS (SELECT FROM leadguard.job_function j JOIN leadguard.member m ON m.id = old.member_id
                        WHERE j.org_id = old.org_id AND j.name = old.job_function);
    FOREACH item IN ARRAY ARRAY[CASE WHEN TG_OP <> 'INSERT' THEN old.member_id END, CASE WHEN TG_OP <> 'DELETE' THEN new.member_id END] LOOP
        IF NOT follows AND (item = leadguard.current_member() OR leadguard.outranks_me(item)) THEN
            RAISE EXCEPTION 'the job function of oneself and of members of a higher rank is not yours to change'
                USING ERRCODE = '42501', HINT = 'A member with the capability administer can.';
        END IF;
    END LOOP;
    RETURN coalesce(new, old);
END
$$;
COMMENT ON FUNCTION leadguard.limit_member_function() IS
'Trigger BEFORE ROW of member_function: 42501 for who changes it for himself, or for a member of a higher rank, without the capability administer.';
CREATE TRIGGER directory_20_limit BEFORE INSERT OR UPDATE OR DELETE ON leadguard.member_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.limit_member_function();

CREATE FUNCTION leadguard.note_job_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item jsonb := CASE TG_OP WHEN 'DELETE' THEN to_jsonb(old) ELSE to_jsonb(new) END;
    verb text := CASE TG_OP WHEN 'DELETE' THEN 'taken' WHEN 'INSERT' THEN 'given' ELSE 'changed' END;
BEGIN
    IF leadguard.is_restore() THEN
        RETURN NULL;
    END IF;
    PERFORM leadguard.note_event('job_function', (item ->> 'org_id')::bigint, NULL, NULL, NULL, CASE TG_TABLE_NAME
        WHEN 'job_function' THEN format('job function %s: role %s %s', item ->> 'name', item ->> 'role', verb)
        ELSE format('member %s: job function %s %s',
                    coalesce((SELECT m.key FROM leadguard.member m WHERE m.id = (item ->> 'member_id')::bigint), 'deleted'),
                    item ->> 'job_function', verb) END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.note_job_function() IS
'Trigger AFTER ROW of job_function and member_function: the audit, action job_function.';
CREATE TRIGGER directory_80_note AFTER INSERT OR UPDATE OR DELETE ON leadguard.job_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.note_job_function();
CREATE TRIGGER directory_80_note AFTER INSERT OR UPDATE OR DELETE ON leadguard.member_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.note_job_function();

CREATE FUNCTION leadguard.forget_job_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM leadguard.member_function f WHERE f.member_id = new.id AND f.org_id <> new.org_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.forget_job_function() IS
'Trigger AFTER ROW of member: who moves to another organization leaves the job function behind; in a merger it has moved before.';
CREATE TRIGGER directory_80_job AFTER UPDATE OF org_id ON leadguard.member
    FOR EACH ROW WHEN (new.org_id <> old.org_id) EXECUTE FUNCTION leadguard.forget_job_function();

CREATE FUNCTION leadguard.job_deviations()
RETURNS TABLE (member text, job_function text, expected text, roles text[], beyond text[])
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_unbound()
        AND (leadguard.is_guest() OR NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_members'))) THEN
        RAISE EXCEPTION 'job_deviations refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability administer or manage_members compare roles with job functions.';
    END IF;
    RETURN QUERY
    SELECT m.key, f.job_function, j.role, held.roles, array_remove(held.roles, j.role)
    FROM leadguard.member_function f
    JOIN leadguard.member m ON m.id = f.member_id AND m.active
    JOIN leadguard.job_function j ON j.org_id = f.org_id AND j.name = f.job_function
    CROSS JOIN LATERAL (SELECT coalesce(array_agg(mr.role ORDER BY mr.role), '{}') AS roles
                        FROM leadguard.member_role mr WHERE mr.member_id = m.id) held
    WHERE held.roles <> ARRAY[j.role] AND (leadguard.is_unbound() OR m.org_id = leadguard.current_organization())
    ORDER BY m.key;
END
$$;
COMMENT ON FUNCTION leadguard.job_deviations() IS
'Active members whose roles are not exactly that of their job function; beyond: roles that the function does not give. For members with the capability administer or manage_members about their organization, and superusers (42501).';

-- Roles that are given and taken: who hears of it, and how many administrators there are.

-- Who is told about roles, and what the audit says. What a restore brings happened long ago.
CREATE FUNCTION leadguard.tell_of_roles(kind text, members bigint[], roles text[])
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_crowd boolean := coalesce(cardinality(members), 0) > 1000;
    item record;
BEGIN
    FOR item IN
        SELECT m.org_id, count(*) AS members
        FROM unnest(members) u (id) JOIN leadguard.member m ON m.id = u.id WHERE is_crowd GROUP BY 1
    LOOP
        PERFORM leadguard.note_event(kind, item.org_id, NULL, NULL, NULL, format('%s roles', item.members));
    END LOOP;
    -- Of many, those that a review asks for by name.
    FOR item IN
        SELECT m.id, m.key, m.org_id, u.role, a.administers
        FROM unnest(members, roles) u (id, role) JOIN leadguard.member m ON m.id = u.id
        CROSS JOIN LATERAL (SELECT EXISTS (
            SELECT FROM leadguard.role r
            WHERE r.name = u.role AND (r.org_id IS NULL OR r.org_id = m.org_id) AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)) AS administers) a
        WHERE NOT is_crowd OR a.administers
        ORDER BY m.id, u.role
    LOOP
        PERFORM leadguard.note_event(kind, item.org_id, NULL, NULL, NULL, format('member %s, role %s', item.key, item.role));
        -- The role may be an ordinary one, or gone, by the time of the review.
        IF item.administers AND kind = 'role_given' THEN
            PERFORM leadguard.note_event('admin_made', item.org_id, NULL, NULL, NULL, format('member %s, role %s', item.key, item.role));
        END IF;
        PERFORM leadguard.tell(item.id, kind, NULL, NULL, jsonb_build_object('role', item.role));
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.tell_of_roles(text, bigint[], text[]) IS
'Internal: tells members of roles given or taken, and writes the audit; of more than 1,000 at once how many, and the administrative ones. Whom it makes an administrator is also there as admin_made.';

CREATE FUNCTION leadguard.follow_roles()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF leadguard.is_restore() THEN
        RETURN NULL;
    END IF;
    -- Each operation has its own transition tables; an UPDATE may take a role from one member and give it to another.
    IF TG_OP = 'DELETE' THEN
        PERFORM leadguard.tell_of_roles('role_taken', array_agg(o.member_id), array_agg(o.role)) FROM old_rows o;
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        PERFORM leadguard.tell_of_roles('role_taken', array_agg(g.member_id), array_agg(g.role))
        FROM (SELECT o.member_id, o.role FROM old_rows o EXCEPT SELECT n.member_id, n.role FROM new_rows n) g;
        PERFORM leadguard.tell_of_roles('role_given', array_agg(g.member_id), array_agg(g.role))
        FROM (SELECT n.member_id, n.role FROM new_rows n EXCEPT SELECT o.member_id, o.role FROM old_rows o) g;
    ELSE
        PERFORM leadguard.tell_of_roles('role_given', array_agg(n.member_id), array_agg(n.role)) FROM new_rows n;
    END IF;
    PERFORM leadguard.count_admins(c.org_id) FROM (
        SELECT DISTINCT m.org_id FROM new_rows n JOIN leadguard.member m ON m.id = n.member_id
        JOIN leadguard.role r ON r.id = n.role_id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)) c;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_roles() IS
'Trigger AFTER STATEMENT of member_role: tells the members concerned, writes the audit, and looks at the number of administrators (organization.third_admin: a warning, or 23514).';

CREATE FUNCTION leadguard.administrators(org bigint)
RETURNS TABLE (id bigint, key text, role text, place bigint)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- First the first holder of each role, because a role must not lose its last one.
    SELECT h.id, h.key, h.role, dense_rank() OVER (ORDER BY h.first, h.id)
    FROM (SELECT n.id, n.key, n.role, min(n.number) OVER (PARTITION BY n.id) AS first
          FROM (SELECT m.id, m.key, mr.role, row_number() OVER (PARTITION BY mr.role ORDER BY m.id) AS number
                FROM leadguard.member m
                JOIN leadguard.member_role mr ON mr.member_id = m.id
                JOIN leadguard.role r ON r.id = mr.role_id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)
                WHERE m.org_id = $1 AND m.active) n) h
$$;
COMMENT ON FUNCTION leadguard.administrators(bigint) IS
'Internal: active members with a role of rank 90 or more and the capability administer, in the order in which they had better keep it.';

CREATE FUNCTION leadguard.count_admins(organization bigint)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    admins bigint;
    setting record;
BEGIN
    SELECT o.key, o.third_admin INTO setting FROM leadguard.organization o WHERE o.id = count_admins.organization;
    SELECT count(DISTINCT a.id) INTO admins FROM leadguard.administrators(count_admins.organization) a;
    IF admins <= 2 OR setting.third_admin = 'allow' THEN
        RETURN;
    END IF;
    IF setting.third_admin = 'refuse' THEN
        RAISE EXCEPTION 'organization "%" would have % administrators', setting.key, admins
            USING ERRCODE = '23514', DETAIL = 'leadguard.organization.third_admin is refuse: one or two people hold such a role.',
                  HINT = 'Take the role from somebody first.';
    END IF;
    RAISE WARNING 'organization "%" has % administrators', setting.key, admins
        USING HINT = 'One or two people are enough. leadguard.organization.third_admin: warn, refuse or allow.';
END
$$;
COMMENT ON FUNCTION leadguard.count_admins(bigint) IS
'Internal: warns of, or refuses (23514), a third active holder of a role of rank 90 or more with the capability administer, as organization.third_admin says.';

CREATE FUNCTION leadguard.follow_admins()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF leadguard.is_restore() THEN
        RETURN NULL;
    END IF;
    IF TG_TABLE_NAME = 'member' THEN
        PERFORM leadguard.count_admins(new.org_id)
        WHERE EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
                      WHERE mr.member_id = new.id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities));
    ELSE
        PERFORM leadguard.count_admins(c.org_id) FROM (
            SELECT DISTINCT m.org_id FROM leadguard.member_role mr JOIN leadguard.member m ON m.id = mr.member_id AND m.active
            WHERE mr.role_id = new.id) c;
        -- Nobody gave them the role, so that no other row names them; also those who are inactive, who may come back.
        PERFORM leadguard.note_event('admin_made', m.org_id, NULL, NULL, NULL, format('member %s, role %s', m.key, new.name))
        FROM leadguard.member_role mr JOIN leadguard.member m ON m.id = mr.member_id
        WHERE mr.role_id = new.id
        ORDER BY m.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_admins() IS
'Trigger AFTER ROW of member and role: looks at the number of administrators when a member becomes active or comes, or a role becomes that of one (organization.third_admin: a warning, or 23514); then writes into the audit who holds it (action admin_made).';
CREATE TRIGGER directory_80_admins AFTER UPDATE OF active, org_id ON leadguard.member
    FOR EACH ROW WHEN (new.active AND (NOT old.active OR new.org_id <> old.org_id)) EXECUTE FUNCTION leadguard.follow_admins();
CREATE TRIGGER directory_80_admins AFTER UPDATE OF rank, capabilities ON leadguard.role
    FOR EACH ROW WHEN (new.rank >= 90 AND 'administer' = ANY (new.capabilities)
                       AND NOT (old.rank >= 90 AND 'administer' = ANY (old.capabilities))) EXECUTE FUNCTION leadguard.follow_admins();

CREATE TRIGGER directory_80_insert AFTER INSERT ON leadguard.member_role REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_roles();
CREATE TRIGGER directory_80_delete AFTER DELETE ON leadguard.member_role REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_roles();
CREATE TRIGGER directory_80_update AFTER UPDATE ON leadguard.member_role REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_roles();

-- People who join: what somebody is and reaches, and making a member.

-- What somebody is and has, without what it gives in which table.
CREATE FUNCTION leadguard.member_card(member text)
RETURNS TABLE (step text, detail text, done boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m leadguard.member;
BEGIN
    SELECT own.* INTO m FROM leadguard.member own WHERE own.key = member_card.member AND own.id = leadguard.current_member();
    IF m.id IS NULL THEN
        m := leadguard.managed_member('checklist', member);
    END IF;
    RETURN QUERY SELECT 'active', m.kind, m.active;
    RETURN QUERY SELECT 'login', CASE
            WHEN m.db_role IS NULL THEN 'no login role; an application may act for the member'
            WHEN m.id = leadguard.current_member() OR leadguard.is_unbound() OR leadguard.has_capability('administer') THEN m.db_role::text
            ELSE 'registered' END, m.db_role IS NOT NULL;
    RETURN QUERY SELECT 'roles', coalesce(string_agg(mr.role, ', ' ORDER BY mr.role), 'none'), count(*) > 0
        FROM leadguard.member_role mr WHERE mr.member_id = m.id;
    -- A guest is told of nobody and nothing else.
    IF leadguard.is_guest() THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT 'manager', coalesce(b.key, 'none'), b.active IS TRUE
        FROM (VALUES (1)) one LEFT JOIN leadguard.member b ON b.id = m.manager_id;
    RETURN QUERY SELECT 'job function', coalesce(f.job_function, 'none'), f.job_function IS NOT NULL
        FROM (VALUES (1)) one LEFT JOIN leadguard.member_function f ON f.member_id = m.id;
    RETURN QUERY SELECT 'role of the job function',
            CASE WHEN held.roles = ARRAY[j.role] THEN j.role ELSE format('%s, but has %s', j.role, coalesce(nullif(array_to_string(held.roles, ', '), ''), 'none')) END,
            held.roles = ARRAY[j.role]
        FROM leadguard.member_function f
        JOIN leadguard.job_function j ON j.org_id = f.org_id AND j.name = f.job_function
        CROSS JOIN LATERAL (SELECT array_agg(mr.role ORDER BY mr.role) AS roles FROM leadguard.member_role mr WHERE mr.member_id = m.id) held
        WHERE f.member_id = m.id;
    RETURN QUERY SELECT 'teams', coalesce(string_agg(format('%s (%s)', t.key, tm.role), ', ' ORDER BY t.key), 'none'), count(*) > 0
        FROM leadguard.team_member tm JOIN leadguard.team t ON t.id = tm.team_id WHERE tm.member_id = m.id;
    RETURN QUERY SELECT 'territories', coalesce(string_agg(t.key, ', ' ORDER BY t.key), 'none'), count(*) > 0
        FROM leadguard.territory t
        WHERE t.owner_id = m.id OR EXISTS (SELECT FROM leadguard.territory_member tm WHERE tm.territory_id = t.id AND tm.member_id = m.id);
    RETURN QUERY SELECT 'leaves', format('%s, last day %s', o.state, o.last_day), false
        FROM leadguard.offboarding o WHERE o.member_id = m.id AND o.state IN ('planned', 'leaving');
END
$$;
COMMENT ON FUNCTION leadguard.member_card(text) IS
'What a member is and has: active, login, manager, job function, roles, teams, territories; done: whether there is one. About oneself; for members with the capability administer or manage_members about those of their organization; superusers. 42501, 22023.';

CREATE FUNCTION leadguard.member_rights_in(member text, target regclass)
RETURNS TABLE (target_table regclass, path text, read text, update text, archive text, share text, reassign text, "create" text, hidden text)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 5
AS 'MODULE_PATHNAME', 'member_rights_in_wrapper';
COMMENT ON FUNCTION leadguard.member_rights_in(text, regclass) IS
'leadguard.member_rights for one table. Who may ask and errors: as member_rights; 22023 for a table that is not protected.';

CREATE FUNCTION leadguard.rights_in_words(member text)
RETURNS TABLE (target regclass, gives text[])
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 5 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF leadguard.may_ask_about(rights_in_words.member) IS NOT TRUE THEN
        -- The answer to those who may not ask.
        PERFORM leadguard.member_rights(rights_in_words.member);
    END IF;
    FOR target IN SELECT p.target FROM leadguard.protected p ORDER BY p.target::text LOOP
        BEGIN
            SELECT array_agg(DISTINCT v.action || CASE WHEN v.action = 'create' THEN '' ELSE ' (' || r.path || ')' END
                               || CASE WHEN v.value = 'yes' THEN '' ELSE ': ' || v.value END)
            INTO gives
            FROM leadguard.member_rights_in(rights_in_words.member, target) r
            CROSS JOIN LATERAL (VALUES ('read', r.read), ('update', r.update), ('archive', r.archive), ('share', r.share),
                                       ('reassign', r.reassign), ('create', r.create)) v (action, value)
            WHERE v.value IS NOT NULL AND v.value NOT IN ('no', '');
        EXCEPTION WHEN OTHERS THEN
            -- Somebody broke this table, which is no matter of the others.
            gives := '{not measured}';
        END;
        IF gives IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.rights_in_words(text) IS
'What a member may do in each protected table, from leadguard.member_rights: one text for each right and path, or "not measured" for a table whose protection is broken. Who may ask and errors: as member_rights.';

CREATE FUNCTION leadguard.may_ask_about(member text)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT leadguard.is_unbound()
        OR EXISTS (SELECT FROM leadguard.member m
                   WHERE m.key = may_ask_about.member AND m.org_id = leadguard.current_organization()
                     AND (leadguard.has_capability('administer')
                          OR EXISTS (SELECT FROM leadguard.member_closure c
                                     WHERE c.ancestor_id = leadguard.current_member() AND c.descendant_id = m.id)))
$$;
COMMENT ON FUNCTION leadguard.may_ask_about(text) IS
'Whether the current member may ask what another one may do (administrators, those above, the member). Anyone may call it.';

CREATE FUNCTION leadguard.checklist(member text)
RETURNS TABLE (step text, detail text, done boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT c.step, c.detail, c.done FROM leadguard.member_card(checklist.member) c;
    IF leadguard.may_ask_about(member) THEN
        RETURN QUERY
        SELECT 'reaches ' || p.target::text, coalesce(array_to_string(r.gives, ', '), 'nothing'), r.gives IS NOT NULL
        FROM leadguard.protected p
        LEFT JOIN leadguard.rights_in_words(checklist.member) r ON r.target = p.target
        ORDER BY p.target::text;
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.checklist(text) IS
'Whether a member can reach what he needs: leadguard.member_card, and what he may do in each protected table that the caller may read (for callers who may ask about him). Who may call and errors: as member_card.';

-- Joining. Everything is written as the caller, within what he may give.
CREATE FUNCTION leadguard.onboard(key text, name text, email text, manager text DEFAULT NULL, job_function text DEFAULT NULL,
                                  teams text[] DEFAULT '{}', territories text[] DEFAULT '{}', db_role text DEFAULT NULL,
                                  dry_run boolean DEFAULT false)
RETURNS TABLE (step text, detail text, done boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    org bigint := coalesce(leadguard.current_organization(), 1);
    made bigint;
    boss bigint;
    given text;
    missing text;
    steps text[] := '{}';
BEGIN
    IF dry_run IS NULL THEN
        RAISE EXCEPTION 'argument "dry_run" must not be NULL' USING ERRCODE = '22023';
    ELSIF coalesce(btrim(onboard.key), '') = '' THEN
        RAISE EXCEPTION 'the key is missing' USING ERRCODE = '22023', HINT = 'The key is how everything names the member: key => ''nina''.';
    END IF;
    IF onboard.manager IS NOT NULL THEN
        SELECT m.id INTO boss FROM leadguard.member m WHERE m.key = onboard.manager AND m.org_id = org;
        IF boss IS NULL THEN
            RAISE EXCEPTION 'there is no member "%"', onboard.manager
                USING ERRCODE = '22023', HINT = 'Members are named by their keys; leadguard.member lists those of your organization.';
        END IF;
    END IF;
    IF onboard.job_function IS NOT NULL THEN
        given := leadguard.role_of_function(onboard.job_function);
        IF given IS NULL THEN
            RAISE EXCEPTION 'there is no job function "%"', onboard.job_function
                USING ERRCODE = '22023', HINT = 'Job functions and their roles are in leadguard.job_function.';
        END IF;
    END IF;
    SELECT string_agg(quote_nullable(u.key), ', ') INTO missing FROM unnest(onboard.teams) u (key)
    WHERE NOT EXISTS (SELECT FROM leadguard.team t WHERE t.key = u.key AND t.org_id = org);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no team %', missing
            USING ERRCODE = '22023', HINT = 'Teams are named by their keys; leadguard.team lists them.';
    END IF;
    SELECT string_agg(quote_nullable(u.key), ', ') INTO missing FROM unnest(onboard.territories) u (key)
    WHERE NOT EXISTS (SELECT FROM leadguard.territory t WHERE t.key = u.key AND t.org_id = org);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no territory %', missing
            USING ERRCODE = '22023', HINT = 'Territories are named by their keys; leadguard.territory lists them.';
    END IF;

    BEGIN
        INSERT INTO leadguard.member (org_id, key, name, email, manager_id, db_role)
        VALUES (org, onboard.key, coalesce(onboard.name, ''), onboard.email, boss, onboard.db_role::name)
        RETURNING id INTO made;
        steps := steps || format('member %s', onboard.key);
        IF given IS NOT NULL THEN
            IF leadguard.is_guest_member(made) THEN
                RAISE EXCEPTION 'the domain of the e-mail makes "%" a guest, who has no job function', onboard.key
                    USING ERRCODE = '22023', HINT = 'Leave the job function out, or change the rule in leadguard.domain_rule.';
            END IF;
            INSERT INTO leadguard.member_role (member_id, role) VALUES (made, given);
            INSERT INTO leadguard.member_function (member_id, job_function) VALUES (made, onboard.job_function);
            steps := steps || format('role %s of the job function %s', given, onboard.job_function);
        END IF;
        -- The role that the domain of the e-mail gives to somebody who has none is due at the end of the transaction; the
        -- checklist wants to know it now.
        SET CONSTRAINTS leadguard.directory_70_domain_role IMMEDIATE;
        SET CONSTRAINTS leadguard.directory_70_domain_role DEFERRED;
        -- Not every caller may write these: only where something is to be written.
        IF cardinality(onboard.teams) > 0 THEN
            INSERT INTO leadguard.team_member (team_id, member_id)
            SELECT t.id, made FROM leadguard.team t WHERE t.key = ANY (onboard.teams) AND t.org_id = org;
            steps := steps || (SELECT array_agg(format('member of team %s', u.key)) FROM unnest(onboard.teams) u (key));
        END IF;
        IF cardinality(onboard.territories) > 0 THEN
            INSERT INTO leadguard.territory_member (territory_id, member_id)
            SELECT t.id, made FROM leadguard.territory t WHERE t.key = ANY (onboard.territories) AND t.org_id = org;
            steps := steps || (SELECT array_agg(format('member of territory %s', u.key)) FROM unnest(onboard.territories) u (key));
        END IF;
        PERFORM leadguard.note_onboarding(made);

        FOR step, detail, done IN
            SELECT 'made', u.what, true FROM unnest(steps) u (what)
            UNION ALL SELECT c.step, c.detail, c.done FROM leadguard.checklist(onboard.key) c
        LOOP
            RETURN NEXT;
        END LOOP;
        IF onboard.dry_run THEN
            RAISE EXCEPTION 'only tried' USING ERRCODE = 'LG000';
        END IF;
    EXCEPTION WHEN SQLSTATE 'LG000' THEN
        NULL;
    END;
END
$$;
COMMENT ON FUNCTION leadguard.onboard(text, text, text, text, text, text[], text[], text, boolean) IS
'Makes a member: kind and role by the rules about e-mail domains, or the role of the job function; below the manager (key); in teams as member and in territories (keys); with a login role. Returns what was made and the checklist. dry_run: all of it, taken back. Everything is written as the caller: it takes the right to write each of these tables, and to give the role (42501). 22023: no such manager, job function, team or territory, or a job function for a guest.';

CREATE FUNCTION leadguard.role_of_function(name text)
RETURNS text LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT j.role FROM leadguard.job_function j
    WHERE j.name = role_of_function.name AND j.org_id = coalesce(leadguard.current_organization(), 1) AND NOT leadguard.is_guest()
      AND (leadguard.current_member() IS NOT NULL OR leadguard.is_unbound())
$$;
COMMENT ON FUNCTION leadguard.role_of_function(text) IS
'The standard role of a job function of one''s own organization; NULL for guests and for sessions that are no member. Anyone may call it.';

CREATE FUNCTION leadguard.is_guest_member(member bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM leadguard.member m WHERE m.id = is_guest_member.member AND m.kind = 'guest'
                     AND (m.org_id = leadguard.current_organization() OR leadguard.is_unbound()))
$$;
COMMENT ON FUNCTION leadguard.is_guest_member(bigint) IS
'Whether a member of one''s own organization is a guest; false for any other id. Anyone may call it.';

CREATE FUNCTION leadguard.note_onboarding(member bigint)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.note_event('onboard', m.org_id, NULL, NULL, NULL,
            format('%s %s, role %s', m.kind, m.key, coalesce((SELECT string_agg(r.role, ', ') FROM leadguard.member_role r WHERE r.member_id = m.id), 'none')))
    FROM leadguard.member m
    WHERE m.id = note_onboarding.member AND leadguard.is_fresh_id('member', m.id)
      AND (m.org_id = leadguard.current_organization() OR leadguard.is_unbound());
END
$$;
COMMENT ON FUNCTION leadguard.note_onboarding(bigint) IS
'Internal: the audit of leadguard.onboard, about a member of the own organization whom this session has just made.';

-- Promotion and demotion, for one member or a department, and from a system that has only admins and users.

CREATE FUNCTION leadguard.note_change_of_role(member text, from_role text, to_role text, reason text)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF leadguard.is_unbound() OR leadguard.has_capability('administer') OR leadguard.has_capability('manage_members')
        OR leadguard.has_capability('manage_roles') THEN
        PERFORM leadguard.note_event('change_role', m.org_id, NULL, NULL, reason,
                                     format('member %s, from %s to %s', m.key, coalesce(from_role, 'none'), coalesce(to_role, 'none')))
        FROM leadguard.member m
        WHERE m.key = note_change_of_role.member AND (m.org_id = leadguard.current_organization() OR leadguard.is_unbound())
          AND NOT EXISTS (SELECT FROM leadguard.member_role r WHERE r.member_id = m.id AND r.role = from_role)
          AND (to_role IS NULL OR EXISTS (SELECT FROM leadguard.member_role r WHERE r.member_id = m.id AND r.role = to_role))
          -- What this transaction has changed, once: the triggers of member_role have just written it down.
          AND EXISTS (SELECT FROM leadguard.audit_log a
                      WHERE a.transaction = pg_current_xact_id() AND a.organization = m.org_id
                        AND a.action = CASE WHEN from_role IS NULL THEN 'role_given' ELSE 'role_taken' END
                        AND (a.detail LIKE '% roles' OR a.detail = format('member %s, role %s', m.key, coalesce(from_role, to_role))))
          AND NOT EXISTS (SELECT FROM leadguard.audit_log a
                          WHERE a.transaction = pg_current_xact_id() AND a.action = 'change_role' AND a.organization = m.org_id
                            AND a.detail = format('member %s, from %s to %s', m.key, coalesce(from_role, 'none'), coalesce(to_role, 'none')));
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.note_change_of_role(text, text, text, text) IS
'Internal: the reason of a change of role in the audit, about a member of the own organization who has the new role and not the old one, since this transaction. Does nothing for those who give no roles.';

CREATE FUNCTION leadguard.change_roles(members text[], from_role text, to_role text, reason text)
RETURNS TABLE (member text, result text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    org bigint := leadguard.current_organization();
    ids bigint[];
    missing text;
    had bigint[];
    taken bigint[];
    given bigint[];
BEGIN
    IF leadguard.is_guest() THEN
        RAISE EXCEPTION 'change_roles refused' USING ERRCODE = '42501', HINT = 'Members who may give the roles can.';
    END IF;
    IF members IS NULL THEN
        RAISE EXCEPTION 'argument "members" must not be NULL' USING ERRCODE = '22023';
    ELSIF coalesce(btrim(reason), '') = '' THEN
        RAISE EXCEPTION 'the reason is missing' USING ERRCODE = '22023', HINT = 'A text that says something: reason => ''...''.';
    ELSIF from_role IS NULL AND to_role IS NULL THEN
        RAISE EXCEPTION 'neither a role to take nor one to give is named'
            USING ERRCODE = '22023', HINT = 'from_role is taken, to_role is given; one of them may be NULL.';
    ELSIF from_role = to_role THEN
        RAISE EXCEPTION 'both roles are "%"', from_role USING ERRCODE = '22023', HINT = 'Name another role to give, or NULL to only take this one.';
    END IF;
    SELECT string_agg(DISTINCT quote_nullable(u.key), ', ') INTO missing FROM unnest(members) u (key)
    WHERE NOT EXISTS (SELECT FROM leadguard.member m WHERE m.key = u.key AND (org IS NULL OR m.org_id = org));
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no member %', missing
            USING ERRCODE = '22023', HINT = 'Members are named by their keys; leadguard.member lists those of your organization.';
    END IF;
    SELECT coalesce(array_agg(m.id), '{}') INTO ids FROM leadguard.member m WHERE m.key = ANY (members);
    -- As the caller, whom the limits of the directory bind. What is given comes before what is taken: who exchanges the
    -- role by which he may write this keeps it until the end.
    IF to_role IS NOT NULL THEN
        SELECT coalesce(array_agg(r.member_id), '{}') INTO had FROM leadguard.member_role r WHERE r.member_id = ANY (ids) AND r.role = from_role;
        WITH come AS (
            INSERT INTO leadguard.member_role (member_id, role)
            SELECT u.id, to_role FROM unnest(CASE WHEN from_role IS NULL THEN ids ELSE had END) u (id)
            WHERE NOT EXISTS (SELECT FROM leadguard.member_role r WHERE r.member_id = u.id AND r.role = to_role)
            RETURNING member_role.member_id)
        SELECT coalesce(array_agg(c.member_id), '{}') INTO given FROM come c;
    END IF;
    WITH gone AS (DELETE FROM leadguard.member_role r WHERE r.member_id = ANY (ids) AND r.role = from_role RETURNING r.member_id)
    SELECT coalesce(array_agg(g.member_id), '{}') INTO taken FROM gone g;
    IF to_role IS NOT NULL AND from_role IS NOT NULL AND NOT (had @> taken AND taken @> had) THEN
        RAISE EXCEPTION 'somebody else changed roles of these members' USING ERRCODE = '55000', HINT = 'Nothing was changed; try again.';
    END IF;
    PERFORM leadguard.note_change_of_role(m.key, from_role, to_role, reason)
    FROM leadguard.member m WHERE m.id = ANY (taken) OR m.id = ANY (given);
    RETURN QUERY
    SELECT m.key, CASE
        WHEN m.id = ANY (taken) AND to_role IS NOT NULL THEN format('%s instead of %s', to_role, from_role)
        WHEN m.id = ANY (taken) THEN format('%s taken', from_role)
        WHEN m.id = ANY (given) THEN format('%s given', to_role)
        WHEN from_role IS NULL THEN format('has %s', to_role)
        ELSE format('does not have %s', from_role) END
    FROM leadguard.member m WHERE m.id = ANY (ids) ORDER BY m.key;
END
$$;
COMMENT ON FUNCTION leadguard.change_roles(text[], text, text, text) IS
'Exchanges a role of members (keys) for another one, or gives (from_role NULL) or takes (to_role NULL) it; one row for each member. All or nothing, effective with the next statement; each member is told. Written as the caller: only who may give and take both roles (42501). 22023: no reason, no such member or role.';

CREATE FUNCTION leadguard.change_role(member text, from_role text, to_role text, reason text)
RETURNS TABLE (step text, target regclass, detail text, records bigint)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    asks boolean := leadguard.may_ask_about(change_role.member);
    before jsonb := '{}';
    later jsonb := '{}';
BEGIN
    IF asks THEN
        SELECT coalesce(jsonb_object_agg(r.target::oid, r.gives), '{}') INTO before FROM leadguard.rights_in_words(change_role.member) r;
    END IF;
    RETURN QUERY
    SELECT 'role', NULL::regclass, c.result, NULL::bigint
    FROM leadguard.change_roles(ARRAY[change_role.member], change_role.from_role, change_role.to_role, change_role.reason) c;
    IF asks THEN
        SELECT coalesce(jsonb_object_agg(r.target::oid, r.gives), '{}') INTO later FROM leadguard.rights_in_words(change_role.member) r;
    END IF;
    RETURN QUERY
    SELECT d.step, d.target, d.detail, NULL::bigint FROM leadguard.rights_differ(before, later) d;
    IF leadguard.has_capability('administer') OR leadguard.has_capability('manage_members') OR leadguard.current_member() IS NULL THEN
        RETURN QUERY
        SELECT 'owns', o.target, CASE WHEN o.records IS NULL THEN 'not measured' ELSE 'unarchived records' END, o.records FROM leadguard.owned_records(change_role.member) o;
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.change_role(text, text, text, text) IS
'Promotes or demotes a member: leadguard.change_roles for one, and what follows from it: rights that the member gains and loses in each protected table (for callers who may ask), and how many records the member owns. Who may call and errors: as change_roles.';

CREATE FUNCTION leadguard.rights_differ(before jsonb, later jsonb)
RETURNS TABLE (step text, target regclass, detail text)
LANGUAGE sql IMMUTABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE ROWS 5 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.step, t.target::oid::regclass, string_agg(d.right_name, ', ' ORDER BY d.right_name)
    FROM (SELECT jsonb_object_keys(before || later)) t (target)
    CROSS JOIN LATERAL (
        SELECT 'gains' AS step, n.right_name FROM jsonb_array_elements_text(coalesce(later -> t.target, '[]')) n (right_name)
        WHERE NOT coalesce(before -> t.target, '[]') ? n.right_name
        UNION ALL
        SELECT 'loses', o.right_name FROM jsonb_array_elements_text(coalesce(before -> t.target, '[]')) o (right_name)
        WHERE NOT coalesce(later -> t.target, '[]') ? o.right_name) d
    GROUP BY d.step, t.target
    ORDER BY 2, 1
$$;
COMMENT ON FUNCTION leadguard.rights_differ(jsonb, jsonb) IS
'Internal: what two results of leadguard.rights_in_words, as objects by table, have that the other one has not. Anyone may call it.';

CREATE FUNCTION leadguard.add_to_team(team text, members text[])
RETURNS TABLE (member text, result text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    org bigint := coalesce(leadguard.current_organization(), 1);
    its_id bigint;
    missing text;
    added bigint[];
BEGIN
    IF leadguard.is_guest() THEN
        RAISE EXCEPTION 'add_to_team refused' USING ERRCODE = '42501', HINT = 'Members who manage the team can.';
    END IF;
    IF members IS NULL THEN
        RAISE EXCEPTION 'argument "members" must not be NULL' USING ERRCODE = '22023';
    END IF;
    SELECT t.id INTO its_id FROM leadguard.team t WHERE t.key = add_to_team.team AND t.org_id = org;
    IF its_id IS NULL THEN
        RAISE EXCEPTION 'there is no team %', quote_nullable(add_to_team.team)
            USING ERRCODE = '22023', HINT = 'Teams are named by their keys; leadguard.team lists them.';
    END IF;
    SELECT string_agg(DISTINCT quote_nullable(u.key), ', ') INTO missing FROM unnest(members) u (key)
    WHERE NOT EXISTS (SELECT FROM leadguard.member m WHERE m.key = u.key AND m.org_id = org);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no member %', missing
            USING ERRCODE = '22023', HINT = 'Members are named by their keys; leadguard.member lists those of your organization.';
    END IF;
    -- As the caller, who must manage the team.
    WITH come AS (
        INSERT INTO leadguard.team_member (team_id, member_id)
        SELECT its_id, m.id FROM leadguard.member m
        WHERE m.key = ANY (members) AND m.org_id = org
          AND NOT EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.team_id = its_id AND tm.member_id = m.id)
        RETURNING team_member.member_id)
    SELECT coalesce(array_agg(c.member_id), '{}') INTO added FROM come c;
    RETURN QUERY
    SELECT m.key, CASE WHEN m.id = ANY (added) THEN 'added' ELSE 'is in the team' END
    FROM leadguard.member m WHERE m.key = ANY (members) AND m.org_id = org ORDER BY m.key;
END
$$;
COMMENT ON FUNCTION leadguard.add_to_team(text, text[]) IS
'Puts members (keys) into a team (key), as member; one row for each. All or nothing. For members who manage the team or have the capability administer (42501). 22023: no such team or member.';

CREATE FUNCTION leadguard.follow_teams()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
BEGIN
    IF leadguard.is_restore() THEN
        RETURN NULL;
    END IF;
    FOR item IN SELECT t.org_id, t.key, array_agg(c.member_id) AS members FROM changed c JOIN leadguard.team t ON t.id = c.team_id GROUP BY t.id LOOP
        PERFORM leadguard.note_event('team_joined', item.org_id, NULL, NULL, NULL,
                                     format('team %s, %s members', item.key, cardinality(item.members)));
        IF cardinality(item.members) <= 1000 THEN
            PERFORM leadguard.tell(u.id, 'team_joined', NULL, NULL, jsonb_build_object('team', item.key)) FROM unnest(item.members) u (id);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_teams() IS
'Trigger AFTER STATEMENT of team_member: tells the members who joined a team, and the audit.';
CREATE TRIGGER directory_80_insert AFTER INSERT ON leadguard.team_member REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_teams();

-- K57: what becomes of everybody when admin and user are exchanged for the roles of a preset.
CREATE FUNCTION leadguard.migrate_roles(mapping jsonb, dry_run boolean DEFAULT true)
RETURNS TABLE (member text, from_role text, to_role text, target regclass, gains text, loses text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    org bigint := coalesce(leadguard.current_organization(), 1);
    missing text;
    moving text[];
    had text[];
    before jsonb := '{}';
    item record;
BEGIN
    IF NOT (leadguard.has_capability('administer') OR leadguard.may_ask_about(NULL)) OR leadguard.is_guest() THEN
        RAISE EXCEPTION 'migrate_roles refused'
            USING ERRCODE = '42501', HINT = 'A member with the capability administer migrates the roles of his organization.';
    END IF;
    IF dry_run IS NULL THEN
        RAISE EXCEPTION 'argument "dry_run" must not be NULL' USING ERRCODE = '22023';
    ELSIF jsonb_typeof(mapping) IS DISTINCT FROM 'object' OR mapping = '{}' OR EXISTS (SELECT FROM jsonb_each(mapping) e WHERE jsonb_typeof(e.value) <> 'string') THEN
        RAISE EXCEPTION 'the mapping is no object of roles' USING ERRCODE = '22023', HINT = 'For example {"admin": "data_owner", "user": "lead_creator"}.';
    END IF;
    SELECT string_agg(DISTINCT format('"%s"', u.name), ', ') INTO missing
    FROM (SELECT e.key FROM jsonb_each_text(mapping) e UNION SELECT e.value FROM jsonb_each_text(mapping) e) u (name)
    WHERE NOT EXISTS (SELECT FROM leadguard.role r WHERE r.name = u.name AND (r.org_id IS NULL OR r.org_id = org));
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no role %', missing
            USING ERRCODE = '22023', HINT = 'Roles are those shipped and those of the organization, see leadguard.role.';
    END IF;
    SELECT string_agg(format('"%s"', e.value), ', ') INTO missing FROM jsonb_each_text(mapping) e WHERE mapping ? e.value;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'role % is mapped and mapped to', missing
            USING ERRCODE = '22023', HINT = 'Map in one step: each role to what it becomes in the end.';
    END IF;
    SELECT coalesce(array_agg(m.key ORDER BY m.key, r.role), '{}'), coalesce(array_agg(r.role ORDER BY m.key, r.role), '{}') INTO moving, had
    FROM leadguard.member m JOIN leadguard.member_role r ON r.member_id = m.id
    WHERE m.org_id = org AND mapping ? r.role;

    SELECT coalesce(jsonb_object_agg(k.key, r.rights), '{}') INTO before
    FROM (SELECT DISTINCT u.key FROM unnest(moving) u (key)) k
    CROSS JOIN LATERAL (SELECT coalesce(jsonb_object_agg(w.target::oid, w.gives), '{}') AS rights FROM leadguard.rights_in_words(k.key) w) r;
    BEGIN
        FOR item IN SELECT e.key AS old_role, e.value AS new_role FROM jsonb_each_text(mapping) e LOOP
            PERFORM leadguard.change_roles((SELECT coalesce(array_agg(v.key), '{}') FROM unnest(moving, had) v (key, role) WHERE v.role = item.old_role),
                                           item.old_role, item.new_role, 'migrate_roles');
        END LOOP;
        FOR member, from_role, to_role, target, gains, loses IN
            SELECT v.key, v.role, mapping ->> v.role, d.target, d.gains, d.loses
            FROM unnest(moving, had) v (key, role)
            CROSS JOIN LATERAL (SELECT coalesce(jsonb_object_agg(w.target::oid, w.gives), '{}') AS rights
                                FROM leadguard.rights_in_words(v.key) w) now
            LEFT JOIN LATERAL (
                SELECT x.target, max(x.detail) FILTER (WHERE x.step = 'gains') AS gains, max(x.detail) FILTER (WHERE x.step = 'loses') AS loses
                FROM leadguard.rights_differ(before -> v.key, now.rights) x GROUP BY x.target) d ON true
            ORDER BY 1, 2, 4
        LOOP
            RETURN NEXT;
        END LOOP;
        IF dry_run IS DISTINCT FROM false THEN
            RAISE EXCEPTION 'only tried' USING ERRCODE = 'LG000';
        END IF;
    EXCEPTION WHEN SQLSTATE 'LG000' THEN
        NULL;
    END;
END
$$;
COMMENT ON FUNCTION leadguard.migrate_roles(jsonb, boolean) IS
'Exchanges roles of all members of the organization at once, as {"admin": "data_owner", "user": "lead_creator"} maps them, and lists for each member and protected table what the member gains and loses (one row without a table where nothing changes). dry_run, the default: only lists. For members with the capability administer and superusers (42501); 22023 for the mapping.';

-- Leaving in three phases, guests, delegation, and asking for more access.

CREATE FUNCTION leadguard.offboard_plan(member text, last_day date, note text DEFAULT NULL, transition_role text DEFAULT NULL)
RETURNS TABLE (kind text, target regclass, record text, suggested_owner text, why text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'offboard_plan_wrapper';
COMMENT ON FUNCTION leadguard.offboard_plan(text, date, text, text) IS
'Plans that a member (key) leaves, or plans it anew, and tells the manager; nothing else changes. Returns what the member owns as far as the caller can read it (kind record, territory, team, or unreadable: how many records of a table the caller does not read) and who could take it: the owner of the territory, the nearest active manager, or the caller. transition_role: what is left from the last day until the end, COLLABORATOR where a table has the preset decision_site, else view_only. For members with the capability administer or manage_members about others of their organization, and superusers. 42501; 22023: no such member, or a role with capabilities; 55000: the last day is over already.';

CREATE FUNCTION leadguard.offboard_last_day(member text, new_owner text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS TABLE (step text, target regclass, detail text, count bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'offboard_last_day_wrapper';
COMMENT ON FUNCTION leadguard.offboard_last_day(text, text, text) IS
'The last day of a member whose leaving is planned: all unarchived records, territories and teams go to the new owner (key; by default the nearest active manager); grants, memberships in teams and territories, open requests, delegations, claims and imports end, handoffs to the member are withdrawn; the transition role replaces all roles. Records are reassigned by an UPDATE of the caller, who must reach all of them with the right to reassign; otherwise nothing happens (42501 with counts). Who may call: as offboard_plan. 22023: no new owner, no reason; 55000: nothing is planned.';

CREATE FUNCTION leadguard.offboard_end(member text, reason text)
RETURNS TABLE (step text, target regclass, detail text, count bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'offboard_end_wrapper';
COMMENT ON FUNCTION leadguard.offboard_end(text, text) IS
'Ends the membership of a member after the last day: without login role, roles, grants and job function, inactive. Refused with the list (23503) while the member still owns something: records, territories, teams, or is awaited in open imports, claims and handoffs. Who may call: as offboard_plan. 55000 before the last day; 22023 without a reason.';

CREATE FUNCTION leadguard.offboard_now(member text, new_owner text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS TABLE (step text, target regclass, detail text, count bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'offboard_now_wrapper';
COMMENT ON FUNCTION leadguard.offboard_now(text, text, text) IS
'All phases of leaving at once, without a transition: leadguard.offboard_plan, offboard_last_day and offboard_end. Who may call and errors: as these.';

CREATE FUNCTION leadguard.remove_departed(members text[], new_owner text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS TABLE (member text, result text, records bigint)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF members IS NULL THEN
        RAISE EXCEPTION 'argument "members" must not be NULL' USING ERRCODE = '22023';
    END IF;
    FOR member IN SELECT DISTINCT u.key FROM unnest(members) u (key) ORDER BY 1 LOOP
        SELECT 'removed', coalesce(sum(o.count) FILTER (WHERE o.step = 'reassigned'), 0) INTO result, records
        FROM leadguard.offboard_now(member, new_owner, reason) o;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.remove_departed(text[], text, text) IS
'leadguard.offboard_now for several members (keys); one row for each, with how many records were handed over. All or nothing. Who may call and errors: as offboard_now.';

CREATE FUNCTION leadguard.offboard_cancel(member text, note text)
RETURNS TABLE (step text, detail text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m leadguard.member := leadguard.managed_member('offboard_cancel', member);
    held leadguard.offboarding;
BEGIN
    IF coalesce(btrim(note), '') = '' THEN
        RAISE EXCEPTION 'the note is missing' USING ERRCODE = '22023', HINT = 'A text that says something: note => ''...''.';
    ELSIF m.id = leadguard.current_member() THEN
        RAISE EXCEPTION 'offboard_cancel of yourself refused' USING ERRCODE = '42501', HINT = 'Somebody else cancels it.';
    ELSIF leadguard.outranks_me(m.id) AND NOT leadguard.is_unbound() AND NOT leadguard.has_capability('administer') THEN
        RAISE EXCEPTION 'offboard_cancel of a member of a higher rank than your own refused' USING ERRCODE = '42501',
            HINT = 'A member with the capability administer can.';
    END IF;
    UPDATE leadguard.offboarding o SET state = 'cancelled', note = concat_ws(E'\n', nullif(o.note, ''), offboard_cancel.note)
    WHERE o.member_id = m.id AND o.state IN ('planned', 'leaving') RETURNING o.* INTO held;
    IF held.id IS NULL THEN
        RAISE EXCEPTION 'member "%" is not leaving', m.key
            USING ERRCODE = '55000', HINT = 'leadguard.offboarding lists who is; what has ended is not taken back: make the member active and give roles anew.';
    END IF;
    PERFORM leadguard.note_event('offboard_cancel', m.org_id, NULL, NULL, offboard_cancel.note, format('member %s', m.key));
    PERFORM leadguard.tell(m.id, 'offboarding', NULL, NULL, '{"phase": "cancelled"}');
    RETURN QUERY VALUES ('cancelled', format('member %s stays', m.key));
    IF held.reassigned_at IS NOT NULL THEN
        RETURN QUERY VALUES ('roles before', coalesce(nullif(array_to_string(held.roles, ', '), ''), 'none')),
                            ('handed over', coalesce((SELECT o.key FROM leadguard.member o WHERE o.id = held.new_owner), 'nobody'));
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.offboard_cancel(text, text) IS
'Takes the plan that a member leaves back, before its end. What was handed over on the last day stays where it is, and roles are given anew; the rows say which roles there were and who has the records. For members with the capability administer or manage_members about others of their organization, and superusers. 42501, 22023; 55000: the member is not leaving.';

-- Guests.
CREATE FUNCTION leadguard.guests_due(since interval DEFAULT interval '3 months')
RETURNS TABLE (member text, name text, last_reviewed timestamptz, invitations bigint, first_given timestamptz)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_unbound()
        AND (leadguard.is_guest() OR NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_members'))) THEN
        RAISE EXCEPTION 'guests_due refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability administer or manage_members review the guests of their organization.';
    END IF;
    IF since IS NULL THEN
        RAISE EXCEPTION 'argument "since" must not be NULL' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT m.key, m.name, r.at, g.count, g.first
    FROM leadguard.member m
    CROSS JOIN LATERAL (SELECT max(v.reviewed_at) AS at FROM leadguard.guest_review v WHERE v.member_id = m.id) r
    CROSS JOIN LATERAL (SELECT count(*) AS count, min(h.granted_at) AS first FROM leadguard.record_grant h
                        WHERE h.member_id = m.id AND (h.until IS NULL OR h.until > statement_timestamp())) g
    WHERE m.kind = 'guest' AND m.active AND (leadguard.is_unbound() OR m.org_id = leadguard.current_organization())
      AND (r.at IS NULL OR r.at < statement_timestamp() - since)
    ORDER BY r.at NULLS FIRST, m.key;
END
$$;
COMMENT ON FUNCTION leadguard.guests_due(interval) IS
'Active guests whom nobody has reviewed for so long, with how many records they were given and since when. For members with the capability administer or manage_members about their organization, and superusers (42501). 22023: NULL.';

CREATE FUNCTION leadguard.review_guest(member text, decision text, note text)
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m leadguard.member := leadguard.managed_member('review_guest', member);
    ended bigint := 0;
BEGIN
    IF m.kind <> 'guest' THEN
        RAISE EXCEPTION '"%" is no guest', m.key
            USING ERRCODE = '22023', HINT = 'leadguard.guests_due lists the guests to look at; leadguard.offboard_plan begins the leaving of a member.';
    ELSIF decision IS NULL OR decision NOT IN ('keep', 'end') THEN
        RAISE EXCEPTION 'decision % is unknown', quote_nullable(decision) USING ERRCODE = '22023', HINT = 'Decisions are keep and end.';
    ELSIF coalesce(btrim(note), '') = '' THEN
        RAISE EXCEPTION 'the note is missing' USING ERRCODE = '22023', HINT = 'A text that says something: note => ''...''.';
    ELSIF leadguard.outranks_me(m.id) THEN
        RAISE EXCEPTION 'review_guest of a member of a higher rank than your own refused' USING ERRCODE = '42501',
            HINT = 'A member with the capability administer can.';
    END IF;
    INSERT INTO leadguard.guest_review (org_id, member_id, reviewed_by, decision, note)
    VALUES (m.org_id, m.id, leadguard.current_member(), decision, note);
    IF decision = 'end' THEN
        DELETE FROM leadguard.record_grant g WHERE g.member_id = m.id;
        GET DIAGNOSTICS ended = ROW_COUNT;
        DELETE FROM leadguard.team_member t WHERE t.member_id = m.id;
        UPDATE leadguard.member o SET active = false, db_role = NULL WHERE o.id = m.id;
    END IF;
    PERFORM leadguard.note_event('review_guest', m.org_id, NULL, NULL, note, format('guest %s: %s, %s grants ended', m.key, decision, ended));
    RETURN ended;
END
$$;
COMMENT ON FUNCTION leadguard.review_guest(text, text, text) IS
'Notes that a guest (key) was reviewed: keep, or end, which takes all that was shared and ends the membership; returns how many grants ended. For members with the capability administer or manage_members about guests of their organization, and superusers. 42501; 22023: no such guest, unknown decision, no note; 23503: the guest owns records.';

-- Delegation.
CREATE FUNCTION leadguard.delegate(to_member text, until timestamptz, level text DEFAULT 'edit', reason text DEFAULT NULL,
                                   target regclass DEFAULT NULL, member text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'delegate_wrapper';
COMMENT ON FUNCTION leadguard.delegate(text, timestamptz, text, text, regclass, text) IS
'Lets another member (key) reach what oneself owns, in one protected table or all of them, at level read, edit or full until a time; returns the number of the delegation. It follows ownership: what one gets meanwhile is included, what one hands over no longer. Nobody delegates more than he could share: what an owner may not share at the level is left out. By it the record is not shared for longer, not moved and given no member as contact; what the delegate shares ends with the delegation. member: for whom, for members with the capability administer in his organization. 42501; 22023: no active member of the organization, a guest or oneself, no such level, time in the past, no reason; 55000: a delegation of these records to this member lasts already.';

CREATE FUNCTION leadguard.undelegate(id bigint)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'undelegate_wrapper';
COMMENT ON FUNCTION leadguard.undelegate(bigint) IS
'Ends a delegation at once, with all that was shared by it; true when there was one that lasted. For both members, and those with the capability administer in their organization. 22023: NULL.';

CREATE FUNCTION leadguard.end_delegations()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_end_delegations';
COMMENT ON FUNCTION leadguard.end_delegations() IS
'Trigger AFTER UPDATE of member: who is no active person of the organization any more, other than by a merger, delegates nothing, and has nothing delegated.';
CREATE TRIGGER directory_80_delegations AFTER UPDATE OF active, kind, org_id ON leadguard.member
    FOR EACH ROW WHEN (old.active AND old.kind = 'person' AND NOT (new.active AND new.kind = 'person' AND new.org_id = old.org_id)) EXECUTE FUNCTION leadguard.end_delegations();

-- Asking for more.
CREATE FUNCTION leadguard.request_access(target regclass, record text, level text, justification text, until timestamptz DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'request_access_wrapper';
COMMENT ON FUNCTION leadguard.request_access(regclass, text, text, text, timestamptz) IS
'Asks for access to a record at level read, edit or full, until a time or for good; returns the number of the request. It is answered the same whether there is such a record or not. Decided with leadguard.decide_approval by a person who may share the record at that level (leadguard.access_requests lists what one may decide), and carried out with the decision: the share carries the justification, the request and who granted it. It expires after 30 days. For members, guests and view-only roles too. 42501: no member, or a login that only reads; 22023 arguments; 55000: asked already, or 100 requests are open.';

CREATE FUNCTION leadguard.request_role(role text, justification text, until timestamptz DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'request_role_wrapper';
COMMENT ON FUNCTION leadguard.request_role(text, text, timestamptz) IS
'Asks for a role; returns the number of the request. Decided with leadguard.decide_approval by a person who may give the role to the requester, and carried out with the decision. until: when the request expires, by default in 30 days, in 366 at most. For members. 42501, 22023; 55000: asked already, or 100 requests are open.';

CREATE FUNCTION leadguard.access_requests()
RETURNS TABLE (id bigint, kind text, member text, target regclass, record text, wanted text, justification text, requested_at timestamptz, until timestamptz)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'access_requests_wrapper';
COMMENT ON FUNCTION leadguard.access_requests() IS
'Open requests for access and roles that the current member may decide with leadguard.decide_approval: for records that he may share at the level, and roles that he may give. For persons; 42501 for a session that is no member.';

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT t.tgrelid::regclass AS relation, t.tgname FROM pg_catalog.pg_trigger t
        WHERE t.tgname IN ('directory_80_insert', 'directory_80_update', 'directory_80_delete', 'directory_80_job', 'directory_80_admins', 'directory_80_delegations')
           OR t.tgrelid IN ('leadguard.job_function'::regclass, 'leadguard.member_function'::regclass) AND NOT t.tgisinternal
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', item.relation, item.tgname);
    END LOOP;
END
$$;

-- Who changed the directory: what access follows from is in the audit like the records, one row for each statement.

-- A trusted connector works for the members of every organization, whose auditors read of it.
CREATE FUNCTION leadguard.login_in_words(db_role name, mode text, member_id bigint, verb text)
RETURNS TABLE (org_id bigint, what text) LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.org_id, format('login role %s: %s%s of member %s', $1, $4, $2, m.key) FROM leadguard.member m WHERE m.id = $3
    UNION ALL
    SELECT o.id, format('login role %s: %s%s', $1, $4, $2) FROM leadguard.organization o WHERE $3 IS NULL AND o.archived_at IS NULL
$$;
COMMENT ON FUNCTION leadguard.login_in_words(name, text, bigint, text) IS
'Internal: what the audit says of a registered login role, and to which organizations.';

CREATE FUNCTION leadguard.note_directory()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    many CONSTANT integer := 1000;
    kind CONSTANT text := CASE TG_TABLE_NAME WHEN 'member_role' THEN 'role_taken' ELSE 'directory' END;
    changed bigint;
    organizations bigint[];
    said text[];
BEGIN
    -- What a restore brings was done long ago.
    IF leadguard.is_restore() THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM leadguard.note_event(kind, NULL, NULL, NULL, NULL, format('all rows of %s removed', TG_TABLE_NAME));
        RETURN NULL;
    END IF;
    -- Of a load, how many: a plan that joins few rows would be kept for many.
    IF TG_OP = 'DELETE' THEN
        SELECT count(*) INTO changed FROM old_rows;
    ELSE
        SELECT count(*) INTO changed FROM new_rows;
    END IF;
    IF changed > many THEN
        PERFORM leadguard.note_event(kind, leadguard.current_organization(), NULL, NULL, NULL,
                                     format('%s of %s rows of %s', lower(TG_OP), changed, TG_TABLE_NAME));
        RETURN NULL;
    END IF;
    -- By keys and names. An e-mail is personal, and what it decides (guest or not) shows without it.
    CASE TG_TABLE_NAME || ' ' || TG_OP
    WHEN 'member INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('member %s: ', n.key) || concat_ws(', ',
            CASE n.kind WHEN 'person' THEN 'new' ELSE 'new ' || n.kind END,
            CASE WHEN NOT n.active THEN 'inactive' END,
            'manager ' || b.key,
            'login role ' || n.db_role))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN leadguard.member b ON b.id = n.manager_id;
    WHEN 'member UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('member %s: ', n.key) || concat_ws(', ',
            CASE WHEN o.id IS NULL THEN 'another id' END,
            CASE WHEN n.key <> o.key THEN format('key %s -> %s', o.key, n.key) END,
            CASE WHEN n.manager_id IS DISTINCT FROM o.manager_id THEN format('manager %s -> %s', coalesce(a.key, 'nobody'), coalesce(b.key, 'nobody')) END,
            CASE WHEN n.active <> o.active THEN CASE WHEN n.active THEN 'active' ELSE 'inactive' END END,
            CASE WHEN n.kind <> o.kind THEN format('kind %s -> %s', o.kind, n.kind) END,
            CASE WHEN n.email IS DISTINCT FROM o.email THEN 'e-mail changed' END,
            CASE WHEN n.db_role IS DISTINCT FROM o.db_role THEN format('login role %s -> %s', coalesce(o.db_role, 'none'), coalesce(n.db_role, 'none')) END,
            CASE WHEN n.org_id <> o.org_id THEN 'comes from another organization' END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        LEFT JOIN leadguard.member a ON a.id = o.manager_id
        LEFT JOIN leadguard.member b ON b.id = n.manager_id
        WHERE (n.id, n.key, n.manager_id, n.active, n.kind, n.email, n.db_role, n.org_id)
            IS DISTINCT FROM (o.id, o.key, o.manager_id, o.active, o.kind, o.email, o.db_role, o.org_id);
    WHEN 'member DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('member %s: removed', o.key)) INTO organizations, said FROM old_rows o;
    WHEN 'role INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('role %s: ', n.name) || concat_ws(', ',
            'new', format('capabilities %s', n.capabilities), format('rank %s', n.rank), 'level at most ' || n.level_cap))
        INTO organizations, said FROM new_rows n;
    WHEN 'role UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('role %s: ', n.name) || concat_ws(', ',
            CASE WHEN o.id IS NULL THEN 'another id' END,
            CASE WHEN n.name <> o.name THEN format('name %s -> %s', o.name, n.name) END,
            CASE WHEN n.capabilities <> o.capabilities THEN format('capabilities %s -> %s', o.capabilities, n.capabilities) END,
            CASE WHEN n.rank <> o.rank THEN format('rank %s -> %s', o.rank, n.rank) END,
            CASE WHEN n.level_cap IS DISTINCT FROM o.level_cap THEN format('level at most %s -> %s', coalesce(o.level_cap, 'any'), coalesce(n.level_cap, 'any')) END,
            CASE WHEN n.preset IS DISTINCT FROM o.preset THEN format('preset %s -> %s', coalesce(o.preset, 'none'), coalesce(n.preset, 'none')) END,
            CASE WHEN n.org_id IS DISTINCT FROM o.org_id THEN 'comes from another organization' END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        WHERE (n.id, n.name, n.capabilities, n.rank, n.level_cap, n.preset, n.org_id)
            IS DISTINCT FROM (o.id, o.name, o.capabilities, o.rank, o.level_cap, o.preset, o.org_id);
    WHEN 'role DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('role %s: removed', o.name)) INTO organizations, said FROM old_rows o;
    WHEN 'territory INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('territory %s: ', n.key) || concat_ws(', ', 'new', 'below ' || q.key, 'owner ' || b.key))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN leadguard.territory q ON q.id = n.parent_id
        LEFT JOIN leadguard.member b ON b.id = n.owner_id;
    WHEN 'territory UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('territory %s: ', n.key) || concat_ws(', ',
            CASE WHEN o.id IS NULL THEN 'another id' END,
            CASE WHEN n.key <> o.key THEN format('key %s -> %s', o.key, n.key) END,
            CASE WHEN n.parent_id IS DISTINCT FROM o.parent_id THEN format('below %s -> %s', coalesce(p.key, 'nothing'), coalesce(q.key, 'nothing')) END,
            CASE WHEN n.owner_id IS DISTINCT FROM o.owner_id THEN format('owner %s -> %s', coalesce(a.key, 'nobody'), coalesce(b.key, 'nobody')) END,
            CASE WHEN n.org_id <> o.org_id THEN 'comes from another organization' END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        LEFT JOIN leadguard.territory p ON p.id = o.parent_id
        LEFT JOIN leadguard.territory q ON q.id = n.parent_id
        LEFT JOIN leadguard.member a ON a.id = o.owner_id
        LEFT JOIN leadguard.member b ON b.id = n.owner_id
        WHERE (n.id, n.key, n.parent_id, n.owner_id, n.org_id) IS DISTINCT FROM (o.id, o.key, o.parent_id, o.owner_id, o.org_id);
    WHEN 'territory DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('territory %s: removed', o.key)) INTO organizations, said FROM old_rows o;
    WHEN 'territory_member INSERT' THEN
        SELECT array_agg(t.org_id), array_agg(format('territory %s: member %s', t.key, m.key)) INTO organizations, said
        FROM new_rows n JOIN leadguard.territory t ON t.id = n.territory_id JOIN leadguard.member m ON m.id = n.member_id;
    WHEN 'territory_member UPDATE' THEN
        SELECT array_agg(t.org_id), array_agg(format('territory %s: %s %s', t.key, c.verb, m.key)) INTO organizations, said
        FROM ((SELECT 'no longer member' AS verb, o.territory_id, o.member_id FROM old_rows o
               EXCEPT SELECT 'no longer member', n.territory_id, n.member_id FROM new_rows n)
              UNION ALL
              (SELECT 'member', n.territory_id, n.member_id FROM new_rows n
               EXCEPT SELECT 'member', o.territory_id, o.member_id FROM old_rows o)) c
        JOIN leadguard.territory t ON t.id = c.territory_id JOIN leadguard.member m ON m.id = c.member_id;
    WHEN 'territory_member DELETE' THEN
        SELECT array_agg(t.org_id), array_agg(format('territory %s: no longer member %s', t.key, m.key)) INTO organizations, said
        FROM old_rows o JOIN leadguard.territory t ON t.id = o.territory_id JOIN leadguard.member m ON m.id = o.member_id;
    WHEN 'team INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('team %s: new, access %s', n.key, n.access)) INTO organizations, said FROM new_rows n;
    WHEN 'team UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('team %s: ', n.key) || concat_ws(', ',
            CASE WHEN o.id IS NULL THEN 'another id' END,
            CASE WHEN n.key <> o.key THEN format('key %s -> %s', o.key, n.key) END,
            CASE WHEN n.access <> o.access THEN format('access %s -> %s', o.access, n.access) END,
            CASE WHEN n.org_id <> o.org_id THEN 'comes from another organization' END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        WHERE (n.id, n.key, n.access, n.org_id) IS DISTINCT FROM (o.id, o.key, o.access, o.org_id);
    WHEN 'team DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('team %s: removed', o.key)) INTO organizations, said FROM old_rows o;
    WHEN 'team_member INSERT' THEN
        SELECT array_agg(t.org_id), array_agg(format('team %s: %s %s', t.key, n.role, m.key)) INTO organizations, said
        FROM new_rows n JOIN leadguard.team t ON t.id = n.team_id JOIN leadguard.member m ON m.id = n.member_id;
    WHEN 'team_member UPDATE' THEN
        SELECT array_agg(t.org_id), array_agg(format('team %s: %s %s', t.key, c.verb, m.key)) INTO organizations, said
        FROM ((SELECT 'no longer ' || o.role AS verb, o.team_id, o.member_id FROM old_rows o
               EXCEPT SELECT 'no longer ' || n.role, n.team_id, n.member_id FROM new_rows n)
              UNION ALL
              (SELECT n.role, n.team_id, n.member_id FROM new_rows n EXCEPT SELECT o.role, o.team_id, o.member_id FROM old_rows o)) c
        JOIN leadguard.team t ON t.id = c.team_id JOIN leadguard.member m ON m.id = c.member_id;
    WHEN 'team_member DELETE' THEN
        SELECT array_agg(t.org_id), array_agg(format('team %s: no longer %s %s', t.key, o.role, m.key)) INTO organizations, said
        FROM old_rows o JOIN leadguard.team t ON t.id = o.team_id JOIN leadguard.member m ON m.id = o.member_id;
    WHEN 'member_scope INSERT' THEN
        SELECT array_agg(m.org_id), array_agg(format('member %s: scope %s %s of %s', m.key, n.kind, n.value, n.target)) INTO organizations, said
        FROM new_rows n JOIN leadguard.member m ON m.id = n.member_id;
    WHEN 'member_scope UPDATE' THEN
        SELECT array_agg(m.org_id), array_agg(format('member %s: %s %s %s of %s', m.key, c.verb, c.kind, c.value, c.target)) INTO organizations, said
        FROM ((SELECT 'no longer scope' AS verb, o.member_id, o.target, o.kind, o.value FROM old_rows o
               EXCEPT SELECT 'no longer scope', n.member_id, n.target, n.kind, n.value FROM new_rows n)
              UNION ALL
              (SELECT 'scope', n.member_id, n.target, n.kind, n.value FROM new_rows n
               EXCEPT SELECT 'scope', o.member_id, o.target, o.kind, o.value FROM old_rows o)) c
        JOIN leadguard.member m ON m.id = c.member_id;
    WHEN 'member_scope DELETE' THEN
        SELECT array_agg(m.org_id), array_agg(format('member %s: no longer scope %s %s of %s', m.key, o.kind, o.value, o.target)) INTO organizations, said
        FROM old_rows o JOIN leadguard.member m ON m.id = o.member_id;
    WHEN 'organization UPDATE' THEN
        SELECT array_agg(n.id), array_agg(format('organization %s: ', n.key) || concat_ws(', ',
            CASE WHEN n.key <> o.key THEN format('key %s -> %s', o.key, n.key) END,
            CASE WHEN n.organization_view <> o.organization_view THEN format('organization_view %s', CASE WHEN n.organization_view THEN 'on' ELSE 'off' END) END,
            CASE WHEN n.domain_roles <> o.domain_roles THEN format('domain_roles %s -> %s', o.domain_roles, n.domain_roles) END,
            CASE WHEN n.third_admin <> o.third_admin THEN format('third_admin %s -> %s', o.third_admin, n.third_admin) END,
            CASE WHEN (n.archived_at IS NULL) <> (o.archived_at IS NULL) THEN CASE WHEN n.archived_at IS NULL THEN 'not archived' ELSE 'archived' END END,
            CASE WHEN n.merged_into IS DISTINCT FROM o.merged_into THEN 'merged into ' || coalesce(i.key, 'nothing') END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        LEFT JOIN leadguard.organization i ON i.id = n.merged_into
        WHERE (n.id, n.key, n.organization_view, n.domain_roles, n.third_admin, n.archived_at IS NULL, n.merged_into)
            IS DISTINCT FROM (o.id, o.key, o.organization_view, o.domain_roles, o.third_admin, o.archived_at IS NULL, o.merged_into);
    WHEN 'domain_rule INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('e-mail domain %s: %s, role %s', n.domain, n.kind, n.role)) INTO organizations, said FROM new_rows n;
    WHEN 'domain_rule UPDATE' THEN
        SELECT array_agg(c.org_id), array_agg(format('e-mail domain %s: %s%s, role %s', c.domain, c.verb, c.kind, c.role)) INTO organizations, said
        FROM ((SELECT 'no longer ' AS verb, o.org_id, o.domain, o.kind, o.role FROM old_rows o
               EXCEPT SELECT 'no longer ', n.org_id, n.domain, n.kind, n.role FROM new_rows n)
              UNION ALL
              (SELECT '', n.org_id, n.domain, n.kind, n.role FROM new_rows n EXCEPT SELECT '', o.org_id, o.domain, o.kind, o.role FROM old_rows o)) c;
    WHEN 'domain_rule DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('e-mail domain %s: no longer %s, role %s', o.domain, o.kind, o.role)) INTO organizations, said FROM old_rows o;
    WHEN 'login_role INSERT' THEN
        SELECT array_agg(w.org_id), array_agg(w.what) INTO organizations, said
        FROM new_rows n CROSS JOIN LATERAL leadguard.login_in_words(n.db_role, n.mode, n.member_id, '') w;
    WHEN 'login_role UPDATE' THEN
        SELECT array_agg(w.org_id), array_agg(w.what) INTO organizations, said
        FROM ((SELECT 'no longer ' AS verb, o.db_role, o.mode, o.member_id FROM old_rows o
               EXCEPT SELECT 'no longer ', n.db_role, n.mode, n.member_id FROM new_rows n)
              UNION ALL
              (SELECT '', n.db_role, n.mode, n.member_id FROM new_rows n EXCEPT SELECT '', o.db_role, o.mode, o.member_id FROM old_rows o)) c
        CROSS JOIN LATERAL leadguard.login_in_words(c.db_role, c.mode, c.member_id, c.verb) w;
    WHEN 'login_role DELETE' THEN
        SELECT array_agg(w.org_id), array_agg(w.what) INTO organizations, said
        FROM old_rows o CROSS JOIN LATERAL leadguard.login_in_words(o.db_role, o.mode, o.member_id, 'no longer ') w;
    END CASE;
    PERFORM leadguard.note_event(kind, w.org_id, NULL, NULL, NULL,
                string_agg(w.what, '; ' ORDER BY w.what))
    FROM unnest(organizations, said) AS w (org_id, what)
    GROUP BY w.org_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.note_directory() IS
'Trigger AFTER STATEMENT of the directory, rules about e-mail domains and registered login roles: writes what access follows from into the audit (action directory), by keys and names, one row for each statement and organization; of more than 1000 rows only how many. Rows of member_role are written by follow_roles.';

DO $$
DECLARE
    t text;
    operation text;
BEGIN
    FOR t, operation IN
        SELECT u.t, o.operation
        FROM unnest(ARRAY['member', 'role', 'territory', 'territory_member', 'team', 'team_member', 'member_scope', 'domain_rule', 'login_role']) u (t)
        CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) o (operation)
        UNION ALL VALUES ('member_role', 'TRUNCATE'), ('organization', 'UPDATE')
    LOOP
        EXECUTE format('CREATE TRIGGER directory_85_audit_%s AFTER %s ON leadguard.%I %s FOR EACH STATEMENT EXECUTE FUNCTION leadguard.note_directory()',
            lower(operation), operation, t,
            CASE operation WHEN 'INSERT' THEN 'REFERENCING NEW TABLE AS new_rows' WHEN 'DELETE' THEN 'REFERENCING OLD TABLE AS old_rows'
                           WHEN 'UPDATE' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows' ELSE '' END);
    END LOOP;
END
$$;

-- How a protected table looks, what has changed since, and whether somebody had agreed.

CREATE FUNCTION leadguard.is_at_work()
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'is_at_work_wrapper';
COMMENT ON FUNCTION leadguard.is_at_work() IS
'Internal: whether the running statement is one of leadguard''s own, as protect and its kind make them.';

CREATE FUNCTION leadguard.note_work(target regclass)
RETURNS void LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'note_work_wrapper';
COMMENT ON FUNCTION leadguard.note_work(regclass) IS
'Internal: remembers a table that leadguard itself changes, so that it is known as it is once the work is done.';

CREATE FUNCTION leadguard.table_shape(target regclass)
RETURNS TABLE (relation regclass, kind text, identity text, name text, columns smallint[], digest text, definition text)
LANGUAGE sql VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
    -- pg_partition_tree leaves out partitions whose DETACH .. CONCURRENTLY has begun.
    WITH RECURSIVE below AS (
        SELECT $1::oid AS oid
        UNION
        SELECT i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
    ), tree AS MATERIALIZED (
        SELECT c.oid, c.oid = $1 AS is_root, c.relname, c.relnamespace, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.reloftype
        FROM pg_class c JOIN below b ON b.oid = c.oid
    ), root_column AS MATERIALIZED (
        SELECT a.attname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS "default"
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    )
    SELECT t.oid::regclass, 'column', a.attnum::text, a.attname::text, ARRAY[a.attnum],
           concat_ws(' ', a.atttypid, a.atttypmod, a.attcollation, a.attidentity, a.attgenerated),
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), 'COLLATE ' || nullif(a.attcollation, y.typcollation)::regcollation,
                     CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY' WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' END,
                     CASE WHEN a.attgenerated <> '' THEN 'GENERATED' END)
    FROM tree t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type y ON y.oid = a.atttypid
    WHERE t.is_root
    UNION ALL
    SELECT t.oid::regclass, 'not null', a.attnum::text, a.attname::text, ARRAY[a.attnum], 'NOT NULL', 'NOT NULL'
    FROM tree t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE a.attnotnull AND (t.is_root OR NOT EXISTS (SELECT FROM root_column r WHERE r.attname = a.attname AND r.attnotnull))
    UNION ALL
    SELECT t.oid::regclass, 'default', a.attnum::text, a.attname::text, ARRAY[a.attnum], md5(d.adbin::text), pg_get_expr(d.adbin, d.adrelid)
    FROM tree t JOIN pg_attrdef d ON d.adrelid = t.oid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.adnum
    WHERE t.is_root
    UNION ALL
    -- Of partitions what is not as on the root.
    SELECT t.oid::regclass, 'default', a.attnum::text, a.attname::text, ARRAY[a.attnum], e.expression, e.expression
    FROM tree t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN root_column r ON r.attname = a.attname
    LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
    CROSS JOIN LATERAL (SELECT coalesce(pg_get_expr(d.adbin, d.adrelid), 'none') AS expression) e
    WHERE NOT t.is_root AND e.expression <> coalesce(r."default", 'none')
    UNION ALL
    SELECT t.oid::regclass, 'constraint', o.conname::text, o.conname::text, coalesce(o.conkey, '{}'),
           md5(concat_ws(' ', o.contype, o.conkey, o.confrelid, o.confkey, o.confupdtype, o.confdeltype, o.confmatchtype, o.conbin, o.conexclop,
                         o.convalidated, o.condeferrable, o.condeferred)),
           pg_get_constraintdef(o.oid)
    FROM tree t JOIN pg_constraint o ON o.conrelid = t.oid AND o.contype NOT IN ('t', 'n')
    WHERE t.is_root OR o.coninhcount = 0
    UNION ALL
    SELECT t.oid::regclass, 'policy', p.polname::text, p.polname::text, '{}',
           md5(concat_ws(' ', p.polcmd, p.polpermissive, p.polroles, 'using', p.polqual, 'check', p.polwithcheck)),
           concat_ws(' ', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, 'FOR', p.polcmd,
                     'TO', (SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ') FROM unnest(p.polroles) r),
                     'USING ' || pg_get_expr(p.polqual, p.polrelid), 'WITH CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid))
    FROM tree t JOIN pg_policy p ON p.polrelid = t.oid
    UNION ALL
    SELECT t.oid::regclass, 'trigger', g.tgname::text, g.tgname::text, '{}',
           md5(concat_ws(' ', g.tgfoid, g.tgtype, g.tgenabled, g.tgattr, g.tgargs, g.tgqual, g.tgdeferrable, g.tginitdeferred, g.tgoldtable, g.tgnewtable)),
           concat_ws(' ', CASE g.tgenabled WHEN 'D' THEN 'disabled:' WHEN 'A' THEN 'always:' WHEN 'R' THEN 'replica:' END, pg_get_triggerdef(g.oid))
    FROM tree t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    UNION ALL
    SELECT t.oid::regclass, 'rule', w.rulename::text, w.rulename::text, '{}', md5(concat_ws(' ', w.ev_type, w.ev_enabled, w.is_instead, w.ev_qual, w.ev_action)),
           concat_ws(' ', CASE w.ev_enabled WHEN 'D' THEN 'disabled:' END, pg_get_ruledef(w.oid))
    FROM tree t JOIN pg_rewrite w ON w.ev_class = t.oid
    UNION ALL
    SELECT t.oid::regclass, 'row security', '', '', '{}', s.definition, s.definition
    FROM tree t CROSS JOIN LATERAL (
        SELECT CASE WHEN NOT t.relrowsecurity THEN 'off' WHEN t.relforcerowsecurity THEN 'on, forced' ELSE 'on, not forced' END AS definition) s
    UNION ALL
    SELECT t.oid::regclass, 'owner', '', '', '{}', t.relowner::text, t.relowner::regrole::text FROM tree t
    UNION ALL
    SELECT t.oid::regclass, 'table', '', '', '{}', s.definition, s.definition
    FROM tree t JOIN pg_namespace n ON n.oid = t.relnamespace CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, t.relname) AS definition) s
    UNION ALL
    -- Who owns the schema may drop what took the table's name, and put something else there.
    SELECT v.oid::regclass, 'view', '', format('%I.%I', n.nspname, v.relname), '{}', v.relowner::text, 'of ' || v.relowner::regrole
    FROM leadguard.protected_table p JOIN pg_class v ON v.oid = p.concealed_by JOIN pg_namespace n ON n.oid = v.relnamespace
    WHERE p.target = $1
    UNION ALL
    SELECT t.oid::regclass, 'of type', '', '', '{}', t.reloftype::text, format_type(t.reloftype, NULL)
    FROM tree t WHERE t.is_root AND t.reloftype <> 0
    UNION ALL
    -- Postgres 13 has no inhdetachpending.
    SELECT t.oid::regclass, 'partition', '', format('%I.%I', n.nspname, t.relname), '{}',
           concat_ws(' ', i.inhparent, CASE WHEN to_jsonb(i) ->> 'inhdetachpending' = 'true' THEN 'pending' END),
           concat_ws(', ', i.inhparent::regclass, CASE WHEN to_jsonb(i) ->> 'inhdetachpending' = 'true' THEN 'detach pending' END)
    FROM tree t JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_inherits i ON i.inhrelid = t.oid
    WHERE NOT t.is_root
$$;
COMMENT ON FUNCTION leadguard.table_shape(regclass) IS 'Internal: what a table and its partitions consist of now, as schema_shape keeps it.';

CREATE FUNCTION leadguard.keep_shape(target regclass, with_partitions boolean)
RETURNS void LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO leadguard.schema_known (target) VALUES ($1)
    ON CONFLICT ON CONSTRAINT schema_known_pkey DO UPDATE SET taken_at = clock_timestamp();
    -- Writes what differs: a table may have many partitions.
    WITH shape AS MATERIALIZED (
        SELECT n.* FROM leadguard.table_shape($1) n WHERE $2 OR n.kind <> 'partition'
    ), gone AS (
        DELETE FROM leadguard.schema_shape s
        WHERE s.target = $1 AND ($2 OR s.kind <> 'partition')
          AND NOT EXISTS (SELECT FROM shape n WHERE (n.relation, n.kind, n.identity) = (s.relation, s.kind, s.identity))
    )
    INSERT INTO leadguard.schema_shape AS s (target, relation, kind, identity, name, columns, digest, definition)
    SELECT $1, n.* FROM shape n
    ON CONFLICT ON CONSTRAINT schema_shape_pkey DO UPDATE
    SET name = excluded.name, columns = excluded.columns, digest = excluded.digest, definition = excluded.definition
    WHERE (s.name, s.columns, s.digest, s.definition) IS DISTINCT FROM (excluded.name, excluded.columns, excluded.digest, excluded.definition);
END
$$;
COMMENT ON FUNCTION leadguard.keep_shape(regclass, boolean) IS
'Internal: takes down how a table looks. Without partitions: leaves out which ones there are, which is never leadguard''s doing.';

CREATE FUNCTION leadguard.know_tables()
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.keep_shape(t.target, true)
    FROM (SELECT p.target FROM leadguard.protected_table p UNION ALL SELECT c.target FROM leadguard.protected_child c) t
    WHERE NOT EXISTS (SELECT FROM leadguard.schema_known k WHERE k.target = t.target)
      AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.target);
END
$$;
COMMENT ON FUNCTION leadguard.know_tables() IS 'Internal: takes down the tables whose shape is not known yet, as after protect, a restore or an update.';

CREATE FUNCTION leadguard.forget_shape()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM leadguard.schema_known k WHERE k.target = old.target;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.forget_shape() IS 'Trigger AFTER DELETE of the registered tables: a table that is protected no more is watched no more.';
CREATE TRIGGER schema_90_forget AFTER DELETE ON leadguard.protected_table FOR EACH ROW EXECUTE FUNCTION leadguard.forget_shape();
CREATE TRIGGER schema_90_forget AFTER DELETE ON leadguard.protected_child FOR EACH ROW EXECUTE FUNCTION leadguard.forget_shape();

CREATE FUNCTION leadguard.without_types(expression text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- First the casts, then the parentheses and quotes around single names and numbers that came with them.
    SELECT regexp_replace(
               regexp_replace(
                   regexp_replace($1, '::(character varying|bit varying|double precision|time(stamp)?(\(\d+\))? with(out)? time zone|"[^"]+"|[a-z0-9_.]+)(\(\d+(, ?\d+)?\))?(\[\])*', '', 'g'),
                   '(^|[^\w"])\((\w+|"[^"]+"|''[^'']*''|-?\d+(\.\d+)?)\)', '\1\2', 'g'),
               '''(-?\d+(\.\d+)?)''', '\1', 'g')
$$;
COMMENT ON FUNCTION leadguard.without_types(text) IS
'Internal: a default or constraint without the casts that a change of a column''s type puts into it.';

CREATE FUNCTION leadguard.shape_changes(target regclass)
RETURNS TABLE (kind text, object text, detail jsonb)
LANGUAGE sql VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH item AS MATERIALIZED (
        SELECT coalesce(n.relation, o.relation) AS relation, coalesce(n.kind, o.kind) AS kind, o.name AS old_name, n.name AS new_name,
               coalesce(n.columns, o.columns) AS columns, o.definition AS was, n.definition AS "is",
               CASE WHEN o.kind IS NULL THEN 'add' WHEN n.kind IS NULL THEN 'drop'
                    WHEN n.digest <> o.digest AND n.definition <> o.definition THEN 'change'
                    WHEN n.kind = 'column' AND n.name <> o.name THEN 'rename' END AS verb
        FROM (SELECT s.* FROM leadguard.schema_shape s WHERE s.target = $1) o
        FULL JOIN leadguard.table_shape($1) n USING (relation, kind, identity)
    ), changed AS MATERIALIZED (
        SELECT i.*, row_number() OVER () AS number FROM item i WHERE i.verb IS NOT NULL
        UNION ALL
        SELECT i.relation, i.kind, i.old_name, i.new_name, i.columns, NULL, NULL, 'rename', -row_number() OVER ()
        FROM item i WHERE i.verb = 'change' AND i.kind = 'column' AND i.new_name <> i.old_name
    ), follows AS MATERIALIZED (
        -- What comes and goes with a column or a partition is one change with it.
        SELECT f.number, min(c.number) AS of
        FROM changed f
        JOIN changed c ON c.number <> f.number
            AND CASE WHEN c.kind = 'column' AND f.kind IN ('default', 'not null', 'constraint') AND f.relation = c.relation
                     THEN CASE c.verb WHEN 'add' THEN f.verb = 'add' AND f.columns <> '{}'
                                               AND f.columns <@ (SELECT array_agg(a.columns[1]) FROM changed a WHERE a.kind = 'column' AND a.verb = 'add')
                                               AND c.columns && f.columns
                                      WHEN 'drop' THEN f.verb = 'drop' AND f.columns && c.columns
                                      -- Whose meaning is the same; what else the command made of them is a change by itself.
                                      WHEN 'change' THEN f.verb = 'change' AND f.columns && c.columns
                                               AND leadguard.without_types(f.was) = leadguard.without_types(f."is")
                                      ELSE false END
                     WHEN c.kind = 'partition' THEN f.relation = c.relation AND f.kind <> 'partition'
                          -- Of one whose DETACH .. CONCURRENTLY has begun Postgres keeps the bound as a constraint.
                          AND CASE WHEN c.verb = 'change' THEN f.kind = 'constraint' AND f.verb = 'add' ELSE f.verb = c.verb END
                     ELSE false END
        GROUP BY f.number
    )
    SELECT CASE c.kind WHEN 'column' THEN CASE c.verb WHEN 'change' THEN 'change type' ELSE c.verb || ' column' END
                       WHEN 'default' THEN 'change default' WHEN 'not null' THEN 'change not null'
                       WHEN 'row security' THEN 'row security' WHEN 'owner' THEN 'owner' WHEN 'table' THEN 'rename table' WHEN 'of type' THEN 'of type'
                       WHEN 'partition' THEN CASE c.verb WHEN 'add' THEN 'attach' ELSE 'detach' END || ' partition'
                       WHEN 'trigger' THEN CASE WHEN c.verb = 'change' AND starts_with(c."is", 'disabled:') AND NOT starts_with(c.was, 'disabled:')
                                                THEN 'disable' ELSE c.verb END || ' trigger'
                       ELSE c.verb || ' ' || c.kind END,
           CASE WHEN c.relation = $1 OR c.kind IN ('partition', 'view') THEN '' WHEN c.kind = 'table' AND c.was IS NOT NULL THEN c.was ELSE concat_ws('.', c.relation::text, nullif(coalesce(c.old_name, c.new_name), '')) END
               || CASE WHEN c.relation = $1 OR c.kind IN ('partition', 'view') THEN coalesce(c.old_name, c.new_name) ELSE '' END,
           jsonb_strip_nulls(jsonb_build_object('was', left(c.was, 2000), 'is', left(c."is", 2000),
               'renamed_to', CASE c.verb WHEN 'rename' THEN c.new_name END,
               'also', (SELECT jsonb_agg(concat_ws(' ', a.verb, a.kind, nullif(coalesce(a.old_name, a.new_name), '')) ORDER BY a.number)
                        FROM follows f JOIN changed a ON a.number = f.number WHERE f.of = c.number)))
    FROM changed c
    WHERE NOT EXISTS (SELECT FROM follows f WHERE f.number = c.number)
    ORDER BY c.number
$$;
COMMENT ON FUNCTION leadguard.shape_changes(regclass) IS 'Internal: how a table differs from what schema_shape knows of it.';

-- One change: covered by an approval, a violation, or refused. org and name of the table as the registry has them.
CREATE FUNCTION leadguard.schema_mode(target regclass)
RETURNS text LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'schema_mode_wrapper';
COMMENT ON FUNCTION leadguard.schema_mode(regclass) IS
'Internal: what the switch schema_changes of a table says in the newest state, however old the transaction is.';

CREATE FUNCTION leadguard.note_change(target regclass, target_name text, kind text, object text, detail jsonb, may_refuse boolean, self_approved boolean)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    root regclass := coalesce((SELECT c.parent FROM leadguard.protected_child c WHERE c.target = $1), $1);
    of leadguard.protected_table;
    mode text;
    agreed leadguard.approval;
    shown text := concat_ws(' ', kind, nullif(object, ''));
    unnoticed boolean := note_change.detail ? 'unnoticed';
    -- Whoever looks at what happened unnoticed need not have done it.
    maker bigint := CASE WHEN NOT unnoticed THEN leadguard.current_member() END;
    made bigint;
BEGIN
    SELECT p.* INTO of FROM leadguard.protected_table p WHERE p.target = root;
    IF of.target IS NULL THEN
        RETURN;
    END IF;
    mode := leadguard.schema_mode(root);
    -- Used once: for all that it lists, in one transaction.
    SELECT a.* INTO agreed
    FROM leadguard.approval a
    WHERE a.kind = 'schema' AND a.target = root AND a.granted AND a.until > clock_timestamp()
      AND (of.organization_column IS NOT NULL OR a.org_id = of.org_id)
      -- One for a table of notes or tags names it.
      AND (a.detail ->> 'table') IS NOT DISTINCT FROM CASE WHEN $1 <> root THEN $2 END
      AND a.detail -> 'changes' @> jsonb_build_array(jsonb_build_object('kind', note_change.kind, 'object', note_change.object))
      AND (a.used_at IS NULL OR EXISTS (SELECT FROM leadguard.schema_change c WHERE c.approval = a.id AND c.transaction = pg_current_xact_id()))
      AND NOT EXISTS (SELECT FROM leadguard.schema_change c
                      WHERE c.approval = a.id AND (c.transaction <> pg_current_xact_id() OR (c.kind, c.object) = (note_change.kind, note_change.object)))
      AND NOT unnoticed
    ORDER BY a.used_at NULLS LAST, a.until, a.id
    LIMIT 1
    FOR UPDATE;
    IF agreed.id IS NOT NULL THEN
        UPDATE leadguard.approval a SET used_at = clock_timestamp() WHERE a.id = agreed.id AND a.used_at IS NULL;
    ELSIF NOT self_approved AND mode = 'refuse' AND may_refuse THEN
        RAISE EXCEPTION '% of % refused: no approval covers it', shown, $2
            USING ERRCODE = 'LG004',
                  DETAIL = 'The table takes changes of its schema only with an approval (switch schema_changes).',
                  HINT = format('A member asks with leadguard.request_schema_change(%L, %L, …), a data owner decides.', $2, shown);
    END IF;
    INSERT INTO leadguard.schema_change (org_id, target, target_name, kind, object, detail, session_role, member_id, approval,
        rationale, requesting_team, expected_usage, state)
    VALUES (CASE WHEN of.organization_column IS NULL THEN of.org_id END, $1, $2, $3, $4,
            note_change.detail || CASE WHEN self_approved AND agreed.id IS NULL THEN '{"self_approved": true}' ELSE '{}' END::jsonb,
            CASE WHEN NOT unnoticed THEN session_user END,
            CASE WHEN of.organization_column IS NULL THEN (SELECT m.id FROM leadguard.member m WHERE m.id = maker AND m.org_id = of.org_id) END,
            agreed.id, agreed.justification, agreed.detail ->> 'requesting_team', agreed.detail ->> 'expected_usage',
            CASE WHEN agreed.id IS NOT NULL OR self_approved THEN 'approved' ELSE 'violation' END)
    RETURNING schema_change.id INTO made;
    IF of.organization_column IS NOT NULL AND maker IS NOT NULL THEN
        INSERT INTO leadguard.schema_change_maker (change, member_id) VALUES (made, maker);
    END IF;
    PERFORM leadguard.note_event('schema_change', CASE WHEN of.organization_column IS NULL THEN of.org_id END, $1, NULL, agreed.justification,
        format('%s of %s: %s', shown, $2, CASE WHEN agreed.id IS NOT NULL THEN 'approval ' || agreed.id WHEN self_approved THEN 'by a data owner' ELSE 'without approval' END));
END
$$;
COMMENT ON FUNCTION leadguard.note_change(regclass, text, text, text, jsonb, boolean, boolean) IS
'Internal: writes a change of a protected table into the changelog, with the approval that it uses up. LG004 without one where the table''s switch schema_changes says refuse.';

CREATE FUNCTION leadguard.note_shape(target regclass, may_refuse boolean, noticed boolean)
RETURNS integer LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
    found_changes integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM leadguard.schema_known k WHERE k.target = $1) THEN
        PERFORM leadguard.keep_shape($1, true);
        RETURN 0;
    ELSIF NOT EXISTS (
        SELECT FROM (SELECT s.* FROM leadguard.schema_shape s WHERE s.target = $1) o
        FULL JOIN leadguard.table_shape($1) n USING (relation, kind, identity)
        WHERE (o.name, o.columns, o.digest, o.definition) IS DISTINCT FROM (n.name, n.columns, n.digest, n.definition)
    ) THEN
        -- Locks nothing: who only looks must not let those wait who change the table.
        RETURN 0;
    END IF;
    -- Of two sessions the second finds only what the first has not seen.
    PERFORM FROM leadguard.schema_known k WHERE k.target = $1 FOR UPDATE;
    FOR item IN SELECT c.* FROM leadguard.shape_changes($1) c LOOP
        PERFORM leadguard.note_change($1,
            coalesce((SELECT s.definition FROM leadguard.schema_shape s WHERE s.target = $1 AND s.relation = $1 AND s.kind = 'table'), $1::text),
            item.kind, item.object, item.detail || CASE WHEN noticed THEN '{}' ELSE '{"unnoticed": true}' END::jsonb, may_refuse, false);
        found_changes := found_changes + 1;
    END LOOP;
    -- Also what is written in another way and means the same, as after a rename elsewhere.
    PERFORM leadguard.keep_shape($1, true);
    RETURN found_changes;
END
$$;
COMMENT ON FUNCTION leadguard.note_shape(regclass, boolean, boolean) IS
'Internal: finds how a table differs from what is known of it, writes each difference into the changelog, and knows the table as it is then.';

-- Asking for changes of a schema, and what becomes of those for which nobody asked. What leadguard's own functions add
-- (namespaces of tags, attributes, valid values) is judged like a new column.

CREATE FUNCTION leadguard.schema_kinds(with_object boolean)
RETURNS text[] LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN $1
        THEN '{add column,drop column,rename column,change type,change default,change not null,add constraint,drop constraint,change constraint,add policy,drop policy,change policy,add trigger,drop trigger,change trigger,disable trigger,add rule,drop rule,change rule,drop view,change view,attach partition,detach partition,tag namespace,attribute,valid value,drop valid values}'::text[]
        ELSE '{row security,owner,rename table,drop table,of type}'::text[] END
$$;
COMMENT ON FUNCTION leadguard.schema_kinds(boolean) IS 'Internal: the kinds of changes that name an object, or those that concern the whole table.';

CREATE FUNCTION leadguard.parse_changes(change text)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part text;
    known text;
    object text;
    changes jsonb := '[]';
BEGIN
    FOREACH part IN ARRAY string_to_array(change, ',') LOOP
        part := btrim(part);
        SELECT k.kind INTO known FROM unnest(leadguard.schema_kinds(true) || leadguard.schema_kinds(false)) k (kind)
        WHERE part = k.kind OR starts_with(part, k.kind || ' ');
        object := btrim(substr(part, length(known) + 1));
        IF object LIKE '"%"' AND length(object) > 2 THEN
            object := replace(substr(object, 2, length(object) - 2), '""', '"');
        END IF;
        -- What concerns a whole partition names it.
        IF known IS NULL OR (object = '' AND known = ANY (leadguard.schema_kinds(true))) OR (object <> '' AND known IN ('drop table', 'of type'))
           OR length(object) > 200 THEN
            RAISE EXCEPTION '"%" names no change', left(part, 100)
                USING ERRCODE = '22023',
                      HINT = format('Write a kind and what it concerns, as in ''add column score''. Kinds are %s; alone stand %s.',
                                    array_to_string(leadguard.schema_kinds(true), ', '), array_to_string(leadguard.schema_kinds(false), ', '));
        END IF;
        changes := changes || jsonb_build_object('kind', known, 'object', object);
    END LOOP;
    IF jsonb_array_length(changes) NOT BETWEEN 1 AND 50 THEN
        RAISE EXCEPTION 'a request names 1 to 50 changes'
            USING ERRCODE = '22023', HINT = 'Make several requests of a longer list.';
    END IF;
    RETURN changes;
END
$$;
COMMENT ON FUNCTION leadguard.parse_changes(text) IS 'Internal: "add column score, add constraint score_fits" as kinds and objects; 22023.';

CREATE FUNCTION leadguard.request_schema_change(target regclass, change text, rationale text, requesting_team text, expected_usage text,
    until timestamptz DEFAULT now() + interval '14 days')
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
DECLARE
    asking leadguard.member;
    of leadguard.protected_table;
    child regclass := (SELECT c.target FROM leadguard.protected_child c WHERE c.target = request_schema_change.target);
    part record;
    made bigint;
BEGIN
    SELECT m.* INTO asking FROM leadguard.member m WHERE m.id = leadguard.current_member();
    IF asking.id IS NULL OR asking.kind = 'guest' OR leadguard.is_analyst()
       OR EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id WHERE mr.member_id = asking.id AND r.level_cap = 'read') THEN
        RAISE EXCEPTION 'request_schema_change refused'
            USING ERRCODE = '42501', HINT = 'Members ask who may write; guests, analysts and view-only roles do not.';
    END IF;
    SELECT p.* INTO of FROM leadguard.protected_table p
    WHERE coalesce((SELECT c.parent FROM leadguard.protected_child c WHERE c.target = child), request_schema_change.target) IN (p.target, p.concealed_by)
      AND (p.organization_column IS NOT NULL OR p.org_id = asking.org_id)
      AND has_table_privilege(session_user, coalesce(child, p.concealed_by, p.target), 'SELECT');
    IF of.target IS NULL THEN
        RAISE EXCEPTION 'there is no protected table of yours that it could be about'
            USING ERRCODE = '22023', HINT = 'leadguard.protected lists the protected tables.';
    END IF;
    FOR part IN SELECT * FROM (VALUES ('the change', change), ('the rationale', rationale), ('the requesting team', requesting_team),
                                      ('the expected usage', expected_usage)) p (what, given) LOOP
        IF part.given IS NULL OR btrim(part.given) = '' OR length(part.given) > 10000 THEN
            RAISE EXCEPTION '% is missing or too long', part.what
                USING ERRCODE = '22023', HINT = 'The changelog says why, for which team, and what for.';
        END IF;
    END LOOP;
    IF until IS NULL OR until <= now() THEN
        RAISE EXCEPTION 'the approval would end before it begins' USING ERRCODE = '22023', HINT = 'until must be in the future.';
    END IF;
    INSERT INTO leadguard.approval (org_id, kind, target, justification, requested_by, until, detail)
    VALUES (asking.org_id, 'schema', of.target, rationale, asking.id, until,
            jsonb_build_object('changes', leadguard.parse_changes(change), 'requesting_team', requesting_team, 'expected_usage', expected_usage)
            || CASE WHEN child IS NULL THEN '{}'
                    ELSE (SELECT jsonb_build_object('table', format('%I.%I', n.nspname, c.relname))
                          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = child) END)
    RETURNING id INTO made;
    PERFORM leadguard.note_event('request_approval', asking.org_id, of.target, NULL, NULL, 'schema: ' || change);
    PERFORM leadguard.tell(d.id, 'approval_requested', of.target, NULL, jsonb_build_object('approval', made, 'kind', 'schema', 'by', asking.key))
    FROM (SELECT o.id FROM leadguard.data_owners(asking.org_id) o (id) WHERE o.id <> asking.id ORDER BY o.id LIMIT 20) d;
    RETURN made;
END
$$;
COMMENT ON FUNCTION leadguard.request_schema_change(regclass, text, text, text, text, timestamptz) IS
'Asks for a change of a protected table, or of a table of notes or tags; returns the number of the request, which a data owner decides with leadguard.decide_approval. change: a kind and what it concerns, several separated by commas: ''add column score'', ''add column score, add policy by_score'', ''drop table''; kinds as in leadguard.schema_change. Once granted whoever owns the table makes the change, once, until the given time. For members of the table''s organization who may write and whose login may read the table; 42501, 22023.';

CREATE FUNCTION leadguard.accept_schema_change(id bigint, resolution text)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deciding leadguard.member;
    of leadguard.schema_change;
    maker bigint;
    free boolean := leadguard.is_unbound();
BEGIN
    SELECT m.* INTO deciding FROM leadguard.member m WHERE m.id = leadguard.current_member();
    IF NOT free AND (deciding.id IS NULL OR deciding.kind <> 'person' OR leadguard.is_analyst() OR NOT leadguard.has_capability('approve')) THEN
        RAISE EXCEPTION 'accept_schema_change refused'
            USING ERRCODE = '42501', HINT = 'A person with the capability approve (a data owner) accepts it.';
    END IF;
    IF id IS NULL THEN
        RAISE EXCEPTION 'argument "id" must not be NULL' USING ERRCODE = '22023';
    END IF;
    SELECT c.* INTO of FROM leadguard.schema_change c
    WHERE c.id = accept_schema_change.id AND (free OR coalesce(c.org_id, deciding.org_id) = deciding.org_id) FOR UPDATE;
    maker := coalesce(of.member_id, (SELECT r.member_id FROM leadguard.schema_change_maker r WHERE r.change = of.id));
    IF of.id IS NULL THEN
        RAISE EXCEPTION 'schema change % does not exist or is not visible', id
            USING ERRCODE = '42501', HINT = 'leadguard.schema_change shows those of your organization to members with the capability audit.';
    ELSIF maker = deciding.id OR of.session_role = deciding.db_role THEN
        RAISE EXCEPTION 'schema change % is your own', id
            USING ERRCODE = '42501', HINT = 'Somebody else with the capability approve accepts it.';
    ELSIF maker IS NULL AND of.session_role = session_user AND NOT free THEN
        RAISE EXCEPTION 'schema change % may be your own', id
            USING ERRCODE = '42501', DETAIL = 'Your login made it, for nobody who was known.',
                  HINT = 'Somebody with the capability approve accepts it over another login.';
    ELSIF of.session_role IS NULL AND NOT free
          AND pg_has_role(session_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = of.target), 'USAGE') THEN
        RAISE EXCEPTION 'schema change % may be your own', id
            USING ERRCODE = '42501', DETAIL = 'Nobody knows who made it, and your login may change the table.',
                  HINT = 'Somebody else with the capability approve accepts it.';
    ELSIF of.state <> 'violation' THEN
        RAISE EXCEPTION 'schema change % is no violation', id
            USING ERRCODE = '55000', HINT = 'It is approved or accepted already: leadguard.schema_change.state says which are violations.';
    ELSIF resolution IS NULL OR btrim(resolution) = '' OR length(resolution) > 10000 THEN
        RAISE EXCEPTION 'the resolution is missing or too long'
            USING ERRCODE = '22023', HINT = 'The changelog says why the change may stay.';
    END IF;
    UPDATE leadguard.schema_change c
    SET state = 'accepted', resolved_by = deciding.id, resolved_at = clock_timestamp(), resolution = accept_schema_change.resolution
    WHERE c.id = of.id;
    PERFORM leadguard.note_event('accept_schema_change', of.org_id, of.target, NULL, accept_schema_change.resolution,
                                 concat_ws(' ', of.kind, nullif(of.object, '')));
END
$$;
COMMENT ON FUNCTION leadguard.accept_schema_change(bigint, text) IS
'Accepts a change of a schema that nobody had approved, with the reason. For persons with the capability approve of the organization who did not make it, nor, where nobody knows who did, hold the rights of the table''s owner or come over the login that did, and superusers; 42501, 22023, 55000 where it is no violation.';

CREATE FUNCTION leadguard.check_schema(target regclass DEFAULT NULL)
RETURNS TABLE (id bigint, target_name text, kind text, object text, detail jsonb)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    item regclass;
    before bigint;
    own bigint := leadguard.current_organization();
    free boolean := leadguard.is_unbound();
    trusted boolean := NOT leadguard.is_analyst() AND NOT leadguard.is_guest()
        AND (leadguard.has_capability('audit') OR leadguard.has_capability('approve') OR leadguard.has_capability('administer'));
    asked regclass[];
BEGIN
    SELECT array_agg(t.target) INTO asked
    FROM (SELECT p.target, p.concealed_by, p.org_id, p.organization_column FROM leadguard.protected_table p
          UNION ALL
          SELECT h.target, NULL, p.org_id, p.organization_column FROM leadguard.protected_child h JOIN leadguard.protected_table p ON p.target = h.parent) t
    JOIN pg_class c ON c.oid = t.target
    WHERE ($1 IS NULL OR $1 IN (t.target, t.concealed_by))
      AND (free OR (trusted AND (t.organization_column IS NOT NULL OR t.org_id = own)) OR pg_has_role(session_user, c.relowner, 'USAGE'));
    IF NOT free AND NOT trusted AND asked IS NULL THEN
        RAISE EXCEPTION 'check_schema refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability audit, approve or administer ask, and the owner of a table.';
    ELSIF $1 IS NOT NULL AND asked IS NULL THEN
        RAISE EXCEPTION 'there is no protected table of yours that it could be about'
            USING ERRCODE = '22023', HINT = 'leadguard.protected lists the protected tables.';
    END IF;
    FOREACH item IN ARRAY coalesce(asked, '{}') LOOP
        SELECT coalesce(max(c.id), 0) INTO before FROM leadguard.schema_change c;
        PERFORM leadguard.note_shape(item, false, false);
        RETURN QUERY SELECT c.id, c.target_name, c.kind, c.object, c.detail
                     FROM leadguard.schema_change c
                     WHERE c.target = item AND c.id > before AND c.transaction = pg_current_xact_id() ORDER BY c.id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.check_schema(regclass) IS
'Compares protected tables (by default all of the caller''s) with what is known of them, writes what changed while event triggers were off into the changelog, as violations, and returns it. For members with the capability audit, approve or administer about tables of their organization, owners of a table and superusers; 42501, 22023.';

-- New namespaces of tags, attributes and valid values. A data owner who makes them himself has agreed.
CREATE FUNCTION leadguard.note_vocabulary(target regclass, kind text, object text, detail jsonb)
RETURNS void LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
BEGIN
    -- What a restore brings was decided long ago.
    IF NOT leadguard.is_restore() THEN
        PERFORM leadguard.note_change($1, (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1),
            $2, $3, $4, true,
            leadguard.has_capability('approve') AND NOT leadguard.is_analyst()
                AND EXISTS (SELECT FROM leadguard.member m WHERE m.id = leadguard.current_member() AND m.kind = 'person'));
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.note_vocabulary(regclass, text, text, jsonb) IS 'Internal: as note_change, for what data owners may add themselves.';

CREATE FUNCTION leadguard.watch_vocabulary()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
BEGIN
    IF TG_TABLE_NAME = 'tag_namespace' THEN
        PERFORM leadguard.note_vocabulary(i.target, 'tag namespace', i.namespace, '{}') FROM inserted i ORDER BY i.namespace;
    ELSIF TG_TABLE_NAME = 'field_value' THEN
        -- The first list of a field narrows it; values that come later widen it.
        FOR item IN
            SELECT i.target, concat_ws('.', i.column_name, nullif(i.key, '')) AS field, count(*) AS values
            FROM inserted i
            WHERE EXISTS (SELECT FROM leadguard.field_value v
                          WHERE (v.target, v.column_name, v.key) = (i.target, i.column_name, i.key)
                            AND NOT EXISTS (SELECT FROM inserted n WHERE (n.target, n.column_name, n.key, n.value) = (v.target, v.column_name, v.key, v.value)))
            GROUP BY 1, 2
        LOOP
            PERFORM leadguard.note_vocabulary(item.target, 'valid value', item.field, jsonb_build_object('values', item.values));
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.watch_vocabulary() IS
'Trigger AFTER INSERT of tag_namespace and field_value: writes new namespaces and values into the changelog; LG004 where schema_changes says refuse and nobody has agreed.';

CREATE FUNCTION leadguard.watch_dropped_values()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.note_vocabulary(d.target, 'drop valid values', d.field, jsonb_build_object('values', d.values))
    FROM (SELECT g.target, concat_ws('.', g.column_name, nullif(g.key, '')) AS field, count(*) AS values
          FROM gone g
          WHERE NOT EXISTS (SELECT FROM leadguard.field_value v WHERE (v.target, v.column_name, v.key) = (g.target, g.column_name, g.key))
            AND EXISTS (SELECT FROM leadguard.protected_table p WHERE p.target = g.target)
          GROUP BY 1, 2 ORDER BY 1, 2) d;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.watch_dropped_values() IS
'Trigger AFTER DELETE of field_value: a field whose list goes takes every value; as watch_vocabulary.';
CREATE TRIGGER schema_90_vocabulary AFTER INSERT ON leadguard.tag_namespace REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.watch_vocabulary();
CREATE TRIGGER schema_90_vocabulary AFTER INSERT ON leadguard.field_value REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.watch_vocabulary();
CREATE TRIGGER schema_90_dropped_values AFTER DELETE ON leadguard.field_value REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.watch_dropped_values();

CREATE FUNCTION leadguard.watch_attributes()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.note_vocabulary(new.target, 'attribute', a.column_name || '.' || a.key, jsonb_build_object('version', new.version))
    FROM (SELECT DISTINCT r.column_name, r.key FROM leadguard.field_rule r WHERE r.version_id = new.id AND r.key <> '' ORDER BY 1, 2) a
    WHERE NOT EXISTS (SELECT FROM leadguard.field_version v JOIN leadguard.field_rule r ON r.version_id = v.id
                      WHERE v.target = new.target AND v.id <> new.id AND v.activated_at IS NOT NULL AND (r.column_name, r.key) = (a.column_name, a.key));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.watch_attributes() IS
'Trigger AFTER ROW of field_version: a version that becomes active may bring attributes (keys of jsonb columns) that none had before; as watch_vocabulary.';
CREATE TRIGGER schema_90_attributes AFTER UPDATE OF state ON leadguard.field_version
    FOR EACH ROW WHEN (new.state = 'active' AND old.state <> 'active') EXECUTE FUNCTION leadguard.watch_attributes();

-- Event triggers. Definer rights: whoever changes a table has none on the changelog. None of the queries runs code of
-- a user. The names order them: drops before leadguard_watch_drop forgets the table, changes after leadguard_watch_ddl
-- has put the protection in order.
CREATE FUNCTION leadguard.know_schema()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
    -- A restore, which superusers run, registers a table before it makes policies and triggers.
    IF NOT leadguard.is_at_work()
       AND NOT leadguard.is_restore()
       AND EXISTS (SELECT FROM leadguard.protected_table p WHERE NOT EXISTS (SELECT FROM leadguard.schema_known k WHERE k.target = p.target)
                   UNION ALL
                   SELECT FROM leadguard.protected_child c WHERE NOT EXISTS (SELECT FROM leadguard.schema_known k WHERE k.target = c.target)) THEN
        PERFORM leadguard.know_tables();
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.know_schema() IS
'Event trigger before any command: takes down how protected tables look that a restore or an update brought.';

CREATE FUNCTION leadguard.watch_schema()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    item regclass;
BEGIN
    -- Most commands of a database concern no protected table: they cost one look at the commands and few by key.
    FOR item IN
        WITH command AS MATERIALIZED (
            SELECT CASE d.classid
                       -- The name of an index may be that of a constraint.
                       WHEN 'pg_class'::regclass THEN coalesce((SELECT x.indrelid FROM pg_index x WHERE x.indexrelid = d.objid), d.objid)
                       WHEN 'pg_policy'::regclass THEN (SELECT o.polrelid FROM pg_policy o WHERE o.oid = d.objid)
                       WHEN 'pg_trigger'::regclass THEN (SELECT o.tgrelid FROM pg_trigger o WHERE o.oid = d.objid)
                       WHEN 'pg_constraint'::regclass THEN (SELECT o.conrelid FROM pg_constraint o WHERE o.oid = d.objid)
                       WHEN 'pg_attrdef'::regclass THEN (SELECT o.adrelid FROM pg_attrdef o WHERE o.oid = d.objid)
                       WHEN 'pg_rewrite'::regclass THEN (SELECT o.ev_class FROM pg_rewrite o WHERE o.oid = d.objid) END AS relation,
                   CASE d.classid
                       WHEN 'pg_type'::regclass THEN d.objid
                       WHEN 'pg_class'::regclass THEN (SELECT y.reltype FROM pg_class y WHERE y.oid = d.objid AND y.relkind = 'c') END AS type,
                   CASE d.classid WHEN 'pg_namespace'::regclass THEN d.objid END AS schema
            FROM pg_event_trigger_ddl_commands() d
            -- No temporary table is protected; of a temporary type a lasting table may be.
            WHERE d.schema_name IS DISTINCT FROM 'pg_temp' OR d.object_type IN ('type', 'composite type')
        )
        SELECT k.target FROM command c JOIN leadguard.schema_known k ON k.target IN (c.relation, pg_partition_root(c.relation))
        UNION
        SELECT s.target FROM command c JOIN leadguard.schema_shape s ON s.relation = c.relation AND s.kind = 'view'
        UNION
        SELECT k.target
        FROM command c
        CROSS JOIN LATERAL (
            -- OFFSET 0: looked for only where there is a type or a schema.
            SELECT k.target FROM leadguard.schema_known k JOIN pg_class t ON t.oid = k.target
            WHERE t.reloftype = c.type OR t.relnamespace = c.schema OFFSET 0) k
        WHERE c.type IS NOT NULL OR c.schema IS NOT NULL
    LOOP
        IF leadguard.is_at_work() THEN
            PERFORM leadguard.note_work(item);
        ELSE
            PERFORM leadguard.note_shape(item, true, true);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.watch_schema() IS
'Event trigger after any command: writes what it changed about protected tables into leadguard.schema_change, or refuses it (LG004).';

CREATE FUNCTION leadguard.watch_schema_drop()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT DISTINCT s.target, s.target = d.relation AND d.objsubid = 0 AND d.classid = 'pg_class'::regclass AS is_gone,
               (SELECT n.definition FROM leadguard.schema_shape n WHERE n.target = s.target AND n.relation = s.target AND n.kind = 'table') AS name
        FROM (SELECT o.classid, o.objsubid,
                     CASE WHEN o.classid = 'pg_class'::regclass THEN o.objid::regclass
                          WHEN o.object_type IN ('policy', 'trigger', 'rule', 'table constraint', 'default value')
                          THEN to_regclass(format('%I.%I', o.address_names[1], o.address_names[2])) END AS relation
              FROM pg_event_trigger_dropped_objects() o
              WHERE NOT o.is_temporary) d
        JOIN leadguard.schema_shape s ON s.relation = d.relation
        ORDER BY 2 DESC
    LOOP
        IF item.is_gone THEN
            PERFORM leadguard.note_change(item.target, item.name, 'drop table', '', '{}', NOT leadguard.is_at_work(), false);
            DELETE FROM leadguard.schema_known k WHERE k.target = item.target;
        ELSIF leadguard.is_at_work() THEN
            PERFORM leadguard.note_work(item.target);
        ELSIF EXISTS (SELECT FROM leadguard.schema_known k WHERE k.target = item.target) THEN
            PERFORM leadguard.note_shape(item.target, true, true);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.watch_schema_drop() IS
'Event trigger after any drop: as watch_schema, for what is gone.';

CREATE EVENT TRIGGER leadguard_know_schema ON ddl_command_start EXECUTE FUNCTION leadguard.know_schema();
COMMENT ON EVENT TRIGGER leadguard_know_schema IS 'Knows how protected tables look before they change.';
CREATE EVENT TRIGGER leadguard_watch_schema ON ddl_command_end EXECUTE FUNCTION leadguard.watch_schema();
COMMENT ON EVENT TRIGGER leadguard_watch_schema IS 'Writes down what changes about protected tables.';
CREATE EVENT TRIGGER leadguard_notice_drop ON sql_drop EXECUTE FUNCTION leadguard.watch_schema_drop();
COMMENT ON EVENT TRIGGER leadguard_notice_drop IS 'Writes down what is dropped of protected tables.';

-- The questions of a review. Each function answers one for an organization, from a time on: severity, what it is about,
-- evidence, and SQL that solves it. They read tables of leadguard and of the catalog, never those of users. All are for
-- leadguard.run_review, which calls them as the owner of the extension.

CREATE FUNCTION leadguard.review_takes_role(key text, role text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = %L AND r.role = %L;', $1, $2)
$$;
COMMENT ON FUNCTION leadguard.review_takes_role(text, text) IS 'Internal: a statement that takes a role from a member.';

CREATE FUNCTION leadguard.review_too_many_admins(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH admin AS (SELECT a.* FROM leadguard.administrators($1) a)
    SELECT 'high', 'organization ' || o.key,
           jsonb_build_object('administrators', (SELECT jsonb_agg(DISTINCT a.key) FROM admin a), 'at_most', 2),
           (SELECT string_agg(leadguard.review_takes_role(a.key, a.role), E'\n' ORDER BY a.place, a.role) FROM admin a WHERE a.place > 2)
    FROM leadguard.organization o
    WHERE o.id = $1 AND (SELECT max(a.place) FROM admin a) > 2
$$;
COMMENT ON FUNCTION leadguard.review_too_many_admins(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_everyone_admin(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH admin AS (SELECT a.* FROM leadguard.administrators($1) a),
         person AS (SELECT m.id FROM leadguard.member m WHERE m.org_id = $1 AND m.active AND m.kind = 'person')
    SELECT 'high', 'organization ' || o.key, jsonb_build_object('administrators', (SELECT jsonb_agg(DISTINCT a.key) FROM admin a)),
           (SELECT string_agg(leadguard.review_takes_role(a.key, a.role), E'\n' ORDER BY a.place, a.role) FROM admin a
            WHERE a.place > (SELECT count(DISTINCT d.role) FROM admin d))
    FROM leadguard.organization o
    WHERE o.id = $1 AND (SELECT count(*) FROM person) > 1 AND NOT EXISTS (SELECT FROM person p WHERE p.id NOT IN (SELECT a.id FROM admin a))
$$;
COMMENT ON FUNCTION leadguard.review_everyone_admin(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_new_admin(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Whoever was given such a role, or held one that became such, also one who has lost it since, or is gone, and whatever
    -- the role is now: what he did meanwhile is to be looked at.
    WITH given AS (
        SELECT w.words[1] AS key, w.words[2] AS role, to_char(l.at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, min(l.at) AS at,
               coalesce(min(l.member_key), min(l.session_role)) AS by,
               jsonb_agg(DISTINCT l.member_id) FILTER (WHERE l.member_id IS NOT NULL) AS concerns
        FROM leadguard.audit_log l
        CROSS JOIN LATERAL regexp_match(l.detail, '^member (.*), role (.*)$') AS w (words)
        WHERE l.at >= $2 AND l.organization = $1 AND l.action = 'admin_made'
        GROUP BY 1, 2, 3
    )
    SELECT 'medium', format('member %s, role %s, %s', g.key, g.role, g.day),
           jsonb_build_object('member', g.key, 'role', g.role, 'at', g.at, 'by', g.by, 'concerns', g.concerns, 'holds_it', h.holds),
           CASE WHEN h.holds THEN leadguard.review_takes_role(g.key, g.role) END
    FROM given g
    -- A role that is an ordinary one again is nothing to take away.
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM leadguard.member m JOIN leadguard.member_role mr ON mr.member_id = m.id AND mr.role = g.role
                                       JOIN leadguard.role r ON r.id = mr.role_id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)
                                       WHERE m.key = g.key AND m.org_id = $1 AND m.active) AS holds) h
$$;
COMMENT ON FUNCTION leadguard.review_new_admin(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_rights_beyond_role(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- By hand: shares and record teams. What a guest, or somebody whose role only reads, may have of them is to read;
    -- a guest may be let edit, never more.
    SELECT CASE WHEN m.kind = 'guest' THEN 'high' ELSE 'medium' END, format('member %s in %s', m.key, g.target),
           jsonb_build_object('member', m.key, 'kind', m.kind, 'table', g.target::text, 'grants', count(*), 'levels', jsonb_agg(DISTINCT g.level),
                              'records', (array_agg(g.record ORDER BY g.id))[1:10]),
           string_agg(format('SELECT leadguard.%s(%L, %L, member => %L);', CASE g.kind WHEN 'share' THEN 'unshare' ELSE 'team_remove' END,
                             coalesce(p.concealed_by, p.target)::text, g.record, m.key), E'\n' ORDER BY g.id)
    FROM leadguard.record_grant g
    JOIN leadguard.member m ON m.id = g.member_id AND m.active
    JOIN leadguard.protected_table p ON p.target = g.target
    WHERE m.org_id = $1 AND g.kind IN ('share', 'record_team') AND (g.until IS NULL OR g.until > now())
      AND ((m.kind = 'guest' AND g.level = 'full')
           OR (g.level <> 'read' AND EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
                                             WHERE mr.member_id = m.id AND r.level_cap = 'read')))
    GROUP BY m.id, m.key, m.kind, g.target
$$;
COMMENT ON FUNCTION leadguard.review_rights_beyond_role(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_roles_deviate(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN held.rank > s.rank THEN 'medium' ELSE 'low' END, 'member ' || m.key,
           jsonb_build_object('member', m.key, 'job_function', j.name, 'standard', j.role, 'held', held.roles),
           concat_ws(E'\n',
               (SELECT string_agg(leadguard.review_takes_role(m.key, mr.role), E'\n' ORDER BY mr.role)
                FROM leadguard.member_role mr WHERE mr.member_id = m.id AND mr.role <> j.role),
               CASE WHEN NOT held.roles ? j.role THEN format('INSERT INTO leadguard.member_role (member_id, role) SELECT m.id, %L FROM leadguard.member m WHERE m.key = %L;',
                                                           j.role, m.key) END)
    FROM leadguard.member m
    JOIN leadguard.member_function f ON f.member_id = m.id
    JOIN leadguard.job_function j ON j.org_id = m.org_id AND j.name = f.job_function
    JOIN leadguard.role s ON s.id = j.role_id
    CROSS JOIN LATERAL (SELECT coalesce(jsonb_agg(mr.role ORDER BY mr.role), '[]') AS roles, coalesce(max(r.rank), 0) AS rank
                        FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id WHERE mr.member_id = m.id) held
    WHERE m.org_id = $1 AND m.active AND held.roles <> jsonb_build_array(j.role)
$$;
COMMENT ON FUNCTION leadguard.review_roles_deviate(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_external_not_guest(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'high', 'member ' || m.key,
           jsonb_build_object('member', m.key, 'domain', lower(substring(m.email FROM '@([^@]*)$')),
                              'roles', (SELECT jsonb_agg(mr.role ORDER BY mr.role) FROM leadguard.member_role mr WHERE mr.member_id = m.id)),
           concat_ws(E'\n',
               format('DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = %L;', m.key),
               format('UPDATE leadguard.member SET kind = ''guest'' WHERE key = %L;', m.key),
               format('INSERT INTO leadguard.member_role (member_id, role) SELECT m.id, %L FROM leadguard.member m WHERE m.key = %L;', j.role, m.key))
    FROM leadguard.member m
    CROSS JOIN LATERAL leadguard.joins_as(m.org_id, m.email) j
    WHERE m.org_id = $1 AND m.active AND m.kind = 'person' AND j.kind = 'guest'
$$;
COMMENT ON FUNCTION leadguard.review_external_not_guest(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_guest_with_role(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'high', 'member ' || m.key, jsonb_build_object('member', m.key, 'roles', jsonb_agg(mr.role ORDER BY mr.role)),
           string_agg(leadguard.review_takes_role(m.key, mr.role), E'\n' ORDER BY mr.role)
    FROM leadguard.member m
    JOIN leadguard.member_role mr ON mr.member_id = m.id
    JOIN leadguard.role r ON r.id = mr.role_id
    WHERE m.org_id = $1 AND m.active AND m.kind = 'guest' AND (r.rank > 0 OR r.capabilities <> '{}')
    GROUP BY m.id, m.key
$$;
COMMENT ON FUNCTION leadguard.review_guest_with_role(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_guest_not_reviewed(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Who was invited less than three months ago was looked at then.
    SELECT 'medium', 'member ' || m.key,
           jsonb_build_object('member', m.key, 'last_review', (SELECT max(g.reviewed_at) FROM leadguard.guest_review g WHERE g.member_id = m.id),
                              'records', (SELECT count(*) FROM leadguard.record_grant g WHERE g.member_id = m.id AND (g.until IS NULL OR g.until > now()))),
           format('SELECT leadguard.review_guest(%L, ''end'', ''nobody needs it any more'');', m.key)
    FROM leadguard.member m
    WHERE m.org_id = $1 AND m.active AND m.kind = 'guest'
      AND NOT EXISTS (SELECT FROM leadguard.guest_review g WHERE g.member_id = m.id AND g.reviewed_at > now() - interval '3 months')
      AND EXISTS (SELECT FROM leadguard.record_grant g WHERE g.member_id = m.id AND g.granted_at <= now() - interval '3 months')
$$;
COMMENT ON FUNCTION leadguard.review_guest_not_reviewed(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_gone_but_active(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'medium', 'member ' || m.key, jsonb_build_object('member', m.key, 'why', 'the login role is gone', 'login', m.db_role),
           format('UPDATE leadguard.member SET active = false WHERE key = %L;', m.key)
    FROM leadguard.member m
    WHERE m.org_id = $1 AND m.active AND m.db_role IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = m.db_role)
    UNION ALL
    (SELECT DISTINCT ON (m.id) 'high', format('member %s, last day %s', m.key, o.last_day),
            jsonb_build_object('member', m.key, 'why', 'the last day is over', 'last_day', o.last_day, 'offboarding', o.state),
            CASE o.state WHEN 'planned' THEN format('SELECT leadguard.offboard_now(%L, reason => ''the last day is over'');', m.key)
                         WHEN 'leaving' THEN format('SELECT leadguard.offboard_end(%L, ''the last day is over'');', m.key)
                         ELSE format('UPDATE leadguard.member SET active = false WHERE key = %L;', m.key) END
     FROM leadguard.offboarding o
     JOIN leadguard.member m ON m.id = o.member_id AND m.active
     WHERE m.org_id = $1 AND (o.state = 'ended' OR (o.state IN ('planned', 'leaving') AND o.last_day < current_date - 14))
     ORDER BY m.id, o.id DESC)
$$;
COMMENT ON FUNCTION leadguard.review_gone_but_active(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_gone_but_owning(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'medium', 'member ' || m.key,
           jsonb_strip_nulls(jsonb_build_object('member', m.key, 'territories', o.territories, 'teams', o.teams)),
           concat_ws(E'\n',
               CASE WHEN o.territories IS NOT NULL THEN
                   format('UPDATE leadguard.territory SET owner_id = (SELECT m.manager_id FROM leadguard.member m WHERE m.key = %L) WHERE owner_id = (SELECT m.id FROM leadguard.member m WHERE m.key = %L);',
                          m.key, m.key) END,
               CASE WHEN o.teams IS NOT NULL THEN
                   format('DELETE FROM leadguard.team_member t USING leadguard.member m WHERE m.id = t.member_id AND m.key = %L;', m.key) END)
    FROM leadguard.member m
    CROSS JOIN LATERAL (
        SELECT (SELECT jsonb_agg(t.key ORDER BY t.key) FROM leadguard.territory t WHERE t.owner_id = m.id) AS territories,
               (SELECT jsonb_agg(t.key ORDER BY t.key) FROM leadguard.team_member tm JOIN leadguard.team t ON t.id = tm.team_id
                WHERE tm.member_id = m.id AND tm.role = 'owner') AS teams) o
    WHERE m.org_id = $1 AND NOT m.active AND (o.territories IS NOT NULL OR o.teams IS NOT NULL)
$$;
COMMENT ON FUNCTION leadguard.review_gone_but_owning(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_permission_creep(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Only once the log reaches back so far: before that nobody can have done anything.
    SELECT 'low', 'member ' || m.key,
           jsonb_build_object('member', m.key, 'roles', jsonb_agg(mr.role ORDER BY mr.role), 'days', 90,
                              'last_change', (SELECT max(l.at) FROM leadguard.audit_log l WHERE l.member_id = m.id)),
           string_agg(leadguard.review_takes_role(m.key, mr.role), E'\n' ORDER BY mr.role)
    FROM leadguard.member m
    JOIN leadguard.member_role mr ON mr.member_id = m.id
    JOIN leadguard.role r ON r.id = mr.role_id AND r.capabilities <> '{}'
    WHERE m.org_id = $1 AND m.active
      AND NOT EXISTS (SELECT FROM leadguard.audit_log l WHERE l.member_id = m.id AND l.at > now() - interval '90 days')
      AND EXISTS (SELECT FROM leadguard.audit_log l WHERE l.organization = $1 AND l.at <= now() - interval '90 days')
    GROUP BY m.id, m.key
$$;
COMMENT ON FUNCTION leadguard.review_permission_creep(bigint, timestamptz) IS 'Internal: see review_check.';

-- The questions of a review about teams, records, batches and schemas.

CREATE FUNCTION leadguard.review_team_owners(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH owner AS (
        SELECT tm.team_id, m.id, m.key, row_number() OVER (PARTITION BY tm.team_id ORDER BY m.id) AS place
        FROM leadguard.team_member tm
        JOIN leadguard.member m ON m.id = tm.member_id AND m.active
        WHERE tm.role = 'owner' AND m.org_id = $1
    ), counted AS (
        SELECT t.id, t.key, (SELECT count(*) FROM owner o WHERE o.team_id = t.id) AS owners
        FROM leadguard.team t
        WHERE t.org_id = $1 AND EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.team_id = t.id)
    )
    SELECT CASE WHEN c.owners = 0 THEN 'medium' ELSE 'low' END, 'team ' || c.key,
           jsonb_build_object('team', c.key, 'owners', coalesce((SELECT jsonb_agg(o.key ORDER BY o.key) FROM owner o WHERE o.team_id = c.id), '[]')),
           CASE WHEN c.owners > 3 THEN
               (SELECT string_agg(format('UPDATE leadguard.team_member SET role = ''member'' WHERE team_id = %s AND member_id = %s;', c.id, o.id), E'\n' ORDER BY o.id)
                FROM owner o WHERE o.team_id = c.id AND o.place > 3)
           ELSE
               -- Who is in the team and has most people below first.
               (SELECT string_agg(CASE WHEN n.is_member THEN format('UPDATE leadguard.team_member SET role = ''owner'' WHERE team_id = %s AND member_id = %s;', c.id, n.id)
                                       ELSE format('INSERT INTO leadguard.team_member (team_id, member_id, role) VALUES (%s, %s, ''owner'');', c.id, n.id) END, E'\n')
                FROM (SELECT m.id, tm.member_id IS NOT NULL AS is_member
                      FROM leadguard.member m
                      LEFT JOIN leadguard.team_member tm ON tm.team_id = c.id AND tm.member_id = m.id
                      WHERE m.org_id = $1 AND m.active AND m.kind = 'person' AND tm.role IS DISTINCT FROM 'owner'
                      ORDER BY tm.member_id IS NULL, (SELECT count(*) FROM leadguard.member_closure x WHERE x.ancestor_id = m.id) DESC, m.id
                      LIMIT 2 - c.owners) n)
           END
    FROM counted c
    WHERE c.owners NOT BETWEEN 2 AND 3
$$;
COMMENT ON FUNCTION leadguard.review_team_owners(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_team_owner_manages_nobody(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', format('member %s in team %s', m.key, t.key),
           jsonb_build_object('member', m.key, 'team', t.key,
                              'manages', (SELECT count(*) FROM leadguard.member_closure c WHERE c.ancestor_id = m.id AND c.depth > 0), 'in_team', 0),
           format('UPDATE leadguard.team_member SET role = ''member'' WHERE team_id = %s AND member_id = %s;', t.id, m.id)
    FROM leadguard.team t
    JOIN leadguard.team_member tm ON tm.team_id = t.id AND tm.role = 'owner'
    JOIN leadguard.member m ON m.id = tm.member_id AND m.active
    WHERE t.org_id = $1
      AND NOT EXISTS (SELECT FROM leadguard.team_member o JOIN leadguard.member_closure c ON c.ancestor_id = m.id AND c.descendant_id = o.member_id AND c.depth > 0
                      WHERE o.team_id = t.id)
$$;
COMMENT ON FUNCTION leadguard.review_team_owner_manages_nobody(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_unused_team(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Where a table has a column for teams, what is shared with one is in rows that a review does not read.
    SELECT 'low', 'team ' || t.key,
           jsonb_build_object('team', t.key, 'members', u.members, 'shares', u.shares, 'team_columns', u.columns),
           format('DELETE FROM leadguard.team WHERE id = %s;', t.id)
    FROM leadguard.team t
    CROSS JOIN LATERAL (
        SELECT (SELECT count(*) FROM leadguard.team_member tm JOIN leadguard.member m ON m.id = tm.member_id AND m.active WHERE tm.team_id = t.id) AS members,
               (SELECT count(*) FROM leadguard.record_grant g WHERE g.team_id = t.id AND (g.until IS NULL OR g.until > now())) AS shares,
               (SELECT count(*) FROM leadguard.protected_table p
                WHERE p.team_column IS NOT NULL AND (p.org_id = $1 OR p.organization_column IS NOT NULL)) AS columns) u
    WHERE t.org_id = $1 AND (u.members = 0 OR (u.shares = 0 AND u.columns = 0))
$$;
COMMENT ON FUNCTION leadguard.review_unused_team(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_unused_role(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', 'role ' || r.name, jsonb_build_object('role', r.name, 'capabilities', to_jsonb(r.capabilities)),
           format('DELETE FROM leadguard.role WHERE id = %s;', r.id)
    FROM leadguard.role r
    WHERE r.org_id = $1
      AND NOT EXISTS (SELECT FROM leadguard.member_role mr WHERE mr.role_id = r.id)
      AND NOT EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.role_id = r.id)
      AND NOT EXISTS (SELECT FROM leadguard.access_rule a WHERE a.role = r.name)
$$;
COMMENT ON FUNCTION leadguard.review_unused_role(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_expired_grants(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN bool_or(g.retained) THEN 'medium' ELSE 'low' END, format('%s in %s', h.holder, g.target),
           jsonb_strip_nulls(jsonb_build_object('member', h.member, 'team', h.team, 'table', g.target::text, 'shares', count(*),
                             'retained', count(*) FILTER (WHERE g.retained), 'records', (array_agg(g.record ORDER BY g.id))[1:10])),
           string_agg(format('SELECT leadguard.unshare(%L, %L, %s);', coalesce(p.concealed_by, p.target)::text, g.record,
                             CASE WHEN h.member IS NULL THEN format('team => %L', h.team) ELSE format('member => %L', h.member) END), E'\n' ORDER BY g.id)
    FROM leadguard.record_grant g
    JOIN leadguard.protected_table p ON p.target = g.target
    CROSS JOIN LATERAL (
        SELECT 'member ' || m.key AS holder, m.key AS member, NULL AS team FROM leadguard.member m WHERE m.id = g.member_id AND m.org_id = $1
        UNION ALL
        SELECT 'team ' || t.key, NULL, t.key FROM leadguard.team t WHERE t.id = g.team_id AND t.org_id = $1) h
    WHERE g.kind = 'share' AND g.until <= now()
    GROUP BY h.holder, h.member, h.team, g.target
$$;
COMMENT ON FUNCTION leadguard.review_expired_grants(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_record_without_side(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', format('%s, no %s', r.target, s.side),
           jsonb_build_object('table', r.target::text, 'side', s.side, 'records', count(*), 'for_example', (array_agg(r.record ORDER BY r.record))[1:10]),
           string_agg(format('SELECT leadguard.contact_add(%L, %L, %s);', coalesce(r.concealed_by, r.target)::text, r.record,
                             CASE s.side WHEN 'SELLER' THEN format('member => %L, side => ''SELLER''', r.adder) ELSE 'name => ''to be found'', side => ''BUYER''' END),
                      E'\n' ORDER BY r.record) FILTER (WHERE s.side = 'BUYER' OR r.adder IS NOT NULL)
    FROM (SELECT c.target, p.concealed_by, c.record, array_agg(c.side) AS sides,
                 min(m.key) FILTER (WHERE m.active AND m.kind = 'person') AS adder
          FROM leadguard.record_contact c
          JOIN leadguard.protected_table p ON p.target = c.target
          LEFT JOIN leadguard.member m ON m.id = c.added_by
          WHERE c.removed_at IS NULL
            AND CASE WHEN p.organization_column IS NULL THEN p.org_id = $1 ELSE m.org_id = $1 END
          GROUP BY c.target, p.concealed_by, c.record) r
    CROSS JOIN (VALUES ('BUYER'), ('SELLER')) s (side)
    WHERE s.side <> ALL (r.sides)
    GROUP BY r.target, r.concealed_by, s.side
$$;
COMMENT ON FUNCTION leadguard.review_record_without_side(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_guest_without_mark(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', format('member %s in %s', m.key, g.target),
           jsonb_build_object('member', m.key, 'table', g.target::text, 'records', (array_agg(g.record ORDER BY g.id))[1:10]),
           string_agg(format('SELECT leadguard.contact_add(%L, %L, member => %L, side => ''BUYER'');', coalesce(p.concealed_by, p.target)::text, g.record, m.key),
                      E'\n' ORDER BY g.id)
    FROM leadguard.record_grant g
    JOIN leadguard.protected_table p ON p.target = g.target
    JOIN leadguard.member m ON m.id = g.member_id AND m.active AND m.kind = 'guest'
    WHERE m.org_id = $1 AND g.kind = 'share' AND (g.until IS NULL OR g.until > now())
      AND NOT EXISTS (SELECT FROM leadguard.record_contact c
                      WHERE c.target = g.target AND c.record = g.record AND c.removed_at IS NULL
                        AND (c.member_id = m.id OR lower(c.email) = lower(m.email)))
    GROUP BY m.id, m.key, g.target
$$;
COMMENT ON FUNCTION leadguard.review_guest_without_mark(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_contact_outside_rules(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'medium', format('%s, %s instead of %s', c.target, c.side, e.side),
           jsonb_build_object('table', c.target::text, 'contacts', to_jsonb((array_agg(c.id ORDER BY c.id))[1:10]), 'count', count(*), 'side', c.side, 'expected', e.side),
           string_agg(format('SELECT leadguard.contact_side(%s, %L);', c.id, e.side), E'\n' ORDER BY c.id)
    FROM leadguard.record_contact c
    JOIN leadguard.protected_table p ON p.target = c.target
    LEFT JOIN leadguard.member a ON a.id = c.added_by
    LEFT JOIN leadguard.member m ON m.id = c.member_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN m.kind = 'guest' THEN 'BUYER' WHEN m.id IS NOT NULL THEN 'SELLER'
                    WHEN EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.org_id = $1 AND d.kind = 'own'
                                 AND d.domain IN (lower(substring(c.email FROM '@([^@]*)$')))) THEN 'SELLER'
                    WHEN (SELECT j.kind FROM leadguard.joins_as($1, c.email) j) = 'guest' THEN 'BUYER' END AS side) e
    WHERE c.removed_at IS NULL AND e.side <> c.side
      AND CASE WHEN p.organization_column IS NULL THEN p.org_id = $1 ELSE coalesce(m.org_id, a.org_id) = $1 END
    GROUP BY c.target, c.side, e.side
$$;
COMMENT ON FUNCTION leadguard.review_contact_outside_rules(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_switch(target regclass, switch text, fallback text)
RETURNS text LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Of a value for each role the widest: what no role may do nobody may.
    SELECT coalesce(
        (SELECT s.value FROM leadguard.table_switch s WHERE s.target = $1 AND s.switch = $2
         ORDER BY CASE WHEN s.value ~ '^[0-9]{1,9}$' THEN s.value::integer ELSE 2147483647 END DESC LIMIT 1),
        (SELECT d.value FROM leadguard.preset_switch d JOIN leadguard.protected_table p ON p.target = $1 AND d.preset = p.preset AND d.object IN ('*', p.object)
         WHERE d.switch = $2 ORDER BY CASE WHEN d.value ~ '^[0-9]{1,9}$' THEN d.value::integer ELSE 2147483647 END DESC LIMIT 1),
        (SELECT a.default_value FROM leadguard.access_switch a WHERE a.name = $2), $3)
$$;
COMMENT ON FUNCTION leadguard.review_switch(regclass, text, text) IS 'Internal: the widest value of a switch of a table.';

CREATE FUNCTION leadguard.review_unlogged_batch(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'high', format('transaction %s, %s of %s', w.transaction, w.action, w.target_name),
           jsonb_build_object('table', w.target_name, 'action', w.action, 'records', w.records, 'at', w.at, 'login', w.session_role, 'member', w.member_key,
                              'concerns', w.concerns),
           format('SELECT * FROM leadguard.audit_log WHERE transaction = %L AND target_name = %L ORDER BY id;', w.transaction::text, w.target_name)
    FROM (SELECT l.transaction, l.target, min(l.target_name) AS target_name, l.action, count(*) AS records, min(l.at) AS at,
                 min(l.session_role) AS session_role, min(l.member_key) AS member_key,
                 jsonb_agg(DISTINCT l.member_id) FILTER (WHERE l.member_id IS NOT NULL) AS concerns
          FROM leadguard.audit_log l
          WHERE l.at >= $2 AND l.organization = $1 AND l.record IS NOT NULL AND l.action IN ('create', 'update', 'archive', 'delete', 'reassign')
          GROUP BY l.transaction, l.target, l.action) w
    WHERE w.records >= leadguard.review_switch(w.target, 'batch_from', '10')::bigint
      AND NOT EXISTS (SELECT FROM leadguard.audit_log b WHERE b.transaction = w.transaction AND b.target = w.target AND b.action = 'batch' AND b.at >= w.at - interval '1 day')
    ORDER BY w.at DESC
$$;
COMMENT ON FUNCTION leadguard.review_unlogged_batch(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_unapproved_batch(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- First the rows whose detail is JSON, then what it says.
    WITH batch AS MATERIALIZED (
        SELECT l.* FROM leadguard.audit_log l
        WHERE l.at >= $2 AND l.organization = $1 AND l.action = 'batch' AND starts_with(l.detail, '{')
    )
    SELECT 'high', format('transaction %s, %s of %s', b.transaction, b.d ->> 'operation', b.target_name),
           jsonb_build_object('table', b.target_name, 'operation', b.d ->> 'operation', 'records', (b.d ->> 'records')::bigint, 'limit', b.most::bigint,
                              'at', b.at, 'login', b.session_role, 'member', b.member_key,
                              'concerns', CASE WHEN b.member_id IS NOT NULL THEN jsonb_build_array(b.member_id) END),
           format('SELECT * FROM leadguard.audit_log WHERE transaction = %L AND target_name = %L ORDER BY id;', b.transaction::text, b.target_name)
    FROM (SELECT l.*, l.detail::jsonb AS d, leadguard.review_switch(l.target, 'batch_' || (l.detail::jsonb ->> 'operation'), '100') AS most
          FROM batch l) b
    WHERE b.approval IS NULL AND b.d ->> 'template' IS NULL AND NOT coalesce((b.d ->> 'self_approved')::boolean, false)
      AND b.d ->> 'operation' IN ('insert', 'update', 'archive', 'delete', 'reassign', 'import')
      AND CASE WHEN b.most ~ '^[0-9]{1,18}$' THEN (b.d ->> 'records')::bigint > b.most::bigint ELSE false END
    ORDER BY b.at DESC
$$;
COMMENT ON FUNCTION leadguard.review_unapproved_batch(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_unapproved_schema_change(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN c.kind IN ('row security', 'drop policy', 'change policy', 'disable trigger', 'drop trigger', 'drop table', 'add policy') THEN 'high' ELSE 'medium' END,
           'schema change ' || c.id,
           jsonb_strip_nulls(jsonb_build_object('table', c.target_name, 'kind', c.kind, 'object', nullif(c.object, ''), 'at', c.at, 'login', c.session_role,
                             'member', m.key, 'concerns', CASE WHEN m.id IS NOT NULL THEN jsonb_build_array(m.id) END)),
           format('SELECT leadguard.accept_schema_change(%s, ''looked at and kept'');', c.id)
    FROM leadguard.schema_change c
    LEFT JOIN leadguard.schema_change_maker r ON r.change = c.id
    -- Of a table that several organizations share each hears of its own members only.
    LEFT JOIN leadguard.member m ON m.id = coalesce(c.member_id, r.member_id) AND m.org_id = $1
    WHERE coalesce(c.org_id, $1) = $1 AND c.state = 'violation'
    -- All of them: what is not met is taken for solved.
    ORDER BY c.id DESC
$$;
COMMENT ON FUNCTION leadguard.review_unapproved_schema_change(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_watch_disabled(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'high', 'event trigger ' || e.evtname, jsonb_build_object('event', e.evtevent),
           format('ALTER EVENT TRIGGER %I ENABLE;', e.evtname)
    FROM pg_event_trigger e
    WHERE starts_with(e.evtname, 'leadguard_') AND e.evtenabled NOT IN ('O', 'A')
$$;
COMMENT ON FUNCTION leadguard.review_watch_disabled(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_preload()
RETURNS text LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- With what the server preloads already.
    SELECT format('ALTER SYSTEM SET shared_preload_libraries = %s; -- a superuser, then restart',
                  string_agg(quote_literal(l.name), ', ' ORDER BY l.place))
    FROM (SELECT btrim(n.name, ' "') AS name, n.place
          FROM unnest(string_to_array(current_setting('shared_preload_libraries'), ',')) WITH ORDINALITY n (name, place)
          WHERE btrim(n.name, ' "') NOT IN ('', 'leadguard')
          UNION ALL SELECT 'leadguard', 1000) l
$$;
COMMENT ON FUNCTION leadguard.review_preload() IS 'Internal: a statement that lets the server preload the library, after those that it preloads.';

CREATE FUNCTION leadguard.review_window_not_counted(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'medium', s.target::text, jsonb_build_object('batch_window', s.value),
           leadguard.review_preload()
    FROM leadguard.table_switch s
    JOIN leadguard.protected_table p ON p.target = s.target
    WHERE s.switch = 'batch_window' AND s.value <> '0' AND NOT leadguard.is_preloaded()
      AND (p.org_id = org OR p.organization_column IS NOT NULL)
$$;
COMMENT ON FUNCTION leadguard.review_window_not_counted(bigint, timestamptz) IS 'Internal: see review_check.';

-- The counters exist where the server preloads the library. Far more: ten times the middle of the organization.
CREATE FUNCTION leadguard.review_unusual_access(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    measured boolean := false;
BEGIN
    IF to_regprocedure('leadguard.member_activity()') IS NOT NULL AND to_regprocedure('leadguard.is_preloaded()') IS NOT NULL THEN
        EXECUTE 'SELECT leadguard.is_preloaded()' INTO measured;
    END IF;
    IF NOT measured THEN
        RETURN QUERY SELECT 'info', 'member_activity', '{"result": "not measured", "why": "the server does not preload the library"}'::jsonb,
                            leadguard.review_preload();
        RETURN;
    END IF;
    RETURN QUERY EXECUTE $q$
        WITH activity AS (
            SELECT a.* FROM leadguard.member_activity() a JOIN leadguard.member m ON m.key = a.member AND m.org_id = $1
        ), middle AS (
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a.rows_returned) AS read FROM activity a
        )
        SELECT 'medium', 'member ' || a.member,
               jsonb_build_object('member', a.member, 'rows', a.rows_returned, 'statements', a.statements, 'exports', a.exports, 'refusals', a.refusals,
                                  'since', a.since, 'middle_of_rows', m.read),
               format('SELECT * FROM leadguard.audit_run(''incident'', %L);', a.member)
        FROM activity a CROSS JOIN middle m
        WHERE (a.rows_returned >= 1000 AND a.rows_returned > 10 * m.read) OR a.refusals >= 50 OR a.exports >= 10 $q$ USING org;
END
$$;
COMMENT ON FUNCTION leadguard.review_unusual_access(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_review_overdue(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', 'organization ' || o.key, jsonb_build_object('last', (SELECT max(r.at) FROM leadguard.review r WHERE r.org_id = $1 AND r.kind = 'quarterly')),
           'SELECT * FROM leadguard.audit_run(''quarterly'');'
    FROM leadguard.organization o
    WHERE o.id = $1 AND NOT EXISTS (SELECT FROM leadguard.review r WHERE r.org_id = $1 AND r.kind = 'quarterly' AND r.at > now() - interval '100 days')
$$;
COMMENT ON FUNCTION leadguard.review_review_overdue(bigint, timestamptz) IS 'Internal: see review_check.';

-- audit_run and the findings.

CREATE FUNCTION leadguard.review_refuse(operation text)
RETURNS void LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_unbound()
       AND (leadguard.current_member() IS NULL OR leadguard.is_guest() OR leadguard.is_analyst() OR NOT leadguard.has_capability('audit')
            OR EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
                       WHERE mr.member_id = leadguard.current_member() AND r.level_cap = 'read')) THEN
        RAISE EXCEPTION '% refused', operation
            USING ERRCODE = '42501', HINT = 'Members with the capability audit review their organization; guests, analysts and view-only roles do not.';
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.review_refuse(text) IS 'Internal: 42501 unless the caller may hold reviews.';

CREATE FUNCTION leadguard.review_organizations(kind text, subject text, since timestamptz, organization text)
RETURNS SETOF bigint LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own bigint := leadguard.current_organization();
    asked bigint[];
BEGIN
    PERFORM leadguard.review_refuse('audit_run');
    IF kind IS NULL OR kind NOT IN ('quarterly', 'monthly', 'incident') THEN
        RAISE EXCEPTION 'kind % is unknown', quote_nullable(kind) USING ERRCODE = '22023', HINT = 'Kinds are quarterly, monthly, incident.';
    ELSIF (kind = 'incident') <> (subject IS NOT NULL) THEN
        RAISE EXCEPTION 'a review of kind % %', kind, CASE kind WHEN 'incident' THEN 'needs a subject' ELSE 'has no subject' END
            USING ERRCODE = '22023', HINT = 'An incident is about a member: leadguard.audit_run(''incident'', ''key'').';
    ELSIF since > now() THEN
        RAISE EXCEPTION 'since is in the future'
            USING ERRCODE = '22023', HINT = 'Leave it out to look back a quarter, or a month.';
    END IF;
    SELECT array_agg(o.id ORDER BY o.id) INTO asked
    FROM leadguard.organization o
    WHERE o.archived_at IS NULL AND (own IS NULL OR o.id = own)
      AND (review_organizations.organization IS NULL OR o.key = review_organizations.organization);
    IF asked IS NULL THEN
        RAISE EXCEPTION 'there is no organization %', quote_nullable(organization)
            USING ERRCODE = '22023', HINT = 'Leave it out to review your own, or, as a superuser, all of them.';
    ELSIF kind = 'incident' THEN
        SELECT array_agg(m.org_id) INTO asked FROM leadguard.member m WHERE m.key = review_organizations.subject AND m.org_id = ANY (asked);
        IF asked IS NULL THEN
            RAISE EXCEPTION 'there is no member %', quote_nullable(subject)
                USING ERRCODE = '22023', HINT = 'Name a member of your organization by his key.';
        ELSIF subject = (SELECT m.key FROM leadguard.member m WHERE m.id = leadguard.current_member()) THEN
            RAISE EXCEPTION 'the incident is about you'
                USING ERRCODE = '42501', HINT = 'Somebody else with the capability audit looks into it.';
        END IF;
    END IF;
    RETURN QUERY SELECT unnest(asked);
END
$$;
COMMENT ON FUNCTION leadguard.review_organizations(text, text, timestamptz, text) IS
'Internal: which organizations the caller is about to review; 42501, 22023.';

CREATE FUNCTION leadguard.review_incident(org bigint, member text, since timestamptz)
RETURNS jsonb LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('member', m.key) || jsonb_object_agg(s.section, jsonb_build_object('is', coalesce(s."is", 'null'), 'sql', s.sql))
    FROM leadguard.member m
    CROSS JOIN LATERAL (
        SELECT 'login' AS section, jsonb_build_object('login', m.db_role, 'kind', m.kind, 'active', m.active,
                   'logins_of_others', (SELECT jsonb_agg(l.db_role) FROM leadguard.login_role l WHERE l.member_id = m.id)) AS "is",
               format('UPDATE leadguard.member SET active = false WHERE key = %L;', m.key) AS sql
        UNION ALL
        SELECT 'roles', (SELECT jsonb_agg(jsonb_build_object('role', mr.role, 'rank', r.rank, 'capabilities', to_jsonb(r.capabilities)) ORDER BY mr.role)
                         FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id WHERE mr.member_id = m.id),
               format('DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = %L;', m.key)
        UNION ALL
        SELECT 'teams', (SELECT jsonb_agg(jsonb_build_object('team', t.key, 'role', tm.role) ORDER BY t.key)
                         FROM leadguard.team_member tm JOIN leadguard.team t ON t.id = tm.team_id WHERE tm.member_id = m.id),
               format('DELETE FROM leadguard.team_member t USING leadguard.member m WHERE m.id = t.member_id AND m.key = %L;', m.key)
        UNION ALL
        SELECT 'territories', (SELECT jsonb_agg(t.key ORDER BY t.key) FROM leadguard.territory t
                               WHERE t.owner_id = m.id OR EXISTS (SELECT FROM leadguard.territory_member tm WHERE tm.territory_id = t.id AND tm.member_id = m.id)),
               format('DELETE FROM leadguard.territory_member t USING leadguard.member m WHERE m.id = t.member_id AND m.key = %L;', m.key)
        UNION ALL
        SELECT 'scopes', (SELECT jsonb_agg(jsonb_build_object('table', sc.target::text, 'kind', sc.kind, 'value', sc.value) ORDER BY sc.target::text, sc.value)
                          FROM leadguard.member_scope sc WHERE sc.member_id = m.id),
               format('DELETE FROM leadguard.member_scope s USING leadguard.member m WHERE m.id = s.member_id AND m.key = %L;', m.key)
        UNION ALL
        SELECT 'people_below', (SELECT jsonb_agg(b.key ORDER BY b.key) FROM leadguard.member_closure c JOIN leadguard.member b ON b.id = c.descendant_id
                                WHERE c.ancestor_id = m.id AND c.depth > 0), NULL
        UNION ALL
        SELECT 'grants', (SELECT jsonb_agg(jsonb_build_object('table', g.target::text, 'record', g.record, 'kind', g.kind, 'level', g.level, 'until', g.until,
                                               'retained', g.retained) ORDER BY g.id)
                          FROM (SELECT * FROM leadguard.record_grant x WHERE x.member_id = m.id AND (x.until IS NULL OR x.until > now()) ORDER BY x.id LIMIT 500) g),
               (SELECT string_agg(format('SELECT leadguard.%s(%L, %L, member => %L);', CASE g.kind WHEN 'share' THEN 'unshare' ELSE 'team_remove' END,
                                         coalesce(p.concealed_by, p.target)::text, g.record, m.key), E'\n' ORDER BY g.id)
                FROM (SELECT * FROM leadguard.record_grant x WHERE x.member_id = m.id AND x.kind IN ('share', 'record_team') ORDER BY x.id LIMIT 500) g
                JOIN leadguard.protected_table p ON p.target = g.target)
        UNION ALL
        -- What the rules say of the roles, table by table; what they come to is in leadguard.member_rights.
        SELECT 'rules', (SELECT jsonb_object_agg(p.target::text, r.rules)
                         FROM leadguard.protected_table p
                         CROSS JOIN LATERAL (
                             SELECT jsonb_agg(concat_ws(' ', u.role, u.path, u.action, u.effect) ORDER BY u.role, u.path, u.action) AS rules
                             FROM (SELECT a.role, a.path, a.action, a.effect FROM leadguard.access_rule a WHERE a.target = p.target
                                   UNION ALL
                                   SELECT s.role, s.path, s.action, s.effect FROM leadguard.preset_rule s
                                   WHERE s.preset = p.preset AND s.object IN ('*', p.object)
                                     AND NOT EXISTS (SELECT FROM leadguard.access_rule a WHERE a.target = p.target
                                                     AND (a.role, a.path, a.action, a.statuses) = (s.role, s.path, s.action, s.statuses))) u
                             WHERE u.effect <> 'none' AND (u.role = '*' OR u.role IN (SELECT mr.role FROM leadguard.member_role mr WHERE mr.member_id = m.id))) r
                         WHERE p.org_id = $1 OR p.organization_column IS NOT NULL), NULL
        UNION ALL
        SELECT 'delegations', (SELECT jsonb_agg(jsonb_build_object('of', f.key, 'to', t.key, 'table', d.target::text, 'level', d.level, 'until', d.until) ORDER BY d.id)
                               FROM leadguard.delegation d JOIN leadguard.member f ON f.id = d.member_id JOIN leadguard.member t ON t.id = d.delegate_id
                               WHERE m.id IN (f.id, t.id) AND d.ended_at IS NULL AND d.until > now()),
               (SELECT string_agg(format('SELECT leadguard.undelegate(%s);', d.id), E'\n' ORDER BY d.id) FROM leadguard.delegation d
                WHERE m.id IN (d.member_id, d.delegate_id) AND d.ended_at IS NULL AND d.until > now())
        UNION ALL
        SELECT 'activity', (SELECT jsonb_agg(jsonb_build_object('table', a.target_name, 'action', a.action, 'count', a.count, 'first', a.first, 'last', a.last,
                                                                'logins', a.logins) ORDER BY a.last DESC)
                            FROM (SELECT l.target_name, l.action, count(*) AS count, min(l.at) AS first, max(l.at) AS last, jsonb_agg(DISTINCT l.session_role) AS logins
                                  FROM leadguard.audit_log l WHERE l.member_id = m.id AND l.at >= $3 GROUP BY l.target_name, l.action) a),
               format('SELECT * FROM leadguard.audit_log WHERE member_key = %L AND at >= %L ORDER BY id;', m.key, $3)) s
    WHERE m.org_id = $1 AND m.key = $2
    GROUP BY m.key
$$;
COMMENT ON FUNCTION leadguard.review_incident(bigint, text, timestamptz) IS 'Internal: everything that a member has, and what he did.';

CREATE FUNCTION leadguard.review_concerns(org bigint, evidence jsonb)
RETURNS bigint[] LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH named AS MATERIALIZED (
        SELECT n.key #>> '{}' AS key
        FROM jsonb_path_query($2, '$.member') n (key)
        UNION SELECT n.key #>> '{}' FROM jsonb_path_query($2, '$.by') n (key)
        UNION SELECT n.key #>> '{}' FROM jsonb_path_query($2, '$.login') n (key)
        UNION SELECT n.key #>> '{}' FROM jsonb_path_query($2, '$.administrators[*]') n (key)
        UNION SELECT n.key #>> '{}' FROM jsonb_path_query($2, '$.owners[*]') n (key)
    )
    SELECT coalesce(array_agg(DISTINCT c.id ORDER BY c.id), '{}')
    FROM (SELECT m.id FROM leadguard.member m WHERE m.org_id = $1 AND m.key IN (SELECT n.key FROM named n)
          UNION ALL
          SELECT m.id FROM leadguard.member m WHERE m.org_id = $1 AND m.db_role IN (SELECT n.key FROM named n)
          UNION ALL
          -- Keys as they were when it happened.
          SELECT (e.id #>> '{}')::bigint FROM jsonb_path_query($2, '$.concerns[*]') e (id)) c
    WHERE c.id IS NOT NULL
$$;
COMMENT ON FUNCTION leadguard.review_concerns(bigint, jsonb) IS
'Internal: whom a finding is about: members whom its evidence names by key or login, and those whose numbers stand in its concerns.';

CREATE FUNCTION leadguard.review_note(review bigint, org bigint, finding text, lasting boolean, severity text, subject text, evidence jsonb, suggestion text)
RETURNS void LANGUAGE sql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO leadguard.finding AS f (org_id, finding, severity, subject, evidence, suggestion, first_seen, last_seen, first_review, last_review, concerns)
    VALUES ($2, $3, $5, CASE WHEN length($6) > 500 THEN left($6, 460) || ' ' || md5($6) ELSE $6 END, $7 - 'concerns', $8, clock_timestamp(), clock_timestamp(), $1, $1, leadguard.review_concerns($2, $7))
    ON CONFLICT ON CONSTRAINT finding_unique DO UPDATE
    SET concerns = excluded.concerns || CASE WHEN f.status = 'resolved' AND $4 THEN '{}'
                                             ELSE (SELECT coalesce(array_agg(c), '{}') FROM unnest(f.concerns) c WHERE c <> ALL (excluded.concerns)) END,
        severity = excluded.severity, evidence = excluded.evidence, suggestion = excluded.suggestion, last_seen = excluded.last_seen, last_review = $1,
        history = f.history || CASE WHEN f.status = 'resolved' AND $4
            THEN jsonb_build_array(jsonb_build_object('status', f.status, 'at', f.resolved_at, 'resolution', f.resolution,
                                                      'by', (SELECT m.key FROM leadguard.member m WHERE m.id = f.resolved_by))) ELSE '[]' END,
        status = CASE WHEN f.status = 'resolved' AND $4 THEN 'open' ELSE f.status END,
        resolution = CASE WHEN f.status = 'resolved' AND $4 THEN NULL ELSE f.resolution END,
        resolved_by = CASE WHEN f.status = 'resolved' AND $4 THEN NULL ELSE f.resolved_by END,
        resolved_at = CASE WHEN f.status = 'resolved' AND $4 THEN NULL ELSE f.resolved_at END
$$;
COMMENT ON FUNCTION leadguard.review_note(bigint, bigint, text, boolean, text, text, jsonb, text) IS
'Internal: writes a finding down; one that was resolved and is there again is open again, if it is a lasting one.';

CREATE FUNCTION leadguard.review_note_owners(review bigint, org bigint, owners jsonb)
RETURNS void LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
    new_owner text := coalesce((SELECT m.key FROM leadguard.member m WHERE m.id = leadguard.current_member() AND m.org_id = org),
                               (SELECT a.key FROM leadguard.administrators(org) a ORDER BY a.place LIMIT 1));
BEGIN
    FOR item IN
        SELECT p.*, CASE WHEN leadguard.is_unbound() THEN p.target ELSE coalesce(p.concealed_by, p.target) END AS read_from,
               coalesce(p.concealed_by, p.target) AS shown, o.without, o.unknown, o.unread,
               (SELECT y.typcategory = 'N' FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
                WHERE a.attrelid = p.target AND a.attname = p.owner_column AND NOT a.attisdropped) AS by_id
        FROM jsonb_to_recordset(owners) o (target oid, without bigint, unknown bigint, unread text)
        JOIN leadguard.protected_table p ON p.target = o.target
    LOOP
        -- What cannot be read is not known better than an earlier review knew it.
        UPDATE leadguard.finding f SET last_seen = clock_timestamp(), last_review = review
        WHERE f.org_id = org AND f.finding = 'record_without_owner' AND f.subject = 'table ' || item.shown::text AND f.status <> 'resolved'
          AND f.evidence ? 'without'
          AND item.unread IS NOT NULL;
        IF FOUND THEN
            CONTINUE;
        ELSIF item.unread IS NOT NULL THEN
            PERFORM leadguard.review_note(review, org, 'record_without_owner', true, 'info', 'table ' || item.shown::text,
                jsonb_build_object('result', 'not measured', 'why', item.unread), NULL);
        ELSIF item.without + item.unknown > 0 THEN
            PERFORM leadguard.review_note(review, org, 'record_without_owner', true, 'medium', 'table ' || item.shown::text,
                jsonb_build_object('table', item.shown::text, 'without', item.without, 'unknown', item.unknown,
                                   'counted_for', coalesce((SELECT m.key FROM leadguard.member m WHERE m.id = leadguard.current_member()), session_user::text)),
                format('SELECT leadguard.reassign(%L, t.%I::text, owner => %L, reason => ''had no owner'') FROM %s t WHERE %s(t.%I IS NULL OR NOT EXISTS (SELECT FROM leadguard.member m WHERE %sm.%s::text = t.%I::text));',
                       item.read_from::text, item.id_column, new_owner, item.read_from,
                       CASE WHEN item.archived_at_column IS NOT NULL THEN format('t.%I IS NULL AND ', item.archived_at_column) ELSE '' END,
                       item.owner_column, CASE WHEN leadguard.is_unbound() THEN 'm.active AND ' ELSE '' END, CASE WHEN item.by_id THEN 'id' ELSE 'key' END, item.owner_column));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.review_note_owners(bigint, bigint, jsonb) IS 'Internal: findings about records without an owner.';

CREATE FUNCTION leadguard.run_review(org bigint, kind text, about text, since timestamptz, owners jsonb)
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off SET datestyle = 'ISO, MDY' SET quote_all_identifiers = off
AS $$
DECLARE
    made bigint;
    question leadguard.review_check;
    item record;
    runner bigint := (SELECT m.id FROM leadguard.member m WHERE m.id = leadguard.current_member() AND m.org_id = org);
    start timestamptz := coalesce(since, now() - CASE kind WHEN 'monthly' THEN interval '1 month' ELSE interval '3 months' END);
    still_open integer;
    watched regclass;
BEGIN
    -- One review of an organization at a time.
    PERFORM FROM leadguard.organization o WHERE o.id = org FOR NO KEY UPDATE;
    INSERT INTO leadguard.review (org_id, kind, run_by, parameters)
    VALUES (org, kind, runner, jsonb_strip_nulls(jsonb_build_object('since', start, 'subject', about)))
    RETURNING id INTO made;
    IF kind = 'incident' THEN
        -- One finding for each: what an earlier one saw stays as it was.
        PERFORM leadguard.review_note(made, org, 'incident', true, 'high', format('member %s, review %s', about, made),
            leadguard.review_incident(org, about, start),
            format('SELECT leadguard.resolve_finding(f.id, ''resolved'', ''what was learnt'') FROM leadguard.finding f WHERE f.finding = ''incident'' AND f.subject = %L AND f.status = ''open'';',
                   format('member %s, review %s', about, made)));
    ELSE
        -- What changed while nothing watched is looked for first.
        FOR watched IN
            SELECT p.target FROM leadguard.protected_table p JOIN pg_class c ON c.oid = p.target WHERE p.org_id = org OR p.organization_column IS NOT NULL
            UNION ALL
            SELECT h.target FROM leadguard.protected_child h JOIN pg_class c ON c.oid = h.target
            JOIN leadguard.protected_table p ON p.target = h.parent WHERE p.org_id = org OR p.organization_column IS NOT NULL
        LOOP
            PERFORM leadguard.note_shape(watched, false, false);
        END LOOP;
        FOR question IN SELECT c.* FROM leadguard.review_check c WHERE run_review.kind = ANY (c.kinds) ORDER BY c.position LOOP
            IF question.finding = 'record_without_owner' THEN
                PERFORM leadguard.review_note_owners(made, org, owners);
            ELSE
                FOR item IN EXECUTE format('SELECT severity, subject, evidence, suggestion FROM leadguard.%I($1, $2)', 'review_' || question.finding) USING org, start LOOP
                    PERFORM leadguard.review_note(made, org, question.finding, question.lasting, item.severity, item.subject, item.evidence, item.suggestion);
                END LOOP;
            END IF;
        END LOOP;
        UPDATE leadguard.finding f
        SET status = 'resolved', resolution = 'no longer found', resolved_at = clock_timestamp(), resolved_by = NULL,
            history = f.history || CASE WHEN f.status = 'accepted'
                THEN jsonb_build_array(jsonb_build_object('status', f.status, 'at', f.resolved_at, 'resolution', f.resolution,
                                                          'by', (SELECT m.key FROM leadguard.member m WHERE m.id = f.resolved_by))) ELSE '[]' END
        FROM leadguard.review_check c
        WHERE c.finding = f.finding AND c.lasting AND run_review.kind = ANY (c.kinds)
          AND f.org_id = org AND f.status <> 'resolved' AND f.last_review <> made;
    END IF;
    SELECT count(*) INTO still_open FROM leadguard.finding f WHERE f.org_id = org AND f.last_review = made AND f.status = 'open';
    UPDATE leadguard.review r SET findings = still_open WHERE r.id = made;
    PERFORM leadguard.note_event('review', org, NULL, NULL, NULL, concat_ws(' ', kind, about) || format(': %s open', still_open));
    RETURN made;
END
$$;
COMMENT ON FUNCTION leadguard.run_review(bigint, text, text, timestamptz, jsonb) IS
'Internal: holds a review of one organization; its caller was judged by review_organizations.';

CREATE FUNCTION leadguard.hold_review(kind text, subject text, since timestamptz, organization text)
RETURNS bigint[] LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hold_review_wrapper';
COMMENT ON FUNCTION leadguard.hold_review(text, text, timestamptz, text) IS
'Internal: as audit_run, and returns the numbers of the reviews. Counts records without an owner with the rights of the caller.';

CREATE FUNCTION leadguard.audit_run(kind text, about text DEFAULT NULL, since timestamptz DEFAULT NULL, organization text DEFAULT NULL)
RETURNS TABLE (id bigint, finding text, severity text, subject text, evidence jsonb, suggestion text, status text, first_seen timestamptz, org text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    held bigint[];
BEGIN
    held := leadguard.hold_review(kind, about, since, organization);
    RETURN QUERY
        SELECT f.id, f.finding, f.severity, f.subject, CASE WHEN f.finding = 'incident' THEN jsonb_build_object('member', f.evidence -> 'member') ELSE f.evidence END,
               f.suggestion, f.status, f.first_seen, o.key
        FROM leadguard.finding f
        JOIN leadguard.organization o ON o.id = f.org_id
        LEFT JOIN leadguard.review_check c ON c.finding = f.finding
        WHERE f.last_review = ANY (held) AND f.status <> 'resolved'
        ORDER BY o.id, c.position, f.subject;
    IF kind = 'incident' THEN
        RETURN QUERY
            SELECT f.id, 'access', 'info', s.section, s.part -> 'is', s.part ->> 'sql', f.status, f.first_seen, o.key
            FROM leadguard.finding f
            JOIN leadguard.organization o ON o.id = f.org_id
            CROSS JOIN LATERAL jsonb_each(f.evidence - 'member') s (section, part)
            WHERE f.last_review = ANY (held) AND f.finding = 'incident'
            ORDER BY array_position('{login,roles,rules,teams,territories,scopes,people_below,grants,delegations,activity}'::text[], s.section);
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.audit_run(text, text, timestamptz, text) IS
'Holds a review and returns what is open or accepted: finding, severity, subject, evidence, SQL that solves it. kind: quarterly, monthly, or incident with a member''s key, which returns everything that the member has and did. since: from when on batches, promotions and activity count; by default three months, one month for a monthly review. Findings stay in leadguard.finding until somebody resolves them or a later review finds them over. For members with the capability audit about their organization; superusers hold it for all organizations or the given one (key). 42501, 22023.';

CREATE FUNCTION leadguard.findings(status text DEFAULT 'open')
RETURNS TABLE (id bigint, finding text, severity text, subject text, evidence jsonb, suggestion text, status text, resolution text, resolved_by text,
               resolved_at timestamptz, first_seen timestamptz, last_seen timestamptz, org text)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.id, f.finding, f.severity, f.subject, f.evidence, f.suggestion, f.status, f.resolution,
           (SELECT m.key FROM leadguard.member m WHERE m.id = f.resolved_by), f.resolved_at, f.first_seen, f.last_seen, o.key
    FROM leadguard.finding f
    JOIN leadguard.organization o ON o.id = f.org_id
    WHERE $1 IS NULL OR f.status = $1
    ORDER BY array_position('{high,medium,low,info}'::text[], f.severity), f.first_seen, f.id
$$;
COMMENT ON FUNCTION leadguard.findings(text) IS
'Findings of reviews with the status open, resolved or accepted, or all (NULL). Members with the capability audit read those of their organization, superusers all.';

CREATE FUNCTION leadguard.resolve_finding(id bigint, status text, resolution text)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of leadguard.finding;
    own leadguard.member;
BEGIN
    PERFORM leadguard.review_refuse('resolve_finding');
    IF id IS NULL THEN
        RAISE EXCEPTION 'argument "id" must not be NULL' USING ERRCODE = '22023';
    END IF;
    SELECT m.* INTO own FROM leadguard.member m WHERE m.id = leadguard.current_member();
    SELECT f.* INTO of FROM leadguard.finding f WHERE f.id = resolve_finding.id AND (own.id IS NULL OR f.org_id = own.org_id) FOR UPDATE;
    IF of.id IS NULL THEN
        RAISE EXCEPTION 'finding % does not exist or is not visible', id
            USING ERRCODE = '42501', HINT = 'leadguard.findings() lists those of your organization.';
    ELSIF status IS NULL OR status NOT IN ('open', 'resolved', 'accepted') THEN
        RAISE EXCEPTION 'status % is unknown', quote_nullable(status) USING ERRCODE = '22023', HINT = 'It is one of open, resolved, accepted.';
    ELSIF resolution IS NULL OR btrim(resolution) = '' OR length(resolution) > 10000 THEN
        RAISE EXCEPTION 'the resolution is missing or too long' USING ERRCODE = '22023', HINT = 'Say what was done about it.';
    ELSIF own.id = ANY (of.concerns) THEN
        RAISE EXCEPTION 'finding % is about you', id USING ERRCODE = '42501', HINT = 'Somebody else with the capability audit resolves it.';
    ELSIF of.status = status THEN
        RAISE EXCEPTION 'finding % is % already', id, status
            USING ERRCODE = '55000', HINT = 'leadguard.findings() shows what was said of it.';
    END IF;
    UPDATE leadguard.finding f
    SET status = resolve_finding.status,
        resolution = CASE WHEN resolve_finding.status <> 'open' THEN resolve_finding.resolution END,
        resolved_by = CASE WHEN resolve_finding.status <> 'open' THEN own.id END,
        resolved_at = CASE WHEN resolve_finding.status <> 'open' THEN clock_timestamp() END,
        history = f.history || CASE WHEN f.status <> 'open'
            THEN jsonb_build_array(jsonb_build_object('status', f.status, 'at', f.resolved_at, 'resolution', f.resolution,
                                                      'by', (SELECT m.key FROM leadguard.member m WHERE m.id = f.resolved_by))) ELSE '[]' END
    WHERE f.id = of.id;
    PERFORM leadguard.note_event('resolve_finding', of.org_id, NULL, NULL, resolve_finding.resolution, format('%s %s: %s', of.finding, of.subject, resolve_finding.status));
END
$$;
COMMENT ON FUNCTION leadguard.resolve_finding(bigint, text, text) IS
'Resolves a finding, accepts it as it is, or opens it again (status open), with what was done or why. One that is resolved and found again is open again. For members with the capability audit of its organization whom it is not about, and superusers; 42501, 22023, 55000.';

-- Sealing the audit, verifying the chain, retention.

CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only();
CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.audit_retired
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only();

CREATE FUNCTION leadguard.seal_audit()
RETURNS TABLE (seal bigint, "rows" bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'seal_audit_wrapper';
COMMENT ON FUNCTION leadguard.seal_audit() IS
'Seals the audit rows of all transactions that have ended and that no seal covers, of all organizations; returns the number of the seal and how many rows it has (of the caller''s organization, for superusers all), no row when there is nothing to seal. Waits for nobody, and no writer waits. To be called by a scheduler. The line in the server''s log is written when the transaction commits; it cannot be prepared. For members with the capability audit, but not over logins of mode analyst, and superusers, others 42501. 55P03: another transaction seals. 55000: a transaction is prepared since before the chain began.';

CREATE FUNCTION leadguard.verify_audit(since timestamptz DEFAULT '-infinity')
RETURNS TABLE (problem text, seal bigint, audit_id bigint, at timestamptz, detail text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'verify_audit_wrapper';
COMMENT ON FUNCTION leadguard.verify_audit(timestamptz) IS
'What is wrong with the audit: what audit_verify finds, rows that are missing or were inserted where a seal covers, seals that are missing, changed or out of order, proofs of retired months that do not agree; no row when all is sound. With a time: the chain whole, rows of seals made since. Rows that are not sealed yet are no problem. Members with the capability audit get rows of other organizations as one line for each seal, without details; superusers get all; others 42501. 22023: since is NULL.';

CREATE FUNCTION leadguard.audit_retire(before date)
RETURNS TABLE (partition text, "rows" bigint, seals bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'audit_retire_wrapper';
COMMENT ON FUNCTION leadguard.audit_retire(date) IS
'Drops the partitions of audit_entry whose month (UTC) ended before the date, and the values of their rows; the seals and a row of audit_retired stay, so that the chain still verifies. Writers wait while it drops. For superusers (42501). 22023: NULL, or a date that is not over. 55000: rows of such a month are not sealed, or verify_audit finds a problem.';

-- Counters of members, where the server has preloaded the library.
CREATE FUNCTION leadguard.is_preloaded()
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE
AS 'MODULE_PATHNAME', 'is_preloaded_wrapper';
COMMENT ON FUNCTION leadguard.is_preloaded() IS
'Whether shared_preload_libraries has leadguard, so that activity is counted and batches have windows of time. Anybody may ask.';

CREATE FUNCTION leadguard.member_activity()
RETURNS TABLE (member text, statements bigint, rows_returned bigint, exports bigint, refusals bigint, since timestamptz)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'member_activity_wrapper';
COMMENT ON FUNCTION leadguard.member_activity() IS
'How many statements on protected tables members ran, how many rows these returned, how many were COPY TO, and how much was refused to them, since the first of it, the last activity_reset or the start of the server; no row unless the library is preloaded. Counts are not taken back by a rollback. Members with the capability audit see their organization, superusers all; others 42501.';

CREATE FUNCTION leadguard.activity_reset()
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'activity_reset_wrapper';
COMMENT ON FUNCTION leadguard.activity_reset() IS
'Sets the counters of member_activity in this database to 0. For superusers (42501).';

-- Open sessions keep what they know of a table until something about the registration changes.
UPDATE leadguard.hierarchy_revision SET revision = revision + 1 WHERE hierarchy = 'registration';

-- What protected tables look like now.
SELECT leadguard.know_tables();

-- The rights on all of it: as 90_rights.sql sets them, for what is new.
DO $$
DECLARE
    tables text[] := ARRAY[
        'assignment_pool', 'assignment_rule', 'audit_life', 'audit_retired', 'audit_seal', 'batch_template', 'claim',
        'delegation', 'dispute', 'finding', 'guest_review', 'handoff', 'handoff_step', 'import_problem',
        'import_row', 'import_session', 'import_target', 'job_function', 'member_function', 'notification',
        'offboarding', 'review', 'review_check', 'schema_change', 'schema_change_maker', 'schema_known',
        'schema_shape']::text[];
    views text[] := ARRAY[
        'assignment_rules', 'audit_log', 'audit_value', 'batch_templates', 'batches']::text[];
    sequences text[] := ARRAY[
        ]::text[];
    functions text[] := ARRAY[
        'accept_handoff', 'accept_schema_change', 'access_requests', 'activity_reset', 'add_to_team',
        'administrators', 'audit_changes', 'audit_retire', 'audit_rows', 'audit_run', 'audit_value_rows',
        'audit_values', 'batch_log', 'change_role', 'change_roles', 'check_schema', 'checklist', 'claim',
        'close_dispute', 'count_admins', 'data_owners', 'delegate', 'drop_assignment_rule', 'drop_batch_template',
        'drop_handoff_step', 'end_delegations', 'end_dispute', 'findings', 'follow_admins', 'follow_roles',
        'follow_teams', 'forget_job_function', 'forget_shape', 'ghost_leads', 'guests_due', 'handoff', 'hold_review',
        'import_begin', 'import_cancel', 'import_check', 'import_cleanup', 'import_commit', 'import_report',
        'import_rows', 'import_stage', 'import_staged', 'import_submit', 'imports', 'is_at_work', 'is_guest_member',
        'is_preloaded', 'is_restore', 'is_unbound', 'job_deviations', 'keep_shape', 'know_schema', 'know_tables',
        'limit_member_function', 'login_in_words', 'managed_member', 'mark_read', 'may_ask_about', 'member_activity',
        'member_card', 'member_rights_in', 'migrate_roles', 'note_change', 'note_change_of_role', 'note_directory',
        'note_event', 'note_job_function', 'note_onboarding', 'note_shape', 'note_vocabulary', 'note_work',
        'notification_cleanup', 'notifications', 'offboard_cancel', 'offboard_end', 'offboard_last_day',
        'offboard_now', 'offboard_plan', 'onboard', 'override_activity', 'parse_changes', 'prepare_imports',
        'protected_since', 'put_claim', 'reads_import', 'record_history', 'refuse_handoff', 'release',
        'remove_departed', 'request_access', 'request_batch', 'request_role', 'request_schema_change',
        'resolve_finding', 'resolve_job_function', 'resolve_member_function', 'restore_audit', 'review_concerns',
        'review_contact_outside_rules', 'review_everyone_admin', 'review_expired_grants',
        'review_external_not_guest', 'review_gone_but_active', 'review_gone_but_owning', 'review_guest',
        'review_guest_not_reviewed', 'review_guest_with_role', 'review_guest_without_mark', 'review_incident',
        'review_new_admin', 'review_note', 'review_note_owners', 'review_organizations', 'review_permission_creep',
        'review_preload', 'review_record_without_side', 'review_refuse', 'review_review_overdue',
        'review_rights_beyond_role', 'review_roles_deviate', 'review_switch', 'review_takes_role',
        'review_team_owner_manages_nobody', 'review_team_owners', 'review_too_many_admins',
        'review_unapproved_batch', 'review_unapproved_schema_change', 'review_unlogged_batch', 'review_unused_role',
        'review_unused_team', 'review_unusual_access', 'review_watch_disabled', 'review_window_not_counted',
        'rights_differ', 'rights_in_words', 'role_of_function', 'route', 'run_review', 'schema_kinds', 'schema_mode',
        'seal_audit', 'set_assignment_rule', 'set_batch_template', 'set_handoff_step', 'set_routing',
        'shape_changes', 'table_shape', 'tell', 'tell_of_roles', 'undelegate', 'verify_audit', 'wake_at_commit',
        'watch_attributes', 'watch_dropped_values', 'watch_schema', 'watch_schema_drop', 'watch_vocabulary',
        'without_types', 'worked_on']::text[];
    owner regrole := (SELECT e.extowner FROM pg_catalog.pg_extension e WHERE e.extname = 'leadguard');
    item record;
BEGIN
    FOR item IN
        SELECT c.oid::regclass AS name, c.relkind FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'leadguard'::regnamespace AND c.relname = ANY (tables || views || sequences)
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %s', CASE item.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, item.name, owner);
    END LOOP;
    FOR item IN SELECT p.oid::regprocedure AS f FROM pg_catalog.pg_proc p
                WHERE p.pronamespace = 'leadguard'::regnamespace AND p.proname = ANY (functions) LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO %s', item.f, owner);
    END LOOP;
    FOR item IN
        SELECT format('ON %s %s', CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) AS object, a.grantee
        FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) a
        WHERE c.relnamespace = 'leadguard'::regnamespace AND a.grantee <> c.relowner
          AND (c.relname = ANY (tables || views || sequences)
               OR c.relkind = 'S' AND EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class o ON o.oid = d.refobjid
                   WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND o.relname = ANY (tables)))
        UNION
        SELECT format('ON ROUTINE %s', p.oid::regprocedure), a.grantee
        FROM pg_catalog.pg_proc p, LATERAL pg_catalog.aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.pronamespace = 'leadguard'::regnamespace AND p.proname = ANY (functions) AND a.grantee <> p.proowner
    LOOP
        EXECUTE format('REVOKE ALL %s FROM %s', item.object,
                       CASE WHEN item.grantee = 0 THEN 'PUBLIC' ELSE item.grantee::regrole::text END);
    END LOOP;
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER EVENT TRIGGER leadguard_know_schema OWNER TO %s', (SELECT e.extowner::regrole FROM pg_catalog.pg_extension e WHERE e.extname = 'leadguard'));
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER EVENT TRIGGER leadguard_notice_drop OWNER TO %s', (SELECT e.extowner::regrole FROM pg_catalog.pg_extension e WHERE e.extname = 'leadguard'));
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER EVENT TRIGGER leadguard_watch_schema OWNER TO %s', (SELECT e.extowner::regrole FROM pg_catalog.pg_extension e WHERE e.extname = 'leadguard'));
END
$$;

-- 90_rights.sql:
GRANT SELECT ON leadguard.audit_log, leadguard.audit_value TO PUBLIC;

-- Rights on what governance added: one section for each part.

-- Notifications.
ALTER TABLE leadguard.notification ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON leadguard.notification FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
GRANT SELECT ON leadguard.notification TO PUBLIC;
GRANT EXECUTE ON FUNCTION leadguard.notifications(boolean, integer), leadguard.mark_read(bigint[]),
    leadguard.notification_cleanup(interval) TO PUBLIC;

-- Batches.
ALTER TABLE leadguard.batch_template ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON leadguard.batches, leadguard.batch_templates TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.request_batch(regclass, text, bigint, text, timestamptz),
    leadguard.set_batch_template(text, regclass, text, bigint, text, timestamptz, text, jsonb),
    leadguard.drop_batch_template(text), leadguard.override_activity(regclass, text), leadguard.batch_log()
TO PUBLIC;

-- Imports. All of it is read and written by functions.
ALTER TABLE leadguard.import_target ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.import_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.import_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.import_problem ENABLE ROW LEVEL SECURITY;
GRANT EXECUTE ON FUNCTION
    leadguard.import_stage(), leadguard.import_staged(),
    leadguard.prepare_imports(regclass, jsonb, text, text[], text[]),
    leadguard.import_begin(regclass, text, text), leadguard.import_check(bigint), leadguard.import_submit(bigint, text),
    leadguard.import_commit(bigint), leadguard.import_cancel(bigint), leadguard.import_cleanup(interval),
    leadguard.imports(), leadguard.import_report(bigint), leadguard.import_rows(bigint)
TO PUBLIC;

-- Assignment.
ALTER TABLE leadguard.assignment_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.assignment_pool ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.handoff_step ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.handoff ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.dispute ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.claim ENABLE ROW LEVEL SECURITY;
-- Whoever takes a step must know which there are.
CREATE POLICY own_organization ON leadguard.handoff_step FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest()));
CREATE POLICY concerned ON leadguard.handoff FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization())
    AND ((SELECT leadguard.current_member()) IN (from_member, to_member, started_by)
         OR (SELECT leadguard.has_capability('approve')) OR (SELECT leadguard.has_capability('audit'))));
CREATE POLICY concerned ON leadguard.claim FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization())
    AND (member_id = (SELECT leadguard.current_member())
         OR (SELECT leadguard.has_capability('approve')) OR (SELECT leadguard.has_capability('audit'))));
CREATE POLICY concerned ON leadguard.dispute FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization())
    AND ((SELECT leadguard.has_capability('approve')) OR (SELECT leadguard.has_capability('audit'))
         OR id IN (SELECT c.dispute_id FROM leadguard.claim c WHERE c.member_id = (SELECT leadguard.current_member()))));
GRANT SELECT ON leadguard.handoff_step, leadguard.handoff, leadguard.claim, leadguard.dispute, leadguard.assignment_rules TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.set_assignment_rule(regclass, text, integer, jsonb, jsonb), leadguard.drop_assignment_rule(regclass, text),
    leadguard.set_routing(regclass, boolean), leadguard.route(regclass, text, boolean),
    leadguard.set_handoff_step(regclass, text, text, text, text, text, jsonb, text[], boolean),
    leadguard.drop_handoff_step(regclass, text), leadguard.handoff(regclass, text, text, text, text, boolean),
    leadguard.accept_handoff(bigint), leadguard.refuse_handoff(bigint, text),
    leadguard.claim(regclass, text, text), leadguard.release(bigint), leadguard.close_dispute(bigint, text, text, boolean),
    leadguard.worked_on(regclass, text, integer), leadguard.ghost_leads(regclass, integer) TO PUBLIC;

-- People.
ALTER TABLE leadguard.job_function ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.member_function ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.offboarding ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.delegation ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.guest_review ENABLE ROW LEVEL SECURITY;
CREATE POLICY listed ON leadguard.job_function FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest()));
CREATE POLICY administered ON leadguard.job_function USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_organization'))));
CREATE POLICY own ON leadguard.member_function FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
CREATE POLICY managed ON leadguard.member_function USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_members'))));
CREATE POLICY managed ON leadguard.offboarding FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_members'))));
CREATE POLICY managed ON leadguard.guest_review FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_members'))));
CREATE POLICY concerned ON leadguard.delegation FOR SELECT USING (
    (SELECT leadguard.current_member()) IN (member_id, delegate_id)
    OR (org_id = (SELECT leadguard.current_organization()) AND (SELECT leadguard.has_capability('administer'))));
GRANT SELECT, INSERT, UPDATE, DELETE ON leadguard.job_function, leadguard.member_function TO PUBLIC;
GRANT SELECT ON leadguard.offboarding, leadguard.guest_review, leadguard.delegation TO PUBLIC;
GRANT SELECT (third_admin), UPDATE (third_admin) ON leadguard.organization TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.job_deviations(), leadguard.member_card(text), leadguard.rights_in_words(text), leadguard.member_rights_in(text, regclass), leadguard.may_ask_about(text),
    leadguard.checklist(text), leadguard.onboard(text, text, text, text, text, text[], text[], text, boolean),
    leadguard.role_of_function(text), leadguard.is_guest_member(bigint), leadguard.note_onboarding(bigint),
    leadguard.note_change_of_role(text, text, text, text), leadguard.change_roles(text[], text, text, text),
    leadguard.change_role(text, text, text, text), leadguard.rights_differ(jsonb, jsonb), leadguard.add_to_team(text, text[]),
    leadguard.migrate_roles(jsonb, boolean),
    leadguard.offboard_plan(text, date, text, text), leadguard.offboard_last_day(text, text, text),
    leadguard.offboard_end(text, text), leadguard.offboard_now(text, text, text), leadguard.remove_departed(text[], text, text),
    leadguard.offboard_cancel(text, text), leadguard.guests_due(interval), leadguard.review_guest(text, text, text),
    leadguard.delegate(text, timestamptz, text, text, regclass, text), leadguard.undelegate(bigint),
    leadguard.request_access(regclass, text, text, text, timestamptz), leadguard.request_role(text, text, timestamptz),
    leadguard.access_requests()
TO PUBLIC;

-- Schema changes. The owner of a table reads what concerns it, whether or not a member. Nobody reads who made changes of
-- tables that several organizations share.
ALTER TABLE leadguard.schema_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.schema_change_maker ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.schema_known ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.schema_shape ENABLE ROW LEVEL SECURITY;
CREATE POLICY audited ON leadguard.schema_change FOR SELECT USING (
    ((SELECT leadguard.has_capability('audit')) AND (org_id IS NULL OR org_id = (SELECT leadguard.current_organization())))
    OR pg_catalog.pg_has_role((SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = target), 'USAGE'));
GRANT SELECT ON leadguard.schema_change TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.request_schema_change(regclass, text, text, text, text, timestamptz),
    leadguard.accept_schema_change(bigint, text), leadguard.check_schema(regclass)
TO PUBLIC;

-- Reviews. The questions are no secret.
ALTER TABLE leadguard.review_check ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.review ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.finding ENABLE ROW LEVEL SECURITY;
CREATE POLICY shipped ON leadguard.review_check FOR SELECT USING (true);
CREATE POLICY audited ON leadguard.review FOR SELECT USING (
    (SELECT leadguard.has_capability('audit')) AND org_id = (SELECT leadguard.current_organization()));
CREATE POLICY audited ON leadguard.finding FOR SELECT USING (
    (SELECT leadguard.has_capability('audit')) AND org_id = (SELECT leadguard.current_organization()));
GRANT SELECT ON leadguard.review_check, leadguard.review, leadguard.finding TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.audit_run(text, text, timestamptz, text), leadguard.hold_review(text, text, timestamptz, text),
    leadguard.findings(text), leadguard.resolve_finding(bigint, text, text)
TO PUBLIC;

-- Seals. Nobody but superusers reads the tables: they count the rows of all organizations.
ALTER TABLE leadguard.audit_life ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_seal ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_retired ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_seal ENABLE ALWAYS TRIGGER audit_00_append_only;
ALTER TABLE leadguard.audit_retired ENABLE ALWAYS TRIGGER audit_00_append_only;
GRANT EXECUTE ON FUNCTION leadguard.audit_rows(), leadguard.audit_value_rows(), leadguard.audit_changes(text[], bytea),
    leadguard.audit_values(text[], text[], text[]), leadguard.record_history(regclass, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION leadguard.seal_audit(), leadguard.verify_audit(timestamptz), leadguard.audit_retire(date),
    leadguard.is_preloaded(), leadguard.member_activity(), leadguard.activity_reset() TO PUBLIC;
