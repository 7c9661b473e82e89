-- Whom a step tells beside the owners: $1 table, $2 record, $3 organization, $4 whom it names, $5 old and $6 new owner,
-- $7 who hands over.
SELECT DISTINCT m.id
FROM leadguard.member m
WHERE m.org_id = $3 AND m.active AND m.id IS DISTINCT FROM $7
  AND (m.key = ANY ($4)
       OR ('record_team' = ANY ($4) AND EXISTS (
           SELECT FROM leadguard.record_grant g
           WHERE g.target = $1 AND g.record = $2 AND g.kind = 'record_team' AND g.member_id = m.id))
       OR ('managers' = ANY ($4) AND EXISTS (
           SELECT FROM leadguard.member o WHERE o.id IN ($5, $6) AND o.manager_id = m.id))
       OR EXISTS (
           SELECT FROM leadguard.member_role r WHERE r.member_id = m.id AND 'role:' || r.role = ANY ($4)))
ORDER BY m.id
