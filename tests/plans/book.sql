-- A book of business large enough that the planner's choices are stable. Login roles are "<database>_<key>".
--
--   top > dir1..dir4 > mgr1..mgr40 (ten each) > rep1..rep400 (ten each)
--   root: administrator       scout: owns territory reg2 and nothing else       guest1: nothing at all
--   territories world > reg1..reg10 > ter1..ter100 (ten each)
--
-- 60,000 leads: one in twenty without owner, the others of the reps, one in ten in a territory ter*.

INSERT INTO leadguard.member (key, name)
SELECT k, initcap(k) FROM unnest(ARRAY['top', 'root', 'scout', 'guest1']) AS k;
INSERT INTO leadguard.member (key, name, manager_id)
SELECT 'dir' || g, 'Director', m.id
FROM generate_series(1, 4) AS g JOIN leadguard.member AS m ON m.key = 'top';
INSERT INTO leadguard.member (key, name, manager_id)
SELECT 'mgr' || g, 'Manager', m.id
FROM generate_series(1, 40) AS g JOIN leadguard.member AS m ON m.key = 'dir' || (1 + (g - 1) / 10);
INSERT INTO leadguard.member (key, name, manager_id)
SELECT 'rep' || g, 'Rep', m.id
FROM generate_series(1, 400) AS g JOIN leadguard.member AS m ON m.key = 'mgr' || (1 + (g - 1) / 10);
INSERT INTO leadguard.member_role (member_id, role)
SELECT id, 'administrator' FROM leadguard.member WHERE key = 'root';

INSERT INTO leadguard.territory (key, name) VALUES ('world', 'World');
INSERT INTO leadguard.territory (key, name, parent_id, owner_id)
SELECT 'reg' || g, 'Region', t.id, m.id
FROM generate_series(1, 10) AS g
JOIN leadguard.territory AS t ON t.key = 'world'
LEFT JOIN leadguard.member AS m ON m.key = 'scout' AND g = 2;
INSERT INTO leadguard.territory (key, name, parent_id)
SELECT 'ter' || g, 'Territory', t.id
FROM generate_series(1, 100) AS g JOIN leadguard.territory AS t ON t.key = 'reg' || (1 + (g - 1) / 10);
UPDATE leadguard.territory AS t SET owner_id = m.id FROM leadguard.member AS m
WHERE (t.key, m.key) IN (('ter1', 'mgr1'), ('ter11', 'dir1'), ('reg3', 'dir1'));

UPDATE leadguard.member SET db_role = current_database() || '_' || key
WHERE key IN ('rep1', 'rep2', 'mgr1', 'dir1', 'top', 'root', 'scout', 'guest1');

CREATE SCHEMA crm;
CREATE TABLE crm.lead (
    id bigint PRIMARY KEY,
    owner_id bigint,
    territory_id bigint,
    email text NOT NULL,
    status int NOT NULL,
    created_at timestamptz NOT NULL,
    name text
) WITH (autovacuum_enabled = off); -- which would have plans made anew in the middle of a test
INSERT INTO crm.lead
SELECT g,
       CASE WHEN g % 20 <> 0 THEN reps[1 + abs(hashint8(g)) % 400] END,
       CASE WHEN g % 10 = 1 THEN territories[1 + abs(hashint8(g + 1000000)) % 100] END,
       'lead' || g || '@x.example', g % 5, timestamptz '2026-01-01' + g * interval '7 minutes', repeat('x', 60)
FROM generate_series(1, 60000) AS g,
     (SELECT array_agg(id ORDER BY id) AS reps FROM leadguard.member WHERE key LIKE 'rep%') AS m,
     (SELECT array_agg(id ORDER BY id) AS territories FROM leadguard.territory WHERE key LIKE 'ter%') AS t;
CREATE INDEX lead_created_at_idx ON crm.lead (created_at);
CREATE INDEX lead_email_idx ON crm.lead (email);
SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id');
