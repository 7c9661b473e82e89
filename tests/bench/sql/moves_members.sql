-- Eight reports each; members 95,001 and up are a subtree of 5,000 that hangs below member 10, on the third level.
INSERT INTO leadguard.member (id, key, name, manager_id)
SELECT i, 'm' || i, 'Member ' || i,
    CASE
        WHEN i = 1 THEN NULL
        WHEN i <= 95000 THEN (i - 2) / 8 + 1
        WHEN i = 95001 THEN 10
        ELSE 95000 + (i - 95000 - 2) / 8 + 1
    END
FROM generate_series(1, 100000) AS i
