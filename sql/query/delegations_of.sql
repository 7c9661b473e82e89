-- What the member of id $1 or key $2 delegates in table $3.
SELECT d.id, d.member_id, d.level
FROM leadguard.member m
JOIN leadguard.delegation d ON d.member_id = m.id
JOIN leadguard.member delegate ON delegate.id = d.delegate_id AND delegate.active
WHERE (m.id = $1 OR m.key = $2 OR ($1 IS NULL AND lower(m.key) = $2))
  AND d.ended_at IS NULL AND d.until > statement_timestamp() AND (d.target IS NULL OR d.target = $3)
ORDER BY d.until
