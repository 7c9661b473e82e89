-- What leadguard granted on a table of notes or tags and its sequences, as statements that take it back.
SELECT format('REVOKE %s ON %s %s FROM %I', string_agg(g.privilege, ', ' ORDER BY g.privilege),
              CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, format('%I.%I', n.nspname, c.relname), g.grantee)
FROM leadguard.table_grant g
JOIN pg_class c ON c.oid = g.object
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles r ON r.rolname = g.grantee
WHERE g.object = $1 OR g.object IN (SELECT d.objid FROM pg_depend d WHERE d.refobjid = $1 AND d.deptype = 'a')
GROUP BY c.relkind, n.nspname, c.relname, g.grantee
ORDER BY 1
