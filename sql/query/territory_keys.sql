-- The keys of the same territories; all are of the member's organization, where keys are unique.
SELECT DISTINCT t.key
FROM leadguard.territory_closure down
JOIN leadguard.territory t ON t.id = down.descendant_id
WHERE down.ancestor_id IN (
    SELECT t.id
    FROM leadguard.member_closure c
    JOIN leadguard.territory t ON t.owner_id = c.descendant_id
    WHERE c.ancestor_id = $1
    UNION ALL
    SELECT tm.territory_id
    FROM leadguard.member_closure c
    JOIN leadguard.territory_member tm ON tm.member_id = c.descendant_id
    WHERE c.ancestor_id = $1)
