-- The table and all its partitions, the table first.
SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind::text, c.relrowsecurity, c.relforcerowsecurity, c.oid = $1
FROM (SELECT $1 AS oid UNION SELECT relid::oid FROM pg_partition_tree($1)) t
JOIN pg_class c ON c.oid = t.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY c.oid <> $1, n.nspname, c.relname
