-- Children of the given nodes that the closure does not have under them, or whose parent is gone.
SELECT child.id
FROM unnest($1) AS given (id)
JOIN {table} child ON child.{parent} = given.id
WHERE NOT EXISTS (SELECT FROM {closure} c WHERE c.ancestor_id = given.id AND c.descendant_id = child.id)
   OR NOT EXISTS (SELECT FROM {table} t WHERE t.id = given.id)
