-- People who join: what somebody is and reaches, and making a member.

-- What somebody is and has, without what it gives in which table.
CREATE FUNCTION leadguard.member_card(member text)
RETURNS TABLE (step text, detail text, done boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    m leadguard.member;
BEGIN
    SELECT own.* INTO m FROM leadguard.member own WHERE own.key = member_card.member AND own.id = leadguard.current_member();
    IF m.id IS NULL THEN
        m := leadguard.managed_member('checklist', member);
    END IF;
    RETURN QUERY SELECT 'active', m.kind, m.active;
    RETURN QUERY SELECT 'login', CASE
            WHEN m.db_role IS NULL THEN 'no login role; an application may act for the member'
            WHEN m.id = leadguard.current_member() OR leadguard.is_unbound() OR leadguard.has_capability('administer') THEN m.db_role::text
            ELSE 'registered' END, m.db_role IS NOT NULL;
    RETURN QUERY SELECT 'roles', coalesce(string_agg(mr.role, ', ' ORDER BY mr.role), 'none'), count(*) > 0
        FROM leadguard.member_role mr WHERE mr.member_id = m.id;
    -- A guest is told of nobody and nothing else.
    IF leadguard.is_guest() THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT 'manager', coalesce(b.key, 'none'), b.active IS TRUE
        FROM (VALUES (1)) one LEFT JOIN leadguard.member b ON b.id = m.manager_id;
    RETURN QUERY SELECT 'job function', coalesce(f.job_function, 'none'), f.job_function IS NOT NULL
        FROM (VALUES (1)) one LEFT JOIN leadguard.member_function f ON f.member_id = m.id;
    RETURN QUERY SELECT 'role of the job function',
            CASE WHEN held.roles = ARRAY[j.role] THEN j.role ELSE format('%s, but has %s', j.role, coalesce(nullif(array_to_string(held.roles, ', '), ''), 'none')) END,
            held.roles = ARRAY[j.role]
        FROM leadguard.member_function f
        JOIN leadguard.job_function j ON j.org_id = f.org_id AND j.name = f.job_function
        CROSS JOIN LATERAL (SELECT array_agg(mr.role ORDER BY mr.role) AS roles FROM leadguard.member_role mr WHERE mr.member_id = m.id) held
        WHERE f.member_id = m.id;
    RETURN QUERY SELECT 'teams', coalesce(string_agg(format('%s (%s)', t.key, tm.role), ', ' ORDER BY t.key), 'none'), count(*) > 0
        FROM leadguard.team_member tm JOIN leadguard.team t ON t.id = tm.team_id WHERE tm.member_id = m.id;
    RETURN QUERY SELECT 'territories', coalesce(string_agg(t.key, ', ' ORDER BY t.key), 'none'), count(*) > 0
        FROM leadguard.territory t
        WHERE t.owner_id = m.id OR EXISTS (SELECT FROM leadguard.territory_member tm WHERE tm.territory_id = t.id AND tm.member_id = m.id);
    RETURN QUERY SELECT 'leaves', format('%s, last day %s', o.state, o.last_day), false
        FROM leadguard.offboarding o WHERE o.member_id = m.id AND o.state IN ('planned', 'leaving');
END
$$;
COMMENT ON FUNCTION leadguard.member_card(text) IS
'What a member is and has: active, login, manager, job function, roles, teams, territories; done: whether there is one. About oneself; for members with the capability administer or manage_members about those of their organization; superusers. 42501, 22023.';

CREATE FUNCTION leadguard.member_rights_in(member text, target regclass)
RETURNS TABLE (target_table regclass, path text, read text, update text, archive text, share text, reassign text, "create" text, hidden text)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 5
AS 'MODULE_PATHNAME', 'member_rights_in_wrapper';
COMMENT ON FUNCTION leadguard.member_rights_in(text, regclass) IS
'leadguard.member_rights for one table. Who may ask and errors: as member_rights; 22023 for a table that is not protected.';

CREATE FUNCTION leadguard.rights_in_words(member text)
RETURNS TABLE (target regclass, gives text[])
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 5 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF leadguard.may_ask_about(rights_in_words.member) IS NOT TRUE THEN
        -- The answer to those who may not ask.
        PERFORM leadguard.member_rights(rights_in_words.member);
    END IF;
    FOR target IN SELECT p.target FROM leadguard.protected p ORDER BY p.target::text LOOP
        BEGIN
            SELECT array_agg(DISTINCT v.action || CASE WHEN v.action = 'create' THEN '' ELSE ' (' || r.path || ')' END
                               || CASE WHEN v.value = 'yes' THEN '' ELSE ': ' || v.value END)
            INTO gives
            FROM leadguard.member_rights_in(rights_in_words.member, target) r
            CROSS JOIN LATERAL (VALUES ('read', r.read), ('update', r.update), ('archive', r.archive), ('share', r.share),
                                       ('reassign', r.reassign), ('create', r.create)) v (action, value)
            WHERE v.value IS NOT NULL AND v.value NOT IN ('no', '');
        EXCEPTION WHEN OTHERS THEN
            -- Somebody broke this table, which is no matter of the others.
            gives := '{not measured}';
        END;
        IF gives IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.rights_in_words(text) IS
'What a member may do in each protected table, from leadguard.member_rights: one text for each right and path, or "not measured" for a table whose protection is broken. Who may ask and errors: as member_rights.';

CREATE FUNCTION leadguard.may_ask_about(member text)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT leadguard.is_unbound()
        OR EXISTS (SELECT FROM leadguard.member m
                   WHERE m.key = may_ask_about.member AND m.org_id = leadguard.current_organization()
                     AND (leadguard.has_capability('administer')
                          OR EXISTS (SELECT FROM leadguard.member_closure c
                                     WHERE c.ancestor_id = leadguard.current_member() AND c.descendant_id = m.id)))
$$;
COMMENT ON FUNCTION leadguard.may_ask_about(text) IS
'Whether the current member may ask what another one may do (administrators, those above, the member). Anyone may call it.';

CREATE FUNCTION leadguard.checklist(member text)
RETURNS TABLE (step text, detail text, done boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT c.step, c.detail, c.done FROM leadguard.member_card(checklist.member) c;
    IF leadguard.may_ask_about(member) THEN
        RETURN QUERY
        SELECT 'reaches ' || p.target::text, coalesce(array_to_string(r.gives, ', '), 'nothing'), r.gives IS NOT NULL
        FROM leadguard.protected p
        LEFT JOIN leadguard.rights_in_words(checklist.member) r ON r.target = p.target
        ORDER BY p.target::text;
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.checklist(text) IS
'Whether a member can reach what he needs: leadguard.member_card, and what he may do in each protected table that the caller may read (for callers who may ask about him). Who may call and errors: as member_card.';

-- Joining. Everything is written as the caller, within what he may give.
CREATE FUNCTION leadguard.onboard(key text, name text, email text, manager text DEFAULT NULL, job_function text DEFAULT NULL,
                                  teams text[] DEFAULT '{}', territories text[] DEFAULT '{}', db_role text DEFAULT NULL,
                                  dry_run boolean DEFAULT false)
RETURNS TABLE (step text, detail text, done boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    org bigint := coalesce(leadguard.current_organization(), 1);
    made bigint;
    boss bigint;
    given text;
    missing text;
    steps text[] := '{}';
BEGIN
    IF dry_run IS NULL THEN
        RAISE EXCEPTION 'argument "dry_run" must not be NULL' USING ERRCODE = '22023';
    ELSIF coalesce(btrim(onboard.key), '') = '' THEN
        RAISE EXCEPTION 'the key is missing' USING ERRCODE = '22023', HINT = 'The key is how everything names the member: key => ''nina''.';
    END IF;
    IF onboard.manager IS NOT NULL THEN
        SELECT m.id INTO boss FROM leadguard.member m WHERE m.key = onboard.manager AND m.org_id = org;
        IF boss IS NULL THEN
            RAISE EXCEPTION 'there is no member "%"', onboard.manager
                USING ERRCODE = '22023', HINT = 'Members are named by their keys; leadguard.member lists those of your organization.';
        END IF;
    END IF;
    IF onboard.job_function IS NOT NULL THEN
        given := leadguard.role_of_function(onboard.job_function);
        IF given IS NULL THEN
            RAISE EXCEPTION 'there is no job function "%"', onboard.job_function
                USING ERRCODE = '22023', HINT = 'Job functions and their roles are in leadguard.job_function.';
        END IF;
    END IF;
    SELECT string_agg(quote_nullable(u.key), ', ') INTO missing FROM unnest(onboard.teams) u (key)
    WHERE NOT EXISTS (SELECT FROM leadguard.team t WHERE t.key = u.key AND t.org_id = org);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no team %', missing
            USING ERRCODE = '22023', HINT = 'Teams are named by their keys; leadguard.team lists them.';
    END IF;
    SELECT string_agg(quote_nullable(u.key), ', ') INTO missing FROM unnest(onboard.territories) u (key)
    WHERE NOT EXISTS (SELECT FROM leadguard.territory t WHERE t.key = u.key AND t.org_id = org);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no territory %', missing
            USING ERRCODE = '22023', HINT = 'Territories are named by their keys; leadguard.territory lists them.';
    END IF;

    BEGIN
        INSERT INTO leadguard.member (org_id, key, name, email, manager_id, db_role)
        VALUES (org, onboard.key, coalesce(onboard.name, ''), onboard.email, boss, onboard.db_role::name)
        RETURNING id INTO made;
        steps := steps || format('member %s', onboard.key);
        IF given IS NOT NULL THEN
            IF leadguard.is_guest_member(made) THEN
                RAISE EXCEPTION 'the domain of the e-mail makes "%" a guest, who has no job function', onboard.key
                    USING ERRCODE = '22023', HINT = 'Leave the job function out, or change the rule in leadguard.domain_rule.';
            END IF;
            INSERT INTO leadguard.member_role (member_id, role) VALUES (made, given);
            INSERT INTO leadguard.member_function (member_id, job_function) VALUES (made, onboard.job_function);
            steps := steps || format('role %s of the job function %s', given, onboard.job_function);
        END IF;
        -- The role that the domain of the e-mail gives to somebody who has none is due at the end of the transaction; the
        -- checklist wants to know it now.
        SET CONSTRAINTS leadguard.directory_70_domain_role IMMEDIATE;
        SET CONSTRAINTS leadguard.directory_70_domain_role DEFERRED;
        -- Not every caller may write these: only where something is to be written.
        IF cardinality(onboard.teams) > 0 THEN
            INSERT INTO leadguard.team_member (team_id, member_id)
            SELECT t.id, made FROM leadguard.team t WHERE t.key = ANY (onboard.teams) AND t.org_id = org;
            steps := steps || (SELECT array_agg(format('member of team %s', u.key)) FROM unnest(onboard.teams) u (key));
        END IF;
        IF cardinality(onboard.territories) > 0 THEN
            INSERT INTO leadguard.territory_member (territory_id, member_id)
            SELECT t.id, made FROM leadguard.territory t WHERE t.key = ANY (onboard.territories) AND t.org_id = org;
            steps := steps || (SELECT array_agg(format('member of territory %s', u.key)) FROM unnest(onboard.territories) u (key));
        END IF;
        PERFORM leadguard.note_onboarding(made);

        FOR step, detail, done IN
            SELECT 'made', u.what, true FROM unnest(steps) u (what)
            UNION ALL SELECT c.step, c.detail, c.done FROM leadguard.checklist(onboard.key) c
        LOOP
            RETURN NEXT;
        END LOOP;
        IF onboard.dry_run THEN
            RAISE EXCEPTION 'only tried' USING ERRCODE = 'LG000';
        END IF;
    EXCEPTION WHEN SQLSTATE 'LG000' THEN
        NULL;
    END;
END
$$;
COMMENT ON FUNCTION leadguard.onboard(text, text, text, text, text, text[], text[], text, boolean) IS
'Makes a member: kind and role by the rules about e-mail domains, or the role of the job function; below the manager (key); in teams as member and in territories (keys); with a login role. Returns what was made and the checklist. dry_run: all of it, taken back. Everything is written as the caller: it takes the right to write each of these tables, and to give the role (42501). 22023: no such manager, job function, team or territory, or a job function for a guest.';

CREATE FUNCTION leadguard.role_of_function(name text)
RETURNS text LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT j.role FROM leadguard.job_function j
    WHERE j.name = role_of_function.name AND j.org_id = coalesce(leadguard.current_organization(), 1) AND NOT leadguard.is_guest()
      AND (leadguard.current_member() IS NOT NULL OR leadguard.is_unbound())
$$;
COMMENT ON FUNCTION leadguard.role_of_function(text) IS
'The standard role of a job function of one''s own organization; NULL for guests and for sessions that are no member. Anyone may call it.';

CREATE FUNCTION leadguard.is_guest_member(member bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM leadguard.member m WHERE m.id = is_guest_member.member AND m.kind = 'guest'
                     AND (m.org_id = leadguard.current_organization() OR leadguard.is_unbound()))
$$;
COMMENT ON FUNCTION leadguard.is_guest_member(bigint) IS
'Whether a member of one''s own organization is a guest; false for any other id. Anyone may call it.';

CREATE FUNCTION leadguard.note_onboarding(member bigint)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.note_event('onboard', m.org_id, NULL, NULL, NULL,
            format('%s %s, role %s', m.kind, m.key, coalesce((SELECT string_agg(r.role, ', ') FROM leadguard.member_role r WHERE r.member_id = m.id), 'none')))
    FROM leadguard.member m
    WHERE m.id = note_onboarding.member AND leadguard.is_fresh_id('member', m.id)
      AND (m.org_id = leadguard.current_organization() OR leadguard.is_unbound());
END
$$;
COMMENT ON FUNCTION leadguard.note_onboarding(bigint) IS
'Internal: the audit of leadguard.onboard, about a member of the own organization whom this session has just made.';
