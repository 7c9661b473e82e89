-- What holds in the directory, whoever writes it.

-- A trigger function keeps the plans of its first call; one made for a single changed row takes minutes for
-- 50,000. Statements that join two transition tables are therefore EXECUTEd, and planned each time.

-- Nothing crosses an organization. One statement-level function for every table that connects two rows.
CREATE FUNCTION leadguard.same_organization()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    culprit text;
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'territory' THEN
        SELECT t.key INTO culprit FROM new_rows t JOIN leadguard.member m ON m.id = t.owner_id
        WHERE m.org_id <> t.org_id LIMIT 1;
    WHEN 'territory_member' THEN
        SELECT t.key INTO culprit FROM new_rows n JOIN leadguard.territory t ON t.id = n.territory_id
        JOIN leadguard.member m ON m.id = n.member_id WHERE m.org_id <> t.org_id LIMIT 1;
    WHEN 'team_member' THEN
        SELECT t.key INTO culprit FROM new_rows n JOIN leadguard.team t ON t.id = n.team_id
        JOIN leadguard.member m ON m.id = n.member_id WHERE m.org_id <> t.org_id LIMIT 1;
    WHEN 'role' THEN
        SELECT n.name INTO culprit FROM new_rows n JOIN leadguard.role shipped ON shipped.name = n.name AND shipped.org_id IS NULL
        WHERE n.org_id IS NOT NULL LIMIT 1;
        IF culprit IS NOT NULL THEN
            RAISE EXCEPTION 'the role name "%" is taken by a shipped role', culprit USING ERRCODE = '23505';
        END IF;
        SELECT n.name INTO culprit FROM new_rows n
        JOIN leadguard.member_role mr ON mr.role_id = n.id
        JOIN leadguard.member m ON m.id = mr.member_id
        WHERE mr.role <> n.name OR m.org_id <> n.org_id LIMIT 1;
        IF culprit IS NOT NULL THEN
            RAISE EXCEPTION 'a role that members have keeps its name and organization'
                USING ERRCODE = '23503', HINT = 'Take the role from its members first.';
        END IF;
    WHEN 'member' THEN
        -- A member who changes organization leaves what connects him to the old one first.
        -- In a merger all of it moves along.
        EXECUTE $q$SELECT n.key FROM new_rows n JOIN old_rows o ON o.id = n.id AND o.org_id <> n.org_id
        WHERE NOT EXISTS (SELECT FROM leadguard.organization s WHERE s.id = o.org_id AND s.merged_into = n.org_id)
          AND (EXISTS (SELECT FROM leadguard.territory t WHERE t.owner_id = n.id)
           OR EXISTS (SELECT FROM leadguard.territory_member tm WHERE tm.member_id = n.id)
           OR EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.member_id = n.id)
           OR EXISTS (SELECT FROM leadguard.record_grant g WHERE g.member_id = n.id)
           OR EXISTS (SELECT FROM leadguard.record_contact c WHERE c.member_id = n.id AND c.removed_at IS NULL)
           OR EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.name = mr.role
                      WHERE mr.member_id = n.id AND r.org_id = o.org_id)) LIMIT 1$q$ INTO culprit;
    WHEN 'team' THEN
        EXECUTE $q$SELECT n.key FROM new_rows n JOIN old_rows o ON o.id = n.id AND o.org_id <> n.org_id
        WHERE NOT EXISTS (SELECT FROM leadguard.organization s WHERE s.id = o.org_id AND s.merged_into = n.org_id)
          AND (EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.team_id = n.id)
           OR EXISTS (SELECT FROM leadguard.record_grant g WHERE g.team_id = n.id)) LIMIT 1$q$ INTO culprit;
    END CASE;
    IF culprit IS NOT NULL THEN
        RAISE EXCEPTION '% row of "%" connects two organizations', TG_TABLE_NAME, culprit
            USING ERRCODE = '23514', HINT = 'Nothing crosses an organization.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.same_organization() IS
'Trigger AFTER STATEMENT of the directory tables: 23514 when a row connects two organizations.';
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['territory', 'territory_member', 'team_member', 'role'] LOOP
        EXECUTE format('CREATE TRIGGER directory_30_insert AFTER INSERT ON leadguard.%I REFERENCING NEW TABLE AS new_rows '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.same_organization()', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['territory', 'territory_member', 'team_member', 'role', 'member', 'team'] LOOP
        EXECUTE format('CREATE TRIGGER directory_30_update AFTER UPDATE ON leadguard.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.same_organization()', t);
    END LOOP;
END
$$;

-- A role name means a shipped role or one of the member's organization.
CREATE FUNCTION leadguard.resolve_role()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT r.id INTO new.role_id FROM leadguard.role r
    WHERE r.name = new.role
      AND (r.org_id IS NULL OR r.org_id = (SELECT m.org_id FROM leadguard.member m WHERE m.id = new.member_id))
    ORDER BY r.org_id NULLS LAST LIMIT 1;
    IF new.role_id IS NULL THEN
        RAISE EXCEPTION 'there is no role "%"', new.role
            USING ERRCODE = '23503', HINT = 'Roles are those shipped and those of the member''s organization, see leadguard.role.';
    END IF;
    IF new.role = 'system' AND (SELECT m.kind FROM leadguard.member m WHERE m.id = new.member_id) <> 'system' THEN
        RAISE EXCEPTION 'the role "system" is for members of kind system only'
            USING ERRCODE = '23514', HINT = 'Persons write what it owns with an approval, see leadguard.request_approval.';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.resolve_role() IS 'Trigger BEFORE ROW of member_role: finds the role by its name, 23503 when there is none, 23514 for the role system of another kind of member.';
CREATE TRIGGER directory_30_resolve BEFORE INSERT OR UPDATE ON leadguard.member_role
    FOR EACH ROW EXECUTE FUNCTION leadguard.resolve_role();

CREATE FUNCTION leadguard.keep_system_kind()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM leadguard.member_role mr WHERE mr.member_id = new.id AND mr.role = 'system') THEN
        RAISE EXCEPTION 'member "%" has the role "system" and stays of kind system', new.key
            USING ERRCODE = '23514', HINT = 'Take the role away in leadguard.member_role first.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.keep_system_kind() IS 'Trigger AFTER ROW of member: a holder of the role system stays of kind system, else 23514.';
