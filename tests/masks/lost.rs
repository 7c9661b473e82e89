//! The view of a concealed table is dropped: nothing is readable, everything says what is wrong, and conceal mends it.

use super::masked;
use leadguard_tests::*;

const GONE: &str = "the view that stands for crm_base.lead is gone";

#[track_caller]
fn gone(client: &mut Client, sql: &str) {
    let error = refused(client, sql, "55000");
    assert_eq!(error.message(), GONE, "{sql}");
    assert!(error.hint().unwrap_or_default().contains("leadguard.conceal('crm_base.lead')"), "{sql}: {error:?}");
}

/// The table belongs to dba, and so do the schemas.
fn lost(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    let dba = db.create_role("dba");
    accepted(
        &mut db.admin(),
        &format!(
            "GRANT USAGE ON SCHEMA leadguard TO \"{dba}\"; ALTER SCHEMA crm OWNER TO \"{dba}\"; ALTER TABLE crm.lead OWNER TO \"{dba}\";
             GRANT CREATE ON DATABASE \"{}\" TO \"{dba}\";
             COMMENT ON TABLE crm.lead IS 'leads';
             CREATE TABLE crm.note (id bigint PRIMARY KEY, lead_id bigint, body text, author text, at timestamptz); ALTER TABLE crm.note OWNER TO \"{dba}\"",
            db.name()
        ),
    );
    accepted(&mut db.connect("dba"), "SELECT leadguard.mask('crm.lead', 'email', 'partial', '{own}', keep => 4)");
    accepted(&mut db.connect("dba"), "DROP VIEW crm.lead");
    db
}

#[test]
fn what_takes_the_table_says_that_its_view_is_gone() {
    let db = lost("mask_lost");
    let table = "'crm_base.lead'";
    let of_members = [
        format!("SELECT leadguard.can('read', {table}, '1')"),
        format!("SELECT * FROM leadguard.explain_access({table}, '1', 'alice', 'read')"),
        format!("SELECT * FROM leadguard.who_can('read', {table}, '1')"),
        format!("SELECT * FROM leadguard.what_can('alice', {table}, 'read')"),
        format!("SELECT leadguard.share({table}, '1', 'carl')"),
        format!("SELECT leadguard.unshare({table}, '1', 'carl')"),
        format!("SELECT leadguard.team_add({table}, '1', 'carl')"),
        format!("SELECT leadguard.reassign({table}, '1', 'carl')"),
        format!("SELECT leadguard.field_access({table}, '1')"),
        format!("SELECT leadguard.col_state({table}, '1', 'email')"),
        format!("SELECT leadguard.archive({table}, '1', 'old')"),
        format!("SELECT leadguard.restore({table}, '1', 'old')"),
        format!("SELECT leadguard.purge({table}, '1', 'old')"),
        format!("SELECT leadguard.request_approval('delete', {table}, '1', NULL, 'old')"),
        format!("SELECT leadguard.contact_add({table}, '1', 'SELLER', member => 'carl')"),
        format!("SELECT * FROM leadguard.contacts({table}, '1')"),
        format!("SELECT leadguard.claim({table}, '1', 'mine')"),
        format!("SELECT leadguard.handoff({table}, '1', 'step', 'carl')"),
        format!("SELECT * FROM leadguard.worked_on({table}, '1')"),
        format!("SELECT * FROM leadguard.ghost_leads({table})"),
        format!("SELECT leadguard.import_begin({table})"),
        format!("SELECT leadguard.request_batch({table}, 'update', 200, 'many')"),
        format!("SELECT * FROM leadguard.access_matrix({table})"),
    ];
    let of_owners = [
        format!("SELECT leadguard.unprotect({table})"),
        format!("SELECT leadguard.unprotect({table}, dry_run => true)"),
        format!("SELECT leadguard.reveal({table})"),
        format!("SELECT leadguard.mask({table}, 'name', 'full')"),
        format!("SELECT leadguard.unmask({table}, 'email')"),
        format!("SELECT leadguard.on_denied({table}, 'skip')"),
        format!("SELECT leadguard.set_archive({table})"),
        format!("SELECT leadguard.set_preset({table}, 'organization')"),
        format!("SELECT leadguard.set_field({table}, 'email', 'sales', 'read-only')"),
        format!("SELECT leadguard.set_field_default({table}, 'no access')"),
        format!("SELECT leadguard.set_switch({table}, 'export', 'free')"),
        format!("SELECT leadguard.prepare_imports({table}, '{{\"email\": \"email\"}}')"),
        format!(
            "SELECT leadguard.protect_notes('crm.note', {table}, 'lead_id', 'body', author => 'author', created_at => 'at')"
        ),
    ];
    let mut admin = db.connect("admin");
    for call in &of_members {
        gone(&mut admin, call);
    }
    let mut dba = db.connect("dba");
    for call in &of_owners {
        gone(&mut dba, call);
        gone(&mut db.admin(), call);
    }
    // What is about the member, and finds the table by itself.
    gone(
        &mut admin,
        "SELECT * FROM leadguard.offboard_plan('alice', current_date + 1); SELECT * FROM leadguard.offboard_last_day('alice', 'carl', 'left')",
    );
    accepted(&mut admin, "SELECT leadguard.member_rights('alice')");
    accepted(&mut db.admin(), "SELECT * FROM leadguard.audit_run('quarterly')");
    assert_eq!(rows(&mut db.admin(), "SELECT * FROM leadguard.verify_audit()"), Vec::<Vec<String>>::new());
}

