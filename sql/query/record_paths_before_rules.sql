-- The same in a database that holds no rules yet: the paths of sales_hierarchy.
WITH member AS (
    SELECT m.id, m.key, m.kind
    FROM leadguard.member m
    WHERE m.org_id = $5 AND m.active AND ($6::bigint IS NULL OR m.id = $6)
), held AS (
    SELECT g.id, g.kind, g.level, g.member_id, NULL::bigint AS team_id
    FROM leadguard.record_grant g
    WHERE g.target = $1 AND g.record = $2 AND g.member_id IS NOT NULL
      AND (g.until IS NULL OR g.until > statement_timestamp())
    UNION ALL
    SELECT g.id, g.kind, g.level, tm.member_id, g.team_id
    FROM leadguard.record_grant g
    JOIN leadguard.team_member tm ON tm.team_id = g.team_id
    WHERE g.target = $1 AND g.record = $2
      AND (g.until IS NULL OR g.until > statement_timestamp())
), staffed AS (
    SELECT up.ancestor_id AS territory_id, up.depth, t.owner_id AS member_id
    FROM leadguard.territory_closure up
    JOIN leadguard.territory t ON t.id = up.ancestor_id
    WHERE up.descendant_id = $4 AND t.owner_id IS NOT NULL
    UNION
    SELECT up.ancestor_id, up.depth, tm.member_id
    FROM leadguard.territory_closure up
    JOIN leadguard.territory_member tm ON tm.territory_id = up.ancestor_id
    WHERE up.descendant_id = $4
), reached AS (
    SELECT c.ancestor_id AS member_id, CASE c.depth WHEN 0 THEN 'own' ELSE 'manager' END AS path, NULL AS level,
           c.descendant_id AS through_id, NULL::bigint AS territory_id, NULL::bigint AS team_id, NULL::bigint AS grant_id, c.depth
    FROM leadguard.member_closure c
    WHERE c.descendant_id = $3 AND ($6::bigint IS NULL OR c.ancestor_id = $6)
    UNION ALL
    SELECT c.ancestor_id,
           CASE WHEN h.kind = 'share' THEN 'share' WHEN c.depth = 0 THEN 'record_team' ELSE 'record_team_manager' END,
           h.level, h.member_id, NULL, h.team_id, h.id, c.depth
    FROM held h
    JOIN leadguard.member_closure c ON c.descendant_id = h.member_id
    WHERE $6::bigint IS NULL OR c.ancestor_id = $6
    UNION ALL
    SELECT c.ancestor_id,
           CASE WHEN c.depth > 0 THEN 'territory_manager' WHEN s.depth = 0 THEN 'territory' ELSE 'territory_ancestor' END,
           NULL, s.member_id, s.territory_id, NULL, NULL, c.depth
    FROM staffed s
    JOIN leadguard.member_closure c ON c.descendant_id = s.member_id
    WHERE $6::bigint IS NULL OR c.ancestor_id = $6
    UNION ALL
    SELECT m.id, 'admin', NULL, m.id, NULL, NULL, NULL, 0 FROM member m
)
SELECT m.id, m.key, m.kind, false, r.path, r.level, r.through_id, r.territory_id, r.team_id,
       g.until::text, coalesce(g.retained, false), g.reason, r.depth::bigint, g.id
FROM reached r
JOIN member m ON m.id = r.member_id
LEFT JOIN leadguard.record_grant g ON g.id = r.grant_id
