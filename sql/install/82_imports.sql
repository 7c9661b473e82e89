-- Importing: stage, check, submit, commit.

CREATE FUNCTION leadguard.import_stage()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_import_stage';
COMMENT ON FUNCTION leadguard.import_stage() IS
'Trigger INSTEAD OF INSERT of staging views: puts the row into the open import of the current member. 42501 for a view that leadguard.prepare_imports did not make or without a member, 55000 without an open import.';

CREATE FUNCTION leadguard.import_staged()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_import_staged';
COMMENT ON FUNCTION leadguard.import_staged() IS
'Trigger AFTER INSERT, FOR EACH STATEMENT, of staging views: writes what the statement loaded.';

CREATE FUNCTION leadguard.prepare_imports(target regclass, match_keys jsonb, view text DEFAULT NULL, required text[] DEFAULT '{}',
                                          disqualified text[] DEFAULT '{}')
RETURNS text LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'prepare_imports_wrapper';
COMMENT ON FUNCTION leadguard.prepare_imports(regclass, jsonb, text, text[], text[]) IS
'Lets members import rows into a protected table; returns the name of the staging view. match_keys: {"columns": "normalisation"}, columns separated by commas, normalisations (exact, trim, lower, digits, phone, email) by |. view: name of the view, which is made in the schema of the table, by default <table>_import. required: columns beside those that are NOT NULL. disqualified: values of the status or stage column. Call it again when columns of the table or these rules change. For the table''s owner and superusers, who make the view, and for members with the capability manage_rules whose organization has the table to itself, who change the rules (42501). 22023: arguments; 42710: the name of the view is taken.';

