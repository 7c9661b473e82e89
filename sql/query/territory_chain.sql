-- The territories from $1 down to $2, listable as in member_chain.sql.
SELECT n.key, $4 OR (n.org_id = asking.org_id AND ($5 OR asking.kind <> 'guest'))
FROM leadguard.territory_closure up
JOIN leadguard.territory_closure down ON down.ancestor_id = up.descendant_id AND down.descendant_id = $2
JOIN leadguard.territory n ON n.id = up.descendant_id
LEFT JOIN leadguard.member asking ON asking.id = $3
WHERE up.ancestor_id = $1
ORDER BY up.depth
