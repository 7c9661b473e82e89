-- Partitions that this transaction attached, themselves or what they are below of, and that the schema's watch has not
-- taken down yet. None of a table that is not known at all, as while a restore is under way.
WITH RECURSIVE tree AS (
    SELECT $1 AS oid, false AS is_new
    UNION
    SELECT i.inhrelid, t.is_new OR age(i.xmin) <= 0
    FROM tree t
    JOIN pg_inherits i ON i.inhparent = t.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
)
SELECT t.oid
FROM tree t
WHERE t.is_new
  AND EXISTS (SELECT FROM leadguard.schema_known k WHERE k.target = $1)
  AND NOT EXISTS (SELECT FROM leadguard.schema_shape s WHERE s.target = $1 AND s.relation = t.oid AND s.kind = 'partition')
