SELECT m.org_id, m.key, o.key, m.kind, false
FROM leadguard.member m
JOIN leadguard.organization o ON o.id = m.org_id
WHERE m.id = $1 AND m.active
