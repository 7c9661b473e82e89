-- Notes and tags in tables of their own.

CREATE FUNCTION leadguard.protect_notes(target regclass, parent regclass, parent_column text, content text, author text DEFAULT NULL,
                                        created_at text DEFAULT NULL, id text DEFAULT NULL, dry_run boolean DEFAULT false)
RETURNS TABLE (step integer, kind text, statement text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'protect_notes_wrapper';
COMMENT ON FUNCTION leadguard.protect_notes(regclass, regclass, text, text, text, text, text, boolean) IS
'Secures a table of notes on the records of a protected table: readable with the record, added by members with level edit on it, append-only for everybody. parent_column holds the record''s id; content, author, created_at and id (by default the primary key) are columns; author and time are set by the server. Returns the steps; with dry_run it only returns them. For whoever owns both tables, and superusers (42501). 22023: a column that cannot serve, 42703: no such column, 42704: the parent is not protected, 42710: protected already, 42809: no ordinary table.';

CREATE FUNCTION leadguard.protect_tags(target regclass, parent regclass, parent_column text, tag text, dry_run boolean DEFAULT false)
RETURNS TABLE (step integer, kind text, statement text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'protect_tags_wrapper';
COMMENT ON FUNCTION leadguard.protect_tags(regclass, regclass, text, text, boolean) IS
'Secures a table of tags of the records of a protected table: readable with the record, added and removed by members with level edit on it and the role of the tag''s namespace (leadguard.tag_namespace of the parent). Who may call and errors: as leadguard.protect_notes.';

CREATE FUNCTION leadguard.erase_note(target regclass, record text, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'erase_note_wrapper';
COMMENT ON FUNCTION leadguard.erase_note(regclass, text, text) IS
'Blanks the content of a note and keeps a proof in leadguard.erasure. For members with the capability hard_delete who see the note, and superusers. Errors: 42501 no right, or no such note for the caller; 22023 without a reason, or no table of notes.';

CREATE FUNCTION leadguard.guard_child_statement()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_guard_child_statement';
COMMENT ON FUNCTION leadguard.guard_child_statement() IS
'Trigger BEFORE STATEMENT of tables of notes and tags: notes are append-only for everybody; 42501.';

CREATE FUNCTION leadguard.guard_child_row()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_guard_child_row';
COMMENT ON FUNCTION leadguard.guard_child_row() IS
'Trigger BEFORE ROW of tables of notes and tags: who writes, to which record, in which namespace; sets author and time of a note.';

CREATE FUNCTION leadguard.guard_child_stored()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_guard_child_stored';
COMMENT ON FUNCTION leadguard.guard_child_stored() IS
'Trigger AFTER ROW of tables of notes and tags: judges the stored row again, since other triggers may have changed it, and writes it down in the audit.';
