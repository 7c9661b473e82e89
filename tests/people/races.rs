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

// A delegation that begins or ends while a record changes hands: neither session sees what the other one does, and the
// record is the delegate's as long as it is the absent member's, no longer.
#[test]
fn delegation_and_a_change_of_owner_wait_for_each_other() {
    let delegate = "SELECT leadguard.delegate('curt', now() + interval '1 day', 'edit', 'away')";
    let take = "SELECT leadguard.reassign('crm.site', '1', 'vera', reason => 'hers')";
    let give = "SELECT leadguard.reassign('crm.site', '1', 'cara', reason => 'back')";
    let undelegate = "SELECT leadguard.undelegate((SELECT max(id) FROM leadguard.delegation))";
    let held = "SELECT count(*) FROM leadguard.record_grant WHERE kind = 'delegated' AND record = '1' AND target = 'crm.site'::regclass";
    // first, second, who runs the second; what is delegated of the record in the end.
    for (setup, first, by, second, then, expected) in [
        ("", take, "ada", delegate, "cara", "0"),
        ("", delegate, "cara", take, "ada", "0"),
        (take, give, "ada", undelegate, "cara", "0"),
        (take, undelegate, "cara", give, "ada", "0"),
        (take, give, "ada", "SELECT 1", "cara", "1"),
    ] {
        let db = decision_site("race_delegation");
        assert_eq!(
            scalar(
                &mut db.admin(),
                "SELECT m.key FROM crm.site s JOIN leadguard.member m ON m.id = s.owner_id WHERE s.id = 1"
            ),
            "cara"
        );
        if !setup.is_empty() {
            accepted(&mut db.connect("cara"), delegate);
            accepted(&mut db.connect("ada"), setup);
        }
        let mut session = db.connect(by);
        accepted(&mut session, "BEGIN");
        accepted(&mut session, first);
        if second == "SELECT 1" {
            accepted(&mut session, "COMMIT");
        } else {
            assert_eq!(ends(&db, &mut session, db.connect(then), second, "COMMIT"), "ok", "{first} / {second}");
        }
        assert_eq!(scalar(&mut db.admin(), held), expected, "{first} / {second}");
    }
}

#[test]
fn delegation_ends_with_the_membership_of_either() {
    for who in ["cara", "curt", "vera"] {
        let db = decision_site("race_inactive");
        let mut admin = db.admin();
        accepted(
            &mut db.connect("cara"),
            "SELECT leadguard.delegate('curt', now() + interval '1 day', 'edit', 'away')",
        );
        let (lasting, grants) = (
            "SELECT count(*) FROM leadguard.delegation WHERE ended_at IS NULL",
            "SELECT count(*) FROM leadguard.record_grant WHERE kind = 'delegated'",
        );
        assert_ne!(scalar(&mut admin, grants), "0");
        accepted(
            &mut admin,
            &format!(
                "UPDATE crm.site SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'ada') WHERE owner_id = (SELECT id FROM leadguard.member WHERE key = '{who}')"
            ),
        );
        accepted(&mut admin, &format!("UPDATE leadguard.member SET active = false WHERE key = '{who}'"));
        assert_eq!(scalar(&mut admin, lasting), if who == "vera" { "1" } else { "0" }, "{who}");
        assert_eq!(scalar(&mut admin, grants) == "0", who != "vera", "{who}");
    }
}

#[test]
fn d22_a_member_goes_once() {
    let db = decision_site("race_twice");
    let mut ada = db.connect("ada");
    let go = "SELECT * FROM leadguard.offboard_now('curt', 'vera', 'x')";
    for (end, answer) in [("ROLLBACK", "ok"), ("COMMIT", "55000")] {
        accepted(&mut ada, "BEGIN");
        accepted(&mut ada, go);
        let mut second = db.connect("ada");
        accepted(&mut second, "BEGIN");
        assert_eq!(ends(&db, &mut ada, second, go, end), answer, "{end}");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.offboarding"), "1");
}
