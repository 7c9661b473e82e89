-- Columns that some may see and others only masked.

-- The owner of the views. It exists once in a cluster and outlives the extension, like every role.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'leadguard_view') THEN
        CREATE ROLE leadguard_view NOLOGIN NOINHERIT;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- Another database of the cluster was faster.
END
$$;

-- A dump carries it over, so that hashes stay what they are.
INSERT INTO leadguard.secret (name, key)
VALUES ('mask', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

CREATE FUNCTION leadguard.shown(target regclass, column_name text, id "any", owner "any", territory "any", organization "any")
RETURNS "char" LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'leadguard_shown';
COMMENT ON FUNCTION leadguard.shown(regclass, text, "any", "any", "any", "any") IS
'For the views of masked tables: c when the column of a row with these values is shown to the asking member in clear, m when masked, n when not at all. Anyone may call it; it reads no row.';

CREATE FUNCTION leadguard.closed_keys(target regclass, column_name text)
RETURNS text[] LANGUAGE c STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'MODULE_PATHNAME', 'closed_keys_wrapper';
COMMENT ON FUNCTION leadguard.closed_keys(regclass, text) IS
'For the views of masked tables: the keys of a jsonb column that the asking member may not read. Anyone may call it; it reads no row.';

CREATE FUNCTION leadguard.concealed(target regclass)
RETURNS boolean LANGUAGE c STABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'MODULE_PATHNAME', 'concealed_wrapper';
COMMENT ON FUNCTION leadguard.concealed(regclass) IS
'For the views of masked tables, once in each execution: true when the view may be read. 42501 when it does not belong to the role leadguard_view, or for a session that row security does not bind. Anyone may call it.';

CREATE FUNCTION leadguard.mask_partial(value text, keep integer)
RETURNS text LANGUAGE c IMMUTABLE STRICT SECURITY INVOKER PARALLEL SAFE
AS 'MODULE_PATHNAME', 'leadguard_mask_partial';
COMMENT ON FUNCTION leadguard.mask_partial(text, integer) IS
'For the views of masked tables: asterisks and the last keep characters of the value, only asterisks when it is not longer. Anyone may call it.';

CREATE FUNCTION leadguard.mask_hash(value text)
RETURNS text LANGUAGE c STABLE STRICT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'mask_hash_wrapper';
COMMENT ON FUNCTION leadguard.mask_hash(text) IS
'For the views of masked tables: a hash of the value with a secret key of the database. The views call it in the name of whoever reads them, so anyone may call it, and guess values by their hashes.';

CREATE FUNCTION leadguard.write_through()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_write_through';
COMMENT ON FUNCTION leadguard.write_through() IS
'Trigger INSTEAD OF INSERT, UPDATE and DELETE of the view of a masked table: writes the table as the caller. 42501 when the view stands for no table, 40001 when the row was changed meanwhile.';

CREATE FUNCTION leadguard.conceal(target regclass, dry_run boolean DEFAULT false)
RETURNS TABLE (step integer, kind text, statement text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'conceal_wrapper';
COMMENT ON FUNCTION leadguard.conceal(regclass, boolean) IS
'Moves a protected table to the schema <schema>_base and puts a view in its place, through which columns can be masked and closed; makes that view again where somebody has dropped it. Returns the steps; with dry_run it only returns them. For the table''s owner and superusers (42501). 42704: not protected, 42710: concealed already, 55000: views read the table, or roles have privileges on partitions.';

CREATE FUNCTION leadguard.reveal(target regclass, dry_run boolean DEFAULT false)
RETURNS TABLE (step integer, kind text, statement text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'reveal_wrapper';
COMMENT ON FUNCTION leadguard.reveal(regclass, boolean) IS
'The way back from conceal: the table takes its name and its privileges back. For the table''s owner and superusers (42501). 42704: not concealed, 55000: columns are masked or closed to somebody.';

CREATE FUNCTION leadguard.mask(
    target      regclass,
    column_name text,
    mask        text,
    clear_for   text[] DEFAULT '{own,manager,record_team,record_team_manager}',
    keep        integer DEFAULT 4,
    dry_run     boolean DEFAULT false)
RETURNS TABLE (step integer, kind text, statement text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mask_wrapper';
COMMENT ON FUNCTION leadguard.mask(regclass, text, text, text[], integer, boolean) IS
'Shows a column masked, except on rows that the member reaches by a path in clear_for. mask: full, partial (the last keep characters), hash, year or null. Conceals the table first where needed. For the table''s owner and superusers (42501). 22023: a mask or path that does not exist, or does not fit the column; 42703: no such column; others as conceal.';

CREATE FUNCTION leadguard.unmask(target regclass, column_name text, dry_run boolean DEFAULT false)
RETURNS TABLE (step integer, kind text, statement text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'unmask_wrapper';
COMMENT ON FUNCTION leadguard.unmask(regclass, text, boolean) IS
'Shows a masked column in clear again. The table stays concealed until reveal. For the table''s owner and superusers (42501). 42703: no such masked column.';

CREATE FUNCTION leadguard.col_state(target regclass, record text, column_name text)
RETURNS text LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'col_state_wrapper';
COMMENT ON FUNCTION leadguard.col_state(regclass, text, text) IS
'How a column of a record is shown to the caller: clear, masked or no access; NULL for a record that he does not see. 22023: not a protected table, 42703: no such column.';

CREATE FUNCTION leadguard.refresh_view(target regclass)
RETURNS void LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'refresh_view_wrapper';
COMMENT ON FUNCTION leadguard.refresh_view(regclass) IS
'Internal: makes the view of a concealed table anew after its columns or field rules changed.';
