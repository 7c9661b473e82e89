//! Attack templates on field rules, and oracles: what a refusal, or none, would tell.

use crate::enforce_lab::{all, matrix, story};
use leadguard_tests::*;

// session_replication_role = replica skips ordinary triggers.
#[test]
fn attack_25_replica_role() {
    let db = story("attack_25");
    let mut admin = db.admin();
    let before = all(&mut admin);
    accepted(&mut admin, &format!("GRANT SET ON PARAMETER session_replication_role TO \"{}\"", db.role("alice")));
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SET session_replication_role = replica");
    refused(&mut alice, "UPDATE crm.lead SET source = 'x' WHERE id = 1", "42501");
    refused(&mut alice, "INSERT INTO crm.lead (owner_id, source) SELECT owner_id, 'x' FROM crm.lead LIMIT 1", "42501");
    assert_eq!(all(&mut admin), before);
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET name = 'x' WHERE id = 1"), 1);
    accepted(&mut admin, &format!("REVOKE SET ON PARAMETER session_replication_role FROM \"{}\"", db.role("alice")));
}

// A trigger of somebody with the TRIGGER privilege runs as whoever writes, and after the guards where its name says so.
#[test]
fn attack_26_trigger_privilege() {
    let db = story("attack_26");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        &format!("GRANT TRIGGER ON crm.lead TO \"{0}\"; GRANT CREATE ON SCHEMA crm TO \"{0}\"", db.role("carl")),
    );
    accepted(
        &mut db.connect("carl"),
        "CREATE FUNCTION crm.evil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.source := 'evil'; RETURN NEW; END $$;
         CREATE TRIGGER zzzz_evil BEFORE UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.evil()",
    );
    refused(&mut db.connect("alice"), "UPDATE crm.lead SET name = 'x' WHERE id = 1", "42501");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE source = 'evil'"), "0");
}

// Nothing of the guards waits for the end of the transaction.
#[test]
fn attack_28_deferred() {
    let db = story("attack_28");
    let mut alice = db.connect("alice");
    accepted(&mut alice, "BEGIN; SET CONSTRAINTS ALL DEFERRED");
    refused(&mut alice, "UPDATE crm.lead SET source = 'x' WHERE id = 1", "42501");
    accepted(&mut alice, "ROLLBACK");
}

// All paths of a write to a column that is closed to the member.
#[test]
fn attack_35_no_path_writes_a_closed_column() {
    let db = story("attack_35");
    let mut admin = db.admin();
    matrix(&mut admin, "crm.lead", &[("lost_reason", "marketing", "owner"), ("lost_reason", "sales", "no access")]);
    let before = all(&mut admin);
    let mut alice = db.connect("alice");
    for sql in [
        "UPDATE crm.lead SET lost_reason = 'q' WHERE id = 1",
        "UPDATE crm.lead SET lost_reason = DEFAULT WHERE id = 1",
        "UPDATE crm.lead SET lost_reason = name WHERE id = 1",
        "INSERT INTO crm.lead (id, lost_reason) VALUES (1, NULL) ON CONFLICT (id) DO UPDATE SET lost_reason = excluded.name",
        "WITH d AS (SELECT * FROM crm.lead WHERE id = 1) INSERT INTO crm.lead (owner_id, lost_reason) SELECT owner_id, 'q' FROM d",
    ] {
        refused(&mut alice, sql, "42501");
    }
    assert_eq!(all(&mut admin), before);
    accepted(&mut db.connect("mona"), "UPDATE crm.lead SET lost_reason = 'q' WHERE id = 1");
}

// A statement that writes a guess over a value that the member cannot read is refused whether the guess is right or not.
#[test]
fn no_oracle_on_columns_that_cannot_be_read() {
    let db = story("oracle");
    let mut admin = db.admin();
    matrix(
        &mut admin,
        "crm.lead",
        &[
            ("lost_reason", "marketing", "owner"),
            ("lost_reason", "sales", "no access"),
            ("attrs.budget", "sales", "no access"),
            ("attrs.size", "sales", "owner"),
        ],
    );
    accepted(&mut admin, "UPDATE crm.lead SET lost_reason = 'secret' WHERE id = 1");
    let mut alice = db.connect("alice");
    let answer = |alice: &mut Client, set: &str| {
        let e = refused(alice, &format!("UPDATE crm.lead SET {set} WHERE id = 1"), "42501");
        (e.message().to_string(), e.detail().map(str::to_string), e.hint().map(str::to_string))
    };
    let right = answer(&mut alice, "lost_reason = 'secret'");
    assert_eq!(right, answer(&mut alice, "lost_reason = 'wrong'"));
    assert_eq!(right, answer(&mut alice, "lost_reason = NULL"));
    assert_eq!(right, answer(&mut alice, "lost_reason = lost_reason"));
    let right = answer(&mut alice, "attrs = '{\"size\": 5, \"budget\": 100}'");
    assert_eq!(right, answer(&mut alice, "attrs = '{\"size\": 5, \"budget\": 101}'"));
    assert_eq!(right, answer(&mut alice, "attrs = '{\"size\": 5}'"));
    // Other columns, in the same row, are hers.
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET name = 'x' WHERE id = 1"), 1);
    assert_eq!(accepted(&mut db.connect("mona"), "UPDATE crm.lead SET lost_reason = 'secret' WHERE id = 1"), 1);
}

// What others' triggers say of hidden rows is theirs; leadguard's own refusal names no value and no other row.
#[test]
fn attack_60_refusals_name_no_values() {
    let db = story("attack_60");
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE crm.lead SET source = 'CANARY', lead_score = 424242");
    let mut alice = db.connect("alice");
    for sql in [
        "UPDATE crm.lead SET source = 'x' WHERE id = 1",
        "UPDATE crm.lead SET lead_score = 1",
        "UPDATE crm.lead SET attrs = '3' WHERE id = 1",
        "INSERT INTO crm.lead (lead_score) VALUES (1)",
    ] {
        let e = format!("{:?}", refused(&mut alice, sql, "42501"));
        assert!(!e.contains("CANARY") && !e.contains("424242"), "{e}");
    }
}

// UPDATE-only guards fall to DELETE and INSERT of the same record.
#[test]
fn attack_71_delete_and_insert_again() {
    let db = story("attack_71");
    let mut alice = db.connect("alice");
    let again = |columns: &str| {
        format!(
            "WITH d AS (SELECT * FROM crm.lead WHERE id = 1) INSERT INTO crm.lead ({columns}) SELECT {columns} FROM d"
        )
    };
    refused(&mut alice, &again("owner_id, name, source"), "42501");
    refused(&mut alice, &again("owner_id, lead_score"), "42501");
    assert_eq!(accepted(&mut alice, &again("owner_id, name, stage")), 1);
}
