-- For every moved node: the component its new parent is in (root, steps below it), or else the parent's
-- depth, and the height of its own component. See src/model/forest.rs.
WITH component AS MATERIALIZED (
    SELECT DISTINCT ON (c.descendant_id) c.descendant_id AS node, c.ancestor_id AS root, c.depth
    FROM unnest($1) AS moved (id)
    JOIN {closure} c ON c.ancestor_id = moved.id
    ORDER BY c.descendant_id, c.depth
), height AS (
    SELECT root, max(depth) AS height FROM component GROUP BY root
), parent AS (
    SELECT t.id, t.{parent} AS parent FROM unnest($1) AS moved (id) JOIN {table} t ON t.id = moved.id
), outside AS (
    SELECT p.id, max(c.depth) AS depth
    FROM parent p
    JOIN {closure} c ON c.descendant_id = p.parent
    WHERE NOT EXISTS (SELECT FROM component WHERE component.node = p.parent)
    GROUP BY p.id
)
SELECT p.id, component.root, component.depth::bigint, outside.depth::bigint, height.height::bigint
FROM parent p
LEFT JOIN component ON component.node = p.parent
LEFT JOIN outside ON outside.id = p.id
LEFT JOIN height ON height.root = p.id
