//! Nobody who reads waits for a reorganisation, and nobody who reorganises waits for readers.

use leadguard_tests::{Db, accepted, org, refused, rows, scalar};

use crate::session::Waiting;

const READ: &str = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.lead";
const MOVE: &str =
    "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'bob') WHERE key = 'alice'";

#[test]
fn readers_do_not_block_during_moves() {
    let db = Db::new("readers");
    org(&db);
    let mut monitor = db.admin();
    for change in [
        MOVE,
        "UPDATE leadguard.territory SET parent_id = NULL WHERE key = 'dach'",
        "UPDATE leadguard.member SET active = false WHERE key = 'anton'",
        "INSERT INTO leadguard.member (key, name) VALUES ('new', 'New')",
        "DELETE FROM leadguard.territory_member",
        "SELECT leadguard.rebuild_closure()",
        "SELECT leadguard.team_add('crm.lead', '3', 'carl')",
    ] {
        let mut admin = db.admin();
        admin.batch_execute(&format!("BEGIN; {change}")).unwrap();
        for (who, expected) in [("mona", "1,2,3,4,5,6,7,8"), ("bob", "9,10"), ("tess", "11,12")] {
            let mut c = db.connect(who);
            c.batch_execute("SET lock_timeout = '1s'; SET statement_timeout = '10s'").unwrap();
            assert_eq!(scalar(&mut c, READ), expected, "{who} during {change}");
            rows(&mut c, "SELECT * FROM leadguard.whoami()");
            rows(&mut c, "EXPLAIN SELECT * FROM crm.lead");
            rows(&mut c, "SELECT leadguard.can('update', 'crm.lead', '1')");
            accepted(&mut c, "SELECT id FROM crm.lead WHERE id IN (2, 9, 11) FOR UPDATE");
            assert_eq!(
                accepted(&mut c, "UPDATE crm.lead SET amount = amount WHERE id IN (2, 9, 11)"),
                1,
                "{who} during {change}"
            );
        }
        // Twin: another writer of the same hierarchy does wait.
        if change == MOVE {
            let waiting = Waiting::start_blocked(
                db.admin(),
                "UPDATE leadguard.member SET manager_id = NULL WHERE key = 'tom'",
                &mut monitor,
            );
            admin.batch_execute("ROLLBACK").unwrap();
            assert_eq!(waiting.finish().1.code(), "ok");
            accepted(
                &mut monitor,
                "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'tina') WHERE key = 'tom'",
            );
        } else {
            admin.batch_execute("ROLLBACK").unwrap();
        }
    }
}

#[test]
fn moves_do_not_wait_for_readers_and_writers_of_leads() {
    let db = Db::new("movers");
    org(&db);
    let mut mona = db.connect("mona");
    mona.batch_execute(
        "BEGIN; DECLARE q CURSOR FOR SELECT id FROM crm.lead; FETCH 1 FROM q; UPDATE crm.lead SET amount = 1 WHERE id = 1;
         SELECT id FROM crm.lead WHERE id = 2 FOR UPDATE;",
    )
    .unwrap();
    let mut repeatable = db.connect("ceo");
    repeatable.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM crm.lead").unwrap();
    let mut admin = db.admin();
    admin.batch_execute("SET lock_timeout = '1s'").unwrap();
    accepted(&mut admin, MOVE);
    accepted(&mut admin, "SELECT leadguard.rebuild_closure()");
    accepted(&mut admin, "UPDATE leadguard.territory SET owner_id = NULL WHERE key = 'dach'");
    assert_eq!(rows(&mut mona, "FETCH ALL FROM q").len(), 7);
    mona.batch_execute("COMMIT").unwrap();
    assert_eq!(scalar(&mut mona, READ), "6,7,8");
    assert_eq!(scalar(&mut repeatable, "SELECT count(*) FROM crm.lead"), "10");
    repeatable.batch_execute("COMMIT").unwrap();
    // Twin: what does take the table away from readers is seen to wait for them.
    mona.batch_execute("BEGIN; SELECT count(*) FROM crm.lead").unwrap();
    refused(&mut admin, "ALTER TABLE crm.lead ADD COLUMN extra text", "55P03");
    mona.batch_execute("COMMIT").unwrap();
}
