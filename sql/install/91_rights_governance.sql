-- Rights on what governance added: one section for each part.

-- Notifications.
ALTER TABLE leadguard.notification ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON leadguard.notification FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
GRANT SELECT ON leadguard.notification TO PUBLIC;

-- Batches.

-- Imports.

-- Assignment.

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
    leadguard.job_deviations(), leadguard.member_card(text), leadguard.rights_in_words(text), leadguard.may_ask_about(text),
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

-- Schema changes.

-- Reviews.

-- Seals.
