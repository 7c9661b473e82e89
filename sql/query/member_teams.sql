-- Teams that the member or anyone below belongs to.
SELECT DISTINCT tm.team_id
FROM leadguard.member_closure c
JOIN leadguard.team_member tm ON tm.member_id = c.descendant_id
WHERE c.ancestor_id = $1
