//! Using approvals: once, by the member, for the record and the field that they were granted for.

use crate::rules::company;
use leadguard_tests::*;
use std::thread;

/// A company whose lead score is written by the scoring system only.
fn scored(name: &str) -> Db {
    let db = company(name);
    accepted(
        &mut db.admin(),
        "SELECT leadguard.set_field('crm.lead', 'score', 'system', 'owner');
         SELECT leadguard.propose_fields('crm.lead', '{alice}')",
    );
    accepted(&mut db.connect("alice"), "SELECT leadguard.sign_fields('crm.lead', 1)");
    db
}

/// Has `who` ask for the score of a record, and mona grant it.
fn approve(db: &Db, who: &str, record: &str) -> String {
    let ask = format!("SELECT leadguard.request_approval('field', 'crm.lead', '{record}', 'score', 'wrong')");
    let id = scalar(&mut db.connect(who), &ask);
    accepted(&mut db.connect("mona"), &format!("SELECT leadguard.decide_approval({id}, true)"));
    id
}

fn unused(db: &Db) -> String {
    scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.approval WHERE granted AND used_at IS NULL")
}

const WRITE: &str = "UPDATE crm.lead SET score = coalesce(score, 0) + 1 WHERE id = 1";

#[test]
fn k26_an_approval_is_used_once() {
    let db = scored("au_once");
    let mut alice = db.connect("alice");
    accepted(&mut db.connect("bot"), WRITE);
    refused(&mut alice, WRITE, "42501");
    approve(&db, "alice", "1");
    // Not by another member, for another record, or for another field.
    refused(&mut db.connect("vp"), WRITE, "42501");
    refused(&mut alice, &WRITE.replace("id = 1", "id = 2"), "42501");
    accepted(&mut alice, &WRITE.replace("score = coalesce(score, 0) + 1", "name = 'x'"));
    assert_eq!(unused(&db), "1");
    assert_eq!(accepted(&mut alice, WRITE), 1);
    assert_eq!(unused(&db), "0");
    refused(&mut alice, WRITE, "42501");
    assert_eq!(scalar(&mut db.admin(), "SELECT score FROM crm.lead WHERE id = 1"), "2");
}

#[test]
fn k26_each_record_and_each_command_needs_its_own() {
    let db = scored("au_each");
    let mut alice = db.connect("alice");
    let both = WRITE.replace("id = 1", "id IN (1, 2)");
    approve(&db, "alice", "1");
    refused(&mut alice, &both, "42501");
    assert_eq!(unused(&db), "1", "what is refused uses nothing up");
    approve(&db, "alice", "2");
    assert_eq!(accepted(&mut alice, &both), 2);
    approve(&db, "alice", "1");
    refused(&mut alice, &format!("{WRITE}; {WRITE}"), "42501");
    refused(&mut alice, &format!("DO $$ BEGIN {WRITE}; {WRITE}; END $$"), "42501");
    accepted(&mut alice, &format!("BEGIN; {WRITE}"));
    refused(&mut alice, WRITE, "42501");
    accepted(&mut alice, "ROLLBACK");
    assert_eq!(unused(&db), "1");
    approve(&db, "alice", "1");
    accepted(&mut alice, &format!("{WRITE}; {WRITE}"));
    assert_eq!(unused(&db), "0");
}

#[test]
fn k26_a_use_that_is_taken_back_is_none() {
    let db = scored("au_savepoint");
    let mut alice = db.connect("alice");
    approve(&db, "alice", "1");
    accepted(&mut alice, &format!("BEGIN; SAVEPOINT s; {WRITE}; ROLLBACK TO s; {WRITE}"));
    refused(&mut alice, WRITE, "42501");
    accepted(&mut alice, "ROLLBACK");
    assert_eq!(unused(&db), "1");
    accepted(
        &mut alice,
        &format!("DO $$ BEGIN BEGIN {WRITE}; RAISE 'x'; EXCEPTION WHEN raise_exception THEN END; {WRITE}; END $$"),
    );
    refused(&mut alice, WRITE, "42501");
    assert_eq!(unused(&db), "0");
    approve(&db, "alice", "1");
    accepted(&mut alice, &format!("BEGIN; SAVEPOINT s; {WRITE}; RELEASE s; COMMIT"));
    refused(&mut alice, WRITE, "42501");
}

#[test]
fn k26_two_sessions_do_not_share_an_approval() {
    for level in ["READ COMMITTED", "REPEATABLE READ"] {
        let db = scored("au_race");
        let (mut one, mut two) = (db.connect("alice"), db.connect("alice"));
        approve(&db, "alice", "1");
        for session in [&mut one, &mut two] {
            accepted(session, &format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM crm.lead"));
        }
        accepted(&mut one, WRITE);
        let waiting = pid(&mut two);
        let other = thread::spawn(move || code(&mut two, WRITE));
        assert!(blocked(&mut db.admin(), waiting));
        accepted(&mut one, "COMMIT");
        let expected = if level == "READ COMMITTED" { "42501" } else { "40001" };
        assert_eq!(other.join().expect("the other session ends"), expected);
        assert_eq!(scalar(&mut db.admin(), "SELECT score FROM crm.lead WHERE id = 1"), "1");
    }
}

#[test]
fn what_is_open_denied_or_expired_approves_nothing() {
    let db = scored("au_not");
    let (mut alice, mut mona) = (db.connect("alice"), db.connect("mona"));
    let ask =
        |until: &str| format!("SELECT leadguard.request_approval('field', 'crm.lead', '1', 'score', 'wrong', {until})");
    let id = scalar(&mut alice, &ask("clock_timestamp() + interval '1 day'"));
    refused(&mut alice, WRITE, "42501");
    accepted(&mut mona, &format!("SELECT leadguard.decide_approval({id}, false, 'no')"));
    refused(&mut alice, WRITE, "42501");
    let id = scalar(&mut alice, &ask("clock_timestamp() + interval '2 seconds'"));
    accepted(&mut mona, &format!("SELECT leadguard.decide_approval({id}, true)"));
    accepted(&mut db.admin(), "SELECT pg_sleep(2.2)");
    refused(&mut alice, WRITE, "42501");
    approve(&db, "alice", "1");
    // It was granted by somebody who might; that he no longer may takes nothing back.
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'ceo';
         DELETE FROM leadguard.member_role WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'mona')",
    );
    accepted(&mut alice, WRITE);
}
