-- The columns of a concealed table: how each is masked, and whether somebody may be kept from reading it.
SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typtype = 'd', a.atttypid, m.mask, m.keep,
       a.attname IN (p.id_column, p.owner_column, p.creator_column, p.territory_column, p.organization_column,
                     p.archived_at_column, p.archived_by_column),
       EXISTS (SELECT FROM leadguard.column_mask o WHERE o.target = p.target AND (o.attnum IS NOT DISTINCT FROM a.attnum) <> (o.column_name = a.attname))
       OR EXISTS (SELECT FROM leadguard.field_rule f WHERE f.version_id = v.id
                  AND ((f.attnum IS NOT DISTINCT FROM a.attnum) <> (f.column_name = a.attname)
                       OR (f.column_name = a.attname AND f.access = 'no access')))
       OR (p.field_default = 'no access'
           AND NOT EXISTS (SELECT FROM leadguard.field_rule f WHERE f.version_id = v.id AND f.column_name = a.attname AND f.key = '')),
       a.attgenerated <> '', a.attnum, a.atttypmod,
       a.atttypid = 'jsonb'::regtype
       AND EXISTS (SELECT FROM leadguard.field_rule f WHERE f.version_id = v.id AND f.column_name = a.attname
                   AND f.key <> '' AND f.access = 'no access')
FROM leadguard.protected_table p
JOIN pg_attribute a ON a.attrelid = p.target AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN leadguard.column_mask m ON m.target = p.target AND m.column_name = a.attname
LEFT JOIN leadguard.field_version v ON v.target = p.target AND v.state = 'active'
WHERE p.target = $1
ORDER BY a.attnum
