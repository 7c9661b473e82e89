-- Asking for changes of a schema, and what becomes of those for which nobody asked. What leadguard's own functions add
-- (namespaces of tags, attributes, valid values) is judged like a new column.

CREATE FUNCTION leadguard.schema_kinds(with_object boolean)
RETURNS text[] LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN $1
        THEN '{add column,drop column,rename column,change type,change default,change not null,add constraint,drop constraint,change constraint,add policy,drop policy,change policy,add trigger,drop trigger,change trigger,disable trigger,add rule,drop rule,change rule,drop view,change view,attach partition,detach partition,tag namespace,attribute,valid value,drop valid values}'::text[]
        ELSE '{row security,owner,rename table,drop table,of type}'::text[] END
$$;
COMMENT ON FUNCTION leadguard.schema_kinds(boolean) IS 'Internal: the kinds of changes that name an object, or those that concern the whole table.';

CREATE FUNCTION leadguard.parse_changes(change text)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part text;
    known text;
    object text;
    changes jsonb := '[]';
BEGIN
    FOREACH part IN ARRAY string_to_array(change, ',') LOOP
        part := btrim(part);
        SELECT k.kind INTO known FROM unnest(leadguard.schema_kinds(true) || leadguard.schema_kinds(false)) k (kind)
        WHERE part = k.kind OR starts_with(part, k.kind || ' ');
        object := btrim(substr(part, length(known) + 1));
        IF object LIKE '"%"' AND length(object) > 2 THEN
            object := replace(substr(object, 2, length(object) - 2), '""', '"');
        END IF;
        -- What concerns a whole partition names it.
        IF known IS NULL OR (object = '' AND known = ANY (leadguard.schema_kinds(true))) OR (object <> '' AND known IN ('drop table', 'of type'))
           OR length(object) > 200 THEN
            RAISE EXCEPTION '"%" names no change', left(part, 100)
                USING ERRCODE = '22023',
                      HINT = format('Write a kind and what it concerns, as in ''add column score''. Kinds are %s; alone stand %s.',
                                    array_to_string(leadguard.schema_kinds(true), ', '), array_to_string(leadguard.schema_kinds(false), ', '));
        END IF;
        changes := changes || jsonb_build_object('kind', known, 'object', object);
    END LOOP;
    IF jsonb_array_length(changes) NOT BETWEEN 1 AND 50 THEN
        RAISE EXCEPTION 'a request names 1 to 50 changes'
            USING ERRCODE = '22023', HINT = 'Make several requests of a longer list.';
    END IF;
    RETURN changes;
END
$$;
COMMENT ON FUNCTION leadguard.parse_changes(text) IS 'Internal: "add column score, add constraint score_fits" as kinds and objects; 22023.';

CREATE FUNCTION leadguard.request_schema_change(target regclass, change text, rationale text, requesting_team text, expected_usage text,
    until timestamptz DEFAULT now() + interval '14 days')
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
DECLARE
    asking leadguard.member;
    of leadguard.protected_table;
    child regclass := (SELECT c.target FROM leadguard.protected_child c WHERE c.target = request_schema_change.target);
    part record;
    made bigint;
