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
ALTER TABLE leadguard.job_function ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.member_function ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.offboarding ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.delegation ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.guest_review ENABLE ROW LEVEL SECURITY;
CREATE POLICY listed ON leadguard.job_function FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest()));
CREATE POLICY administered ON leadguard.job_function USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_organization'))));
CREATE POLICY own ON leadguard.member_function FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
CREATE POLICY managed ON leadguard.member_function USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_members'))));
CREATE POLICY managed ON leadguard.offboarding FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_members'))));
CREATE POLICY managed ON leadguard.guest_review FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_members'))));
CREATE POLICY concerned ON leadguard.delegation FOR SELECT USING (
    (SELECT leadguard.current_member()) IN (member_id, delegate_id)
    OR (org_id = (SELECT leadguard.current_organization()) AND (SELECT leadguard.has_capability('administer'))));
GRANT SELECT, INSERT, UPDATE, DELETE ON leadguard.job_function, leadguard.member_function TO PUBLIC;
GRANT SELECT ON leadguard.offboarding, leadguard.guest_review, leadguard.delegation TO PUBLIC;
GRANT SELECT (third_admin), UPDATE (third_admin) ON leadguard.organization TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.job_deviations(), leadguard.member_card(text), leadguard.rights_in_words(text), leadguard.member_rights_in(text, regclass), leadguard.may_ask_about(text),
    leadguard.checklist(text), leadguard.onboard(text, text, text, text, text, text[], text[], text, boolean),
    leadguard.role_of_function(text), leadguard.is_guest_member(bigint), leadguard.note_onboarding(bigint),
    leadguard.note_change_of_role(text, text, text, text), leadguard.change_roles(text[], text, text, text),
    leadguard.change_role(text, text, text, text), leadguard.rights_differ(jsonb, jsonb), leadguard.add_to_team(text, text[]),
    leadguard.migrate_roles(jsonb, boolean),
    leadguard.offboard_plan(text, date, text, text), leadguard.offboard_last_day(text, text, text),
    leadguard.offboard_end(text, text), leadguard.offboard_now(text, text, text), leadguard.remove_departed(text[], text, text),
    leadguard.offboard_cancel(text, text), leadguard.guests_due(interval), leadguard.review_guest(text, text, text),
    leadguard.delegate(text, timestamptz, text, text, regclass, text), leadguard.undelegate(bigint),
    leadguard.request_access(regclass, text, text, text, timestamptz), leadguard.request_role(text, text, timestamptz),
    leadguard.access_requests()
TO PUBLIC;

-- Schema changes. The owner of a table reads what concerns it, whether or not a member. Nobody reads who made changes of
-- tables that several organizations share.
ALTER TABLE leadguard.schema_change ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.schema_change_maker ENABLE ROW LEVEL SECURITY;
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

-- Reviews. The questions are no secret.
ALTER TABLE leadguard.review_check ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.review ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.finding ENABLE ROW LEVEL SECURITY;
CREATE POLICY shipped ON leadguard.review_check FOR SELECT USING (true);
CREATE POLICY audited ON leadguard.review FOR SELECT USING (
    (SELECT leadguard.has_capability('audit')) AND org_id = (SELECT leadguard.current_organization()));
CREATE POLICY audited ON leadguard.finding FOR SELECT USING (
    (SELECT leadguard.has_capability('audit')) AND org_id = (SELECT leadguard.current_organization()));
GRANT SELECT ON leadguard.review_check, leadguard.review, leadguard.finding TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    leadguard.audit_run(text, text, timestamptz, text), leadguard.hold_review(text, text, timestamptz, text),
    leadguard.findings(text), leadguard.resolve_finding(bigint, text, text)
TO PUBLIC;

-- Seals. Nobody but superusers reads the tables: they count the rows of all organizations.
ALTER TABLE leadguard.audit_life ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_seal ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_retired ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_seal ENABLE ALWAYS TRIGGER audit_00_append_only;
ALTER TABLE leadguard.audit_retired ENABLE ALWAYS TRIGGER audit_00_append_only;
GRANT EXECUTE ON FUNCTION leadguard.audit_rows(), leadguard.audit_value_rows(), leadguard.audit_changes(text[], bytea),
    leadguard.audit_values(text[], text[], text[]), leadguard.record_history(regclass, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION leadguard.seal_audit(), leadguard.verify_audit(timestamptz), leadguard.audit_retire(date),
    leadguard.is_preloaded(), leadguard.member_activity(), leadguard.activity_reset() TO PUBLIC;
