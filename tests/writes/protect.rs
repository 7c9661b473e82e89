//! `protect`: dry run, indexes, existing policies, owners, locks, and what `leadguard.protected` says.

use crate::snapshot::{same, snapshot};
use leadguard_tests::*;

pub const ARGUMENTS: &str = "id => 'id', owner => 'owner_id', territory => 'territory_id'";

/// The cast and a plain table `crm.lead` with one lead each of alice, carl and loner (in dach).
pub fn plain(name: &str) -> Db {
    let db = Db::new(name);
    people(&db);
    accepted(
        &mut db.admin(),
        "CREATE SCHEMA crm;
         CREATE TABLE crm.lead (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, name text, amount int);
         INSERT INTO crm.lead
         SELECT v.id, m.id, t.id, 'n', v.id * 100
         FROM (VALUES (1, 'alice', NULL), (2, 'carl', NULL), (3, 'loner', 'dach')) AS v (id, owner, territory)
         JOIN leadguard.member AS m ON m.key = v.owner LEFT JOIN leadguard.territory AS t ON t.key = v.territory",
    );
    db
}

pub fn protect(extra: &str) -> String {
    format!("SELECT * FROM leadguard.protect('crm.lead', {ARGUMENTS}{extra})")
}

#[test]
fn a_dry_run_changes_nothing_and_tells_everything() {
    let db = plain("dry_run");
    let mut admin = db.admin();
    let before = snapshot(&mut admin, "crm.lead");
    let told = rows(
        &mut admin,
        &format!(
            "SELECT step, kind, statement, reason FROM leadguard.protect('crm.lead', {ARGUMENTS}, dry_run => true) ORDER BY step"
        ),
    );
    same(&before, &snapshot(&mut admin, "crm.lead"));
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.protected"), "0");
    assert!(told.iter().all(|row| row.iter().all(|text| !text.is_empty() && text != "∅")), "{told:?}");
    let statements = told.iter().map(|row| row[2].as_str()).collect::<Vec<_>>().join("\n");
    for part in [
        "CREATE INDEX CONCURRENTLY",
        "ENABLE ROW LEVEL SECURITY",
        "FORCE ROW LEVEL SECURITY",
        "CREATE POLICY",
        "CREATE TRIGGER",
    ] {
        assert!(statements.to_uppercase().contains(part), "{part} is missing:\n{statements}");
    }
    accepted(&mut admin, &protect(""));
    let secured = snapshot(&mut admin, "crm.lead");
    assert_ne!(before, secured);
    assert_eq!(leads(&db, "alice"), set("1"));
}

#[test]
fn the_steps_of_a_dry_run_are_a_working_migration() {
    let db = plain("dry_migration");
    let mut admin = db.admin();
    let steps = rows(
        &mut admin,
        &format!("SELECT statement FROM leadguard.protect('crm.lead', {ARGUMENTS}, dry_run => true) ORDER BY step"),
    );
    accepted(&mut admin, &protect(""));
    let secured = snapshot(&mut admin, "crm.lead");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    for step in steps {
        accepted(&mut admin, &step[0]);
    }
    same(&secured, &snapshot(&mut admin, "crm.lead"));
    for (who, expected) in [("alice", "1"), ("mona", "1"), ("bob", "2"), ("tess", "3"), ("ted", ""), ("admin", "1 2 3")]
    {
        assert_eq!(leads(&db, who), set(expected), "{who}");
    }
    assert_eq!(level(&db, "tess", "3"), "edit");
}

