-- Who changed the directory: what access follows from is in the audit like the records, one row for each statement.

CREATE FUNCTION leadguard.note_directory()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT integer := 50;
    many CONSTANT integer := 1000;
    changed bigint;
    organizations bigint[];
    said text[];
BEGIN
    -- What a restore brings was done long ago.
    IF current_setting('row_security') <> 'on' THEN
        RETURN NULL;
    END IF;
    -- Of a load, how many: a plan that joins few rows would be kept for many.
    IF TG_OP = 'DELETE' THEN
        SELECT count(*) INTO changed FROM old_rows;
    ELSE
        SELECT count(*) INTO changed FROM new_rows;
    END IF;
    IF changed > many THEN
        PERFORM leadguard.note_event('directory', leadguard.current_organization(), NULL, NULL, NULL,
                                     format('%s of %s rows of %s', lower(TG_OP), changed, TG_TABLE_NAME));
        RETURN NULL;
    END IF;
    CASE TG_TABLE_NAME || ' ' || TG_OP
    WHEN 'member UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('member %s: ', n.key) || concat_ws(', ',
            CASE WHEN n.manager_id IS DISTINCT FROM o.manager_id THEN format('manager %s -> %s', coalesce(a.key, 'nobody'), coalesce(b.key, 'nobody')) END,
            CASE WHEN n.active <> o.active THEN CASE WHEN n.active THEN 'active' ELSE 'inactive' END END,
            CASE WHEN n.kind <> o.kind THEN format('kind %s -> %s', o.kind, n.kind) END,
            CASE WHEN n.db_role IS DISTINCT FROM o.db_role THEN format('login role %s -> %s', coalesce(o.db_role, 'none'), coalesce(n.db_role, 'none')) END,
            CASE WHEN n.org_id <> o.org_id THEN 'comes from another organization' END))
        INTO organizations, said
        FROM new_rows n
        JOIN old_rows o ON o.id = n.id
        LEFT JOIN leadguard.member a ON a.id = o.manager_id
        LEFT JOIN leadguard.member b ON b.id = n.manager_id
        WHERE (n.manager_id, n.active, n.kind, n.db_role, n.org_id) IS DISTINCT FROM (o.manager_id, o.active, o.kind, o.db_role, o.org_id);
    WHEN 'member DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('member %s: removed', o.key)) INTO organizations, said FROM old_rows o;
    WHEN 'territory UPDATE' THEN
        SELECT array_agg(n.org_id), array_agg(format('territory %s: ', n.key) || concat_ws(', ',
            CASE WHEN n.parent_id IS DISTINCT FROM o.parent_id THEN format('below %s -> %s', coalesce(p.key, 'nothing'), coalesce(q.key, 'nothing')) END,
            CASE WHEN n.owner_id IS DISTINCT FROM o.owner_id THEN format('owner %s -> %s', coalesce(a.key, 'nobody'), coalesce(b.key, 'nobody')) END))
        INTO organizations, said
        FROM new_rows n
        JOIN old_rows o ON o.id = n.id
        LEFT JOIN leadguard.territory p ON p.id = o.parent_id
        LEFT JOIN leadguard.territory q ON q.id = n.parent_id
        LEFT JOIN leadguard.member a ON a.id = o.owner_id
        LEFT JOIN leadguard.member b ON b.id = n.owner_id
        WHERE (n.parent_id, n.owner_id) IS DISTINCT FROM (o.parent_id, o.owner_id);
    WHEN 'territory DELETE' THEN
        SELECT array_agg(o.org_id), array_agg(format('territory %s: removed', o.key)) INTO organizations, said FROM old_rows o;
    WHEN 'territory_member INSERT' THEN
        SELECT array_agg(t.org_id), array_agg(format('territory %s: member %s', t.key, m.key)) INTO organizations, said
        FROM new_rows n JOIN leadguard.territory t ON t.id = n.territory_id JOIN leadguard.member m ON m.id = n.member_id;
    WHEN 'territory_member DELETE' THEN
        SELECT array_agg(t.org_id), array_agg(format('territory %s: no longer member %s', t.key, m.key)) INTO organizations, said
        FROM old_rows o JOIN leadguard.territory t ON t.id = o.territory_id JOIN leadguard.member m ON m.id = o.member_id;
    WHEN 'team_member DELETE' THEN
        SELECT array_agg(t.org_id), array_agg(format('team %s: no longer member %s', t.key, m.key)) INTO organizations, said
        FROM old_rows o JOIN leadguard.team t ON t.id = o.team_id JOIN leadguard.member m ON m.id = o.member_id;
    WHEN 'member_scope INSERT' THEN
        SELECT array_agg(m.org_id), array_agg(format('member %s: scope %s %s of %s', m.key, n.kind, n.value, n.target)) INTO organizations, said
        FROM new_rows n JOIN leadguard.member m ON m.id = n.member_id;
    WHEN 'member_scope DELETE' THEN
        SELECT array_agg(m.org_id), array_agg(format('member %s: no longer scope %s %s of %s', m.key, o.kind, o.value, o.target)) INTO organizations, said
        FROM old_rows o JOIN leadguard.member m ON m.id = o.member_id;
    END CASE;
    PERFORM leadguard.note_event('directory', w.org_id, NULL, NULL, NULL,
                string_agg(w.what, '; ' ORDER BY w.place) FILTER (WHERE w.place <= most)
                || CASE WHEN count(*) > most THEN format('; and %s more', count(*) - most) ELSE '' END)
    FROM (SELECT u.org_id, u.what, row_number() OVER (PARTITION BY u.org_id ORDER BY u.what) AS place
          FROM unnest(organizations, said) AS u (org_id, what)) w
    GROUP BY w.org_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.note_directory() IS
'Trigger AFTER STATEMENT of member, territory, territory_member, team_member and member_scope: writes what access follows from into the audit (action directory), by the keys of members and territories.';

DO $$
DECLARE
    t text;
    operation text;
BEGIN
    FOR t, operation IN VALUES ('member', 'UPDATE'), ('member', 'DELETE'), ('territory', 'UPDATE'), ('territory', 'DELETE'),
                               ('territory_member', 'INSERT'), ('territory_member', 'DELETE'), ('team_member', 'DELETE'),
                               ('member_scope', 'INSERT'), ('member_scope', 'DELETE') LOOP
        EXECUTE format('CREATE TRIGGER directory_85_audit_%s AFTER %s ON leadguard.%I REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION leadguard.note_directory()',
            lower(operation), operation, t,
            CASE operation WHEN 'INSERT' THEN 'NEW TABLE AS new_rows' WHEN 'DELETE' THEN 'OLD TABLE AS old_rows'
                           ELSE 'OLD TABLE AS old_rows NEW TABLE AS new_rows' END);
    END LOOP;
END
$$;
