-- Protected tables with an owner column: all ($1), or those whose switch owners_stay is on. Only of organization $2 and
-- those that several share, unless that is NULL.
SELECT p.target::oid, coalesce(p.concealed_by, p.target)::oid, p.owner_column, p.archived_at_column
FROM leadguard.protected_table p
WHERE p.owner_column IS NOT NULL
  AND ($2::bigint IS NULL OR p.organization_column IS NOT NULL OR p.org_id = $2)
  AND ($1 OR coalesce(
      (SELECT t.value FROM leadguard.table_switch t WHERE t.target = p.target AND t.switch = 'owners_stay' AND t.role = ''),
      (SELECT d.value FROM leadguard.preset_switch d
       WHERE d.preset = p.preset AND d.object IN ('*', p.object) AND d.switch = 'owners_stay' AND d.role = ''
       ORDER BY d.object = '*' LIMIT 1),
      (SELECT s.default_value FROM leadguard.access_switch s WHERE s.name = 'owners_stay')) = 'on')
ORDER BY p.target::regclass::text
