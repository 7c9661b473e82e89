-- The audit: its guards, its partitions, its verification.

CREATE FUNCTION leadguard.guard_written()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_guard_written';
COMMENT ON FUNCTION leadguard.guard_written() IS
'Trigger AFTER STATEMENT of protected tables: writes down what the statement changed.';

CREATE FUNCTION leadguard.append_only()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_append_only';
COMMENT ON FUNCTION leadguard.append_only() IS
'Trigger BEFORE STATEMENT of the audit tables, tombstone and erasure: 42501 for everybody, superusers included. Rows come from the extension, or from a restore, which runs with row_security off; values go with leadguard.purge and leadguard.erase_note.';

CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only();
CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.audit_log_default
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only();
CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.audit_entry_value
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only();
-- What is left as the proof of a purge or an erasure.
CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.tombstone
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only();
CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.erasure
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only();

-- Dumps of versions before 0.5.0 know the views as tables.
CREATE FUNCTION leadguard.restore_audit()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tg_table_name = 'audit_value' THEN
        INSERT INTO leadguard.audit_entry_value (audit_id, at, organization, target, record, "values")
        VALUES (new.audit_id, new.at, new.organization, new.target, new.record, new."values");
    ELSE
        INSERT INTO leadguard.audit_entry (id, at, transaction, session_role, outer_role, member_id, member_key, organization, target, target_name,
                                           record, action, reason, approval, detail, changes, has_values, mac)
        VALUES (new.id, new.at, new.transaction, new.session_role, new.outer_role, new.member_id, new.member_key, new.organization, new.target, new.target_name,
                new.record, new.action, new.reason, new.approval, new.detail, new.changes, new.has_values, new.mac);
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.restore_audit() IS
'Trigger INSTEAD OF INSERT of audit_log and audit_value: puts what the dump of an older version holds where it is stored; the tables take it from a restore only (append_only).';
CREATE TRIGGER audit_10_restore INSTEAD OF INSERT ON leadguard.audit_log FOR EACH ROW EXECUTE FUNCTION leadguard.restore_audit();
CREATE TRIGGER audit_10_restore INSTEAD OF INSERT ON leadguard.audit_value FOR EACH ROW EXECUTE FUNCTION leadguard.restore_audit();

