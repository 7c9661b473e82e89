-- Who joins as what: rules about e-mail domains, and guests by invitation.

CREATE FUNCTION leadguard.domain_gives(rule_kind text, role_id bigint, org_id bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM leadguard.role r, leadguard.organization o
        WHERE r.id = $2 AND o.id = $3
          AND CASE WHEN o.domain_roles = 'any' THEN true
                   WHEN $1 = 'own' THEN r.name <> 'GUEST'
                   ELSE r.name = 'GUEST' OR (r.org_id = o.id AND r.rank = 0 AND r.capabilities = '{}') END)
$$;
COMMENT ON FUNCTION leadguard.domain_gives(text, bigint, bigint) IS
'Internal: whether a rule about domains of this kind may give the role, as organization.domain_roles says.';

CREATE FUNCTION leadguard.joins_as(org_id bigint, email text)
RETURNS TABLE (kind text, role text)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    -- What is no domain by its form has no rule, not even that for all others.
    WITH asked AS (
        SELECT rtrim(lower(substring(btrim($2) FROM '@([^@]*)$') COLLATE "C"), '.') AS domain
    ), rule AS (
        SELECT r.kind, r.role_id
        FROM asked a
        JOIN leadguard.domain_rule r ON r.org_id = $1
            AND (r.domain = a.domain OR r.domain = '*'
                 OR (starts_with(r.domain, '*.') AND right(a.domain, length(r.domain) - 1) = substr(r.domain, 2)))
        WHERE a.domain COLLATE "C" ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$'
        ORDER BY r.domain = a.domain DESC, length(r.domain) DESC
        LIMIT 1
    )
    SELECT CASE WHEN rule.kind IN ('partner', 'customer') THEN 'guest' ELSE 'person' END, given.name
    FROM (VALUES (1)) one
    LEFT JOIN rule ON true
    LEFT JOIN leadguard.role given ON given.id = rule.role_id AND leadguard.domain_gives(rule.kind, given.id, $1)
$$;
COMMENT ON FUNCTION leadguard.joins_as(bigint, text) IS
'Internal: what the rules about e-mail domains make of a new member of an organization.';

CREATE FUNCTION leadguard.role_for(email text, organization text DEFAULT NULL)
RETURNS TABLE (kind text, role text)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asked bigint;
    own bigint := leadguard.current_organization();
    free boolean := leadguard.is_unbound();
BEGIN
    SELECT o.id INTO asked FROM leadguard.organization o
    WHERE CASE WHEN role_for.organization IS NOT NULL THEN o.key = role_for.organization ELSE o.id = coalesce(own, 1) END;
    IF NOT free AND (asked IS DISTINCT FROM own OR own IS NULL
        OR NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_organization')
                OR leadguard.has_capability('manage_members'))) THEN
        RAISE EXCEPTION 'role_for refused'
            USING ERRCODE = '42501',
                  HINT = 'Members with the capability administer, manage_organization or manage_members ask about their organization.';
    ELSIF asked IS NULL THEN
        RAISE EXCEPTION 'there is no organization %', quote_nullable(organization) USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT * FROM leadguard.joins_as(asked, email);
END
$$;
COMMENT ON FUNCTION leadguard.role_for(text, text) IS
'What a new member with this e-mail would become by the rules about domains: person or guest, with a role or none. organization (key): by default that of the caller. For members with the capability administer, manage_organization or manage_members about their own organization, and superusers; 42501, 22023.';

-- A rule, and who may make it: nobody gives by a rule what he does not have himself.
CREATE FUNCTION leadguard.resolve_domain_rule()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given leadguard.role;
BEGIN
    new.domain := lower(new.domain COLLATE "C");
    SELECT r.* INTO given FROM leadguard.role r
    WHERE r.name = new.role AND (r.org_id IS NULL OR r.org_id = new.org_id)
    ORDER BY r.org_id NULLS LAST LIMIT 1;
    IF given.id IS NULL THEN
        RAISE EXCEPTION 'there is no role "%"', new.role
            USING ERRCODE = '23503', HINT = 'Roles are those shipped and those of the organization, see leadguard.role.';
    END IF;
    new.role_id := given.id;
    IF given.name = 'system' OR NOT leadguard.domain_gives(new.kind, given.id, new.org_id) THEN
        RAISE EXCEPTION 'a rule of kind % does not give the role "%"', new.kind, new.role
            USING ERRCODE = '23514',
                  HINT = CASE WHEN given.name = 'system' THEN 'It is for members of kind system, which no e-mail makes.'
                              WHEN new.kind = 'own' THEN 'GUEST is for external members, unless organization.domain_roles is any.'
                              ELSE 'External members get GUEST or a role of the organization of rank 0 without capabilities, unless organization.domain_roles is any.' END;
    END IF;
    IF leadguard.current_member() IS NOT NULL AND NOT leadguard.has_capability('administer') AND NOT leadguard.may_give(given.id) THEN
        RAISE EXCEPTION 'the role "%" is not yours to give', new.role
            USING ERRCODE = '42501', HINT = 'A member with the capability administer can make the rule.';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.resolve_domain_rule() IS
'Trigger BEFORE ROW of domain_rule: finds the role (23503), and judges whether the rule may give it (23514) and its maker too (42501).';
CREATE TRIGGER directory_30_resolve BEFORE INSERT OR UPDATE ON leadguard.domain_rule
    FOR EACH ROW EXECUTE FUNCTION leadguard.resolve_domain_rule();

