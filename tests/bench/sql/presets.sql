-- The leads of the main table with everything that rules can ask for, and people who are measured under presets. As
-- everywhere, choices are hashes of the row's number.
--
-- The rep owns 100 leads, created them, has 100 in a small team, 40 on the record team or shared, five accounts; the
-- middle one has 2 % of the territories, a segment of 2.5 %, two teams of 1 % each, and created 2 %.
CREATE SCHEMA presets;
GRANT USAGE ON SCHEMA presets TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA presets GRANT SELECT ON TABLES TO PUBLIC;

CREATE TABLE presets.plain AS
SELECT id, account_id, owner_id, territory_id,
    CASE WHEN org.pick(301, id, 50) = 0 THEN {mid} ELSE owner_id END AS created_by,
    CASE WHEN id % ({rows} / 100) = 23 THEN {team} + 100 ELSE {team} + org.pick(302, id, 100) END AS team_id,
    created_at, updated_at, org.pick(303, id, 100) = 0 AS sensitive, email, company, status,
    'segment ' || org.pick(304, id, 40) AS segment,
    (ARRAY['prospecting', 'qualified', 'proposal', 'closed'])[1 + org.pick(305, id, 4)] AS stage,
    amount
FROM (SELECT id, account_id, CASE WHEN id % ({rows} / 100) = 17 THEN {rep} ELSE owner_id END AS owner_id, territory_id,
          created_at, updated_at, email, company, status, amount
      FROM plain.lead ORDER BY id) AS l;
ALTER TABLE presets.plain ALTER sensitive SET NOT NULL;

CREATE TABLE presets.account AS
SELECT a AS id, CASE WHEN a <= 5 THEN {rep} ELSE 1 + org.pick(306, a, {members}) END AS owner_id
FROM generate_series(1, {accounts}) AS a;
ALTER TABLE presets.account ADD PRIMARY KEY (id);
CREATE INDEX ON presets.account (owner_id);

INSERT INTO leadguard.member (id, key, name, db_role)
SELECT {rep} + p.n, 'p_' || p.name, p.name, 'bench_p_' || p.name
FROM (VALUES (0, 'rep'), (1, 'mid'), (2, 'administrator'), (3, 'analyst'), (4, 'admin'), (5, 'owner')) AS p (n, name);
INSERT INTO leadguard.member_role (member_id, role)
SELECT {rep} + r.n, r.role
FROM (VALUES (0, 'sdr'), (0, 'COLLABORATOR'), (0, 'Member'), (1, 'lead_manager'), (1, 'COLLABORATOR'), (1, 'Member'),
             (2, 'administrator'), (3, 'analyst'), (4, 'ADMIN'), (5, 'Owner')) AS r (n, role);

INSERT INTO leadguard.territory_member (territory_id, member_id)
SELECT id, {mid} FROM org.territory AS t
WHERE org.pick(307, id, 50) = 0 AND NOT EXISTS (SELECT FROM org.territory AS b WHERE b.parent_id = t.id);
INSERT INTO leadguard.team (id, key, name, access) SELECT {team} + n, 'p' || n, 'Team ' || n, 'team' FROM generate_series(0, 100) AS n;
INSERT INTO leadguard.team_member (team_id, member_id) VALUES ({team} + 100, {rep}), ({team}, {mid}), ({team} + 1, {mid});

CREATE TABLE presets.granted AS SELECT 1 + org.pick(308, n, {rows}) AS lead_id, {rep} AS member_id FROM generate_series(1, 40) AS n GROUP BY 1;
