INSERT INTO leadguard.audit_entry (at, transaction, session_role, outer_role, member_id, member_key, organization,
    target, target_name, action, reason, approval, detail, id, changes, has_values, mac, records, fields, digests, old_values, new_values)
VALUES ($1, $2::xid8, $3, $4, $5, $6, $7, nullif($8, 0), $9, $10, $11, $12, $13, $14, '{}', $15, $16, $17, $18, $19, $20, $21)
RETURNING tableoid
