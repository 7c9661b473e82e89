-- The people of most tests. Every member's login role is "<database>_<key>"; the roles exist already.
--
--   ceo > vp > mona > alice, anton, viewer (view_only)      territories   world > emea > dach > bern
--   ceo > vp2 > bob > carl                                                world > amer
--   tina > tom, ted, tess                                   dach: owner tom, member tess
--   bea, amy, loner, admin (administrator): no manager      bern: owner bea    amer: owner amy

INSERT INTO leadguard.member (key, name, manager_id, db_role)
SELECT p.key, initcap(p.key), NULL, current_database() || '_' || p.key
FROM unnest(ARRAY['ceo', 'tina', 'bea', 'amy', 'loner', 'admin']) AS p (key);

INSERT INTO leadguard.member (key, name, manager_id, db_role)
SELECT p.key, initcap(p.key), m.id, current_database() || '_' || p.key
FROM (VALUES ('vp', 'ceo'), ('vp2', 'ceo'), ('tom', 'tina'), ('ted', 'tina'), ('tess', 'tina')) AS p (key, manager)
JOIN leadguard.member AS m ON m.key = p.manager;

INSERT INTO leadguard.member (key, name, manager_id, db_role)
SELECT p.key, initcap(p.key), m.id, current_database() || '_' || p.key
FROM (VALUES ('mona', 'vp'), ('bob', 'vp2')) AS p (key, manager)
JOIN leadguard.member AS m ON m.key = p.manager;

INSERT INTO leadguard.member (key, name, manager_id, db_role)
SELECT p.key, initcap(p.key), m.id, current_database() || '_' || p.key
FROM (VALUES ('alice', 'mona'), ('anton', 'mona'), ('viewer', 'mona'), ('carl', 'bob')) AS p (key, manager)
JOIN leadguard.member AS m ON m.key = p.manager;

INSERT INTO leadguard.member_role (member_id, role)
SELECT m.id, r.role
FROM (VALUES ('admin', 'administrator'), ('viewer', 'view_only')) AS r (key, role)
JOIN leadguard.member AS m ON m.key = r.key;

INSERT INTO leadguard.territory (key, name, parent_id, owner_id) VALUES ('world', 'World', NULL, NULL);
INSERT INTO leadguard.territory (key, name, parent_id, owner_id)
SELECT n.key, initcap(n.key), p.id, m.id
FROM (VALUES ('emea', NULL), ('amer', 'amy')) AS n (key, owner)
JOIN leadguard.territory AS p ON p.key = 'world'
LEFT JOIN leadguard.member AS m ON m.key = n.owner;
INSERT INTO leadguard.territory (key, name, parent_id, owner_id)
SELECT 'dach', 'Dach', p.id, m.id FROM leadguard.territory AS p, leadguard.member AS m WHERE p.key = 'emea' AND m.key = 'tom';
INSERT INTO leadguard.territory (key, name, parent_id, owner_id)
SELECT 'bern', 'Bern', p.id, m.id FROM leadguard.territory AS p, leadguard.member AS m WHERE p.key = 'dach' AND m.key = 'bea';

INSERT INTO leadguard.territory_member (territory_id, member_id)
SELECT t.id, m.id FROM leadguard.territory AS t, leadguard.member AS m WHERE t.key = 'dach' AND m.key = 'tess';
