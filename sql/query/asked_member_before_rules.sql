-- The same in a database that holds no rules yet.
SELECT m.id, m.key, m.org_id, m.active, m.kind, false
FROM leadguard.member m
WHERE m.key = $1 OR m.id = $2
