-- Who hears that member $1 of organization $2 asks for more: the manager, and persons who approve.
SELECT m.manager_id FROM leadguard.member m WHERE m.id = $1 AND m.manager_id IS NOT NULL
UNION
SELECT m.id
FROM leadguard.member m
JOIN leadguard.member_role mr ON mr.member_id = m.id
JOIN leadguard.role r ON r.id = mr.role_id AND 'approve' = ANY (r.capabilities)
WHERE m.org_id = $2 AND m.active AND m.kind = 'person' AND m.id <> $1
