SELECT number, at, life, since, snapshot, first_at, last_at, "rows", parts, encode(previous, 'hex'), encode(mac, 'hex')
FROM leadguard.audit_seal
ORDER BY number DESC
LIMIT $1
