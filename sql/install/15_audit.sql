-- Who changed what. The log holds keyed digests and stays as it is; the values lie beside it and can be erased.

CREATE TABLE leadguard.secret (
    name    text CONSTRAINT secret_pkey PRIMARY KEY,
    key     bytea NOT NULL CONSTRAINT secret_key_long_enough CHECK (octet_length(key) >= 32)
);
COMMENT ON TABLE leadguard.secret IS
'Keys that only the extension reads. audit: the key of the digests in the audit log; it goes with a dump, since nothing else proves the log that the dump holds.';
INSERT INTO leadguard.secret (name, key)
VALUES ('audit', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

-- The key of a dump takes the place of the one that CREATE EXTENSION made.
CREATE FUNCTION leadguard.replace_secret()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM leadguard.secret s WHERE s.name = new.name;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.replace_secret() IS 'Trigger BEFORE ROW of secret: a key that a restore brings replaces the one that is there.';
CREATE TRIGGER secret_10_replace BEFORE INSERT ON leadguard.secret
    FOR EACH ROW EXECUTE FUNCTION leadguard.replace_secret();

CREATE SEQUENCE leadguard.audit_id_seq AS bigint CACHE 32;
COMMENT ON SEQUENCE leadguard.audit_id_seq IS 'Numbers of audit rows. A gap is a change that was rolled back, or the rest of what a session had reserved.';

-- The log as it is stored: months in partitions of their own. It is read through the view audit_log.
CREATE TABLE leadguard.audit_entry (
    id              bigint NOT NULL,
    at              timestamptz NOT NULL,
    transaction     xid8 NOT NULL,
    session_role    text NOT NULL,
    outer_role      text NOT NULL,
    member_id       bigint,
    member_key      text,
    organization    bigint,
    target          regclass,
    target_name     text,
    record          text,
    action          text NOT NULL,
    reason          text,
    approval        bigint,
    detail          text,
    changes         jsonb NOT NULL,
    has_values      boolean NOT NULL,
    mac             bytea NOT NULL,
    records         text[],
    fields          text[],
    digests         bytea,
    old_values      text[],
    new_values      text[]
) PARTITION BY RANGE (at);
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

-- Each partition has indexes of its own: those of the root would come to the partitions by themselves when a dump
-- is restored, where the dump creates them too. A row may fill a page: cutting it up would cost more than it saves.
CREATE TABLE leadguard.audit_log_default PARTITION OF leadguard.audit_entry DEFAULT WITH (toast_tuple_target = 8160);
ALTER TABLE leadguard.audit_log_default ADD CONSTRAINT audit_log_default_pkey PRIMARY KEY (at, id);
CREATE INDEX audit_log_default_record_idx ON leadguard.audit_log_default (target, record);
CREATE INDEX audit_log_default_records_idx ON leadguard.audit_log_default USING gin (records);
CREATE INDEX audit_log_default_transaction_idx ON leadguard.audit_log_default (transaction);
COMMENT ON TABLE leadguard.audit_log_default IS 'Audit rows of the times for which audit_partitions has made no partition.';

CREATE TABLE leadguard.audit_entry_value (
    audit_id    bigint NOT NULL,
    at          timestamptz NOT NULL,
    organization bigint,
    target      regclass NOT NULL,
    record      text NOT NULL,
    "values"    jsonb NOT NULL,
    CONSTRAINT audit_entry_value_pkey PRIMARY KEY (target, record, audit_id)
);
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

SELECT pg_catalog.pg_extension_config_dump('leadguard.secret', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_log_default', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_entry_value', '');
