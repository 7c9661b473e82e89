-- What keeps the directory safe from those who may write it: limits by rank, owners who cannot be lost.

-- The questions that the limits ask. Each is about the current member and his organization only.
CREATE FUNCTION leadguard.own_rank()
RETURNS integer LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT max(r.rank) FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
    WHERE mr.member_id = leadguard.current_member()
$$;
COMMENT ON FUNCTION leadguard.own_rank() IS
'The highest rank among the roles of the current member; NULL without any. Anyone may call it.';

CREATE FUNCTION leadguard.outranks_me(member bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (leadguard.has_capability('manage_members') OR leadguard.has_capability('manage_roles'))
       AND leadguard.in_my_organization('member', outranks_me.member)
       AND EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
                   WHERE mr.member_id = outranks_me.member AND r.rank > coalesce(leadguard.own_rank(), 0))
$$;
COMMENT ON FUNCTION leadguard.outranks_me(bigint) IS
'Whether a member of one''s own organization has a role of a higher rank than one''s own; false for any other id, and for whoever manages neither members nor roles. Anyone may call it.';

CREATE FUNCTION leadguard.may_give(role_id bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM leadguard.role r
        WHERE r.id = may_give.role_id
          AND (leadguard.has_capability('manage_roles') AND r.rank <= leadguard.own_rank()
               OR leadguard.has_capability('manage_members') AND r.rank < leadguard.own_rank())
          -- The rank of a role that an organization made for itself says nothing about what it can do.
          AND (r.org_id IS NULL
               OR (r.org_id = leadguard.current_organization()
                   AND (SELECT coalesce(bool_and(leadguard.has_capability(c.name)), true) FROM unnest(r.capabilities) AS c (name)))))
$$;
COMMENT ON FUNCTION leadguard.may_give(bigint) IS
'Whether the current member may give a role to others and take it from them: with manage_roles up to the own rank, with manage_members below it; a role of the organization itself only with all of its capabilities. Anyone may call it.';

CREATE FUNCTION leadguard.owned_teams()
RETURNS SETOF bigint LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED ROWS 3 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT tm.team_id FROM leadguard.team_member tm
    WHERE tm.member_id = leadguard.current_member() AND tm.role = 'owner'
      AND NOT leadguard.is_guest() AND NOT leadguard.is_analyst()
$$;
COMMENT ON FUNCTION leadguard.owned_teams() IS
'The teams that the current member manages, having the team role owner; none for guests and analysts. Anyone may call it.';

