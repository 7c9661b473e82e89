-- Record team and shares of the member and everyone below, with the path that each gives.
SELECT DISTINCT g.record, g.level,
       CASE WHEN g.kind = 'share' THEN 'share' WHEN c.depth = 0 THEN 'record_team' ELSE 'record_team_manager' END
FROM leadguard.member_closure c
JOIN (
    SELECT member_id, target, record, kind, level, until FROM leadguard.record_grant WHERE member_id IS NOT NULL
    UNION ALL
    SELECT tm.member_id, g.target, g.record, g.kind, g.level, g.until
    FROM leadguard.record_grant g
    JOIN leadguard.team_member tm ON tm.team_id = g.team_id) g ON g.member_id = c.descendant_id
WHERE c.ancestor_id = $1 AND g.target = $2 AND (g.until IS NULL OR g.until > statement_timestamp())
