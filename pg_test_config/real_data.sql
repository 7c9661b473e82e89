-- The real data sets as two protected tables of two organizations. Used by `try --data` and by the tests, which compare
-- what members see with a computation over the raw files; the model stands only here.
--
--   psql -v data=DIR [-v prefix=PREFIX] -f real_data.sql        into an empty database
--
-- DIR holds maven-crm/ and olist-funnel/. PREFIX begins the name of every login role: roles belong to the whole server,
-- so databases side by side need different ones.
--
-- maven: opportunities of 35 agents under 6 managers under one head of sales (invented; the files have none).
--   maven.opportunity   owner = sales_agent, by key: members are keyed by their names in the files
--                       territory = regional_office of the agent, by key
--   The managers of an office are the members of its territory; agents are not. So an agent sees the own
--   opportunities, a manager all of the office, the head all.
--
-- olist: marketing-qualified leads, sales representatives (SR) and development representatives (SDR), keyed by the
--   identifiers in the files; whoever is both is one member under the SR head. Three heads are invented:
--   olist-head above olist-sr-head and olist-sdr-head.
--   olist.lead          owner_id = the SR of the closed deal, its SDR on the record team with level edit
--                       not closed: no owner, territory 'pool', whose members are the SDRs

\set ON_ERROR_STOP on
\if :{?prefix} \else \set prefix '' \endif
SET client_min_messages = warning;
SET datestyle = 'ISO, MDY';
\cd :data

CREATE EXTENSION IF NOT EXISTS leadguard;

BEGIN;

-- The files as they are, blemishes included.
CREATE SCHEMA maven;
CREATE TABLE maven.sales_team (sales_agent text PRIMARY KEY, manager text NOT NULL, regional_office text NOT NULL);
CREATE TABLE maven.account (
    account text PRIMARY KEY, sector text, year_established integer, revenue numeric, employees integer,
    office_location text, subsidiary_of text
);
CREATE TABLE maven.opportunity (
    opportunity_id text PRIMARY KEY, sales_agent text NOT NULL, product text, account text, deal_stage text,
    engage_date date, close_date date, close_value numeric
);
\copy maven.sales_team FROM 'maven-crm/sales_teams.csv' WITH (FORMAT csv, HEADER)
\copy maven.account FROM 'maven-crm/accounts.csv' WITH (FORMAT csv, HEADER)
\copy maven.opportunity FROM 'maven-crm/sales_pipeline.csv' WITH (FORMAT csv, HEADER)
ALTER TABLE maven.opportunity ADD regional_office text;
UPDATE maven.opportunity AS o SET regional_office = t.regional_office FROM maven.sales_team AS t WHERE t.sales_agent = o.sales_agent;
CREATE INDEX opportunity_sales_agent_idx ON maven.opportunity (sales_agent);
CREATE INDEX opportunity_regional_office_idx ON maven.opportunity (regional_office);

CREATE SCHEMA olist;
CREATE TABLE olist.lead (mql_id uuid PRIMARY KEY, first_contact_date date, origin text);
CREATE TABLE olist.closed_deal (
    mql_id uuid PRIMARY KEY, seller_id text, sdr_id text NOT NULL, sr_id text NOT NULL, won_date timestamp,
    business_segment text, lead_type text, lead_behaviour_profile text, has_company text, has_gtin text, average_stock text,
    business_type text, declared_product_catalog_size numeric, declared_monthly_revenue numeric
);
\copy olist.lead FROM 'olist-funnel/olist_marketing_qualified_leads_dataset.csv' WITH (FORMAT csv, HEADER)
\copy olist.closed_deal FROM 'olist-funnel/olist_closed_deals_dataset.csv' WITH (FORMAT csv, HEADER)

