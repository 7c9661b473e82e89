//! Somebody goes while he is given a record: in two sessions at once.

use crate::lab::decision_site;
use leadguard_tests::{Client, Db, accepted, blocked, code, pid, scalar};

/// `first` has done its part in a transaction, `second` waits for it. What becomes of `second` when `first` ends so.
fn ends(db: &Db, first: &mut Client, mut second: Client, sql: &str, end: &str) -> String {
    let (waiting, sql) = (pid(&mut second), sql.to_owned());
    let thread = std::thread::spawn(move || code(&mut second, &sql));
    assert!(blocked(&mut db.admin(), waiting), "it waits");
    accepted(first, end);
    thread.join().expect("the session ended")
}

/// curt had his last day; crm.plot names owners by key.
fn leaving(name: &str) -> Db {
    let db = decision_site(name);
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.plot (id bigint PRIMARY KEY, owner text);
         INSERT INTO crm.plot VALUES (1, 'cara');
         SELECT leadguard.protect('crm.plot', preset => 'decision_site', id => 'id', owner => 'owner', object => 'deal')",
    );
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_plan('curt', current_date)");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_last_day('curt', 'vera', 'x')");
    db
}

const GIVES: [&str; 2] = [
    "SELECT leadguard.reassign('crm.site', '1', 'curt', reason => 'his')",
    "SELECT leadguard.reassign('crm.plot', '1', 'curt', reason => 'his')",
];
const GOES: [&str; 2] = [
    "SELECT * FROM leadguard.offboard_end('curt', 'over')",
    "UPDATE leadguard.member SET active = false WHERE key = 'curt'",
];

fn active(db: &Db) -> String {
    scalar(&mut db.admin(), "SELECT active FROM leadguard.member WHERE key = 'curt'")
}

#[test]
fn d22_who_is_given_a_record_at_this_moment_does_not_go() {
    let db = leaving("race_goes");
    let mut cara = db.connect("cara");
    for (gives, goes) in [(GIVES[0], GOES[0]), (GIVES[1], GOES[1])] {
        accepted(&mut cara, "BEGIN");
        accepted(&mut cara, gives);
        assert_eq!(ends(&db, &mut cara, db.connect("ada"), goes, "COMMIT"), "23503", "{goes}");
        accepted(&mut db.connect("ada"), &gives.replace("'curt'", "'cara'"));
    }
    assert_eq!(active(&db), "t");
    // What is taken back stands in nobody's way.
    accepted(&mut cara, "BEGIN");
    accepted(&mut cara, GIVES[0]);
    assert_eq!(ends(&db, &mut cara, db.connect("ada"), GOES[0], "ROLLBACK"), "ok");
    assert_eq!(active(&db), "f");
}

#[test]
fn d22_who_goes_at_this_moment_is_given_no_record() {
    let db = leaving("race_given");
    let mut ada = db.connect("ada");
    for (gives, goes) in [(GIVES[0], GOES[1]), (GIVES[1], GOES[0])] {
        accepted(&mut ada, "BEGIN");
        accepted(&mut ada, goes);
        assert_eq!(ends(&db, &mut ada, db.connect("cara"), gives, "ROLLBACK"), "ok", "{gives}");
        accepted(&mut db.connect("ada"), &gives.replace("'curt'", "'cara'"));
        accepted(&mut ada, "BEGIN");
        accepted(&mut ada, goes);
        assert_eq!(ends(&db, &mut ada, db.connect("cara"), gives, "COMMIT"), "55000", "{gives}");
        accepted(&mut db.admin(), "UPDATE leadguard.member SET active = true WHERE key = 'curt'");
    }
    // Under a snapshot of before, too.
    let mut cara = db.connect("cara");
    accepted(&mut cara, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(scalar(&mut cara, "SELECT count(*) FROM crm.site WHERE id = 1"), "1");
    accepted(&mut ada, GOES[1]);
    assert_ne!(code(&mut cara, GIVES[0]), "ok");
}
