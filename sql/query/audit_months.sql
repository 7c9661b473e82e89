SELECT p.relname, m.month
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class p ON p.oid = i.inhrelid,
LATERAL (SELECT replace(substring(p.relname FROM '^audit_log_([0-9]{4}_[0-9]{2})$'), '_', '-') AS month) m
WHERE i.inhparent = 'leadguard.audit_entry'::regclass AND m.month IS NOT NULL
  AND (m.month || '-01')::date + interval '1 month' <= $1::date
ORDER BY m.month
