-- Rights on what governance added: one section for each part.

-- Notifications.
ALTER TABLE leadguard.notification ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON leadguard.notification FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
GRANT SELECT ON leadguard.notification TO PUBLIC;

-- Batches.

-- Imports. All of it is read and written by functions.
ALTER TABLE leadguard.import_target ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.import_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.import_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.import_problem ENABLE ROW LEVEL SECURITY;
GRANT EXECUTE ON FUNCTION
    leadguard.import_stage(), leadguard.import_staged(),
    leadguard.prepare_imports(regclass, jsonb, text, text[], text[]),
    leadguard.import_begin(regclass, text, text), leadguard.import_check(bigint), leadguard.import_submit(bigint, text),
    leadguard.import_commit(bigint), leadguard.import_cancel(bigint), leadguard.import_cleanup(interval),
    leadguard.imports(), leadguard.import_report(bigint), leadguard.import_rows(bigint)
TO PUBLIC;

-- Assignment.

-- People.

-- Schema changes.

-- Reviews.

-- Seals.
