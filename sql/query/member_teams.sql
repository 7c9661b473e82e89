-- Teams whose shares reach the member ($1), and whether in person. $2: by the access setting of the team; else by
-- membership alone. $3: how far down those below count (NULL: not at all, 0: all of them).
SELECT tm.team_id, bool_or(c.depth = 0)
FROM leadguard.member_closure c
JOIN leadguard.team_member tm ON tm.member_id = c.descendant_id
JOIN leadguard.team t ON t.id = tm.team_id
WHERE c.ancestor_id = $1 AND (c.depth = 0 OR $3 = 0 OR c.depth <= $3) AND (NOT $2 OR t.access = 'team')
GROUP BY tm.team_id
UNION ALL
SELECT t.id, true
FROM leadguard.member m
JOIN leadguard.team t ON t.org_id = m.org_id
WHERE $2 AND m.id = $1 AND m.kind <> 'guest' AND t.access = 'organization'