#[test]
fn nothing_of_the_table_is_readable_meanwhile_not_for_new_logins_either() {
    let db = lost("mask_lost_closed");
    // Registered now, and once more.
    enlist(&db, "nora", "mona");
    let nora = db.role("nora");
    accepted(
        &mut db.admin(),
        &format!(
            "GRANT USAGE ON SCHEMA crm_base TO PUBLIC; SELECT leadguard.analyst('{}', 'mona')",
            db.create_role("bi")
        ),
    );
    for who in ["nora", "alice", "mona", "admin", "bi"] {
        let mut client = db.connect(who);
        refused(&mut client, "SELECT email FROM crm_base.lead", "42501");
        refused(&mut client, "SELECT * FROM crm_base.lead", "42501");
        refused(&mut client, "COPY crm_base.lead TO STDOUT", "42501");
        refused(&mut client, "UPDATE crm_base.lead SET name = name WHERE id = 1 RETURNING email", "42501");
        let answer = code(&mut client, "SELECT * FROM crm.lead");
        assert!(["42P01", "42501"].contains(&answer.as_str()), "{who}: {answer}");
    }
    assert_eq!(
        scalar(&mut db.admin(), &format!("SELECT has_any_column_privilege('{nora}', 'crm_base.lead', 'SELECT')")),
        "f"
    );
    // Its owner is no member: row security binds him. No relation that gets the view's number takes its place.
    assert_eq!(scalar(&mut db.connect("dba"), "SELECT count(*) FROM crm_base.lead"), "0");
    assert_eq!(scalar(&mut db.admin(), "SELECT concealed_by::oid FROM leadguard.protected_table"), "0");
}

#[test]
fn conceal_makes_the_view_again_with_its_masks() {
    let db = lost("mask_lost_again");
    enlist(&db, "nora", "mona");
    let mut dba = db.connect("dba");
    refused(&mut db.connect("alice"), "SELECT leadguard.conceal('crm_base.lead')", "42501");
    // Where another relation has the name, it must go first.
    accepted(&mut dba, "CREATE TABLE crm.lead (id bigint)");
    refused(&mut dba, "SELECT leadguard.conceal('crm_base.lead')", "42P07");
    accepted(&mut dba, "DROP TABLE crm.lead");
    let told = "SELECT count(*) FROM leadguard.conceal('crm_base.lead', dry_run => true) WHERE statement LIKE 'CREATE VIEW crm.lead %'";
    assert_eq!(scalar(&mut dba, told), "1");
    gone(&mut dba, "SELECT leadguard.reveal('crm_base.lead')");
    accepted(&mut dba, "SELECT leadguard.conceal('crm_base.lead')");
    refused(&mut dba, "SELECT leadguard.conceal('crm_base.lead')", "42710");
    let mut mona = db.connect("mona");
    assert_eq!(
        ids(
            &mut mona,
            "SELECT id FROM crm.lead WHERE owner_id = (SELECT id FROM leadguard.member WHERE key = 'alice')"
        )
        .len(),
        5
    );
    let shown = "SELECT bool_and(email LIKE '***%') FROM crm.lead";
    assert_eq!(scalar(&mut mona, shown), "t");
    let mut alice = db.connect("alice");
    assert_eq!(scalar(&mut alice, "SELECT bool_and(email NOT LIKE '***%') FROM crm.lead WHERE id = 1"), "t");
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET name = 'again' WHERE id = 1"), 1);
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE false"), 0);
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '1', 'nora', 'edit')");
    let mut nora = db.connect("nora");
    assert_eq!(ids(&mut nora, "SELECT id FROM crm.lead"), set("1"));
    assert_eq!(accepted(&mut nora, "UPDATE crm.lead SET name = 'too' WHERE id = 1"), 1);
    refused(&mut nora, "SELECT email FROM crm_base.lead", "42501");
    assert_eq!(scalar(&mut db.admin(), "SELECT obj_description('crm.lead'::regclass)"), "leads");
    // And from there all the way back.
    accepted(&mut dba, "SELECT leadguard.unmask('crm.lead', 'email'); SELECT leadguard.reveal('crm.lead')");
    assert_eq!(ids(&mut nora, "SELECT id FROM crm.lead"), set("1"));
    accepted(&mut dba, "SELECT leadguard.unprotect('crm.lead')");
    let left = "SELECT count(*) FROM leadguard.protected_table UNION ALL SELECT count(*) FROM leadguard.table_grant";
    assert_eq!(rows(&mut db.admin(), left).concat(), ["0", "0"]);
}

