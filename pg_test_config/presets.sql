-- The real opportunities under three presets beside each other: who sees how many of them. Run after real_data.sql, by
-- `try --data` and by the tests, which compare every number with a computation over the raw files.
--
--   psql -v data=DIR [-v prefix=PREFIX] -f presets.sql
--
--   maven.opportunity               sales_hierarchy, as real_data.sql protects it
--   maven.opportunity_four_role     four_role; role sdr sees the stages Prospecting and Engaging here
--   maven.opportunity_organization  organization; the opportunities are deals, and the organization view is off
--
-- One person has one role of each vocabulary:
--   agents          sdr            Member    own opportunities, under four_role while they are in one of the two stages
--   managers        lead_manager   Admin     the territory of their office | everything of the organization
--   head of sales   analyst        Owner     everything, and under four_role only to read

\set ON_ERROR_STOP on
\if :{?prefix} \else \set prefix '' \endif
SET client_min_messages = warning;

BEGIN;
CREATE TABLE maven.opportunity_four_role (LIKE maven.opportunity INCLUDING INDEXES);
CREATE TABLE maven.opportunity_organization (LIKE maven.opportunity INCLUDING INDEXES);
INSERT INTO maven.opportunity_four_role TABLE maven.opportunity;
INSERT INTO maven.opportunity_organization TABLE maven.opportunity;

SELECT * FROM leadguard.protect('maven.opportunity_four_role', preset => 'four_role', id => 'opportunity_id',
    owner => 'sales_agent', territory => 'regional_office', stage => 'deal_stage', org_key => 'maven') \g /dev/null
SELECT leadguard.set_switch('maven.opportunity_four_role', 'stages', 'Prospecting,Engaging', role => 'sdr') \g /dev/null
SELECT * FROM leadguard.protect('maven.opportunity_organization', preset => 'organization', object => 'deal', id => 'opportunity_id',
    owner => 'sales_agent', territory => 'regional_office', org_key => 'maven') \g /dev/null

INSERT INTO leadguard.member_role (member_id, role)
SELECT m.id, r.role
FROM leadguard.member AS m
JOIN leadguard.organization AS o ON o.id = m.org_id AND o.key = 'maven'
LEFT JOIN leadguard.member AS b ON b.id = m.manager_id
CROSS JOIN LATERAL unnest(CASE
    WHEN b.id IS NULL THEN ARRAY['analyst', 'Owner']
    WHEN b.manager_id IS NULL THEN ARRAY['lead_manager', 'Admin']
    ELSE ARRAY['sdr', 'Member'] END) AS r (role);
COMMIT;
ANALYZE maven.opportunity_four_role, maven.opportunity_organization;

-- Counted by the members themselves: what a superuser counts says nothing about rules.
CREATE TEMPORARY TABLE seen (
    place integer, member text, office text, roles text, sales_hierarchy bigint, four_role bigint, organization bigint
);
GRANT INSERT ON seen TO PUBLIC;
SELECT format('SET SESSION AUTHORIZATION %I', m.db_role),
    format('INSERT INTO seen SELECT %s, %L, %L, %L, (SELECT count(*) FROM maven.opportunity),
            (SELECT count(*) FROM maven.opportunity_four_role), (SELECT count(*) FROM maven.opportunity_organization)',
        row_number() OVER (ORDER BY c.depth, coalesce(s.regional_office, ''), m.name), m.name, coalesce(s.regional_office, 'all'),
        (SELECT string_agg(role, ', ' ORDER BY role DESC) FROM leadguard.member_role WHERE member_id = m.id)),
    'RESET SESSION AUTHORIZATION'
FROM leadguard.member AS m
JOIN leadguard.organization AS o ON o.id = m.org_id AND o.key = 'maven'
JOIN (SELECT descendant_id, max(depth) AS depth FROM leadguard.member_closure GROUP BY 1) AS c ON c.descendant_id = m.id
LEFT JOIN (SELECT sales_agent AS name, regional_office FROM maven.sales_team
           UNION SELECT manager, regional_office FROM maven.sales_team) AS s ON s.name = m.key
WHERE m.db_role IS NOT NULL
ORDER BY c.depth, coalesce(s.regional_office, ''), m.name \gexec

\pset footer off
SELECT member, office, roles, sales_hierarchy, four_role, organization FROM seen ORDER BY place;

-- Three of them by hand: what an agent owns, those of them in the two stages, and what the agents of an office own.
\pset tuples_only on
\pset format unaligned
SELECT format('grep -c ",Moses Frase," %s/maven-crm/sales_pipeline.csv   # %s', :'data', sales_hierarchy)
FROM seen WHERE member = 'Moses Frase';
SELECT format('grep ",Moses Frase," %s/maven-crm/sales_pipeline.csv | grep -cE ",(Prospecting|Engaging),"   # %s', :'data', four_role)
FROM seen WHERE member = 'Moses Frase';
SELECT format('cd %s/maven-crm && awk -F, ''NR==FNR {office[$1]=$3; next} office[$2]=="Central" {n++} END {print n}'' sales_teams.csv sales_pipeline.csv   # %s',
    :'data', four_role)
FROM seen WHERE member = 'Dustin Brinkmann';
