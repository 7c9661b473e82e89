\echo Use "ALTER EXTENSION leadguard UPDATE TO '0.2.0'" to load this file. \quit

-- From 0.1.0 to 0.2.0: what sql/install says now and did not say then, in the same words. The policies on protected
-- tables stay as they are. tests/upgrade compares the result with a new installation.
--
-- Plain CREATE: an object that is already there belongs to somebody else, and the update must stop (CVE-2022-2625).
-- What policies call by OID is altered in place, and last: nothing is planned with half of the functions.

CREATE FUNCTION leadguard.visible_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_support';
COMMENT ON FUNCTION leadguard.visible_support(internal) IS 'Planner support of leadguard.visible: the same condition as plans want it.';

CREATE FUNCTION leadguard.still_visible_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_still_visible_support';
COMMENT ON FUNCTION leadguard.still_visible_support(internal) IS 'Planner support of leadguard.still_visible: selectivity, cost.';

CREATE FUNCTION leadguard.mapped_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_mapped_support';
COMMENT ON FUNCTION leadguard.mapped_support(internal) IS 'Planner support of leadguard.mapped: plans have true in its place.';

CREATE FUNCTION leadguard.visible_owner_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_owner_support';
COMMENT ON FUNCTION leadguard.visible_owner_support(internal) IS 'Planner support of leadguard.visible_owner: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_owner(target regclass, owner "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_owner_support
AS 'MODULE_PATHNAME', 'leadguard_visible_owner';
COMMENT ON FUNCTION leadguard.visible_owner(regclass, "any") IS
'Policy, in plans: own and manager: the owner is the asking member or somebody below him.';

CREATE FUNCTION leadguard.visible_territory_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_territory_support';
COMMENT ON FUNCTION leadguard.visible_territory_support(internal) IS 'Planner support of leadguard.visible_territory: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_territory(target regclass, territory "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_territory_support
AS 'MODULE_PATHNAME', 'leadguard_visible_territory';
COMMENT ON FUNCTION leadguard.visible_territory(regclass, "any") IS
'Policy, in plans: territory, territory_ancestor and territory_manager: the territory is one that the asking member or somebody below him reaches.';

CREATE FUNCTION leadguard.visible_record_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_record_support';
COMMENT ON FUNCTION leadguard.visible_record_support(internal) IS 'Planner support of leadguard.visible_record: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_record(target regclass, id "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_record_support
AS 'MODULE_PATHNAME', 'leadguard_visible_record';
COMMENT ON FUNCTION leadguard.visible_record(regclass, "any") IS
'Policy, in plans: record_team, record_team_manager and share: the record was granted to the asking member or to somebody below him.';

CREATE FUNCTION leadguard.visible_admin_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_admin_support';
COMMENT ON FUNCTION leadguard.visible_admin_support(internal) IS 'Planner support of leadguard.visible_admin: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_admin(target regclass, id "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_admin_support
AS 'MODULE_PATHNAME', 'leadguard_visible_admin';
COMMENT ON FUNCTION leadguard.visible_admin(regclass, "any") IS
'Policy, in plans: admin: the asking member sees every row of the table, or of his organization in it.';

CREATE FUNCTION leadguard.visible_organization_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_organization_support';
COMMENT ON FUNCTION leadguard.visible_organization_support(internal) IS 'Planner support of leadguard.visible_organization: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_organization(target regclass, organization "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_organization_support
AS 'MODULE_PATHNAME', 'leadguard_visible_organization';
COMMENT ON FUNCTION leadguard.visible_organization(regclass, "any") IS
'Policy, in plans: not a path, but a condition beside them: the row belongs to the asking member''s organization.';

