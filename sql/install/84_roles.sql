-- Roles that are given and taken: who hears of it, and how many administrators there are.

-- Who is told about roles, and what the audit says. What a restore brings happened long ago.
CREATE FUNCTION leadguard.tell_of_roles(kind text, members bigint[], roles text[])
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_crowd boolean := coalesce(cardinality(members), 0) > 1000;
    item record;
BEGIN
    FOR item IN
        SELECT m.org_id, count(*) AS members
        FROM unnest(members) u (id) JOIN leadguard.member m ON m.id = u.id WHERE is_crowd GROUP BY 1
    LOOP
        PERFORM leadguard.note_event(kind, item.org_id, NULL, NULL, NULL, format('%s roles', item.members));
    END LOOP;
    -- Of many, those that a review asks for by name.
    FOR item IN
        SELECT m.id, m.key, m.org_id, u.role, a.administers
        FROM unnest(members, roles) u (id, role) JOIN leadguard.member m ON m.id = u.id
        CROSS JOIN LATERAL (SELECT EXISTS (
            SELECT FROM leadguard.role r
            WHERE r.name = u.role AND (r.org_id IS NULL OR r.org_id = m.org_id) AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)) AS administers) a
        WHERE NOT is_crowd OR a.administers
        ORDER BY m.id, u.role
    LOOP
        PERFORM leadguard.note_event(kind, item.org_id, NULL, NULL, NULL, format('member %s, role %s', item.key, item.role));
        -- The role may be an ordinary one, or gone, by the time of the review.
        IF item.administers AND kind = 'role_given' THEN
            PERFORM leadguard.note_event('admin_made', item.org_id, NULL, NULL, NULL, format('member %s, role %s', item.key, item.role));
        END IF;
        PERFORM leadguard.tell(item.id, kind, NULL, NULL, jsonb_build_object('role', item.role));
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.tell_of_roles(text, bigint[], text[]) IS
'Internal: tells members of roles given or taken, and writes the audit; of more than 1,000 at once how many, and the administrative ones. Whom it makes an administrator is also there as admin_made.';

CREATE FUNCTION leadguard.follow_roles()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF leadguard.is_restore() THEN
        RETURN NULL;
    END IF;
    -- Each operation has its own transition tables; an UPDATE may take a role from one member and give it to another.
    IF TG_OP = 'DELETE' THEN
        PERFORM leadguard.tell_of_roles('role_taken', array_agg(o.member_id), array_agg(o.role)) FROM old_rows o;
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        PERFORM leadguard.tell_of_roles('role_taken', array_agg(g.member_id), array_agg(g.role))
        FROM (SELECT o.member_id, o.role FROM old_rows o EXCEPT SELECT n.member_id, n.role FROM new_rows n) g;
        PERFORM leadguard.tell_of_roles('role_given', array_agg(g.member_id), array_agg(g.role))
        FROM (SELECT n.member_id, n.role FROM new_rows n EXCEPT SELECT o.member_id, o.role FROM old_rows o) g;
    ELSE
        PERFORM leadguard.tell_of_roles('role_given', array_agg(n.member_id), array_agg(n.role)) FROM new_rows n;
    END IF;
    PERFORM leadguard.count_admins(c.org_id) FROM (
        SELECT DISTINCT m.org_id FROM new_rows n JOIN leadguard.member m ON m.id = n.member_id
        JOIN leadguard.role r ON r.id = n.role_id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)) c;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_roles() IS
'Trigger AFTER STATEMENT of member_role: tells the members concerned, writes the audit, and looks at the number of administrators (organization.third_admin: a warning, or 23514).';

CREATE FUNCTION leadguard.administrators(org bigint)
RETURNS TABLE (id bigint, key text, role text, place bigint)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- First the first holder of each role, because a role must not lose its last one.
    SELECT h.id, h.key, h.role, dense_rank() OVER (ORDER BY h.first, h.id)
    FROM (SELECT n.id, n.key, n.role, min(n.number) OVER (PARTITION BY n.id) AS first
          FROM (SELECT m.id, m.key, mr.role, row_number() OVER (PARTITION BY mr.role ORDER BY m.id) AS number
                FROM leadguard.member m
                JOIN leadguard.member_role mr ON mr.member_id = m.id
                JOIN leadguard.role r ON r.id = mr.role_id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)
                WHERE m.org_id = $1 AND m.active) n) h
$$;
COMMENT ON FUNCTION leadguard.administrators(bigint) IS
'Internal: active members with a role of rank 90 or more and the capability administer, in the order in which they had better keep it.';

CREATE FUNCTION leadguard.count_admins(organization bigint)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    admins bigint;
    setting record;
BEGIN
    SELECT o.key, o.third_admin INTO setting FROM leadguard.organization o WHERE o.id = count_admins.organization;
    SELECT count(DISTINCT a.id) INTO admins FROM leadguard.administrators(count_admins.organization) a;
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
    IF leadguard.is_restore() THEN
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
        -- Nobody gave them the role, so that no other row names them; also those who are inactive, who may come back.
        PERFORM leadguard.note_event('admin_made', m.org_id, NULL, NULL, NULL, format('member %s, role %s', m.key, new.name))
        FROM leadguard.member_role mr JOIN leadguard.member m ON m.id = mr.member_id
        WHERE mr.role_id = new.id
        ORDER BY m.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_admins() IS
'Trigger AFTER ROW of member and role: looks at the number of administrators when a member becomes active or comes, or a role becomes that of one (organization.third_admin: a warning, or 23514); then writes into the audit who holds it (action admin_made).';
CREATE TRIGGER directory_80_admins AFTER UPDATE OF active, org_id ON leadguard.member
    FOR EACH ROW WHEN (new.active AND (NOT old.active OR new.org_id <> old.org_id)) EXECUTE FUNCTION leadguard.follow_admins();
CREATE TRIGGER directory_80_admins AFTER UPDATE OF rank, capabilities ON leadguard.role
    FOR EACH ROW WHEN (new.rank >= 90 AND 'administer' = ANY (new.capabilities)
                       AND NOT (old.rank >= 90 AND 'administer' = ANY (old.capabilities))) EXECUTE FUNCTION leadguard.follow_admins();

CREATE TRIGGER directory_80_insert AFTER INSERT ON leadguard.member_role REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_roles();
CREATE TRIGGER directory_80_delete AFTER DELETE ON leadguard.member_role REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_roles();
CREATE TRIGGER directory_80_update AFTER UPDATE ON leadguard.member_role REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_roles();
