-- Rights on what governance added: one section for each part.

-- Notifications.
ALTER TABLE leadguard.notification ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON leadguard.notification FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
GRANT SELECT ON leadguard.notification TO PUBLIC;

-- Batches.

-- Imports.

-- Assignment.

-- People.

-- Schema changes.

-- Reviews.

-- Seals. Nobody but superusers reads the tables: they count the rows of all organizations.
ALTER TABLE leadguard.audit_life ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_seal ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_retired ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.audit_seal ENABLE ALWAYS TRIGGER audit_00_append_only;
ALTER TABLE leadguard.audit_retired ENABLE ALWAYS TRIGGER audit_00_append_only;
GRANT EXECUTE ON FUNCTION leadguard.seal_audit(), leadguard.verify_audit(timestamptz), leadguard.audit_retire(date),
    leadguard.is_preloaded(), leadguard.member_activity(), leadguard.activity_reset() TO PUBLIC;
