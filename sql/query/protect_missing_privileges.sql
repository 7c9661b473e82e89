-- Privileges that registered roles need on a table and do not have, roles with the same lack together.
-- What a role has through another role or through PUBLIC counts: pg_class.relacl must fit into one page,
-- so that thousands of persons can only be served through a common role.
WITH object AS (
    SELECT $4 AS oid, 'TABLE' AS kind
    UNION ALL
    -- Behind the view that took its name a table is only written.
    SELECT $1, 'BASE' WHERE $1 <> $4
    UNION ALL
    SELECT d.objid, 'SEQUENCE'
    FROM pg_depend d
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.deptype = 'a'
), missing AS (
    SELECT o.oid, o.kind, r.rolname, string_agg(p.privilege, ', ' ORDER BY p.place) AS privileges
    FROM unnest($2, $3) AS w (role, mode)
    JOIN pg_roles r ON r.rolname = w.role
    CROSS JOIN object o
    JOIN (VALUES (1, 'TABLE', 'SELECT', true), (2, 'TABLE', 'INSERT', false), (3, 'TABLE', 'UPDATE', false),
                 (4, 'TABLE', 'DELETE', false), (5, 'SEQUENCE', 'USAGE', false), (6, 'BASE', 'INSERT', false),
                 (7, 'BASE', 'UPDATE', false), (8, 'BASE', 'DELETE', false)) AS p (place, kind, privilege, analyst)
        ON p.kind = o.kind AND (p.analyst OR w.mode <> 'analyst')
    WHERE NOT CASE o.kind WHEN 'SEQUENCE' THEN has_sequence_privilege(r.oid, o.oid, p.privilege)
                          ELSE has_table_privilege(r.oid, o.oid, p.privilege) END
    GROUP BY o.oid, o.kind, r.rolname
)
SELECT CASE m.kind WHEN 'BASE' THEN 'TABLE' ELSE m.kind END, format('%I.%I', n.nspname, c.relname), m.privileges,
       string_agg(quote_ident(m.rolname), ', ' ORDER BY m.rolname), array_agg(m.rolname ORDER BY m.rolname)::text
FROM missing m
JOIN pg_class c ON c.oid = m.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
GROUP BY m.oid, m.kind, n.nspname, c.relname, m.privileges
ORDER BY m.kind DESC, 2, 3
