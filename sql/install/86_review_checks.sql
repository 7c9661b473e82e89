-- The questions of a review. Each function answers one for an organization, from a time on: severity, what it is about,
-- evidence, and SQL that solves it. They read tables of leadguard and of the catalog, never those of users. All are for
-- leadguard.run_review, which calls them as the owner of the extension.

CREATE FUNCTION leadguard.review_takes_role(key text, role text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = %L AND r.role = %L;', $1, $2)
$$;
COMMENT ON FUNCTION leadguard.review_takes_role(text, text) IS 'Internal: a statement that takes a role from a member.';

CREATE FUNCTION leadguard.review_too_many_admins(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH admin AS (SELECT a.* FROM leadguard.administrators($1) a)
    SELECT 'high', 'organization ' || o.key,
           jsonb_build_object('administrators', (SELECT jsonb_agg(DISTINCT a.key) FROM admin a), 'at_most', 2),
           (SELECT string_agg(leadguard.review_takes_role(a.key, a.role), E'\n' ORDER BY a.place, a.role) FROM admin a WHERE a.place > 2)
    FROM leadguard.organization o
    WHERE o.id = $1 AND (SELECT max(a.place) FROM admin a) > 2
$$;
COMMENT ON FUNCTION leadguard.review_too_many_admins(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_everyone_admin(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    WITH admin AS (SELECT a.* FROM leadguard.administrators($1) a),
         person AS (SELECT m.id FROM leadguard.member m WHERE m.org_id = $1 AND m.active AND m.kind = 'person')
    SELECT 'high', 'organization ' || o.key, jsonb_build_object('administrators', (SELECT jsonb_agg(DISTINCT a.key) FROM admin a)),
           (SELECT string_agg(leadguard.review_takes_role(a.key, a.role), E'\n' ORDER BY a.place, a.role) FROM admin a
            WHERE a.place > (SELECT count(DISTINCT d.role) FROM admin d))
    FROM leadguard.organization o
    WHERE o.id = $1 AND (SELECT count(*) FROM person) > 1 AND NOT EXISTS (SELECT FROM person p WHERE p.id NOT IN (SELECT a.id FROM admin a))
$$;
COMMENT ON FUNCTION leadguard.review_everyone_admin(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_new_admin(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Whoever was given such a role, or held one that became such, also one who has lost it since, or is gone, and whatever
    -- the role is now: what he did meanwhile is to be looked at.
    WITH given AS (
        SELECT w.words[1] AS key, w.words[2] AS role, to_char(l.at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, min(l.at) AS at,
               coalesce(min(l.member_key), min(l.session_role)) AS by,
               jsonb_agg(DISTINCT l.member_id) FILTER (WHERE l.member_id IS NOT NULL) AS concerns
        FROM leadguard.audit_log l
        CROSS JOIN LATERAL regexp_match(l.detail, '^member (.*), role (.*)$') AS w (words)
        WHERE l.at >= $2 AND l.organization = $1 AND l.action = 'admin_made'
        GROUP BY 1, 2, 3
    )
    SELECT 'medium', format('member %s, role %s, %s', g.key, g.role, g.day),
           jsonb_build_object('member', g.key, 'role', g.role, 'at', g.at, 'by', g.by, 'concerns', g.concerns, 'holds_it', h.holds),
           CASE WHEN h.holds THEN leadguard.review_takes_role(g.key, g.role) END
    FROM given g
    -- A role that is an ordinary one again is nothing to take away.
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM leadguard.member m JOIN leadguard.member_role mr ON mr.member_id = m.id AND mr.role = g.role
                                       JOIN leadguard.role r ON r.id = mr.role_id AND r.rank >= 90 AND 'administer' = ANY (r.capabilities)
                                       WHERE m.key = g.key AND m.org_id = $1 AND m.active) AS holds) h
$$;
COMMENT ON FUNCTION leadguard.review_new_admin(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_rights_beyond_role(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- By hand: shares and record teams. What a guest, or somebody whose role only reads, may have of them is to read;
    -- a guest may be let edit, never more.
    SELECT CASE WHEN m.kind = 'guest' THEN 'high' ELSE 'medium' END, format('member %s in %s', m.key, g.target),
           jsonb_build_object('member', m.key, 'kind', m.kind, 'table', g.target::text, 'grants', count(*), 'levels', jsonb_agg(DISTINCT g.level),
                              'records', (array_agg(g.record ORDER BY g.id))[1:10]),
           string_agg(format('SELECT leadguard.%s(%L, %L, member => %L);', CASE g.kind WHEN 'share' THEN 'unshare' ELSE 'team_remove' END,
                             coalesce(p.concealed_by, p.target)::text, g.record, m.key), E'\n' ORDER BY g.id)
    FROM leadguard.record_grant g
    JOIN leadguard.member m ON m.id = g.member_id AND m.active
    JOIN leadguard.protected_table p ON p.target = g.target
    WHERE m.org_id = $1 AND g.kind IN ('share', 'record_team') AND (g.until IS NULL OR g.until > now())
      AND ((m.kind = 'guest' AND g.level = 'full')
           OR (g.level <> 'read' AND EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
                                             WHERE mr.member_id = m.id AND r.level_cap = 'read')))
    GROUP BY m.id, m.key, m.kind, g.target
$$;
COMMENT ON FUNCTION leadguard.review_rights_beyond_role(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_roles_deviate(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN held.rank > s.rank THEN 'medium' ELSE 'low' END, 'member ' || m.key,
           jsonb_build_object('member', m.key, 'job_function', j.name, 'standard', j.role, 'held', held.roles),
           concat_ws(E'\n',
               (SELECT string_agg(leadguard.review_takes_role(m.key, mr.role), E'\n' ORDER BY mr.role)
                FROM leadguard.member_role mr WHERE mr.member_id = m.id AND mr.role <> j.role),
               CASE WHEN NOT held.roles ? j.role THEN format('INSERT INTO leadguard.member_role (member_id, role) SELECT m.id, %L FROM leadguard.member m WHERE m.key = %L;',
                                                           j.role, m.key) END)
    FROM leadguard.member m
    JOIN leadguard.member_function f ON f.member_id = m.id
    JOIN leadguard.job_function j ON j.org_id = m.org_id AND j.name = f.job_function
    JOIN leadguard.role s ON s.id = j.role_id
    CROSS JOIN LATERAL (SELECT coalesce(jsonb_agg(mr.role ORDER BY mr.role), '[]') AS roles, coalesce(max(r.rank), 0) AS rank
                        FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id WHERE mr.member_id = m.id) held
    WHERE m.org_id = $1 AND m.active AND held.roles <> jsonb_build_array(j.role)
$$;
COMMENT ON FUNCTION leadguard.review_roles_deviate(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_external_not_guest(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'high', 'member ' || m.key,
           jsonb_build_object('member', m.key, 'domain', lower(substring(m.email FROM '@([^@]*)$')),
                              'roles', (SELECT jsonb_agg(mr.role ORDER BY mr.role) FROM leadguard.member_role mr WHERE mr.member_id = m.id)),
           concat_ws(E'\n',
               format('DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = %L;', m.key),
               format('UPDATE leadguard.member SET kind = ''guest'' WHERE key = %L;', m.key),
               format('INSERT INTO leadguard.member_role (member_id, role) SELECT m.id, %L FROM leadguard.member m WHERE m.key = %L;', j.role, m.key))
    FROM leadguard.member m
    CROSS JOIN LATERAL leadguard.joins_as(m.org_id, m.email) j
    WHERE m.org_id = $1 AND m.active AND m.kind = 'person' AND j.kind = 'guest'
$$;
COMMENT ON FUNCTION leadguard.review_external_not_guest(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_guest_with_role(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'high', 'member ' || m.key, jsonb_build_object('member', m.key, 'roles', jsonb_agg(mr.role ORDER BY mr.role)),
           string_agg(leadguard.review_takes_role(m.key, mr.role), E'\n' ORDER BY mr.role)
    FROM leadguard.member m
    JOIN leadguard.member_role mr ON mr.member_id = m.id
    JOIN leadguard.role r ON r.id = mr.role_id
    WHERE m.org_id = $1 AND m.active AND m.kind = 'guest' AND (r.rank > 0 OR r.capabilities <> '{}')
    GROUP BY m.id, m.key
$$;
COMMENT ON FUNCTION leadguard.review_guest_with_role(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_guest_not_reviewed(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Who was invited less than three months ago was looked at then.
    SELECT 'medium', 'member ' || m.key,
           jsonb_build_object('member', m.key, 'last_review', (SELECT max(g.reviewed_at) FROM leadguard.guest_review g WHERE g.member_id = m.id),
                              'records', (SELECT count(*) FROM leadguard.record_grant g WHERE g.member_id = m.id AND (g.until IS NULL OR g.until > now()))),
           format('SELECT leadguard.review_guest(%L, ''end'', ''nobody needs it any more'');', m.key)
    FROM leadguard.member m
    WHERE m.org_id = $1 AND m.active AND m.kind = 'guest'
      AND NOT EXISTS (SELECT FROM leadguard.guest_review g WHERE g.member_id = m.id AND g.reviewed_at > now() - interval '3 months')
      AND EXISTS (SELECT FROM leadguard.record_grant g WHERE g.member_id = m.id AND g.granted_at <= now() - interval '3 months')
$$;
COMMENT ON FUNCTION leadguard.review_guest_not_reviewed(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_gone_but_active(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'medium', 'member ' || m.key, jsonb_build_object('member', m.key, 'why', 'the login role is gone', 'login', m.db_role),
           format('UPDATE leadguard.member SET active = false WHERE key = %L;', m.key)
    FROM leadguard.member m
    WHERE m.org_id = $1 AND m.active AND m.db_role IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = m.db_role)
    UNION ALL
    (SELECT DISTINCT ON (m.id) 'high', format('member %s, last day %s', m.key, o.last_day),
            jsonb_build_object('member', m.key, 'why', 'the last day is over', 'last_day', o.last_day, 'offboarding', o.state),
            CASE o.state WHEN 'planned' THEN format('SELECT leadguard.offboard_now(%L, reason => ''the last day is over'');', m.key)
                         WHEN 'leaving' THEN format('SELECT leadguard.offboard_end(%L, ''the last day is over'');', m.key)
                         ELSE format('UPDATE leadguard.member SET active = false WHERE key = %L;', m.key) END
     FROM leadguard.offboarding o
     JOIN leadguard.member m ON m.id = o.member_id AND m.active
     WHERE m.org_id = $1 AND (o.state = 'ended' OR (o.state IN ('planned', 'leaving') AND o.last_day < current_date - 14))
     ORDER BY m.id, o.id DESC)
$$;
COMMENT ON FUNCTION leadguard.review_gone_but_active(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_gone_but_owning(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'medium', 'member ' || m.key,
           jsonb_strip_nulls(jsonb_build_object('member', m.key, 'territories', o.territories, 'teams', o.teams)),
           concat_ws(E'\n',
               CASE WHEN o.territories IS NOT NULL THEN
                   format('UPDATE leadguard.territory SET owner_id = (SELECT m.manager_id FROM leadguard.member m WHERE m.key = %L) WHERE owner_id = (SELECT m.id FROM leadguard.member m WHERE m.key = %L);',
                          m.key, m.key) END,
               CASE WHEN o.teams IS NOT NULL THEN
                   format('DELETE FROM leadguard.team_member t USING leadguard.member m WHERE m.id = t.member_id AND m.key = %L;', m.key) END)
    FROM leadguard.member m
    CROSS JOIN LATERAL (
        SELECT (SELECT jsonb_agg(t.key ORDER BY t.key) FROM leadguard.territory t WHERE t.owner_id = m.id) AS territories,
               (SELECT jsonb_agg(t.key ORDER BY t.key) FROM leadguard.team_member tm JOIN leadguard.team t ON t.id = tm.team_id
                WHERE tm.member_id = m.id AND tm.role = 'owner') AS teams) o
    WHERE m.org_id = $1 AND NOT m.active AND (o.territories IS NOT NULL OR o.teams IS NOT NULL)
$$;
COMMENT ON FUNCTION leadguard.review_gone_but_owning(bigint, timestamptz) IS 'Internal: see review_check.';

CREATE FUNCTION leadguard.review_permission_creep(org bigint, since timestamptz)
RETURNS TABLE (severity text, subject text, evidence jsonb, suggestion text)
LANGUAGE sql STABLE STRICT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- Only once the log reaches back so far: before that nobody can have done anything.
    SELECT 'low', 'member ' || m.key,
           jsonb_build_object('member', m.key, 'roles', jsonb_agg(mr.role ORDER BY mr.role), 'days', 90,
                              'last_change', (SELECT max(l.at) FROM leadguard.audit_log l WHERE l.member_id = m.id)),
           string_agg(leadguard.review_takes_role(m.key, mr.role), E'\n' ORDER BY mr.role)
    FROM leadguard.member m
    JOIN leadguard.member_role mr ON mr.member_id = m.id
    JOIN leadguard.role r ON r.id = mr.role_id AND r.capabilities <> '{}'
    WHERE m.org_id = $1 AND m.active
      AND NOT EXISTS (SELECT FROM leadguard.audit_log l WHERE l.member_id = m.id AND l.at > now() - interval '90 days')
      AND EXISTS (SELECT FROM leadguard.audit_log l WHERE l.organization = $1 AND l.at <= now() - interval '90 days')
    GROUP BY m.id, m.key
$$;
COMMENT ON FUNCTION leadguard.review_permission_creep(bigint, timestamptz) IS 'Internal: see review_check.';
