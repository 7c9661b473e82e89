-- Who changed the directory: what access follows from is in the audit like the records, one row for each statement.

-- A trusted connector works for the members of every organization, whose auditors read of it.
CREATE FUNCTION leadguard.login_in_words(db_role name, mode text, member_id bigint, verb text)
RETURNS TABLE (org_id bigint, what text) LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.org_id, format('login role %s: %s%s of member %s', $1, $4, $2, m.key) FROM leadguard.member m WHERE m.id = $3
    UNION ALL
    SELECT o.id, format('login role %s: %s%s', $1, $4, $2) FROM leadguard.organization o WHERE $3 IS NULL AND o.archived_at IS NULL
$$;
COMMENT ON FUNCTION leadguard.login_in_words(name, text, bigint, text) IS
'Internal: what the audit says of a registered login role, and to which organizations.';

CREATE FUNCTION leadguard.note_directory()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    many CONSTANT integer := 1000;
    kind CONSTANT text := CASE TG_TABLE_NAME WHEN 'member_role' THEN 'role_taken' ELSE 'directory' END;
    changed bigint;
    organizations bigint[];
    said text[];
BEGIN
    -- What a restore brings was done long ago.
    IF leadguard.is_restore() THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM leadguard.note_event(kind, NULL, NULL, NULL, NULL, format('all rows of %s removed', TG_TABLE_NAME));
        RETURN NULL;
    END IF;
    -- Of a load, how many: a plan that joins few rows would be kept for many.
    IF TG_OP = 'DELETE' THEN
        SELECT count(*) INTO changed FROM old_rows;
    ELSE
        SELECT count(*) INTO changed FROM new_rows;
    END IF;
    IF changed > many THEN
        PERFORM leadguard.note_event(kind, leadguard.current_organization(), NULL, NULL, NULL,
                                     format('%s of %s rows of %s', lower(TG_OP), changed, TG_TABLE_NAME));
        RETURN NULL;
    END IF;
    -- By keys and names. An e-mail is personal, and what it decides (guest or not) shows without it.
    CASE TG_TABLE_NAME || ' ' || TG_OP
    WHEN 'member INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('member %s: ', n.key) || concat_ws(', ',
            CASE n.kind WHEN 'person' THEN 'new' ELSE 'new ' || n.kind END,
            CASE WHEN NOT n.active THEN 'inactive' END,
            'manager ' || b.key,
            'login role ' || n.db_role))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN leadguard.member b ON b.id = n.manager_id;
    WHEN 'member UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('member %s: ', n.key) || concat_ws(', ',
            CASE WHEN o.id IS NULL THEN 'another id' END,
            CASE WHEN n.key <> o.key THEN format('key %s -> %s', o.key, n.key) END,
            CASE WHEN n.manager_id IS DISTINCT FROM o.manager_id THEN format('manager %s -> %s', coalesce(a.key, 'nobody'), coalesce(b.key, 'nobody')) END,
            CASE WHEN n.active <> o.active THEN CASE WHEN n.active THEN 'active' ELSE 'inactive' END END,
            CASE WHEN n.kind <> o.kind THEN format('kind %s -> %s', o.kind, n.kind) END,
            CASE WHEN n.email IS DISTINCT FROM o.email THEN 'e-mail changed' END,
            CASE WHEN n.db_role IS DISTINCT FROM o.db_role THEN format('login role %s -> %s', coalesce(o.db_role, 'none'), coalesce(n.db_role, 'none')) END,
            CASE WHEN n.org_id <> o.org_id THEN 'comes from another organization' END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        LEFT JOIN leadguard.member a ON a.id = o.manager_id
        LEFT JOIN leadguard.member b ON b.id = n.manager_id
        WHERE (n.id, n.key, n.manager_id, n.active, n.kind, n.email, n.db_role, n.org_id)
            IS DISTINCT FROM (o.id, o.key, o.manager_id, o.active, o.kind, o.email, o.db_role, o.org_id);
    WHEN 'member DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('member %s: removed', o.key)) INTO organizations, said FROM old_rows o;
    WHEN 'role INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('role %s: ', n.name) || concat_ws(', ',
            'new', format('capabilities %s', n.capabilities), format('rank %s', n.rank), 'level at most ' || n.level_cap))
        INTO organizations, said FROM new_rows n;
    WHEN 'role UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('role %s: ', n.name) || concat_ws(', ',
            CASE WHEN o.id IS NULL THEN 'another id' END,
            CASE WHEN n.name <> o.name THEN format('name %s -> %s', o.name, n.name) END,
            CASE WHEN n.capabilities <> o.capabilities THEN format('capabilities %s -> %s', o.capabilities, n.capabilities) END,
            CASE WHEN n.rank <> o.rank THEN format('rank %s -> %s', o.rank, n.rank) END,
            CASE WHEN n.level_cap IS DISTINCT FROM o.level_cap THEN format('level at most %s -> %s', coalesce(o.level_cap, 'any'), coalesce(n.level_cap, 'any')) END,
            CASE WHEN n.preset IS DISTINCT FROM o.preset THEN format('preset %s -> %s', coalesce(o.preset, 'none'), coalesce(n.preset, 'none')) END,
            CASE WHEN n.org_id IS DISTINCT FROM o.org_id THEN 'comes from another organization' END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        WHERE (n.id, n.name, n.capabilities, n.rank, n.level_cap, n.preset, n.org_id)
            IS DISTINCT FROM (o.id, o.name, o.capabilities, o.rank, o.level_cap, o.preset, o.org_id);
    WHEN 'role DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('role %s: removed', o.name)) INTO organizations, said FROM old_rows o;
    WHEN 'territory INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('territory %s: ', n.key) || concat_ws(', ', 'new', 'below ' || q.key, 'owner ' || b.key))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN leadguard.territory q ON q.id = n.parent_id
        LEFT JOIN leadguard.member b ON b.id = n.owner_id;
    WHEN 'territory UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('territory %s: ', n.key) || concat_ws(', ',
            CASE WHEN o.id IS NULL THEN 'another id' END,
            CASE WHEN n.key <> o.key THEN format('key %s -> %s', o.key, n.key) END,
            CASE WHEN n.parent_id IS DISTINCT FROM o.parent_id THEN format('below %s -> %s', coalesce(p.key, 'nothing'), coalesce(q.key, 'nothing')) END,
            CASE WHEN n.owner_id IS DISTINCT FROM o.owner_id THEN format('owner %s -> %s', coalesce(a.key, 'nobody'), coalesce(b.key, 'nobody')) END,
            CASE WHEN n.org_id <> o.org_id THEN 'comes from another organization' END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        LEFT JOIN leadguard.territory p ON p.id = o.parent_id
        LEFT JOIN leadguard.territory q ON q.id = n.parent_id
        LEFT JOIN leadguard.member a ON a.id = o.owner_id
        LEFT JOIN leadguard.member b ON b.id = n.owner_id
        WHERE (n.id, n.key, n.parent_id, n.owner_id, n.org_id) IS DISTINCT FROM (o.id, o.key, o.parent_id, o.owner_id, o.org_id);
    WHEN 'territory DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('territory %s: removed', o.key)) INTO organizations, said FROM old_rows o;
    WHEN 'territory_member INSERT' THEN
        SELECT array_agg(t.org_id), array_agg(format('territory %s: member %s', t.key, m.key)) INTO organizations, said
        FROM new_rows n JOIN leadguard.territory t ON t.id = n.territory_id JOIN leadguard.member m ON m.id = n.member_id;
    WHEN 'territory_member UPDATE' THEN
        SELECT array_agg(t.org_id), array_agg(format('territory %s: %s %s', t.key, c.verb, m.key)) INTO organizations, said
        FROM ((SELECT 'no longer member' AS verb, o.territory_id, o.member_id FROM old_rows o
               EXCEPT SELECT 'no longer member', n.territory_id, n.member_id FROM new_rows n)
              UNION ALL
              (SELECT 'member', n.territory_id, n.member_id FROM new_rows n
               EXCEPT SELECT 'member', o.territory_id, o.member_id FROM old_rows o)) c
        JOIN leadguard.territory t ON t.id = c.territory_id JOIN leadguard.member m ON m.id = c.member_id;
    WHEN 'territory_member DELETE' THEN
        SELECT array_agg(t.org_id), array_agg(format('territory %s: no longer member %s', t.key, m.key)) INTO organizations, said
        FROM old_rows o JOIN leadguard.territory t ON t.id = o.territory_id JOIN leadguard.member m ON m.id = o.member_id;
    WHEN 'team INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('team %s: new, access %s', n.key, n.access)) INTO organizations, said FROM new_rows n;
    WHEN 'team UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('team %s: ', n.key) || concat_ws(', ',
            CASE WHEN o.id IS NULL THEN 'another id' END,
            CASE WHEN n.key <> o.key THEN format('key %s -> %s', o.key, n.key) END,
            CASE WHEN n.access <> o.access THEN format('access %s -> %s', o.access, n.access) END,
            CASE WHEN n.org_id <> o.org_id THEN 'comes from another organization' END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        WHERE (n.id, n.key, n.access, n.org_id) IS DISTINCT FROM (o.id, o.key, o.access, o.org_id);
    WHEN 'team DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('team %s: removed', o.key)) INTO organizations, said FROM old_rows o;
    WHEN 'team_member INSERT' THEN
        SELECT array_agg(t.org_id), array_agg(format('team %s: %s %s', t.key, n.role, m.key)) INTO organizations, said
        FROM new_rows n JOIN leadguard.team t ON t.id = n.team_id JOIN leadguard.member m ON m.id = n.member_id;
    WHEN 'team_member UPDATE' THEN
        SELECT array_agg(t.org_id), array_agg(format('team %s: %s %s', t.key, c.verb, m.key)) INTO organizations, said
        FROM ((SELECT 'no longer ' || o.role AS verb, o.team_id, o.member_id FROM old_rows o
               EXCEPT SELECT 'no longer ' || n.role, n.team_id, n.member_id FROM new_rows n)
              UNION ALL
              (SELECT n.role, n.team_id, n.member_id FROM new_rows n EXCEPT SELECT o.role, o.team_id, o.member_id FROM old_rows o)) c
        JOIN leadguard.team t ON t.id = c.team_id JOIN leadguard.member m ON m.id = c.member_id;
    WHEN 'team_member DELETE' THEN
        SELECT array_agg(t.org_id), array_agg(format('team %s: no longer %s %s', t.key, o.role, m.key)) INTO organizations, said
        FROM old_rows o JOIN leadguard.team t ON t.id = o.team_id JOIN leadguard.member m ON m.id = o.member_id;
    WHEN 'member_scope INSERT' THEN
        SELECT array_agg(m.org_id), array_agg(format('member %s: scope %s %s of %s', m.key, n.kind, n.value, n.target)) INTO organizations, said
        FROM new_rows n JOIN leadguard.member m ON m.id = n.member_id;
    WHEN 'member_scope UPDATE' THEN
        SELECT array_agg(m.org_id), array_agg(format('member %s: %s %s %s of %s', m.key, c.verb, c.kind, c.value, c.target)) INTO organizations, said
        FROM ((SELECT 'no longer scope' AS verb, o.member_id, o.target, o.kind, o.value FROM old_rows o
               EXCEPT SELECT 'no longer scope', n.member_id, n.target, n.kind, n.value FROM new_rows n)
              UNION ALL
              (SELECT 'scope', n.member_id, n.target, n.kind, n.value FROM new_rows n
               EXCEPT SELECT 'scope', o.member_id, o.target, o.kind, o.value FROM old_rows o)) c
        JOIN leadguard.member m ON m.id = c.member_id;
    WHEN 'member_scope DELETE' THEN
        SELECT array_agg(m.org_id), array_agg(format('member %s: no longer scope %s %s of %s', m.key, o.kind, o.value, o.target)) INTO organizations, said
        FROM old_rows o JOIN leadguard.member m ON m.id = o.member_id;
    WHEN 'organization UPDATE' THEN
        SELECT array_agg(n.id), array_agg(format('organization %s: ', n.key) || concat_ws(', ',
            CASE WHEN n.key <> o.key THEN format('key %s -> %s', o.key, n.key) END,
            CASE WHEN n.organization_view <> o.organization_view THEN format('organization_view %s', CASE WHEN n.organization_view THEN 'on' ELSE 'off' END) END,
            CASE WHEN n.domain_roles <> o.domain_roles THEN format('domain_roles %s -> %s', o.domain_roles, n.domain_roles) END,
            CASE WHEN n.third_admin <> o.third_admin THEN format('third_admin %s -> %s', o.third_admin, n.third_admin) END,
            CASE WHEN (n.archived_at IS NULL) <> (o.archived_at IS NULL) THEN CASE WHEN n.archived_at IS NULL THEN 'not archived' ELSE 'archived' END END,
            CASE WHEN n.merged_into IS DISTINCT FROM o.merged_into THEN 'merged into ' || coalesce(i.key, 'nothing') END))
        INTO organizations, said
        FROM new_rows n
        LEFT JOIN old_rows o ON o.id = n.id
        LEFT JOIN leadguard.organization i ON i.id = n.merged_into
        WHERE (n.id, n.key, n.organization_view, n.domain_roles, n.third_admin, n.archived_at IS NULL, n.merged_into)
            IS DISTINCT FROM (o.id, o.key, o.organization_view, o.domain_roles, o.third_admin, o.archived_at IS NULL, o.merged_into);
    WHEN 'domain_rule INSERT' THEN
        SELECT array_agg(n.org_id), array_agg(format('e-mail domain %s: %s, role %s', n.domain, n.kind, n.role)) INTO organizations, said FROM new_rows n;
    WHEN 'domain_rule UPDATE' THEN
        SELECT array_agg(c.org_id), array_agg(format('e-mail domain %s: %s%s, role %s', c.domain, c.verb, c.kind, c.role)) INTO organizations, said
        FROM ((SELECT 'no longer ' AS verb, o.org_id, o.domain, o.kind, o.role FROM old_rows o
               EXCEPT SELECT 'no longer ', n.org_id, n.domain, n.kind, n.role FROM new_rows n)
              UNION ALL
              (SELECT '', n.org_id, n.domain, n.kind, n.role FROM new_rows n EXCEPT SELECT '', o.org_id, o.domain, o.kind, o.role FROM old_rows o)) c;
    WHEN 'domain_rule DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('e-mail domain %s: no longer %s, role %s', o.domain, o.kind, o.role)) INTO organizations, said FROM old_rows o;
    WHEN 'login_role INSERT' THEN
        SELECT array_agg(w.org_id), array_agg(w.what) INTO organizations, said
        FROM new_rows n CROSS JOIN LATERAL leadguard.login_in_words(n.db_role, n.mode, n.member_id, '') w;
    WHEN 'login_role UPDATE' THEN
        SELECT array_agg(w.org_id), array_agg(w.what) INTO organizations, said
        FROM ((SELECT 'no longer ' AS verb, o.db_role, o.mode, o.member_id FROM old_rows o
               EXCEPT SELECT 'no longer ', n.db_role, n.mode, n.member_id FROM new_rows n)
              UNION ALL
              (SELECT '', n.db_role, n.mode, n.member_id FROM new_rows n EXCEPT SELECT '', o.db_role, o.mode, o.member_id FROM old_rows o)) c
        CROSS JOIN LATERAL leadguard.login_in_words(c.db_role, c.mode, c.member_id, c.verb) w;
    WHEN 'login_role DELETE' THEN
        SELECT array_agg(w.org_id), array_agg(w.what) INTO organizations, said
        FROM old_rows o CROSS JOIN LATERAL leadguard.login_in_words(o.db_role, o.mode, o.member_id, 'no longer ') w;
    END CASE;
    PERFORM leadguard.note_event(kind, w.org_id, NULL, NULL, NULL,
                string_agg(w.what, '; ' ORDER BY w.what))
    FROM unnest(organizations, said) AS w (org_id, what)
    GROUP BY w.org_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.note_directory() IS
'Trigger AFTER STATEMENT of the directory, rules about e-mail domains and registered login roles: writes what access follows from into the audit (action directory), by keys and names, one row for each statement and organization; of more than 1000 rows only how many. Rows of member_role are written by follow_roles.';

DO $$
DECLARE
    t text;
    operation text;
BEGIN
    FOR t, operation IN
        SELECT u.t, o.operation
        FROM unnest(ARRAY['member', 'role', 'territory', 'territory_member', 'team', 'team_member', 'member_scope', 'domain_rule', 'login_role']) u (t)
        CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) o (operation)
        UNION ALL VALUES ('member_role', 'TRUNCATE'), ('organization', 'UPDATE')
    LOOP
        EXECUTE format('CREATE TRIGGER directory_85_audit_%s AFTER %s ON leadguard.%I %s FOR EACH STATEMENT EXECUTE FUNCTION leadguard.note_directory()',
            lower(operation), operation, t,
            CASE operation WHEN 'INSERT' THEN 'REFERENCING NEW TABLE AS new_rows' WHEN 'DELETE' THEN 'REFERENCING OLD TABLE AS old_rows'
                           WHEN 'UPDATE' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows' ELSE '' END);
    END LOOP;
END
$$;
