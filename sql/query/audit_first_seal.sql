SELECT at, id, transaction, organization, mac FROM leadguard.audit_entry ORDER BY at, id