CREATE FUNCTION leadguard.would_command(member bigint, manager bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (EXISTS (SELECT FROM leadguard.member_closure c
                    WHERE c.descendant_id = would_command.manager AND c.ancestor_id = leadguard.current_member())
            AND NOT EXISTS (SELECT FROM leadguard.member_closure c
                            WHERE c.descendant_id = would_command.member AND c.ancestor_id = leadguard.current_member()))
        OR EXISTS (SELECT FROM leadguard.member_closure c
                   WHERE c.ancestor_id = would_command.member AND leadguard.outranks_me(c.descendant_id))
$$;
COMMENT ON FUNCTION leadguard.would_command(bigint, bigint) IS
'Whether placing a member below a manager puts him below the current member, or moves somebody of a higher rank along. Anyone may call it.';

CREATE FUNCTION leadguard.is_fresh_id(kind text, id bigint)
RETURNS boolean LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN kind IN ('member', 'team') THEN coalesce(currval(format('leadguard.%I', kind || '_id_seq')) = id, false) ELSE false END;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION leadguard.is_fresh_id(text, bigint) IS
'Whether this session has just taken the id of a new member or team from the sequence: rows of protected tables may still name one that was deleted. Anyone may call it.';

-- Who may write what, row by row. A member with the capability administer writes the directory of his organization;
-- others have less of it. Whoever owns the extension is not limited, nor what foreign keys carry out.
CREATE FUNCTION leadguard.directory_limits()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member bigint;
    territory bigint;
    team bigint;
    gone text;
    why text;
    hint text := 'A member with the capability administer can.';
BEGIN
    IF leadguard.current_member() IS NULL
        OR pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        RETURN coalesce(new, old);
    END IF;
    -- An id of another organization is answered like one that does not exist.
    IF TG_OP <> 'DELETE' THEN
        CASE TG_TABLE_NAME
        WHEN 'member' THEN member := new.manager_id;
        WHEN 'member_role', 'member_scope' THEN member := new.member_id;
        WHEN 'territory' THEN member := new.owner_id; territory := new.parent_id;
        WHEN 'territory_member' THEN member := new.member_id; territory := new.territory_id;
        WHEN 'team_member' THEN member := new.member_id; team := new.team_id;
        ELSE
        END CASE;
        gone := CASE WHEN territory IS NOT NULL AND NOT leadguard.in_my_organization('territory', territory) THEN 'territory ' || territory
                     WHEN team IS NOT NULL AND NOT leadguard.in_my_organization('team', team) THEN 'team ' || team
                     WHEN member IS NOT NULL AND NOT leadguard.in_my_organization('member', member) THEN 'member ' || member END;
        IF gone IS NOT NULL THEN
            RAISE EXCEPTION 'there is no % in your organization', gone USING ERRCODE = '23503';
        END IF;
    END IF;

    IF TG_TABLE_NAME = 'organization' THEN
        IF (new.key, new.name) IS DISTINCT FROM (old.key, old.name) AND NOT leadguard.has_capability('own_organization') THEN
            why := 'the key and the name of an organization';
            hint := 'A member with the capability own_organization (the Owner) can.';
        ELSIF (new.organization_view, new.domain_roles, new.third_admin) <> (old.organization_view, old.domain_roles, old.third_admin)
            AND NOT leadguard.has_capability('manage_organization') THEN
            why := 'the settings of an organization';
            hint := 'A member with the capability manage_organization can.';
        END IF;
    ELSIF NOT leadguard.has_capability('administer') THEN
        CASE TG_TABLE_NAME
        WHEN 'member' THEN
            why := CASE
                WHEN TG_OP = 'INSERT' THEN CASE
                    WHEN NOT leadguard.is_fresh_id('member', new.id) THEN 'the id of a member'
                    WHEN new.db_role IS NOT NULL THEN 'the login role of a member'
                    WHEN new.kind = 'system' THEN 'a member of kind system' END
                WHEN leadguard.outranks_me(old.id) THEN 'a member of a higher rank than your own'
                WHEN TG_OP = 'UPDATE' THEN CASE
                    WHEN new.id <> old.id OR new.org_id <> old.org_id THEN 'the id and organization of a member'
                    WHEN new.db_role IS DISTINCT FROM old.db_role THEN 'the login role of a member'
                    WHEN new.kind <> old.kind AND new.kind <> 'guest' THEN 'the kind of a member'
                    WHEN new.manager_id IS DISTINCT FROM old.manager_id AND leadguard.would_command(new.id, new.manager_id)
                        THEN 'a place below yourself, or one of somebody of a higher rank' END
                END;
        WHEN 'member_role' THEN
            IF TG_OP <> 'INSERT' THEN
                why := CASE WHEN old.member_id = leadguard.current_member() THEN 'your own roles'
                            WHEN leadguard.outranks_me(old.member_id) THEN 'the roles of a member of a higher rank than your own'
                            WHEN NOT leadguard.may_give(old.role_id) THEN format('the role "%s"', old.role) END;
            END IF;
            IF TG_OP <> 'DELETE' AND why IS NULL THEN
                why := CASE WHEN new.member_id = leadguard.current_member() THEN 'your own roles'
                            WHEN leadguard.outranks_me(new.member_id) THEN 'the roles of a member of a higher rank than your own'
                            WHEN NOT leadguard.may_give(new.role_id) THEN format('the role "%s"', new.role) END;
            END IF;
        WHEN 'team' THEN
            IF TG_OP = 'INSERT' AND NOT leadguard.is_fresh_id('team', new.id) THEN
                why := 'the id of a team';
            ELSIF TG_OP = 'UPDATE' AND (new.id, new.org_id, new.key) <> (old.id, old.org_id, old.key) THEN
                why := 'the key of a team';
            END IF;
        WHEN 'team_member' THEN
            -- Which teams he manages is a matter of the policies.
        ELSE
            why := 'leadguard.' || TG_TABLE_NAME;
        END CASE;
    END IF;
    IF why IS NOT NULL THEN
        RAISE EXCEPTION '% on leadguard.% refused: % is not yours to write', TG_OP, TG_TABLE_NAME, why
            USING ERRCODE = '42501', HINT = hint;
    END IF;
    RETURN coalesce(new, old);
END
$$;
COMMENT ON FUNCTION leadguard.directory_limits() IS
'Trigger BEFORE ROW of the directory tables: 42501 for what is above the rank or outside of the capabilities of the member who writes, 23503 for a reference to what is not in his organization.';
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['member', 'member_role', 'member_scope', 'territory', 'territory_member', 'team', 'team_member', 'organization'] LOOP
        EXECUTE format('CREATE TRIGGER directory_31_limits BEFORE INSERT OR UPDATE OR DELETE ON leadguard.%I '
                       'FOR EACH ROW EXECUTE FUNCTION leadguard.directory_limits()', t);
    END LOOP;
END
$$;

-- Whoever makes a team manages it.
CREATE FUNCTION leadguard.own_new_team()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF new.org_id = leadguard.current_organization() THEN
        INSERT INTO leadguard.team_member (team_id, member_id, role) VALUES (new.id, leadguard.current_member(), 'owner')
        ON CONFLICT ON CONSTRAINT team_member_pkey DO UPDATE SET role = 'owner';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.own_new_team() IS 'Trigger AFTER ROW of team: the member who makes a team gets its role owner.';
CREATE TRIGGER directory_40_owner AFTER INSERT ON leadguard.team
    FOR EACH ROW EXECUTE FUNCTION leadguard.own_new_team();

-- The last active holder of the roles that stand for an organization stays, for superusers too.
CREATE FUNCTION leadguard.keep_holders()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_keep_holders';
COMMENT ON FUNCTION leadguard.keep_holders() IS
'Trigger AFTER STATEMENT of member and member_role: 23514 when it leaves an organization that is not archived without an active holder of a role Owner, data_owner or ADMIN that it had.';
CREATE TRIGGER directory_45_holders_update AFTER UPDATE ON leadguard.member REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_holders('member');
CREATE TRIGGER directory_45_holders_delete AFTER DELETE ON leadguard.member REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_holders('member');
CREATE TRIGGER directory_45_holders_update AFTER UPDATE ON leadguard.member_role REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_holders('member_role');
CREATE TRIGGER directory_45_holders_delete AFTER DELETE ON leadguard.member_role REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_holders('member_role');

CREATE FUNCTION leadguard.refuse_truncate()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM leadguard.member_role mr
               JOIN leadguard.role r ON r.id = mr.role_id AND r.org_id IS NULL AND r.name IN ('Owner', 'data_owner', 'ADMIN')
               JOIN leadguard.member m ON m.id = mr.member_id AND m.active
               JOIN leadguard.organization o ON o.id = m.org_id AND o.archived_at IS NULL) THEN
        RAISE EXCEPTION 'TRUNCATE on leadguard.% refused: it would remove the owners of organizations', TG_TABLE_NAME
            USING ERRCODE = '23514', HINT = 'DELETE the rows that are meant.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.refuse_truncate() IS
