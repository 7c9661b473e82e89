-- One team ($1), listable as in member_chain.sql ($2 stands unused so that the three take the same parameters).
SELECT n.key, $4 OR (n.org_id = asking.org_id AND ($5 OR asking.kind <> 'guest'))
FROM leadguard.team n
LEFT JOIN leadguard.member asking ON asking.id = $3
WHERE n.id = $1 AND $2::bigint IS NOT NULL
