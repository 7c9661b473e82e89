-- On top of org.sql and leads.sql: what they leave empty.
INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
INSERT INTO leadguard.member (org_id, key, name, db_role)
SELECT id, 'gus', 'Gus', current_database() || '_gus' FROM leadguard.organization WHERE key = 'globex';
INSERT INTO leadguard.role (name, org_id, capabilities)
SELECT 'dispatcher', id, '{assign}' FROM leadguard.organization WHERE key = 'default';
INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'dispatcher' FROM leadguard.member WHERE key = 'vp2';
INSERT INTO leadguard.team (key, name, access) VALUES ('red', 'Red', 'own');
INSERT INTO leadguard.team_member (team_id, member_id, role)
SELECT t.id, m.id, 'owner' FROM leadguard.team AS t, leadguard.member AS m WHERE m.key = 'ted';
SELECT leadguard.share('crm.lead', '2', level => 'edit', team => 'red');
SELECT leadguard.share('crm.lead', '3', 'amy', 'read', until => '2100-01-01');
SELECT leadguard.share('crm.lead', '4', 'carl', 'edit', reason => 'deal', retained => true);
SELECT leadguard.team_add('crm.lead', '1', 'carl', 'full');
SELECT leadguard.analyst((current_database() || '_report')::name, 'mona');
SELECT leadguard.connector((current_database() || '_app')::name, 'trusted');
UPDATE leadguard.member SET active = false WHERE key = 'bob';

CREATE TABLE crm.visit (id bigint PRIMARY KEY, owner text, territory text, name text) PARTITION BY RANGE (id);
CREATE TABLE crm.visit_1 PARTITION OF crm.visit FOR VALUES FROM (1) TO (100);
CREATE TABLE crm.visit_2 PARTITION OF crm.visit FOR VALUES FROM (100) TO (200);
INSERT INTO crm.visit (id, owner, territory, name)
SELECT first + n, owner, territory, 'visit'
FROM (VALUES (1, 'alice', NULL), (2, NULL, 'dach'), (3, 'carl', NULL)) AS v (n, owner, territory), (VALUES (0), (100)) AS p (first);
SELECT leadguard.protect('crm.visit', id => 'id', owner => 'owner', territory => 'territory');

CREATE TABLE crm.deal (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner_id bigint, org_id bigint, name text);
INSERT INTO crm.deal (id, owner_id, org_id, name)
SELECT md5(key)::uuid, id, org_id, 'of ' || key FROM leadguard.member WHERE key IN ('alice', 'gus');
INSERT INTO crm.deal (id, org_id, name) SELECT md5(key)::uuid, id, 'of nobody' FROM leadguard.organization WHERE key = 'default';
SELECT leadguard.protect('crm.deal', owner => 'owner_id', organization => 'org_id');

GRANT USAGE ON SCHEMA crm TO PUBLIC;
GRANT SELECT, UPDATE ON crm.lead, crm.visit, crm.deal TO PUBLIC;
