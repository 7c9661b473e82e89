//! Approvals: asking, deciding, reading. Using them is in the tests of what needs them.

use crate::rules::company;
use leadguard_tests::*;
use std::thread;

const ASK: &str = "SELECT leadguard.request_approval('field', 'crm.lead', '1', 'score', 'the score is wrong')";

#[test]
fn k26_a_request_is_decided_by_somebody_else() {
    let db = company("ap_decide");
    let (mut alice, mut mona) = (db.connect("alice"), db.connect("mona"));
    let id = scalar(&mut alice, ASK);
    let decide = format!("SELECT leadguard.decide_approval({id}, true, 'checked')");
    for who in ["alice", "carl", "ceo", "olga", "bot", "viewer", "analyst"] {
        refused(&mut db.connect(who), &decide, "42501");
    }
    refused(&mut db.admin(), &decide, "42501");
    refused(&mut mona, &decide.replace("true", "NULL"), "22023");
    refused(&mut mona, "SELECT leadguard.decide_approval(NULL, true)", "22023");
    accepted(&mut mona, &decide);
    refused(&mut mona, &decide, "55000");
    refused(&mut db.connect("admin"), &decide.replace("true", "false"), "55000");
    assert_eq!(
        rows(&mut alice, "SELECT kind, record, field, granted, answer, used_at FROM leadguard.approval"),
        [["field", "1", "score", "t", "checked", "∅"]]
    );
    // One's own request is somebody else's to decide, whatever one may.
    let own = scalar(&mut mona, ASK);
    let error = refused(&mut mona, &format!("SELECT leadguard.decide_approval({own}, true)"), "42501");
    assert!(error.message().contains("your own"), "{error:?}");
    accepted(&mut db.connect("admin"), &format!("SELECT leadguard.decide_approval({own}, false)"));
}

#[test]
fn a_hidden_record_is_answered_like_an_absent_one() {
    let db = company("ap_hidden");
    let ask =
        |record: &str| format!("SELECT leadguard.request_approval('field', 'crm.lead', '{record}', 'score', 'why')");
    let mut alice = db.connect("alice");
    let hidden = refused(&mut alice, &ask("9"), "42501");
    let absent = refused(&mut alice, &ask("999"), "42501");
    assert_eq!(hidden.message().replace("record 9 ", ""), absent.message().replace("record 999 ", ""));
    let hint = |text: Option<&str>, record: &str| text.map(|text| text.replace(&format!("'{record}'"), "'?'"));
    assert_eq!(hint(hidden.hint(), "9"), hint(absent.hint(), "999"));
    assert_eq!(hidden.detail(), absent.detail());
    refused(&mut db.connect("olga"), &ask("1"), "42501");
    for record in ["x", "", "1 OR true", "99999999999999999999"] {
        refused(&mut alice, &ask(record), "42501");
    }
    refused(
        &mut alice,
        "SELECT leadguard.request_approval('field', 'crm.lead', repeat('1', 100000), 'score', 'why')",
        "42501",
    );
    // A request of another organization, one that is not there, and one about a record the decider cannot see.
    let id = scalar(&mut alice, &ask("1"));
    let other = refused(&mut db.connect("olga"), &format!("SELECT leadguard.decide_approval({id}, true)"), "42501");
    let none = refused(&mut db.connect("olga"), "SELECT leadguard.decide_approval(4711, true)", "42501");
    assert_eq!(other.message().replace(&format!("request {id} "), ""), none.message().replace("request 4711 ", ""));
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('approver', 1, '{approve}');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'approver' FROM leadguard.member WHERE key IN ('carl', 'vp')",
    );
    let blind = refused(&mut db.connect("carl"), &format!("SELECT leadguard.decide_approval({id}, true)"), "42501");
    assert_eq!(blind.message(), other.message());
    accepted(&mut db.connect("vp"), &format!("SELECT leadguard.decide_approval({id}, true)"));
}

