-- Every contact that record $2 of table $1 has or had, with the stakeholder types; the rest as in contacts.sql.
WITH listed AS (
    SELECT m.id, m.key
    FROM leadguard.member m
    WHERE $4 OR (m.org_id = $3 AND (m.id = $6 OR ($5 AND m.active)))
)
SELECT c.id, c.side, m.key, c.name, c.email, t.type, t.since, t.until, c.added_at, a.key, c.removed_at, r.key, c.reason
FROM leadguard.record_contact c
LEFT JOIN leadguard.contact_type t ON t.contact_id = c.id
LEFT JOIN listed m ON m.id = c.member_id
LEFT JOIN listed a ON a.id = c.added_by
LEFT JOIN listed r ON r.id = c.removed_by
WHERE c.target = $1 AND c.record = $2
ORDER BY c.id, t.since, t.type
