-- What kind of relation it is, and what stands in the way of securing it.
SELECT c.relkind::text, n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), format('%I', n.nspname),
       c.relpersistence = 't',
       n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'leadguard') OR c.oid < 16384,
       CASE WHEN c.relispartition THEN
           (SELECT format('%I.%I', rn.nspname, r.relname) FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
            WHERE r.oid = pg_partition_root(c.oid))
       END,
       NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid),
       c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
       c.relnamespace
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = $1
