-- Grants of delegation $1 on records $3 of a table. One that lasts is not replaced: it would go with
-- the end of this delegation.
INSERT INTO leadguard.record_grant AS held (target, record, kind, member_id, level, reason, granted_by, until, delegation_id)
SELECT $2, r.record, 'delegated', d.delegate_id, d.level, d.reason, d.member_id, d.until, d.id
FROM leadguard.delegation d, unnest($3) AS r (record)
WHERE d.id = $1
ON CONFLICT (target, record, kind, member_id, retained) WHERE member_id IS NOT NULL
DO UPDATE SET level = excluded.level, reason = excluded.reason, granted_by = excluded.granted_by, granted_at = now(),
    until = excluded.until, delegation_id = excluded.delegation_id
WHERE held.until <= statement_timestamp()
