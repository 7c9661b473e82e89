-- Giving again replaces what was given. A retained grant is for administrators ($11) to weaken; anybody else
-- may only raise or prolong one that still counts.
DO UPDATE SET level = excluded.level, reason = excluded.reason, granted_by = excluded.granted_by, granted_at = now(), until = excluded.until
WHERE $11 OR NOT held.retained OR held.until <= statement_timestamp()
   OR (array_position('{read,edit,full}'::text[], excluded.level) >= array_position('{read,edit,full}'::text[], held.level)
       AND coalesce(excluded.until, 'infinity') >= coalesce(held.until, 'infinity'))
RETURNING id
