-- Job functions of organization $1 become those of $2; where both have one of a name, that of $2 counts, for the members too.
WITH same AS (
    UPDATE leadguard.member_function f SET org_id = $2
    WHERE f.org_id = $1 AND EXISTS (SELECT FROM leadguard.job_function j WHERE j.org_id = $2 AND j.name = f.job_function)
)
UPDATE leadguard.job_function j SET org_id = $2
WHERE j.org_id = $1 AND NOT EXISTS (SELECT FROM leadguard.job_function held WHERE held.org_id = $2 AND held.name = j.name)
