//! A table whose owner broke it is no matter of the others.

use crate::lab::{decision_site, seen};
use leadguard_tests::{Db, accepted, refused, rows, scalar};

/// crm.bad of the own organization and crm.far of globex have lost a mapped column; crm.loud has a policy that raises.
fn broken(name: &str) -> Db {
    let db = decision_site(name);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.organization (key) VALUES ('globex');
         CREATE TABLE crm.bad (id bigint PRIMARY KEY, owner_id bigint, name text);
         CREATE TABLE crm.far (LIKE crm.bad INCLUDING ALL); CREATE TABLE crm.loud (LIKE crm.bad INCLUDING ALL);
         INSERT INTO crm.loud SELECT 1, id, 'x' FROM leadguard.member WHERE key = 'cara';
         SELECT leadguard.protect('crm.bad', owner => 'owner_id'); SELECT leadguard.protect('crm.loud', owner => 'owner_id');
         SELECT leadguard.protect('crm.far', owner => 'owner_id');
         UPDATE leadguard.protected_table SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'globex')
             WHERE target = 'crm.far'::regclass;
         CREATE FUNCTION crm.raise() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''loud''; END';
         CREATE POLICY loud ON crm.loud USING (crm.raise());
         ALTER TABLE crm.bad DROP COLUMN owner_id CASCADE; ALTER TABLE crm.far DROP COLUMN owner_id CASCADE;
         INSERT INTO leadguard.job_function (org_id, name, role) VALUES (1, 'maker', 'CREATOR')",
    );
    db
}

#[test]
fn d22_x16_what_others_broke_stops_nobody() {
    let db = broken("broken_rights");
    let mut ada = db.connect("ada");
    accepted(&mut ada, "SELECT * FROM leadguard.checklist('cara')");
    accepted(&mut ada, "SELECT * FROM leadguard.onboard('nina', 'Nina', NULL, 'vera', 'maker')");
    let done = rows(
        &mut ada,
        "SELECT step, target, detail FROM leadguard.change_role('cole', 'COLLABORATOR', 'CREATOR', 'promoted') ORDER BY 1, 2",
    );
    assert!(done.iter().any(|row| row == &["gains", "crm.site", "create"] || row[0] == "gains"), "{done:?}");
    assert!(done.iter().all(|row| row[1] != "crm.far"), "{done:?}");
    accepted(&mut db.connect("cara"), "SELECT leadguard.delegate('cora', now() + interval '1 day', 'edit', 'holiday')");
    assert_eq!(seen(&mut db.connect("cora"), "crm.site"), "1 2 3 4 6");
    let owned = rows(&mut ada, "SELECT target, records FROM leadguard.owned_records('cara')");
    assert_eq!(owned, [["crm.bad", "∅"], ["crm.loud", "1"], ["crm.site", "5"]]);
}

#[test]
fn d22_a_broken_table_of_ones_own_stops_the_end_and_says_so() {
    let db = broken("broken_end");
    let mut ada = db.connect("ada");
    let e = refused(&mut ada, "SELECT * FROM leadguard.offboard_now('curt', 'vera', 'x')", "55000");
    assert!(e.message().contains("crm.bad") && e.hint().is_some(), "{e:?}");
    // Another organization's does not.
    accepted(&mut db.admin(), "SELECT leadguard.unprotect('crm.bad')");
    accepted(&mut ada, "SELECT * FROM leadguard.offboard_now('curt', 'vera', 'x')");
    assert_eq!(scalar(&mut db.admin(), "SELECT active FROM leadguard.member WHERE key = 'curt'"), "f");
}

// A table that is locked is none that is broken: what it holds would be missing, and nobody told.
#[test]
fn d22_x16_who_waits_too_long_for_a_table_is_told() {
    let db = decision_site("broken_locked");
    let (mut ada, mut cara, mut busy) = (db.connect("ada"), db.connect("cara"), db.admin());
    let delegate = "SELECT leadguard.delegate('cora', now() + interval '1 day', 'edit', 'holiday')";
    let plan =
        "SELECT count(*) FILTER (WHERE kind = 'record') FROM leadguard.offboard_plan('cara', current_date + 7, 'x')";
    for client in [&mut ada, &mut cara] {
        accepted(client, "SET lock_timeout = '200ms'");
    }
    accepted(&mut busy, "BEGIN; LOCK TABLE crm.site IN ACCESS EXCLUSIVE MODE");
    refused(&mut cara, delegate, "55P03");
    refused(&mut ada, plan, "55P03");
    accepted(&mut ada, "SET lock_timeout = 0; SET statement_timeout = '500ms'");
    refused(&mut ada, plan, "57014");
    accepted(&mut ada, "RESET statement_timeout");
    accepted(&mut busy, "ROLLBACK");
    accepted(&mut cara, delegate);
    assert_eq!(seen(&mut db.connect("cora"), "crm.site"), "1 2 3 4 6");
    assert_eq!(scalar(&mut ada, plan), "5");
}
