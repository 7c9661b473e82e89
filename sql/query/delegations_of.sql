-- What the member of id $1 or key $2 in organization $4 delegates in table $3. $5: the column is of type uuid, which shows
-- keys in lower case; other keys that differ in case are other members'.
SELECT d.id, d.member_id, d.level
FROM leadguard.member m
JOIN leadguard.delegation d ON d.member_id = m.id
JOIN leadguard.member delegate ON delegate.id = d.delegate_id AND delegate.active
WHERE (m.id = $1 OR m.key = $2 OR ($5 AND lower(m.key) = $2)) AND m.org_id = $4
  AND d.ended_at IS NULL AND d.until > statement_timestamp() AND (d.target IS NULL OR d.target = $3)
ORDER BY d.until
