-- Teams whose records the member reaches: his own with access team, and every one of the organization with access
-- organization unless he is a guest.
SELECT t.id, t.key
FROM leadguard.member m
JOIN leadguard.team t ON t.org_id = m.org_id
WHERE m.id = $1
  AND CASE t.access
      WHEN 'team' THEN EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.team_id = t.id AND tm.member_id = m.id)
      WHEN 'organization' THEN m.kind <> 'guest'
      ELSE false END
