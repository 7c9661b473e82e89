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
