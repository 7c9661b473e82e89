//! Drafts, proposals and signatures.

use crate::rules::{cells, company};
use leadguard_tests::*;
use std::thread;

const OPEN: &str = "SELECT leadguard.set_field('crm.lead', 'source', 'marketing', 'owner')";

fn state(client: &mut Client, version: i32) -> String {
    scalar(
        client,
        &format!("SELECT coalesce((SELECT state FROM leadguard.field_versions WHERE version = {version}), 'none')"),
    )
}

#[test]
fn k23_a_version_counts_when_every_lead_has_signed() {
    let db = company("mv_sign");
    let (mut mona, mut alice, mut carl) = (db.connect("mona"), db.connect("alice"), db.connect("carl"));
    accepted(&mut mona, OPEN);
    assert_eq!(scalar(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice,carl,alice}', 'first')"), "1");
    assert_eq!(scalar(&mut mona, "SELECT leadguard.get_fields('crm.lead')"), "∅");
    refused(&mut mona, OPEN, "55000");
    // Nobody signs for somebody else, the proposer and an administrator neither.
    for who in ["mona", "admin", "bob", "olga", "bot", "analyst"] {
        refused(&mut db.connect(who), "SELECT leadguard.sign_fields('crm.lead', 1)", "42501");
    }
    refused(&mut db.admin(), "SELECT leadguard.sign_fields('crm.lead', 1)", "42501");
    assert_eq!(scalar(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 1)"), "proposed");
    refused(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 1)", "55000");
    refused(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 2)", "42501");
    refused(&mut alice, "SELECT leadguard.sign_fields('crm.lead', NULL)", "22023");
    assert_eq!(scalar(&mut mona, "SELECT leadguard.get_fields('crm.lead')"), "∅");
    assert_eq!(scalar(&mut carl, "SELECT leadguard.sign_fields('crm.lead', 1)"), "active");
    assert_eq!(
        scalar(&mut mona, "SELECT leadguard.get_fields('crm.lead')"),
        "{\"source\": {\"marketing\": \"owner\"}}"
    );
    assert_eq!(
        scalar(
            &mut mona,
            "SELECT count(*) FROM leadguard.field_signatures WHERE signed_at IS NOT NULL AND version = 1"
        ),
        "2"
    );
    refused(&mut carl, "SELECT leadguard.sign_fields('crm.lead', 1)", "55000");
}

#[test]
fn a_draft_copies_what_is_active_and_retires_it() {
    let db = company("mv_next");
    let (mut mona, mut alice) = (db.connect("mona"), db.connect("alice"));
    accepted(&mut mona, OPEN);
    accepted(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')");
    accepted(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 1)");
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'stage', 'sales', 'owner')");
    assert_eq!(cells(&mut mona, 2), ["source marketing owner", "stage sales owner"]);
    assert_eq!((state(&mut mona, 1), state(&mut mona, 2)), ("active".into(), "draft".into()));
    accepted(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')");
    accepted(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 2)");
    assert_eq!((state(&mut mona, 1), state(&mut mona, 2)), ("retired".into(), "active".into()));
    assert_eq!(cells(&mut mona, 1), ["source marketing owner"]);
    // A proposal can be dropped; what is active stays.
    accepted(&mut mona, "SELECT leadguard.set_fields('crm.lead', '{}')");
    accepted(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')");
    assert_eq!(scalar(&mut mona, "SELECT leadguard.discard_fields('crm.lead')"), "t");
    assert_eq!(scalar(&mut mona, "SELECT leadguard.discard_fields('crm.lead')"), "f");
    refused(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 3)", "55000");
    assert_eq!((state(&mut mona, 2), state(&mut mona, 3)), ("active".into(), "retired".into()));
    // What was asked for under a number is never another matrix.
    accepted(&mut mona, OPEN);
    assert_eq!(scalar(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')"), "4");
}

#[test]
fn k23_signers_are_active_persons_of_the_organization() {
    let db = company("mv_signers");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'bob'");
    let mut mona = db.connect("mona");
    refused(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')", "55000");
    accepted(&mut mona, OPEN);
    for signers in ["NULL", "'{}'", "'{NULL}'", "'{bob}'", "'{olga}'", "'{bot}'", "'{nobody}'", "'{alice,olga}'"] {
        refused(&mut mona, &format!("SELECT leadguard.propose_fields('crm.lead', {signers})"), "22023");
        refused(&mut db.admin(), &format!("SELECT leadguard.propose_fields('crm.lead', {signers})"), "22023");
    }
    refused(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}', repeat('n', 5000))", "22023");
    accepted(&mut db.admin(), "SELECT leadguard.propose_fields('crm.lead', '{alice}')");
    // Who was deactivated meanwhile signs no more.
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'alice'");
    refused(&mut db.connect("alice"), "SELECT leadguard.sign_fields('crm.lead', 1)", "42501");
}

#[test]
fn the_last_two_signatures_may_come_at_once() {
    for level in ["READ COMMITTED", "REPEATABLE READ"] {
        let db = company("mv_race");
        let (mut mona, mut alice, mut carl) = (db.connect("mona"), db.connect("alice"), db.connect("carl"));
        accepted(&mut mona, OPEN);
        accepted(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice,carl}')");
        let begin = format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM crm.lead");
        accepted(&mut alice, &begin);
        accepted(&mut carl, &begin);
        accepted(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 1)");
        let waiting = pid(&mut carl);
        let other = thread::spawn(move || code(&mut carl, "SELECT leadguard.sign_fields('crm.lead', 1); COMMIT"));
        assert!(blocked(&mut db.admin(), waiting));
        accepted(&mut alice, "COMMIT");
        let outcome = other.join().expect("the other session ends");
        if level == "READ COMMITTED" {
            assert_eq!((outcome.as_str(), state(&mut mona, 1).as_str()), ("ok", "active"));
        } else {
            assert_eq!((outcome.as_str(), state(&mut mona, 1).as_str()), ("40001", "proposed"));
            assert_eq!(scalar(&mut db.connect("carl"), "SELECT leadguard.sign_fields('crm.lead', 1)"), "active");
        }
    }
}

#[test]
fn a_column_that_is_gone_is_not_signed() {
    let db = company("mv_gone");
    let (mut mona, mut alice) = (db.connect("mona"), db.connect("alice"));
    accepted(&mut mona, OPEN);
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'stage', 'sales', 'owner')");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead DROP COLUMN stage; ALTER TABLE crm.lead ADD COLUMN stage text");
    let error = refused(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')", "55000");
    assert!(error.detail().unwrap_or_default().contains("stage"), "{error:?}");
    accepted(&mut mona, "SELECT leadguard.discard_fields('crm.lead')");
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'stage', 'sales', 'owner')");
    accepted(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead DROP COLUMN stage");
    refused(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 1)", "55000");
    assert_eq!(
        scalar(&mut mona, "SELECT count(*) FROM leadguard.field_signatures WHERE signed_at IS NOT NULL"),
        "0",
        "the refused signature is none"
    );
}

#[test]
fn a_key_of_a_column_that_is_no_jsonb_any_more_is_not_signed() {
    let db = company("mv_retyped");
    let (mut mona, mut alice) = (db.connect("mona"), db.connect("alice"));
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'attrs.size', 'sales', 'owner')");
    accepted(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead ALTER COLUMN attrs TYPE text");
    refused(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 1)", "55000");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead ALTER COLUMN attrs TYPE jsonb USING attrs::jsonb");
    accepted(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 1)");
    // The next draft leaves out what means nothing any more.
    accepted(&mut db.admin(), "ALTER TABLE crm.lead ALTER COLUMN attrs TYPE text");
    accepted(&mut mona, OPEN);
    assert_eq!(cells(&mut mona, 2), ["source marketing owner"]);
}

#[test]
fn a_column_that_everybody_reads_is_not_closed() {
    let db = company("mv_conceal");
    let (mut mona, mut alice) = (db.connect("mona"), db.connect("alice"));
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'score', 'sales', 'no access')");
    accepted(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')");
    let error = refused(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 1)", "55000");
    assert!(error.hint().unwrap_or_default().contains("conceal"), "{error:?}");
    accepted(&mut mona, "SELECT leadguard.discard_fields('crm.lead')");
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'score', 'sales', 'read-only')");
    accepted(&mut mona, "SELECT leadguard.propose_fields('crm.lead', '{alice}')");
    accepted(&mut alice, "SELECT leadguard.sign_fields('crm.lead', 2)");
}

#[test]
fn numbers_of_columns_come_from_their_names() {
    let db = company("mv_number");
    let mut admin = db.admin();
    accepted(&mut admin, OPEN);
    let number = "SELECT r.attnum = a.attnum FROM leadguard.field_rule r JOIN pg_attribute a
                  ON a.attrelid = 'crm.lead'::regclass AND a.attname = r.column_name";
    assert_eq!(scalar(&mut admin, number), "t");
    accepted(&mut admin, "INSERT INTO leadguard.field_value VALUES ('crm.lead', 'stage', '', 3, 'new')");
    assert_eq!(
        scalar(
            &mut admin,
            "SELECT v.attnum = a.attnum FROM leadguard.field_value v JOIN pg_attribute a
                            ON a.attrelid = 'crm.lead'::regclass AND a.attname = 'stage'"
        ),
        "t",
        "whatever the writer says"
    );
    accepted(&mut admin, "ALTER TABLE crm.lead DROP COLUMN source; ALTER TABLE crm.lead ADD COLUMN source text");
    assert_eq!(scalar(&mut admin, number), "f", "a new column of the name is another one");
}

#[test]
fn what_a_transaction_takes_back_is_no_rule() {
    let db = company("mv_back");
    let mut mona = db.connect("mona");
    accepted(&mut mona, &format!("BEGIN; SAVEPOINT s; {OPEN}; ROLLBACK TO s; COMMIT"));
    assert_eq!(state(&mut mona, 1), "none");
    accepted(&mut mona, OPEN);
    assert_eq!(state(&mut mona, 1), "draft");
}
