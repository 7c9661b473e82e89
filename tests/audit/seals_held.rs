//! Who seals, and what becomes of a seal whose transaction is not over.

use crate::seals::{holds, seal, sealed};
use leadguard_tests::*;

/// Lines of the server's log about seals of this database's last seal.
fn logged(db: &Db, number: &str) -> usize {
    let mut admin = db.admin();
    let mac =
        scalar(&mut admin, &format!("SELECT encode(mac, 'hex') FROM leadguard.audit_seal WHERE number = {number}"));
    lines(&mut admin, &mac)
}

fn lines(admin: &mut Client, text: &str) -> usize {
    let path = scalar(admin, "SELECT coalesce(pg_current_logfile(), '')");
    let whole = scalar(admin, "SHOW data_directory") + "/" + if path.is_empty() { "../log" } else { &path };
    let log = std::fs::read(&whole).unwrap_or_else(|e| panic!("{whole}: {e}"));
    String::from_utf8_lossy(&log).lines().filter(|l| l.contains("leadguard: sealed") && l.contains(text)).count()
}

#[test]
fn k48_the_log_tells_of_seals_that_are_committed() {
    let db = sealed("au_held_log");
    let mut admin = db.admin();
    let update = "UPDATE crm.lead SET name = name || '.' WHERE id = 1";
    accepted(&mut admin, update);
    let mac = "SELECT encode(mac, 'hex') FROM leadguard.audit_seal ORDER BY number DESC LIMIT 1";
    accepted(&mut admin, "BEGIN");
    assert_eq!(seal(&mut admin), 1);
    let rolled_back = scalar(&mut admin, mac);
    accepted(&mut admin, "ROLLBACK; BEGIN; SAVEPOINT a");
    assert_eq!(seal(&mut admin), 1);
    let with_savepoint = scalar(&mut admin, mac);
    accepted(&mut admin, "ROLLBACK TO a; COMMIT");
    for gone in [rolled_back, with_savepoint] {
        assert_eq!(lines(&mut admin, &gone), 0);
    }
    accepted(&mut admin, "BEGIN; SAVEPOINT a");
    assert_eq!(seal(&mut admin), 1);
    let number = scalar(&mut admin, "SELECT max(number) FROM leadguard.audit_seal");
    accepted(&mut admin, "RELEASE a");
    let mac = scalar(&mut admin, mac);
    assert_eq!(lines(&mut admin, &mac), 0);
    accepted(&mut admin, "COMMIT");
    assert_eq!(logged(&db, &number), 1);
    holds(&mut admin);
}

// A line without its seal would look like a seal that somebody removed.
#[test]
fn k48_the_log_tells_of_no_seal_whose_commit_fails() {
    let db = sealed("au_held_failed");
    let (mut one, mut two) = (db.admin(), db.admin());
    accepted(&mut one, "CREATE TABLE crm.left_side (n int); CREATE TABLE crm.right_side (n int)");
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    let mac = "SELECT encode(mac, 'hex') FROM leadguard.audit_seal ORDER BY number DESC LIMIT 1";
    for (crosses, code) in [(true, "40001"), (false, "ok")] {
        accepted(&mut two, "UPDATE crm.lead SET name = name || '.' WHERE id = 1");
        accepted(&mut one, begin);
        assert_ne!(seal(&mut one), 0);
        let made = scalar(&mut one, mac);
        accepted(&mut one, "SELECT FROM crm.left_side; INSERT INTO crm.right_side VALUES (1)");
        accepted(&mut two, begin);
        accepted(&mut two, "SELECT FROM crm.right_side");
        if crosses {
            accepted(&mut two, "INSERT INTO crm.left_side VALUES (1)");
        }
        accepted(&mut two, "COMMIT");
        assert_eq!(leadguard_tests::code(&mut one, "COMMIT"), code);
        assert_eq!(lines(&mut two, &made), usize::from(!crosses));
    }
    holds(&mut two);
}

#[test]
fn k48_a_seal_is_not_prepared_and_holds_nobody_up() {
    let db = sealed("au_held_prepared");
    let (mut tina, mut admin) = (db.connect("tina"), db.admin());
    accepted(&mut admin, "UPDATE crm.lead SET name = 'p' WHERE id = 1");
    accepted(&mut tina, "BEGIN");
    assert_eq!(seal(&mut tina), 1);
    let e = refused(&mut admin, "SELECT leadguard.seal_audit()", "55P03");
    assert_eq!(e.message(), "somebody else seals the audit");
    let e = refused(&mut tina, "PREPARE TRANSACTION 'au_held'", "0A000");
    assert!(e.hint().is_some(), "{e:?}");
    // The client hears of the error before its transaction is over.
    accepted(&mut tina, "SELECT 1");
    assert_eq!(seal(&mut admin), 1, "the transaction is over");
    holds(&mut admin);
}

#[test]
fn k48_a_login_that_only_reads_seals_nothing() {
    let db = sealed("au_held_analyst");
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE crm.lead SET name = 'p' WHERE id = 1");
    let login = db.create_role("tina_reads");
    accepted(&mut admin, &format!("SELECT leadguard.analyst('{login}', 'tina')"));
    assert!(seal(&mut admin) > 0);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'q' WHERE id = 1");
    let mut reads = db.connect("tina_reads");
    refused(&mut reads, "SELECT leadguard.seal_audit()", "42501");
    accepted(&mut reads, "SELECT * FROM leadguard.verify_audit()");
    assert_eq!(seal(&mut db.connect("tina")), 1);
}
