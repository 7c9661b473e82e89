-- Promotion and demotion, for one member or a department, and from a system that has only admins and users.

CREATE FUNCTION leadguard.note_change_of_role(member text, from_role text, to_role text, reason text)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF leadguard.is_unbound() OR leadguard.has_capability('administer') OR leadguard.has_capability('manage_members')
        OR leadguard.has_capability('manage_roles') THEN
        PERFORM leadguard.note_event('change_role', m.org_id, NULL, NULL, reason,
                                     format('member %s, from %s to %s', m.key, coalesce(from_role, 'none'), coalesce(to_role, 'none')))
        FROM leadguard.member m
        WHERE m.key = note_change_of_role.member AND (m.org_id = leadguard.current_organization() OR leadguard.is_unbound())
          AND NOT EXISTS (SELECT FROM leadguard.member_role r WHERE r.member_id = m.id AND r.role = from_role)
          AND (to_role IS NULL OR EXISTS (SELECT FROM leadguard.member_role r WHERE r.member_id = m.id AND r.role = to_role))
          -- What this transaction has changed, once: the triggers of member_role have just written it down.
          AND EXISTS (SELECT FROM leadguard.audit_log a
                      WHERE a.transaction = pg_current_xact_id() AND a.organization = m.org_id
                        AND a.action = CASE WHEN from_role IS NULL THEN 'role_given' ELSE 'role_taken' END
                        AND (a.detail LIKE '% roles' OR a.detail = format('member %s, role %s', m.key, coalesce(from_role, to_role))))
          AND NOT EXISTS (SELECT FROM leadguard.audit_log a
                          WHERE a.transaction = pg_current_xact_id() AND a.action = 'change_role' AND a.organization = m.org_id
                            AND a.detail = format('member %s, from %s to %s', m.key, coalesce(from_role, 'none'), coalesce(to_role, 'none')));
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.note_change_of_role(text, text, text, text) IS
'Internal: the reason of a change of role in the audit, about a member of the own organization who has the new role and not the old one, since this transaction. Does nothing for those who give no roles.';

