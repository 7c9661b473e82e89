-- Questions about access. They read the asked table as the caller, under row security, so that nobody learns of
-- a record that he cannot read. PARALLEL RESTRICTED: the identity of act_as lives in the leader.

CREATE FUNCTION leadguard.can(action text, target regclass, record text, member text DEFAULT NULL)
    RETURNS boolean
    LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'can_wrapper';
COMMENT ON FUNCTION leadguard.can(text, regclass, text, text) IS
'Whether a member (key; default: who asks) may read, update, archive, delete, share, reassign or export a record, or create one (record NULL). It tells the rights that leadguard gives, not privileges on the table. About oneself: any member; about others: members above, members of the organization with the capability administer, superusers. A record that the caller cannot read is answered like one that does not exist: false. Errors: 42501 no identity or not yours to ask; 22023 unknown action or table, a superuser''s unknown member.';

CREATE FUNCTION leadguard.explain_access(target regclass, record text, member text DEFAULT NULL, action text DEFAULT 'read')
    RETURNS TABLE (path text, via text, level text, decisive boolean, detail text)
    LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'explain_access_wrapper';
COMMENT ON FUNCTION leadguard.explain_access(regclass, text, text, text) IS
'Why a member (key; default: who asks) may do something with a record: every path, the members on it from the asking one down, the level it gives; decisive is the one that counts. Why not: every path that was tried, without level, and what stands in the way. Names only of those whom the caller may list, others as (hidden). Who may ask and errors: as leadguard.can.';

CREATE FUNCTION leadguard.who_can(action text, target regclass, record text)
    RETURNS TABLE (member text, level text, path text)
    LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'who_can_wrapper';
COMMENT ON FUNCTION leadguard.who_can(text, regclass, text) IS
'Which members may do something with a record, one row each with the level and the strongest path. Superusers and members with the capability administer get all of them, others themselves and the members below. No rows for a record that the caller cannot read. Errors: 42501 no identity; 22023 unknown action or table.';

CREATE FUNCTION leadguard.what_can(member text, target regclass, action text DEFAULT 'read')
    RETURNS TABLE (record text, level text, path text)
    LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'what_can_wrapper';
COMMENT ON FUNCTION leadguard.what_can(text, regclass, text) IS
'With which records of a table a member (key; NULL: who asks) may do something, one row each with the level and the strongest path, among those that the caller can read. Who may ask and errors: as leadguard.can; 22023 for create, which is not about a record.';

CREATE FUNCTION leadguard.field_access(target regclass, member text DEFAULT NULL)
    RETURNS TABLE (field text, access text)
    LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'field_access_wrapper';
COMMENT ON FUNCTION leadguard.field_access(regclass, text) IS
'What the roles of a member (key; default: who asks) allow on each field of a table: owner, editor, read-only or no access; beside the level on a record, which leadguard.can tells. Who may ask and errors: as leadguard.can.';

CREATE FUNCTION leadguard.verify(target regclass, samples integer DEFAULT 100)
RETURNS TABLE (record text, member text, by_sets text, by_paths text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'verify_wrapper';
COMMENT ON FUNCTION leadguard.verify(regclass, integer) IS
'Compares, for records chosen at random and every active member, the rights that policies and guards compute from sets with those that a walk from the record finds; no row when they agree. Superusers, and members with the capability administer for what they see; others 42501. 22023: a table that is not protected, samples not positive.';
