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
