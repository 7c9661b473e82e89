-- Every way in which active members of the record's organization may reach one record, whatever the rules make of it.
-- $1 table, $2 record, $3 owner, $4 territory, $5 organization, $6 one member or NULL for all of them, $7 creator,
-- $8 segment, $9 team, $10 parent, $11 who reads the parent, $12 whether shares follow the access setting of teams.
-- depth: how far the reaching member stands above the one from whom it comes, who may be inactive.
WITH member AS (
    SELECT m.id, m.key, m.kind, m.manager_id, o.organization_view
    FROM leadguard.member m
    JOIN leadguard.organization o ON o.id = m.org_id AND o.archived_at IS NULL
    WHERE m.org_id = $5 AND m.active AND ($6::bigint IS NULL OR m.id = $6)
), held AS (
    -- A grant to a team is a grant to each of its members, or to whom its access setting names.
    SELECT g.id, g.kind, g.level, g.member_id, NULL::bigint AS team_id
    FROM leadguard.record_grant g
    WHERE g.target = $1 AND g.record = $2 AND g.member_id IS NOT NULL
      AND (g.until IS NULL OR g.until > statement_timestamp())
    UNION ALL
    SELECT g.id, g.kind, g.level, tm.member_id, g.team_id
    FROM leadguard.record_grant g
    JOIN leadguard.team t ON t.id = g.team_id
    JOIN leadguard.team_member tm ON tm.team_id = g.team_id
    JOIN leadguard.member holder ON holder.id = tm.member_id
    WHERE g.target = $1 AND g.record = $2 AND (NOT $12 OR (t.access = 'team' AND holder.kind <> 'guest'))
      AND (g.until IS NULL OR g.until > statement_timestamp())
), staffed AS (
    -- Owner and members of the record's territory and of everything above it.
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
    SELECT m.id, 'created', NULL, m.id, NULL, NULL, NULL, 0 FROM member m WHERE m.id = $7
    UNION ALL
    SELECT m.id, 'colleague', NULL, own.id, NULL, NULL, NULL, 0
    FROM leadguard.member own
    JOIN member m ON m.manager_id = own.manager_id AND m.id <> own.id
    WHERE own.id = $3
    UNION ALL
    SELECT c.ancestor_id,
           CASE h.kind WHEN 'record_team' THEN CASE c.depth WHEN 0 THEN 'record_team' ELSE 'record_team_manager' END
                       WHEN 'delegated' THEN 'share' ELSE h.kind END,
           h.level, h.member_id, NULL, h.team_id, h.id, c.depth
    FROM held h
    JOIN leadguard.member_closure c ON c.descendant_id = h.member_id
    WHERE ($6::bigint IS NULL OR c.ancestor_id = $6) AND (h.kind <> 'contact' OR c.depth = 0)
    UNION ALL
    SELECT m.id, g.kind, g.level, m.id, NULL, g.team_id, g.id, 0
    FROM leadguard.record_grant g
    JOIN leadguard.team t ON t.id = g.team_id
    JOIN member m ON m.kind <> 'guest'
    WHERE $12 AND g.target = $1 AND g.record = $2 AND t.access = 'organization' AND t.org_id = $5
      AND (g.until IS NULL OR g.until > statement_timestamp())
    UNION ALL
    SELECT c.ancestor_id,
           CASE WHEN c.depth > 0 THEN 'territory_manager' WHEN s.depth = 0 THEN 'territory' ELSE 'territory_ancestor' END,
           NULL, s.member_id, s.territory_id, NULL, NULL, c.depth
    FROM staffed s
    JOIN leadguard.member_closure c ON c.descendant_id = s.member_id
    WHERE $6::bigint IS NULL OR c.ancestor_id = $6
    UNION ALL
    SELECT m.id, 'scope', NULL, m.id, CASE s.kind WHEN 'territory' THEN held.id END, NULL, NULL, 0
    FROM leadguard.member_scope s
    JOIN member m ON m.id = s.member_id
    LEFT JOIN leadguard.territory held ON s.kind = 'territory' AND held.org_id = $5 AND held.key = s.value
    LEFT JOIN leadguard.territory_closure down ON down.ancestor_id = held.id AND down.descendant_id = $4
    WHERE s.target = $1
      AND CASE s.kind WHEN 'territory' THEN down.descendant_id IS NOT NULL WHEN 'segment' THEN s.value = $8 ELSE s.value = $10 END
    UNION ALL
    SELECT m.id, 'team', NULL, m.id, NULL, t.id, NULL, 0
    FROM leadguard.team t
    JOIN member m ON m.kind <> 'guest' AND CASE t.access
        WHEN 'team' THEN EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.team_id = t.id AND tm.member_id = m.id)
        WHEN 'organization' THEN true ELSE false END
    WHERE t.id = $9 AND t.org_id = $5
    UNION ALL
    SELECT m.id, 'parent', NULL, m.id, NULL, NULL, NULL, 0 FROM member m WHERE m.id = ANY ($11)
    UNION ALL
    SELECT m.id, p.path, NULL, m.id, NULL, NULL, NULL, 0
    FROM member m, (VALUES ('organization'), ('admin')) AS p (path)
)
SELECT m.id, m.key, m.kind, m.organization_view, r.path, r.level, r.through_id, r.territory_id, r.team_id,
       g.until::text, coalesce(g.retained, false), g.reason, r.depth::bigint, g.id
FROM reached r
JOIN member m ON m.id = r.member_id
LEFT JOIN leadguard.record_grant g ON g.id = r.grant_id
