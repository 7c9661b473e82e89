INSERT INTO leadguard.record_grant AS held (target, record, kind, member_id, team_id, level, reason, granted_by, until, retained)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
