-- Takes the roles of member $1 but the one for the transition ($4).
WITH gone AS (DELETE FROM leadguard.member_role WHERE member_id = $1 AND role <> $4 AND ($2 IS NOT NULL OR $3) RETURNING role)
SELECT 'roles taken', string_agg(role, ', ' ORDER BY role), count(*) FROM gone
