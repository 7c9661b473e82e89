-- The questions of a review about teams, records, batches and schemas.

CREATE FUNCTION leadguard.review_team_owners(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH owner AS (
        SELECT tm.team_id, m.id, m.key, row_number() OVER (PARTITION BY tm.team_id ORDER BY m.id) AS place
        FROM leadguard.team_member tm
        JOIN leadguard.member m ON m.id = tm.member_id AND m.active
        WHERE tm.role = 'owner' AND m.org_id = $1
    ), counted AS (
        SELECT t.id, t.key, (SELECT count(*) FROM owner o WHERE o.team_id = t.id) AS owners
        FROM leadguard.team t
        WHERE t.org_id = $1 AND EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.team_id = t.id)
    )
    SELECT CASE WHEN c.owners = 0 THEN 'medium' ELSE 'low' END, 'team ' || c.key,
           jsonb_build_object('team', c.key, 'owners', coalesce((SELECT jsonb_agg(o.key ORDER BY o.key) FROM owner o WHERE o.team_id = c.id), '[]')),
           CASE WHEN c.owners > 3 THEN
               (SELECT string_agg(format('UPDATE leadguard.team_member SET role = ''member'' WHERE team_id = %s AND member_id = %s;', c.id, o.id), E'\n' ORDER BY o.id)
                FROM owner o WHERE o.team_id = c.id AND o.place > 3)
           ELSE
               -- Who is in the team and has most people below first.
               (SELECT string_agg(CASE WHEN n.is_member THEN format('UPDATE leadguard.team_member SET role = ''owner'' WHERE team_id = %s AND member_id = %s;', c.id, n.id)
                                       ELSE format('INSERT INTO leadguard.team_member (team_id, member_id, role) VALUES (%s, %s, ''owner'');', c.id, n.id) END, E'\n')
                FROM (SELECT m.id, tm.member_id IS NOT NULL AS is_member
                      FROM leadguard.member m
                      LEFT JOIN leadguard.team_member tm ON tm.team_id = c.id AND tm.member_id = m.id
                      WHERE m.org_id = $1 AND m.active AND m.kind = 'person' AND tm.role IS DISTINCT FROM 'owner'
                      ORDER BY tm.member_id IS NULL, (SELECT count(*) FROM leadguard.member_closure x WHERE x.ancestor_id = m.id) DESC, m.id
                      LIMIT 2 - c.owners) n)
           END
    FROM counted c
    WHERE c.owners NOT BETWEEN 2 AND 3
