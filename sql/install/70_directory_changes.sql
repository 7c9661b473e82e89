-- The triggers of the directory: who may write it, and what follows from a change. What holds in it: 70_directory_rules.sql.

-- Who may write.
CREATE FUNCTION leadguard.directory_guard()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
        OR (TG_OP <> 'TRUNCATE' AND TG_ARGV[0] = 'administer' AND leadguard.has_capability('administer')) THEN
        RETURN NULL;
    END IF;
    -- Those who may write a part of it; which rows is decided by policies and directory_limits. A guest lists nobody, and
    -- writes nobody.
    IF (CASE TG_TABLE_NAME
        WHEN 'member' THEN TG_OP <> 'TRUNCATE' AND NOT leadguard.is_guest() AND leadguard.has_capability('manage_members')
        WHEN 'member_role' THEN TG_OP <> 'TRUNCATE' AND NOT leadguard.is_guest() AND (leadguard.has_capability('manage_members') OR leadguard.has_capability('manage_roles'))
        WHEN 'team' THEN CASE TG_OP WHEN 'INSERT' THEN leadguard.has_capability('manage_teams') AND NOT leadguard.is_guest()
                                    WHEN 'UPDATE' THEN EXISTS (SELECT FROM leadguard.owned_teams()) END
        WHEN 'team_member' THEN TG_OP <> 'TRUNCATE' AND EXISTS (SELECT FROM leadguard.owned_teams())
        WHEN 'organization' THEN TG_OP = 'UPDATE' AND (leadguard.has_capability('manage_organization') OR leadguard.has_capability('own_organization'))
        WHEN 'member_setting' THEN TG_OP <> 'TRUNCATE' AND leadguard.current_member() IS NOT NULL AND NOT leadguard.is_analyst()
        END) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on leadguard.% refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = '42501',
              HINT = CASE TG_ARGV[0]
                     WHEN 'administer' THEN 'A member with the capability administer writes the directory of his organization.'
                     WHEN 'organization' THEN 'Members with the capability manage_organization or own_organization change the settings of theirs.'
                     WHEN 'own' THEN 'Members write their own settings; this session is none, or reads only.'
                     ELSE 'Only a superuser or the owner of the extension writes this table.' END;
END
$$;
COMMENT ON FUNCTION leadguard.directory_guard() IS
'Trigger BEFORE STATEMENT of the directory tables: 42501 unless the caller owns the extension or, where allowed, has the capability administer or one that lets him write a part of the table.';

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['member', 'member_role', 'member_scope', 'role', 'territory', 'territory_member', 'team', 'team_member'] LOOP
        EXECUTE format('CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard(''administer'')', t);
    END LOOP;
    CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.organization
        FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard('organization');
    CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.member_setting
        FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard('own');
    FOREACH t IN ARRAY ARRAY['login_role', 'role_binding', 'protected_table', 'record_grant', 'table_grant',
                             'member_closure', 'territory_closure', 'hierarchy_revision', 'secret',
                             'field_version', 'field_rule', 'field_signature', 'field_value', 'field_transition',
                             'tag_column', 'tag_namespace', 'column_mask', 'approval', 'tombstone', 'protected_child', 'erasure',
                             'preset_rule', 'access_rule', 'access_switch', 'preset_switch', 'table_switch'] LOOP
        EXECUTE format('CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard(''owner'')', t);
    END LOOP;
END
$$;

-- Both hierarchies, one implementation.
CREATE TRIGGER directory_10_lock BEFORE INSERT OR DELETE OR TRUNCATE OR UPDATE OF id, org_id, manager_id, active ON leadguard.member
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_lock('member');
CREATE TRIGGER directory_20_insert AFTER INSERT ON leadguard.member REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_maintain('member');
CREATE TRIGGER directory_20_update AFTER UPDATE ON leadguard.member REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_maintain('member');
CREATE TRIGGER directory_20_delete AFTER DELETE ON leadguard.member REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_maintain('member');
CREATE TRIGGER directory_20_truncate AFTER TRUNCATE ON leadguard.member
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_maintain('member');
CREATE TRIGGER directory_10_lock BEFORE INSERT OR DELETE OR TRUNCATE OR UPDATE OF id, org_id, parent_id, owner_id ON leadguard.territory
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_lock('territory');
CREATE TRIGGER directory_20_insert AFTER INSERT ON leadguard.territory REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_maintain('territory');
CREATE TRIGGER directory_20_update AFTER UPDATE ON leadguard.territory REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_maintain('territory');
CREATE TRIGGER directory_20_delete AFTER DELETE ON leadguard.territory REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_maintain('territory');
CREATE TRIGGER directory_20_truncate AFTER TRUNCATE ON leadguard.territory
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.closure_maintain('territory');

-- What else decides access raises the revision of its hierarchy.
CREATE FUNCTION leadguard.bump_revision()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE leadguard.hierarchy_revision SET revision = revision + 1 WHERE hierarchy = TG_ARGV[0];
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.bump_revision() IS 'Trigger BEFORE STATEMENT: raises the revision of the hierarchy named by its argument.';
CREATE TRIGGER directory_10_revision BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.territory_member
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('territory');
CREATE TRIGGER directory_10_revision BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.member_role
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('member');
CREATE TRIGGER directory_10_revision BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.organization
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('member');
CREATE TRIGGER directory_10_revision BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.role
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('member');
CREATE TRIGGER directory_10_revision BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.team
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('member');
CREATE TRIGGER directory_10_revision BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.team_member
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('member');
CREATE TRIGGER directory_10_revision BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.member_scope
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('member');
CREATE TRIGGER directory_11_revision BEFORE UPDATE OF kind ON leadguard.member
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('member');

