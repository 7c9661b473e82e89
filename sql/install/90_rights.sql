-- The complete list of who may do what with the extension's objects. First everything is taken away, from
-- PUBLIC and from whomever the installer's default privileges favoured; then the list follows.
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT format('ON %s %s', CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) AS object, a.grantee
        FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) a
        WHERE c.relnamespace = 'leadguard'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S') AND a.grantee <> c.relowner
        UNION
        SELECT format('ON FUNCTION %s', p.oid::regprocedure), a.grantee
        FROM pg_catalog.pg_proc p, LATERAL pg_catalog.aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.pronamespace = 'leadguard'::regnamespace AND a.grantee <> p.proowner
        UNION
        SELECT format('ON TYPE %s', t.oid::regtype), a.grantee
        FROM pg_catalog.pg_type t, LATERAL pg_catalog.aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) a
        WHERE t.typnamespace = 'leadguard'::regnamespace AND t.typelem = 0 AND t.typrelid = 0 AND a.grantee <> t.typowner
        UNION
        SELECT 'ON SCHEMA leadguard', a.grantee
        FROM pg_catalog.pg_namespace n, LATERAL pg_catalog.aclexplode(n.nspacl) a
        WHERE n.nspname = 'leadguard' AND a.grantee <> n.nspowner
    LOOP
        EXECUTE format('REVOKE ALL %s FROM %s', item.object,
                       CASE WHEN item.grantee = 0 THEN 'PUBLIC' ELSE item.grantee::regrole::text END);
    END LOOP;
END
$$;

-- Row security of the directory: members read what may be listed, administrators write their organization.
-- USAGE on the schema is granted to registered login roles only, so "PUBLIC" below means those.
DO $$
DECLARE
    t text;
    belongs text;
BEGIN
    FOR t, belongs IN VALUES
        ('member', 'org_id = (SELECT leadguard.current_organization())'),
        ('role', 'org_id = (SELECT leadguard.current_organization())'),
        ('territory', 'org_id = (SELECT leadguard.current_organization())'),
        ('team', 'org_id = (SELECT leadguard.current_organization())'),
        ('member_role', 'leadguard.in_my_organization(''member'', member_id)'),
        ('member_scope', 'leadguard.in_my_organization(''member'', member_id)'),
        ('territory_member', 'leadguard.in_my_organization(''territory'', territory_id)'),
        ('team_member', 'leadguard.in_my_organization(''team'', team_id)')
    LOOP
        EXECUTE format('ALTER TABLE leadguard.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY administered ON leadguard.%I USING ((SELECT leadguard.has_capability(''administer'')) AND %s)', t, belongs);
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON leadguard.%I TO PUBLIC', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['organization', 'login_role', 'role_binding', 'protected_table', 'record_grant', 'table_grant',
                             'member_closure', 'territory_closure', 'hierarchy_revision', 'retired_key',
                             'secret', 'audit_entry', 'audit_log_default', 'audit_entry_value',
                             'field_version', 'field_rule', 'field_signature', 'field_value', 'field_transition',
                             'tag_column', 'tag_namespace', 'column_mask', 'approval', 'tombstone', 'protected_child', 'erasure',
                             'preset_rule', 'access_rule', 'access_switch', 'preset_switch', 'table_switch', 'member_setting'] LOOP
        EXECUTE format('ALTER TABLE leadguard.%I ENABLE ROW LEVEL SECURITY', t);
    END LOOP;
END
$$;

CREATE POLICY listed ON leadguard.member FOR SELECT USING (
    id = (SELECT leadguard.current_member())
    OR (active AND org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest())));
CREATE POLICY listed ON leadguard.organization FOR SELECT USING (id = (SELECT leadguard.current_organization()));
CREATE POLICY listed ON leadguard.role FOR SELECT USING (
    org_id IS NULL OR org_id = (SELECT leadguard.current_organization()));
