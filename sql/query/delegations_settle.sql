-- Records $2 of table $1 belong to owners $3 now, named by key ($4) or id: grants of delegations that have ended, or that
-- somebody else made, go, and what was shared by these.
DELETE FROM leadguard.record_grant g
USING leadguard.delegation d
WHERE g.target = $1 AND g.record = ANY ($2) AND d.id = g.delegation_id
  AND (d.ended_at IS NOT NULL
       OR NOT EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS n (record, owner) JOIN leadguard.member m ON m.id = d.member_id
                      WHERE n.record = g.record
                        AND CASE WHEN $4 THEN n.owner IN (m.key, lower(m.key)) ELSE n.owner = m.id::text END))
