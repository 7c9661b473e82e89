-- People who join and change: job functions, onboarding, promotion and demotion, many at once, an older system.

ALTER TABLE leadguard.job_function ALTER COLUMN org_id SET DEFAULT coalesce(leadguard.current_organization(), 1);

CREATE FUNCTION leadguard.is_unbound()
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT leadguard.current_member() IS NULL
       AND pg_has_role(session_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = 'leadguard.member'::regclass), 'USAGE')
$$;
COMMENT ON FUNCTION leadguard.is_unbound() IS
'Internal: whether the session is no member, and its login a superuser or the owner of the extension.';

CREATE FUNCTION leadguard.managed_member(operation text, member text)
RETURNS leadguard.member LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found leadguard.member;
BEGIN
    IF NOT leadguard.is_unbound()
        AND (leadguard.is_guest() OR NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_members'))) THEN
        RAISE EXCEPTION '% refused', operation
            USING ERRCODE = '42501', HINT = 'Members with the capability administer or manage_members can.';
    END IF;
    SELECT m.* INTO found FROM leadguard.member m
    WHERE m.key = managed_member.member AND (m.org_id = leadguard.current_organization() OR leadguard.is_unbound());
    IF found.id IS NULL THEN
        RAISE EXCEPTION 'there is no member %', quote_nullable(member) USING ERRCODE = '22023';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION leadguard.managed_member(text, text) IS
'Internal: the member with this key, for callers with the capability administer or manage_members in its organization, and superusers; 42501, 22023.';

-- Job functions.
CREATE FUNCTION leadguard.resolve_job_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In a merger the roles of the organization follow.
    IF TG_OP = 'UPDATE' AND new.role = old.role
        AND EXISTS (SELECT FROM leadguard.organization s WHERE s.id = old.org_id AND s.merged_into = new.org_id) THEN
        RETURN new;
    END IF;
    SELECT r.id INTO new.role_id FROM leadguard.role r
    WHERE r.name = new.role AND r.name <> 'system' AND (r.org_id IS NULL OR r.org_id = new.org_id)
    ORDER BY r.org_id NULLS LAST LIMIT 1;
    IF new.role_id IS NULL THEN
        RAISE EXCEPTION 'there is no role "%" for persons', new.role
            USING ERRCODE = '23503', HINT = 'Roles are those shipped and those of the organization, see leadguard.role.';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.resolve_job_function() IS 'Trigger BEFORE ROW of job_function: finds the role by its name, else 23503.';
CREATE TRIGGER directory_30_resolve BEFORE INSERT OR UPDATE ON leadguard.job_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.resolve_job_function();

CREATE FUNCTION leadguard.resolve_member_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT m.org_id INTO new.org_id FROM leadguard.member m
    WHERE m.id = new.member_id AND (leadguard.current_member() IS NULL OR m.org_id = leadguard.current_organization());
    IF new.org_id IS NULL THEN
        RAISE EXCEPTION 'there is no member % in your organization', new.member_id USING ERRCODE = '23503';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.resolve_member_function() IS 'Trigger BEFORE ROW of member_function: fills the organization of the member, 23503 for one of another.';
CREATE TRIGGER directory_30_resolve BEFORE INSERT OR UPDATE OF member_id ON leadguard.member_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.resolve_member_function();

-- Who manages members gives job functions to those who are not above him, and none to himself.
CREATE FUNCTION leadguard.limit_member_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    follows boolean;
    item bigint;
BEGIN
    IF leadguard.current_member() IS NULL OR leadguard.has_capability('administer') THEN
        RETURN coalesce(new, old);
    END IF;
    -- A job function that was renamed or dropped, or a member who was deleted, takes this along.
    follows := TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR (new.member_id = old.member_id AND new.org_id = old.org_id))
        AND NOT EXISTS (SELECT FROM leadguard.job_function j JOIN leadguard.member m ON m.id = old.member_id
                        WHERE j.org_id = old.org_id AND j.name = old.job_function);
    FOREACH item IN ARRAY ARRAY[CASE WHEN TG_OP <> 'INSERT' THEN old.member_id END, CASE WHEN TG_OP <> 'DELETE' THEN new.member_id END] LOOP
        IF NOT follows AND (item = leadguard.current_member() OR leadguard.outranks_me(item)) THEN
            RAISE EXCEPTION 'the job function of oneself and of members of a higher rank is not yours to change'
                USING ERRCODE = '42501', HINT = 'A member with the capability administer can.';
        END IF;
    END LOOP;
    RETURN coalesce(new, old);
