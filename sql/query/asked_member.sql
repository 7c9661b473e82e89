-- The member that a question is about, by key or by id, with what the roles say.
SELECT m.id, m.key, m.org_id, m.active, m.kind = 'guest',
       CASE WHEN bool_or(r.level_cap = 'read') THEN 'read' WHEN bool_or(r.level_cap = 'edit') THEN 'edit' END,
       coalesce(bool_or('export' = ANY (r.capabilities)), false),
       coalesce(bool_or('all_records' = ANY (r.capabilities)), false),
       coalesce(bool_or('see_archived' = ANY (r.capabilities)), false),
       coalesce(bool_or('hard_delete' = ANY (r.capabilities)), false)
FROM leadguard.member m
LEFT JOIN leadguard.member_role mr ON mr.member_id = m.id
LEFT JOIN leadguard.role r ON r.name = mr.role AND (r.org_id IS NULL OR r.org_id = m.org_id)
WHERE m.key = $1 OR m.id = $2
GROUP BY m.id