BEGIN
    SELECT m.* INTO asking FROM leadguard.member m WHERE m.id = leadguard.current_member();
    IF asking.id IS NULL OR asking.kind = 'guest' OR leadguard.is_analyst()
       OR EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id WHERE mr.member_id = asking.id AND r.level_cap = 'read') THEN
        RAISE EXCEPTION 'request_schema_change refused'
            USING ERRCODE = '42501', HINT = 'Members ask who may write; guests, analysts and view-only roles do not.';
    END IF;
    SELECT p.* INTO of FROM leadguard.protected_table p
    WHERE coalesce((SELECT c.parent FROM leadguard.protected_child c WHERE c.target = child), request_schema_change.target) IN (p.target, p.concealed_by)
      AND (p.organization_column IS NOT NULL OR p.org_id = asking.org_id)
      AND has_table_privilege(session_user, coalesce(child, p.concealed_by, p.target), 'SELECT');
    IF of.target IS NULL THEN
        RAISE EXCEPTION 'there is no protected table of yours that it could be about'
            USING ERRCODE = '22023', HINT = 'leadguard.protected lists the protected tables.';
    END IF;
    FOR part IN SELECT * FROM (VALUES ('the change', change), ('the rationale', rationale), ('the requesting team', requesting_team),
                                      ('the expected usage', expected_usage)) p (what, given) LOOP
        IF part.given IS NULL OR btrim(part.given) = '' OR length(part.given) > 10000 THEN
            RAISE EXCEPTION '% is missing or too long', part.what
                USING ERRCODE = '22023', HINT = 'The changelog says why, for which team, and what for.';
        END IF;
    END LOOP;
    IF until IS NULL OR until <= now() THEN
        RAISE EXCEPTION 'the approval would end before it begins' USING ERRCODE = '22023', HINT = 'until must be in the future.';
    END IF;
    INSERT INTO leadguard.approval (org_id, kind, target, justification, requested_by, until, detail)
    VALUES (asking.org_id, 'schema', of.target, rationale, asking.id, until,
            jsonb_build_object('changes', leadguard.parse_changes(change), 'requesting_team', requesting_team, 'expected_usage', expected_usage)
            || CASE WHEN child IS NULL THEN '{}'
                    ELSE (SELECT jsonb_build_object('table', format('%I.%I', n.nspname, c.relname))
                          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = child) END)
    RETURNING id INTO made;
    PERFORM leadguard.note_event('request_approval', asking.org_id, of.target, NULL, NULL, 'schema: ' || change);
    PERFORM leadguard.tell(d.id, 'approval_requested', of.target, NULL, jsonb_build_object('approval', made, 'kind', 'schema', 'by', asking.key))
    FROM (SELECT o.id FROM leadguard.data_owners(asking.org_id) o (id) WHERE o.id <> asking.id ORDER BY o.id LIMIT 20) d;
    RETURN made;
END
$$;
COMMENT ON FUNCTION leadguard.request_schema_change(regclass, text, text, text, text, timestamptz) IS
'Asks for a change of a protected table, or of a table of notes or tags; returns the number of the request, which a data owner decides with leadguard.decide_approval. change: a kind and what it concerns, several separated by commas: ''add column score'', ''add column score, add policy by_score'', ''drop table''; kinds as in leadguard.schema_change. Once granted whoever owns the table makes the change, once, until the given time. For members of the table''s organization who may write and whose login may read the table; 42501, 22023.';

CREATE FUNCTION leadguard.accept_schema_change(id bigint, resolution text)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deciding leadguard.member;
    of leadguard.schema_change;
    maker bigint;
    free boolean := leadguard.is_unbound();
BEGIN
    SELECT m.* INTO deciding FROM leadguard.member m WHERE m.id = leadguard.current_member();
    IF NOT free AND (deciding.id IS NULL OR deciding.kind <> 'person' OR leadguard.is_analyst() OR NOT leadguard.has_capability('approve')) THEN
        RAISE EXCEPTION 'accept_schema_change refused'
            USING ERRCODE = '42501', HINT = 'A person with the capability approve (a data owner) accepts it.';
    END IF;
    IF id IS NULL THEN
        RAISE EXCEPTION 'argument "id" must not be NULL' USING ERRCODE = '22023';
    END IF;
    SELECT c.* INTO of FROM leadguard.schema_change c
    WHERE c.id = accept_schema_change.id AND (free OR coalesce(c.org_id, deciding.org_id) = deciding.org_id) FOR UPDATE;
    maker := coalesce(of.member_id, (SELECT r.member_id FROM leadguard.schema_change_maker r WHERE r.change = of.id));
    IF of.id IS NULL THEN
        RAISE EXCEPTION 'schema change % does not exist or is not visible', id
            USING ERRCODE = '42501', HINT = 'leadguard.schema_change shows those of your organization to members with the capability audit.';
    ELSIF maker = deciding.id OR of.session_role = deciding.db_role THEN
        RAISE EXCEPTION 'schema change % is your own', id
            USING ERRCODE = '42501', HINT = 'Somebody else with the capability approve accepts it.';
    ELSIF maker IS NULL AND of.session_role = session_user AND NOT free THEN
        RAISE EXCEPTION 'schema change % may be your own', id
            USING ERRCODE = '42501', DETAIL = 'Your login made it, for nobody who was known.',
                  HINT = 'Somebody with the capability approve accepts it over another login.';
    ELSIF of.session_role IS NULL AND NOT free
          AND pg_has_role(session_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = of.target), 'USAGE') THEN
        RAISE EXCEPTION 'schema change % may be your own', id
            USING ERRCODE = '42501', DETAIL = 'Nobody knows who made it, and your login may change the table.',
                  HINT = 'Somebody else with the capability approve accepts it.';
    ELSIF of.state <> 'violation' THEN
        RAISE EXCEPTION 'schema change % is no violation', id
            USING ERRCODE = '55000', HINT = 'It is approved or accepted already: leadguard.schema_change.state says which are violations.';
    ELSIF resolution IS NULL OR btrim(resolution) = '' OR length(resolution) > 10000 THEN
        RAISE EXCEPTION 'the resolution is missing or too long'
            USING ERRCODE = '22023', HINT = 'The changelog says why the change may stay.';
    END IF;
    UPDATE leadguard.schema_change c
    SET state = 'accepted', resolved_by = deciding.id, resolved_at = clock_timestamp(), resolution = accept_schema_change.resolution
    WHERE c.id = of.id;
    PERFORM leadguard.note_event('accept_schema_change', of.org_id, of.target, NULL, accept_schema_change.resolution,
                                 concat_ws(' ', of.kind, nullif(of.object, '')));
