-- Persons of organization $1 who can decide dispute $2: those who approve and have no claim in it, nor are $3.
SELECT DISTINCT m.id
FROM leadguard.member m
JOIN leadguard.member_role mr ON mr.member_id = m.id
JOIN leadguard.role r ON r.id = mr.role_id AND 'approve' = ANY (r.capabilities)
WHERE m.org_id = $1 AND m.active AND m.kind = 'person' AND m.id <> $3
  AND NOT EXISTS (SELECT FROM leadguard.claim c WHERE c.dispute_id = $2 AND c.member_id = m.id)
