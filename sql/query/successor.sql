-- Who takes over from member $1 of organization $2: the one with key $3, or the nearest active one above. A person who
-- does not leave; locked, so that he stays until the transaction ends.
SELECT m.id, m.key
FROM leadguard.member m
LEFT JOIN leadguard.member_closure c ON c.ancestor_id = m.id AND c.descendant_id = $1 AND c.depth > 0
WHERE m.org_id = $2 AND m.id <> $1 AND m.active AND m.kind = 'person'
  AND CASE WHEN $3::text IS NULL THEN c.depth IS NOT NULL ELSE m.key = $3 END
  AND NOT EXISTS (SELECT FROM leadguard.offboarding o WHERE o.member_id = m.id AND o.state IN ('planned', 'leaving'))
ORDER BY c.depth
LIMIT 1
FOR SHARE OF m