#[test]
fn indexes_are_created_required_or_left() {
    let db = plain("indexes");
    let mut admin = db.admin();
    let count = "SELECT count(*) FROM pg_index WHERE indrelid = 'crm.lead'::regclass";
    assert_eq!(scalar(&mut admin, count), "1");
    let state = code(&mut admin, &protect(", indexes => 'require'"));
    assert!(["22023", "55000", "42704"].contains(&state.as_str()), "{state}");
    accepted(&mut admin, &protect(", indexes => 'skip'"));
    assert_eq!(scalar(&mut admin, count), "1");
    assert_eq!(leads(&db, "alice"), set("1"));
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    accepted(&mut admin, &protect(""));
    assert_eq!(scalar(&mut admin, count), "3", "one for the owner, one for the territory");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(scalar(&mut admin, count), "1");
    // Indexes that are there already are neither doubled nor taken away.
    accepted(
        &mut admin,
        "CREATE INDEX mine ON crm.lead (owner_id); CREATE INDEX mine_too ON crm.lead (territory_id, amount)",
    );
    accepted(&mut admin, &protect(", indexes => 'require'"));
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    accepted(&mut admin, &protect(""));
    assert_eq!(scalar(&mut admin, count), "3");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(scalar(&mut admin, count), "3");
}

#[test]
fn permissive_policies_of_the_customer_are_named_or_made_restrictive() {
    let db = plain("existing");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead ENABLE ROW LEVEL SECURITY;
         CREATE POLICY \"Small ones\" ON crm.lead FOR SELECT TO PUBLIC USING (amount < 250);
         CREATE POLICY everything ON crm.lead USING (true);
         CREATE POLICY narrow ON crm.lead AS RESTRICTIVE USING (amount <> 200)",
    );
    let before = snapshot(&mut admin, "crm.lead");
    let state = code(&mut admin, &protect(""));
    assert_ne!(state, "ok");
    let error = refused(&mut admin, &protect(""), &state);
    let words = format!("{error:?}");
    assert!(words.contains("Small ones") && words.contains("everything") && !words.contains("narrow"), "{words}");
    same(&before, &snapshot(&mut admin, "crm.lead"));

    accepted(&mut admin, &protect(", existing => 'restrictive'"));
    assert_eq!(
        leads(&db, "admin"),
        set("1"),
        "2 is hidden by the restrictive policy, 3 by the one that was permissive"
    );
    assert_eq!(leads(&db, "alice"), set("1"));
    assert_eq!(leads(&db, "carl"), set(""));
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    same(&before, &snapshot(&mut admin, "crm.lead"));
}

#[test]
fn a_restrictive_policy_of_the_customer_stays_and_narrows() {
    let db = plain("existing_narrow");
    let mut admin = db.admin();
    accepted(&mut admin, "CREATE POLICY narrow ON crm.lead AS RESTRICTIVE FOR SELECT USING (amount <> 200)");
    accepted(&mut admin, &protect(""));
    assert_eq!(leads(&db, "carl"), set(""));
    assert_eq!(leads(&db, "alice"), set("1"));
    assert_eq!(leads(&db, "admin"), set("1 3"));
    accepted(&mut admin, "DROP POLICY narrow ON crm.lead");
    assert_eq!(leads(&db, "carl"), set("2"));
}

#[test]
fn a_later_permissive_policy_widens_nothing() {
    let db = plain("later_policy");
    let mut admin = db.admin();
    accepted(&mut admin, &protect(""));
    let role = db.role("alice");
    accepted(
        &mut admin,
        &format!(
            "CREATE POLICY aaa ON crm.lead USING (true) WITH CHECK (true); CREATE POLICY zzz ON crm.lead TO \"{role}\" USING (true)"
        ),
    );
    assert_eq!(leads(&db, "alice"), set("1"));
    let mut alice = db.connect("alice");
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET name = 'x' WHERE id = 2"), 0);
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE id = 2"), 0);
}

/// Gives the table to an ordinary role `dba` who is no member.
pub fn owned_by_dba(db: &Db) {
    let dba = db.create_role("dba");
    accepted(
        &mut db.admin(),
        &format!(
            "GRANT USAGE ON SCHEMA leadguard TO \"{dba}\"; GRANT ALL ON SCHEMA crm TO \"{dba}\" WITH GRANT OPTION;
             ALTER TABLE crm.lead OWNER TO \"{dba}\""
        ),
    );
}

