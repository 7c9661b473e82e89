-- Records $2 of table $1 belong to owners $3 now, named by key ($4) or id: offers of other owners are withdrawn, and what was
-- shared by them goes. One that is being answered just now stays itself: whoever answers it finds the new owner.
WITH stale AS MATERIALIZED (
    SELECT h.id, h.record, h.step, h.from_member, h.to_member, h.started_by, h.grant_id, h.at
    FROM leadguard.handoff h
    JOIN unnest($2::text[], $3::text[]) AS n (record, owner) ON n.record = h.record
    WHERE h.target = $1 AND h.state = 'open'
      AND NOT EXISTS (SELECT FROM leadguard.member m WHERE m.id = h.from_member
                      AND CASE WHEN $4 THEN n.owner IN (m.key, lower(m.key)) ELSE n.owner = m.id::text END)
), old AS (
    SELECT s.* FROM leadguard.handoff h JOIN stale s ON s.id = h.id WHERE h.state = 'open' FOR UPDATE OF h SKIP LOCKED
), ended AS (
    UPDATE leadguard.handoff h SET state = 'withdrawn', ended_at = clock_timestamp(), grant_id = NULL
    FROM old WHERE h.id = old.id
), gone AS (
    DELETE FROM leadguard.record_grant g USING stale
    WHERE g.id = stale.grant_id AND g.kind = 'share' AND NOT g.retained AND g.level = 'read'
      AND g.reason = 'offered by a handoff' AND g.granted_at <= stale.at
)
SELECT leadguard.tell(t.member, 'handoff', $1, t.record,
                      jsonb_build_object('handoff', t.id, 'step', t.step, 'answer', 'withdrawn'))
FROM (SELECT DISTINCT u.member, old.record, old.id, old.step
      FROM old CROSS JOIN LATERAL unnest(ARRAY[old.to_member, old.from_member, old.started_by]) AS u (member)
      WHERE u.member IS NOT NULL) t