CREATE FUNCTION leadguard.audit_partitions(ahead integer DEFAULT 3)
RETURNS TABLE (partition text, first date, made boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    low timestamptz;
    high timestamptz;
BEGIN
    IF NOT pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = 'leadguard.audit_entry'::regclass), 'USAGE') THEN
        RAISE EXCEPTION 'audit_partitions refused'
            USING ERRCODE = '42501', HINT = 'A superuser or the owner of the extension makes partitions of the audit.';
    END IF;
    IF ahead IS NULL OR ahead NOT BETWEEN 0 AND 120 THEN
        RAISE EXCEPTION 'argument "ahead" must be a number of months from 0 to 120' USING ERRCODE = '22023';
    END IF;
    -- What a dump of a version before 0.5.0 brought could not become a partition of a view.
    FOR partition, first IN
        SELECT c.relname, to_date(right(c.relname, 7), 'YYYY_MM') FROM pg_class c
        WHERE c.relnamespace = 'leadguard'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition AND c.relname ~ '^audit_log_[0-9]{4}_[0-9]{2}$'
        ORDER BY 1
    LOOP
        EXECUTE format('ALTER TABLE leadguard.%I ADD COLUMN IF NOT EXISTS records text[], ADD COLUMN IF NOT EXISTS fields text[], '
                       'ADD COLUMN IF NOT EXISTS digests bytea, ADD COLUMN IF NOT EXISTS old_values text[], ADD COLUMN IF NOT EXISTS new_values text[]', partition);
        EXECUTE format('ALTER TABLE leadguard.%I SET (toast_tuple_target = 8160)', partition);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON leadguard.%I USING gin (records)', partition || '_records_idx', partition);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON leadguard.%I (transaction)', partition || '_transaction_idx', partition);
        EXECUTE format('ALTER TABLE leadguard.audit_entry ATTACH PARTITION leadguard.%I FOR VALUES FROM (%L) TO (%L)', partition,
                       first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC');
        made := true;
        RETURN NEXT;
    END LOOP;
    FOR number IN 0 .. ahead LOOP
        first := (this + make_interval(months => number))::date;
        partition := 'audit_log_' || to_char(first, 'YYYY_MM');
        low := first::timestamp AT TIME ZONE 'UTC';
        high := (first + interval '1 month') AT TIME ZONE 'UTC';
        -- Rows in the default partition cannot move; their month stays there.
        made := to_regclass('leadguard.' || partition) IS NULL
            AND NOT EXISTS (SELECT FROM leadguard.audit_log_default d WHERE d.at >= low AND d.at < high);
        IF made THEN
            EXECUTE format('CREATE TABLE leadguard.%I PARTITION OF leadguard.audit_entry FOR VALUES FROM (%L) TO (%L) WITH (toast_tuple_target = 8160)', partition, low, high);
            EXECUTE format('ALTER TABLE leadguard.%I ADD CONSTRAINT %I PRIMARY KEY (at, id)', partition, partition || '_pkey');
            EXECUTE format('CREATE INDEX %I ON leadguard.%I (target, record)', partition || '_record_idx', partition);
            EXECUTE format('CREATE INDEX %I ON leadguard.%I USING gin (records)', partition || '_records_idx', partition);
            EXECUTE format('CREATE INDEX %I ON leadguard.%I (transaction)', partition || '_transaction_idx', partition);
            EXECUTE format('REVOKE ALL ON leadguard.%I FROM PUBLIC', partition);
            EXECUTE format('ALTER TABLE leadguard.%I ENABLE ROW LEVEL SECURITY', partition);
            EXECUTE format('CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.%I '
                           'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only()', partition);
            EXECUTE format('ALTER TABLE leadguard.%I ENABLE ALWAYS TRIGGER audit_00_append_only', partition);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.audit_partitions(integer) IS
'Makes partitions of the audit log for this month (UTC) and the given number of months ahead, and says which; a month that has one, or whose rows are in the default partition already, is left as it is. Months that the dump of a version before 0.5.0 brought as tables become partitions too. To be called by a scheduler, once a month or more often. For superusers and the extension''s owner (42501). 22023: not 0 to 120 months.';

CREATE FUNCTION leadguard.audit_verify(since timestamptz DEFAULT '-infinity')
RETURNS TABLE (audit_id bigint, at timestamptz, field text, problem text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'audit_verify_wrapper';
COMMENT ON FUNCTION leadguard.audit_verify(timestamptz) IS
'Recomputes the keyed digests of audit rows and of the values that are kept, and returns what does not agree; no row when all is sound. Erased values are no difference. Members with the capability audit verify the rows of their organization, superusers all; others 42501. 22023: since is NULL.';

CREATE FUNCTION leadguard.audit_batches(since timestamptz DEFAULT now() - interval '1 day', at_least integer DEFAULT 2)
RETURNS TABLE (at timestamptz, transaction xid8, session_role text, member_key text, target_name text, action text, records bigint)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF since IS NULL OR at_least IS NULL THEN
        RAISE EXCEPTION 'argument "%" must not be NULL', CASE WHEN since IS NULL THEN 'since' ELSE 'at_least' END USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT l.at, l.transaction, l.session_role, l.member_key, l.target_name, l.action, count(*)
    FROM leadguard.audit_log l
    WHERE l.at >= since AND l.record IS NOT NULL
    GROUP BY l.at, l.transaction, l.session_role, l.member_key, l.target_name, l.action
    HAVING count(*) >= at_least
    ORDER BY l.at, l.transaction;
END
$$;
COMMENT ON FUNCTION leadguard.audit_batches(timestamptz, integer) IS
'Statements that changed several records: who, when, what, how many. Reads audit_log with the caller''s rights: members with the capability audit their organization''s rows, others none. 22023: NULL.';

CREATE FUNCTION leadguard.record_history(target regclass, record text)
RETURNS TABLE (audit_id bigint, at timestamptz, member text, session_role text, action text, reason text, detail text, changes jsonb, "values" jsonb)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'record_history_wrapper';
COMMENT ON FUNCTION leadguard.record_history(regclass, text) IS
'What the audit has of one record, oldest first, by index: changes are digests, values what the fields said before and after where they are kept. Members with the capability audit see rows of their organization, superusers all; others 42501. 22023: an argument is NULL.';