#[test]
fn the_owner_of_the_table_may_protect_and_others_may_not() {
    let db = plain("who_protects");
    owned_by_dba(&db);
    for who in ["alice", "admin"] {
        refused(&mut db.connect(who), &protect(""), "42501");
        refused(&mut db.connect(who), &protect(", dry_run => true"), "42501");
    }
    accepted(&mut db.connect("dba"), &protect(", dry_run => true"));
    accepted(&mut db.connect("dba"), &protect(""));
    assert_eq!(leads(&db, "alice"), set("1"));
    for who in ["alice", "admin"] {
        refused(&mut db.connect(who), "SELECT leadguard.unprotect('crm.lead')", "42501");
    }
    accepted(&mut db.connect("dba"), "SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(leads(&db, "dba"), set("1 2 3"));
}

#[test]
fn the_owner_obeys_unless_force_is_off() {
    let db = plain("force");
    owned_by_dba(&db);
    let mut dba = db.connect("dba");
    assert_eq!(leads(&db, "dba"), set("1 2 3"));
    accepted(&mut dba, &protect(""));
    assert_eq!(leads(&db, "dba"), set(""));
    refused(&mut dba, "UPDATE crm.lead SET name = 'x' WHERE false", "42501");
    refused(&mut dba, "TRUNCATE crm.lead", "42501");
    accepted(&mut dba, "SELECT leadguard.unprotect('crm.lead')");
    accepted(&mut dba, &protect(", force => false"));
    assert_eq!(leads(&db, "dba"), set("1 2 3"));
    assert_eq!(accepted(&mut dba, "UPDATE crm.lead SET name = 'x'"), 3);
    assert_eq!(leads(&db, "alice"), set("1"), "only the owner is exempt");
    refused(&mut dba, "TRUNCATE crm.lead", "42501");
}

#[test]
fn the_view_lists_what_is_secured_and_how() {
    let db = plain("protected_view");
    let mut admin = db.admin();
    accepted(&mut admin, &protect(""));
    assert_eq!(
        rows(
            &mut admin,
            "SELECT target, preset, columns->>'id', columns->>'owner', columns->>'territory' FROM leadguard.protected"
        ),
        vec![["crm.lead", "sales_hierarchy", "id", "owner_id", "territory_id"].map(str::to_string).to_vec()]
    );
    accepted(&mut admin, "ALTER TABLE crm.lead RENAME TO prospect");
    assert_eq!(scalar(&mut admin, "SELECT target FROM leadguard.protected"), "crm.prospect");
    accepted(&mut admin, "DROP TABLE crm.prospect");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.protected"), "0");
}

#[test]
fn a_busy_table_makes_protect_give_up_instead_of_blocking_everybody() {
    let db = plain("busy");
    let (mut admin, mut reader) = (db.admin(), db.admin());
    accepted(&mut reader, "BEGIN; LOCK TABLE crm.lead IN ACCESS EXCLUSIVE MODE");
    accepted(&mut admin, "SET statement_timeout = '120s'");
    refused(&mut admin, &protect(""), "55P03");
    accepted(&mut reader, "COMMIT");
    accepted(&mut admin, &protect(""));
    assert_eq!(leads(&db, "alice"), set("1"));
}

#[test]
fn members_registered_before_and_after_reach_the_table() {
    let db = plain("register");
    let mut admin = db.admin();
    accepted(&mut admin, &protect(""));
    enlist(&db, "nora", "");
    place(&mut admin, "alice", "nora");
    assert_eq!(leads(&db, "nora"), set("1"));
    assert_eq!(level(&db, "nora", "1"), "full");
    // Losing the registration takes the table away again.
    accepted(&mut admin, "UPDATE leadguard.member SET db_role = NULL WHERE key = 'nora'");
    let mut nora = db.connect("nora");
    if code(&mut nora, "SELECT id FROM crm.lead") == "ok" {
        assert_eq!(ids(&mut nora, "SELECT id FROM crm.lead"), set(""));
    }
}