$$;
COMMENT ON FUNCTION leadguard.review_team_owners(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_team_owner_manages_nobody(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', format('member %s in team %s', m.key, t.key),
           jsonb_build_object('member', m.key, 'team', t.key,
                              'manages', (SELECT count(*) FROM leadguard.member_closure c WHERE c.ancestor_id = m.id AND c.depth > 0), 'in_team', 0),
           format('UPDATE leadguard.team_member SET role = ''member'' WHERE team_id = %s AND member_id = %s;', t.id, m.id)
    FROM leadguard.team t
    JOIN leadguard.team_member tm ON tm.team_id = t.id AND tm.role = 'owner'
    JOIN leadguard.member m ON m.id = tm.member_id AND m.active
    WHERE t.org_id = $1
      AND NOT EXISTS (SELECT FROM leadguard.team_member o JOIN leadguard.member_closure c ON c.ancestor_id = m.id AND c.descendant_id = o.member_id AND c.depth > 0
                      WHERE o.team_id = t.id)
$$;
COMMENT ON FUNCTION leadguard.review_team_owner_manages_nobody(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_unused_team(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Where a table has a column for teams, what is shared with one is in rows that a review does not read.
    SELECT 'low', 'team ' || t.key,
           jsonb_build_object('team', t.key, 'members', u.members, 'shares', u.shares, 'team_columns', u.columns),
           format('DELETE FROM leadguard.team WHERE id = %s;', t.id)
    FROM leadguard.team t
    CROSS JOIN LATERAL (
        SELECT (SELECT count(*) FROM leadguard.team_member tm JOIN leadguard.member m ON m.id = tm.member_id AND m.active WHERE tm.team_id = t.id) AS members,
               (SELECT count(*) FROM leadguard.record_grant g WHERE g.team_id = t.id AND (g.until IS NULL OR g.until > now())) AS shares,
               (SELECT count(*) FROM leadguard.protected_table p
                WHERE p.team_column IS NOT NULL AND (p.org_id = $1 OR p.organization_column IS NOT NULL)) AS columns) u
    WHERE t.org_id = $1 AND (u.members = 0 OR (u.shares = 0 AND u.columns = 0))
$$;
COMMENT ON FUNCTION leadguard.review_unused_team(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_unused_role(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', 'role ' || r.name, jsonb_build_object('role', r.name, 'capabilities', to_jsonb(r.capabilities)),
           format('DELETE FROM leadguard.role WHERE id = %s;', r.id)
    FROM leadguard.role r
    WHERE r.org_id = $1
      AND NOT EXISTS (SELECT FROM leadguard.member_role mr WHERE mr.role_id = r.id)
      AND NOT EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.role_id = r.id)
      AND NOT EXISTS (SELECT FROM leadguard.access_rule a WHERE a.role = r.name)
$$;
COMMENT ON FUNCTION leadguard.review_unused_role(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_expired_grants(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN bool_or(g.retained) THEN 'medium' ELSE 'low' END, format('%s in %s', h.holder, g.target),
           jsonb_strip_nulls(jsonb_build_object('member', h.member, 'team', h.team, 'table', g.target::text, 'shares', count(*),
                             'retained', count(*) FILTER (WHERE g.retained), 'records', (array_agg(g.record ORDER BY g.id))[1:10])),
           string_agg(format('SELECT leadguard.unshare(%L, %L, %s);', coalesce(p.concealed_by, p.target)::text, g.record,
                             CASE WHEN h.member IS NULL THEN format('team => %L', h.team) ELSE format('member => %L', h.member) END), E'\n' ORDER BY g.id)
    FROM leadguard.record_grant g
    JOIN leadguard.protected_table p ON p.target = g.target
    CROSS JOIN LATERAL (
        SELECT 'member ' || m.key AS holder, m.key AS member, NULL AS team FROM leadguard.member m WHERE m.id = g.member_id AND m.org_id = $1
        UNION ALL
        SELECT 'team ' || t.key, NULL, t.key FROM leadguard.team t WHERE t.id = g.team_id AND t.org_id = $1) h
    WHERE g.kind = 'share' AND g.until <= now()
    GROUP BY h.holder, h.member, h.team, g.target
$$;
COMMENT ON FUNCTION leadguard.review_expired_grants(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_record_without_side(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', format('%s, no %s', r.target, s.side),
           jsonb_build_object('table', r.target::text, 'side', s.side, 'records', count(*), 'for_example', (array_agg(r.record ORDER BY r.record))[1:10]),
           string_agg(format('SELECT leadguard.contact_add(%L, %L, %s);', coalesce(r.concealed_by, r.target)::text, r.record,
                             CASE s.side WHEN 'SELLER' THEN format('member => %L, side => ''SELLER''', r.adder) ELSE 'name => ''to be found'', side => ''BUYER''' END),
                      E'\n' ORDER BY r.record) FILTER (WHERE s.side = 'BUYER' OR r.adder IS NOT NULL)
    FROM (SELECT c.target, p.concealed_by, c.record, array_agg(c.side) AS sides,
                 min(m.key) FILTER (WHERE m.active AND m.kind = 'person') AS adder
          FROM leadguard.record_contact c
          JOIN leadguard.protected_table p ON p.target = c.target
          LEFT JOIN leadguard.member m ON m.id = c.added_by
          WHERE c.removed_at IS NULL
            AND CASE WHEN p.organization_column IS NULL THEN p.org_id = $1 ELSE m.org_id = $1 END
          GROUP BY c.target, p.concealed_by, c.record) r
    CROSS JOIN (VALUES ('BUYER'), ('SELLER')) s (side)
    WHERE s.side <> ALL (r.sides)
    GROUP BY r.target, r.concealed_by, s.side
$$;
COMMENT ON FUNCTION leadguard.review_record_without_side(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_guest_without_mark(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', format('member %s in %s', m.key, g.target),
           jsonb_build_object('member', m.key, 'table', g.target::text, 'records', (array_agg(g.record ORDER BY g.id))[1:10]),
           string_agg(format('SELECT leadguard.contact_add(%L, %L, member => %L, side => ''BUYER'');', coalesce(p.concealed_by, p.target)::text, g.record, m.key),
                      E'\n' ORDER BY g.id)
    FROM leadguard.record_grant g
    JOIN leadguard.protected_table p ON p.target = g.target
    JOIN leadguard.member m ON m.id = g.member_id AND m.active AND m.kind = 'guest'
    WHERE m.org_id = $1 AND g.kind = 'share' AND (g.until IS NULL OR g.until > now())
      AND NOT EXISTS (SELECT FROM leadguard.record_contact c
                      WHERE c.target = g.target AND c.record = g.record AND c.removed_at IS NULL
                        AND (c.member_id = m.id OR lower(c.email) = lower(m.email)))
    GROUP BY m.id, m.key, g.target
$$;
COMMENT ON FUNCTION leadguard.review_guest_without_mark(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_contact_outside_rules(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'medium', format('%s, %s instead of %s', c.target, c.side, e.side),
           jsonb_build_object('table', c.target::text, 'contacts', to_jsonb((array_agg(c.id ORDER BY c.id))[1:10]), 'count', count(*), 'side', c.side, 'expected', e.side),
           string_agg(format('SELECT leadguard.contact_side(%s, %L);', c.id, e.side), E'\n' ORDER BY c.id)
    FROM leadguard.record_contact c
    JOIN leadguard.protected_table p ON p.target = c.target
    LEFT JOIN leadguard.member a ON a.id = c.added_by
    LEFT JOIN leadguard.member m ON m.id = c.member_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN m.kind = 'guest' THEN 'BUYER' WHEN m.id IS NOT NULL THEN 'SELLER'
                    WHEN EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.org_id = $1 AND d.kind = 'own'
                                 AND d.domain IN (lower(substring(c.email FROM '@([^@]*)$')))) THEN 'SELLER'
                    WHEN (SELECT j.kind FROM leadguard.joins_as($1, c.email) j) = 'guest' THEN 'BUYER' END AS side) e
    WHERE c.removed_at IS NULL AND e.side <> c.side
      AND CASE WHEN p.organization_column IS NULL THEN p.org_id = $1 ELSE coalesce(m.org_id, a.org_id) = $1 END
    GROUP BY c.target, c.side, e.side
$$;
COMMENT ON FUNCTION leadguard.review_contact_outside_rules(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_switch(target regclass, switch text, fallback text)
RETURNS text LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Of a value for each role the widest: what no role may do nobody may.
    SELECT coalesce(
        (SELECT s.value FROM leadguard.table_switch s WHERE s.target = $1 AND s.switch = $2
         ORDER BY CASE WHEN s.value ~ '^[0-9]{1,9}$' THEN s.value::integer ELSE 2147483647 END DESC LIMIT 1),
        (SELECT d.value FROM leadguard.preset_switch d JOIN leadguard.protected_table p ON p.target = $1 AND d.preset = p.preset AND d.object IN ('*', p.object)
         WHERE d.switch = $2 ORDER BY CASE WHEN d.value ~ '^[0-9]{1,9}$' THEN d.value::integer ELSE 2147483647 END DESC LIMIT 1),
        (SELECT a.default_value FROM leadguard.access_switch a WHERE a.name = $2), $3)
$$;
COMMENT ON FUNCTION leadguard.review_switch(regclass, text, text) IS 'Internal: the widest value of a switch of a table.';

CREATE FUNCTION leadguard.review_unlogged_batch(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'high', format('transaction %s, %s of %s', w.transaction, w.action, w.target_name),
           jsonb_build_object('table', w.target_name, 'action', w.action, 'records', w.records, 'at', w.at, 'login', w.session_role, 'member', w.member_key,
                              'concerns', w.concerns),
           format('SELECT * FROM leadguard.audit_log WHERE transaction = %L AND target_name = %L ORDER BY id;', w.transaction::text, w.target_name)
    FROM (SELECT l.transaction, l.target, min(l.target_name) AS target_name, l.action, count(*) AS records, min(l.at) AS at,
                 min(l.session_role) AS session_role, min(l.member_key) AS member_key,
                 jsonb_agg(DISTINCT l.member_id) FILTER (WHERE l.member_id IS NOT NULL) AS concerns
          FROM leadguard.audit_log l
          WHERE l.at >= $2 AND l.organization = $1 AND l.record IS NOT NULL AND l.action IN ('create', 'update', 'archive', 'delete', 'reassign')
          GROUP BY l.transaction, l.target, l.action) w
    WHERE w.records >= leadguard.review_switch(w.target, 'batch_from', '10')::bigint
      AND NOT EXISTS (SELECT FROM leadguard.audit_log b WHERE b.transaction = w.transaction AND b.target = w.target AND b.action = 'batch' AND b.at >= w.at - interval '1 day')
    ORDER BY w.at DESC
$$;
COMMENT ON FUNCTION leadguard.review_unlogged_batch(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_unapproved_batch(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- First the rows whose detail is JSON, then what it says.
    WITH batch AS MATERIALIZED (
        SELECT l.* FROM leadguard.audit_log l
        WHERE l.at >= $2 AND l.organization = $1 AND l.action = 'batch' AND starts_with(l.detail, '{')
    )
    SELECT 'high', format('transaction %s, %s of %s', b.transaction, b.d ->> 'operation', b.target_name),
           jsonb_build_object('table', b.target_name, 'operation', b.d ->> 'operation', 'records', (b.d ->> 'records')::bigint, 'limit', b.most::bigint,
                              'at', b.at, 'login', b.session_role, 'member', b.member_key,
                              'concerns', CASE WHEN b.member_id IS NOT NULL THEN jsonb_build_array(b.member_id) END),
           format('SELECT * FROM leadguard.audit_log WHERE transaction = %L AND target_name = %L ORDER BY id;', b.transaction::text, b.target_name)
    FROM (SELECT l.*, l.detail::jsonb AS d, leadguard.review_switch(l.target, 'batch_' || (l.detail::jsonb ->> 'operation'), '100') AS most
          FROM batch l) b
    WHERE b.approval IS NULL AND b.d ->> 'template' IS NULL AND NOT coalesce((b.d ->> 'self_approved')::boolean, false)
      AND b.d ->> 'operation' IN ('insert', 'update', 'archive', 'delete', 'reassign', 'import')
      AND CASE WHEN b.most ~ '^[0-9]{1,18}$' THEN (b.d ->> 'records')::bigint > b.most::bigint ELSE false END
    ORDER BY b.at DESC
$$;
COMMENT ON FUNCTION leadguard.review_unapproved_batch(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_unapproved_schema_change(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN c.kind IN ('row security', 'drop policy', 'change policy', 'disable trigger', 'drop trigger', 'drop table', 'add policy') THEN 'high' ELSE 'medium' END,
           'schema change ' || c.id,
           jsonb_strip_nulls(jsonb_build_object('table', c.target_name, 'kind', c.kind, 'object', nullif(c.object, ''), 'at', c.at, 'login', c.session_role,
                             'member', m.key, 'concerns', CASE WHEN m.id IS NOT NULL THEN jsonb_build_array(m.id) END)),
           format('SELECT leadguard.accept_schema_change(%s, ''looked at and kept'');', c.id)
    FROM leadguard.schema_change c
    LEFT JOIN leadguard.schema_change_maker r ON r.change = c.id
    -- Of a table that several organizations share each hears of its own members only.
    LEFT JOIN leadguard.member m ON m.id = coalesce(c.member_id, r.member_id) AND m.org_id = $1
    WHERE coalesce(c.org_id, $1) = $1 AND c.state = 'violation'
    -- All of them: what is not met is taken for solved.
    ORDER BY c.id DESC
$$;
COMMENT ON FUNCTION leadguard.review_unapproved_schema_change(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_watch_disabled(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'high', 'event trigger ' || e.evtname, jsonb_build_object('event', e.evtevent),
           format('ALTER EVENT TRIGGER %I ENABLE;', e.evtname)
    FROM pg_event_trigger e
    WHERE starts_with(e.evtname, 'leadguard_') AND e.evtenabled NOT IN ('O', 'A')
$$;
COMMENT ON FUNCTION leadguard.review_watch_disabled(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_preload()
RETURNS text LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- With what the server preloads already.
    SELECT format('ALTER SYSTEM SET shared_preload_libraries = %s; -- a superuser, then restart',
                  string_agg(quote_literal(l.name), ', ' ORDER BY l.place))
    FROM (SELECT btrim(n.name, ' "') AS name, n.place
          FROM unnest(string_to_array(current_setting('shared_preload_libraries'), ',')) WITH ORDINALITY n (name, place)
          WHERE btrim(n.name, ' "') NOT IN ('', 'leadguard')
          UNION ALL SELECT 'leadguard', 1000) l
$$;
COMMENT ON FUNCTION leadguard.review_preload() IS 'Internal: a statement that lets the server preload the library, after those that it preloads.';

CREATE FUNCTION leadguard.review_window_not_counted(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'medium', s.target::text, jsonb_build_object('batch_window', s.value),
           leadguard.review_preload()
    FROM leadguard.table_switch s
    JOIN leadguard.protected_table p ON p.target = s.target
    WHERE s.switch = 'batch_window' AND s.value <> '0' AND NOT leadguard.is_preloaded()
      AND (p.org_id = org OR p.organization_column IS NOT NULL)
$$;
COMMENT ON FUNCTION leadguard.review_window_not_counted(bigint, timestamptz) IS 'Internal: see review_check.';

-- The counters exist where the server preloads the library. Far more: ten times the middle of the organization.
CREATE FUNCTION leadguard.review_unusual_access(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE plpgsql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    measured boolean := false;
BEGIN
    IF to_regprocedure('leadguard.member_activity()') IS NOT NULL AND to_regprocedure('leadguard.is_preloaded()') IS NOT NULL THEN
        EXECUTE 'SELECT leadguard.is_preloaded()' INTO measured;
    END IF;
    IF NOT measured THEN
        RETURN QUERY SELECT 'info', 'member_activity', '{"result": "not measured", "why": "the server does not preload the library"}'::jsonb,
                            leadguard.review_preload();
        RETURN;
    END IF;
    RETURN QUERY EXECUTE $q$
        WITH activity AS (
            SELECT a.* FROM leadguard.member_activity() a JOIN leadguard.member m ON m.key = a.member AND m.org_id = $1
        ), middle AS (
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a.rows_returned) AS read FROM activity a
        )
        SELECT 'medium', 'member ' || a.member,
               jsonb_build_object('member', a.member, 'rows', a.rows_returned, 'statements', a.statements, 'exports', a.exports, 'refusals', a.refusals,
                                  'since', a.since, 'middle_of_rows', m.read),
               format('SELECT * FROM leadguard.audit_run(''incident'', %L);', a.member)
        FROM activity a CROSS JOIN middle m
        WHERE (a.rows_returned >= 1000 AND a.rows_returned > 10 * m.read) OR a.refusals >= 50 OR a.exports >= 10 $q$ USING org;
END
$$;
COMMENT ON FUNCTION leadguard.review_unusual_access(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_review_overdue(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'low', 'organization ' || o.key, jsonb_build_object('last', (SELECT max(r.at) FROM leadguard.review r WHERE r.org_id = $1 AND r.kind = 'quarterly')),
           'SELECT * FROM leadguard.audit_run(''quarterly'');'
    FROM leadguard.organization o
    WHERE o.id = $1 AND NOT EXISTS (SELECT FROM leadguard.review r WHERE r.org_id = $1 AND r.kind = 'quarterly' AND r.at > now() - interval '100 days')
$$;
COMMENT ON FUNCTION leadguard.review_review_overdue(bigint, timestamptz) IS 'Internal: see review_check.';
