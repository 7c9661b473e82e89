-- What the text of a date, a time, an interval, an amount or an array means in this session.
concat_ws(', ', split_part(current_setting('datestyle'), ', ', 2), current_setting('intervalstyle'), current_setting('timezone'),
    current_setting('timezone_abbreviations'), current_setting('lc_monetary'), 'array_nulls ' || current_setting('array_nulls'))
