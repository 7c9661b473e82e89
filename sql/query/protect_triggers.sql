-- Sound: as protect makes it, but for whether it is on. Types are sums of ROW 1, BEFORE 2, INSERT 4, DELETE 8, UPDATE 16 and
-- TRUNCATE 32.
SELECT g.tgname, g.tgenabled = 'A', g.tgparentid <> 0,
       g.tgtype = made.type AND f.proname = made.function AND n.nspname = 'leadguard' AND g.tgqual IS NULL AND g.tgattr::text = ''
           AND g.tgnargs = 0 AND g.tgconstraint = 0 AND g.tgoldtable IS NULL AND g.tgnewtable IS NULL,
       g.tgenabled = 'D',
       concat_ws(' ', CASE g.tgenabled WHEN 'D' THEN 'disabled:' WHEN 'A' THEN 'always:' WHEN 'R' THEN 'replica:' END, pg_get_triggerdef(g.oid))
FROM (VALUES ('leadguard_10_statement', 'guard_statement', 62),
             ('leadguard_90_row', 'guard_row', 31),
             ('leadguard_99_stored', 'guard_stored', 29),
             ('leadguard_99_written', 'guard_written', 28)) made (name, function, type)
JOIN pg_trigger g ON g.tgname = made.name
JOIN pg_proc f ON f.oid = g.tgfoid
JOIN pg_namespace n ON n.oid = f.pronamespace
WHERE g.tgrelid = $1
ORDER BY g.tgname
