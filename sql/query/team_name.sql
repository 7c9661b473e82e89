-- The team $1, for the asking member $2 ($3: may name everything; $4: administers).
SELECT n.key, $3 OR (n.org_id = asking.org_id AND ($4 OR asking.kind <> 'guest'))
FROM leadguard.team n
LEFT JOIN leadguard.member asking ON asking.id = $2
WHERE n.id = $1
