SELECT m.key
FROM leadguard.member_closure c
JOIN leadguard.member m ON m.id = c.descendant_id
WHERE c.ancestor_id = $1
