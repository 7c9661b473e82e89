SELECT attnum, column_name, array_to_string(clear_for, ',') FROM leadguard.column_mask WHERE target = $1
