//! A clean-up does not take away what others work on (K55).

use crate::lab::{self, log, switch};
use leadguard_tests::{Client, Db, accepted, allowed, refused, scalar};

const CLEAN_UP: &str = "DELETE FROM crm.lead WHERE id <= 20";

/// The lab with a column whose changes are audited.
fn lab(name: &str) -> Db {
    let db = lab::lab(name);
    accepted(
        &mut db.admin(),
        "ALTER TABLE crm.lead ADD stage text;
         SELECT leadguard.valid_values('crm.lead', 'stage', '{working}')",
    );
    db
}

fn lead_by(db: &Db, who: &str, id: u32) {
    accepted(&mut db.connect(who), &format!("UPDATE crm.lead SET stage = 'working' WHERE id = {id}"));
}

fn refused_with(db: &Db, who: &str, sql: &str, count: u32) {
    let e = refused(&mut db.connect(who), sql, "42501");
    assert!(e.message().contains(&format!("others work on {count} of them")), "{}", e.message());
    assert!(e.hint().unwrap_or_default().contains("override_activity"), "{:?}", e.hint());
}

#[test]
fn k55_a_batch_does_not_archive_what_others_changed() {
    let db = lab("k55");
    allowed(&mut db.connect("mark"), CLEAN_UP);
    lead_by(&db, "cleo", 3);
    lead_by(&db, "olga", 4);
    lead_by(&db, "mark", 5);
    lead_by(&db, "cleo", 30);
    refused_with(&db, "mark", CLEAN_UP, 2);
    refused_with(&db, "olga", CLEAN_UP, 2);
    allowed(&mut db.connect("mark"), "DELETE FROM crm.lead WHERE id <= 9");
    allowed(&mut db.connect("mark"), "DELETE FROM crm.lead WHERE id BETWEEN 5 AND 25");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE archived_at IS NOT NULL"), "0");
}

#[test]
fn k55_single_deletes_of_one_transaction_are_a_batch() {
    let db = lab("loop");
    lead_by(&db, "cleo", 3);
    let by_one =
        |n: u32| format!("DO $$ BEGIN FOR i IN 1 .. {n} LOOP DELETE FROM crm.lead WHERE id = i; END LOOP; END $$");
    allowed(&mut db.connect("mark"), &by_one(9));
    refused(&mut db.connect("mark"), &by_one(10), "42501");
    let mut mark = db.connect("mark");
    accepted(&mut mark, "BEGIN; DELETE FROM crm.lead WHERE id BETWEEN 21 AND 40");
    refused(&mut mark, "DELETE FROM crm.lead WHERE id = 3", "42501");
}

// What was refused stays to be checked when the part that made it a batch is rolled back: what is rolled back stays counted.
#[test]
fn k55_a_refused_part_is_not_forgotten() {
    let db = lab("savepoint");
    lead_by(&db, "cleo", 3);
    let begin = |mark: &mut Client| {
        accepted(mark, "BEGIN; SAVEPOINT all_of_it; DELETE FROM crm.lead WHERE id BETWEEN 1 AND 9");
        refused(mark, "SAVEPOINT s; DELETE FROM crm.lead WHERE id = 10", "42501");
        accepted(mark, "ROLLBACK TO s");
    };
    for next in ["DELETE FROM crm.lead WHERE id BETWEEN 11 AND 20", "DELETE FROM crm.lead WHERE id = 11", "COMMIT"] {
        let mut mark = db.connect("mark");
        begin(&mut mark);
        refused(&mut mark, next, "42501");
        accepted(&mut mark, "ROLLBACK");
    }
    let mut mark = db.connect("mark");
    begin(&mut mark);
    accepted(&mut mark, "ROLLBACK TO all_of_it; DELETE FROM crm.lead WHERE id BETWEEN 11 AND 20; ROLLBACK");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE archived_at IS NOT NULL"), "0");
}

#[test]
fn k55_a_data_owner_overrides_with_a_reason() {
    let db = lab("override");
    lead_by(&db, "cleo", 3);
    let overridden =
        |reason: &str| format!("BEGIN; SELECT leadguard.override_activity('crm.lead', {reason}); {CLEAN_UP}; COMMIT");
    for who in ["mark", "cleo", "robo", "gus"] {
        let mut c = db.connect(who);
        refused(&mut c, &overridden("'old'"), "42501");
    }
    refused(&mut db.connect("olga"), &overridden("NULL"), "22023");
    refused(&mut db.connect("olga"), &overridden("' '"), "22023");
    refused(&mut db.connect("stan"), &overridden("'old'"), "22023");
    let mut olga = db.connect("olga");
    accepted(&mut olga, "BEGIN; SAVEPOINT a; SELECT leadguard.override_activity('crm.lead', 'old'); ROLLBACK TO a");
    refused(&mut olga, CLEAN_UP, "42501");
    // Alone it would be over before there is a batch.
    accepted(&mut olga, "ROLLBACK");
    refused(&mut olga, "SELECT leadguard.override_activity('crm.lead', 'old')", "25P01");
    accepted(&mut olga, "BEGIN; SELECT leadguard.override_activity('crm.lead', 'old'); COMMIT");
    refused(&mut olga, CLEAN_UP, "42501");
    accepted(&mut olga, &overridden("'agreed with sales'"));
    assert_eq!(log(&db), ["olga archive 20 self"]);
    assert_eq!(scalar(&mut db.admin(), "SELECT reason FROM leadguard.batches"), "agreed with sales");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT count(*) FROM leadguard.audit_log WHERE action = 'override_activity' AND reason = 'agreed with sales'"
        ),
        "1"
    );
}

