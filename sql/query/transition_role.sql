-- The role that member $3 of organization $1 keeps until he is gone: that of name $2, if it gives no capability, or the
-- smallest one that still sees something. One that the caller could give (all for administrators, $4), or that the member has.
SELECT r.name
FROM leadguard.role r
WHERE (r.org_id IS NULL OR r.org_id = $1) AND r.capabilities = '{}' AND r.name <> 'system'
  AND CASE WHEN $2::text IS NOT NULL THEN r.name = $2
           WHEN r.name = 'COLLABORATOR' THEN EXISTS (
               SELECT FROM leadguard.protected_table p
               WHERE p.preset = 'decision_site' AND (p.org_id = $1 OR p.organization_column IS NOT NULL))
           ELSE r.name = 'view_only' END
  AND ($4 OR r.name = 'view_only' OR leadguard.may_give(r.id)
       OR EXISTS (SELECT FROM leadguard.member_role held WHERE held.member_id = $3 AND held.role_id = r.id))
ORDER BY r.rank DESC
LIMIT 1
