-- A template that covers an import of so many rows, with the match keys that the table has: the one that was named, or
-- any.
SELECT t.id
FROM leadguard.batch_template t
JOIN leadguard.import_target i ON i.target = t.target
WHERE t.org_id = $1 AND t.target = $2 AND t.operation = 'import' AND t.withdrawn_at IS NULL
  AND (t.role IS NULL OR t.role = ANY ($3)) AND (t.records IS NULL OR t.records >= $4)
  AND (t.until IS NULL OR t.until > clock_timestamp())
  AND (t.match_keys IS NULL OR t.match_keys = i.match_keys)
  AND ($5::bigint IS NULL OR t.id = $5)
ORDER BY t.until NULLS LAST, t.id
LIMIT 1
