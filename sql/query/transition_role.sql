-- The role that members of organization $1 keep until they are gone: that of name $2, if it gives no capability, or the
-- smallest one that still sees something.
SELECT r.name
FROM leadguard.role r
WHERE (r.org_id IS NULL OR r.org_id = $1) AND r.capabilities = '{}' AND r.name <> 'system'
  AND r.name = coalesce($2, CASE WHEN EXISTS (
      SELECT FROM leadguard.protected_table p
      WHERE p.preset = 'decision_site' AND (p.org_id = $1 OR p.organization_column IS NOT NULL)) THEN 'COLLABORATOR' ELSE 'view_only' END)
