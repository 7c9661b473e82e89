WITH entry AS MATERIALIZED (
    SELECT * FROM unnest($14::bigint[], $15::text[], $16::text[], $17::text[], $18::text[]) AS e (id, record, changes, kept, mac)
), kept AS (
    INSERT INTO leadguard.audit_value (audit_id, at, organization, target, record, "values")
    SELECT e.id, $1, $7, $8, e.record, e.kept::jsonb FROM entry e WHERE e.kept <> ''
)
INSERT INTO leadguard.audit_log (at, transaction, session_role, outer_role, member_id, member_key, organization,
    target, target_name, action, reason, approval, detail, id, record, changes, has_values, mac)
SELECT $1, $2::xid8, $3, $4, $5, $6, $7, nullif($8, 0), $9, $10, $11, $12, $13, e.id, e.record, e.changes::jsonb, e.kept <> '',
    decode(e.mac, 'hex')
FROM entry e
