-- Which of the records $2 of table $1 others than member $3 changed in the last $4 days. Jobs (kind system) do not count.
SELECT r.record
FROM unnest($2::text[]) AS r (record)
WHERE EXISTS (
    SELECT FROM leadguard.audit_entry l
    WHERE l.target = $1 AND l.record = r.record AND l.at > now() - make_interval(days => $4::integer)
      AND l.member_id <> $3 AND l.action IN ('update', 'reassign', 'restore', 'mark_sensitive')
      AND NOT EXISTS (SELECT FROM leadguard.member s WHERE s.id = l.member_id AND s.kind = 'system'))
UNION
SELECT r.record
FROM leadguard.audit_entry l, unnest(l.records) AS r (record)
WHERE l.target = $1 AND l.records && $2 AND l.at > now() - make_interval(days => $4::integer)
  AND l.member_id <> $3 AND l.action IN ('update', 'reassign', 'restore', 'mark_sensitive') AND r.record = ANY ($2)
  AND NOT EXISTS (SELECT FROM leadguard.member s WHERE s.id = l.member_id AND s.kind = 'system')
