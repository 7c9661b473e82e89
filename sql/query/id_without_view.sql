-- Those of the roles ($4) that may select the id ($2) of a table behind a view ($1) and have no privilege on the view ($3).
SELECT string_agg(DISTINCT quote_ident(r.rolname), ', ')
FROM pg_attribute a
CROSS JOIN LATERAL aclexplode(a.attacl) x
JOIN pg_roles r ON r.oid = x.grantee
WHERE a.attrelid = $1 AND a.attname = $2::name AND x.privilege_type = 'SELECT' AND r.rolname = ANY ($4)
  AND NOT EXISTS (SELECT FROM pg_class v, aclexplode(v.relacl) y WHERE v.oid = $3 AND y.grantee = r.oid)
  AND NOT EXISTS (SELECT FROM pg_attribute v, aclexplode(v.attacl) y WHERE v.attrelid = $3 AND y.grantee = r.oid)
