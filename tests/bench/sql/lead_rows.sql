-- The two reps own a hundred leads each, spread evenly over the table however large it is; the grantee owns none;
-- everybody else shares the rest. So a larger table changes nothing for a rep: the additional leads are others'.
-- One lead in 200 has no owner, another one in 200 no territory. Newer leads have higher ids.
INSERT INTO {table}
SELECT id,
    1 + org.pick(1, id, {accounts}),
    CASE
        WHEN id % ({rows} / 100) = 7 THEN {members}
        WHEN id % ({rows} / 100) = 13 THEN {members} - 1
        WHEN org.pick(2, id, 200) > 0 THEN 1 + org.pick(3, id, {members} - 3)
    END,
    CASE WHEN org.pick(4, id, 200) > 0 THEN 1 + org.pick(5, id, {territories}) END,
    created_at,
    created_at + org.pick(6, id, 90) * interval '1 day',
    'contact' || id || '@' || lower(word) || '.example',
    word || ' ' || (ARRAY['Systems', 'Foods', 'Energy', 'Partners', 'Works', 'Labs', 'Group', 'Trading'])[1 + org.pick(7, id, 8)]
        || ' ' || 100 + org.pick(8, id, 900),
    (ARRAY['new', 'new', 'new', 'new', 'working', 'working', 'working', 'qualified', 'qualified', 'won', 'lost', 'lost'])[1 + org.pick(9, id, 12)],
    org.pick(10, id, 5000000) / 100.0
FROM generate_series(1, {rows}) AS id
CROSS JOIN LATERAL (
    SELECT timestamptz '2021-01-01 00:00:00+00' + (id * (157680000 / {rows}::float8)) * interval '1 second'
            + org.pick(11, id, 259200000000) * interval '1 microsecond' AS created_at,
        (ARRAY['Nova', 'Acme', 'Borealis', 'Cobalt', 'Delta', 'Ember', 'Fjord', 'Granite', 'Harbor', 'Indigo', 'Juniper',
            'Kestrel', 'Lumen', 'Meridian', 'Nimbus', 'Orchid', 'Pioneer', 'Quarry', 'Raven', 'Summit', 'Tundra',
            'Umbra', 'Vertex', 'Willow'])[1 + org.pick(12, id, 24)] AS word
    OFFSET 0
) AS drawn
