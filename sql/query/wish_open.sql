-- The same request of member $6 that is open already (kind $2, table $3, record $4, level or role $8), and how many are.
SELECT min(a.id) FILTER (WHERE a.kind = $2 AND a.target IS NOT DISTINCT FROM nullif($3::oid, 0)::regclass
                         AND a.record IS NOT DISTINCT FROM $4 AND a.detail ->> 'wanted' = $8),
       count(*)
FROM leadguard.approval a
WHERE a.requested_by = $6 AND a.kind IN ('access', 'role') AND a.decided_by IS NULL AND a.until > clock_timestamp()
  AND a.org_id = $1 AND ($5 <> '' OR $7::timestamptz IS NOT NULL)
