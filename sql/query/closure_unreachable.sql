-- A node that no root reaches is on a cycle or below one; walking up from it ends on the cycle.
WITH RECURSIVE reached (id) AS (
    SELECT id FROM {table} WHERE {parent} IS NULL
    UNION
    SELECT t.id FROM reached JOIN {table} t ON t.{parent} = reached.id
)
SELECT t.id FROM {table} t WHERE NOT EXISTS (SELECT FROM reached WHERE reached.id = t.id) LIMIT 1