CREATE TRIGGER directory_35_kind AFTER UPDATE OF kind ON leadguard.member
    FOR EACH ROW WHEN (new.kind <> 'system') EXECUTE FUNCTION leadguard.keep_system_kind();

-- Which column a rule about fields means: number and name. A dump carries names; the number 0 of a rule whose column
-- is dropped stays.
CREATE FUNCTION leadguard.number_column()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation oid;
BEGIN
    IF new.attnum = 0 THEN
        RETURN new;
    END IF;
    IF TG_TABLE_NAME = 'field_rule' THEN
        SELECT v.target INTO relation FROM leadguard.field_version v WHERE v.id = new.version_id;
    ELSE
        relation := new.target;
    END IF;
    new.attnum := (SELECT a.attnum FROM pg_attribute a
                   WHERE a.attrelid = relation AND a.attname = new.column_name AND a.attnum > 0 AND NOT a.attisdropped);
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.number_column() IS 'Trigger BEFORE ROW of the rules about fields: fills attnum from the name of the column.';
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['field_rule', 'field_value', 'field_transition', 'tag_column', 'column_mask'] LOOP
        EXECUTE format('CREATE TRIGGER directory_30_number BEFORE INSERT OR UPDATE OF column_name ON leadguard.%I '
                       'FOR EACH ROW EXECUTE FUNCTION leadguard.number_column()', t);
    END LOOP;
END
$$;

-- Shipped rows are the same in every database, so that a dump need not carry them.
CREATE FUNCTION leadguard.keep_shipped()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'a shipped row of leadguard.% cannot be changed', TG_TABLE_NAME
        USING ERRCODE = '42501', HINT = 'Add a row of your own.';
END
$$;
COMMENT ON FUNCTION leadguard.keep_shipped() IS 'Trigger BEFORE ROW on shipped rows: 42501.';
CREATE TRIGGER directory_05_shipped_key BEFORE UPDATE ON leadguard.organization
    FOR EACH ROW WHEN (old.id = 1 AND (new.id <> old.id OR new.key <> old.key)) EXECUTE FUNCTION leadguard.keep_shipped();
CREATE TRIGGER directory_05_shipped BEFORE DELETE ON leadguard.organization
    FOR EACH ROW WHEN (old.id = 1) EXECUTE FUNCTION leadguard.keep_shipped();
CREATE TRIGGER directory_05_shipped BEFORE UPDATE OR DELETE ON leadguard.role
    FOR EACH ROW WHEN (old.org_id IS NULL) EXECUTE FUNCTION leadguard.keep_shipped();
CREATE TRIGGER directory_05_no_new_shipped BEFORE INSERT ON leadguard.role
    FOR EACH ROW WHEN (new.org_id IS NULL) EXECUTE FUNCTION leadguard.keep_shipped();

-- A key that rows of a protected table hold must keep meaning the same member.
CREATE FUNCTION leadguard.keep_member_key()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mapping regclass;
    culprit text;
BEGIN
    SELECT p.target INTO mapping
    FROM leadguard.protected_table p
    JOIN pg_attribute a ON a.attrelid = p.target AND a.attname = p.owner_column AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE coalesce(nullif(t.typbasetype, 0), t.oid) NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
    LIMIT 1;
    IF mapping IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        EXECUTE $q$SELECT o.key FROM old_rows o JOIN new_rows n ON n.id = o.id WHERE n.key <> o.key LIMIT 1$q$ INTO culprit;
        IF culprit IS NOT NULL THEN
            RAISE EXCEPTION 'the key of member "%" cannot change', culprit
                USING ERRCODE = '42501', DETAIL = format('The protected table %s maps owners by key.', mapping),
                      HINT = 'Change the name of the member instead.';
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO leadguard.retired_key SELECT key FROM old_rows ON CONFLICT DO NOTHING;
    ELSE
        SELECT n.key INTO culprit FROM new_rows n JOIN leadguard.retired_key r ON r.key = n.key LIMIT 1;
        IF culprit IS NOT NULL THEN
            RAISE EXCEPTION 'the key "%" belonged to a deleted member and cannot be used again', culprit
                USING ERRCODE = '42501', DETAIL = format('The protected table %s maps owners by key.', mapping),
                      HINT = 'Choose another key.';
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.keep_member_key() IS
'Trigger AFTER STATEMENT of member: 42501 for a change or reuse of a key while a protected table maps owners by key.';
CREATE TRIGGER directory_40_key_insert AFTER INSERT ON leadguard.member REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_member_key();
CREATE TRIGGER directory_40_key_update AFTER UPDATE ON leadguard.member REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_member_key();
CREATE TRIGGER directory_40_key_delete AFTER DELETE ON leadguard.member REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_member_key();
