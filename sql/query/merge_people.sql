-- What is known of the people of organization $1 goes with them to $2.
WITH leaving AS (UPDATE leadguard.offboarding SET org_id = $2 WHERE org_id = $1),
     delegated AS (UPDATE leadguard.delegation SET org_id = $2 WHERE org_id = $1)
UPDATE leadguard.guest_review SET org_id = $2 WHERE org_id = $1
