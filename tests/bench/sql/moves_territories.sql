-- Six below each; territory 2 is a sixth of the map.
INSERT INTO leadguard.territory (id, key, name, parent_id, owner_id)
SELECT t, 't' || t, 'Territory ' || t, CASE WHEN t > 1 THEN (t - 2) / 6 + 1 END, t
FROM generate_series(1, 20000) AS t
