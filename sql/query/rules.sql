-- The rules of a table: those of its preset, but for those that it replaces, and its own.
SELECT s.role, s.path, s.action, to_json(s.statuses)::text, s.effect
FROM leadguard.protected_table p
JOIN leadguard.preset_rule s ON s.preset = p.preset AND s.object IN ('*', p.object)
WHERE p.target = $1
  AND NOT EXISTS (SELECT FROM leadguard.access_rule a
                  WHERE a.target = p.target AND (a.role, a.path, a.action, a.statuses) = (s.role, s.path, s.action, s.statuses))
UNION ALL
SELECT a.role, a.path, a.action, to_json(a.statuses)::text, a.effect
FROM leadguard.access_rule a
WHERE a.target = $1
