-- audit_run and the findings.

CREATE FUNCTION leadguard.review_refuse(operation text)
RETURNS void LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT leadguard.is_unbound()
       AND (leadguard.current_member() IS NULL OR leadguard.is_guest() OR leadguard.is_analyst() OR NOT leadguard.has_capability('audit')
            OR EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
                       WHERE mr.member_id = leadguard.current_member() AND r.level_cap = 'read')) THEN
        RAISE EXCEPTION '% refused', operation
            USING ERRCODE = '42501', HINT = 'Members with the capability audit review their organization; guests, analysts and view-only roles do not.';
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.review_refuse(text) IS 'Internal: 42501 unless the caller may hold reviews.';

CREATE FUNCTION leadguard.review_organizations(kind text, subject text, since timestamptz, organization text)
RETURNS SETOF bigint LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own bigint := leadguard.current_organization();
    asked bigint[];
BEGIN
    PERFORM leadguard.review_refuse('audit_run');
    IF kind IS NULL OR kind NOT IN ('quarterly', 'monthly', 'incident') THEN
        RAISE EXCEPTION 'kind % is unknown', quote_nullable(kind) USING ERRCODE = '22023', HINT = 'Kinds are quarterly, monthly, incident.';
    ELSIF (kind = 'incident') <> (subject IS NOT NULL) THEN
        RAISE EXCEPTION 'a review of kind % %', kind, CASE kind WHEN 'incident' THEN 'needs a subject' ELSE 'has no subject' END
            USING ERRCODE = '22023', HINT = 'An incident is about a member: leadguard.audit_run(''incident'', ''key'').';
    ELSIF since > now() THEN
        RAISE EXCEPTION 'since is in the future'
            USING ERRCODE = '22023', HINT = 'Leave it out to look back a quarter, or a month.';
    END IF;
    SELECT array_agg(o.id ORDER BY o.id) INTO asked
    FROM leadguard.organization o
    WHERE o.archived_at IS NULL AND (own IS NULL OR o.id = own)
      AND (review_organizations.organization IS NULL OR o.key = review_organizations.organization);
    IF asked IS NULL THEN
        RAISE EXCEPTION 'there is no organization %', quote_nullable(organization)
            USING ERRCODE = '22023', HINT = 'Leave it out to review your own, or, as a superuser, all of them.';
    ELSIF kind = 'incident' THEN
        SELECT array_agg(m.org_id) INTO asked FROM leadguard.member m WHERE m.key = review_organizations.subject AND m.org_id = ANY (asked);
        IF asked IS NULL THEN
            RAISE EXCEPTION 'there is no member %', quote_nullable(subject)
                USING ERRCODE = '22023', HINT = 'Name a member of your organization by his key.';
        ELSIF subject = (SELECT m.key FROM leadguard.member m WHERE m.id = leadguard.current_member()) THEN
            RAISE EXCEPTION 'the incident is about you'
                USING ERRCODE = '42501', HINT = 'Somebody else with the capability audit looks into it.';
        END IF;
    END IF;
    RETURN QUERY SELECT unnest(asked);
END
$$;
COMMENT ON FUNCTION leadguard.review_organizations(text, text, timestamptz, text) IS
'Internal: which organizations the caller is about to review; 42501, 22023.';

