-- Columns with what matters for mapping them: type, and which indexes there are on them.
SELECT a.attname, a.atttypid, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '',
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indisready
               AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary
               AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary
               AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
       EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
               WHERE i.indrelid = a.attrelid AND m.amname = 'btree' AND i.indisvalid AND i.indisready AND i.indislive
               AND i.indpred IS NULL AND i.indkey[0] = a.attnum)
FROM pg_attribute a
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