END
$$;
COMMENT ON FUNCTION leadguard.limit_member_function() IS
'Trigger BEFORE ROW of member_function: 42501 for who changes it for himself, or for a member of a higher rank, without the capability administer.';
CREATE TRIGGER directory_20_limit BEFORE INSERT OR UPDATE OR DELETE ON leadguard.member_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.limit_member_function();

CREATE FUNCTION leadguard.note_job_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item jsonb := CASE TG_OP WHEN 'DELETE' THEN to_jsonb(old) ELSE to_jsonb(new) END;
    verb text := CASE TG_OP WHEN 'DELETE' THEN 'taken' WHEN 'INSERT' THEN 'given' ELSE 'changed' END;
BEGIN
    IF current_setting('row_security') <> 'on' THEN
        RETURN NULL;
    END IF;
    PERFORM leadguard.note_event('job_function', (item ->> 'org_id')::bigint, NULL, NULL, NULL, CASE TG_TABLE_NAME
        WHEN 'job_function' THEN format('job function %s: role %s %s', item ->> 'name', item ->> 'role', verb)
        ELSE format('member %s: job function %s %s',
                    coalesce((SELECT m.key FROM leadguard.member m WHERE m.id = (item ->> 'member_id')::bigint), 'deleted'),
                    item ->> 'job_function', verb) END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.note_job_function() IS
'Trigger AFTER ROW of job_function and member_function: the audit, action job_function.';
CREATE TRIGGER directory_80_note AFTER INSERT OR UPDATE OR DELETE ON leadguard.job_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.note_job_function();
CREATE TRIGGER directory_80_note AFTER INSERT OR UPDATE OR DELETE ON leadguard.member_function
    FOR EACH ROW EXECUTE FUNCTION leadguard.note_job_function();

CREATE FUNCTION leadguard.forget_job_function()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM leadguard.member_function f WHERE f.member_id = new.id AND f.org_id <> new.org_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.forget_job_function() IS
'Trigger AFTER ROW of member: who moves to another organization leaves the job function behind; in a merger it has moved before.';
CREATE TRIGGER directory_80_job AFTER UPDATE OF org_id ON leadguard.member
    FOR EACH ROW WHEN (new.org_id <> old.org_id) EXECUTE FUNCTION leadguard.forget_job_function();

CREATE FUNCTION leadguard.job_deviations()
RETURNS TABLE (member text, job_function text, expected text, roles text[], beyond text[])
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_unbound()
        AND (leadguard.is_guest() OR NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_members'))) THEN
        RAISE EXCEPTION 'job_deviations refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability administer or manage_members compare roles with job functions.';
    END IF;
    RETURN QUERY
    SELECT m.key, f.job_function, j.role, held.roles, array_remove(held.roles, j.role)
    FROM leadguard.member_function f
    JOIN leadguard.member m ON m.id = f.member_id AND m.active
    JOIN leadguard.job_function j ON j.org_id = f.org_id AND j.name = f.job_function
    CROSS JOIN LATERAL (SELECT coalesce(array_agg(mr.role ORDER BY mr.role), '{}') AS roles
                        FROM leadguard.member_role mr WHERE mr.member_id = m.id) held
    WHERE held.roles <> ARRAY[j.role] AND (leadguard.is_unbound() OR m.org_id = leadguard.current_organization())
    ORDER BY m.key;
END
$$;
COMMENT ON FUNCTION leadguard.job_deviations() IS
'Active members whose roles are not exactly that of their job function; beyond: roles that the function does not give. For members with the capability administer or manage_members about their organization, and superusers (42501).';

-- Who is told about roles, and what the audit says. What a restore brings happened long ago.
CREATE FUNCTION leadguard.follow_roles()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind text := CASE TG_OP WHEN 'DELETE' THEN 'role_taken' ELSE 'role_given' END;
    item record;
    crowd record;
BEGIN
    IF current_setting('row_security') <> 'on' THEN
        RETURN NULL;
    END IF;
    IF (SELECT count(*) FROM changed) > 1000 THEN
        FOR crowd IN SELECT m.org_id, count(*) AS members FROM changed c JOIN leadguard.member m ON m.id = c.member_id GROUP BY 1 LOOP
            PERFORM leadguard.note_event(kind, crowd.org_id, NULL, NULL, NULL, format('%s roles', crowd.members));
        END LOOP;
    ELSE
        FOR item IN SELECT m.id, m.key, m.org_id, c.role FROM changed c JOIN leadguard.member m ON m.id = c.member_id ORDER BY m.id, c.role LOOP
            PERFORM leadguard.note_event(kind, item.org_id, NULL, NULL, NULL, format('member %s, role %s', item.key, item.role));
            PERFORM leadguard.tell(item.id, kind, NULL, NULL, jsonb_build_object('role', item.role));
        END LOOP;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM leadguard.count_admins(c.org_id) FROM (
            SELECT DISTINCT m.org_id FROM changed n JOIN leadguard.member m ON m.id = n.member_id
            JOIN leadguard.role r ON r.id = n.role_id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)) c;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_roles() IS
'Trigger AFTER STATEMENT of member_role: tells the members concerned, writes the audit, and looks at the number of administrators (organization.third_admin: a warning, or 23514).';

CREATE FUNCTION leadguard.count_admins(organization bigint)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    admins bigint;
    setting record;
BEGIN
    SELECT o.key, o.third_admin INTO setting FROM leadguard.organization o WHERE o.id = count_admins.organization;
    SELECT count(DISTINCT m.id) INTO admins
    FROM leadguard.member m
    JOIN leadguard.member_role mr ON mr.member_id = m.id
    JOIN leadguard.role r ON r.id = mr.role_id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)
    WHERE m.org_id = count_admins.organization AND m.active;
    IF admins <= 2 OR setting.third_admin = 'allow' THEN
        RETURN;
    END IF;
    IF setting.third_admin = 'refuse' THEN
        RAISE EXCEPTION 'organization "%" would have % administrators', setting.key, admins
            USING ERRCODE = '23514', DETAIL = 'leadguard.organization.third_admin is refuse: one or two people hold such a role.',
                  HINT = 'Take the role from somebody first.';
    END IF;
    RAISE WARNING 'organization "%" has % administrators', setting.key, admins
        USING HINT = 'One or two people are enough. leadguard.organization.third_admin: warn, refuse or allow.';
