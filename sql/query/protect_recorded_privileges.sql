-- Privileges that leadguard itself granted and that can be taken back. $1: of one table, or of all (NULL);
-- $2: of these roles, or of all (NULL); $3: but not these privileges.
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, format('%I.%I', n.nspname, c.relname), g.privileges,
       string_agg(quote_ident(g.grantee), ', ' ORDER BY g.grantee), array_agg(g.grantee ORDER BY g.grantee)::text, c.oid
FROM (
    SELECT t.object, t.grantee, string_agg(t.privilege, ', ' ORDER BY t.privilege) AS privileges
    FROM leadguard.table_grant t
    JOIN pg_roles r ON r.rolname = t.grantee
    WHERE ($1 IS NULL OR t.target::oid::bigint = $1) AND ($2 IS NULL OR t.grantee = ANY ($2::name[])) AND t.privilege <> ALL ($3)
    GROUP BY t.object, t.grantee
) g
JOIN pg_class c ON c.oid = g.object
JOIN pg_namespace n ON n.oid = c.relnamespace
GROUP BY c.oid, c.relkind, n.nspname, c.relname, g.privileges
ORDER BY 1 DESC, 2, 3
