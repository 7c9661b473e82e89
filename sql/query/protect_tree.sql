-- The table and all its partitions, the table first. By hand: pg_partition_tree would lock every partition,
-- and the event trigger must not, or sessions that alter several partitions would deadlock.
WITH RECURSIVE tree AS (
    SELECT $1 AS oid
    UNION
    SELECT i.inhrelid
    FROM tree t
    JOIN pg_inherits i ON i.inhparent = t.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
)
SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind::text, c.relrowsecurity, c.relforcerowsecurity, c.oid = $1,
       NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'leadguard_open')
FROM tree t
JOIN pg_class c ON c.oid = t.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY c.oid <> $1, n.nspname, c.relname
