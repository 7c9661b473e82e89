-- Who there is, in plain tables: the source of leadguard's directory and what the hand-written policies read.
-- Nothing is random: every choice is a hash of the row's number, so that all runs have the same data.
--
-- Management: eight reports each, member 1 on top, levels 1, 8, 64, 512, 4,096, ...; 20,000 members are six levels
-- and 114,651 closure pairs. Territories: six below each. The last three members own only what leads.sql gives
-- them. One more member, without manager, is the administrator.
CREATE SCHEMA org;
CREATE SCHEMA plain;
CREATE SCHEMA policy;
CREATE SCHEMA limits;
CREATE SCHEMA crm;
GRANT USAGE ON SCHEMA org, plain, policy, limits, crm TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA org, plain, policy, limits GRANT SELECT ON TABLES TO PUBLIC;

-- A number from 0 to among - 1.
CREATE FUNCTION org.pick(seed bigint, n bigint, among bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT (hashint8extended(n, seed) & 9223372036854775807) % among';

CREATE TABLE org.member (
    id          bigint PRIMARY KEY,
    key         text NOT NULL UNIQUE,
    manager_id  bigint
);
INSERT INTO org.member
SELECT i, 'm' || i, CASE WHEN i BETWEEN 2 AND {members} THEN (i - 2) / 8 + 1 END
FROM generate_series(1, {members} + 1) AS i;

CREATE TABLE org.closure (
    ancestor    bigint,
    descendant  bigint,
    PRIMARY KEY (ancestor, descendant)
);
INSERT INTO org.closure
WITH RECURSIVE walk (ancestor, descendant) AS (
    SELECT id, id FROM org.member
    UNION ALL
    SELECT w.ancestor, m.id FROM walk AS w JOIN org.member AS m ON m.manager_id = w.descendant
)
SELECT * FROM walk ORDER BY 1, 2;
CREATE INDEX ON org.closure (descendant, ancestor);

-- The VP owns the world, the level below the regions, the next the countries; the rest belongs to the third level.
CREATE TABLE org.territory (
    id          bigint PRIMARY KEY,
    parent_id   bigint,
    owner_id    bigint
);
INSERT INTO org.territory
SELECT t, CASE WHEN t > 1 THEN (t - 2) / 6 + 1 END,
    CASE
        WHEN t = 1 THEN 2
        WHEN t <= 7 THEN 3 + org.pick(101, t, 7)
        WHEN t <= 43 THEN 10 + org.pick(102, t, 64)
        ELSE 74 + org.pick(103, t, 512)
    END
FROM generate_series(1, {territories}) AS t;

CREATE TABLE org.territory_closure (
    ancestor    bigint,
    descendant  bigint,
    PRIMARY KEY (ancestor, descendant)
);
INSERT INTO org.territory_closure
WITH RECURSIVE walk (ancestor, descendant) AS (
    SELECT id, id FROM org.territory
    UNION ALL
    SELECT w.ancestor, t.id FROM walk AS w JOIN org.territory AS t ON t.parent_id = w.descendant
)
SELECT * FROM walk ORDER BY 1, 2;
CREATE INDEX ON org.territory_closure (descendant, ancestor);

-- The people who are measured. Ids fit the levels above: 2 is on the first, 300 and 401 on the third, 600 on the
-- fourth, the last three at the bottom.
CREATE TABLE org.cast_member (
    place       integer PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    member_id   bigint,
    sees        bigint,
    lead_id     bigint,
    owner_id    bigint,
    email       text,
    page_at     timestamptz,
    page_id     bigint,
    list        text
);
INSERT INTO org.cast_member (place, name, member_id) VALUES
    (1, 'rep', {members}),
    (2, 'rep2', {members} - 1),
    (3, 'grantee', {members} - 2),
    (4, 'manager', 300),
    (5, 'director', 401),
    (6, 'patchwork', 600),
    (7, 'vp', 2),
    (8, 'ceo', 1),
    (9, 'analyst', {members} + 1),
    (10, 'nobody', NULL);

-- Every second smaller territory has one member of the third and one of the fourth level. Beyond that the manager
-- and the director belong to so many leaves that they see about 2 % and 4 % of the leads, and somebody who manages
-- few people holds every third leaf of the map.
CREATE TABLE org.territory_member (
    territory_id    bigint,
    member_id       bigint,
    PRIMARY KEY (territory_id, member_id)
);
INSERT INTO org.territory_member
SELECT t, 74 + org.pick(104, t, 512) FROM generate_series(44, {territories}) AS t WHERE org.pick(105, t, 2) = 0
UNION
SELECT t, 586 + org.pick(106, t, 4096) FROM generate_series(44, {territories}) AS t WHERE org.pick(107, t, 2) = 0
UNION
SELECT l.id, h.member_id
FROM (SELECT id FROM org.territory WHERE id NOT IN (SELECT parent_id FROM org.territory WHERE parent_id IS NOT NULL)) AS l
JOIN (VALUES (300, 108, 0, 15), (401, 109, 0, 40), (600, 110, 0, 333)) AS h (member_id, seed, low, high)
    ON org.pick(h.seed, l.id, 1000) BETWEEN h.low AND h.high;

-- Owners and members hold a territory alike.
CREATE TABLE org.territory_holder (
    territory_id    bigint,
    member_id       bigint,
    PRIMARY KEY (territory_id, member_id)
);
INSERT INTO org.territory_holder
SELECT id, owner_id FROM org.territory UNION SELECT territory_id, member_id FROM org.territory_member;
CREATE INDEX ON org.territory_holder (member_id, territory_id);

-- Record teams of the main table: about 30 for everybody, 32 for the reps, 40 for the grantee.
CREATE TABLE org.lead_team (
    lead_id     bigint,
    member_id   bigint
);
INSERT INTO org.lead_team
SELECT 1 + org.pick(121, j, {rows}), 1 + org.pick(122, j, {members} - 3) FROM generate_series(1, {grants}) AS j
UNION
SELECT 1 + org.pick(123, c.member_id * 1000 + j, {rows}), c.member_id
FROM (VALUES ('rep', 32), ('rep2', 32), ('grantee', 40)) AS f (name, n)
JOIN org.cast_member AS c USING (name)
CROSS JOIN LATERAL generate_series(1, f.n) AS j
ORDER BY 1, 2;
ALTER TABLE org.lead_team ADD PRIMARY KEY (lead_id, member_id);
CREATE INDEX ON org.lead_team (member_id, lead_id);

-- Who a session is, for the hand-written policies.
CREATE TABLE org.login (
    db_role     name PRIMARY KEY,
    member_id   bigint NOT NULL
);

CREATE TABLE crm.account (
    id          bigint PRIMARY KEY,
    name        text NOT NULL,
    industry    text NOT NULL
);
INSERT INTO crm.account
SELECT a, 'Account ' || a, (ARRAY['retail', 'energy', 'health', 'finance', 'logistics', 'public', 'software', 'food'])[1 + org.pick(131, a, 8)]
FROM generate_series(1, {accounts}) AS a;
GRANT SELECT ON crm.account TO PUBLIC;
