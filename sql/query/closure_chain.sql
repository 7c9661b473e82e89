WITH RECURSIVE up (id, step) AS (
    SELECT $1::bigint, 1
    UNION ALL
    SELECT t.{parent}, up.step + 1
    FROM up
    JOIN {table} t ON t.id = up.id
    WHERE t.{parent} IS NOT NULL AND up.step < $2
)
SELECT t.key FROM up JOIN {table} t ON t.id = up.id ORDER BY up.step
