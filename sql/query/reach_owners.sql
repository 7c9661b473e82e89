-- The member ('own') and everyone below ('manager'): whose records he reaches as an owner does.
SELECT m.id, m.key, CASE c.depth WHEN 0 THEN 'own' ELSE 'manager' END
FROM leadguard.member_closure c
JOIN leadguard.member m ON m.id = c.descendant_id
WHERE c.ancestor_id = $1
