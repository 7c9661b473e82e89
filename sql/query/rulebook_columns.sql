-- The columns of a protected table, as rules about fields name them.
SELECT a.attname, a.atttypid, format_type(a.atttypid, a.atttypmod), a.attgenerated <> ''
FROM pg_attribute a
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
