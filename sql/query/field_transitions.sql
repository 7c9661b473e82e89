SELECT attnum, column_name, from_value, to_value, role, condition
FROM leadguard.field_transition
WHERE target = $1
ORDER BY column_name, from_value, to_value, id
