-- Every way in which active members of the record's organization reach one record (contract, section 4).
-- $1 table, $2 record, $3 owner, $4 territory, $5 organization, $6 one member or NULL for all of them.
-- Levels are as given by the path; the cap of the member's roles stands beside them.
-- Whoever stands between (owner, holder, manager in the middle) may be inactive: only the reaching member counts.
WITH by_role AS (
    SELECT mr.member_id,
           CASE WHEN bool_or(r.level_cap = 'read') THEN 'read' WHEN bool_or(r.level_cap = 'edit') THEN 'edit' END AS level_cap,
           bool_or('export' = ANY (r.capabilities)) AS exports,
           bool_or('see_archived' = ANY (r.capabilities)) AS sees_archived,
           bool_or('hard_delete' = ANY (r.capabilities)) AS hard_deletes,
           bool_or('all_records' = ANY (r.capabilities)) AS all_records
    FROM leadguard.member m
    JOIN leadguard.member_role mr ON mr.member_id = m.id
    JOIN leadguard.role r ON r.name = mr.role AND (r.org_id IS NULL OR r.org_id = m.org_id)
    WHERE m.org_id = $5 AND ($6::bigint IS NULL OR m.id = $6)
    GROUP BY mr.member_id
), held AS (
    -- A grant to a team is a grant to each of its members.
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
    SELECT c.ancestor_id AS member_id, CASE c.depth WHEN 0 THEN 'own' ELSE 'manager' END AS path, 'full' AS level,
           c.descendant_id AS through_id, NULL::bigint AS territory_id, NULL::bigint AS team_id, NULL::bigint AS grant_id
    FROM leadguard.member_closure c
    WHERE c.descendant_id = $3 AND ($6::bigint IS NULL OR c.ancestor_id = $6)
    UNION ALL
    SELECT c.ancestor_id,
           CASE WHEN h.kind = 'share' THEN 'share' WHEN c.depth = 0 THEN 'record_team' ELSE 'record_team_manager' END,
           h.level, h.member_id, NULL, h.team_id, h.id
    FROM held h
    JOIN leadguard.member_closure c ON c.descendant_id = h.member_id
    WHERE $6::bigint IS NULL OR c.ancestor_id = $6
    UNION ALL
    SELECT c.ancestor_id,
           CASE WHEN c.depth > 0 THEN 'territory_manager' WHEN s.depth = 0 THEN 'territory' ELSE 'territory_ancestor' END,
           'edit', s.member_id, s.territory_id, NULL, NULL
    FROM staffed s
    JOIN leadguard.member_closure c ON c.descendant_id = s.member_id
    WHERE $6::bigint IS NULL OR c.ancestor_id = $6
    UNION ALL
    SELECT b.member_id, 'admin', 'full', b.member_id, NULL, NULL, NULL
    FROM by_role b
    WHERE b.all_records
)
SELECT m.id, m.key, r.path, r.level, b.level_cap, coalesce(b.exports, false), r.through_id, r.territory_id, r.team_id,
       g.until::text, coalesce(g.retained, false), g.reason, coalesce(b.sees_archived, false), coalesce(b.hard_deletes, false)
FROM reached r
JOIN leadguard.member m ON m.id = r.member_id AND m.active AND m.org_id = $5
LEFT JOIN by_role b ON b.member_id = m.id
LEFT JOIN leadguard.record_grant g ON g.id = r.grant_id
