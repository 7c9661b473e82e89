-- Column privileges that REVOKE on the whole table takes away as a side effect.
SELECT format('GRANT %s (%s) ON TABLE %I.%I TO %s%s', x.privilege_type, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
              n.nspname, c.relname, quote_ident(r.rolname), CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(a.attacl) x
JOIN pg_roles r ON r.oid = x.grantee
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND x.grantor = c.relowner
  AND r.rolname = ANY ($2::name[]) AND x.privilege_type = ANY (string_to_array($3, ', '))
GROUP BY x.privilege_type, n.nspname, c.relname, r.rolname, x.is_grantable
ORDER BY 1
