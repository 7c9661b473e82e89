SELECT attnum, column_name, key, value FROM leadguard.field_value WHERE target = $1 ORDER BY column_name, key, attnum, value
