-- Leaving in three phases, guests, delegation, and asking for more access.

CREATE FUNCTION leadguard.offboard_plan(member text, last_day date, note text DEFAULT NULL, transition_role text DEFAULT NULL)
RETURNS TABLE (kind text, target regclass, record text, suggested_owner text, why text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'offboard_plan_wrapper';
COMMENT ON FUNCTION leadguard.offboard_plan(text, date, text, text) IS
'Plans that a member (key) leaves, or plans it anew, and tells the manager; nothing else changes. Returns what the member owns as far as the caller can read it (kind record, territory, team, or unreadable: how many records of a table the caller does not read) and who could take it: the owner of the territory, the nearest active manager, or the caller. transition_role: what is left from the last day until the end, COLLABORATOR where a table has the preset decision_site, else view_only. For members with the capability administer or manage_members about others of their organization, and superusers. 42501; 22023: no such member, or a role with capabilities; 55000: the last day is over already.';

CREATE FUNCTION leadguard.offboard_last_day(member text, new_owner text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS TABLE (step text, target regclass, detail text, count bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'offboard_last_day_wrapper';
COMMENT ON FUNCTION leadguard.offboard_last_day(text, text, text) IS
'The last day of a member whose leaving is planned: all unarchived records, territories and teams go to the new owner (key; by default the nearest active manager); grants, memberships in teams and territories, open requests, delegations, claims and imports end, handoffs to the member are withdrawn; the transition role replaces all roles. Records are reassigned by an UPDATE of the caller, who must reach all of them with the right to reassign; otherwise nothing happens (42501 with counts). Who may call: as offboard_plan. 22023: no new owner, no reason; 55000: nothing is planned.';

CREATE FUNCTION leadguard.offboard_end(member text, reason text)
RETURNS TABLE (step text, target regclass, detail text, count bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'offboard_end_wrapper';
COMMENT ON FUNCTION leadguard.offboard_end(text, text) IS
'Ends the membership of a member after the last day: without login role, roles, grants and job function, inactive. Refused with the list (23503) while the member still owns something: records, territories, teams, or is awaited in open imports, claims and handoffs. Who may call: as offboard_plan. 55000 before the last day; 22023 without a reason.';

CREATE FUNCTION leadguard.offboard_now(member text, new_owner text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS TABLE (step text, target regclass, detail text, count bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'offboard_now_wrapper';
COMMENT ON FUNCTION leadguard.offboard_now(text, text, text) IS
'All phases of leaving at once, without a transition: leadguard.offboard_plan, offboard_last_day and offboard_end. Who may call and errors: as these.';

CREATE FUNCTION leadguard.remove_departed(members text[], new_owner text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS TABLE (member text, result text, records bigint)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF members IS NULL THEN
        RAISE EXCEPTION 'argument "members" must not be NULL' USING ERRCODE = '22023';
    END IF;
    FOR member IN SELECT DISTINCT u.key FROM unnest(members) u (key) ORDER BY 1 LOOP
        SELECT 'removed', coalesce(sum(o.count) FILTER (WHERE o.step = 'reassigned'), 0) INTO result, records
        FROM leadguard.offboard_now(member, new_owner, reason) o;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.remove_departed(text[], text, text) IS
'leadguard.offboard_now for several members (keys); one row for each, with how many records were handed over. All or nothing. Who may call and errors: as offboard_now.';

CREATE FUNCTION leadguard.offboard_cancel(member text, note text)
RETURNS TABLE (step text, detail text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m leadguard.member := leadguard.managed_member('offboard_cancel', member);
    held leadguard.offboarding;
BEGIN
    IF coalesce(btrim(note), '') = '' THEN
        RAISE EXCEPTION 'the note is missing' USING ERRCODE = '22023', HINT = 'A text that says something: note => ''...''.';
    ELSIF m.id = leadguard.current_member() THEN
        RAISE EXCEPTION 'offboard_cancel of yourself refused' USING ERRCODE = '42501', HINT = 'Somebody else cancels it.';
    ELSIF leadguard.outranks_me(m.id) AND NOT leadguard.is_unbound() AND NOT leadguard.has_capability('administer') THEN
        RAISE EXCEPTION 'offboard_cancel of a member of a higher rank than your own refused' USING ERRCODE = '42501',
            HINT = 'A member with the capability administer can.';
    END IF;
    UPDATE leadguard.offboarding o SET state = 'cancelled', note = concat_ws(E'\n', nullif(o.note, ''), offboard_cancel.note)
    WHERE o.member_id = m.id AND o.state IN ('planned', 'leaving') RETURNING o.* INTO held;
    IF held.id IS NULL THEN
        RAISE EXCEPTION 'member "%" is not leaving', m.key
            USING ERRCODE = '55000', HINT = 'leadguard.offboarding lists who is; what has ended is not taken back: make the member active and give roles anew.';
    END IF;
    PERFORM leadguard.note_event('offboard_cancel', m.org_id, NULL, NULL, offboard_cancel.note, format('member %s', m.key));
    PERFORM leadguard.tell(m.id, 'offboarding', NULL, NULL, '{"phase": "cancelled"}');
    RETURN QUERY VALUES ('cancelled', format('member %s stays', m.key));
    IF held.reassigned_at IS NOT NULL THEN
        RETURN QUERY VALUES ('roles before', coalesce(nullif(array_to_string(held.roles, ', '), ''), 'none')),
                            ('handed over', coalesce((SELECT o.key FROM leadguard.member o WHERE o.id = held.new_owner), 'nobody'));
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.offboard_cancel(text, text) IS
'Takes the plan that a member leaves back, before its end. What was handed over on the last day stays where it is, and roles are given anew; the rows say which roles there were and who has the records. For members with the capability administer or manage_members about others of their organization, and superusers. 42501, 22023; 55000: the member is not leaving.';

-- Guests.
CREATE FUNCTION leadguard.guests_due(since interval DEFAULT interval '3 months')
RETURNS TABLE (member text, name text, last_reviewed timestamptz, invitations bigint, first_given timestamptz)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_unbound()
        AND (leadguard.is_guest() OR NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_members'))) THEN
        RAISE EXCEPTION 'guests_due refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability administer or manage_members review the guests of their organization.';
    END IF;
    IF since IS NULL THEN
        RAISE EXCEPTION 'argument "since" must not be NULL' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT m.key, m.name, r.at, g.count, g.first
    FROM leadguard.member m
    CROSS JOIN LATERAL (SELECT max(v.reviewed_at) AS at FROM leadguard.guest_review v WHERE v.member_id = m.id) r
    CROSS JOIN LATERAL (SELECT count(*) AS count, min(h.granted_at) AS first FROM leadguard.record_grant h
                        WHERE h.member_id = m.id AND (h.until IS NULL OR h.until > statement_timestamp())) g
    WHERE m.kind = 'guest' AND m.active AND (leadguard.is_unbound() OR m.org_id = leadguard.current_organization())
      AND (r.at IS NULL OR r.at < statement_timestamp() - since)
    ORDER BY r.at NULLS FIRST, m.key;
END
$$;
COMMENT ON FUNCTION leadguard.guests_due(interval) IS
'Active guests whom nobody has reviewed for so long, with how many records they were given and since when. For members with the capability administer or manage_members about their organization, and superusers (42501). 22023: NULL.';

CREATE FUNCTION leadguard.review_guest(member text, decision text, note text)
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m leadguard.member := leadguard.managed_member('review_guest', member);
    ended bigint := 0;
BEGIN
    IF m.kind <> 'guest' THEN
        RAISE EXCEPTION '"%" is no guest', m.key
            USING ERRCODE = '22023', HINT = 'leadguard.guests_due lists the guests to look at; leadguard.offboard_plan begins the leaving of a member.';
    ELSIF decision IS NULL OR decision NOT IN ('keep', 'end') THEN
        RAISE EXCEPTION 'decision % is unknown', quote_nullable(decision) USING ERRCODE = '22023', HINT = 'Decisions are keep and end.';
    ELSIF coalesce(btrim(note), '') = '' THEN
        RAISE EXCEPTION 'the note is missing' USING ERRCODE = '22023', HINT = 'A text that says something: note => ''...''.';
    ELSIF leadguard.outranks_me(m.id) THEN
        RAISE EXCEPTION 'review_guest of a member of a higher rank than your own refused' USING ERRCODE = '42501',
            HINT = 'A member with the capability administer can.';
    END IF;
    INSERT INTO leadguard.guest_review (org_id, member_id, reviewed_by, decision, note)
    VALUES (m.org_id, m.id, leadguard.current_member(), decision, note);
    IF decision = 'end' THEN
        DELETE FROM leadguard.record_grant g WHERE g.member_id = m.id;
        GET DIAGNOSTICS ended = ROW_COUNT;
        DELETE FROM leadguard.team_member t WHERE t.member_id = m.id;
        UPDATE leadguard.member o SET active = false, db_role = NULL WHERE o.id = m.id;
    END IF;
    PERFORM leadguard.note_event('review_guest', m.org_id, NULL, NULL, note, format('guest %s: %s, %s grants ended', m.key, decision, ended));
    RETURN ended;
END
$$;
COMMENT ON FUNCTION leadguard.review_guest(text, text, text) IS
'Notes that a guest (key) was reviewed: keep, or end, which takes all that was shared and ends the membership; returns how many grants ended. For members with the capability administer or manage_members about guests of their organization, and superusers. 42501; 22023: no such guest, unknown decision, no note; 23503: the guest owns records.';

-- Delegation.
CREATE FUNCTION leadguard.delegate(to_member text, until timestamptz, level text DEFAULT 'edit', reason text DEFAULT NULL,
                                   target regclass DEFAULT NULL, member text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'delegate_wrapper';
COMMENT ON FUNCTION leadguard.delegate(text, timestamptz, text, text, regclass, text) IS
'Lets another member (key) reach what oneself owns, in one protected table or all of them, at level read, edit or full until a time; returns the number of the delegation. It follows ownership: what one gets meanwhile is included, what one hands over no longer. Nobody delegates more than he could share: what an owner may not share at the level is left out. By it the record is not shared for longer, not moved and given no member as contact; what the delegate shares ends with the delegation. member: for whom, for members with the capability administer in his organization. 42501; 22023: no active member of the organization, a guest or oneself, no such level, time in the past, no reason; 55000: a delegation of these records to this member lasts already.';

CREATE FUNCTION leadguard.undelegate(id bigint)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'undelegate_wrapper';
COMMENT ON FUNCTION leadguard.undelegate(bigint) IS
'Ends a delegation at once, with all that was shared by it; true when there was one that lasted. For both members, and those with the capability administer in their organization. 22023: NULL.';

CREATE FUNCTION leadguard.end_delegations()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_end_delegations';
COMMENT ON FUNCTION leadguard.end_delegations() IS
'Trigger AFTER UPDATE of member: who is no active person of the organization any more, other than by a merger, delegates nothing, and has nothing delegated.';
CREATE TRIGGER directory_80_delegations AFTER UPDATE OF active, kind, org_id ON leadguard.member
    FOR EACH ROW WHEN (old.active AND old.kind = 'person' AND NOT (new.active AND new.kind = 'person' AND new.org_id = old.org_id)) EXECUTE FUNCTION leadguard.end_delegations();

-- Asking for more.
CREATE FUNCTION leadguard.request_access(target regclass, record text, level text, justification text, until timestamptz DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'request_access_wrapper';
COMMENT ON FUNCTION leadguard.request_access(regclass, text, text, text, timestamptz) IS
'Asks for access to a record at level read, edit or full, until a time or for good; returns the number of the request. It is answered the same whether there is such a record or not. Decided with leadguard.decide_approval by a person who may share the record at that level (leadguard.access_requests lists what one may decide), and carried out with the decision: the share carries the justification, the request and who granted it. It expires after 30 days. For members, guests and view-only roles too. 42501: no member, or a login that only reads; 22023 arguments; 55000: asked already, or 100 requests are open.';

CREATE FUNCTION leadguard.request_role(role text, justification text, until timestamptz DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'request_role_wrapper';
COMMENT ON FUNCTION leadguard.request_role(text, text, timestamptz) IS
'Asks for a role; returns the number of the request. Decided with leadguard.decide_approval by a person who may give the role to the requester, and carried out with the decision. until: when the request expires, by default in 30 days, in 366 at most. For members. 42501, 22023; 55000: asked already, or 100 requests are open.';

CREATE FUNCTION leadguard.access_requests()
RETURNS TABLE (id bigint, kind text, member text, target regclass, record text, wanted text, justification text, requested_at timestamptz, until timestamptz)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'access_requests_wrapper';
COMMENT ON FUNCTION leadguard.access_requests() IS
'Open requests for access and roles that the current member may decide with leadguard.decide_approval: for records that he may share at the level, and roles that he may give. For persons; 42501 for a session that is no member.';

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT t.tgrelid::regclass AS relation, t.tgname FROM pg_catalog.pg_trigger t
        WHERE t.tgname IN ('directory_80_insert', 'directory_80_update', 'directory_80_delete', 'directory_80_job', 'directory_80_admins', 'directory_80_delegations')
           OR t.tgrelid IN ('leadguard.job_function'::regclass, 'leadguard.member_function'::regclass) AND NOT t.tgisinternal
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', item.relation, item.tgname);
    END LOOP;
END
$$;
