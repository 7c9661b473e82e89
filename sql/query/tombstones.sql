INSERT INTO leadguard.tombstone (target, record, org_id, purged_by, session_role, reason, kept)
SELECT $1, r.record, $3, $4, session_user, $5, r.kept::jsonb
FROM unnest($2, $6) AS r (record, kept)