CREATE FUNCTION leadguard.visible_owners(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_owners';
COMMENT ON FUNCTION leadguard.visible_owners(regclass, anyelement) IS
'Policy, in plans: the members that leadguard.visible_owner lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_territories(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_territories';
COMMENT ON FUNCTION leadguard.visible_territories(regclass, anyelement) IS
'Policy, in plans: the territories that leadguard.visible_territory lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_records(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_records';
COMMENT ON FUNCTION leadguard.visible_records(regclass, anyelement) IS
'Policy, in plans: the records that leadguard.visible_record lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_organizations(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_organizations';
COMMENT ON FUNCTION leadguard.visible_organizations(regclass, anyelement) IS
'Policy, in plans: the organization that leadguard.visible_organization lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_from(target regclass, kind anyelement)
RETURNS anyelement LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_from';
COMMENT ON FUNCTION leadguard.visible_from(regclass, anyelement) IS
'Policy, in plans: the lowest id there can be if the asking member sees every row, else NULL; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_all_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_all_support';
COMMENT ON FUNCTION leadguard.visible_all_support(internal) IS 'Planner support of leadguard.visible_all: selectivity, cost.';
CREATE FUNCTION leadguard.visible_all(target regclass)
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_all_support
AS 'MODULE_PATHNAME', 'leadguard_visible_all';
COMMENT ON FUNCTION leadguard.visible_all(regclass) IS
'Policy, in plans made for members who see every row of the table: lets them pass. False for those who see nothing of it; 40001 for anybody else, whose plan this is not: his access changed while the query was being planned.';

CREATE FUNCTION leadguard.cache()
RETURNS TABLE (members bigint, bytes bigint, bytes_limit bigint, hits bigint, misses bigint, evicted bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'cache_wrapper';
COMMENT ON FUNCTION leadguard.cache() IS
'What this session keeps of what members reach: how many members, their memory and its limit (leadguard.cache_size), and how often a member was found, had to be loaded, or made room. Anyone may call it.';

CREATE FUNCTION leadguard.search(target anyelement, "column" text, operator text, value text)
RETURNS SETOF anyelement LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 100
AS 'MODULE_PATHNAME', 'leadguard_search';
COMMENT ON FUNCTION leadguard.search(anyelement, text, text, text) IS
'The rows of a protected table that the caller sees and where column operator value holds, as in search(NULL::crm.lead, ''company'', ''~~*'', ''%acme%''). For members who see every row, operators that are not leakproof (~~, @@, ->) can use their index here, which they cannot under row security. Anyone may call it, with his own rights; 22023 for an argument that is not a protected table''s row, 42703 for an unknown column.';

CREATE FUNCTION leadguard.forget_plans()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_forget_plans';
COMMENT ON FUNCTION leadguard.forget_plans() IS
'Trigger: has every backend plan queries of protected tables anew once the transaction is committed.';
-- Writers of these tables finish first: in the order in which registering a member locks them.
CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.role_binding
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.role_binding
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.member_role
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.member_role
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.role
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();
CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.role
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();
ALTER TABLE leadguard.role_binding ENABLE ALWAYS TRIGGER directory_60_plans;
ALTER TABLE leadguard.role_binding ENABLE ALWAYS TRIGGER directory_61_plans;
ALTER TABLE leadguard.member_role ENABLE ALWAYS TRIGGER directory_60_plans;
ALTER TABLE leadguard.member_role ENABLE ALWAYS TRIGGER directory_61_plans;
ALTER TABLE leadguard.role ENABLE ALWAYS TRIGGER directory_60_plans;
ALTER TABLE leadguard.role ENABLE ALWAYS TRIGGER directory_61_plans;

-- What is registered gets a revision of its own.
ALTER TABLE leadguard.hierarchy_revision DROP CONSTRAINT hierarchy_revision_hierarchy_check;
ALTER TABLE leadguard.hierarchy_revision ADD CONSTRAINT hierarchy_revision_hierarchy_check CHECK (hierarchy IN ('member', 'territory', 'registration'));
INSERT INTO leadguard.hierarchy_revision VALUES ('registration', 1);
COMMENT ON TABLE leadguard.hierarchy_revision IS
'One row per hierarchy, and one for what is registered. Every writer of a hierarchy locks its row first, which serialises them at every isolation level, and raises it when access changed; a change of login roles or protected tables raises the third.';
-- Only what changes rows raises it: every change of a
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
'Trigger AFTER STATEMENT of role_binding and protected_table: raises the revision of what is registered when a row changed.';
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['role_binding', 'protected_table'] LOOP
        EXECUTE format('CREATE TRIGGER directory_55_insert AFTER INSERT ON leadguard.%I REFERENCING NEW TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_registration()', t);
        EXECUTE format('CREATE TRIGGER directory_55_update AFTER UPDATE ON leadguard.%I REFERENCING NEW TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_registration()', t);
        EXECUTE format('CREATE TRIGGER directory_55_delete AFTER DELETE ON leadguard.%I REFERENCING OLD TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_registration()', t);
        EXECUTE format('CREATE TRIGGER directory_55_truncate AFTER TRUNCATE ON leadguard.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision(''registration'')', t);
    EXECUTE format('ALTER TABLE leadguard.%1$I ENABLE ALWAYS TRIGGER directory_55_insert, ENABLE ALWAYS TRIGGER directory_55_update, '
                       'ENABLE ALWAYS TRIGGER directory_55_delete, ENABLE ALWAYS TRIGGER directory_55_truncate', t);
    END LOOP;
END
$$;

-- Rights on what is new; every function of this script is in one of the two lists. It belongs to the owner of the
-- extension, whoever runs the update; everything is taken away from PUBLIC and from whomever his default privileges
-- favoured; then the list follows. What was there before is left alone: a GRANT here would make what administrators
-- granted a part of the extension, which pg_dump leaves out.
DO $$
DECLARE
    for_anyone regprocedure[] := ARRAY[
        'leadguard.visible_owner(regclass, "any")', 'leadguard.visible_owners(regclass, anyelement)',
        'leadguard.visible_territory(regclass, "any")', 'leadguard.visible_territories(regclass, anyelement)',
        'leadguard.visible_record(regclass, "any")', 'leadguard.visible_records(regclass, anyelement)',
        'leadguard.visible_organization(regclass, "any")', 'leadguard.visible_organizations(regclass, anyelement)',
        'leadguard.visible_admin(regclass, "any")', 'leadguard.visible_from(regclass, anyelement)', 'leadguard.visible_all(regclass)',
        'leadguard.cache()', 'leadguard.search(anyelement, text, text, text)'];
    for_the_owner regprocedure[] := ARRAY[
        'leadguard.visible_support(internal)', 'leadguard.still_visible_support(internal)', 'leadguard.mapped_support(internal)',
        'leadguard.visible_owner_support(internal)', 'leadguard.visible_territory_support(internal)',
        'leadguard.visible_record_support(internal)', 'leadguard.visible_organization_support(internal)',
        'leadguard.visible_admin_support(internal)', 'leadguard.visible_all_support(internal)',
        'leadguard.forget_plans()', 'leadguard.bump_registration()'];
    owner regrole := (SELECT e.extowner FROM pg_catalog.pg_extension e WHERE e.extname = 'leadguard');
    item record;
BEGIN
    FOR item IN SELECT f FROM unnest(for_anyone || for_the_owner) AS f LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %s', item.f, owner);
    END LOOP;
    FOR item IN
        SELECT p.oid::regprocedure AS f, a.grantee
        FROM pg_catalog.pg_proc p, LATERAL pg_catalog.aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.oid = ANY (for_anyone || for_the_owner) AND a.grantee <> p.proowner
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', item.f,
                       CASE WHEN item.grantee = 0 THEN 'PUBLIC' ELSE item.grantee::regrole::text END);
    END LOOP;
    FOR item IN SELECT f FROM unnest(for_anyone) AS f LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', item.f);
    END LOOP;
END
$$;

-- Replaced, not created: policies stand on it, and it is a member of the extension.
CREATE OR REPLACE FUNCTION leadguard.mapped(anyelement)
RETURNS boolean LANGUAGE c IMMUTABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.mapped_support
AS 'MODULE_PATHNAME', 'leadguard_mapped';
COMMENT ON FUNCTION leadguard.mapped(anyelement) IS
'Always true, at no cost: plans do not hold it. The permissive policy names the mapped columns through it, so that it falls together with the extension or with a mapped column and never leaves a table open.';

ALTER FUNCTION leadguard.visible(regclass, "any", "any", "any", "any") PARALLEL SAFE SUPPORT leadguard.visible_support;
ALTER FUNCTION leadguard.still_visible(regclass, "any", "any", "any", "any") SUPPORT leadguard.still_visible_support;
