-- The records of a table that a member reaches by grants: of the record team ($3 his own, $4 of those below) and by
-- shares ($5), in person or through a team.
WITH reached AS (
    SELECT c.descendant_id AS id, c.depth = 0 AS self FROM leadguard.member_closure c WHERE c.ancestor_id = $2
)
SELECT DISTINCT g.record
FROM leadguard.record_grant g
LEFT JOIN reached r ON r.id = g.member_id
WHERE g.target = $1 AND (g.until IS NULL OR g.until > statement_timestamp())
  AND CASE g.kind
          WHEN 'record_team' THEN CASE WHEN r.self THEN $3 WHEN NOT r.self THEN $4 ELSE false END
          ELSE $5 AND (r.id IS NOT NULL
                       OR g.team_id IN (SELECT t.team_id FROM leadguard.team_member t JOIN reached m ON m.id = t.member_id))
      END
