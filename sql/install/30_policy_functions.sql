-- What the policies and triggers of protected tables call. Policies run as whoever asks, so EXECUTE is
-- PUBLIC's: without it "no rows" would become "permission denied for function". They answer only about the
-- asking member. Nothing is LEAKPROOF and nothing has a SET clause: it would cost 0.8 us per row.

CREATE FUNCTION leadguard.visible_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_support';
COMMENT ON FUNCTION leadguard.visible_support(internal) IS 'Planner support of leadguard.visible: the same condition as plans want it.';
CREATE FUNCTION leadguard.visible(target regclass, id "any", owner "any", territory "any", organization "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 10 SUPPORT leadguard.visible_support
AS 'MODULE_PATHNAME', 'leadguard_visible';
COMMENT ON FUNCTION leadguard.visible(regclass, "any", "any", "any", "any") IS
'Policy: whether the asking member may read a row of a protected table, given its mapped columns (NULL for a column that is not mapped). False without identity. In the state that the statement sees.';

CREATE FUNCTION leadguard.still_visible_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_still_visible_support';
COMMENT ON FUNCTION leadguard.still_visible_support(internal) IS 'Planner support of leadguard.still_visible: selectivity, cost.';
CREATE FUNCTION leadguard.still_visible(target regclass, id "any", owner "any", territory "any", organization "any")
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE COST 1000 SUPPORT leadguard.still_visible_support
AS 'MODULE_PATHNAME', 'leadguard_still_visible';
COMMENT ON FUNCTION leadguard.still_visible(regclass, "any", "any", "any", "any") IS
'Policy of UPDATE, DELETE and locking reads: the same in the newest state, so that a row which changed while the statement waited for it is judged by the rights of now.';

CREATE FUNCTION leadguard.acceptable(target regclass, id "any", owner "any", territory "any", organization "any")
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'leadguard_acceptable';
COMMENT ON FUNCTION leadguard.acceptable(regclass, "any", "any", "any", "any") IS
'Policy of INSERT: whether the asking member may insert the row as it is about to be stored.';

-- The same for tables that map more than id, owner, territory and organization: the columns stand behind the names of
-- what they are.
CREATE FUNCTION leadguard.may_read_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_may_read_support';
COMMENT ON FUNCTION leadguard.may_read_support(internal) IS 'Planner support of leadguard.may_read: the same condition as plans want it.';
CREATE FUNCTION leadguard.may_read(target regclass, parts text, VARIADIC columns "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 10 SUPPORT leadguard.may_read_support
AS 'MODULE_PATHNAME', 'leadguard_may_read';
COMMENT ON FUNCTION leadguard.may_read(regclass, text, VARIADIC "any") IS
'Policy: whether the asking member may read a row of a protected table, by paths and hiding rules. parts names what the columns are (id, owner, creator, territory, organization, segment, team, parent, stage, status, sensitive). False without identity. In the state that the statement sees.';

CREATE FUNCTION leadguard.may_still_read(target regclass, parts text, VARIADIC columns "any")
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE COST 1000 SUPPORT leadguard.still_visible_support
AS 'MODULE_PATHNAME', 'leadguard_may_still_read';
COMMENT ON FUNCTION leadguard.may_still_read(regclass, text, VARIADIC "any") IS
'Policy of UPDATE, DELETE and locking reads: the same in the newest state, so that a row which changed while the statement waited for it is judged by the rights of now.';

CREATE FUNCTION leadguard.may_insert(target regclass, parts text, VARIADIC columns "any")
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'leadguard_may_insert';
COMMENT ON FUNCTION leadguard.may_insert(regclass, text, VARIADIC "any") IS
'Policy of INSERT: whether the asking member may insert the row as it is about to be stored.';

CREATE FUNCTION leadguard.mapped_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_mapped_support';
COMMENT ON FUNCTION leadguard.mapped_support(internal) IS 'Planner support of leadguard.mapped: plans have true in its place.';
CREATE FUNCTION leadguard.mapped(anyelement)
RETURNS boolean LANGUAGE c IMMUTABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.mapped_support
AS 'MODULE_PATHNAME', 'leadguard_mapped';
COMMENT ON FUNCTION leadguard.mapped(anyelement) IS
'Always true, at no cost: plans do not hold it. The permissive policy names the mapped columns through it, so that it falls together with the extension or with a mapped column and never leaves a table open.';

CREATE FUNCTION leadguard.guard_statement()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_guard_statement';
COMMENT ON FUNCTION leadguard.guard_statement() IS
'Trigger BEFORE STATEMENT of protected tables: 42501 for sessions that may not write, even when no row is met; TRUNCATE is refused.';

CREATE FUNCTION leadguard.guard_row()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_guard_row';
COMMENT ON FUNCTION leadguard.guard_row() IS
'Trigger BEFORE ROW of protected tables: fills the owner of a new row and refuses, with 42501 and the reason, what the member''s level on the row does not allow.';

CREATE FUNCTION leadguard.guard_stored()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_guard_stored';
COMMENT ON FUNCTION leadguard.guard_stored() IS
'Trigger AFTER ROW of protected tables: judges the stored row again, since other triggers may have changed it.';

CREATE FUNCTION leadguard.closure_lock()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_closure_lock';
COMMENT ON FUNCTION leadguard.closure_lock() IS
'Trigger BEFORE STATEMENT of member and territory: waits for other writers of the hierarchy. 40001 under REPEATABLE READ when one was faster; retry.';

CREATE FUNCTION leadguard.closure_maintain()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_closure_maintain';
COMMENT ON FUNCTION leadguard.closure_maintain() IS
'Trigger AFTER STATEMENT of member and territory: keeps the closure. LG001: a cycle, LG002: deeper than leadguard.max_depth, 23514: the parent belongs to another organization.';

CREATE FUNCTION leadguard.verify_closure()
RETURNS TABLE (hierarchy text, ancestor_id bigint, descendant_id bigint, stored_depth bigint, real_depth bigint)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'verify_closure_wrapper';
COMMENT ON FUNCTION leadguard.verify_closure() IS
'Compares both closures with a recursive walk over the trees; no row when they are sound. Superuser or capability administer, else 42501.';

CREATE FUNCTION leadguard.rebuild_closure()
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'rebuild_closure_wrapper';
COMMENT ON FUNCTION leadguard.rebuild_closure() IS
'Repairs both closures from the trees and returns how many pairs were wrong. Superuser or capability administer, else 42501. LG001 when a tree has a cycle (written with triggers off).';
