-- What is left of member $1 in the directory.
WITH grants AS (
    DELETE FROM leadguard.record_grant WHERE member_id = $1 AND kind <> 'contact' RETURNING 1
), requests AS (
    UPDATE leadguard.approval SET until = clock_timestamp()
    WHERE requested_by = $1 AND used_at IS NULL AND granted IS DISTINCT FROM false AND until > clock_timestamp() RETURNING 1
), teams AS (
    DELETE FROM leadguard.team_member WHERE member_id = $1 RETURNING 1
), areas AS (
    DELETE FROM leadguard.territory_member WHERE member_id = $1 RETURNING 1
), scopes AS (
    DELETE FROM leadguard.member_scope WHERE member_id = $1 RETURNING 1
), roles AS (
    DELETE FROM leadguard.member_role WHERE member_id = $1 RETURNING role
), functions AS (
    DELETE FROM leadguard.member_function WHERE member_id = $1 RETURNING 1
), logins AS (
    DELETE FROM leadguard.login_role WHERE member_id = $1 RETURNING db_role
)
SELECT 'grants taken', NULL, count(*) FROM grants
UNION ALL SELECT 'requests withdrawn', NULL, count(*) FROM requests
UNION ALL SELECT 'teams left', NULL, count(*) FROM teams
UNION ALL SELECT 'territories left', NULL, count(*) FROM areas
UNION ALL SELECT 'scopes taken', NULL, count(*) FROM scopes
UNION ALL SELECT 'roles taken', string_agg(role, ', ' ORDER BY role), count(*) FROM roles
UNION ALL SELECT 'job function taken', NULL, count(*) FROM functions
UNION ALL SELECT 'analyst logins taken', string_agg(db_role, ', '), count(*) FROM logins
