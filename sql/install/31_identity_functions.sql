-- Who is asking, and registering who may ask.

CREATE FUNCTION leadguard.current_member()
RETURNS bigint LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'current_member_wrapper';
COMMENT ON FUNCTION leadguard.current_member() IS
'The id of the active member that this session is; NULL for nobody. Anyone may call it.';

CREATE FUNCTION leadguard.current_organization()
RETURNS bigint LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'current_organization_wrapper';
COMMENT ON FUNCTION leadguard.current_organization() IS
'The id of the current member''s organization; NULL for nobody. Anyone may call it.';

CREATE FUNCTION leadguard.has_capability(capability text)
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'has_capability_wrapper';
COMMENT ON FUNCTION leadguard.has_capability(text) IS
'Whether a role of the current member carries the capability; false for nobody. An analyst login has only capabilities that read. Anyone may call it.';

CREATE FUNCTION leadguard.is_analyst()
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'is_analyst_wrapper';
COMMENT ON FUNCTION leadguard.is_analyst() IS
'Whether this login is registered as an analyst, which never writes. Anyone may call it.';

CREATE FUNCTION leadguard.is_guest()
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'is_guest_wrapper';
COMMENT ON FUNCTION leadguard.is_guest() IS
'Whether the current member is a guest, who lists nobody but himself. Anyone may call it.';

CREATE FUNCTION leadguard.is_unbound()
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT leadguard.current_member() IS NULL
       AND pg_has_role(session_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = 'leadguard.member'::regclass), 'USAGE')
$$;
COMMENT ON FUNCTION leadguard.is_unbound() IS
'Internal: whether the session is no member, and its login a superuser or the owner of the extension.';

CREATE FUNCTION leadguard.is_restore()
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- pg_restore and the scripts of pg_dump run with row_security off.
    SELECT current_setting('row_security') <> 'on'
       AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = session_user AND r.rolsuper)
$$;
COMMENT ON FUNCTION leadguard.is_restore() IS
'Internal: whether a superuser puts a dump back, whose rows were decided, written down and told long ago.';

