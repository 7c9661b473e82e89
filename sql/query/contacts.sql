-- The contacts of record $2 of table $1, of organization $3. $4: names every member, $5: lists the active members of the
-- organization, $6: who asks.
SELECT c.id, c.side, CASE WHEN $4 OR (m.org_id = $3 AND (m.id = $6 OR ($5 AND m.active))) THEN m.key END, c.name, c.email,
       (SELECT string_agg(t.type, ',' ORDER BY t.type) FROM leadguard.contact_type t WHERE t.contact_id = c.id AND t.until IS NULL), c.added_at
FROM leadguard.record_contact c
LEFT JOIN leadguard.member m ON m.id = c.member_id
WHERE c.target = $1 AND c.record = $2 AND c.removed_at IS NULL
ORDER BY c.id
