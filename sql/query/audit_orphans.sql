SELECT v.audit_id, v.at
FROM leadguard.audit_entry_value v
WHERE v.at >= $1 AND ($2 IS NULL OR v.organization = $2)
  AND NOT EXISTS (SELECT FROM leadguard.audit_entry l
                  WHERE l.at = v.at AND l.id = v.audit_id AND l.target = v.target AND l.record = v.record)
ORDER BY v.at, v.audit_id