CREATE FUNCTION leadguard.review_incident(org bigint, member text, since timestamptz)
RETURNS jsonb LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('member', m.key) || jsonb_object_agg(s.section, jsonb_build_object('is', coalesce(s."is", 'null'), 'sql', s.sql))
    FROM leadguard.member m
    CROSS JOIN LATERAL (
        SELECT 'login' AS section, jsonb_build_object('login', m.db_role, 'kind', m.kind, 'active', m.active,
                   'logins_of_others', (SELECT jsonb_agg(l.db_role) FROM leadguard.login_role l WHERE l.member_id = m.id)) AS "is",
               format('UPDATE leadguard.member SET active = false WHERE key = %L;', m.key) AS sql
        UNION ALL
        SELECT 'roles', (SELECT jsonb_agg(jsonb_build_object('role', mr.role, 'rank', r.rank, 'capabilities', to_jsonb(r.capabilities)) ORDER BY mr.role)
                         FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id WHERE mr.member_id = m.id),
               format('DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = %L;', m.key)
        UNION ALL
        SELECT 'teams', (SELECT jsonb_agg(jsonb_build_object('team', t.key, 'role', tm.role) ORDER BY t.key)
                         FROM leadguard.team_member tm JOIN leadguard.team t ON t.id = tm.team_id WHERE tm.member_id = m.id),
               format('DELETE FROM leadguard.team_member t USING leadguard.member m WHERE m.id = t.member_id AND m.key = %L;', m.key)
        UNION ALL
        SELECT 'territories', (SELECT jsonb_agg(t.key ORDER BY t.key) FROM leadguard.territory t
                               WHERE t.owner_id = m.id OR EXISTS (SELECT FROM leadguard.territory_member tm WHERE tm.territory_id = t.id AND tm.member_id = m.id)),
               format('DELETE FROM leadguard.territory_member t USING leadguard.member m WHERE m.id = t.member_id AND m.key = %L;', m.key)
        UNION ALL
        SELECT 'scopes', (SELECT jsonb_agg(jsonb_build_object('table', sc.target::text, 'kind', sc.kind, 'value', sc.value) ORDER BY sc.target::text, sc.value)
                          FROM leadguard.member_scope sc WHERE sc.member_id = m.id),
               format('DELETE FROM leadguard.member_scope s USING leadguard.member m WHERE m.id = s.member_id AND m.key = %L;', m.key)
        UNION ALL
        SELECT 'people_below', (SELECT jsonb_agg(b.key ORDER BY b.key) FROM leadguard.member_closure c JOIN leadguard.member b ON b.id = c.descendant_id
                                WHERE c.ancestor_id = m.id AND c.depth > 0), NULL
        UNION ALL
        SELECT 'grants', (SELECT jsonb_agg(jsonb_build_object('table', g.target::text, 'record', g.record, 'kind', g.kind, 'level', g.level, 'until', g.until,
                                               'retained', g.retained) ORDER BY g.id)
                          FROM (SELECT * FROM leadguard.record_grant x WHERE x.member_id = m.id AND (x.until IS NULL OR x.until > now()) ORDER BY x.id LIMIT 500) g),
               (SELECT string_agg(format('SELECT leadguard.%s(%L, %L, member => %L);', CASE g.kind WHEN 'share' THEN 'unshare' ELSE 'team_remove' END,
                                         coalesce(p.concealed_by, p.target)::text, g.record, m.key), E'\n' ORDER BY g.id)
                FROM (SELECT * FROM leadguard.record_grant x WHERE x.member_id = m.id AND x.kind IN ('share', 'record_team') ORDER BY x.id LIMIT 500) g
                JOIN leadguard.protected_table p ON p.target = g.target)
        UNION ALL
        -- What the rules say of the roles, table by table; what they come to is in leadguard.member_rights.
        SELECT 'rules', (SELECT jsonb_object_agg(p.target::text, r.rules)
                         FROM leadguard.protected_table p
                         CROSS JOIN LATERAL (
                             SELECT jsonb_agg(concat_ws(' ', u.role, u.path, u.action, u.effect) ORDER BY u.role, u.path, u.action) AS rules
                             FROM (SELECT a.role, a.path, a.action, a.effect FROM leadguard.access_rule a WHERE a.target = p.target
                                   UNION ALL
                                   SELECT s.role, s.path, s.action, s.effect FROM leadguard.preset_rule s
                                   WHERE s.preset = p.preset AND s.object IN ('*', p.object)
                                     AND NOT EXISTS (SELECT FROM leadguard.access_rule a WHERE a.target = p.target
                                                     AND (a.role, a.path, a.action, a.statuses) = (s.role, s.path, s.action, s.statuses))) u
                             WHERE u.effect <> 'none' AND (u.role = '*' OR u.role IN (SELECT mr.role FROM leadguard.member_role mr WHERE mr.member_id = m.id))) r
                         WHERE p.org_id = $1 OR p.organization_column IS NOT NULL), NULL
        UNION ALL
        SELECT 'delegations', (SELECT jsonb_agg(jsonb_build_object('of', f.key, 'to', t.key, 'table', d.target::text, 'level', d.level, 'until', d.until) ORDER BY d.id)
                               FROM leadguard.delegation d JOIN leadguard.member f ON f.id = d.member_id JOIN leadguard.member t ON t.id = d.delegate_id
                               WHERE m.id IN (f.id, t.id) AND d.ended_at IS NULL AND d.until > now()),
               (SELECT string_agg(format('SELECT leadguard.undelegate(%s);', d.id), E'\n' ORDER BY d.id) FROM leadguard.delegation d
                WHERE m.id IN (d.member_id, d.delegate_id) AND d.ended_at IS NULL AND d.until > now())
        UNION ALL
        SELECT 'activity', (SELECT jsonb_agg(jsonb_build_object('table', a.target_name, 'action', a.action, 'count', a.count, 'first', a.first, 'last', a.last,
                                                                'logins', a.logins) ORDER BY a.last DESC)
                            FROM (SELECT l.target_name, l.action, count(*) AS count, min(l.at) AS first, max(l.at) AS last, jsonb_agg(DISTINCT l.session_role) AS logins
                                  FROM leadguard.audit_log l WHERE l.member_id = m.id AND l.at >= $3 GROUP BY l.target_name, l.action) a),
               format('SELECT * FROM leadguard.audit_log WHERE member_key = %L AND at >= %L ORDER BY id;', m.key, $3)) s
    WHERE m.org_id = $1 AND m.key = $2
    GROUP BY m.key
