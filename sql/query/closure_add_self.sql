INSERT INTO {closure} (ancestor_id, descendant_id, depth)
SELECT id, id, 0 FROM unnest($1) AS moved (id)
ON CONFLICT (ancestor_id, descendant_id) DO NOTHING
