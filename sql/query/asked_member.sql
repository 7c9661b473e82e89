-- The member that a question is about, by key or by id.
SELECT m.id, m.key, m.org_id, m.active AND o.archived_at IS NULL, m.kind, o.organization_view
FROM leadguard.member m
JOIN leadguard.organization o ON o.id = m.org_id
WHERE m.key = $1 OR m.id = $2
