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

CREATE TABLE leadguard.audit_log (
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
    mac             bytea NOT NULL
) PARTITION BY RANGE (at);
COMMENT ON TABLE leadguard.audit_log IS
'One row for each change of a record, and for each decision about records and rules: who, when, what. Append-only for everybody. Members with the capability audit read the rows of their organization.';
COMMENT ON COLUMN leadguard.audit_log.at IS 'When the client sent the statement.';
COMMENT ON COLUMN leadguard.audit_log.session_role IS 'The login.';
COMMENT ON COLUMN leadguard.audit_log.outer_role IS 'The role of the session, which SET ROLE changes.';
COMMENT ON COLUMN leadguard.audit_log.member_id IS 'The member for whom the session worked; NULL for a superuser or owner who is none.';
COMMENT ON COLUMN leadguard.audit_log.organization IS 'The organization of the record.';
COMMENT ON COLUMN leadguard.audit_log.target_name IS 'How the table was called then.';
COMMENT ON COLUMN leadguard.audit_log.changes IS
'{"field": {"old": digest, "new": digest}}, null for NULL. A digest is an HMAC-SHA256 over record, field and value, cut to 128 bits.';
COMMENT ON COLUMN leadguard.audit_log.has_values IS 'Values were kept in audit_value.';
COMMENT ON COLUMN leadguard.audit_log.mac IS 'Keyed digest of the row; audit_verify recomputes it.';

-- Each partition has indexes of its own: those of the root would come to the partitions by themselves when a dump
-- is restored, where the dump creates them too.
CREATE TABLE leadguard.audit_log_default PARTITION OF leadguard.audit_log DEFAULT;
ALTER TABLE leadguard.audit_log_default ADD CONSTRAINT audit_log_default_pkey PRIMARY KEY (at, id);
CREATE INDEX audit_log_default_record_idx ON leadguard.audit_log_default (target, record);
CREATE INDEX audit_log_default_transaction_idx ON leadguard.audit_log_default (transaction);
COMMENT ON TABLE leadguard.audit_log_default IS 'Audit rows of the times for which audit_partitions has made no partition.';

CREATE TABLE leadguard.audit_value (
    audit_id    bigint NOT NULL,
    at          timestamptz NOT NULL,
    organization bigint,
    target      regclass NOT NULL,
    record      text NOT NULL,
    "values"    jsonb NOT NULL,
    CONSTRAINT audit_value_pkey PRIMARY KEY (target, record, audit_id)
);
COMMENT ON TABLE leadguard.audit_value IS
'What changed fields said before and after, {"field": {"old": text, "new": text}}, without the fields that are masked or closed to some role. Erasing a record takes its rows away; the digests in audit_log stay.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.secret', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_log_default', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_value', '');
