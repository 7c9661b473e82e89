-- The leads that member {member} reaches, found without leadguard and without any policy.
SELECT l.*
FROM plain.lead AS l
WHERE owner_id IN (SELECT descendant FROM org.closure WHERE ancestor = {member})
   OR territory_id IN (
        SELECT t.descendant FROM org.closure AS c
        JOIN org.territory_holder AS h ON h.member_id = c.descendant
        JOIN org.territory_closure AS t ON t.ancestor = h.territory_id
        WHERE c.ancestor = {member})
   OR id IN (
        SELECT r.lead_id FROM org.closure AS c
        JOIN org.lead_team AS r ON r.member_id = c.descendant
        WHERE c.ancestor = {member})
