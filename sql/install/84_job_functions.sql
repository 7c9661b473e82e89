-- Who manages members, and job functions: the role that goes with what somebody is.

ALTER TABLE leadguard.job_function ALTER COLUMN org_id SET DEFAULT coalesce(leadguard.current_organization(), 1);

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
        RAISE EXCEPTION 'there is no member %', quote_nullable(member)
            USING ERRCODE = '22023', HINT = 'Members are named by their keys; leadguard.member lists those of your organization.';
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
        RAISE EXCEPTION 'there is no member % in your organization', new.member_id
            USING ERRCODE = '23503', HINT = 'leadguard.member lists the members with their ids.';
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
    IF leadguard.is_restore() THEN
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
