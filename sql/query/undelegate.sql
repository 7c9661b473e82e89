-- Ends delegation $1 if it lasts and the caller may.
UPDATE leadguard.delegation d SET ended_at = clock_timestamp()
WHERE d.id = $1 AND d.ended_at IS NULL
  AND (leadguard.is_unbound()
       OR (d.org_id = leadguard.current_organization() AND NOT leadguard.is_analyst()
           AND (leadguard.current_member() IN (d.member_id, d.delegate_id) OR leadguard.has_capability('administer'))))
RETURNING d.id, d.member_id, d.org_id, d.target::oid
