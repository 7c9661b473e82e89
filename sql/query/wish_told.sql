-- Who hears that member $1 of organization $2 asks for more: the manager, and persons who approve.
SELECT m.manager_id FROM leadguard.member m WHERE m.id = $1 AND m.manager_id IS NOT NULL
UNION
SELECT d.id FROM leadguard.data_owners($2) d (id) WHERE d.id <> $1