CREATE FUNCTION leadguard.keep_domain_roles()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    culprits text;
BEGIN
    SELECT string_agg(format('%s: %s', d.domain, d.role), ', ' ORDER BY d.domain) INTO culprits
    FROM leadguard.domain_rule d WHERE d.org_id = new.id AND NOT leadguard.domain_gives(d.kind, d.role_id, d.org_id);
    IF culprits IS NOT NULL THEN
        RAISE EXCEPTION 'rules about domains of organization "%" give more than guest_only allows', new.key
            USING ERRCODE = '23514', DETAIL = culprits, HINT = 'Change or delete them in leadguard.domain_rule first.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.keep_domain_roles() IS
'Trigger AFTER ROW of organization: 23514 where domain_roles becomes guest_only and a rule gives more.';
CREATE TRIGGER directory_35_domain_roles AFTER UPDATE OF domain_roles ON leadguard.organization
    FOR EACH ROW WHEN (new.domain_roles <> old.domain_roles AND new.domain_roles = 'guest_only') EXECUTE FUNCTION leadguard.keep_domain_roles();

-- The kind at once, so that no external member is a person for a moment; the role at the end of the transaction, so
-- that one given in it stays the only one. What a restore brings was decided long ago.
CREATE FUNCTION leadguard.join_by_domain()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_restore() AND EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.org_id = new.org_id) THEN
        new.kind := (SELECT j.kind FROM leadguard.joins_as(new.org_id, new.email) j);
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION leadguard.join_by_domain() IS
'Trigger BEFORE ROW of member: a new member with an e-mail of a partner''s or customer''s domain is a guest.';
CREATE TRIGGER directory_15_domain BEFORE INSERT ON leadguard.member
    FOR EACH ROW WHEN (new.email IS NOT NULL AND new.kind = 'person') EXECUTE FUNCTION leadguard.join_by_domain();

CREATE FUNCTION leadguard.join_with_role()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_restore() AND EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.org_id = new.org_id) THEN
        INSERT INTO leadguard.member_role (member_id, role)
        SELECT m.id, j.role
        FROM leadguard.member m
        CROSS JOIN LATERAL leadguard.joins_as(m.org_id, m.email) j
        WHERE m.id = new.id AND j.role IS NOT NULL AND j.kind = m.kind
          AND NOT EXISTS (SELECT FROM leadguard.member_role mr WHERE mr.member_id = m.id);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.join_with_role() IS
'Trigger at the end of the transaction that inserted a member: gives the role of the rule about the e-mail''s domain to a member who has none.';
CREATE CONSTRAINT TRIGGER directory_70_domain_role AFTER INSERT ON leadguard.member
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.email IS NOT NULL AND new.kind <> 'system') EXECUTE FUNCTION leadguard.join_with_role();

CREATE FUNCTION leadguard.invite(target regclass, record text, key text, name text DEFAULT NULL, email text DEFAULT NULL,
                                 level text DEFAULT 'read', reason text DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'invite_wrapper';
COMMENT ON FUNCTION leadguard.invite(regclass, text, text, text, text, text, text, timestamptz) IS
'Shares a record with a guest (key), who becomes a member of kind guest with the role GUEST if he is none yet; returns the id of the member. Name and e-mail are for a new one. For members who may share the record, except guests, and superusers. Errors: 42501 no right, or no such record for the caller; 22023 arguments, or a key that is not that of an active guest of the organization of the record.';

CREATE FUNCTION leadguard.invitations()
RETURNS TABLE (member text, name text, active boolean, invitations bigint, last_given timestamptz, next_end timestamptz)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_members')) THEN
        RAISE EXCEPTION 'invitations refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability administer or manage_members review the guests of their organization.';
    END IF;
    RETURN QUERY
    SELECT m.key, m.name, m.active, count(g.id), max(g.granted_at), min(g.until)
    FROM leadguard.member m
    LEFT JOIN leadguard.record_grant g ON g.member_id = m.id AND (g.until IS NULL OR g.until > statement_timestamp())
    WHERE m.kind = 'guest' AND m.org_id = leadguard.current_organization()
    GROUP BY m.id
    ORDER BY m.key;
END
$$;
COMMENT ON FUNCTION leadguard.invitations() IS
'The guests of the caller''s organization, how many records each was invited to (shares and contacts that still hold), when last, and when the first of them ends. For members with the capability administer or manage_members; 42501.';

CREATE FUNCTION leadguard.domain_rule_guard()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
        OR (TG_OP <> 'TRUNCATE' AND NOT leadguard.is_guest()
            AND (leadguard.has_capability('administer') OR leadguard.has_capability('manage_organization'))) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on leadguard.% refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = '42501', HINT = 'A member with the capability administer or manage_organization writes the rules of his organization.';
END
$$;
COMMENT ON FUNCTION leadguard.domain_rule_guard() IS
'Trigger BEFORE STATEMENT of domain_rule: 42501 unless the caller owns the extension or has the capability administer or manage_organization.';
CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.domain_rule
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.domain_rule_guard();
ALTER TABLE leadguard.domain_rule ENABLE ALWAYS TRIGGER directory_00_guard, ENABLE ALWAYS TRIGGER directory_30_resolve;
ALTER TABLE leadguard.organization ENABLE ALWAYS TRIGGER directory_35_domain_roles;
ALTER TABLE leadguard.member ENABLE ALWAYS TRIGGER directory_15_domain, ENABLE ALWAYS TRIGGER directory_70_domain_role;
