//! Pools: whose turn it is.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k38_four_clients_at_once_are_served_fairly() {
    let db = lab("pool_clients");
    reps_in_turn(&db);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut ivy = db.connect("ivy");
                for _ in 0..25 {
                    accepted(&mut ivy, "INSERT INTO crm.lead (name) VALUES ('one of many')");
                }
            });
        }
    });
    let counts = "SELECT count(*) FROM crm.lead WHERE id > 100 GROUP BY owner_id ORDER BY 1";
    assert_eq!(rows(&mut db.admin(), counts), [["33"], ["33"], ["34"]]);
}

#[test]
fn k38_what_is_rolled_back_used_no_turn() {
    let db = lab("pool_rollback");
    reps_in_turn(&db);
    let mut ivy = db.connect("ivy");
    accepted(&mut ivy, "BEGIN; INSERT INTO crm.lead (name) VALUES ('no')");
    accepted(&mut ivy, "ROLLBACK");
    accepted(
        &mut ivy,
        "BEGIN; INSERT INTO crm.lead (name) VALUES ('yes'); SAVEPOINT s; INSERT INTO crm.lead (name) VALUES ('no'), ('no')",
    );
    accepted(&mut ivy, "ROLLBACK TO s; INSERT INTO crm.lead (name) VALUES ('yes'); COMMIT");
    assert_eq!(owners(&db), "rita rob");
    assert_eq!(told(&db, "ron"), "");
    let assigned = "SELECT assigned FROM leadguard.assignment_rules";
    assert_eq!(scalar(&mut db.connect("dora"), assigned), "{1,1,0}");
}

#[test]
fn k38_the_second_session_waits_for_the_first() {
    let db = lab("pool_waits");
    reps_in_turn(&db);
    let (mut one, mut two) = (db.connect("ivy"), db.connect("ivy"));
    accepted(&mut one, "BEGIN; INSERT INTO crm.lead (name) VALUES ('first')");
    let process = pid(&mut two);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || accepted(&mut two, "INSERT INTO crm.lead (name) VALUES ('second')"));
        assert!(blocked(&mut db.admin(), process));
        accepted(&mut one, "ROLLBACK");
        waiting.join().expect("the second session goes on");
    });
    assert_eq!(owners(&db), "rita");
}

#[test]
fn k38_who_cannot_take_a_record_is_passed_over() {
    let db = lab("pool_skips");
    rule(&db, "pool", 1, "[]", r#"{"pool": ["rita", "rob", "ron", "vic"]}"#);
    rule(&db, "rest", 2, "[]", r#"{"owner": "mona"}"#);
    switch(&db, "routing", "insert");
    let mut ivy = db.connect("ivy");
    let insert = "INSERT INTO crm.lead (name) VALUES ('one')";
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'rob'");
    for _ in 0..3 {
        accepted(&mut ivy, insert);
    }
    assert_eq!(owners(&db), "rita ron rita", "rob is inactive, vic only reads");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = true WHERE key = 'rob'");
    accepted(&mut ivy, insert);
    assert_eq!(owners(&db), "rita ron rita rob");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key IN ('rita', 'rob', 'ron')");
    accepted(&mut ivy, insert);
    assert_eq!(owners(&db), "rita ron rita rob mona", "the next rule has somebody");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'mona'");
    accepted(&mut ivy, insert);
    assert_eq!(owners(&db), "rita ron rita rob mona ivy", "nobody is left: the creator");
}

#[test]
fn k38_capacity_is_what_somebody_owns() {
    let db = lab("pool_capacity");
    rule(&db, "pool", 1, "[]", r#"{"pool": [{"member": "rita", "capacity": 3}, "rob"]}"#);
    switch(&db, "routing", "insert");
    let mut ivy = db.connect("ivy");
    accepted(&mut ivy, "INSERT INTO crm.lead (name) SELECT 'one' FROM generate_series(1, 6)");
    assert_eq!(owners(&db), "rita rob rita rob rob rob", "rita owned one before");
    // Archived ones do not count.
    accepted(&mut db.connect("rita"), "DELETE FROM crm.lead WHERE id = 1");
    accepted(&mut ivy, "INSERT INTO crm.lead (name) VALUES ('x'), ('y')");
    assert_eq!(owners(&db), "rita rob rita rob rob rob rita rob");
}
