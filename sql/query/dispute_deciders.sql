-- Who can decide dispute $2 of organization $1: those who have no claim in it, nor are $3.
SELECT d.id
FROM leadguard.data_owners($1) d (id)
WHERE d.id <> $3 AND NOT EXISTS (SELECT FROM leadguard.claim c WHERE c.dispute_id = $2 AND c.member_id = d.id)