CREATE POLICY listed ON leadguard.territory FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest()));
CREATE POLICY listed ON leadguard.team FOR SELECT USING (
    org_id = (SELECT leadguard.current_organization()) AND NOT (SELECT leadguard.is_guest()));
CREATE POLICY own ON leadguard.member_role FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
CREATE POLICY own ON leadguard.member_scope FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
CREATE POLICY own ON leadguard.territory_member FOR SELECT USING (member_id = (SELECT leadguard.current_member()));
CREATE POLICY own ON leadguard.team_member FOR SELECT USING (member_id = (SELECT leadguard.current_member()));

-- Those who write a part of the directory: which rows. What they may do with them is decided by directory_limits.
CREATE POLICY managed ON leadguard.member USING (
    (SELECT leadguard.has_capability('manage_members') AND NOT leadguard.is_guest())
    AND org_id = (SELECT leadguard.current_organization()));
CREATE POLICY managed ON leadguard.member_role USING (
    NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('manage_members')) OR (SELECT leadguard.has_capability('manage_roles')))
    AND leadguard.in_my_organization('member', member_id));
CREATE POLICY made ON leadguard.team FOR INSERT WITH CHECK (
    (SELECT leadguard.has_capability('manage_teams')) AND org_id = (SELECT leadguard.current_organization())
    AND NOT (SELECT leadguard.is_guest()));
CREATE POLICY managed ON leadguard.team FOR UPDATE USING (id IN (SELECT leadguard.owned_teams()));
CREATE POLICY managed ON leadguard.team_member USING (team_id IN (SELECT leadguard.owned_teams()));
CREATE POLICY managed ON leadguard.organization FOR UPDATE USING (
    id = (SELECT leadguard.current_organization())
    AND ((SELECT leadguard.has_capability('manage_organization')) OR (SELECT leadguard.has_capability('own_organization'))));
GRANT UPDATE (key, name, organization_view, domain_roles) ON leadguard.organization TO PUBLIC;

CREATE POLICY own ON leadguard.member_setting USING (member_id = (SELECT leadguard.current_member()));
CREATE POLICY administered ON leadguard.member_setting FOR SELECT USING (
    (SELECT leadguard.has_capability('administer')) AND leadguard.in_my_organization('member', member_id));
