-- Putting the protection on a table, and keeping it there when the table changes.

CREATE FUNCTION leadguard.protect(
    target          regclass,
    preset          text DEFAULT 'sales_hierarchy',
    id              text DEFAULT NULL,
    owner           text DEFAULT NULL,
    creator         text DEFAULT NULL,
    territory       text DEFAULT NULL,
    organization    text DEFAULT NULL,
    stage           text DEFAULT NULL,
    status          text DEFAULT NULL,
    sensitive       text DEFAULT NULL,
    segment         text DEFAULT NULL,
    archived_at     text DEFAULT NULL,
    archived_by     text DEFAULT NULL,
    team            text DEFAULT NULL,
    parent          regclass DEFAULT NULL,
    parent_column   text DEFAULT NULL,
    org_key         text DEFAULT 'default',
    existing        text DEFAULT 'refuse',
    indexes         text DEFAULT 'create',
    force           boolean DEFAULT true,
    dry_run         boolean DEFAULT false,
    object          text DEFAULT 'lead')
RETURNS TABLE (step integer, kind text, statement text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'protect_as_wrapper';
COMMENT ON FUNCTION leadguard.protect IS
'Secures a table in the calling transaction and returns the steps; with dry_run it only returns them. preset: four_role, decision_site, organization or sales_hierarchy; object: what the rows are (lead, campaign, deal, segment, account), for which a preset may have rules of their own. id, owner, creator, territory, organization, stage, status, sensitive, segment, archived_at, archived_by, team, parent_column are names of columns (id: by default the primary key; archived_at and archived_by are added where missing, and make DELETE archive; sensitive: boolean, or text for the reason); parent: the protected table that parent_column refers to; org_key is the organization of a table without such a column; existing: refuse or restrictive; indexes: create, require or skip; force: the owner of the table obeys too. For the table''s owner and superusers (42501). 22023: a wrong argument or a column that cannot be mapped, 42703: no such column, 42809: not a table, 42710: protected already, 55000: policies or indexes in the way, 55P03: the table is busy, 0A000: a server below the security floor.';

CREATE FUNCTION leadguard.unprotect(target regclass, dry_run boolean DEFAULT false, archived text DEFAULT 'refuse')
RETURNS TABLE (step integer, kind text, statement text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'unprotect_with_wrapper';
COMMENT ON FUNCTION leadguard.unprotect(regclass, boolean, text) IS
'Leaves a protected table as it was: policies, triggers, indexes, flags and privileges of leadguard go, and with them the shares of its records. Also for a partition that was detached from a protected table. archived says what becomes of archived rows: refuse (55000), keep or purge. For the table''s owner and superusers (42501). 42704: not protected, 42809: a partition, 55P03: the table is busy.';

CREATE FUNCTION leadguard.on_denied(target regclass, action text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'on_denied_wrapper';
COMMENT ON FUNCTION leadguard.on_denied(regclass, text) IS
'What an UPDATE or DELETE of a visible row does that the member may not write: error (42501, the default) or skip (leaves the row as it is). For the table''s owner and superusers (42501). 22023: unknown action, 42704: not protected.';

CREATE FUNCTION leadguard.grant_tables(role_names text[], mode text)
RETURNS void LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'grant_tables_wrapper';
COMMENT ON FUNCTION leadguard.grant_tables(text[], text) IS
'Internal: grants registered login roles what their mode (person, analyst, trusted) needs on all protected tables, and records what they did not have.';

CREATE FUNCTION leadguard.revoke_tables(role_names text[])
RETURNS void LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'revoke_tables_wrapper';
COMMENT ON FUNCTION leadguard.revoke_tables(text[]) IS
'Internal: takes back from login roles the table privileges that leadguard granted them.';

CREATE FUNCTION leadguard.extend_protection(root regclass)
RETURNS void LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'extend_protection_wrapper';
COMMENT ON FUNCTION leadguard.extend_protection(regclass) IS
'Internal: puts policies, triggers and row security on partitions of a protected table that lack them, and puts right what newly attached ones bring along of these.';

CREATE FUNCTION leadguard.rename_fields(target oid, attnum smallint, new_name name)
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    old_name name;
BEGIN
    SELECT r.column_name INTO old_name
    FROM leadguard.field_rule r JOIN leadguard.field_version v ON v.id = r.version_id
    WHERE v.target = $1 AND v.state = 'active' AND r.attnum = $2 AND r.column_name <> $3
    LIMIT 1;
    UPDATE leadguard.field_rule r SET column_name = $3
    FROM leadguard.field_version v
    WHERE v.id = r.version_id AND v.target = $1 AND r.attnum = $2 AND r.column_name <> $3
      AND NOT EXISTS (SELECT FROM leadguard.field_rule o WHERE o.version_id = r.version_id AND o.column_name = $3);
    UPDATE leadguard.field_value f SET column_name = $3
    WHERE f.target = $1 AND f.attnum = $2 AND f.column_name <> $3
      AND NOT EXISTS (SELECT FROM leadguard.field_value o WHERE o.target = $1 AND o.column_name = $3);
    UPDATE leadguard.field_transition f SET column_name = $3
    WHERE f.target = $1 AND f.attnum = $2 AND f.column_name <> $3
      AND NOT EXISTS (SELECT FROM leadguard.field_transition o WHERE o.target = $1 AND o.column_name = $3);
    UPDATE leadguard.tag_column f SET column_name = $3
    WHERE f.target = $1 AND f.attnum = $2 AND f.column_name <> $3
      AND NOT EXISTS (SELECT FROM leadguard.tag_column o WHERE o.target = $1 AND o.column_name = $3);
    UPDATE leadguard.column_mask f SET column_name = $3
    WHERE f.target = $1 AND f.attnum = $2 AND f.column_name <> $3
      AND NOT EXISTS (SELECT FROM leadguard.column_mask o WHERE o.target = $1 AND o.column_name = $3);
    -- Conditions name columns too, by name only: an old name would otherwise come to mean another column.
    UPDATE leadguard.field_transition f SET condition = f.condition - old_name::text || jsonb_build_object($3, f.condition -> old_name::text)
    WHERE f.target = $1 AND old_name IS NOT NULL AND f.condition ? old_name::text;
    -- What was approved of was the column, not its name.
    UPDATE leadguard.approval a SET field = $3 || substr(a.field, length(old_name) + 1)
    WHERE a.target = $1 AND old_name IS NOT NULL AND a.used_at IS NULL
      AND (a.field = old_name OR starts_with(a.field, old_name || '.'));
END
$$;
COMMENT ON FUNCTION leadguard.rename_fields(oid, smallint, name) IS
'Internal, called by watch_ddl: gives the rules about a column, known by its number, the name that it has now.';

-- Event triggers. Definer rights: whoever changes a table has no rights on the registry. They do nothing for
-- relations that have nothing to do with a protected table.
CREATE FUNCTION leadguard.protected_since(relations oid[])
RETURNS regclass LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'protected_since_wrapper';
COMMENT ON FUNCTION leadguard.protected_since(oid[]) IS
'Internal: a protected table that is one of these relations, or the root of one, and that the transaction does not see as protected, being older.';

CREATE FUNCTION leadguard.watch_ddl()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    touched oid[];
    item record;
BEGIN
    SELECT array_agg(d.objid) INTO touched
    FROM pg_event_trigger_ddl_commands() d
    WHERE d.classid = 'pg_class'::regclass;
    -- A transaction that is older than protect does not see what there is to follow, nor what a partition must get.
    IF current_setting('transaction_isolation') <> 'read committed' AND leadguard.protected_since(touched) IS NOT NULL THEN
        RAISE EXCEPTION '% was protected while this transaction ran', leadguard.protected_since(touched)
            USING ERRCODE = '40001', HINT = 'Run the transaction again.';
    END IF;
    IF NOT EXISTS (SELECT FROM unnest(touched) r (oid)
                   JOIN leadguard.protected_table p ON p.target IN (r.oid, pg_partition_root(r.oid)))
       AND NOT EXISTS (SELECT FROM pg_inherits i
                       JOIN leadguard.protected_table p ON p.target IN (i.inhrelid, i.inhparent)
                       WHERE i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched))
       AND NOT EXISTS (SELECT FROM leadguard.protected_child h
                       WHERE h.target = ANY (touched)
                          OR h.target IN (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = ANY (touched))) THEN
        RETURN;
    END IF;

    -- The policies follow a renamed column by themselves; the registry must too. As long as the permissive
    -- policy stands no mapped column was dropped, so the one name that is missing is the renamed one.
    FOR item IN
        SELECT d.objid, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        JOIN pg_policy o ON o.polrelid = d.objid AND o.polname = 'leadguard_open'
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
    LOOP
        UPDATE leadguard.protected_table p
        SET id_column = CASE WHEN p.id_column = missing.name THEN item.name ELSE p.id_column END,
            owner_column = CASE WHEN p.owner_column = missing.name THEN item.name ELSE p.owner_column END,
            creator_column = CASE WHEN p.creator_column = missing.name THEN item.name ELSE p.creator_column END,
            territory_column = CASE WHEN p.territory_column = missing.name THEN item.name ELSE p.territory_column END,
            organization_column = CASE WHEN p.organization_column = missing.name THEN item.name ELSE p.organization_column END,
            archived_at_column = CASE WHEN p.archived_at_column = missing.name THEN item.name ELSE p.archived_at_column END,
            archived_by_column = CASE WHEN p.archived_by_column = missing.name THEN item.name ELSE p.archived_by_column END,
            segment_column = CASE WHEN p.segment_column = missing.name THEN item.name ELSE p.segment_column END,
            team_column = CASE WHEN p.team_column = missing.name THEN item.name ELSE p.team_column END,
            parent_column = CASE WHEN p.parent_column = missing.name THEN item.name ELSE p.parent_column END,
            stage_column = CASE WHEN p.stage_column = missing.name THEN item.name ELSE p.stage_column END,
            status_column = CASE WHEN p.status_column = missing.name THEN item.name ELSE p.status_column END,
            sensitive_column = CASE WHEN p.sensitive_column = missing.name THEN item.name ELSE p.sensitive_column END
        FROM (
            SELECT m.name
            FROM leadguard.protected_table q
            CROSS JOIN LATERAL unnest(ARRAY[q.id_column, q.owner_column, q.creator_column, q.territory_column, q.organization_column,
                                               q.archived_at_column, q.archived_by_column, q.segment_column, q.team_column,
                                               q.parent_column, q.stage_column, q.status_column, q.sensitive_column]) AS m (name)
            WHERE q.target = item.objid AND m.name IS NOT NULL
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = q.target AND a.attname = m.name AND NOT a.attisdropped)
        ) missing
        WHERE p.target = item.objid;
    END LOOP;

    -- The same for tables of notes and tags, whose registered columns cannot be dropped.
    FOR item IN
        SELECT d.objid, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_child h ON h.target = d.objid
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
    LOOP
        UPDATE leadguard.protected_child h
        SET id_column = CASE WHEN h.id_column = missing.name THEN item.name ELSE h.id_column END,
            parent_column = CASE WHEN h.parent_column = missing.name THEN item.name ELSE h.parent_column END,
            content_column = CASE WHEN h.content_column = missing.name THEN item.name ELSE h.content_column END,
            author_column = CASE WHEN h.author_column = missing.name THEN item.name ELSE h.author_column END,
            time_column = CASE WHEN h.time_column = missing.name THEN item.name ELSE h.time_column END
        FROM (
            SELECT m.name
            FROM leadguard.protected_child q
            CROSS JOIN LATERAL unnest(ARRAY[q.id_column, q.parent_column, q.content_column, q.author_column, q.time_column]) AS m (name)
            WHERE q.target = item.objid AND m.name IS NOT NULL
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = q.target AND a.attname = m.name AND NOT a.attisdropped)
        ) missing
        WHERE h.target = item.objid;
    END LOOP;

    -- What a tombstone keeps follows too. Columns that are dropped leave the list, so the missing one is the renamed one.
    FOR item IN
        SELECT DISTINCT d.objid, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid AND p.attribution <> '{}'
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
          AND a.attname <> ALL (p.attribution)
    LOOP
        UPDATE leadguard.protected_table p SET attribution = array_replace(p.attribution, missing.name, item.name)
        FROM (
            SELECT m.name
            FROM leadguard.protected_table q
            CROSS JOIN LATERAL unnest(q.attribution) AS m (name)
            WHERE q.target = item.objid
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = q.target AND a.attname = m.name AND NOT a.attisdropped)
            LIMIT 1
        ) missing
        WHERE p.target = item.objid;
    END LOOP;

    -- Rules about fields name a column by number and name; an explicit rename is the one thing that they follow.
    -- Where a rule of a column that is gone has the new name already, both stay as they are and close the column.
    FOR item IN
        SELECT DISTINCT d.objid, d.objsubid::smallint AS attnum, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
    LOOP
        PERFORM leadguard.rename_fields(item.objid, item.attnum, item.name);
    END LOOP;

    -- The view of a concealed table has its columns; what a generated one is computed from may change under the same
    -- name. What conceal itself alters has no view yet.
    FOR item IN
        SELECT DISTINCT p.target
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.command_tag = 'ALTER TABLE' AND p.concealed_by IS NOT NULL
          AND ((SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                WHERE a.attrelid = p.target AND a.attnum > 0 AND NOT a.attisdropped)
               <> (SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                   WHERE a.attrelid = p.concealed_by AND a.attnum > 0 AND NOT a.attisdropped)
               OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p.target AND a.attgenerated <> ''))
    LOOP
        PERFORM leadguard.refresh_view(item.target);
    END LOOP;

    -- A query of an inheritance parent, or of the table that a protected table became a partition of, reads
    -- the rows below it without their policies.
    SELECT p.target, i.inhparent::regclass AS parent, i.inhrelid::regclass AS child INTO item
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhparent
    JOIN (SELECT q.target FROM leadguard.protected_table q UNION ALL SELECT h.target FROM leadguard.protected_child h) p
        ON p.target = i.inhrelid OR (p.target = i.inhparent AND c.relkind = 'r')
    WHERE i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is protected and cannot take part in inheritance', item.target
            USING ERRCODE = '42809',
                  DETAIL = format('%s would be read through %s without the policies of its own.', item.child, item.parent),
                  HINT = format(CASE WHEN EXISTS (SELECT FROM leadguard.protected_child h WHERE h.target = item.target)
                                     THEN 'leadguard.unprotect(%L) first.'
                                     ELSE 'leadguard.unprotect(%L) first, or partition the table.' END, item.target);
    END IF;

    -- What this transaction attached and the watch of the schema (85_schema_watch.sql), which comes after this one, does
    -- not know yet: also one that carries our names, which need not be as protect made them. A restore attaches before
    -- the table is known.
    FOR item IN
        SELECT DISTINCT p.target
        FROM pg_inherits i
        JOIN leadguard.protected_table p ON p.target = pg_partition_root(i.inhrelid)
        JOIN leadguard.schema_known k ON k.target = p.target
        WHERE (i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched)) AND age(i.xmin) <= 0
          AND NOT leadguard.is_at_work()
          AND NOT EXISTS (SELECT FROM leadguard.schema_shape s WHERE (s.target, s.relation, s.kind) = (p.target, i.inhrelid, 'partition'))
    LOOP
        PERFORM leadguard.extend_protection(item.target);
    END LOOP;

    -- New partitions: those without our policies that this transaction attached. A restore attaches partitions
    -- before it fills the registry, and brings policies and triggers itself, which must not be there already. One
    -- that runs as a single transaction is told by all of this together: its setting of row_security, a login that is
    -- a superuser (other roles write no registry), and a row of the registry that is newer than the partition. A row
    -- that set_archive, conceal or the like has just changed is older than a partition that comes now. While protect
    -- runs, alone or as a migration, all partitions have their policies before the first ALTER TABLE. A partition of a
    -- concealed table is looked at even if it has them: once detached, and granted since.
    FOR item IN
        SELECT DISTINCT p.target
        FROM pg_inherits i
        JOIN leadguard.protected_table p ON p.target = pg_partition_root(i.inhrelid)
        WHERE (i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched)) AND age(i.xmin) <= 0
          AND (p.concealed_by IS NOT NULL
               OR NOT EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = i.inhrelid AND o.polname = 'leadguard_open'))
          AND NOT (current_setting('row_security') = 'off' AND age(p.xmin) <= 0 AND i.cmin::text::bigint < p.cmin::text::bigint
                   AND EXISTS (SELECT FROM pg_stat_get_activity(pg_backend_pid()) a JOIN pg_roles r ON r.oid = a.usesysid WHERE r.rolsuper))
    LOOP
        PERFORM leadguard.extend_protection(item.target);
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.watch_ddl() IS
'Event trigger after CREATE and ALTER TABLE: protects new partitions of protected tables, follows renamed columns, also those of notes and tags, refuses inheritance (42809).';

