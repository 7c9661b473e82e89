-- Active members of one organization (or of all, $1 NULL) whose roles let them write; among those that
-- $2 may ask about (NULL: everybody).
SELECT m.key, r.level_cap
FROM leadguard.member m
LEFT JOIN LATERAL (
    SELECT CASE WHEN bool_or(r.level_cap = 'read') THEN 'read' WHEN bool_or(r.level_cap = 'edit') THEN 'edit' END AS level_cap
    FROM leadguard.member_role mr
    JOIN leadguard.role r ON r.id = mr.role_id
    WHERE mr.member_id = m.id) r ON true
WHERE m.active AND ($1::bigint IS NULL OR m.org_id = $1) AND r.level_cap IS DISTINCT FROM 'read'
  AND ($2::bigint IS NULL
       OR EXISTS (SELECT FROM leadguard.member_closure c WHERE c.ancestor_id = $2 AND c.descendant_id = m.id))
ORDER BY m.key
