-- Active members of one organization (or of all, $1 NULL), among those that $2 may ask about (NULL: everybody).
SELECT m.id, m.key, m.org_id, m.kind
FROM leadguard.member m
WHERE m.active AND ($1::bigint IS NULL OR m.org_id = $1)
  AND ($2::bigint IS NULL
       OR EXISTS (SELECT FROM leadguard.member_closure c WHERE c.ancestor_id = $2 AND c.descendant_id = m.id))
ORDER BY m.key
