SELECT l.id, l.at, l.transaction, l.session_role, l.outer_role, l.member_id, l.member_key, l.organization, l.target_name,
       l.record, l.action, l.reason, l.approval, l.detail, l.changes, l.has_values, encode(l.mac, 'hex'), v."values",
       NULL::text[], NULL::text[], NULL::bytea, NULL::text[], NULL::text[]
FROM leadguard.audit_log l
LEFT JOIN leadguard.audit_value v ON v.target = l.target AND v.record = l.record AND v.audit_id = l.id
WHERE (l.at, l.id) > ($1, $2) AND ($3 IS NULL OR l.organization = $3)
ORDER BY l.at, l.id
LIMIT $4