CREATE FUNCTION leadguard.change_roles(members text[], from_role text, to_role text, reason text)
RETURNS TABLE (member text, result text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    org bigint := leadguard.current_organization();
    ids bigint[];
    missing text;
    had bigint[];
    taken bigint[];
    given bigint[];
BEGIN
    IF leadguard.is_guest() THEN
        RAISE EXCEPTION 'change_roles refused' USING ERRCODE = '42501', HINT = 'Members who may give the roles can.';
    END IF;
    IF members IS NULL THEN
        RAISE EXCEPTION 'argument "members" must not be NULL' USING ERRCODE = '22023';
    ELSIF coalesce(btrim(reason), '') = '' THEN
        RAISE EXCEPTION 'the reason is missing' USING ERRCODE = '22023', HINT = 'A text that says something: reason => ''...''.';
    ELSIF from_role IS NULL AND to_role IS NULL THEN
        RAISE EXCEPTION 'neither a role to take nor one to give is named'
            USING ERRCODE = '22023', HINT = 'from_role is taken, to_role is given; one of them may be NULL.';
    ELSIF from_role = to_role THEN
        RAISE EXCEPTION 'both roles are "%"', from_role USING ERRCODE = '22023', HINT = 'Name another role to give, or NULL to only take this one.';
    END IF;
    SELECT string_agg(DISTINCT quote_nullable(u.key), ', ') INTO missing FROM unnest(members) u (key)
    WHERE NOT EXISTS (SELECT FROM leadguard.member m WHERE m.key = u.key AND (org IS NULL OR m.org_id = org));
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no member %', missing
            USING ERRCODE = '22023', HINT = 'Members are named by their keys; leadguard.member lists those of your organization.';
    END IF;
    SELECT coalesce(array_agg(m.id), '{}') INTO ids FROM leadguard.member m WHERE m.key = ANY (members);
    -- As the caller, whom the limits of the directory bind. What is given comes before what is taken: who exchanges the
    -- role by which he may write this keeps it until the end.
    IF to_role IS NOT NULL THEN
        SELECT coalesce(array_agg(r.member_id), '{}') INTO had FROM leadguard.member_role r WHERE r.member_id = ANY (ids) AND r.role = from_role;
        WITH come AS (
            INSERT INTO leadguard.member_role (member_id, role)
            SELECT u.id, to_role FROM unnest(CASE WHEN from_role IS NULL THEN ids ELSE had END) u (id)
            WHERE NOT EXISTS (SELECT FROM leadguard.member_role r WHERE r.member_id = u.id AND r.role = to_role)
            RETURNING member_role.member_id)
        SELECT coalesce(array_agg(c.member_id), '{}') INTO given FROM come c;
    END IF;
    WITH gone AS (DELETE FROM leadguard.member_role r WHERE r.member_id = ANY (ids) AND r.role = from_role RETURNING r.member_id)
    SELECT coalesce(array_agg(g.member_id), '{}') INTO taken FROM gone g;
    IF to_role IS NOT NULL AND from_role IS NOT NULL AND NOT (had @> taken AND taken @> had) THEN
        RAISE EXCEPTION 'somebody else changed roles of these members' USING ERRCODE = '55000', HINT = 'Nothing was changed; try again.';
    END IF;
    PERFORM leadguard.note_change_of_role(m.key, from_role, to_role, reason)
    FROM leadguard.member m WHERE m.id = ANY (taken) OR m.id = ANY (given);
    RETURN QUERY
    SELECT m.key, CASE
        WHEN m.id = ANY (taken) AND to_role IS NOT NULL THEN format('%s instead of %s', to_role, from_role)
        WHEN m.id = ANY (taken) THEN format('%s taken', from_role)
        WHEN m.id = ANY (given) THEN format('%s given', to_role)
        WHEN from_role IS NULL THEN format('has %s', to_role)
        ELSE format('does not have %s', from_role) END
    FROM leadguard.member m WHERE m.id = ANY (ids) ORDER BY m.key;
END
$$;
COMMENT ON FUNCTION leadguard.change_roles(text[], text, text, text) IS
'Exchanges a role of members (keys) for another one, or gives (from_role NULL) or takes (to_role NULL) it; one row for each member. All or nothing, effective with the next statement; each member is told. Written as the caller: only who may give and take both roles (42501). 22023: no reason, no such member or role.';

CREATE FUNCTION leadguard.change_role(member text, from_role text, to_role text, reason text)
RETURNS TABLE (step text, target regclass, detail text, records bigint)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    asks boolean := leadguard.may_ask_about(change_role.member);
    before jsonb := '{}';
    later jsonb := '{}';
BEGIN
    IF asks THEN
        SELECT coalesce(jsonb_object_agg(r.target::oid, r.gives), '{}') INTO before FROM leadguard.rights_in_words(change_role.member) r;
    END IF;
    RETURN QUERY
    SELECT 'role', NULL::regclass, c.result, NULL::bigint
    FROM leadguard.change_roles(ARRAY[change_role.member], change_role.from_role, change_role.to_role, change_role.reason) c;
    IF asks THEN
        SELECT coalesce(jsonb_object_agg(r.target::oid, r.gives), '{}') INTO later FROM leadguard.rights_in_words(change_role.member) r;
    END IF;
    RETURN QUERY
    SELECT d.step, d.target, d.detail, NULL::bigint FROM leadguard.rights_differ(before, later) d;
    IF leadguard.has_capability('administer') OR leadguard.has_capability('manage_members') OR leadguard.current_member() IS NULL THEN
        RETURN QUERY
        SELECT 'owns', o.target, CASE WHEN o.records IS NULL THEN 'not measured' ELSE 'unarchived records' END, o.records FROM leadguard.owned_records(change_role.member) o;
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.change_role(text, text, text, text) IS
'Promotes or demotes a member: leadguard.change_roles for one, and what follows from it: rights that the member gains and loses in each protected table (for callers who may ask), and how many records the member owns. Who may call and errors: as change_roles.';

CREATE FUNCTION leadguard.rights_differ(before jsonb, later jsonb)
RETURNS TABLE (step text, target regclass, detail text)
LANGUAGE sql IMMUTABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE ROWS 5 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.step, t.target::oid::regclass, string_agg(d.right_name, ', ' ORDER BY d.right_name)
    FROM (SELECT jsonb_object_keys(before || later)) t (target)
    CROSS JOIN LATERAL (
        SELECT 'gains' AS step, n.right_name FROM jsonb_array_elements_text(coalesce(later -> t.target, '[]')) n (right_name)
        WHERE NOT coalesce(before -> t.target, '[]') ? n.right_name
        UNION ALL
        SELECT 'loses', o.right_name FROM jsonb_array_elements_text(coalesce(before -> t.target, '[]')) o (right_name)
        WHERE NOT coalesce(later -> t.target, '[]') ? o.right_name) d
    GROUP BY d.step, t.target
    ORDER BY 2, 1
$$;
COMMENT ON FUNCTION leadguard.rights_differ(jsonb, jsonb) IS
'Internal: what two results of leadguard.rights_in_words, as objects by table, have that the other one has not. Anyone may call it.';

CREATE FUNCTION leadguard.add_to_team(team text, members text[])
RETURNS TABLE (member text, result text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    org bigint := coalesce(leadguard.current_organization(), 1);
    its_id bigint;
    missing text;
    added bigint[];
BEGIN
    IF leadguard.is_guest() THEN
        RAISE EXCEPTION 'add_to_team refused' USING ERRCODE = '42501', HINT = 'Members who manage the team can.';
    END IF;
    IF members IS NULL THEN
        RAISE EXCEPTION 'argument "members" must not be NULL' USING ERRCODE = '22023';
    END IF;
    SELECT t.id INTO its_id FROM leadguard.team t WHERE t.key = add_to_team.team AND t.org_id = org;
    IF its_id IS NULL THEN
        RAISE EXCEPTION 'there is no team %', quote_nullable(add_to_team.team)
            USING ERRCODE = '22023', HINT = 'Teams are named by their keys; leadguard.team lists them.';
    END IF;
    SELECT string_agg(DISTINCT quote_nullable(u.key), ', ') INTO missing FROM unnest(members) u (key)
    WHERE NOT EXISTS (SELECT FROM leadguard.member m WHERE m.key = u.key AND m.org_id = org);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no member %', missing
            USING ERRCODE = '22023', HINT = 'Members are named by their keys; leadguard.member lists those of your organization.';
    END IF;
    -- As the caller, who must manage the team.
    WITH come AS (
        INSERT INTO leadguard.team_member (team_id, member_id)
        SELECT its_id, m.id FROM leadguard.member m
        WHERE m.key = ANY (members) AND m.org_id = org
          AND NOT EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.team_id = its_id AND tm.member_id = m.id)
        RETURNING team_member.member_id)
    SELECT coalesce(array_agg(c.member_id), '{}') INTO added FROM come c;
    RETURN QUERY
    SELECT m.key, CASE WHEN m.id = ANY (added) THEN 'added' ELSE 'is in the team' END
    FROM leadguard.member m WHERE m.key = ANY (members) AND m.org_id = org ORDER BY m.key;
END
$$;
COMMENT ON FUNCTION leadguard.add_to_team(text, text[]) IS
'Puts members (keys) into a team (key), as member; one row for each. All or nothing. For members who manage the team or have the capability administer (42501). 22023: no such team or member.';

CREATE FUNCTION leadguard.follow_teams()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
BEGIN
    IF leadguard.is_restore() THEN
        RETURN NULL;
    END IF;
    FOR item IN SELECT t.org_id, t.key, array_agg(c.member_id) AS members FROM changed c JOIN leadguard.team t ON t.id = c.team_id GROUP BY t.id LOOP
        PERFORM leadguard.note_event('team_joined', item.org_id, NULL, NULL, NULL,
                                     format('team %s, %s members', item.key, cardinality(item.members)));
        IF cardinality(item.members) <= 1000 THEN
            PERFORM leadguard.tell(u.id, 'team_joined', NULL, NULL, jsonb_build_object('team', item.key)) FROM unnest(item.members) u (id);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_teams() IS
'Trigger AFTER STATEMENT of team_member: tells the members who joined a team, and the audit.';
CREATE TRIGGER directory_80_insert AFTER INSERT ON leadguard.team_member REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_teams();

-- K57: what becomes of everybody when admin and user are exchanged for the roles of a preset.
CREATE FUNCTION leadguard.migrate_roles(mapping jsonb, dry_run boolean DEFAULT true)
RETURNS TABLE (member text, from_role text, to_role text, target regclass, gains text, loses text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    org bigint := coalesce(leadguard.current_organization(), 1);
    missing text;
    moving text[];
    had text[];
    before jsonb := '{}';
    item record;
BEGIN
    IF NOT (leadguard.has_capability('administer') OR leadguard.may_ask_about(NULL)) OR leadguard.is_guest() THEN
        RAISE EXCEPTION 'migrate_roles refused'
            USING ERRCODE = '42501', HINT = 'A member with the capability administer migrates the roles of his organization.';
    END IF;
    IF dry_run IS NULL THEN
        RAISE EXCEPTION 'argument "dry_run" must not be NULL' USING ERRCODE = '22023';
    ELSIF jsonb_typeof(mapping) IS DISTINCT FROM 'object' OR mapping = '{}' OR EXISTS (SELECT FROM jsonb_each(mapping) e WHERE jsonb_typeof(e.value) <> 'string') THEN
        RAISE EXCEPTION 'the mapping is no object of roles' USING ERRCODE = '22023', HINT = 'For example {"admin": "data_owner", "user": "lead_creator"}.';
    END IF;
    SELECT string_agg(DISTINCT format('"%s"', u.name), ', ') INTO missing
    FROM (SELECT e.key FROM jsonb_each_text(mapping) e UNION SELECT e.value FROM jsonb_each_text(mapping) e) u (name)
    WHERE NOT EXISTS (SELECT FROM leadguard.role r WHERE r.name = u.name AND (r.org_id IS NULL OR r.org_id = org));
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no role %', missing
            USING ERRCODE = '22023', HINT = 'Roles are those shipped and those of the organization, see leadguard.role.';
    END IF;
    SELECT string_agg(format('"%s"', e.value), ', ') INTO missing FROM jsonb_each_text(mapping) e WHERE mapping ? e.value;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'role % is mapped and mapped to', missing
            USING ERRCODE = '22023', HINT = 'Map in one step: each role to what it becomes in the end.';
    END IF;
    SELECT coalesce(array_agg(m.key ORDER BY m.key, r.role), '{}'), coalesce(array_agg(r.role ORDER BY m.key, r.role), '{}') INTO moving, had
    FROM leadguard.member m JOIN leadguard.member_role r ON r.member_id = m.id
    WHERE m.org_id = org AND mapping ? r.role;

    SELECT coalesce(jsonb_object_agg(k.key, r.rights), '{}') INTO before
    FROM (SELECT DISTINCT u.key FROM unnest(moving) u (key)) k
    CROSS JOIN LATERAL (SELECT coalesce(jsonb_object_agg(w.target::oid, w.gives), '{}') AS rights FROM leadguard.rights_in_words(k.key) w) r;
    BEGIN
        FOR item IN SELECT e.key AS old_role, e.value AS new_role FROM jsonb_each_text(mapping) e LOOP
            PERFORM leadguard.change_roles((SELECT coalesce(array_agg(v.key), '{}') FROM unnest(moving, had) v (key, role) WHERE v.role = item.old_role),
                                           item.old_role, item.new_role, 'migrate_roles');
        END LOOP;
        FOR member, from_role, to_role, target, gains, loses IN
            SELECT v.key, v.role, mapping ->> v.role, d.target, d.gains, d.loses
            FROM unnest(moving, had) v (key, role)
            CROSS JOIN LATERAL (SELECT coalesce(jsonb_object_agg(w.target::oid, w.gives), '{}') AS rights
                                FROM leadguard.rights_in_words(v.key) w) now
            LEFT JOIN LATERAL (
                SELECT x.target, max(x.detail) FILTER (WHERE x.step = 'gains') AS gains, max(x.detail) FILTER (WHERE x.step = 'loses') AS loses
                FROM leadguard.rights_differ(before -> v.key, now.rights) x GROUP BY x.target) d ON true
            ORDER BY 1, 2, 4
        LOOP
            RETURN NEXT;
        END LOOP;
        IF dry_run IS DISTINCT FROM false THEN
            RAISE EXCEPTION 'only tried' USING ERRCODE = 'LG000';
        END IF;
    EXCEPTION WHEN SQLSTATE 'LG000' THEN
        NULL;
    END;
END
$$;
COMMENT ON FUNCTION leadguard.migrate_roles(jsonb, boolean) IS
'Exchanges roles of all members of the organization at once, as {"admin": "data_owner", "user": "lead_creator"} maps them, and lists for each member and protected table what the member gains and loses (one row without a table where nothing changes). dry_run, the default: only lists. For members with the capability administer and superusers (42501); 22023 for the mapping.';