#[test]
fn k55_what_a_job_writes_is_nobodys_work() {
    let db = lab("jobs");
    accepted(&mut db.connect("robo"), "UPDATE crm.lead SET stage = 'working' WHERE id <= 20");
    lead_by(&db, "robo", 3);
    allowed(&mut db.connect("mark"), CLEAN_UP);
    accepted(&mut db.connect("robo"), "UPDATE crm.lead SET stage = NULL WHERE id <= 20");
    lead_by(&db, "cleo", 4);
    refused_with(&db, "mark", CLEAN_UP, 1);
}

#[test]
fn k55_active_days_is_a_switch() {
    let db = lab("days");
    lead_by(&db, "cleo", 3);
    switch(&db, "active_days", "0", "");
    allowed(&mut db.connect("mark"), CLEAN_UP);
    switch(&db, "active_days", "1", "");
    refused_with(&db, "mark", CLEAN_UP, 1);
}

#[test]
fn k55_claims_and_handoffs_count() {
    let db = lab("claims");
    let mut admin = db.admin();
    if scalar(&mut admin, "SELECT to_regclass('leadguard.claim') IS NULL OR to_regclass('leadguard.handoff') IS NULL")
        == "t"
    {
        accepted(
            &mut admin,
            "CREATE TABLE IF NOT EXISTS leadguard.claim (id bigint GENERATED BY DEFAULT AS IDENTITY, org_id bigint, target regclass,
                 record text, member_id bigint, claimed_at timestamptz DEFAULT now(), state text, closed_at timestamptz);
             CREATE TABLE IF NOT EXISTS leadguard.handoff (id bigint GENERATED BY DEFAULT AS IDENTITY, org_id bigint, target regclass,
                 record text, step text, from_member bigint, to_member bigint, state text, at timestamptz DEFAULT now(), ended_at timestamptz)",
        );
        accepted(
            &mut admin,
            "INSERT INTO leadguard.claim (org_id, target, record, member_id, state)
             SELECT 1, 'crm.lead', '1', id, 'open' FROM leadguard.member WHERE key = 'cleo' UNION ALL
             SELECT 1, 'crm.lead', '2', id, 'disputed' FROM leadguard.member WHERE key = 'cleo' UNION ALL
             SELECT 1, 'crm.lead', '3', id, 'closed' FROM leadguard.member WHERE key = 'cleo' UNION ALL
             SELECT 1, 'crm.lead', '4', id, 'open' FROM leadguard.member WHERE key = 'mark';
             INSERT INTO leadguard.handoff (org_id, target, record, from_member, to_member, state)
             SELECT 1, 'crm.lead', '5', m.id, c.id, 'open' FROM leadguard.member m, leadguard.member c WHERE m.key = 'mark' AND c.key = 'cleo' UNION ALL
             SELECT 1, 'crm.lead', '6', m.id, c.id, 'done' FROM leadguard.member m, leadguard.member c WHERE m.key = 'mark' AND c.key = 'cleo'",
        );
        refused_with(&db, "mark", CLEAN_UP, 3);
        accepted(
            &mut admin,
            "UPDATE leadguard.claim SET claimed_at = now() - interval '31 days'; UPDATE leadguard.handoff SET state = 'done'",
        );
        allowed(&mut db.connect("mark"), CLEAN_UP);
    }
}

#[test]
fn k55_deleting_for_good_is_a_clean_up_too() {
    let db = lab("hard");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, creator_id bigint, name text);
         INSERT INTO crm.deal SELECT n, m.id, m.id, 'd' FROM generate_series(1, 30) n, leadguard.member m WHERE m.key = 'cleo';
         SELECT leadguard.protect('crm.deal', preset => 'four_role', id => 'id', owner => 'owner_id', creator => 'creator_id');
         SELECT leadguard.valid_values('crm.deal', 'name', '{d,x}')",
    );
    accepted(&mut db.connect("cleo"), "UPDATE crm.deal SET name = 'x' WHERE id = 2");
    let mut olga = db.connect("olga");
    refused(&mut olga, "DELETE FROM crm.deal WHERE id <= 10", "42501");
    assert_eq!(accepted(&mut olga, "DELETE FROM crm.deal WHERE id <= 9"), 9);
    assert_eq!(accepted(&mut olga, "DELETE FROM crm.deal WHERE id > 9"), 21);
    assert_eq!(log(&db), ["olga delete 21 self"]);
}

#[test]
fn k55_what_others_claimed_since_an_old_transaction_began_counts() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let db = lab("k55_old");
        let mut mark = db.connect("mark");
        accepted(&mut mark, &format!("BEGIN ISOLATION LEVEL {level}"));
        scalar(&mut mark, "SELECT count(*) FROM crm.lead");
        accepted(&mut db.connect("cleo"), "SELECT leadguard.claim('crm.lead', '3', 'mine')");
        let e = refused(&mut mark, CLEAN_UP, "42501");
        assert!(e.message().contains("others work on 1 of them"), "{level}: {e}");
        accepted(&mut mark, "ROLLBACK");
        allowed(&mut mark, &CLEAN_UP.replace("<= 20", "BETWEEN 4 AND 20"));
    }
}