'Trigger BEFORE TRUNCATE of member and member_role: 23514 while an organization has a holder of a role Owner, data_owner or ADMIN.';
CREATE TRIGGER directory_05_truncate BEFORE TRUNCATE ON leadguard.member
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.refuse_truncate();
CREATE TRIGGER directory_05_truncate BEFORE TRUNCATE ON leadguard.member_role
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.refuse_truncate();

-- A record never ends without an owner.
CREATE FUNCTION leadguard.keep_owners()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_keep_owners';
COMMENT ON FUNCTION leadguard.keep_owners() IS
'Trigger AFTER STATEMENT of member: 23503 when a member who is deleted, deactivated or moved to another organization owns unarchived records of a protected table whose switch owners_stay is on.';
CREATE TRIGGER directory_46_owners_update AFTER UPDATE ON leadguard.member REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_owners();
CREATE TRIGGER directory_46_owners_delete AFTER DELETE ON leadguard.member REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_owners();

CREATE FUNCTION leadguard.owned_records(member text)
RETURNS TABLE (target regclass, records bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'owned_records_wrapper';
COMMENT ON FUNCTION leadguard.owned_records(text) IS
'How many unarchived records a member owns in each protected table, whether or not the caller sees them; tables without any are left out, and NULL stands for one that lost a mapped column. For superusers, and about members of the own organization for members with administer or manage_members (42501). 22023: there is no such member.';
