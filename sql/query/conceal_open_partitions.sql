-- Partitions on which somebody else than their owner has privileges: what he reads there passes no view. Not with
-- pg_partition_tree, which would lock all of them (see protect_tree.sql).
WITH RECURSIVE tree AS (
    SELECT i.inhrelid AS oid
    FROM pg_inherits i
    WHERE i.inhparent = $1
    UNION
    SELECT i.inhrelid
    FROM tree t
    JOIN pg_inherits i ON i.inhparent = t.oid
)
SELECT string_agg(DISTINCT c.oid::regclass::text, ', ')
FROM tree t
JOIN pg_class c ON c.oid = t.oid
WHERE EXISTS (SELECT FROM aclexplode(c.relacl) x WHERE x.grantee <> c.relowner)
   OR EXISTS (SELECT FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = c.oid AND x.grantee <> c.relowner)
