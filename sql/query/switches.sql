-- How a table's switches stand, in the order in which later ones replace earlier ones: preset, kind of object, table.
SELECT s.switch, s.role, s.value
FROM (
    SELECT d.switch, d.role, d.value, CASE d.object WHEN '*' THEN 1 ELSE 2 END AS precedence
    FROM leadguard.protected_table p
    JOIN leadguard.preset_switch d ON d.preset = p.preset AND d.object IN ('*', p.object)
    WHERE p.target = $1
    UNION ALL
    SELECT t.switch, t.role, t.value, 3
    FROM leadguard.table_switch t
    WHERE t.target = $1) s
ORDER BY s.precedence
