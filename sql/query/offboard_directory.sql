-- The last day of member $1, whom $2 follows: what the directory has of him. Retained grants only for administrators ($3).
WITH territories AS (
    UPDATE leadguard.territory SET owner_id = $2 WHERE owner_id = $1 RETURNING key
), led AS (
    -- Nobody else manages these teams: the new owner does.
    SELECT own.team_id
    FROM leadguard.team_member own
    WHERE own.member_id = $1 AND own.role = 'owner'
      AND NOT EXISTS (SELECT FROM leadguard.team_member other JOIN leadguard.member m ON m.id = other.member_id AND m.active
                      WHERE other.team_id = own.team_id AND other.role = 'owner' AND other.member_id <> $1)
), promoted AS (
    INSERT INTO leadguard.team_member (team_id, member_id, role) SELECT l.team_id, $2, 'owner' FROM led l
    ON CONFLICT ON CONSTRAINT team_member_pkey DO UPDATE SET role = 'owner' RETURNING team_id
), teams AS (
    DELETE FROM leadguard.team_member WHERE member_id = $1 RETURNING team_id
), areas AS (
    DELETE FROM leadguard.territory_member WHERE member_id = $1 RETURNING territory_id
), scopes AS (
    DELETE FROM leadguard.member_scope WHERE member_id = $1 RETURNING 1
), grants AS (
    DELETE FROM leadguard.record_grant
    WHERE member_id = $1 AND kind IN ('share', 'record_team') AND ($3 OR NOT retained) RETURNING 1
), requests AS (
    UPDATE leadguard.approval SET until = clock_timestamp()
    WHERE requested_by = $1 AND used_at IS NULL AND granted IS DISTINCT FROM false AND until > clock_timestamp() RETURNING 1
), phase AS (
    UPDATE leadguard.offboarding
    SET state = 'leaving', reassigned_at = clock_timestamp(), new_owner = $2,
        roles = coalesce((SELECT array_agg(r.role ORDER BY r.role) FROM leadguard.member_role r WHERE r.member_id = $1), '{}')
    WHERE member_id = $1 AND state = 'planned'
)
SELECT 'territories passed on', string_agg(key, ', ' ORDER BY key), count(*) FROM territories
UNION ALL
SELECT 'teams passed on', string_agg(t.key, ', ' ORDER BY t.key), count(*) FROM promoted p JOIN leadguard.team t ON t.id = p.team_id
UNION ALL SELECT 'teams left', string_agg(t.key, ', ' ORDER BY t.key), count(*) FROM teams l JOIN leadguard.team t ON t.id = l.team_id
UNION ALL SELECT 'territories left', string_agg(t.key, ', ' ORDER BY t.key), count(*) FROM areas l JOIN leadguard.territory t ON t.id = l.territory_id
UNION ALL SELECT 'scopes taken', NULL, count(*) FROM scopes
UNION ALL SELECT 'grants taken', NULL, count(*) FROM grants
UNION ALL SELECT 'requests withdrawn', NULL, count(*) FROM requests
