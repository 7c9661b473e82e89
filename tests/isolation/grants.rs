//! Record grants have no revision: they are read with the statement's snapshot, and never wait for each other.

use leadguard_tests::{Db, accepted, org, refused, scalar};

use crate::session::Waiting;

const READ: &str = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.lead";

#[test]
fn grants_of_two_records_do_not_block_each_other() {
    let db = Db::new("grants");
    org(&db);
    let mut alice = db.connect("alice");
    let mut anton = db.connect("anton");
    let mut admin = db.admin();
    for c in [&mut anton, &mut admin] {
        c.batch_execute("SET lock_timeout = '1s'").unwrap();
    }
    alice.batch_execute("BEGIN; SELECT leadguard.share('crm.lead', '1', 'carl'); SELECT leadguard.team_add('crm.lead', '2', 'carl')").unwrap();
    accepted(&mut anton, "SELECT leadguard.share('crm.lead', '6', 'carl')");
    accepted(&mut anton, "SELECT leadguard.team_add('crm.lead', '7', 'carl')");
    accepted(&mut admin, "SELECT leadguard.team_add('crm.lead', '3', 'carl')");
    accepted(&mut admin, "UPDATE leadguard.member SET manager_id = NULL WHERE key = 'viewer'");
    assert_eq!(scalar(&mut db.connect("carl"), READ), "3,6,7,9,10");
    // Twin: the same grant of the same record does wait for the first.
    let mut monitor = db.admin();
    let waiting =
        Waiting::start_blocked(db.admin(), "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit')", &mut monitor);
    alice.batch_execute("COMMIT").unwrap();
    assert_eq!(waiting.finish().1.code(), "ok");
    assert_eq!(scalar(&mut db.connect("carl"), READ), "1,2,3,6,7,9,10");
}

// A grant is there for the statement after the commit, not before, and for an older snapshot never.
#[test]
fn grants_have_the_age_of_the_snapshot() {
    let db = Db::new("grant_age");
    org(&db);
    let mut alice = db.connect("alice");
    for (level, sees) in [("READ COMMITTED", true), ("REPEATABLE READ", false), ("SERIALIZABLE", false)] {
        let mut carl = db.connect("carl");
        carl.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}")).unwrap();
        assert_eq!(scalar(&mut carl, READ), "9,10");
        alice.batch_execute("BEGIN; SELECT leadguard.share('crm.lead', '1', 'carl')").unwrap();
        assert_eq!(scalar(&mut carl, READ), "9,10", "uncommitted");
        alice.batch_execute("COMMIT").unwrap();
        assert_eq!(scalar(&mut carl, READ), if sees { "1,9,10" } else { "9,10" }, "{level}");
        accepted(&mut alice, "SELECT leadguard.unshare('crm.lead', '1', 'carl')");
        assert_eq!(scalar(&mut carl, READ), "9,10", "{level}");
        carl.batch_execute("COMMIT").unwrap();
    }
}

// A grant given in a transaction that is undone, seen by its giver in between.
#[test]
fn undone_grants_leave_no_trace() {
    let db = Db::new("grant_undone");
    org(&db);
    let role = db.create_role("app");
    let mut admin = db.admin();
    accepted(&mut admin, &format!("SELECT leadguard.connector('{role}', 'trusted')"));
    let mut c = db.connect("app");
    c.batch_execute("BEGIN; SELECT leadguard.act_as('carl')").unwrap();
    assert_eq!(scalar(&mut c, READ), "9,10");
    c.batch_execute("SAVEPOINT s; SELECT leadguard.share('crm.lead', '9', 'alice'); ROLLBACK TO s").unwrap();
    c.batch_execute("COMMIT").unwrap();
    assert_eq!(scalar(&mut db.connect("alice"), READ), "1,2,3,4,5");
    c.batch_execute("BEGIN; SELECT leadguard.act_as('alice')").unwrap();
    assert_eq!(scalar(&mut c, READ), "1,2,3,4,5");
    refused(&mut c, "SELECT leadguard.share('crm.lead', '9', 'alice')", "42501");
    c.batch_execute(
        "ROLLBACK; BEGIN; SELECT leadguard.act_as('carl'); SELECT leadguard.share('crm.lead', '9', 'alice'); COMMIT",
    )
    .unwrap();
    assert_eq!(scalar(&mut db.connect("alice"), READ), "1,2,3,4,5,9", "twin: committed");
}