CREATE FUNCTION leadguard.watch_drop()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone oid[];
    item record;
BEGIN
    -- Looks before it writes: almost nothing that is dropped concerns a protected table.
    SELECT array_agg(d.objid) INTO gone
    FROM pg_event_trigger_dropped_objects() d
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0
      AND (EXISTS (SELECT FROM leadguard.protected_table p WHERE p.target = d.objid OR p.concealed_by = d.objid)
           OR EXISTS (SELECT FROM leadguard.table_grant g WHERE g.object = d.objid)
           OR EXISTS (SELECT FROM leadguard.member_scope s WHERE s.target = d.objid)
           OR EXISTS (SELECT FROM leadguard.protected_child h WHERE h.target = d.objid OR h.parent = d.objid));
    IF gone IS NOT NULL THEN
        -- Notes and tags that outlive their parent stay closed; what leadguard granted on them goes with its record.
        FOR item IN
            SELECT DISTINCT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass AS object,
                   g.privilege, r.rolname
            FROM leadguard.protected_child h
            JOIN leadguard.table_grant g ON g.target = h.parent
            JOIN pg_class c ON c.oid = g.object AND (c.oid = h.target OR EXISTS (
                SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = h.target AND d.deptype IN ('a', 'i')))
            JOIN pg_roles r ON r.rolname = g.grantee
            WHERE h.parent = ANY (gone)
        LOOP
            EXECUTE format('REVOKE %s ON %s %s FROM %I', item.privilege, item.kind, item.object, item.rolname);
        END LOOP;
        DELETE FROM leadguard.protected_child h WHERE h.target = ANY (gone) OR h.parent = ANY (gone);
        DELETE FROM leadguard.table_grant g WHERE g.target = ANY (gone) OR g.object = ANY (gone);
        DELETE FROM leadguard.record_grant g WHERE g.target = ANY (gone);
        DELETE FROM leadguard.record_contact c WHERE c.target = ANY (gone);
        DELETE FROM leadguard.member_scope s WHERE s.target = ANY (gone);
        DELETE FROM leadguard.protected_table p WHERE p.target = ANY (gone);
        -- A table whose view is gone stays concealed, by no relation: conceal makes the view again.
        UPDATE leadguard.protected_table p SET concealed_by = 0 WHERE p.concealed_by = ANY (gone);
    END IF;
    -- Dropping the column would drop what its notes say.
    SELECT h.target, d.address_names[3] AS name INTO item
    FROM pg_event_trigger_dropped_objects() d
    JOIN leadguard.protected_child h ON h.target = d.objid
        AND d.address_names[3] IN (h.id_column, h.parent_column, h.content_column, h.author_column, h.time_column)
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'column "%" of % cannot be dropped: its protection relies on it', item.name, item.target
            USING ERRCODE = '2BP01', HINT = format('leadguard.unprotect(%L) first.', item.target);
    END IF;
    FOR item IN
        SELECT p.target, d.address_names[3]::name AS name
        FROM pg_event_trigger_dropped_objects() d
        JOIN leadguard.protected_table p ON p.target = d.objid AND d.address_names[3]::name = ANY (p.attribution)
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LOOP
        UPDATE leadguard.protected_table p SET attribution = array_remove(p.attribution, item.name) WHERE p.target = item.target;
    END LOOP;
    -- Rules about a dropped column stay, and concern no column that takes its name: 0 is the number of none, and is
    -- what a dump carries over.
    FOR item IN
        SELECT d.objid, d.address_names[3]::name AS name
        FROM pg_event_trigger_dropped_objects() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LOOP
        UPDATE leadguard.field_rule r SET attnum = 0 FROM leadguard.field_version v
        WHERE v.id = r.version_id AND v.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.field_value r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.field_transition r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.tag_column r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.column_mask r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
    END LOOP;
    -- The policies do not name the creator, so its column can go while the protection stands.
    FOR item IN
        SELECT p.target
        FROM pg_event_trigger_dropped_objects() d
        JOIN leadguard.protected_table p ON p.target = d.objid AND p.creator_column = d.address_names[3]
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LOOP
        UPDATE leadguard.protected_table p SET creator_column = NULL WHERE p.target = item.target;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.watch_drop() IS
'Event trigger after any drop: forgets protected tables and views of concealed ones that are gone, so that a recycled OID inherits nothing; keeps the registered columns of notes and tags (2BP01).';

CREATE EVENT TRIGGER leadguard_watch_ddl ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE SCHEMA', 'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE')
    EXECUTE FUNCTION leadguard.watch_ddl();
COMMENT ON EVENT TRIGGER leadguard_watch_ddl IS 'Keeps the protection on tables that change.';

CREATE EVENT TRIGGER leadguard_watch_drop ON sql_drop
    EXECUTE FUNCTION leadguard.watch_drop();
COMMENT ON EVENT TRIGGER leadguard_watch_drop IS 'Forgets protected tables that are dropped.';
