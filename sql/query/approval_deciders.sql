-- Who can decide about requests of member $2 of organization $1, $3 of them at most.
SELECT d.id
FROM leadguard.data_owners($1) d (id)
WHERE d.id <> $2
ORDER BY d.id
LIMIT $3
