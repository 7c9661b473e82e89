-- What people write without an extension, each for a group of logins of its own on one table. Every form looks the
-- member up once per statement, in a scalar subquery on the session's login: the best published form of each.
ALTER TABLE policy.lead ENABLE ROW LEVEL SECURITY;

CREATE POLICY by_exists ON policy.lead FOR SELECT TO bench_by_exists USING (
    EXISTS (
        SELECT FROM org.closure AS c
        WHERE c.ancestor = (SELECT l.member_id FROM org.login AS l WHERE l.db_role = session_user)
          AND c.descendant = lead.owner_id)
    OR EXISTS (
        SELECT FROM org.territory_closure AS t
        JOIN org.territory_holder AS h ON h.territory_id = t.ancestor
        JOIN org.closure AS c ON c.descendant = h.member_id
        WHERE c.ancestor = (SELECT l.member_id FROM org.login AS l WHERE l.db_role = session_user)
          AND t.descendant = lead.territory_id)
    OR EXISTS (
        SELECT FROM org.lead_team AS r
        JOIN org.closure AS c ON c.descendant = r.member_id
        WHERE c.ancestor = (SELECT l.member_id FROM org.login AS l WHERE l.db_role = session_user)
          AND r.lead_id = lead.id));

CREATE POLICY by_any ON policy.lead FOR SELECT TO bench_by_any USING (
    owner_id = ANY (ARRAY(
        SELECT c.descendant FROM org.closure AS c
        WHERE c.ancestor = (SELECT l.member_id FROM org.login AS l WHERE l.db_role = session_user)))
    OR territory_id = ANY (ARRAY(
        SELECT t.descendant FROM org.closure AS c
        JOIN org.territory_holder AS h ON h.member_id = c.descendant
        JOIN org.territory_closure AS t ON t.ancestor = h.territory_id
        WHERE c.ancestor = (SELECT l.member_id FROM org.login AS l WHERE l.db_role = session_user)))
    OR id = ANY (ARRAY(
        SELECT r.lead_id FROM org.closure AS c
        JOIN org.lead_team AS r ON r.member_id = c.descendant
        WHERE c.ancestor = (SELECT l.member_id FROM org.login AS l WHERE l.db_role = session_user))));

CREATE FUNCTION policy.sees(lead_id bigint, owner_id bigint, territory_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    me bigint;
BEGIN
    SELECT l.member_id INTO me FROM org.login AS l WHERE l.db_role = session_user;
    RETURN EXISTS (SELECT FROM org.closure AS c WHERE c.ancestor = me AND c.descendant = sees.owner_id)
        OR EXISTS (
            SELECT FROM org.territory_closure AS t
            JOIN org.territory_holder AS h ON h.territory_id = t.ancestor
            JOIN org.closure AS c ON c.descendant = h.member_id
            WHERE c.ancestor = me AND t.descendant = sees.territory_id)
        OR EXISTS (
            SELECT FROM org.lead_team AS r
            JOIN org.closure AS c ON c.descendant = r.member_id
            WHERE c.ancestor = me AND r.lead_id = sees.lead_id);
END
$$;
CREATE POLICY by_function ON policy.lead FOR SELECT TO bench_by_function USING (policy.sees(id, owner_id, territory_id));
