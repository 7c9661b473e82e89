SELECT tgname, tgenabled = 'A', tgparentid <> 0
FROM pg_trigger
WHERE tgrelid = $1 AND tgname IN ('leadguard_10_statement', 'leadguard_90_row', 'leadguard_99_stored', 'leadguard_99_written')
ORDER BY tgname
