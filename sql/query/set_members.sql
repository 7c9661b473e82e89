-- Whom an owner column may name: the member ($2), those below down to a depth ($3: NULL none, 0 all), and those with
-- the same direct manager ($4).
SELECT m.id, m.key
FROM leadguard.member_closure c
JOIN leadguard.member m ON m.id = c.descendant_id
WHERE c.ancestor_id = $1 AND CASE c.depth WHEN 0 THEN $2 ELSE $3 = 0 OR c.depth <= $3 END
UNION
SELECT m.id, m.key
FROM leadguard.member own
JOIN leadguard.member m ON m.manager_id = own.manager_id AND m.id <> own.id
WHERE own.id = $1 AND $4
