-- leadguard's directory from the plain tables, and the logins of those who are measured.
INSERT INTO leadguard.member (id, key, name, manager_id, db_role)
SELECT m.id, m.key, 'Member ' || m.id, m.manager_id, 'bench_' || c.name
FROM org.member AS m
LEFT JOIN org.cast_member AS c ON c.member_id = m.id AND c.name <> 'analyst'
ORDER BY m.id;
INSERT INTO leadguard.member_role (member_id, role)
SELECT member_id, 'administrator' FROM org.cast_member WHERE name = 'analyst';
INSERT INTO leadguard.territory (id, key, name, parent_id, owner_id)
SELECT id, 't' || id, 'Territory ' || id, parent_id, owner_id FROM org.territory ORDER BY id;
INSERT INTO leadguard.territory_member (territory_id, member_id) SELECT territory_id, member_id FROM org.territory_member;
SELECT leadguard.analyst('bench_analyst', m.key)
FROM org.cast_member AS c
JOIN org.member AS m ON m.id = c.member_id
WHERE c.name = 'analyst';
SELECT leadguard.connector('bench_app');
