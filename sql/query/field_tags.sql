SELECT attnum, column_name FROM leadguard.tag_column WHERE target = $1
