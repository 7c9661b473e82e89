-- Organization $1, unless it is archived, and role $2, if no active member of it holds that.
SELECT o.key, r.name
FROM leadguard.organization o
JOIN leadguard.role r ON r.id = $2
WHERE o.id = $1 AND o.archived_at IS NULL
  AND NOT EXISTS (SELECT FROM leadguard.member_role mr
                  JOIN leadguard.member m ON m.id = mr.member_id
                  WHERE mr.role_id = $2 AND m.org_id = $1 AND m.active)
