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
'Seals the audit rows of all transactions that have ended and that no seal covers, of all organizations; returns the number of the seal and how many rows it has (of the caller''s organization, for superusers all), no row when there is nothing to seal. Waits for another sealer and for nobody else, and no writer waits. To be called by a scheduler. For members with the capability audit and superusers, others 42501. 55000: a transaction is prepared since before the chain began.';

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
'Drops the partitions of audit_log whose month (UTC) ended before the date, and the values of their rows; the seals and a row of audit_retired stay, so that the chain still verifies. Writers wait while it drops. For superusers (42501). 22023: NULL, or a date that is not over. 55000: rows of such a month are not sealed, or verify_audit finds a problem.';
