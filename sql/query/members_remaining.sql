-- How many active members organization $1 has: other than member $2, or, for a superuser, than those whose roles stand for
-- the organization, whom it cannot lose as long as it is there.
SELECT count(*)
FROM leadguard.member m
WHERE m.org_id = $1 AND m.active AND m.id IS DISTINCT FROM $2
  AND ($2 IS NOT NULL
       OR NOT EXISTS (SELECT FROM leadguard.member_role mr
                      JOIN leadguard.role r ON r.id = mr.role_id
                      WHERE mr.member_id = m.id AND r.org_id IS NULL AND r.name IN ('Owner', 'data_owner', 'ADMIN')))
