-- Territories that the member holds ($2), those under them ($3), those that somebody below him reaches, down to a depth
-- ($4: NULL nobody, 0 all), and his scope in a table ($5), which includes what is below.
SELECT t.id, t.key
FROM (
    SELECT t.id, c.depth
    FROM leadguard.member_closure c
    JOIN leadguard.territory t ON t.owner_id = c.descendant_id
    WHERE c.ancestor_id = $1 AND (c.depth = 0 OR $4 = 0 OR c.depth <= $4)
    UNION
    SELECT tm.territory_id, c.depth
    FROM leadguard.member_closure c
    JOIN leadguard.territory_member tm ON tm.member_id = c.descendant_id
    WHERE c.ancestor_id = $1 AND (c.depth = 0 OR $4 = 0 OR c.depth <= $4)) held
JOIN leadguard.territory_closure down ON down.ancestor_id = held.id
JOIN leadguard.territory t ON t.id = down.descendant_id
WHERE held.depth > 0 OR CASE down.depth WHEN 0 THEN $2 ELSE $3 END
UNION
SELECT t.id, t.key
FROM leadguard.member_scope s
JOIN leadguard.member m ON m.id = s.member_id
JOIN leadguard.territory held ON held.org_id = m.org_id AND held.key = s.value
JOIN leadguard.territory_closure down ON down.ancestor_id = held.id
JOIN leadguard.territory t ON t.id = down.descendant_id
WHERE s.member_id = $1 AND s.target = $5 AND s.kind = 'territory'
