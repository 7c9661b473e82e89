-- Everything of organization $1 becomes $2's at once: the checks that nothing crosses organizations look at the end.
WITH territories AS (UPDATE leadguard.territory SET org_id = $2 WHERE org_id = $1),
     teams AS (UPDATE leadguard.team SET org_id = $2 WHERE org_id = $1),
     roles AS (UPDATE leadguard.role SET org_id = $2 WHERE org_id = $1)
UPDATE leadguard.member SET org_id = $2 WHERE org_id = $1