END
$$;
COMMENT ON FUNCTION leadguard.accept_schema_change(bigint, text) IS
'Accepts a change of a schema that nobody had approved, with the reason. For persons with the capability approve of the organization who did not make it, nor, where nobody knows who did, hold the rights of the table''s owner or come over the login that did, and superusers; 42501, 22023, 55000 where it is no violation.';

CREATE FUNCTION leadguard.check_schema(target regclass DEFAULT NULL)
RETURNS TABLE (id bigint, target_name text, kind text, object text, detail jsonb)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    item regclass;
    before bigint;
    own bigint := leadguard.current_organization();
    free boolean := leadguard.is_unbound();
    trusted boolean := NOT leadguard.is_analyst() AND NOT leadguard.is_guest()
        AND (leadguard.has_capability('audit') OR leadguard.has_capability('approve') OR leadguard.has_capability('administer'));
    asked regclass[];
BEGIN
    SELECT array_agg(t.target) INTO asked
    FROM (SELECT p.target, p.concealed_by, p.org_id, p.organization_column FROM leadguard.protected_table p
          UNION ALL
          SELECT h.target, NULL, p.org_id, p.organization_column FROM leadguard.protected_child h JOIN leadguard.protected_table p ON p.target = h.parent) t
    JOIN pg_class c ON c.oid = t.target
    WHERE ($1 IS NULL OR $1 IN (t.target, t.concealed_by))
      AND (free OR (trusted AND (t.organization_column IS NOT NULL OR t.org_id = own)) OR pg_has_role(session_user, c.relowner, 'USAGE'));
    IF NOT free AND NOT trusted AND asked IS NULL THEN
        RAISE EXCEPTION 'check_schema refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability audit, approve or administer ask, and the owner of a table.';
    ELSIF $1 IS NOT NULL AND asked IS NULL THEN
        RAISE EXCEPTION 'there is no protected table of yours that it could be about'
            USING ERRCODE = '22023', HINT = 'leadguard.protected lists the protected tables.';
    END IF;
    FOREACH item IN ARRAY coalesce(asked, '{}') LOOP
        SELECT coalesce(max(c.id), 0) INTO before FROM leadguard.schema_change c;
        PERFORM leadguard.note_shape(item, false, false);
        RETURN QUERY SELECT c.id, c.target_name, c.kind, c.object, c.detail
                     FROM leadguard.schema_change c
                     WHERE c.target = item AND c.id > before AND c.transaction = pg_current_xact_id() ORDER BY c.id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.check_schema(regclass) IS
'Compares protected tables (by default all of the caller''s) with what is known of them, writes what changed while event triggers were off into the changelog, as violations, and returns it. For members with the capability audit, approve or administer about tables of their organization, owners of a table and superusers; 42501, 22023.';