END
$$;
COMMENT ON FUNCTION leadguard.count_admins(bigint) IS
'Internal: warns of, or refuses (23514), a third active holder of a role of rank 90 or more with the capability administer, as organization.third_admin says.';

CREATE FUNCTION leadguard.follow_admins()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('row_security') <> 'on' THEN
        RETURN NULL;
    END IF;
    IF TG_TABLE_NAME = 'member' THEN
        PERFORM leadguard.count_admins(new.org_id)
        WHERE EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
                      WHERE mr.member_id = new.id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities));
    ELSE
        PERFORM leadguard.count_admins(c.org_id) FROM (
            SELECT DISTINCT m.org_id FROM leadguard.member_role mr JOIN leadguard.member m ON m.id = mr.member_id AND m.active
            WHERE mr.role_id = new.id) c;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_admins() IS
'Trigger AFTER ROW of member and role: looks at the number of administrators when a member becomes active or comes, or a role becomes that of one (organization.third_admin: a warning, or 23514).';
CREATE TRIGGER directory_80_admins AFTER UPDATE OF active, org_id ON leadguard.member
    FOR EACH ROW WHEN (new.active AND (NOT old.active OR new.org_id <> old.org_id)) EXECUTE FUNCTION leadguard.follow_admins();
CREATE TRIGGER directory_80_admins AFTER UPDATE OF rank, capabilities ON leadguard.role
    FOR EACH ROW WHEN (new.rank >= 90 AND 'administer' = ANY (new.capabilities)
                       AND NOT (old.rank >= 90 AND 'administer' = ANY (old.capabilities))) EXECUTE FUNCTION leadguard.follow_admins();

CREATE TRIGGER directory_80_insert AFTER INSERT ON leadguard.member_role REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_roles();
CREATE TRIGGER directory_80_delete AFTER DELETE ON leadguard.member_role REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_roles();
CREATE TRIGGER directory_80_update AFTER UPDATE ON leadguard.member_role REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_roles();

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
        RAISE EXCEPTION 'the key is missing' USING ERRCODE = '22023';
    END IF;
    IF onboard.manager IS NOT NULL THEN
        SELECT m.id INTO boss FROM leadguard.member m WHERE m.key = onboard.manager AND m.org_id = org;
        IF boss IS NULL THEN
            RAISE EXCEPTION 'there is no member "%"', onboard.manager USING ERRCODE = '22023';
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
        RAISE EXCEPTION 'there is no team %', missing USING ERRCODE = '22023';
    END IF;
    SELECT string_agg(quote_nullable(u.key), ', ') INTO missing FROM unnest(onboard.territories) u (key)
    WHERE NOT EXISTS (SELECT FROM leadguard.territory t WHERE t.key = u.key AND t.org_id = org);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there is no territory %', missing USING ERRCODE = '22023';
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
