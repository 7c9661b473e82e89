//! `unprotect` leaves the table exactly as it was.

use crate::protect::{owned_by_dba, plain, protect};
use crate::snapshot::{same, snapshot};
use leadguard_tests::*;

/// Arranges with `before`, protects with `extra`, uses the table, unprotects, and compares.
fn round_trip(name: &str, before: &str, extra: &str) {
    let db = plain(name);
    let mut admin = db.admin();
    let role = |short: &str| format!("\"{}\"", db.role(short));
    accepted(&mut admin, &before.replace("ALICE", &role("alice")).replace("CARL", &role("carl")));
    let picture = snapshot(&mut admin, "crm.lead");
    accepted(&mut admin, &protect(extra));
    assert_ne!(picture, snapshot(&mut admin, "crm.lead"));
    assert_eq!(leads(&db, "alice"), set("1"));
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'carl', 'read')");
    enlist(&db, "nora", "mona");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    same(&picture, &snapshot(&mut admin, "crm.lead"));
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.protected"), "0");
    // And the way back is open: no grant of the first time is left.
    accepted(&mut admin, &protect(extra));
    assert_eq!(leads(&db, "carl"), set("2"));
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    same(&picture, &snapshot(&mut admin, "crm.lead"));
}

#[test]
fn a_plain_table() {
    round_trip("un_plain", "SELECT 1", "");
}

#[test]
fn without_indexes_and_without_force() {
    round_trip("un_skip", "SELECT 1", ", indexes => 'skip', force => false");
}

#[test]
fn a_table_with_rights_of_its_own() {
    round_trip(
        "un_rights",
        "GRANT SELECT ON crm.lead TO ALICE WITH GRANT OPTION; GRANT UPDATE (name) ON crm.lead TO CARL; GRANT SELECT ON crm.lead TO PUBLIC;
         REVOKE TRUNCATE ON crm.lead FROM CURRENT_USER",
        "",
    );
}

#[test]
fn a_table_with_policies_triggers_and_indexes_of_its_own() {
    round_trip(
        "un_own",
        "ALTER TABLE crm.lead ENABLE ROW LEVEL SECURITY;
         CREATE POLICY \"Many 'words'\" ON crm.lead FOR ALL TO ALICE, CARL USING (amount > 0) WITH CHECK (amount < 1000 AND name <> 'it''s');
         CREATE POLICY readers ON crm.lead FOR SELECT USING (EXISTS (SELECT 1 FROM pg_roles WHERE rolname = CURRENT_USER));
         CREATE POLICY writers ON crm.lead FOR INSERT TO ALICE WITH CHECK (true);
         CREATE POLICY narrow ON crm.lead AS RESTRICTIVE USING (id > 0);
         COMMENT ON POLICY readers ON crm.lead IS 'who is logged in';
         CREATE FUNCTION crm.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER touch BEFORE UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.touch();
         CREATE TRIGGER off BEFORE INSERT ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.touch();
         ALTER TABLE crm.lead DISABLE TRIGGER off;
         CREATE INDEX mine ON crm.lead (owner_id) WHERE amount > 0;
         CREATE UNIQUE INDEX other ON crm.lead (id, territory_id);
         COMMENT ON TABLE crm.lead IS 'leads'; ALTER TABLE crm.lead SET (fillfactor = 70)",
        ", existing => 'restrictive'",
    );
}

#[test]
fn a_table_that_was_already_forced() {
    round_trip(
        "un_forced",
        "ALTER TABLE crm.lead ENABLE ROW LEVEL SECURITY; ALTER TABLE crm.lead FORCE ROW LEVEL SECURITY",
        "",
    );
}

#[test]
fn a_partitioned_table() {
    let db = plain("un_partitions");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead RENAME TO old;
         CREATE TABLE crm.lead (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, name text, amount int) PARTITION BY RANGE (id);
         CREATE TABLE crm.lead_1 PARTITION OF crm.lead FOR VALUES FROM (0) TO (2);
         CREATE TABLE crm.lead_2 PARTITION OF crm.lead FOR VALUES FROM (2) TO (100) PARTITION BY HASH (id);
         CREATE TABLE crm.lead_2a PARTITION OF crm.lead_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE crm.lead_2b PARTITION OF crm.lead_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         ALTER TABLE crm.lead_2b ENABLE ROW LEVEL SECURITY;
         CREATE POLICY only_here ON crm.lead_2b AS RESTRICTIVE USING (id > 0);
         INSERT INTO crm.lead SELECT * FROM crm.old",
    );
    let picture = snapshot(&mut admin, "crm.lead");
    for _ in 0..2 {
        accepted(&mut admin, &protect(""));
        for (who, expected) in [("alice", "1"), ("bob", "2"), ("tess", "3"), ("admin", "1 2 3")] {
            assert_eq!(leads(&db, who), set(expected), "{who}");
        }
        accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
        same(&picture, &snapshot(&mut admin, "crm.lead"));
    }
}

#[test]
fn by_the_owner_of_the_table() {
    let db = plain("un_owner");
    owned_by_dba(&db);
    let mut admin = db.admin();
    let picture = snapshot(&mut admin, "crm.lead");
    let mut dba = db.connect("dba");
    accepted(&mut dba, &protect(""));
    accepted(&mut dba, "SELECT leadguard.unprotect('crm.lead')");
    same(&picture, &snapshot(&mut admin, "crm.lead"));
}

#[test]
fn a_table_that_is_not_protected() {
    let db = plain("un_nothing");
    let mut admin = db.admin();
    for target in ["crm.lead", "pg_catalog.pg_class", "leadguard.member"] {
        let state = code(&mut admin, &format!("SELECT leadguard.unprotect('{target}')"));
        assert!(["22023", "55000", "42809", "42704"].contains(&state.as_str()), "{state}: {target}");
    }
}

#[test]
fn protect_rolled_back_never_happened() {
    let db = plain("un_rollback");
    let mut admin = db.admin();
    let picture = snapshot(&mut admin, "crm.lead");
    accepted(&mut admin, &format!("BEGIN; {}", protect("")));
    accepted(&mut admin, "ROLLBACK");
    same(&picture, &snapshot(&mut admin, "crm.lead"));
    accepted(&mut admin, &protect(""));
    let secured = snapshot(&mut admin, "crm.lead");
    accepted(&mut admin, "BEGIN; SELECT leadguard.unprotect('crm.lead'); ROLLBACK");
    same(&secured, &snapshot(&mut admin, "crm.lead"));
    assert_eq!(leads(&db, "alice"), set("1"));
}

#[test]
fn a_dry_run_changes_nothing() {
    let db = plain("un_dry");
    let mut admin = db.admin();
    let picture = snapshot(&mut admin, "crm.lead");
    accepted(&mut admin, &protect(""));
    let secured = snapshot(&mut admin, "crm.lead");
    let steps =
        rows(&mut admin, "SELECT statement FROM leadguard.unprotect('crm.lead', dry_run => true) ORDER BY step");
    assert!(!steps.is_empty());
    same(&secured, &snapshot(&mut admin, "crm.lead"));
    for step in steps {
        accepted(&mut admin, &step[0]);
    }
    same(&picture, &snapshot(&mut admin, "crm.lead"));
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.protected"), "0");
}
