-- Rights on what governance added: one section for each part.

-- Notifications.
ALTER TABLE leadguard.notification ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON leadguard.notification FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
GRANT SELECT ON leadguard.notification TO PUBLIC;
GRANT EXECUTE ON FUNCTION leadguard.notifications(boolean, integer), leadguard.mark_read(bigint[]),
    leadguard.notification_cleanup(interval) TO PUBLIC;

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
ALTER TABLE leadguard.assignment_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.assignment_pool ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.handoff_step ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.handoff ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.dispute ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.claim ENABLE ROW LEVEL SECURITY;
-- Whoever takes a step must know which there are.
CREATE POLICY own_organization ON leadguard.handoff_step FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest()));
CREATE POLICY concerned ON leadguard.handoff FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization())
    AND ((SELECT leadguard.current_member()) IN (from_member, to_member, started_by)
         OR (SELECT leadguard.has_capability('approve')) OR (SELECT leadguard.has_capability('audit'))));
CREATE POLICY concerned ON leadguard.claim FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization())
    AND (member_id = (SELECT leadguard.current_member())
         OR (SELECT leadguard.has_capability('approve')) OR (SELECT leadguard.has_capability('audit'))));
CREATE POLICY concerned ON leadguard.dispute FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization())
    AND ((SELECT leadguard.has_capability('approve')) OR (SELECT leadguard.has_capability('audit'))
         OR id IN (SELECT c.dispute_id FROM leadguard.claim c WHERE c.member_id = (SELECT leadguard.current_member()))));
GRANT SELECT ON leadguard.handoff_step, leadguard.handoff, leadguard.claim, leadguard.dispute, leadguard.assignment_rules TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.set_assignment_rule(regclass, text, integer, jsonb, jsonb), leadguard.drop_assignment_rule(regclass, text),
    leadguard.set_routing(regclass, boolean), leadguard.route(regclass, text, boolean),
    leadguard.set_handoff_step(regclass, text, text, text, text, text, jsonb, text[], boolean),
    leadguard.drop_handoff_step(regclass, text), leadguard.handoff(regclass, text, text, text, text, boolean),
    leadguard.accept_handoff(bigint), leadguard.refuse_handoff(bigint, text),
    leadguard.claim(regclass, text, text), leadguard.release(bigint), leadguard.close_dispute(bigint, text, text, boolean),
    leadguard.worked_on(regclass, text, integer), leadguard.ghost_leads(regclass, integer) TO PUBLIC;

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
