-- Territories of which the member, or anyone below, is owner or member, and all below them.
SELECT DISTINCT down.descendant_id
FROM leadguard.territory_closure down
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
