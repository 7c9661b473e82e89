-- The members from $1 down to $2. The asking member ($3, or $4: may name everybody; $5: administers) sees
-- those of the chain by name whom the directory would list.
SELECT n.key,
       $4 OR n.id = $3
       OR (n.org_id = asking.org_id AND ($5 OR (n.active AND asking.kind <> 'guest')))
FROM leadguard.member_closure up
JOIN leadguard.member_closure down ON down.ancestor_id = up.descendant_id AND down.descendant_id = $2
JOIN leadguard.member n ON n.id = up.descendant_id
LEFT JOIN leadguard.member asking ON asking.id = $3
WHERE up.ancestor_id = $1
ORDER BY up.depth
