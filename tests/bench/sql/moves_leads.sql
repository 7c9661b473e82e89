-- Leads all over both hierarchies, and a closure that is kept the usual way.
CREATE SCHEMA crm;
CREATE TABLE crm.lead (
    id              bigint PRIMARY KEY,
    owner_id        bigint,
    territory_id    bigint
);
INSERT INTO crm.lead SELECT i, 1 + i % 100000, 1 + i % 20000 FROM generate_series(1, 200000) AS i;
SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id');

CREATE SCHEMA naive;
CREATE TABLE naive.member AS SELECT id, manager_id FROM leadguard.member;
ALTER TABLE naive.member ADD PRIMARY KEY (id);
CREATE INDEX ON naive.member (manager_id);
CREATE TABLE naive.closure (
    ancestor_id     bigint NOT NULL,
    descendant_id   bigint NOT NULL,
    depth           integer NOT NULL,
    PRIMARY KEY (ancestor_id, descendant_id) INCLUDE (depth)
);
CREATE INDEX ON naive.closure (descendant_id, ancestor_id) INCLUDE (depth);
