-- Record team and shares of the member and everyone below, in person or through a team.
SELECT g.record, g.level
FROM leadguard.member_closure c
JOIN leadguard.record_grant g ON g.member_id = c.descendant_id
WHERE c.ancestor_id = $1 AND g.target = $2 AND (g.until IS NULL OR g.until > statement_timestamp())
UNION ALL
SELECT g.record, g.level
FROM leadguard.member_closure c
JOIN leadguard.team_member tm ON tm.member_id = c.descendant_id
JOIN leadguard.record_grant g ON g.team_id = tm.team_id
WHERE c.ancestor_id = $1 AND g.target = $2 AND (g.until IS NULL OR g.until > statement_timestamp())
