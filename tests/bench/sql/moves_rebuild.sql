BEGIN;
DELETE FROM naive.closure;
INSERT INTO naive.closure (ancestor_id, descendant_id, depth)
WITH RECURSIVE walk (ancestor_id, descendant_id, depth) AS (
    SELECT id, id, 0 FROM naive.member
    UNION ALL
    SELECT w.ancestor_id, m.id, w.depth + 1 FROM walk AS w JOIN naive.member AS m ON m.manager_id = w.descendant_id
)
SELECT * FROM walk;
COMMIT;
