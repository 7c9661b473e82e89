-- Rights on what governance added: one section for each part.

-- Notifications.
ALTER TABLE leadguard.notification ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON leadguard.notification FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
GRANT SELECT ON leadguard.notification TO PUBLIC;
GRANT EXECUTE ON FUNCTION leadguard.notifications(boolean, integer), leadguard.mark_read(bigint[]),
    leadguard.notification_cleanup(interval) TO PUBLIC;

-- Batches.

-- Imports.

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

-- Schema changes.

-- Reviews.

-- Seals.
