-- The roles of the members of an organization ($1), or of one member ($2), with what they carry.
SELECT mr.member_id, r.name, r.rank::bigint, r.level_cap, array_to_string(r.capabilities, ' ')
FROM leadguard.member m
JOIN leadguard.member_role mr ON mr.member_id = m.id
JOIN leadguard.role r ON r.id = mr.role_id
WHERE m.org_id = $1 AND ($2::bigint IS NULL OR m.id = $2)
