-- Organizations: their settings, their end, their mergers; and what belongs to a member alone.

ALTER TABLE leadguard.member_setting ALTER COLUMN member_id SET DEFAULT leadguard.current_member();

-- The shipped organization is in every database; a dump carries what was set in it, which goes into the row there is.
CREATE FUNCTION leadguard.restore_default_organization()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE leadguard.organization o
    SET name = new.name, organization_view = new.organization_view, archived_at = new.archived_at, merged_into = new.merged_into,
        domain_roles = new.domain_roles, third_admin = new.third_admin
    WHERE o.id = new.id AND o.key = new.key;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.restore_default_organization() IS
'Trigger BEFORE ROW of organization: what a restore brings for the shipped row replaces its settings.';
CREATE TRIGGER directory_05_default BEFORE INSERT ON leadguard.organization
    FOR EACH ROW WHEN (new.id = 1) EXECUTE FUNCTION leadguard.restore_default_organization();

-- A key that rows of a protected table hold must keep meaning the same organization.
CREATE FUNCTION leadguard.keep_organization_key()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mapping regclass;
BEGIN
    SELECT p.target INTO mapping
    FROM leadguard.protected_table p
    JOIN pg_attribute a ON a.attrelid = p.target AND a.attname = p.organization_column AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE coalesce(nullif(t.typbasetype, 0), t.oid) NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
    LIMIT 1;
    IF mapping IS NOT NULL THEN
        RAISE EXCEPTION 'the key of organization "%" cannot change', old.key
            USING ERRCODE = '42501', DETAIL = format('The protected table %s maps organizations by key.', mapping),
                  HINT = 'Change the name of the organization instead.';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.keep_organization_key() IS
'Trigger BEFORE ROW of organization: 42501 for a change of a key while a protected table maps organizations by key.';
CREATE TRIGGER directory_40_key BEFORE UPDATE ON leadguard.organization
    FOR EACH ROW WHEN (new.key <> old.key) EXECUTE FUNCTION leadguard.keep_organization_key();

CREATE FUNCTION leadguard.delete_organization(key text, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'delete_organization_wrapper';
COMMENT ON FUNCTION leadguard.delete_organization(text, text) IS
'Deletes an organization: archives it, with the reason in the audit; no row goes, and its members reach nothing any more. For its members with the capability own_organization and superusers (42501). 23503 with counts while it has other active members or unarchived records; 22023 without a reason.';

CREATE FUNCTION leadguard.merge_organization(source_key text, into_key text, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'merge_organization_wrapper';
COMMENT ON FUNCTION leadguard.merge_organization(text, text, text) IS
'Moves everything of one organization into another: members, territories, teams, roles, rules about e-mail domains (those that the other one allows and has none for; not that for all others), protected tables and the records of shared ones, each of which is audited; approvals, templates of batches, imports, assignment, changes of schemas, reviews and findings, tombstones and proofs of erasure; grants stay, the hierarchies stand side by side, and the source is archived. Superuser and extension owner only (42501). What the audit wrote before stays with the source, for superusers. 23505 with the list where keys of territories or teams or names of roles or batch templates clash; 22023: unknown or archived organizations, or no reason.';

-- A replication role or session_replication_role must not leave the closures behind.
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT t.tgrelid::regclass AS relation, t.tgname FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'leadguard'::regnamespace AND NOT t.tgisinternal AND c.relkind <> 'v'
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', item.relation, item.tgname);
    END LOOP;
END
$$;