$$;
COMMENT ON FUNCTION leadguard.review_incident(bigint, text, timestamptz) IS 'Internal: everything that a member has, and what he did.';

CREATE FUNCTION leadguard.review_concerns(org bigint, evidence jsonb)
RETURNS bigint[] LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH named AS MATERIALIZED (
        SELECT n.key #>> '{}' AS key
        FROM jsonb_path_query($2, '$.member') n (key)
        UNION SELECT n.key #>> '{}' FROM jsonb_path_query($2, '$.by') n (key)
        UNION SELECT n.key #>> '{}' FROM jsonb_path_query($2, '$.login') n (key)
        UNION SELECT n.key #>> '{}' FROM jsonb_path_query($2, '$.administrators[*]') n (key)
        UNION SELECT n.key #>> '{}' FROM jsonb_path_query($2, '$.owners[*]') n (key)
    )
    SELECT coalesce(array_agg(DISTINCT c.id ORDER BY c.id), '{}')
    FROM (SELECT m.id FROM leadguard.member m WHERE m.org_id = $1 AND m.key IN (SELECT n.key FROM named n)
          UNION ALL
          SELECT m.id FROM leadguard.member m WHERE m.org_id = $1 AND m.db_role IN (SELECT n.key FROM named n)
          UNION ALL
          -- Keys as they were when it happened.
          SELECT (e.id #>> '{}')::bigint FROM jsonb_path_query($2, '$.concerns[*]') e (id)) c
    WHERE c.id IS NOT NULL
$$;
COMMENT ON FUNCTION leadguard.review_concerns(bigint, jsonb) IS
'Internal: whom a finding is about: members whom its evidence names by key or login, and those whose numbers stand in its concerns.';

CREATE FUNCTION leadguard.review_note(review bigint, org bigint, finding text, lasting boolean, severity text, subject text, evidence jsonb, suggestion text)
RETURNS void LANGUAGE sql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO leadguard.finding AS f (org_id, finding, severity, subject, evidence, suggestion, first_seen, last_seen, first_review, last_review, concerns)
    VALUES ($2, $3, $5, CASE WHEN length($6) > 500 THEN left($6, 460) || ' ' || md5($6) ELSE $6 END, $7 - 'concerns', $8, clock_timestamp(), clock_timestamp(), $1, $1, leadguard.review_concerns($2, $7))
    ON CONFLICT ON CONSTRAINT finding_unique DO UPDATE
    SET concerns = excluded.concerns || CASE WHEN f.status = 'resolved' AND $4 THEN '{}'
                                             ELSE (SELECT coalesce(array_agg(c), '{}') FROM unnest(f.concerns) c WHERE c <> ALL (excluded.concerns)) END,
        severity = excluded.severity, evidence = excluded.evidence, suggestion = excluded.suggestion, last_seen = excluded.last_seen, last_review = $1,
        history = f.history || CASE WHEN f.status = 'resolved' AND $4
            THEN jsonb_build_array(jsonb_build_object('status', f.status, 'at', f.resolved_at, 'resolution', f.resolution,
                                                      'by', (SELECT m.key FROM leadguard.member m WHERE m.id = f.resolved_by))) ELSE '[]' END,
        status = CASE WHEN f.status = 'resolved' AND $4 THEN 'open' ELSE f.status END,
        resolution = CASE WHEN f.status = 'resolved' AND $4 THEN NULL ELSE f.resolution END,
        resolved_by = CASE WHEN f.status = 'resolved' AND $4 THEN NULL ELSE f.resolved_by END,
        resolved_at = CASE WHEN f.status = 'resolved' AND $4 THEN NULL ELSE f.resolved_at END
$$;
COMMENT ON FUNCTION leadguard.review_note(bigint, bigint, text, boolean, text, text, jsonb, text) IS
'Internal: writes a finding down; one that was resolved and is there again is open again, if it is a lasting one.';

CREATE FUNCTION leadguard.review_note_owners(review bigint, org bigint, owners jsonb)
RETURNS void LANGUAGE plpgsql VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
    new_owner text := coalesce((SELECT m.key FROM leadguard.member m WHERE m.id = leadguard.current_member() AND m.org_id = org),
                               (SELECT a.key FROM leadguard.administrators(org) a ORDER BY a.place LIMIT 1));
BEGIN
    FOR item IN
        SELECT p.*, CASE WHEN leadguard.is_unbound() THEN p.target ELSE coalesce(p.concealed_by, p.target) END AS read_from,
               coalesce(p.concealed_by, p.target) AS shown, o.without, o.unknown, o.unread,
               (SELECT y.typcategory = 'N' FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
                WHERE a.attrelid = p.target AND a.attname = p.owner_column AND NOT a.attisdropped) AS by_id
        FROM jsonb_to_recordset(owners) o (target oid, without bigint, unknown bigint, unread text)
        JOIN leadguard.protected_table p ON p.target = o.target
    LOOP
        -- What cannot be read is not known better than an earlier review knew it.
        UPDATE leadguard.finding f SET last_seen = clock_timestamp(), last_review = review
        WHERE f.org_id = org AND f.finding = 'record_without_owner' AND f.subject = 'table ' || item.shown::text AND f.status <> 'resolved'
          AND f.evidence ? 'without'
          AND item.unread IS NOT NULL;
        IF FOUND THEN
            CONTINUE;
        ELSIF item.unread IS NOT NULL THEN
            PERFORM leadguard.review_note(review, org, 'record_without_owner', true, 'info', 'table ' || item.shown::text,
                jsonb_build_object('result', 'not measured', 'why', item.unread), NULL);
        ELSIF item.without + item.unknown > 0 THEN
            PERFORM leadguard.review_note(review, org, 'record_without_owner', true, 'medium', 'table ' || item.shown::text,
                jsonb_build_object('table', item.shown::text, 'without', item.without, 'unknown', item.unknown,
                                   'counted_for', coalesce((SELECT m.key FROM leadguard.member m WHERE m.id = leadguard.current_member()), session_user::text)),
                format('SELECT leadguard.reassign(%L, t.%I::text, owner => %L, reason => ''had no owner'') FROM %s t WHERE %s(t.%I IS NULL OR NOT EXISTS (SELECT FROM leadguard.member m WHERE %sm.%s::text = t.%I::text));',
                       item.read_from::text, item.id_column, new_owner, item.read_from,
                       CASE WHEN item.archived_at_column IS NOT NULL THEN format('t.%I IS NULL AND ', item.archived_at_column) ELSE '' END,
                       item.owner_column, CASE WHEN leadguard.is_unbound() THEN 'm.active AND ' ELSE '' END, CASE WHEN item.by_id THEN 'id' ELSE 'key' END, item.owner_column));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.review_note_owners(bigint, bigint, jsonb) IS 'Internal: findings about records without an owner.';

CREATE FUNCTION leadguard.run_review(org bigint, kind text, about text, since timestamptz, owners jsonb)
RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off SET datestyle = 'ISO, MDY' SET quote_all_identifiers = off
AS $$
DECLARE
    made bigint;
    question leadguard.review_check;
    item record;
    runner bigint := (SELECT m.id FROM leadguard.member m WHERE m.id = leadguard.current_member() AND m.org_id = org);
    start timestamptz := coalesce(since, now() - CASE kind WHEN 'monthly' THEN interval '1 month' ELSE interval '3 months' END);
    still_open integer;
    watched regclass;
BEGIN
    -- One review of an organization at a time.
    PERFORM FROM leadguard.organization o WHERE o.id = org FOR NO KEY UPDATE;
    INSERT INTO leadguard.review (org_id, kind, run_by, parameters)
    VALUES (org, kind, runner, jsonb_strip_nulls(jsonb_build_object('since', start, 'subject', about)))
    RETURNING id INTO made;
    IF kind = 'incident' THEN
        -- One finding for each: what an earlier one saw stays as it was.
        PERFORM leadguard.review_note(made, org, 'incident', true, 'high', format('member %s, review %s', about, made),
            leadguard.review_incident(org, about, start),
            format('SELECT leadguard.resolve_finding(f.id, ''resolved'', ''what was learnt'') FROM leadguard.finding f WHERE f.finding = ''incident'' AND f.subject = %L AND f.status = ''open'';',
                   format('member %s, review %s', about, made)));
    ELSE
        -- What changed while nothing watched is looked for first.
        FOR watched IN
            SELECT p.target FROM leadguard.protected_table p JOIN pg_class c ON c.oid = p.target WHERE p.org_id = org OR p.organization_column IS NOT NULL
            UNION ALL
            SELECT h.target FROM leadguard.protected_child h JOIN pg_class c ON c.oid = h.target
            JOIN leadguard.protected_table p ON p.target = h.parent WHERE p.org_id = org OR p.organization_column IS NOT NULL
        LOOP
            PERFORM leadguard.note_shape(watched, false, false);
        END LOOP;
        FOR question IN SELECT c.* FROM leadguard.review_check c WHERE run_review.kind = ANY (c.kinds) ORDER BY c.position LOOP
            IF question.finding = 'record_without_owner' THEN
                PERFORM leadguard.review_note_owners(made, org, owners);
            ELSE
                FOR item IN EXECUTE format('SELECT severity, subject, evidence, suggestion FROM leadguard.%I($1, $2)', 'review_' || question.finding) USING org, start LOOP
                    PERFORM leadguard.review_note(made, org, question.finding, question.lasting, item.severity, item.subject, item.evidence, item.suggestion);
                END LOOP;
            END IF;
        END LOOP;
        UPDATE leadguard.finding f
        SET status = 'resolved', resolution = 'no longer found', resolved_at = clock_timestamp(), resolved_by = NULL,
            history = f.history || CASE WHEN f.status = 'accepted'
                THEN jsonb_build_array(jsonb_build_object('status', f.status, 'at', f.resolved_at, 'resolution', f.resolution,
                                                          'by', (SELECT m.key FROM leadguard.member m WHERE m.id = f.resolved_by))) ELSE '[]' END
        FROM leadguard.review_check c
        WHERE c.finding = f.finding AND c.lasting AND run_review.kind = ANY (c.kinds)
          AND f.org_id = org AND f.status <> 'resolved' AND f.last_review <> made;
    END IF;
    SELECT count(*) INTO still_open FROM leadguard.finding f WHERE f.org_id = org AND f.last_review = made AND f.status = 'open';
    UPDATE leadguard.review r SET findings = still_open WHERE r.id = made;
    PERFORM leadguard.note_event('review', org, NULL, NULL, NULL, concat_ws(' ', kind, about) || format(': %s open', still_open));
    RETURN made;
END
$$;
COMMENT ON FUNCTION leadguard.run_review(bigint, text, text, timestamptz, jsonb) IS
'Internal: holds a review of one organization; its caller was judged by review_organizations.';

CREATE FUNCTION leadguard.hold_review(kind text, subject text, since timestamptz, organization text)
RETURNS bigint[] LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'hold_review_wrapper';
COMMENT ON FUNCTION leadguard.hold_review(text, text, timestamptz, text) IS
'Internal: as audit_run, and returns the numbers of the reviews. Counts records without an owner with the rights of the caller.';

CREATE FUNCTION leadguard.audit_run(kind text, about text DEFAULT NULL, since timestamptz DEFAULT NULL, organization text DEFAULT NULL)
RETURNS TABLE (id bigint, finding text, severity text, subject text, evidence jsonb, suggestion text, status text, first_seen timestamptz, org text)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    held bigint[];
BEGIN
    held := leadguard.hold_review(kind, about, since, organization);
    RETURN QUERY
        SELECT f.id, f.finding, f.severity, f.subject, CASE WHEN f.finding = 'incident' THEN jsonb_build_object('member', f.evidence -> 'member') ELSE f.evidence END,
               f.suggestion, f.status, f.first_seen, o.key
        FROM leadguard.finding f
        JOIN leadguard.organization o ON o.id = f.org_id
        LEFT JOIN leadguard.review_check c ON c.finding = f.finding
        WHERE f.last_review = ANY (held) AND f.status <> 'resolved'
        ORDER BY o.id, c.position, f.subject;
    IF kind = 'incident' THEN
        RETURN QUERY
            SELECT f.id, 'access', 'info', s.section, s.part -> 'is', s.part ->> 'sql', f.status, f.first_seen, o.key
            FROM leadguard.finding f
            JOIN leadguard.organization o ON o.id = f.org_id
            CROSS JOIN LATERAL jsonb_each(f.evidence - 'member') s (section, part)
            WHERE f.last_review = ANY (held) AND f.finding = 'incident'
            ORDER BY array_position('{login,roles,rules,teams,territories,scopes,people_below,grants,delegations,activity}'::text[], s.section);
    END IF;
END
$$;
COMMENT ON FUNCTION leadguard.audit_run(text, text, timestamptz, text) IS
'Holds a review and returns what is open or accepted: finding, severity, subject, evidence, SQL that solves it. kind: quarterly, monthly, or incident with a member''s key, which returns everything that the member has and did. since: from when on batches, promotions and activity count; by default three months, one month for a monthly review. Findings stay in leadguard.finding until somebody resolves them or a later review finds them over. For members with the capability audit about their organization; superusers hold it for all organizations or the given one (key). 42501, 22023.';

CREATE FUNCTION leadguard.findings(status text DEFAULT 'open')
RETURNS TABLE (id bigint, finding text, severity text, subject text, evidence jsonb, suggestion text, status text, resolution text, resolved_by text,
               resolved_at timestamptz, first_seen timestamptz, last_seen timestamptz, org text)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.id, f.finding, f.severity, f.subject, f.evidence, f.suggestion, f.status, f.resolution,
           (SELECT m.key FROM leadguard.member m WHERE m.id = f.resolved_by), f.resolved_at, f.first_seen, f.last_seen, o.key
    FROM leadguard.finding f
    JOIN leadguard.organization o ON o.id = f.org_id
    WHERE $1 IS NULL OR f.status = $1
    ORDER BY array_position('{high,medium,low,info}'::text[], f.severity), f.first_seen, f.id
$$;
COMMENT ON FUNCTION leadguard.findings(text) IS
'Findings of reviews with the status open, resolved or accepted, or all (NULL). Members with the capability audit read those of their organization, superusers all.';

CREATE FUNCTION leadguard.resolve_finding(id bigint, status text, resolution text)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of leadguard.finding;
    own leadguard.member;
BEGIN
    PERFORM leadguard.review_refuse('resolve_finding');
    IF id IS NULL THEN
        RAISE EXCEPTION 'argument "id" must not be NULL' USING ERRCODE = '22023';
    END IF;
    SELECT m.* INTO own FROM leadguard.member m WHERE m.id = leadguard.current_member();
    SELECT f.* INTO of FROM leadguard.finding f WHERE f.id = resolve_finding.id AND (own.id IS NULL OR f.org_id = own.org_id) FOR UPDATE;
    IF of.id IS NULL THEN
        RAISE EXCEPTION 'finding % does not exist or is not visible', id
            USING ERRCODE = '42501', HINT = 'leadguard.findings() lists those of your organization.';
    ELSIF status IS NULL OR status NOT IN ('open', 'resolved', 'accepted') THEN
        RAISE EXCEPTION 'status % is unknown', quote_nullable(status) USING ERRCODE = '22023', HINT = 'It is one of open, resolved, accepted.';
    ELSIF resolution IS NULL OR btrim(resolution) = '' OR length(resolution) > 10000 THEN
        RAISE EXCEPTION 'the resolution is missing or too long' USING ERRCODE = '22023', HINT = 'Say what was done about it.';
    ELSIF own.id = ANY (of.concerns) THEN
        RAISE EXCEPTION 'finding % is about you', id USING ERRCODE = '42501', HINT = 'Somebody else with the capability audit resolves it.';
    ELSIF of.status = status THEN
        RAISE EXCEPTION 'finding % is % already', id, status
            USING ERRCODE = '55000', HINT = 'leadguard.findings() shows what was said of it.';
    END IF;
    UPDATE leadguard.finding f
    SET status = resolve_finding.status,
        resolution = CASE WHEN resolve_finding.status <> 'open' THEN resolve_finding.resolution END,
        resolved_by = CASE WHEN resolve_finding.status <> 'open' THEN own.id END,
        resolved_at = CASE WHEN resolve_finding.status <> 'open' THEN clock_timestamp() END,
        history = f.history || CASE WHEN f.status <> 'open'
            THEN jsonb_build_array(jsonb_build_object('status', f.status, 'at', f.resolved_at, 'resolution', f.resolution,
                                                      'by', (SELECT m.key FROM leadguard.member m WHERE m.id = f.resolved_by))) ELSE '[]' END
    WHERE f.id = of.id;
    PERFORM leadguard.note_event('resolve_finding', of.org_id, NULL, NULL, resolve_finding.resolution, format('%s %s: %s', of.finding, of.subject, resolve_finding.status));
END
$$;
COMMENT ON FUNCTION leadguard.resolve_finding(bigint, text, text) IS
'Resolves a finding, accepts it as it is, or opens it again (status open), with what was done or why. One that is resolved and found again is open again. For members with the capability audit of its organization whom it is not about, and superusers; 42501, 22023, 55000.';
