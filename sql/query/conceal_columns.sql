-- The columns of a concealed table: how each is masked, and whether somebody may be kept from reading it. The last
-- two are for generated columns, which no rule names: whether the default closes the column, and what it is computed
-- from.
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
                   AND f.key <> '' AND f.access = 'no access'),
       p.field_default = 'no access'
       AND NOT EXISTS (SELECT FROM leadguard.field_rule f WHERE f.version_id = v.id AND f.column_name = a.attname)
       AND NOT EXISTS (SELECT FROM leadguard.tag_column g WHERE g.target = p.target AND g.column_name = a.attname),
       -- Of the column itself before PostgreSQL 15, of its expression since then.
       (SELECT string_agg(DISTINCT d.refobjsubid::text, ',') FROM pg_depend d
        LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
        WHERE a.attgenerated <> '' AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
          AND d.refobjsubid NOT IN (0, a.attnum)
          AND ((d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum)
               OR (e.adrelid = a.attrelid AND e.adnum = a.attnum)))
FROM leadguard.protected_table p
JOIN pg_attribute a ON a.attrelid = p.target AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN leadguard.column_mask m ON m.target = p.target AND m.column_name = a.attname
LEFT JOIN leadguard.field_version v ON v.target = p.target AND v.state = 'active'
WHERE p.target = $1
ORDER BY a.attnum
