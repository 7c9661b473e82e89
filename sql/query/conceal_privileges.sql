-- Privileges on a relation and its columns of everybody but one role ($2) and the owner of the views.
SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END, a.privilege_type, quote_ident(a.attname), a.is_grantable
FROM (
    SELECT x.grantee, x.privilege_type, NULL::name AS attname, x.is_grantable, 0 AS attnum
    FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = $1
    UNION ALL
    SELECT x.grantee, x.privilege_type, t.attname, x.is_grantable, t.attnum
    FROM pg_attribute t, aclexplode(t.attacl) x WHERE t.attrelid = $1 AND t.attnum > 0 AND NOT t.attisdropped
) a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE a.grantee <> $2 AND (a.grantee = 0 OR r.rolname <> 'leadguard_view')
ORDER BY a.attnum, 1, 2
