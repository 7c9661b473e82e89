-- The rules of protected tables: reading them, changing them.

CREATE VIEW leadguard.rules WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, r.role, r.path, r.action, r.statuses, r.effect, r.origin
    FROM leadguard.protected_table p
    CROSS JOIN LATERAL (
        SELECT s.role, s.path, s.action, s.statuses, s.effect, 'preset' AS origin
        FROM leadguard.preset_rule s
        WHERE s.preset = p.preset AND s.object IN ('*', p.object)
          AND NOT EXISTS (SELECT FROM leadguard.access_rule a
                          WHERE a.target = p.target AND (a.role, a.path, a.action, a.statuses) = (s.role, s.path, s.action, s.statuses))
        UNION ALL
        SELECT a.role, a.path, a.action, a.statuses, a.effect, 'table'
        FROM leadguard.access_rule a
        WHERE a.target = p.target) r
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.rules IS
'The rules of the protected tables that the caller may read: those of the preset, and those that leadguard.set_rule put in their place. What follows from them is in leadguard.access_matrix.';

CREATE VIEW leadguard.switches WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, s.name AS switch, s.role,
           coalesce(t.value, e.value, s.preset_value) AS value, s.preset_value AS preset_default, s.contradiction, s.choices, s.meaning
    FROM leadguard.protected_table p
    CROSS JOIN LATERAL (
        SELECT k.name, r.role, k.contradiction, k.choices, k.meaning,
               coalesce((SELECT d.value FROM leadguard.preset_switch d
                         WHERE d.preset = p.preset AND d.object IN ('*', p.object) AND d.switch = k.name AND d.role = r.role
                         ORDER BY d.object = '*' LIMIT 1), k.default_value) AS preset_value
        FROM leadguard.access_switch k
        CROSS JOIN LATERAL (
            SELECT '' AS role WHERE NOT k.per_role
            UNION
            SELECT u.role FROM leadguard.preset_rule u WHERE k.per_role AND u.preset = p.preset AND u.object IN ('*', p.object)
            UNION
            SELECT u.role FROM leadguard.access_rule u WHERE k.per_role AND u.target = p.target
            UNION
            SELECT u.role FROM leadguard.preset_switch u WHERE k.per_role AND u.preset = p.preset AND u.object IN ('*', p.object) AND u.switch = k.name
            UNION
            SELECT u.role FROM leadguard.table_switch u WHERE k.per_role AND u.target = p.target AND u.switch = k.name) r
        UNION ALL
        SELECT 'preset', '', 'X15', ARRAY['four_role', 'decision_site', 'organization', 'sales_hierarchy'],
               'The vocabulary of roles and the rules that the table starts from; leadguard.set_preset changes it.', p.preset) s
    LEFT JOIN leadguard.table_switch t ON t.target = p.target AND t.switch = s.name AND t.role = s.role
    -- Of those about batches, what is set for every role holds for roles without a value of their own.
    LEFT JOIN leadguard.table_switch e ON e.target = p.target AND e.switch = s.name AND e.role = '*' AND s.role <> ''
        AND (s.name = 'export' OR s.name LIKE 'batch\_%')
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);
COMMENT ON VIEW leadguard.switches IS
'Every switch of the protected tables that the caller may read: its value, what the preset says, and the contradiction between the sources that it settles. leadguard.set_switch sets one.';

CREATE FUNCTION leadguard.set_rule(target regclass, role text, path text, action text, effect text, statuses text[] DEFAULT '{}')
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_rule_wrapper';
COMMENT ON FUNCTION leadguard.set_rule(regclass, text, text, text, text, text[]) IS
'Sets one rule of a protected table: what a role (* for every member) may do with records that it reaches by a path. action is access with effect read, edit or full, or one of read, update, archive, share, reassign, create with allow or deny; effect none takes a rule of the preset away. statuses: under which values of the status column it holds. Takes effect with the next statement of every session. For the table''s owner, superusers, and members with the capability manage_rules whose organization has the table to itself (42501); 22023 for a rule that cannot work, with the reason.';

CREATE FUNCTION leadguard.drop_rule(target regclass, role text, path text, action text, statuses text[] DEFAULT '{}')
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'drop_rule_wrapper';
COMMENT ON FUNCTION leadguard.drop_rule(regclass, text, text, text, text[]) IS
'Takes back what set_rule said, so that the preset''s rule holds again; true when there was something. Who may call and errors: as set_rule.';

CREATE FUNCTION leadguard.set_switch(target regclass, switch text, value text, role text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_switch_wrapper';
COMMENT ON FUNCTION leadguard.set_switch(regclass, text, text, text) IS
'Sets a switch of a protected table, see leadguard.switches; role names the role for switches that have one value for each. Who may call and errors: as set_rule.';

CREATE FUNCTION leadguard.reset_switch(target regclass, switch text, role text DEFAULT NULL)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'reset_switch_wrapper';
COMMENT ON FUNCTION leadguard.reset_switch(regclass, text, text) IS
'Gives a switch the value of the preset again; true when it had another. Who may call and errors: as set_rule.';

CREATE FUNCTION leadguard.set_preset(target regclass, preset text, object text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_preset_wrapper';
COMMENT ON FUNCTION leadguard.set_preset(regclass, text, text) IS
'Puts a protected table under another preset (four_role, decision_site, organization, sales_hierarchy), or says what its rows are (lead, campaign, deal, segment, account). What the table set itself is forgotten: rules and switches. For the table''s owner and superusers (42501); 22023 for an unknown preset or object.';

CREATE FUNCTION leadguard.access_matrix(target regclass)
RETURNS TABLE (role text, path text, read text, "update" text, archive text, share text, reassign text, "create" text)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 30
AS 'MODULE_PATHNAME', 'access_matrix_wrapper';
COMMENT ON FUNCTION leadguard.access_matrix(regclass) IS
'What the rules and switches of a protected table come to: for each role and path yes, no, or the statuses under which. For members of its organization who may read the table, and its owner; 42501, 22023.';

CREATE FUNCTION leadguard.member_rights(member text DEFAULT NULL)
RETURNS TABLE (target regclass, path text, read text, "update" text, archive text, share text, reassign text, "create" text, hidden text)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 30
AS 'MODULE_PATHNAME', 'member_rights_wrapper';
COMMENT ON FUNCTION leadguard.member_rights(text) IS
'What a member may do in every protected table, path by path, after roles, switches and caps, and what is hidden from him. Who may ask and errors: as can.';

CREATE FUNCTION leadguard.mark_sensitive(target regclass, record text, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mark_sensitive_wrapper';
COMMENT ON FUNCTION leadguard.mark_sensitive(regclass, text, text) IS
'Marks a record as sensitive, with the reason: from then on only members of the rank, or with the capability see_sensitive, see it. Needs the right to update it. Errors: 42501, 22023 without a reason.';

CREATE FUNCTION leadguard.unmark_sensitive(target regclass, record text, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'unmark_sensitive_wrapper';
COMMENT ON FUNCTION leadguard.unmark_sensitive(regclass, text, text) IS
'Takes the mark away, with the reason. Needs sight of the record and the right to update it. Errors: 42501, 22023 without a reason.';
