-- Event triggers. Definer rights: whoever changes a table has none on the changelog. None of the queries runs code of
-- a user. The names order them: drops before leadguard_watch_drop forgets the table, changes after leadguard_watch_ddl
-- has put the protection in order.
CREATE FUNCTION leadguard.know_schema()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
    -- A restore, which superusers run, registers a table before it makes policies and triggers.
    IF NOT leadguard.is_at_work()
       AND NOT leadguard.is_restore()
       AND EXISTS (SELECT FROM leadguard.protected_table p WHERE NOT EXISTS (SELECT FROM leadguard.schema_known k WHERE k.target = p.target)
                   UNION ALL
                   SELECT FROM leadguard.protected_child c WHERE NOT EXISTS (SELECT FROM leadguard.schema_known k WHERE k.target = c.target)) THEN
        PERFORM leadguard.know_tables();
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.know_schema() IS
'Event trigger before any command: takes down how protected tables look that a restore or an update brought.';

CREATE FUNCTION leadguard.watch_schema()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    item regclass;
BEGIN
    -- Most commands of a database concern no protected table: they cost one look at the commands and few by key.
    FOR item IN
        WITH command AS MATERIALIZED (
            SELECT CASE d.classid
                       -- The name of an index may be that of a constraint.
                       WHEN 'pg_class'::regclass THEN coalesce((SELECT x.indrelid FROM pg_index x WHERE x.indexrelid = d.objid), d.objid)
                       WHEN 'pg_policy'::regclass THEN (SELECT o.polrelid FROM pg_policy o WHERE o.oid = d.objid)
                       WHEN 'pg_trigger'::regclass THEN (SELECT o.tgrelid FROM pg_trigger o WHERE o.oid = d.objid)
                       WHEN 'pg_constraint'::regclass THEN (SELECT o.conrelid FROM pg_constraint o WHERE o.oid = d.objid)
                       WHEN 'pg_attrdef'::regclass THEN (SELECT o.adrelid FROM pg_attrdef o WHERE o.oid = d.objid)
                       WHEN 'pg_rewrite'::regclass THEN (SELECT o.ev_class FROM pg_rewrite o WHERE o.oid = d.objid) END AS relation,
                   CASE d.classid
                       WHEN 'pg_type'::regclass THEN d.objid
                       WHEN 'pg_class'::regclass THEN (SELECT y.reltype FROM pg_class y WHERE y.oid = d.objid AND y.relkind = 'c') END AS type,
                   CASE d.classid WHEN 'pg_namespace'::regclass THEN d.objid END AS schema
            FROM pg_event_trigger_ddl_commands() d
            -- No temporary table is protected; of a temporary type a lasting table may be.
            WHERE d.schema_name IS DISTINCT FROM 'pg_temp' OR d.object_type IN ('type', 'composite type')
        )
        SELECT k.target FROM command c JOIN leadguard.schema_known k ON k.target IN (c.relation, pg_partition_root(c.relation))
        UNION
        SELECT s.target FROM command c JOIN leadguard.schema_shape s ON s.relation = c.relation AND s.kind = 'view'
        UNION
        SELECT k.target
        FROM command c
        CROSS JOIN LATERAL (
            -- OFFSET 0: looked for only where there is a type or a schema.
            SELECT k.target FROM leadguard.schema_known k JOIN pg_class t ON t.oid = k.target
            WHERE t.reloftype = c.type OR t.relnamespace = c.schema OFFSET 0) k
        WHERE c.type IS NOT NULL OR c.schema IS NOT NULL
    LOOP
        IF leadguard.is_at_work() THEN
            PERFORM leadguard.note_work(item);
        ELSE
            PERFORM leadguard.note_shape(item, true, true);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.watch_schema() IS
'Event trigger after any command: writes what it changed about protected tables into leadguard.schema_change, or refuses it (LG004).';

CREATE FUNCTION leadguard.watch_schema_drop()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT DISTINCT s.target, s.target = d.relation AND d.objsubid = 0 AND d.classid = 'pg_class'::regclass AS is_gone,
               (SELECT n.definition FROM leadguard.schema_shape n WHERE n.target = s.target AND n.relation = s.target AND n.kind = 'table') AS name
        FROM (SELECT o.classid, o.objsubid,
                     CASE WHEN o.classid = 'pg_class'::regclass THEN o.objid::regclass
                          WHEN o.object_type IN ('policy', 'trigger', 'rule', 'table constraint', 'default value')
                          THEN to_regclass(format('%I.%I', o.address_names[1], o.address_names[2])) END AS relation
              FROM pg_event_trigger_dropped_objects() o
              WHERE NOT o.is_temporary) d
        JOIN leadguard.schema_shape s ON s.relation = d.relation
        ORDER BY 2 DESC
    LOOP
        IF item.is_gone THEN
            PERFORM leadguard.note_change(item.target, item.name, 'drop table', '', '{}', NOT leadguard.is_at_work(), false);
            DELETE FROM leadguard.schema_known k WHERE k.target = item.target;
        ELSIF leadguard.is_at_work() THEN
            PERFORM leadguard.note_work(item.target);
        ELSIF EXISTS (SELECT FROM leadguard.schema_known k WHERE k.target = item.target) THEN
            PERFORM leadguard.note_shape(item.target, true, true);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.watch_schema_drop() IS
'Event trigger after any drop: as watch_schema, for what is gone.';

CREATE EVENT TRIGGER leadguard_know_schema ON ddl_command_start EXECUTE FUNCTION leadguard.know_schema();
COMMENT ON EVENT TRIGGER leadguard_know_schema IS 'Knows how protected tables look before they change.';
CREATE EVENT TRIGGER leadguard_watch_schema ON ddl_command_end EXECUTE FUNCTION leadguard.watch_schema();
COMMENT ON EVENT TRIGGER leadguard_watch_schema IS 'Writes down what changes about protected tables.';
CREATE EVENT TRIGGER leadguard_notice_drop ON sql_drop EXECUTE FUNCTION leadguard.watch_schema_drop();
COMMENT ON EVENT TRIGGER leadguard_notice_drop IS 'Writes down what is dropped of protected tables.';