CREATE FUNCTION leadguard.in_my_organization(kind text, id bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE kind
        WHEN 'member' THEN EXISTS (SELECT FROM leadguard.member m WHERE m.id = $2 AND m.org_id = leadguard.current_organization())
        WHEN 'territory' THEN EXISTS (SELECT FROM leadguard.territory t WHERE t.id = $2 AND t.org_id = leadguard.current_organization())
        WHEN 'team' THEN EXISTS (SELECT FROM leadguard.team t WHERE t.id = $2 AND t.org_id = leadguard.current_organization())
        ELSE false
    END
$$;
COMMENT ON FUNCTION leadguard.in_my_organization(text, bigint) IS
'Policy of the directory: whether a member, territory or team is of the current member''s organization.';

CREATE FUNCTION leadguard.whoami()
RETURNS TABLE (member_id bigint, key text, name text, organization text, how text, login text, since timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'whoami_wrapper';
COMMENT ON FUNCTION leadguard.whoami() IS
'Who this session is, how (person, analyst, trusted, nobody), through which login and since when. Anyone may call it.';

CREATE FUNCTION leadguard.act_as(member_key text)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'act_as_wrapper';
COMMENT ON FUNCTION leadguard.act_as(text) IS
'Makes this transaction act as a member; returns the member''s id. Trusted connectors only (42501), inside a transaction block (25P01), an active member (28000), once per transaction and before any cursor (LG003). Gone at the end of the transaction, and at ROLLBACK TO a savepoint set before.';

CREATE FUNCTION leadguard.bind_role(db_role name, mode text, member_id bigint)
RETURNS boolean LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER SET search_path = pg_catalog, pg_temp PARALLEL UNSAFE
AS $$
DECLARE
    role_row pg_catalog.pg_roles;
    held leadguard.role_binding;
BEGIN
    SELECT * INTO role_row FROM pg_catalog.pg_roles r WHERE r.rolname = bind_role.db_role;
    IF role_row.oid IS NULL THEN
        RAISE WARNING 'role "%" does not exist, so nobody can log in as it yet', db_role
            USING HINT = 'Create the role, then call leadguard.rebind_roles().';
        RETURN false;
    END IF;
    IF role_row.rolsuper OR role_row.rolbypassrls THEN
        RAISE WARNING 'role "%" bypasses row security and was not registered', db_role
            USING HINT = 'Use a login role without SUPERUSER and BYPASSRLS.';
        RETURN false;
    END IF;
    SELECT * INTO held FROM leadguard.role_binding b WHERE b.role_oid = role_row.oid AND b.db_role = role_row.rolname;
    IF held.mode IS NOT NULL AND (held.mode <> bind_role.mode OR held.member_id IS DISTINCT FROM bind_role.member_id) THEN
        RAISE EXCEPTION 'role "%" is already registered as %', db_role, held.mode
            USING ERRCODE = '22023', HINT = 'A login role is exactly one of person, analyst and trusted connector.';
    END IF;
    DELETE FROM leadguard.role_binding b
    WHERE (b.role_oid = role_row.oid) <> (b.db_role = role_row.rolname);
    INSERT INTO leadguard.role_binding (role_oid, db_role, mode, member_id)
    VALUES (role_row.oid, role_row.rolname, bind_role.mode, bind_role.member_id)
    ON CONFLICT ON CONSTRAINT role_binding_pkey DO NOTHING;
    RETURN true;
END
$$;
COMMENT ON FUNCTION leadguard.bind_role(name, text, bigint) IS
'Internal: records OID and name of a registered login role; false when there is no such role or row security does not apply to it.';

CREATE FUNCTION leadguard.bind_roles(db_roles name[], mode text, member_ids bigint[])
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER SET search_path = pg_catalog, pg_temp PARALLEL UNSAFE
AS $$
DECLARE
    bound text[];
BEGIN
    SELECT array_agg(r.db_role::text) INTO bound
    FROM unnest(db_roles, member_ids) AS r (db_role, member_id)
    WHERE leadguard.bind_role(r.db_role, bind_roles.mode, r.member_id);
    -- One pass: each GRANT on a schema makes backends plan everything anew.
    PERFORM leadguard.grant_tables(bound, bind_roles.mode);
END
$$;
COMMENT ON FUNCTION leadguard.bind_roles(name[], text, bigint[]) IS
'Internal: binds registered login roles of one mode and grants them what it needs.';

CREATE FUNCTION leadguard.rebind_roles()
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bound bigint;
BEGIN
    DELETE FROM leadguard.role_binding;
    PERFORM leadguard.bind_roles(array_agg(m.db_role), 'person', array_agg(m.id)) FROM leadguard.member m WHERE m.db_role IS NOT NULL;
    PERFORM leadguard.bind_roles(array_agg(l.db_role), l.mode, array_agg(l.member_id)) FROM leadguard.login_role l GROUP BY l.mode;
    SELECT count(*) INTO bound FROM leadguard.role_binding;
    PERFORM leadguard.note_event('rebind_roles', NULL, NULL, NULL, NULL, format('%s login roles', bound));
    RETURN bound;
END
$$;
COMMENT ON FUNCTION leadguard.rebind_roles() IS
'Binds all registered login roles anew by name, after a restore into another cluster or after roles were recreated; returns how many are bound. Superuser and extension owner only, else 42501.';

CREATE FUNCTION leadguard.connector(db_role name, mode text DEFAULT 'trusted')
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF mode IN ('token', 'gateway') THEN
        RAISE EXCEPTION 'connector mode "%" comes with a later version', mode USING ERRCODE = '0A000';
    ELSIF mode IS DISTINCT FROM 'trusted' THEN
        RAISE EXCEPTION 'unknown connector mode %', quote_nullable(mode)
            USING ERRCODE = '22023', HINT = 'The mode of this version is trusted.';
    END IF;
    PERFORM leadguard.check_login_role(connector.db_role);
    INSERT INTO leadguard.login_role AS l (db_role, mode) VALUES (connector.db_role, connector.mode)
    ON CONFLICT ON CONSTRAINT login_role_pkey DO UPDATE SET mode = excluded.mode, member_id = NULL
    WHERE l.mode <> excluded.mode;
    PERFORM leadguard.bind_roles(ARRAY[l.db_role], l.mode, ARRAY[l.member_id]) FROM leadguard.login_role l WHERE l.db_role = connector.db_role;
END
$$;
COMMENT ON FUNCTION leadguard.connector(name, text) IS
'Registers the login role of an application server that may call act_as. Grants it schema USAGE and the table privileges. Superuser and extension owner only (42501); 22023 for an unknown or row-security-bypassing role, 0A000 for the modes token and gateway.';

CREATE FUNCTION leadguard.analyst(db_role name, member_key text)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member bigint;
BEGIN
    PERFORM leadguard.check_login_role(analyst.db_role);
    SELECT m.id INTO member FROM leadguard.member m WHERE m.key = analyst.member_key;
    IF member IS NULL THEN
        RAISE EXCEPTION 'there is no member %', quote_nullable(member_key) USING ERRCODE = '22023';
    END IF;
    INSERT INTO leadguard.login_role AS l (db_role, mode, member_id) VALUES (analyst.db_role, 'analyst', member)
    ON CONFLICT ON CONSTRAINT login_role_pkey DO UPDATE SET mode = excluded.mode, member_id = excluded.member_id
    WHERE (l.mode, l.member_id) IS DISTINCT FROM (excluded.mode, excluded.member_id);
    PERFORM leadguard.bind_roles(ARRAY[l.db_role], l.mode, ARRAY[l.member_id]) FROM leadguard.login_role l WHERE l.db_role = analyst.db_role;
END
$$;
COMMENT ON FUNCTION leadguard.analyst(name, text) IS
'Registers a read-only login role bound to a member: it reads what the member reads and never writes, whatever it is granted. Superuser and extension owner only (42501); 22023 for an unknown member or role.';

CREATE FUNCTION leadguard.check_login_role(db_role name)
RETURNS void LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    role_row pg_catalog.pg_roles;
BEGIN
    SELECT * INTO role_row FROM pg_catalog.pg_roles r WHERE r.rolname = check_login_role.db_role;
    IF role_row.oid IS NULL THEN
        RAISE EXCEPTION 'there is no role %', quote_nullable(db_role) USING ERRCODE = '22023', HINT = 'CREATE ROLE ... LOGIN first.';
    ELSIF role_row.rolsuper OR role_row.rolbypassrls THEN
        RAISE EXCEPTION 'role "%" bypasses row security', db_role
            USING ERRCODE = '22023', HINT = 'Use a login role without SUPERUSER and BYPASSRLS.';
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.check_login_role(name) IS
'Internal: 22023 unless the role exists and row security applies to it.';
