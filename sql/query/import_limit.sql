-- How many rows at most one of the roles may insert at once: what the table or else the preset says of the role, else
-- of every role, else the default of the switch. No row where there is no such switch.
SELECT w.value
FROM leadguard.access_switch k
JOIN leadguard.protected_table p ON p.target = $1
CROSS JOIN unnest($2::text[] || CASE WHEN cardinality($2::text[]) = 0 THEN ARRAY[''] ELSE '{}' END) AS r (role)
CROSS JOIN LATERAL (
    SELECT coalesce(
        (SELECT f.value
         FROM (SELECT t.role, t.value, 1 AS place FROM leadguard.table_switch t WHERE t.target = p.target AND t.switch = k.name
               UNION ALL
               SELECT d.role, d.value, CASE d.object WHEN '*' THEN 3 ELSE 2 END FROM leadguard.preset_switch d
               WHERE d.preset = p.preset AND d.object IN ('*', p.object) AND d.switch = k.name) f
         WHERE f.role IN (r.role, '')
         ORDER BY f.role = '', f.place LIMIT 1),
        k.default_value) AS value) w
WHERE k.name = 'batch_insert'
ORDER BY w.value = 'none' DESC, CASE WHEN w.value ~ '^\d{1,18}$' THEN w.value::bigint END DESC NULLS LAST
LIMIT 1
