SELECT h.record
FROM leadguard.handoff h
WHERE h.target = $1 AND h.record = ANY ($2) AND h.state = 'open'
  AND (h.from_member IS DISTINCT FROM $3 OR h.to_member IS DISTINCT FROM $3)
  AND h.at > now() - make_interval(days => $4::integer)
