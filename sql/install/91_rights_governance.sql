-- Rights on what governance added: one section for each part.

-- Notifications.
ALTER TABLE leadguard.notification ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON leadguard.notification FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
GRANT SELECT ON leadguard.notification TO PUBLIC;

-- Batches.
ALTER TABLE leadguard.batch_template ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON leadguard.batches, leadguard.batch_templates TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.request_batch(regclass, text, bigint, text, timestamptz),
    leadguard.set_batch_template(text, regclass, text, bigint, text, timestamptz, text, jsonb),
    leadguard.drop_batch_template(text), leadguard.override_activity(regclass, text), leadguard.batch_log()
TO PUBLIC;

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

-- Schema changes. The owner of a table reads what concerns it, whether or not a member.
ALTER TABLE leadguard.schema_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.schema_known ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.schema_shape ENABLE ROW LEVEL SECURITY;
CREATE POLICY audited ON leadguard.schema_change FOR SELECT USING (
    ((SELECT leadguard.has_capability('audit')) AND (org_id IS NULL OR org_id = (SELECT leadguard.current_organization())))
    OR pg_catalog.pg_has_role((SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = target), 'USAGE'));
GRANT SELECT ON leadguard.schema_change TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.request_schema_change(regclass, text, text, text, text, timestamptz),
    leadguard.accept_schema_change(bigint, text), leadguard.check_schema(regclass)
TO PUBLIC;

-- Reviews.

-- Seals. Nobody but superusers reads the tables: they count the rows of all organizations.
ALTER TABLE leadguard.audit_life ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_seal ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_retired ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_seal ENABLE ALWAYS TRIGGER audit_00_append_only;
ALTER TABLE leadguard.audit_retired ENABLE ALWAYS TRIGGER audit_00_append_only;
GRANT EXECUTE ON FUNCTION leadguard.seal_audit(), leadguard.verify_audit(timestamptz), leadguard.audit_retire(date) TO PUBLIC;
