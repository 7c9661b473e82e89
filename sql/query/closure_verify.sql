-- The recursive walk, independent of the way the triggers work; of organization $1, or of all.
WITH RECURSIVE walk (ancestor_id, descendant_id, depth) AS (
    SELECT id, id, 0 FROM {table}
    UNION ALL
    SELECT walk.ancestor_id, t.id, walk.depth + 1
    FROM walk
    JOIN {table} t ON t.{parent} = walk.descendant_id
) CYCLE descendant_id SET looped USING path,
real AS (SELECT ancestor_id, descendant_id, depth FROM walk WHERE NOT looped)
SELECT coalesce(r.ancestor_id, c.ancestor_id), coalesce(r.descendant_id, c.descendant_id),
       c.depth::bigint, r.depth::bigint
FROM real r
FULL JOIN {closure} c ON c.ancestor_id = r.ancestor_id AND c.descendant_id = r.descendant_id
WHERE c.depth IS DISTINCT FROM r.depth
  AND ($1::bigint IS NULL
       OR EXISTS (SELECT FROM {table} t
                  WHERE t.id IN (r.ancestor_id, c.ancestor_id, r.descendant_id, c.descendant_id) AND t.org_id = $1))
ORDER BY 1, 2
