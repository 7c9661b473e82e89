-- Who could take a record of member $1 of organization $2 in the territory $3 (id or key, as records name it).
WITH candidate AS (
    SELECT t.owner_id AS id, 'owner of territory ' || t.key AS why, c.depth AS place
    FROM leadguard.territory named
    JOIN leadguard.territory_closure c ON c.descendant_id = named.id
    JOIN leadguard.territory t ON t.id = c.ancestor_id
    WHERE named.org_id = $2 AND $3 IN (named.id::text, named.key)
    UNION ALL
    SELECT c.ancestor_id, CASE c.depth WHEN 1 THEN 'manager' ELSE 'nearest active manager' END, 1000 + c.depth
    FROM leadguard.member_closure c
    WHERE c.descendant_id = $1 AND c.depth > 0
    UNION ALL
    SELECT m.id, 'has the same manager', 100000
    FROM leadguard.member own
    JOIN leadguard.member m ON m.manager_id = own.manager_id
    WHERE own.id = $1
    UNION ALL
    SELECT mr.member_id, 'administrator', 200000
    FROM leadguard.member_role mr
    JOIN leadguard.role r ON r.id = mr.role_id AND 'administer' = ANY (r.capabilities)
)
SELECT m.key, c.why
FROM candidate c
JOIN leadguard.member m ON m.id = c.id
WHERE m.org_id = $2 AND m.id <> $1 AND m.active AND m.kind = 'person'
  AND NOT EXISTS (SELECT FROM leadguard.offboarding o WHERE o.member_id = m.id AND o.state IN ('planned', 'leaving'))
ORDER BY c.place, m.id
LIMIT 1
