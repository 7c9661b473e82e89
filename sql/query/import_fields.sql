-- The columns that rows may be loaded for; NOT NULL without a default comes last.
SELECT a.attname, a.atttypid, a.atttypmod::bigint, format_type(a.atttypid, a.atttypmod), a.attnum::bigint,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
FROM pg_attribute a
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'
  AND a.attname::text <> ALL ($2)
ORDER BY a.attnum
