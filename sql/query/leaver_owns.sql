-- What member $1 owns beside records: territories, and teams that no other active member manages.
SELECT 'territory', t.key FROM leadguard.territory t WHERE t.owner_id = $1
UNION ALL
SELECT 'team', t.key
FROM leadguard.team_member own
JOIN leadguard.team t ON t.id = own.team_id
WHERE own.member_id = $1 AND own.role = 'owner'
  AND NOT EXISTS (SELECT FROM leadguard.team_member other JOIN leadguard.member m ON m.id = other.member_id AND m.active
                  WHERE other.team_id = own.team_id AND other.role = 'owner' AND other.member_id <> $1)
ORDER BY 1, 2
