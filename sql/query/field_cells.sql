SELECT r.attnum, r.column_name, r.key, r.role, r.access
FROM leadguard.field_version v
JOIN leadguard.field_rule r ON r.version_id = v.id
WHERE v.target = $1 AND v.state = 'active'