CREATE FUNCTION leadguard.import_begin(target regclass, note text DEFAULT NULL, template text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_begin_wrapper';
COMMENT ON FUNCTION leadguard.import_begin(regclass, text, text) IS
'Opens an import and returns its number: rows that the member loads into the staging view of the table go to it. template: the pre-approved template that shall cover it. For members who may create rows in the table, systems too; no guests. Errors: 42501; 22023 arguments; 55000 the table is not prepared for imports, or the member has an open import for it.';

CREATE FUNCTION leadguard.import_check(import bigint)
RETURNS TABLE (line bigint, field text, problem text, detail text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_check_wrapper';
COMMENT ON FUNCTION leadguard.import_check(bigint) IS
'Looks for what is wrong with the loaded rows and returns it: invalid, missing, not valid (lists of valid values), tag, closed (a column that the member does not write), refused (a row that he may not insert so), duplicate (of another line), exists, exists (archived), exists (disqualified). Existing rows are all of the organization, those too that the caller does not see: who they are is told only for those that he sees, and not for match keys with a column that is masked; keys with a column that is closed to him are compared by the commit only. Every check is audited. For whoever opened the import. Errors: 42501 no such import for the caller; 55000 it is submitted or over, or a statement is loading rows; 40001 others loaded rows since the snapshot of the transaction.';

CREATE FUNCTION leadguard.import_submit(import bigint, justification text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_submit_wrapper';
COMMENT ON FUNCTION leadguard.import_submit(bigint, text) IS
'Freezes a checked import. Where it has more good rows than the member may insert at once (switch batch_insert), no template covers it and the member has not the capability approve himself, it asks for an approval and returns its number; NULL when the import may be committed. For whoever opened it. Errors: 42501 no such import for the caller; 22023 no justification; 55000 not checked, rows that were not checked, no good row, submitted already or over.';

CREATE FUNCTION leadguard.import_commit(import bigint)
RETURNS TABLE (records bigint, inserted bigint, duplicates bigint, invalid bigint, skipped bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_commit_wrapper';
COMMENT ON FUNCTION leadguard.import_commit(bigint) IS
'Inserts the good rows of a submitted import, all or none, as the caller: with the table''s policies, triggers and defaults. Looks for existing rows again; commits of one table wait for each other. Returns how many rows were loaded and inserted, were there already, were bad, and were left out by triggers of the table. For whoever opened the import. Errors: 42501 no such import for the caller, or what the table refuses; LG004 no approval yet; 55000 not submitted, refused, over, or rows that changed since.';

CREATE FUNCTION leadguard.import_cancel(import bigint)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_cancel_wrapper';
COMMENT ON FUNCTION leadguard.import_cancel(bigint) IS
'Ends an import and deletes its rows. For whoever opened it, and persons with the capability approve of his organization. Errors: 42501 no such import for the caller; 55000 it is over.';

CREATE FUNCTION leadguard.import_cleanup(older_than interval DEFAULT '30 days')
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_cleanup_wrapper';
COMMENT ON FUNCTION leadguard.import_cleanup(interval) IS
'Cancels imports that were begun before that and are not over, with their rows; how many. Leaves out what somebody is working on. For members with the capability administer or approve, in their organization, and superusers, in all (42501). 22023: NULL, or negative.';

CREATE FUNCTION leadguard.reads_import(org_id bigint, member_id bigint, state text)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS $$
    SELECT NOT leadguard.is_analyst() AND NOT leadguard.is_guest() AND reads_import.org_id = leadguard.current_organization()
        AND (reads_import.member_id = leadguard.current_member()
             OR (leadguard.has_capability('approve') AND reads_import.state NOT IN ('open', 'checked')))
$$;
COMMENT ON FUNCTION leadguard.reads_import(bigint, bigint, text) IS
'Internal: whether the current member may see an import: his own, or one that was submitted and that he may approve.';

CREATE FUNCTION leadguard.imports()
RETURNS TABLE (import bigint, target regclass, member text, state text, note text, begun_at timestamptz, checked_at timestamptz,
               submitted_at timestamptz, ended_at timestamptz, records bigint, good bigint, inserted bigint, approval bigint,
               template bigint, self_approved boolean, justification text)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.id, coalesce(p.concealed_by, s.target), m.key, s.state, s.note, s.begun_at, s.checked_at, s.submitted_at, s.ended_at,
           CASE WHEN s.state = 'open' THEN (SELECT count(*) FROM leadguard.import_row r WHERE r.import_id = s.id) ELSE s.records END,
           s.good, s.inserted, s.approval, s.template, s.self_approved, s.justification
    FROM leadguard.import_session s
    JOIN leadguard.member m ON m.id = s.member_id
    JOIN leadguard.protected_table p ON p.target = s.target
    WHERE leadguard.reads_import(s.org_id, s.member_id, s.state)
    ORDER BY s.id
$$;
COMMENT ON FUNCTION leadguard.imports() IS
'Imports and how far they are. Members see their own, persons with the capability approve those of their organization that were submitted.';

CREATE FUNCTION leadguard.import_report(import bigint)
RETURNS TABLE (line bigint, field text, problem text, detail text)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF import IS NULL THEN
        RAISE EXCEPTION 'argument "import" must not be NULL' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT p.line, nullif(p.field, ''), p.problem, p.detail
    FROM leadguard.import_session s
    JOIN leadguard.import_problem p ON p.import_id = s.id
    WHERE s.id = import_report.import AND leadguard.reads_import(s.org_id, s.member_id, s.state)
    ORDER BY p.line, p.field, p.problem;
END
$$;
COMMENT ON FUNCTION leadguard.import_report(bigint) IS
'What the checks and the commit of an import found, as import_check returns it; it stays when the import is over. For whoever sees the import in leadguard.imports(); no rows for others. 22023: NULL.';

CREATE FUNCTION leadguard.import_rows(import bigint)
RETURNS TABLE (line bigint, data jsonb)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF import IS NULL THEN
        RAISE EXCEPTION 'argument "import" must not be NULL' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT r.line, r.data
    FROM leadguard.import_session s
    JOIN leadguard.import_row r ON r.import_id = s.id
    WHERE s.id = import_rows.import AND leadguard.reads_import(s.org_id, s.member_id, s.state)
    ORDER BY r.line;
END
$$;
COMMENT ON FUNCTION leadguard.import_rows(bigint) IS
'The rows of an import that is not over, as they were loaded. For whoever sees the import in leadguard.imports(); no rows for others. 22023: NULL.';
