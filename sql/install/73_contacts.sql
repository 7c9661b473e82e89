-- Contacts of records: writing and reading them, and the access that follows from them.

CREATE FUNCTION leadguard.contact_add(target regclass, record text, side text DEFAULT NULL, member text DEFAULT NULL,
                                      name text DEFAULT NULL, email text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_add_wrapper';
COMMENT ON FUNCTION leadguard.contact_add(regclass, text, text, text, text, text) IS
'Adds a contact to a record and returns its number: a member (key) of the organization of the record, or anybody else by name or e-mail. side is BUYER or SELLER; by default guests and whoever is no member are BUYER, others SELLER. A SELLER who is a person gets the record at level edit, a BUYER who is a guest at level read. Needs the right to update the record; guests add contacts that are no members only. Errors: 42501 no right, or no such record for the caller; 22023 arguments, unknown member; 23505 the member is a contact of the record.';

CREATE FUNCTION leadguard.contact_side(contact bigint, side text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_side_wrapper';
COMMENT ON FUNCTION leadguard.contact_side(bigint, text) IS
'Puts a contact on the other side, BUYER or SELLER; what it has of access follows, and a SELLER loses its stakeholder types, which the history keeps. Needs the right to update the record; guests only for contacts that are no members. Errors: 42501 no right, or no such contact for the caller; 22023 unknown side; 55000 a removed contact.';

CREATE FUNCTION leadguard.contact_remove(contact bigint, reason text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_remove_wrapper';
COMMENT ON FUNCTION leadguard.contact_remove(bigint, text) IS
'Removes a contact from its record, and with it the access that it gave; leadguard.contact_history keeps it. Who may call and errors: as contact_side.';

CREATE FUNCTION leadguard.contact_mark(contact bigint, type text)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_mark_wrapper';
COMMENT ON FUNCTION leadguard.contact_mark(bigint, text) IS
'Gives a BUYER a stakeholder type, CHAMPION, DECISION_MAKER or INFLUENCER, beside those that it has; true when it did not have it. Types give no access. Needs the right to update the record. Errors: 42501 no right, or no such contact for the caller; 22023 unknown type, or a SELLER; 55000 a removed contact.';

CREATE FUNCTION leadguard.contact_unmark(contact bigint, type text)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_unmark_wrapper';
COMMENT ON FUNCTION leadguard.contact_unmark(bigint, text) IS
'Ends a stakeholder type of a contact, which leadguard.contact_history keeps; true when it had it. Who may call and errors: as contact_mark.';

CREATE FUNCTION leadguard.contacts(target regclass, record text)
RETURNS TABLE (contact bigint, side text, member text, name text, email text, types text[], added_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'contacts_wrapper';
COMMENT ON FUNCTION leadguard.contacts(regclass, text) IS
'The contacts of a record with their present stakeholder types. member is the key of a contact that is a member whom the caller may list. For whoever reads the record; no rows for a record that the caller cannot read. Errors: 42501 no identity; 22023 unknown table.';

CREATE FUNCTION leadguard.contact_history(target regclass, record text)
RETURNS TABLE (contact bigint, side text, member text, name text, email text, type text, since timestamptz, until timestamptz,
               added_at timestamptz, added_by text, removed_at timestamptz, removed_by text, reason text)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 20
AS 'MODULE_PATHNAME', 'contact_history_wrapper';
COMMENT ON FUNCTION leadguard.contact_history(regclass, text) IS
'Every contact that a record has or had, once for each time that it had a stakeholder type (type NULL: never any). Who may ask and errors: as contacts.';

-- What a contact gives: written down in record_grant, where access by contacts is looked up like any other.
CREATE FUNCTION leadguard.grant_contacts(contacts bigint[])
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- What kind of members they are stays as it is read here.
    PERFORM FROM leadguard.member m
    WHERE m.id IN (SELECT c.member_id FROM leadguard.record_contact c WHERE c.id = ANY (contacts))
    ORDER BY m.id FOR SHARE;
    DELETE FROM leadguard.record_grant g
    WHERE g.contact_id = ANY (contacts)
      AND NOT EXISTS (SELECT FROM leadguard.record_contact c JOIN leadguard.member m ON m.id = c.member_id
                      WHERE c.id = g.contact_id AND leadguard.contact_level(c, m) = g.level);
    INSERT INTO leadguard.record_grant (target, record, kind, member_id, level, granted_by, contact_id)
    SELECT c.target, c.record, 'contact', c.member_id, leadguard.contact_level(c, m), leadguard.current_member(), c.id
    FROM leadguard.record_contact c
    JOIN leadguard.member m ON m.id = c.member_id
    WHERE c.id = ANY (contacts) AND leadguard.contact_level(c, m) IS NOT NULL
      AND NOT EXISTS (SELECT FROM leadguard.record_grant g WHERE g.contact_id = c.id);
END
$$;
COMMENT ON FUNCTION leadguard.grant_contacts(bigint[]) IS
'Internal: brings the grants of contacts into the state that follows from side, removal and kind of member.';

CREATE FUNCTION leadguard.contact_level(contact leadguard.record_contact, member leadguard.member)
RETURNS text LANGUAGE sql IMMUTABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN contact.removed_at IS NOT NULL OR NOT member.active THEN NULL
        WHEN contact.side OPERATOR(pg_catalog.=) 'SELLER' AND member.kind OPERATOR(pg_catalog.=) 'person' THEN 'edit'
        WHEN contact.side OPERATOR(pg_catalog.=) 'BUYER' AND member.kind OPERATOR(pg_catalog.=) 'guest' THEN 'read'
    END
$$;
COMMENT ON FUNCTION leadguard.contact_level(leadguard.record_contact, leadguard.member) IS
'Internal: the level that a contact gives to its member; NULL for none.';

CREATE FUNCTION leadguard.follow_contact()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.grant_contacts(array_agg(n.id)) FROM new_rows n WHERE n.member_id IS NOT NULL;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_contact() IS 'Trigger AFTER STATEMENT of record_contact: keeps the grants of changed contacts in step.';
-- Not for INSERT: contact_add does it, and a dump brings the grants along.
CREATE TRIGGER directory_36_grants AFTER UPDATE ON leadguard.record_contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_contact();

CREATE FUNCTION leadguard.follow_member_kind()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.grant_contacts(array_agg(c.id)) FROM leadguard.record_contact c
    WHERE c.member_id = new.id AND c.removed_at IS NULL
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadguard.follow_member_kind() IS
'Trigger AFTER ROW of member: keeps what a member has as a contact in step with his kind and whether he is active.';
CREATE TRIGGER directory_36_contacts AFTER UPDATE OF kind, active ON leadguard.member
    FOR EACH ROW WHEN (new.kind <> old.kind OR new.active <> old.active) EXECUTE FUNCTION leadguard.follow_member_kind();

CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.record_contact
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard('owner');
CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.contact_type
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard('owner');
ALTER TABLE leadguard.record_contact ENABLE ALWAYS TRIGGER directory_00_guard, ENABLE ALWAYS TRIGGER directory_36_grants;
ALTER TABLE leadguard.contact_type ENABLE ALWAYS TRIGGER directory_00_guard;
ALTER TABLE leadguard.member ENABLE ALWAYS TRIGGER directory_36_contacts;
