INSERT INTO leadguard.tombstone (target, record, org_id, purged_by, session_role, reason, approval, kept)
VALUES ($1, $2, $3, $4, session_user, $5, $6, $7::jsonb)
