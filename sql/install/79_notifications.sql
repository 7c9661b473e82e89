-- What functions in SQL tell: the audit, and the members concerned.

CREATE FUNCTION leadguard.note_event(action text, organization bigint, target regclass, record text, reason text, detail text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'note_event_wrapper';
COMMENT ON FUNCTION leadguard.note_event(text, bigint, regclass, text, text, text) IS
'Internal: writes a row of the audit in the name of the current member. organization: whose auditors may read it.';

CREATE FUNCTION leadguard.wake_at_commit()
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'wake_at_commit_wrapper';
COMMENT ON FUNCTION leadguard.wake_at_commit() IS
'Internal: has NOTIFY leadguard_notification sent once when the transaction commits; not for a prepared one.';

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
        PERFORM leadguard.wake_at_commit();
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.tell(bigint, text, regclass, text, jsonb) IS
'Internal: puts a notification for a member into the outbox, and wakes up whoever delivers them at commit.';

CREATE FUNCTION leadguard.data_owners(org bigint)
RETURNS SETOF bigint LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT m.id
    FROM leadguard.member m
    JOIN leadguard.member_role mr ON mr.member_id = m.id
    JOIN leadguard.role r ON r.id = mr.role_id AND 'approve' = ANY (r.capabilities)
    WHERE m.org_id = $1 AND m.active AND m.kind = 'person'
$$;
COMMENT ON FUNCTION leadguard.data_owners(bigint) IS
'Internal: the active persons of an organization with the capability approve, who decide about requests and disputes.';

CREATE FUNCTION leadguard.notifications(unread boolean DEFAULT true, most integer DEFAULT 100)
RETURNS TABLE (id bigint, at timestamptz, kind text, target regclass, record text, caused_by text, detail jsonb, read_at timestamptz)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
    -- A guest lists nobody but himself, so that he learns no other name here.
    SELECT n.id, n.at, n.kind, n.target, n.record, CASE WHEN NOT leadguard.is_guest() THEN m.key END, n.detail, n.read_at
    FROM leadguard.notification n
    LEFT JOIN leadguard.member m ON m.id = n.caused_by AND m.org_id = n.org_id
    WHERE n.member_id = (SELECT leadguard.current_member())
      AND (n.read_at IS NULL OR NOT coalesce($1, true))
    ORDER BY n.id DESC
    LIMIT least(greatest(coalesce($2, 100), 0), 10000)
$$;
COMMENT ON FUNCTION leadguard.notifications(boolean, integer) IS
'The caller''s own notifications, newest first: the unread ones, or all; most: how many at most (10,000). No rows for nobody. Anyone may call it.';

CREATE FUNCTION leadguard.mark_read(ids bigint[] DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    marked bigint;
BEGIN
    UPDATE leadguard.notification n SET read_at = clock_timestamp()
    WHERE (ids IS NULL OR n.id = ANY (ids)) AND n.read_at IS NULL AND n.member_id = leadguard.current_member() AND NOT leadguard.is_analyst();
    GET DIAGNOSTICS marked = ROW_COUNT;
    RETURN marked;
END
$$;
COMMENT ON FUNCTION leadguard.mark_read(bigint[]) IS
'Marks notifications of the caller as read, without ids all of them; how many were not yet. Those of others are passed over like those that do not exist. Anyone may call it.';

CREATE FUNCTION leadguard.notification_cleanup(older_than interval)
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint;
    own bigint := leadguard.current_organization();
    free boolean := leadguard.is_unbound();
BEGIN
    IF NOT free AND (own IS NULL OR leadguard.is_analyst() OR leadguard.is_guest() OR NOT leadguard.has_capability('administer')) THEN
        RAISE EXCEPTION 'notification_cleanup refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability administer clean up those of their organization.';
    ELSIF older_than IS NULL OR older_than < interval '1 day' THEN
        RAISE EXCEPTION 'older_than must be one day or more' USING ERRCODE = '22023', HINT = 'For example ''90 days''.';
    END IF;
    DELETE FROM leadguard.notification n
    WHERE n.at < statement_timestamp() - older_than AND (free OR n.org_id = own);
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM leadguard.note_event('notification_cleanup', own, NULL, NULL, NULL, format('%s notifications', gone));
    RETURN gone;
END
$$;
COMMENT ON FUNCTION leadguard.notification_cleanup(interval) IS
'Deletes notifications older than that, read or not; how many. For members with the capability administer (their organization), superusers and the extension''s owner. Errors: 42501; 22023 for less than a day.';
