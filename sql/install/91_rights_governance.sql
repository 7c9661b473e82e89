-- Rights on what governance added: one section for each part.

-- Notifications.
ALTER TABLE leadguard.notification ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON leadguard.notification FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
GRANT SELECT ON leadguard.notification TO PUBLIC;

-- Batches.

-- Imports.

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

-- Seals.
