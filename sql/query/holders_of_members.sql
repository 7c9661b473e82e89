-- Organizations and the roles standing for them that changed members held.
SELECT DISTINCT o.org_id, r.id
FROM old_rows o
JOIN leadguard.member_role mr ON mr.member_id = o.id
JOIN leadguard.role r ON r.id = mr.role_id AND r.org_id IS NULL AND r.name IN ('Owner', 'data_owner', 'ADMIN')
WHERE o.active
