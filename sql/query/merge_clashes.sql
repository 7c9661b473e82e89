-- What organizations $1 and $2 both have.
SELECT format('territory "%s"', s.key) FROM leadguard.territory s JOIN leadguard.territory i ON i.key = s.key
WHERE s.org_id = $1 AND i.org_id = $2
UNION ALL
SELECT format('team "%s"', s.key) FROM leadguard.team s JOIN leadguard.team i ON i.key = s.key
WHERE s.org_id = $1 AND i.org_id = $2
UNION ALL
SELECT format('role "%s"', s.name) FROM leadguard.role s JOIN leadguard.role i ON i.name = s.name
WHERE s.org_id = $1 AND i.org_id = $2
ORDER BY 1
