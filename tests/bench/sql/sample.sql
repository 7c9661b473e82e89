-- How many leads somebody sees, and which of them the queries ask for: a lead of one's own where there is one, the
-- lead in the middle of the newest-first order, and a list of ten visible leads and ten of anybody's.
WITH seen AS MATERIALIZED (
    {visible}
), one AS (
    SELECT * FROM seen ORDER BY (owner_id = {member}) IS TRUE DESC, org.pick(201, id, 1000000007), id LIMIT 1
), page AS (
    SELECT created_at, id FROM seen ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET (SELECT count(*) / 2 FROM seen)
), listed AS (
    (SELECT id FROM seen ORDER BY org.pick(202, id, 1000000007), id LIMIT 10)
    UNION
    SELECT 1 + org.pick(203, i, {rows}) FROM generate_series(1, 10) AS i
)
UPDATE org.cast_member
SET sees = (SELECT count(*) FROM seen),
    (lead_id, owner_id, email) = (SELECT id, coalesce(owner_id, 1), email FROM one),
    (page_at, page_id) = (SELECT created_at, id FROM page),
    list = (SELECT string_agg(id::text, ', ' ORDER BY id) FROM listed)
WHERE name = '{name}'
