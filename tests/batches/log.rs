//! Each batch leaves one row (K33).

use crate::lab::{lab, log, switch, update};
use leadguard_tests::{accepted, rows, scalar};

#[test]
fn k33_a_batch_is_one_row_with_operator_time_count_and_fingerprint() {
    let db = lab("k33");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, &update(9));
    assert!(log(&db).is_empty(), "fewer than batch_from");
    accepted(&mut cleo, "BEGIN");
    for id in 1..=15 {
        accepted(&mut cleo, &format!("UPDATE crm.lead SET name = 'n{id}' WHERE id = {id}"));
    }
    accepted(&mut cleo, "INSERT INTO crm.lead (name) SELECT 'x' FROM generate_series(1, 12); COMMIT");
    assert_eq!(log(&db), ["cleo update 15", "cleo insert 12"]);
    let mut olga = db.connect("olga");
    let row = rows(
        &mut olga,
        "SELECT session_role, member_key, organization, target::text, target_name, fingerprint ~ '^[0-9a-f]{16}$',
             at > now() - interval '1 minute', approval, template, self_approved
         FROM leadguard.batches WHERE operation = 'update'",
    );
    assert_eq!(row, [[&db.role("cleo"), "cleo", "1", "crm.lead", "crm.lead", "t", "t", "∅", "∅", "f"]]);
    assert_eq!(scalar(&mut olga, "SELECT count(*) FROM leadguard.audit_verify()"), "0");
    for who in ["cleo", "mark", "stan"] {
        assert!(rows(&mut db.connect(who), "SELECT FROM leadguard.batches").is_empty(), "{who} audits nothing");
    }
}

#[test]
fn k33_what_is_rolled_back_is_not_logged_and_the_rest_is() {
    let db = lab("rolled_back");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "BEGIN");
    accepted(&mut cleo, &update(20));
    accepted(&mut cleo, "SAVEPOINT a");
    accepted(&mut cleo, &update(30));
    accepted(&mut cleo, "SAVEPOINT b");
    accepted(&mut cleo, &update(5));
    accepted(&mut cleo, "RELEASE b; ROLLBACK TO a");
    accepted(&mut cleo, &update(3));
    accepted(&mut cleo, "COMMIT");
    accepted(&mut cleo, "BEGIN");
    accepted(&mut cleo, &update(50));
    accepted(&mut cleo, "ROLLBACK");
    assert_eq!(log(&db), ["cleo update 23"]);
    accepted(
        &mut cleo,
        "DO $$ BEGIN FOR i IN 1 .. 40 LOOP
             BEGIN UPDATE crm.lead SET name = 'x' WHERE id = i; IF i % 2 = 0 THEN RAISE division_by_zero; END IF;
             EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$",
    );
    assert_eq!(log(&db), ["cleo update 23", "cleo update 20"]);
}

#[test]
fn k33_sessions_without_a_member_are_logged_without_limits() {
    let db = lab("unbound");
    let mut admin = db.admin();
    accepted(&mut admin, &update(300));
    accepted(&mut admin, "INSERT INTO crm.lead (name) SELECT 'x' FROM generate_series(1, 200)");
    accepted(&mut admin, "DELETE FROM crm.lead WHERE id <= 150");
    assert_eq!(log(&db), ["- update 300", "- insert 200", "- archive 150"]);
    assert_eq!(scalar(&mut db.connect("olga"), "SELECT count(*) FROM leadguard.batches"), "3");
}

#[test]
fn k33_a_prepared_transaction_is_logged_when_it_is_prepared() {
    let db = lab("prepared");
    if scalar(&mut db.admin(), "SHOW max_prepared_transactions") == "0" {
        return;
    }
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "BEGIN");
    accepted(&mut cleo, &update(50));
    accepted(&mut cleo, "PREPARE TRANSACTION 'batches_prepared'");
    assert!(log(&db).is_empty());
    accepted(&mut cleo, "COMMIT PREPARED 'batches_prepared'");
    assert_eq!(log(&db), ["cleo update 50"]);
}

#[test]
fn k33_statements_that_differ_in_values_have_one_fingerprint() {
    let db = lab("fingerprint");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "UPDATE crm.lead SET name = 'one' WHERE id <= 10");
    accepted(&mut cleo, "UPDATE crm.lead SET name = 'two' WHERE id <= 20 -- again");
    accepted(&mut cleo, "UPDATE crm.lead SET name = 'two' WHERE id < 20");
    let all = rows(&mut db.admin(), "SELECT fingerprint FROM leadguard.batches ORDER BY audit_id");
    assert_eq!(all[0], all[1]);
    assert_ne!(all[1], all[2]);
}

#[test]
fn k33_batch_from_is_a_switch() {
    let db = lab("batch_from");
    switch(&db, "batch_from", "3", "");
    accepted(&mut db.connect("cleo"), &update(2));
    accepted(&mut db.connect("cleo"), &update(3));
    assert_eq!(log(&db), ["cleo update 3"]);
}
