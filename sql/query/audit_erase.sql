-- What is kept of these records in rows of many: their places in the arrays become NULL.
UPDATE leadguard.audit_entry e
SET (old_values, new_values) = (
    SELECT array_agg(CASE WHEN k.is_gone THEN NULL ELSE k.old END ORDER BY k.n), array_agg(CASE WHEN k.is_gone THEN NULL ELSE k.new END ORDER BY k.n)
    FROM (SELECT v.old, v.new, v.n, e.records[1 + (v.n - 1) / cardinality(e.fields)] = ANY ($2) AS is_gone
          FROM unnest(e.old_values, e.new_values) WITH ORDINALITY AS v (old, new, n)) k)
WHERE e.target = $1 AND e.records && $2 AND e.has_values
