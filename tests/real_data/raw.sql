-- Who reaches which record, computed from the CSV files alone: text names, recursive queries, none of leadguard's
-- tables. The files are loaded beside this as raw.sales_teams, raw.sales_pipeline, raw.leads and raw.deals.
--
-- The rules of the model are those that pg_test_config/real_data.sql states at its top.

-- Every person and the direct superior. A test that reorganizes changes this table and the directory alike.
CREATE TABLE raw.boss (person text PRIMARY KEY, boss text);
INSERT INTO raw.boss
SELECT sales_agent, manager FROM raw.sales_teams
UNION
SELECT manager, 'head-of-sales' FROM raw.sales_teams
UNION
SELECT sr_id, 'olist-sr-head' FROM raw.deals
UNION
SELECT sdr_id, 'olist-sdr-head' FROM raw.deals WHERE sdr_id NOT IN (SELECT sr_id FROM raw.deals)
UNION ALL
VALUES ('head-of-sales', NULL), ('olist-head', NULL), ('olist-sr-head', 'olist-head'), ('olist-sdr-head', 'olist-head');

-- Every area, the area above it, and who looks after it.
CREATE TABLE raw.area (area text PRIMARY KEY, larger text);
INSERT INTO raw.area
SELECT DISTINCT regional_office, 'company' FROM raw.sales_teams
UNION ALL
VALUES ('company', NULL), ('pool', NULL);

CREATE VIEW raw.caretaker AS
    SELECT regional_office AS area, manager AS person FROM raw.sales_teams
    UNION
    SELECT 'pool', sdr_id FROM raw.deals;

-- A record with its owner, the area it lies in, and the one person on its team.
CREATE VIEW raw.record AS
    SELECT 'maven.opportunity' AS target, p.opportunity_id AS record, p.sales_agent AS owner,
           t.regional_office AS area, NULL AS helper
    FROM raw.sales_pipeline AS p
    LEFT JOIN raw.sales_teams AS t USING (sales_agent)
    UNION ALL
    SELECT 'olist.lead', l.mql_id::uuid::text, d.sr_id, CASE WHEN d.mql_id IS NULL THEN 'pool' END, d.sdr_id
    FROM raw.leads AS l
    LEFT JOIN raw.deals AS d USING (mql_id);

-- level: 1 read, 2 edit, 3 full
CREATE VIEW raw.access AS
    WITH RECURSIVE
    over (person, upper) AS (
        SELECT person, person FROM raw.boss
        UNION
        SELECT o.person, b.boss FROM over AS o JOIN raw.boss AS b ON b.person = o.upper WHERE b.boss IS NOT NULL
    ),
    within (area, larger) AS (
        SELECT area, area FROM raw.area
        UNION
        SELECT w.area, a.larger FROM within AS w JOIN raw.area AS a ON a.area = w.larger WHERE a.larger IS NOT NULL
    ),
    direct (target, record, person, level) AS (
        SELECT target, record, owner, 3 FROM raw.record WHERE owner IS NOT NULL
        UNION ALL
        SELECT target, record, helper, 2 FROM raw.record WHERE helper IS NOT NULL
        UNION ALL
        SELECT r.target, r.record, c.person, 2
        FROM raw.record AS r
        JOIN within AS w ON w.area = r.area
        JOIN raw.caretaker AS c ON c.area = w.larger
    )
    SELECT d.target, o.upper AS person, d.record, max(d.level) AS level
    FROM direct AS d
    JOIN over AS o ON o.person = d.person
    GROUP BY d.target, o.upper, d.record;
