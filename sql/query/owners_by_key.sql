-- Owners whom a column names by key, one of type uuid in lower case: begins the query of tell_owners.sql.
WITH wanted AS (
    SELECT DISTINCT unnest($4::text[] || $5::text[]) AS who
), named AS (
    SELECT w.who, m.id, m.org_id FROM wanted w JOIN leadguard.member m ON m.key = w.who WHERE m.active
    UNION ALL
    SELECT w.who, m.id, m.org_id FROM wanted w JOIN leadguard.member m ON lower(m.key) = w.who
    WHERE m.active AND m.key <> w.who AND length(w.who) = 36
)
