WITH RECURSIVE walk (ancestor_id, descendant_id, depth) AS (
    SELECT id, id, 0 FROM {table}
    UNION ALL
    SELECT walk.ancestor_id, t.id, walk.depth + 1
    FROM walk
    JOIN {table} t ON t.{parent} = walk.descendant_id
), gone AS (
    DELETE FROM {closure} c
    WHERE NOT EXISTS (SELECT FROM walk w WHERE w.ancestor_id = c.ancestor_id AND w.descendant_id = c.descendant_id)
    RETURNING 1
), written AS (
    INSERT INTO {closure} AS c (ancestor_id, descendant_id, depth)
    SELECT ancestor_id, descendant_id, depth FROM walk
    ON CONFLICT (ancestor_id, descendant_id) DO UPDATE SET depth = excluded.depth WHERE c.depth <> excluded.depth
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM written)
