SELECT DISTINCT m.id
FROM leadguard.member m
JOIN leadguard.member_role mr ON mr.member_id = m.id
JOIN leadguard.role r ON r.id = mr.role_id
WHERE m.org_id = $1 AND m.id <> $2 AND m.active AND m.kind = 'person' AND 'approve' = ANY (r.capabilities)
ORDER BY m.id
LIMIT $3