CREATE POLICY administered_delete ON leadguard.member_setting FOR DELETE USING (
    (SELECT leadguard.has_capability('administer')) AND leadguard.in_my_organization('member', member_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON leadguard.member_setting TO PUBLIC;

-- The audit is read through its root; its partitions have no policy and no grant of their own.
CREATE POLICY audited ON leadguard.audit_entry FOR SELECT USING (
    (SELECT leadguard.has_capability('audit')) AND organization = (SELECT leadguard.current_organization()));
CREATE POLICY audited ON leadguard.tombstone FOR SELECT USING (
    (SELECT leadguard.has_capability('audit')) AND org_id = (SELECT leadguard.current_organization()));
GRANT SELECT ON leadguard.tombstone, leadguard.erasure, leadguard.protected_children TO PUBLIC;
CREATE POLICY audited ON leadguard.erasure FOR SELECT USING (
    (SELECT leadguard.has_capability('audit')) AND org_id = (SELECT leadguard.current_organization()));
CREATE POLICY audited ON leadguard.audit_entry_value FOR SELECT USING (
    (SELECT leadguard.has_capability('audit')) AND organization = (SELECT leadguard.current_organization()));

GRANT SELECT (id, org_id, key, name) ON leadguard.member TO PUBLIC;
GRANT SELECT (id, key, name, organization_view, domain_roles) ON leadguard.organization TO PUBLIC;
GRANT SELECT ON leadguard.role, leadguard.member_role, leadguard.member_scope, leadguard.territory_member, leadguard.team_member TO PUBLIC;
GRANT SELECT (id, org_id, key, name) ON leadguard.territory TO PUBLIC;
GRANT SELECT (id, org_id, key, name) ON leadguard.team TO PUBLIC;
GRANT SELECT ON leadguard.protected, leadguard.audit_log, leadguard.audit_value, leadguard.audit_entry, leadguard.audit_entry_value TO PUBLIC;

-- The rules about fields are read through views that show them to those who may read the table. Requests are for the
-- requester and for those of his organization who decide.
GRANT SELECT ON leadguard.field_versions, leadguard.field_cells, leadguard.field_signatures, leadguard.field_values,
    leadguard.field_transitions, leadguard.tag_columns, leadguard.tag_namespaces TO PUBLIC;
CREATE POLICY concerned ON leadguard.approval FOR SELECT USING (
    requested_by = (SELECT leadguard.current_member())
    OR (org_id = (SELECT leadguard.current_organization()) AND (SELECT leadguard.has_capability('approve'))));
GRANT SELECT ON leadguard.approval TO PUBLIC;

-- What is shipped anybody may read; what a table says, through views, whoever may read the table.
CREATE POLICY shipped ON leadguard.preset_rule FOR SELECT USING (true);
CREATE POLICY shipped ON leadguard.access_switch FOR SELECT USING (true);
CREATE POLICY shipped ON leadguard.preset_switch FOR SELECT USING (true);
GRANT SELECT ON leadguard.preset_rule, leadguard.access_switch, leadguard.preset_switch, leadguard.rules, leadguard.switches TO PUBLIC;

-- Contacts are read through functions that judge who reads the record. Rules about domains are for those who write them.
ALTER TABLE leadguard.record_contact ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.contact_type ENABLE ROW LEVEL SECURITY;
ALTER TABLE leadguard.domain_rule ENABLE ROW LEVEL SECURITY;
CREATE POLICY administered ON leadguard.domain_rule USING (
    org_id = (SELECT leadguard.current_organization())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_organization'))));
GRANT SELECT, INSERT, UPDATE, DELETE ON leadguard.domain_rule TO PUBLIC;

-- Functions: the list of those anyone may execute. All others are for the extension itself and its owner.
GRANT EXECUTE ON FUNCTION
    leadguard.visible(regclass, "any", "any", "any", "any"),
    leadguard.visible_owner(regclass, "any"), leadguard.visible_owners(regclass, anyelement),
    leadguard.visible_territory(regclass, "any"), leadguard.visible_territories(regclass, anyelement),
    leadguard.visible_record(regclass, "any"), leadguard.visible_records(regclass, anyelement),
    leadguard.visible_organization(regclass, "any"), leadguard.visible_organizations(regclass, anyelement),
    leadguard.visible_admin(regclass, "any"), leadguard.visible_from(regclass, anyelement), leadguard.visible_all(regclass), leadguard.visible_unmarked(regclass),
    leadguard.still_visible(regclass, "any", "any", "any", "any"),
    leadguard.acceptable(regclass, "any", "any", "any", "any"),
    leadguard.may_read(regclass, text, VARIADIC "any"), leadguard.may_still_read(regclass, text, VARIADIC "any"),
    leadguard.may_insert(regclass, text, VARIADIC "any"),
    leadguard.visible_creator(regclass, "any"), leadguard.visible_creators(regclass, anyelement),
    leadguard.visible_segment(regclass, "any"), leadguard.visible_segments(regclass, anyelement),
    leadguard.visible_team(regclass, "any"), leadguard.visible_teams(regclass, anyelement),
    leadguard.visible_parent(regclass, "any"), leadguard.visible_parents(regclass, anyelement),
    leadguard.visible_stage(regclass, "any", "any"), leadguard.visible_sensitive(regclass, "any", "any", "any"),
    leadguard.mapped(anyelement),
    leadguard.guard_statement(), leadguard.guard_row(), leadguard.guard_stored(), leadguard.guard_written(),
    leadguard.current_member(), leadguard.current_organization(), leadguard.has_capability(text),
    leadguard.is_analyst(), leadguard.is_guest(), leadguard.in_my_organization(text, bigint),
    leadguard.whoami(), leadguard.act_as(text), leadguard.cache(), leadguard.search(anyelement, text, text, text),
    leadguard.verify_closure(), leadguard.rebuild_closure(),
    leadguard.protect, leadguard.unprotect, leadguard.on_denied,
    leadguard.share(regclass, text, text, text, text, timestamptz, boolean, text),
    leadguard.unshare(regclass, text, text, text),
    leadguard.team_add(regclass, text, text, text, text),
    leadguard.team_remove(regclass, text, text),
    leadguard.reassign(regclass, text, text, text, text),
    leadguard.can(text, regclass, text, text),
    leadguard.explain_access(regclass, text, text, text),
    leadguard.who_can(text, regclass, text),
    leadguard.what_can(text, regclass, text), leadguard.verify(regclass, integer),
    leadguard.field_access(regclass, text),
    leadguard.audit_verify(timestamptz), leadguard.audit_batches(timestamptz, integer),
    leadguard.reads_rules(regclass, regclass, bigint, name),
    leadguard.set_field(regclass, text, text, text),
    leadguard.set_fields(regclass, jsonb), leadguard.get_fields(regclass, integer),
    leadguard.import_fields(regclass, text), leadguard.export_fields(regclass, integer),
    leadguard.field_matrix(regclass, integer),
    leadguard.propose_fields(regclass, text[], text), leadguard.sign_fields(regclass, integer),
    leadguard.discard_fields(regclass), leadguard.set_field_default(regclass, text),
    leadguard.valid_values(regclass, text, text[]),
    leadguard.set_transition(regclass, text, text, text, text, jsonb),
    leadguard.drop_transition(regclass, text, text, text, text),
    leadguard.tag_column(regclass, text, boolean), leadguard.tag_namespace(regclass, text, text),
    leadguard.request_approval(text, regclass, text, text, text, timestamptz),
    leadguard.decide_approval(bigint, boolean, text),
    leadguard.shown(regclass, text, "any", "any", "any", "any"), leadguard.concealed(regclass),
    leadguard.mask_partial(text, integer), leadguard.mask_hash(text), leadguard.closed_keys(regclass, text), leadguard.write_through(),
    leadguard.archive(regclass, text, text), leadguard.restore(regclass, text, text), leadguard.purge(regclass, text, text),
    leadguard.protect_notes, leadguard.protect_tags, leadguard.erase_note(regclass, text, text),
    leadguard.guard_child_statement(), leadguard.guard_child_row(), leadguard.guard_child_stored(),
    leadguard.set_archive, leadguard.unarchived(regclass, "any", timestamptz), leadguard.sees_archived(regclass, "any"),
    leadguard.set_rule(regclass, text, text, text, text, text[]), leadguard.drop_rule(regclass, text, text, text, text[]),
    leadguard.set_switch(regclass, text, text, text), leadguard.reset_switch(regclass, text, text),
    leadguard.set_preset(regclass, text, text), leadguard.access_matrix(regclass), leadguard.member_rights(text),
    leadguard.mark_sensitive(regclass, text, text), leadguard.unmark_sensitive(regclass, text, text),
    leadguard.own_rank(), leadguard.outranks_me(bigint), leadguard.may_give(bigint), leadguard.owned_teams(),
    leadguard.would_command(bigint, bigint), leadguard.is_fresh_id(text, bigint),
    leadguard.owned_records(text), leadguard.delete_organization(text, text), leadguard.merge_organization(text, text, text),
    leadguard.contact_add(regclass, text, text, text, text, text), leadguard.contact_side(bigint, text),
    leadguard.contact_remove(bigint, text), leadguard.contact_mark(bigint, text), leadguard.contact_unmark(bigint, text),
    leadguard.contacts(regclass, text), leadguard.contact_history(regclass, text),
    leadguard.invite(regclass, text, text, text, text, text, text, timestamptz), leadguard.invitations(), leadguard.role_for(text, text),
    leadguard.conceal, leadguard.reveal, leadguard.mask, leadguard.unmask, leadguard.col_state
TO PUBLIC;
