-- Who changed, claimed or received records of table $1 (record $2, or all) of organization $3 in the last $4 days. A
-- job that writes scores does not work on them. What the audit says of organizations that were merged into it stays theirs.
WITH RECURSIVE part (id) AS (
    SELECT $3::bigint
    UNION
    SELECT o.id FROM leadguard.organization o JOIN part p ON o.merged_into = p.id
)
SELECT w.record, w.member_id, w.what, max(w.at), count(*)
FROM (
    SELECT a.record, a.member_id, 'change' AS what, a.at
    FROM leadguard.audit_entry a
    WHERE a.target = $1 AND ($2::text IS NULL OR a.record = $2) AND a.record IS NOT NULL AND a.member_id IS NOT NULL
      AND ($3::bigint IS NULL OR a.organization IN (SELECT p.id FROM part p))
      AND a.at > now() - make_interval(days => $4::integer)
      AND a.action IN ('update', 'archive', 'restore', 'reassign', 'mark_sensitive', 'unmark_sensitive')
      AND NOT EXISTS (SELECT FROM leadguard.member s WHERE s.id = a.member_id AND s.kind = 'system')
    UNION ALL
    SELECT r.record, a.member_id, 'change', a.at
    FROM leadguard.audit_entry a, unnest(a.records) AS r (record)
    WHERE a.target = $1 AND ($2::text IS NULL OR a.records @> ARRAY[$2] AND r.record = $2) AND a.member_id IS NOT NULL
      AND ($3::bigint IS NULL OR a.organization IN (SELECT p.id FROM part p))
      AND a.at > now() - make_interval(days => $4::integer)
      AND a.action IN ('update', 'archive', 'restore', 'reassign', 'mark_sensitive', 'unmark_sensitive')
      AND NOT EXISTS (SELECT FROM leadguard.member s WHERE s.id = a.member_id AND s.kind = 'system')
    UNION ALL
    SELECT c.record, c.member_id, 'claim', c.claimed_at
    FROM leadguard.claim c
    WHERE c.target = $1 AND ($2::text IS NULL OR c.record = $2) AND ($3::bigint IS NULL OR c.org_id = $3)
      AND (c.state <> 'closed' OR c.claimed_at > now() - make_interval(days => $4::integer))
    UNION ALL
    SELECT h.record, h.to_member, 'handoff', h.at
    FROM leadguard.handoff h
    WHERE h.target = $1 AND ($2::text IS NULL OR h.record = $2) AND ($3::bigint IS NULL OR h.org_id = $3) AND h.state = 'open'
) w
GROUP BY w.record, w.member_id, w.what
