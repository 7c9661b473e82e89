-- One row per role and capability; a role without any still carries its name and its cap.
SELECT c.capability, r.level_cap, r.name, r.rank
FROM leadguard.member_role mr
JOIN leadguard.role r ON r.id = mr.role_id
LEFT JOIN LATERAL unnest(r.capabilities) AS c (capability) ON true
WHERE mr.member_id = $1
