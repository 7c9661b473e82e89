SELECT target::oid, record, requested_by, kind, field, decided_by IS NOT NULL, until <= clock_timestamp()
FROM leadguard.approval WHERE id = $1 AND org_id = $2 FOR UPDATE
