SELECT at, id, transaction, organization, mac
FROM leadguard.audit_log
WHERE transaction >= $1::xid8 AND at >= $2
ORDER BY at, id
