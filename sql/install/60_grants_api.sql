-- Giving access to single records. All run as the caller (SECURITY INVOKER): reassign updates the table with the
-- caller's own privileges, and only leadguard's own tables are written as their owner, inside the functions.
-- Not strict: a missing argument is an error with a name, not a silent NULL.

CREATE FUNCTION leadguard.share(target regclass, record text, member text DEFAULT NULL, level text DEFAULT 'read',
                                reason text DEFAULT NULL, until timestamptz DEFAULT NULL, retained boolean DEFAULT false,
                                team text DEFAULT NULL)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'share_wrapper';
COMMENT ON FUNCTION leadguard.share(regclass, text, text, text, text, timestamptz, boolean, text) IS
'Shares a record with a member or a team (keys; exactly one) at level read, edit or full, until a time or for good. Sharing again with the same holder replaces level, reason and expiry; a retained share (deal registration) stays until an administrator removes it. For members with level full on the record and superusers. Errors: 42501 no right, or no such record for the caller; 22023 unknown holder, level or table, time in the past.';

CREATE FUNCTION leadguard.unshare(target regclass, record text, member text DEFAULT NULL, team text DEFAULT NULL)
    RETURNS boolean
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'unshare_wrapper';
COMMENT ON FUNCTION leadguard.unshare(regclass, text, text, text) IS
'Takes back the shares of a record with a member or a team (keys; exactly one); true when there was one. Retained shares only for members with the capability administer and superusers. For members with level full on the record and superusers. Errors: 42501 no right, retained share, or no such record for the caller; 22023 unknown holder or table.';

CREATE FUNCTION leadguard.team_add(target regclass, record text, member text, level text DEFAULT 'edit', reason text DEFAULT NULL)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'team_add_with_wrapper';
COMMENT ON FUNCTION leadguard.team_add(regclass, text, text, text, text) IS
'Puts a member (key) on the team of a record at level read, edit or full, or changes the level there; those above get the same. For members with level full on the record and superusers. Errors: 42501 no right, or no such record for the caller; 22023 unknown member, level or table.';

CREATE FUNCTION leadguard.team_remove(target regclass, record text, member text)
    RETURNS boolean
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'team_remove_wrapper';
COMMENT ON FUNCTION leadguard.team_remove(regclass, text, text) IS
'Takes a member (key) off the team of a record; true when the member was on it. Shares and retained grants stay. For members with level full on the record and superusers. Errors: 42501 no right, or no such record for the caller; 22023 unknown member or table.';

CREATE FUNCTION leadguard.reassign(target regclass, record text, owner text DEFAULT NULL, territory text DEFAULT NULL,
                                   reason text DEFAULT NULL)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'reassign_wrapper';
COMMENT ON FUNCTION leadguard.reassign(regclass, text, text, text, text) IS
'Gives a record to another owner (key of an active member), another territory (key), or both, even if the caller loses sight of it; grants stay. It is an UPDATE with the caller''s own table privileges, and triggers run. The reason is kept in the audit. For members with level full on the record and superusers. Errors: 42501 no right, or no such record for the caller; 22023 unknown owner, territory or table, neither named.';
