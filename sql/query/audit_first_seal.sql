SELECT at, id, transaction, organization, mac FROM leadguard.audit_log ORDER BY at, id
