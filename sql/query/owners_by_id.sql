-- Owners whom a column names by id: begins the query of tell_owners.sql.
WITH named AS (
    SELECT m.id::text AS who, m.id, m.org_id FROM (SELECT DISTINCT unnest($4::text[] || $5::text[])) w (who)
    JOIN leadguard.member m ON m.id = nullif(w.who, '')::bigint WHERE m.active
)