-- New namespaces of tags, attributes and valid values. A data owner who makes them himself has agreed.
CREATE FUNCTION leadguard.note_vocabulary(target regclass, kind text, object text, detail jsonb)
RETURNS void LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS $$
BEGIN
    -- What a restore brings was decided long ago.
    IF NOT leadguard.is_restore() THEN
        PERFORM leadguard.note_change($1, (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1),
            $2, $3, $4, true,
            leadguard.has_capability('approve') AND NOT leadguard.is_analyst()
                AND EXISTS (SELECT FROM leadguard.member m WHERE m.id = leadguard.current_member() AND m.kind = 'person'));
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.note_vocabulary(regclass, text, text, jsonb) IS 'Internal: as note_change, for what data owners may add themselves.';

CREATE FUNCTION leadguard.watch_vocabulary()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
BEGIN
    IF TG_TABLE_NAME = 'tag_namespace' THEN
        PERFORM leadguard.note_vocabulary(i.target, 'tag namespace', i.namespace, '{}') FROM inserted i ORDER BY i.namespace;
    ELSIF TG_TABLE_NAME = 'field_value' THEN
        -- The first list of a field narrows it; values that come later widen it.
        FOR item IN
            SELECT i.target, concat_ws('.', i.column_name, nullif(i.key, '')) AS field, count(*) AS values
            FROM inserted i
            WHERE EXISTS (SELECT FROM leadguard.field_value v
                          WHERE (v.target, v.column_name, v.key) = (i.target, i.column_name, i.key)
                            AND NOT EXISTS (SELECT FROM inserted n WHERE (n.target, n.column_name, n.key, n.value) = (v.target, v.column_name, v.key, v.value)))
            GROUP BY 1, 2
        LOOP
            PERFORM leadguard.note_vocabulary(item.target, 'valid value', item.field, jsonb_build_object('values', item.values));
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.watch_vocabulary() IS
'Trigger AFTER INSERT of tag_namespace and field_value: writes new namespaces and values into the changelog; LG004 where schema_changes says refuse and nobody has agreed.';

CREATE FUNCTION leadguard.watch_dropped_values()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.note_vocabulary(d.target, 'drop valid values', d.field, jsonb_build_object('values', d.values))
    FROM (SELECT g.target, concat_ws('.', g.column_name, nullif(g.key, '')) AS field, count(*) AS values
          FROM gone g
          WHERE NOT EXISTS (SELECT FROM leadguard.field_value v WHERE (v.target, v.column_name, v.key) = (g.target, g.column_name, g.key))
            AND EXISTS (SELECT FROM leadguard.protected_table p WHERE p.target = g.target)
          GROUP BY 1, 2 ORDER BY 1, 2) d;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.watch_dropped_values() IS
'Trigger AFTER DELETE of field_value: a field whose list goes takes every value; as watch_vocabulary.';
CREATE TRIGGER schema_90_vocabulary AFTER INSERT ON leadguard.tag_namespace REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.watch_vocabulary();
CREATE TRIGGER schema_90_vocabulary AFTER INSERT ON leadguard.field_value REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.watch_vocabulary();
CREATE TRIGGER schema_90_dropped_values AFTER DELETE ON leadguard.field_value REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.watch_dropped_values();

CREATE FUNCTION leadguard.watch_attributes()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.note_vocabulary(new.target, 'attribute', a.column_name || '.' || a.key, jsonb_build_object('version', new.version))
    FROM (SELECT DISTINCT r.column_name, r.key FROM leadguard.field_rule r WHERE r.version_id = new.id AND r.key <> '' ORDER BY 1, 2) a
    WHERE NOT EXISTS (SELECT FROM leadguard.field_version v JOIN leadguard.field_rule r ON r.version_id = v.id
                      WHERE v.target = new.target AND v.id <> new.id AND v.activated_at IS NOT NULL AND (r.column_name, r.key) = (a.column_name, a.key));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.watch_attributes() IS
'Trigger AFTER ROW of field_version: a version that becomes active may bring attributes (keys of jsonb columns) that none had before; as watch_vocabulary.';
CREATE TRIGGER schema_90_attributes AFTER UPDATE OF state ON leadguard.field_version
    FOR EACH ROW WHEN (new.state = 'active' AND old.state <> 'active') EXECUTE FUNCTION leadguard.watch_attributes();
