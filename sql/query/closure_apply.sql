-- Pairs inside a component stay. Each component exchanges the ancestors above its root: those of the old
-- place (in the closure) for those of the new one (walked in the tree, which is known to be free of cycles).
-- Common ancestors at the same depth are not touched.
WITH RECURSIVE component AS MATERIALIZED (
    SELECT DISTINCT ON (c.descendant_id) c.descendant_id AS node, c.ancestor_id AS root, c.depth
    FROM unnest($1) AS moved (id)
    JOIN {closure} c ON c.ancestor_id = moved.id
    ORDER BY c.descendant_id, c.depth
), up (root, ancestor, distance) AS (
    SELECT t.id, p.id, 1
    FROM unnest($1) AS moved (id)
    JOIN {table} t ON t.id = moved.id
    JOIN {table} p ON p.id = t.{parent}
    UNION ALL
    SELECT up.root, p.id, up.distance + 1
    FROM up
    JOIN {table} t ON t.id = up.ancestor
    JOIN {table} p ON p.id = t.{parent}
), wanted AS MATERIALIZED (
    SELECT up.ancestor, component.node, up.distance + component.depth AS depth
    FROM up
    JOIN component ON component.root = up.root
), gone AS (
    DELETE FROM {closure} c
    USING component
    WHERE c.descendant_id = component.node
      AND c.depth > component.depth
      AND NOT EXISTS (SELECT FROM wanted w WHERE w.ancestor = c.ancestor_id AND w.node = c.descendant_id)
)
INSERT INTO {closure} AS c (ancestor_id, descendant_id, depth)
SELECT ancestor, node, depth FROM wanted w
WHERE NOT EXISTS (
    SELECT FROM {closure} held
    WHERE held.ancestor_id = w.ancestor AND held.descendant_id = w.node AND held.depth = w.depth)
ON CONFLICT (ancestor_id, descendant_id) DO UPDATE SET depth = excluded.depth
