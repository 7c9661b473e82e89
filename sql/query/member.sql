SELECT m.org_id, m.key, o.key, m.kind, o.organization_view
FROM leadguard.member m
JOIN leadguard.organization o ON o.id = m.org_id
WHERE m.id = $1 AND m.active AND o.archived_at IS NULL
