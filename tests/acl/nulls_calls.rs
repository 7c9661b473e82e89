//! Calls that can be carried out: what the arguments are, and the company in which they mean something.

use leadguard_tests::{Db, accepted, lead_table};

/// What an argument of this name is in a call that can be carried out; `function.argument` where it differs.
pub const GOOD: &[(&str, &str)] = &[
    ("target", "'crm.lead'"),
    ("record", "'1'"),
    ("member", "'carl'"),
    ("reason", "'why'"),
    ("note", "'why'"),
    ("answer", "'yes'"),
    ("justification", "'needed'"),
    ("resolution", "'done'"),
    ("level", "'read'"),
    ("kind", "'member'"),
    ("role", "'seller'"),
    ("field", "'name'"),
    ("column_name", "'name'"),
    ("capability", "'audit'"),
    ("email", "'new@partner.example'"),
    ("until", "now() + interval '5 days'"),
    ("members", "'{carl}'"),
    ("ids", "'{1}'"),
    ("keep", "1"),
    ("id", "1"),
    ("access_matrix.target", "'crm.lead'"),
    ("accept_schema_change.id", "(SELECT min(id) FROM leadguard.schema_change WHERE state = 'violation')"),
    ("act_as.member_key", "'carl'"),
    ("add_to_team.team", "'red'"),
    ("analyst.db_role", "current_database() || '_free'"),
    ("analyst.member_key", "'carl'"),
    ("archive.record", "'2'"),
    ("audit_retire.before", "'2020-01-01'"),
    ("audit_run.kind", "'quarterly'"),
    ("audit_changes.fields", "'{}'"),
    ("audit_changes.digests", "''"),
    ("audit_values.fields", "'{}'"),
    ("audit_values.old_values", "'{}'"),
    ("audit_values.new_values", "'{}'"),
    ("can.action", "'read'"),
    ("change_role.from_role", "'seller'"),
    ("change_role.to_role", "'view_only'"),
    ("change_roles.from_role", "'seller'"),
    ("change_roles.to_role", "'view_only'"),
    ("close_dispute.winner", "'mona'"),
    ("connector.db_role", "current_database() || '_free'"),
    ("contact_add.side", "'BUYER'"),
    ("contact_add.member", "'carl'"),
    ("contact_mark.type", "'DECISION_MAKER'"),
    ("contact_side.side", "'SELLER'"),
    ("contact_unmark.type", "'CHAMPION'"),
    ("decide_approval.id", "(SELECT id FROM leadguard.approval WHERE kind = 'batch')"),
    ("delegate.to_member", "'alice'"),
    ("delegate.member", "'anton'"),
    ("delete_organization.key", "'empty'"),
    ("discard_fields.target", "'crm.deal'"),
    ("drop_assignment_rule.name", "'large'"),
    ("drop_batch_template.name", "'weekly'"),
    ("drop_handoff_step.name", "'pass'"),
    ("drop_rule.role", "'seller'"),
    ("drop_rule.path", "'created'"),
    ("drop_rule.action", "'access'"),
    ("drop_transition.from_value", "'new'"),
    ("drop_transition.to_value", "'won'"),
    ("drop_transition.field", "'stage'"),
    ("erase_note.target", "'crm.note'"),
    ("export_fields.version", "1"),
    ("field_matrix.version", "1"),
    ("get_fields.version", "1"),
    ("handoff.step", "'pass'"),
    ("handoff.to_member", "'anton'"),
    ("has_capability.capability", "'audit'"),
    ("hold_review.kind", "'quarterly'"),
    ("import", "2"),
    ("import_commit.import", "1"),
    ("import_fields.csv", "E'field,seller\\nname,owner\\n'"),
    ("import_submit.justification", "'needed'"),
    ("invite.key", "'pia'"),
    ("invite.name", "'Pia'"),
    ("invite.email", "'pia@partner.example'"),
    ("mask.mask", "'partial'"),
    ("member_rights_in.member", "'carl'"),
    ("merge_organization.source_key", "'empty'"),
    ("merge_organization.into_key", "'default'"),
    ("migrate_roles.mapping", "'{\"seller\": \"view_only\"}'"),
    ("offboard_cancel.member", "'loner'"),
    ("offboard_end.member", "'ted'"),
    ("offboard_last_day.member", "'loner'"),
    ("offboard_last_day.reason", "'why'"),
    ("offboard_last_day.new_owner", "'vp'"),
    ("offboard_now.member", "'loner'"),
    ("offboard_now.new_owner", "'vp'"),
    ("offboard_now.reason", "'why'"),
    ("offboard_plan.last_day", "current_date + 3"),
    ("on_denied.action", "'skip'"),
    ("onboard.key", "'nina'"),
    ("onboard.name", "'Nina'"),
    ("prepare_imports.match_keys", "'{\"email\": \"email\"}'"),
    ("propose_fields.signers", "'{mona}'"),
    ("protect.target", "'crm.free'"),
    ("protect.owner", "'owner_id'"),
    ("protect_notes.target", "'crm.free_note'"),
    ("protect_notes.parent", "'crm.lead'"),
    ("protect_notes.parent_column", "'lead_id'"),
    ("protect_notes.content", "'body'"),
    ("protect_tags.target", "'crm.free_tag'"),
    ("protect_tags.parent", "'crm.lead'"),
    ("protect_tags.parent_column", "'lead_id'"),
    ("protect_tags.tag", "'tag'"),
    ("purge.record", "'5'"),
    ("reads_rules.concealed_by", "NULL"),
    ("reassign.owner", "'anton'"),
    ("remove_departed.members", "'{loner}'"),
    ("remove_departed.new_owner", "'vp'"),
    ("remove_departed.reason", "'why'"),
    ("request_access.record", "'9'"),
    ("request_approval.field", "NULL"),
    ("request_approval.kind", "'delete'"),
    ("request_batch.operation", "'update'"),
    ("request_batch.records", "500"),
    ("request_schema_change.change", "'add column b'"),
    ("reset_switch.switch", "'exempt_owner'"),
    ("resolve_finding.id", "(SELECT min(id) FROM leadguard.finding WHERE status = 'open')"),
    ("resolve_finding.status", "'resolved'"),
    ("restore.record", "'5'"),
    ("reveal.target", "'crm.plain'"),
    ("review_guest.member", "'gus'"),
    ("review_guest.decision", "'keep'"),
    ("rights_differ.before", "'{}'"),
    ("rights_differ.later", "'{}'"),
    ("search.target", "NULL::crm.lead"),
    ("search.column", "'id'"),
    ("search.operator", "'='"),
    ("search.value", "'1'"),
    ("set_assignment_rule.name", "'all'"),
    ("set_assignment_rule.condition", "'[]'"),
    ("set_assignment_rule.action", "'{\"owner\": \"carl\"}'"),
    ("set_batch_template.name", "'daily'"),
    ("set_batch_template.operation", "'update'"),
    ("set_batch_template.records", "500"),
    ("set_batch_template.reason", "'scores'"),
    ("set_field.access", "'owner'"),
    ("set_field_default.access", "'editor'"),
    ("set_fields.matrix", "'{\"name\": {\"seller\": \"owner\"}}'"),
    ("set_handoff_step.name", "'next'"),
    ("set_preset.preset", "'four_role'"),
    ("set_rule.role", "'*'"),
    ("set_rule.path", "'created'"),
    ("set_rule.action", "'access'"),
    ("set_rule.effect", "'read'"),
    ("set_switch.switch", "'exempt_owner'"),
    ("set_switch.value", "'on'"),
    ("set_transition.field", "'stage'"),
    ("set_transition.from_value", "'new'"),
    ("set_transition.to_value", "'lost'"),
    ("share.member", "'carl'"),
    ("sign_fields.version", "1"),
    ("tag_column.column_name", "'tags'"),
    ("tag_namespace.namespace", "'source'"),
    ("release.claim", "(SELECT max(id) FROM leadguard.claim)"),
    ("undelegate.id", "(SELECT id FROM leadguard.delegation)"),
    ("unshare.member", "'bea'"),
    ("valid_values.values", "'{a,b}'"),
    ("who_can.action", "'read'"),
    ("delegate.reason", "'holiday'"),
    ("set_field.target", "'crm.deal'"),
    ("set_fields.target", "'crm.deal'"),
    ("import_fields.target", "'crm.deal'"),
    ("propose_fields.target", "'crm.deal'"),
    ("unmask.target", "'crm.deal'"),
    ("unprotect.target", "'crm.deal'"),
    ("hold_review.subject", "NULL"),
    ("hold_review.organization", "'default'"),
    ("hold_review.since", "NULL"),
    ("import_begin.target", "'crm.deal'"),
    ("may_read.parts", "'id'"),
    ("may_insert.parts", "'id'"),
    ("may_still_read.parts", "'id'"),
    ("unmask.column_name", "'secret'"),
];

