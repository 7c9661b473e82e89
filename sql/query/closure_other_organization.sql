SELECT child.key
FROM unnest($1) AS moved (id)
JOIN {table} child ON child.id = moved.id
JOIN {table} parent ON parent.id = child.{parent}
WHERE parent.org_id <> child.org_id
UNION ALL
SELECT child.key
FROM unnest($1) AS moved (id)
JOIN {table} parent ON parent.id = moved.id
JOIN {table} child ON child.{parent} = parent.id
WHERE parent.org_id <> child.org_id
LIMIT 1
