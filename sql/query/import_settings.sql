-- What the text of a date, a time or an interval means in this session.
concat_ws(', ', split_part(current_setting('datestyle'), ', ', 2), current_setting('intervalstyle'), current_setting('timezone'))
