WITH kept AS (
    INSERT INTO leadguard.audit_entry_value (audit_id, at, organization, target, record, "values")
    SELECT $14, $1, $7, $8, $15, $17::jsonb WHERE $17 IS NOT NULL
)
INSERT INTO leadguard.audit_entry (at, transaction, session_role, outer_role, member_id, member_key, organization,
    target, target_name, action, reason, approval, detail, id, record, changes, has_values, mac)
VALUES ($1, $2::xid8, $3, $4, $5, $6, $7, nullif($8, 0), $9, $10, $11, $12, $13, $14, $15, $16::jsonb, $17 IS NOT NULL,
    decode($18, 'hex'))
RETURNING tableoid
