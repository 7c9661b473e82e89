-- Routing, and the steps of handoffs. What touches users' tables runs as the caller.

CREATE FUNCTION leadguard.set_assignment_rule(target regclass, name text, "position" integer, condition jsonb, action jsonb)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_assignment_rule_wrapper';
COMMENT ON FUNCTION leadguard.set_assignment_rule(regclass, text, integer, jsonb, jsonb) IS
'Sets a rule by which records get an owner, or replaces the one of this name; returns its number. condition: a list, all of which must hold, of {"column": name, "is" | "is_not" | "in" | "not_in" | "at_least" | "at_most": value, "is_null": boolean}, {"territory": keys}, {"segment": values}; NULL or empty for every record. action: {"owner": key}, {"pool": [key, {"member": key, "capacity": number}]} (in turns) or {"qualifiers": […]} (in turns, for records that are not qualified), each also with "territory": key or "territory_column": name; or one of these alone, for qualified records. For the table''s owner, superusers, and members with the capability manage_rules or assign about their organization. Errors: 42501; 22023 and 42703 for a rule that cannot work, 22P02 and others for a value that the column cannot hold.';

CREATE FUNCTION leadguard.drop_assignment_rule(target regclass, name text)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'drop_assignment_rule_wrapper';
COMMENT ON FUNCTION leadguard.drop_assignment_rule(regclass, text) IS
'Drops a rule and its pool; false when there is none. Who may call and errors: as set_assignment_rule.';

CREATE FUNCTION leadguard.set_routing(target regclass, on_insert boolean)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_routing_wrapper';
COMMENT ON FUNCTION leadguard.set_routing(regclass, boolean) IS
'Whether new rows without an owner are given to somebody by the rules (switch routing). Who may call and errors: as set_switch; 22023: NULL.';

CREATE FUNCTION leadguard.route(target regclass, record text, dry_run boolean DEFAULT false)
RETURNS TABLE (rule text, owner text, territory text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 1
AS 'MODULE_PATHNAME', 'route_wrapper';
COMMENT ON FUNCTION leadguard.route(regclass, text, boolean) IS
'Gives a record to whom the first rule says that concerns it and has somebody for it, and tells which; dry_run: only tells. rule is NULL where none does. Conditions see what the caller sees of the record. For members with the right to reassign the record or the capability assign, and superusers. Errors: 42501 no right, or no such record for the caller; 22023.';

CREATE FUNCTION leadguard.set_handoff_step(target regclass, name text, from_stage text DEFAULT NULL, from_role text DEFAULT NULL,
                                           to_stage text DEFAULT NULL, to_role text DEFAULT NULL, fields jsonb DEFAULT '{}',
                                           notify text[] DEFAULT '{}', needs_acceptance boolean DEFAULT false)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_handoff_step_wrapper';
COMMENT ON FUNCTION leadguard.set_handoff_step(regclass, text, text, text, text, text, jsonb, text[], boolean) IS
'Defines a step by which records are handed over, or replaces the one of this name; returns its number. from_stage: where a record must be; from_role: the role of whoever hands over (NULL: whoever may reassign); to_stage and to_role: where it goes, and the role of the receiver; fields: {"column": constant} that change too; notify: record_team, managers, role:NAME or keys of members, told beside both owners; needs_acceptance: the receiver answers first. Stages are those of the stage column, or of the status column where there is none. Who may call and errors: as set_assignment_rule.';

CREATE FUNCTION leadguard.drop_handoff_step(target regclass, name text)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'drop_handoff_step_wrapper';
COMMENT ON FUNCTION leadguard.drop_handoff_step(regclass, text) IS
'Drops a step; false when there is none. Who may call and errors: as set_assignment_rule.';

CREATE FUNCTION leadguard.handoff(target regclass, record text, step text, to_member text, reason text DEFAULT NULL,
                                  dry_run boolean DEFAULT false)
RETURNS TABLE (what text, name text, before text, after text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'handoff_wrapper';
COMMENT ON FUNCTION leadguard.handoff(regclass, text, text, text, text, boolean) IS
'Hands a record over to a member (key) by a step, or offers it where the step needs acceptance; tells which fields change (what = field) and who hears of it (what = notify: name is the member, after the kind). It is one UPDATE with the caller''s table privileges: field rules, transitions and triggers apply; the record keeps its key and history. dry_run: all of it is done and taken back. For members who have the step''s role and may update the record, or may reassign it, or have the capability assign. Errors: 42501 no right, wrong role, or no such record for the caller; 22023 arguments; 55000 the record is not in the stage where the step begins, the receiver has not the step''s role, or another handoff waits.';

CREATE FUNCTION leadguard.accept_handoff(id bigint)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'accept_handoff_wrapper';
COMMENT ON FUNCTION leadguard.accept_handoff(bigint) IS
'Takes over a record that was offered; the receiver makes the change, so that field rules and transitions hold for his roles. Errors: 42501 not the receiver, or no such handoff for the caller; 55000 answered already, the record changed since, or who offered it may not hand it over any more.';

CREATE FUNCTION leadguard.refuse_handoff(id bigint, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'refuse_handoff_wrapper';
COMMENT ON FUNCTION leadguard.refuse_handoff(bigint, text) IS
'Refuses an offered record (the receiver), or withdraws the offer (who made it, the owner, persons with the capability approve); the record stays as it is. Errors: 42501 no such handoff for the caller; 22023 without a reason; 55000 answered already.';

CREATE VIEW leadguard.assignment_rules WITH (security_barrier) AS
SELECT r.target, r.position, r.name, r.condition, r.kind, o.key AS owner, t.key AS territory, r.territory_column,
       (SELECT array_agg(m.key || coalesce(' (' || p.capacity || ')', '') ORDER BY p.position)
        FROM leadguard.assignment_pool p JOIN leadguard.member m ON m.id = p.member_id WHERE p.rule_id = r.id) AS pool,
       (SELECT array_agg(p.assigned ORDER BY p.position) FROM leadguard.assignment_pool p WHERE p.rule_id = r.id) AS assigned
FROM leadguard.assignment_rule r
LEFT JOIN leadguard.member o ON o.id = r.owner_id
LEFT JOIN leadguard.territory t ON t.id = r.territory_id
WHERE (r.org_id = (SELECT leadguard.current_organization())
       AND ((SELECT leadguard.has_capability('manage_rules')) OR (SELECT leadguard.has_capability('assign'))))
   OR (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = r.target)
ORDER BY r.target, r.position, r.name;
COMMENT ON VIEW leadguard.assignment_rules IS
'The rules by which records get an owner, in their order: condition, and who or what they give; assigned: how many each of the pool got. For members with the capability manage_rules or assign (their organization), table owners and superusers.';
