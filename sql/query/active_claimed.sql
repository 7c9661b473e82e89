SELECT c.record
FROM leadguard.claim c
WHERE c.target = $1 AND c.record = ANY ($2) AND c.state IN ('open', 'disputed') AND c.member_id <> $3
  AND c.claimed_at > now() - make_interval(days => $4::integer)
