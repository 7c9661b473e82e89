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

-- Imports.

-- Assignment.

-- People.

-- Schema changes.

-- Reviews.

-- Seals.