#[test]
fn the_view_is_made_again_after_cascades() {
    let db = lost("mask_lost_cascade");
    let mut dba = db.connect("dba");
    accepted(&mut dba, "SELECT leadguard.conceal('crm_base.lead')");
    // A column goes, and the view with it.
    accepted(&mut dba, "ALTER TABLE crm_base.lead DROP COLUMN amount CASCADE");
    gone(&mut db.connect("alice"), "SELECT leadguard.share('crm_base.lead', '1', 'carl')");
    accepted(&mut dba, "SELECT leadguard.conceal('crm_base.lead')");
    assert_eq!(scalar(&mut db.connect("mona"), "SELECT bool_and(email LIKE '***%') FROM crm.lead"), "t");
    refused(&mut db.connect("alice"), "SELECT amount FROM crm.lead", "42703");
    // The schema goes.
    accepted(&mut dba, "DROP SCHEMA crm CASCADE");
    let error = refused(&mut dba, "SELECT leadguard.conceal('crm_base.lead')", "55000");
    assert_eq!(error.hint(), Some("CREATE SCHEMA crm first."), "{error:?}");
    // Somebody else's schema is no place for it.
    accepted(&mut db.admin(), "CREATE SCHEMA crm");
    refused(&mut dba, "SELECT leadguard.conceal('crm_base.lead')", "42501");
    accepted(&mut db.admin(), &format!("ALTER SCHEMA crm OWNER TO \"{}\"", db.role("dba")));
    accepted(&mut dba, "SELECT leadguard.conceal('crm_base.lead')");
    assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM crm.lead").len(), 5);
    // The table goes with the view, and is forgotten.
    accepted(&mut dba, "DROP VIEW crm.lead");
    accepted(&mut dba, "DROP TABLE crm_base.lead");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.protected_table"), "0");
}

#[test]
fn unprotect_works_once_the_view_is_there_again() {
    let db = masked("mask_lost_unprotect");
    let mut admin = db.admin();
    accepted(&mut admin, "DROP VIEW crm.lead");
    gone(&mut admin, "SELECT leadguard.unprotect('crm_base.lead', archived => 'keep')");
    // Also where nobody has noticed, as before 0.5.0.
    accepted(&mut admin, "SELECT leadguard.conceal('crm_base.lead')");
    let drop = "ALTER EVENT TRIGGER leadguard_watch_drop DISABLE; DROP VIEW crm.lead; ALTER EVENT TRIGGER leadguard_watch_drop ENABLE";
    accepted(&mut admin, drop);
    assert_ne!(scalar(&mut admin, "SELECT concealed_by::oid FROM leadguard.protected_table"), "0");
    gone(&mut admin, "SELECT leadguard.unprotect('crm_base.lead')");
    gone(&mut db.connect("alice"), "SELECT leadguard.share('crm_base.lead', '1', 'carl')");
    enlist(&db, "nora", "mona");
    refused(&mut db.connect("nora"), "SELECT email FROM crm_base.lead", "42501");
    accepted(&mut admin, "SELECT leadguard.conceal('crm_base.lead'); SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE email LIKE '***%'"), "0");
}
