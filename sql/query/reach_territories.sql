-- Every territory that the member reaches, with each path to it.
SELECT DISTINCT down.descendant_id, t.key,
       CASE WHEN held.inherited THEN 'territory_manager' WHEN down.depth = 0 THEN 'territory' ELSE 'territory_ancestor' END
FROM (
    SELECT t.id, c.depth > 0 AS inherited
    FROM leadguard.member_closure c
    JOIN leadguard.territory t ON t.owner_id = c.descendant_id
    WHERE c.ancestor_id = $1
    UNION
    SELECT tm.territory_id, c.depth > 0
    FROM leadguard.member_closure c
    JOIN leadguard.territory_member tm ON tm.member_id = c.descendant_id
    WHERE c.ancestor_id = $1) held
JOIN leadguard.territory_closure down ON down.ancestor_id = held.id
JOIN leadguard.territory t ON t.id = down.descendant_id
