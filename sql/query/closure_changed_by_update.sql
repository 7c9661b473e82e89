-- An UPDATE of a key is a removal and an arrival; of anything that decides access without moving, one
-- mention. All are looked for: the first alone would be found by comparing each row with each.
SELECT 'moved', n.id
FROM new_rows n
LEFT JOIN old_rows o ON o.id = n.id
WHERE o.id IS NULL OR n.{parent} IS DISTINCT FROM o.{parent} OR n.org_id <> o.org_id
UNION ALL
SELECT 'removed', o.id
FROM old_rows o
WHERE NOT EXISTS (SELECT FROM new_rows n WHERE n.id = o.id)
UNION ALL
SELECT 'access', NULL
FROM new_rows n
JOIN old_rows o ON o.id = n.id
WHERE to_jsonb(n) - '{email,name}'::text[] <> to_jsonb(o) - '{email,name}'::text[]
HAVING count(*) > 0