-- The people of both files, top down: organization, key, name, key of the manager, login role without prefix.
CREATE TEMPORARY TABLE people (org text, key text PRIMARY KEY, name text, manager text, login text UNIQUE, rank integer) ON COMMIT DROP;
INSERT INTO people VALUES ('maven', 'head-of-sales', 'Head of Sales', NULL, 'maven_head', 1);
INSERT INTO people SELECT DISTINCT 'maven', manager, manager, 'head-of-sales', lower(replace(manager, ' ', '_')), 2 FROM maven.sales_team;
INSERT INTO people SELECT 'maven', sales_agent, sales_agent, manager, lower(replace(sales_agent, ' ', '_')), 3 FROM maven.sales_team;
INSERT INTO people VALUES ('olist', 'olist-head', 'Head of Sales', NULL, 'olist_head', 1),
    ('olist', 'olist-sr-head', 'Head of SRs', 'olist-head', 'olist_sr_head', 2),
    ('olist', 'olist-sdr-head', 'Head of SDRs', 'olist-head', 'olist_sdr_head', 2);
INSERT INTO people SELECT DISTINCT 'olist', sr_id, 'SR ' || left(sr_id, 6), 'olist-sr-head', 'sr_' || left(sr_id, 6), 3 FROM olist.closed_deal;
INSERT INTO people SELECT DISTINCT 'olist', sdr_id, 'SDR ' || left(sdr_id, 6), 'olist-sdr-head', 'sdr_' || left(sdr_id, 6), 3
    FROM olist.closed_deal WHERE sdr_id NOT IN (SELECT sr_id FROM olist.closed_deal);

SELECT format('CREATE ROLE %I LOGIN', :'prefix' || login) FROM people \gexec

INSERT INTO leadguard.organization (key, name) VALUES ('maven', 'Maven'), ('olist', 'Olist');
INSERT INTO leadguard.member (org_id, key, name, manager_id, db_role)
SELECT o.id, p.key, p.name, NULL, :'prefix' || p.login
FROM people AS p JOIN leadguard.organization AS o ON o.key = p.org ORDER BY p.rank, p.key;
UPDATE leadguard.member AS m SET manager_id = b.id
FROM people AS p JOIN leadguard.member AS b ON b.key = p.manager WHERE m.key = p.key;

INSERT INTO leadguard.territory (org_id, key, name)
SELECT id, 'company', 'Company' FROM leadguard.organization WHERE key = 'maven'
UNION ALL
SELECT id, 'pool', 'Leads without a deal' FROM leadguard.organization WHERE key = 'olist';
INSERT INTO leadguard.territory (org_id, key, name, parent_id)
SELECT DISTINCT c.org_id, t.regional_office, t.regional_office, c.id
FROM maven.sales_team AS t, leadguard.territory AS c WHERE c.key = 'company';
INSERT INTO leadguard.territory_member (territory_id, member_id)
SELECT DISTINCT t.id, m.id
FROM maven.sales_team AS s
JOIN leadguard.territory AS t ON t.key = s.regional_office
JOIN leadguard.member AS m ON m.key = s.manager
UNION
SELECT t.id, m.id
FROM olist.closed_deal AS d
JOIN leadguard.territory AS t ON t.key = 'pool'
JOIN leadguard.member AS m ON m.key = d.sdr_id;

ALTER TABLE olist.lead ADD won_date timestamp, ADD business_segment text, ADD lead_type text,
    ADD owner_id bigint, ADD territory_id bigint;
UPDATE olist.lead AS l
SET won_date = d.won_date, business_segment = d.business_segment, lead_type = d.lead_type, owner_id = m.id
FROM olist.closed_deal AS d JOIN leadguard.member AS m ON m.key = d.sr_id WHERE d.mql_id = l.mql_id;
UPDATE olist.lead AS l SET territory_id = t.id FROM leadguard.territory AS t WHERE l.owner_id IS NULL AND t.key = 'pool';
CREATE INDEX lead_owner_id_idx ON olist.lead (owner_id);
CREATE INDEX lead_territory_id_idx ON olist.lead (territory_id);

SELECT * FROM leadguard.protect('maven.opportunity', id => 'opportunity_id', owner => 'sales_agent',
    territory => 'regional_office', org_key => 'maven') \g /dev/null
SELECT * FROM leadguard.protect('olist.lead', id => 'mql_id', owner => 'owner_id',
    territory => 'territory_id', org_key => 'olist') \g /dev/null
SELECT leadguard.team_add('olist.lead', mql_id::text, sdr_id, 'edit') FROM olist.closed_deal \g /dev/null

COMMIT;
ANALYZE maven.opportunity, olist.lead;