/// A company in the middle of things: requests, imports, handoffs, findings to which the calls refer.
pub fn company() -> Db {
    let db = Db::new("acl_nulls");
    lead_table(&db);
    db.create_role("free");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead ADD creator_id bigint, ADD stage text DEFAULT 'new', ADD sensitive boolean DEFAULT false, ADD tags text[];
         CREATE TABLE crm.note (id bigint PRIMARY KEY, lead_id bigint REFERENCES crm.lead ON DELETE CASCADE, body text, author bigint, at timestamptz);
         CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, name text, secret text);
         SELECT leadguard.protect('crm.deal', owner => 'owner_id'); SELECT leadguard.mask('crm.deal', 'secret', 'full');
         SELECT leadguard.prepare_imports('crm.deal', '{\"name\": \"lower\"}');
         CREATE TABLE crm.plain (id bigint PRIMARY KEY, owner_id bigint);
         SELECT leadguard.protect('crm.plain', owner => 'owner_id'); SELECT leadguard.conceal('crm.plain');
         CREATE TABLE crm.free (id bigint PRIMARY KEY, owner_id bigint);
         CREATE TABLE crm.free_note (id bigint PRIMARY KEY, lead_id bigint, body text);
         CREATE TABLE crm.free_tag (lead_id bigint, tag text, PRIMARY KEY (lead_id, tag));
         SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', creator => 'creator_id', territory => 'territory_id', stage => 'stage',
             sensitive => 'sensitive', archived_at => 'archived_at', archived_by => 'archived_by');
         SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body', author => 'author', created_at => 'at');
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA crm TO PUBLIC;
         INSERT INTO leadguard.organization (key) VALUES ('empty');
         INSERT INTO leadguard.role (org_id, name, capabilities) VALUES (1, 'seller', '{explain}');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'seller' FROM leadguard.member WHERE key = 'carl';
         INSERT INTO leadguard.team (org_id, key) VALUES (1, 'red');
         INSERT INTO crm.note VALUES (1, 1, 'called', NULL, now());
         SELECT leadguard.set_transition('crm.lead', 'stage', 'new', 'won', 'seller');
         SELECT leadguard.set_rule('crm.lead', 'seller', 'created', 'access', 'read');
         SELECT leadguard.set_assignment_rule('crm.lead', 'large', 10, '[]', '{\"owner\": \"carl\"}');
         SELECT leadguard.set_handoff_step('crm.lead', 'pass', needs_acceptance => true);
         SELECT leadguard.prepare_imports('crm.lead', '{\"email\": \"email\"}');
         SELECT leadguard.share('crm.lead', '1', 'bea', 'read', reason => 'asked');
         SELECT leadguard.invite('crm.lead', '1', 'gus', 'Gus', 'gus@partner.example', until => now() + interval '9 days')",
    );
    for (who, what) in [
        ("admin", "SELECT leadguard.set_batch_template('weekly', 'crm.lead', 'update', 500, reason => 'scores')"),
        ("admin", "SELECT leadguard.set_fields('crm.lead', '{\"email\": {\"seller\": \"owner\"}}'); SELECT leadguard.propose_fields('crm.lead', '{admin,mona}')"),
        ("admin", "SELECT leadguard.set_fields('crm.deal', '{\"name\": {\"seller\": \"owner\"}}')"),
        ("admin", "DELETE FROM crm.lead WHERE id = 5"),
        ("admin", "SELECT leadguard.import_begin('crm.lead'); INSERT INTO crm.lead_import (name, email) VALUES ('a', 'a@x.example');
                   SELECT leadguard.import_check(1); SELECT leadguard.import_submit(1, 'a fair')"),
        ("admin", "SELECT leadguard.import_begin('crm.lead'); INSERT INTO crm.lead_import (name, email) VALUES ('b', 'b@x.example');
                   SELECT leadguard.import_check(2)"),
        ("admin", "SELECT leadguard.contact_add('crm.lead', '1', 'BUYER', 'mona'); SELECT leadguard.contact_mark(1, 'CHAMPION')"),
        ("admin", "SELECT leadguard.offboard_plan('ted', current_date); SELECT leadguard.offboard_last_day('ted', reason => 'last day'); SELECT leadguard.offboard_plan('loner', current_date + 1)"),
        ("alice", "SELECT leadguard.request_batch('crm.lead', 'update', 500, 'scores')"),
        ("alice", "SELECT leadguard.handoff('crm.lead', '3', 'pass', 'admin', 'please')"),
        ("alice", "SELECT leadguard.claim('crm.lead', '4', 'mine')"),
        ("mona", "SELECT leadguard.claim('crm.lead', '4', 'no, mine')"),
        ("alice", "SELECT leadguard.claim('crm.lead', '1', 'mine alone')"),
        ("alice", "SELECT leadguard.delegate('anton', now() + interval '5 days', 'edit', 'holiday')"),
        ("", "ALTER TABLE crm.lead ADD COLUMN unasked text; SELECT leadguard.audit_run('quarterly')"),
    ] {
        let mut caller = if who.is_empty() { db.admin() } else { db.connect(who) };
        accepted(&mut caller, what);
    }
    db
}
