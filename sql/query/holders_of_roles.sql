-- Organizations and the roles standing for them that were taken from members.
SELECT DISTINCT m.org_id, r.id
FROM old_rows o
JOIN leadguard.role r ON r.id = o.role_id AND r.org_id IS NULL AND r.name IN ('Owner', 'data_owner', 'ADMIN')
JOIN leadguard.member m ON m.id = o.member_id AND m.active
