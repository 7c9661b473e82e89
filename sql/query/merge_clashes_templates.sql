-- Templates of batches that organizations $1 and $2 both have.
SELECT format('batch template "%s"', s.name) FROM leadguard.batch_template s JOIN leadguard.batch_template i ON i.name = s.name
WHERE s.org_id = $1 AND i.org_id = $2 AND s.withdrawn_at IS NULL AND i.withdrawn_at IS NULL
ORDER BY 1
