-- What a table says about imports, one thing a row; the first one only that it says anything.
SELECT w.kind, w.name, w.value
FROM leadguard.import_target i
CROSS JOIN LATERAL (
    SELECT 'table' AS kind, NULL::text AS name, NULL::text AS value
    UNION ALL
    SELECT 'key', k.key, k.value FROM jsonb_each_text(i.match_keys) k
    UNION ALL
    SELECT 'required', r, NULL FROM unnest(i.required) r
    UNION ALL
    SELECT 'disqualified', d, NULL FROM unnest(i.disqualified) d) w
WHERE i.target = $1