-- Login roles, protected tables and the rules about their fields have a revision of their own. Only what changes rows raises it: every change of a
-- member and every DROP looks here, and most find nothing to do.
CREATE FUNCTION leadguard.bump_registration()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM changed) THEN
        UPDATE leadguard.hierarchy_revision SET revision = revision + 1 WHERE hierarchy = 'registration';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.bump_registration() IS
'Trigger AFTER STATEMENT of role_binding, protected_table and the rules about fields: raises the revision of what is registered when a row changed.';
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['role_binding', 'protected_table', 'field_version', 'field_rule', 'field_value', 'field_transition',
                             'tag_column', 'tag_namespace', 'column_mask', 'access_rule', 'table_switch'] LOOP
        EXECUTE format('CREATE TRIGGER directory_55_insert AFTER INSERT ON leadguard.%I REFERENCING NEW TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_registration()', t);
        EXECUTE format('CREATE TRIGGER directory_55_update AFTER UPDATE ON leadguard.%I REFERENCING NEW TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_registration()', t);
        EXECUTE format('CREATE TRIGGER directory_55_delete AFTER DELETE ON leadguard.%I REFERENCING OLD TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_registration()', t);
        EXECUTE format('CREATE TRIGGER directory_55_truncate AFTER TRUNCATE ON leadguard.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision(''registration'')', t);
    END LOOP;
END
$$;

-- Plans hold who sees everything; when that changes they are made anew in every backend. For each row: a statement that
-- meets none changes nothing.
CREATE FUNCTION leadguard.forget_plans()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_forget_plans';
COMMENT ON FUNCTION leadguard.forget_plans() IS
'Trigger: has every backend plan queries of protected tables anew once the transaction is committed.';
CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.member_role
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.member_role
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.role
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.role
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.role_binding
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.role_binding
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_60_plans AFTER UPDATE ON leadguard.organization
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.access_rule
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.access_rule
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.table_switch
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.table_switch
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_60_plans AFTER UPDATE OF preset, object ON leadguard.protected_table
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_60_plans AFTER UPDATE OF kind, org_id ON leadguard.member
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();

-- Login roles follow member.db_role and login_role. What joins two transition tables is EXECUTEd: a trigger function keeps
-- the plans of its first call, and one made for a single changed row takes minutes for 50,000.
CREATE FUNCTION leadguard.follow_db_role()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM leadguard.bind_roles(array_agg(n.db_role), 'person', array_agg(n.id)) FROM new_rows n WHERE n.db_role IS NOT NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        EXECUTE $q$SELECT leadguard.revoke_tables(array_agg(o.db_role::text)) FROM old_rows o
            LEFT JOIN new_rows n ON n.id = o.id
            WHERE o.db_role IS NOT NULL AND n.db_role IS DISTINCT FROM o.db_role$q$;
        EXECUTE $q$DELETE FROM leadguard.role_binding b USING old_rows o LEFT JOIN new_rows n ON n.id = o.id
            WHERE b.db_role = o.db_role AND b.mode = 'person' AND n.db_role IS DISTINCT FROM o.db_role$q$;
        EXECUTE $q$SELECT leadguard.bind_roles(array_agg(n.db_role), 'person', array_agg(n.id)) FROM new_rows n
            LEFT JOIN old_rows o ON o.id = n.id
            WHERE n.db_role IS NOT NULL AND n.db_role IS DISTINCT FROM o.db_role$q$;
    ELSE
        PERFORM leadguard.revoke_tables(array_agg(b.db_role::text)) FROM leadguard.role_binding b JOIN old_rows o ON b.db_role = o.db_role AND b.mode = 'person';
        DELETE FROM leadguard.role_binding b USING old_rows o WHERE b.db_role = o.db_role AND b.mode = 'person';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_db_role() IS
'Trigger AFTER STATEMENT of member: keeps role_binding equal to db_role and grants a newly registered role what a person needs.';
CREATE TRIGGER directory_50_role_insert AFTER INSERT ON leadguard.member REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_db_role();
CREATE TRIGGER directory_50_role_update AFTER UPDATE ON leadguard.member REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_db_role();
CREATE TRIGGER directory_50_role_delete AFTER DELETE ON leadguard.member REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_db_role();

CREATE FUNCTION leadguard.follow_login_role()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM leadguard.revoke_tables(ARRAY[old.db_role::text]);
        DELETE FROM leadguard.role_binding b WHERE b.db_role = old.db_role AND b.mode = old.mode;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM leadguard.bind_roles(ARRAY[new.db_role], new.mode, ARRAY[new.member_id]);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_login_role() IS 'Trigger AFTER ROW of login_role: keeps role_binding equal to it.';
CREATE TRIGGER directory_50_role AFTER INSERT OR UPDATE OR DELETE ON leadguard.login_role
    FOR EACH ROW EXECUTE FUNCTION leadguard.follow_login_role();
