-- What functions in SQL tell: the audit, and the members concerned.

CREATE FUNCTION leadguard.note_event(action text, organization bigint, target regclass, record text, reason text, detail text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'note_event_wrapper';
COMMENT ON FUNCTION leadguard.note_event(text, bigint, regclass, text, text, text) IS
'Internal: writes a row of the audit in the name of the current member. organization: whose auditors may read it.';

CREATE FUNCTION leadguard.tell(member bigint, kind text, target regclass DEFAULT NULL, record text DEFAULT NULL, detail jsonb DEFAULT '{}')
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Nobody needs to be told what he did himself; who is gone cannot be told.
    INSERT INTO leadguard.notification (org_id, member_id, kind, target, record, caused_by, detail)
    SELECT m.org_id, m.id, tell.kind, tell.target, tell.record, leadguard.current_member(), tell.detail
    FROM leadguard.member m
    WHERE m.id = tell.member AND m.active AND m.id IS DISTINCT FROM leadguard.current_member();
    IF FOUND THEN
        PERFORM pg_notify('leadguard_notification', '');
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.tell(bigint, text, regclass, text, jsonb) IS
'Internal: puts a notification for a member into the outbox, and wakes up whoever delivers them at commit.';