#[test]
fn what_is_asked_must_make_sense() {
    let db = company("ap_arguments");
    let mut alice = db.connect("alice");
    for (arguments, code) in [
        ("'everything', 'crm.lead', '1', NULL, 'why'", "22023"),
        ("NULL, 'crm.lead', '1', NULL, 'why'", "22023"),
        ("'field', 'crm.lead', '1', NULL, 'why'", "22023"),
        ("'field', 'crm.lead', '1', 'sauce', 'why'", "42703"),
        ("'field', 'crm.lead', '1', 'owner_id', 'why'", "22023"),
        ("'delete', 'crm.lead', '1', 'score', 'why'", "22023"),
        ("'delete', 'crm.lead', '1', NULL, NULL", "22023"),
        ("'delete', 'crm.lead', '1', NULL, '  '", "22023"),
        ("'delete', 'crm.lead', '1', NULL, repeat('w', 20000)", "22023"),
        ("'delete', 'crm.lead', NULL, NULL, 'why'", "22023"),
        ("'delete', NULL, '1', NULL, 'why'", "22023"),
        ("'delete', 'pg_class', '1', NULL, 'why'", "22023"),
        ("'delete', 'crm.lead', '1', NULL, 'why', now()", "22023"),
        ("'delete', 'crm.lead', '1', NULL, 'why', NULL", "22023"),
    ] {
        refused(&mut alice, &format!("SELECT leadguard.request_approval({arguments})"), code);
    }
    for who in ["viewer", "analyst"] {
        refused(&mut db.connect(who), ASK, "42501");
    }
    refused(&mut db.admin(), ASK, "42501");
    for kind in ["delete", "purge", "restore"] {
        accepted(
            &mut alice,
            &format!("SELECT leadguard.request_approval('{kind}', 'crm.lead', '1', NULL, E'\\'; \\x01 ü')"),
        );
    }
    accepted(&mut db.connect("bot"), "SELECT leadguard.request_approval('delete', 'crm.lead', '1', NULL, 'twice')");
}

#[test]
fn requests_are_for_requester_and_approvers() {
    let db = company("ap_read");
    accepted(&mut db.connect("alice"), ASK);
    let count = "SELECT count(*) FROM leadguard.approval";
    for (who, expected) in [
        ("alice", "1"),
        ("mona", "1"),
        ("admin", "1"),
        ("carl", "0"),
        ("ceo", "0"),
        ("olga", "0"),
        ("bot", "0"),
        ("analyst", "0"),
    ] {
        assert_eq!(scalar(&mut db.connect(who), count), expected, "{who}");
    }
    refused(&mut db.connect("mona"), "UPDATE leadguard.approval SET granted = true", "42501");
    refused(&mut db.connect("mona"), "INSERT INTO leadguard.approval DEFAULT VALUES", "42501");
}

#[test]
fn an_expired_request_is_not_decided() {
    let db = company("ap_expired");
    let id = scalar(
        &mut db.connect("alice"),
        "SELECT leadguard.request_approval('field', 'crm.lead', '1', 'score', 'why', clock_timestamp() + interval '1 second')",
    );
    accepted(&mut db.admin(), "SELECT pg_sleep(1.2)");
    refused(&mut db.connect("mona"), &format!("SELECT leadguard.decide_approval({id}, true)"), "55000");
}

#[test]
fn two_deciders_at_once_decide_once() {
    let db = company("ap_race");
    let id = scalar(&mut db.connect("alice"), ASK);
    let (mut mona, mut admin) = (db.connect("mona"), db.connect("admin"));
    accepted(&mut mona, &format!("BEGIN; SELECT leadguard.decide_approval({id}, false)"));
    let waiting = pid(&mut admin);
    let call = format!("SELECT leadguard.decide_approval({id}, true)");
    let other = thread::spawn(move || code(&mut admin, &call));
    assert!(blocked(&mut db.admin(), waiting));
    accepted(&mut mona, "COMMIT");
    assert_eq!(other.join().expect("the other session ends"), "55000");
    assert_eq!(scalar(&mut db.connect("alice"), "SELECT granted FROM leadguard.approval"), "f");
}
