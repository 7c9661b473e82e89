SELECT t.id, t.records
FROM leadguard.batch_template t
WHERE t.org_id = $1 AND t.target = $2 AND t.operation = $3 AND (t.role IS NULL OR t.role = ANY ($4))
  AND (t.records IS NULL OR t.records >= $5) AND (t.until IS NULL OR t.until > clock_timestamp()) AND t.withdrawn_at IS NULL
ORDER BY t.records NULLS LAST, t.id
LIMIT 1
