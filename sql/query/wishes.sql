-- Requests for access and roles in organization $2: the one of number $1, or all that are open.
SELECT a.id, a.kind, a.target::oid, a.record, a.requested_by, m.key, a.detail ->> 'wanted', a.justification,
       (a.detail ->> 'until')::timestamptz, a.requested_at, a.until
FROM leadguard.approval a
JOIN leadguard.member m ON m.id = a.requested_by
WHERE a.org_id = $2 AND a.kind IN ('access', 'role')
  AND CASE WHEN $1::bigint IS NULL THEN a.decided_by IS NULL AND a.until > clock_timestamp() ELSE a.id = $1 END
ORDER BY a.id
