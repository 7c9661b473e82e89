//! What becomes of an offer while it waits.

use crate::lab::*;
use leadguard_tests::*;

/// crm.plan, whose rows may be marked as sensitive, with a step by which they are offered; 1 and 2 are rita's.
fn plans(name: &str) -> Db {
    let db = lab(name);
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.plan (id bigint PRIMARY KEY, owner_id bigint, sensitive boolean NOT NULL DEFAULT false, body text);
         INSERT INTO crm.plan SELECT n, m.id, false, 'plan' FROM leadguard.member m, generate_series(1, 2) n WHERE m.key = 'rita';
         SELECT leadguard.protect('crm.plan', owner => 'owner_id', sensitive => 'sensitive');
         SELECT leadguard.set_handoff_step('crm.plan', 'give', needs_acceptance => true)",
    );
    db
}

fn offered(db: &Db, plan: u32) -> String {
    accepted(&mut db.connect("rita"), &format!("SELECT * FROM leadguard.handoff('crm.plan', '{plan}', 'give', 'ron')"));
    scalar(&mut db.admin(), "SELECT max(id) FROM leadguard.handoff")
}

#[test]
fn k46_what_was_marked_since_is_not_what_was_offered() {
    let db = plans("offer_marked");
    let (mut ron, mut dora) = (db.connect("ron"), db.connect("dora"));
    let id = offered(&db, 1);
    accepted(&mut dora, "SELECT leadguard.mark_sensitive('crm.plan', '1', 'a competitor asked')");
    assert!(rows(&mut ron, "SELECT FROM crm.plan").is_empty());
    refused(&mut ron, &format!("SELECT leadguard.accept_handoff({id})"), "55000");
    // Offered as it is, or not marked, it is his when he accepts it.
    accepted(&mut db.connect("rita"), &format!("SELECT leadguard.refuse_handoff({id}, 'it changed')"));
    for id in [offered(&db, 1), offered(&db, 2)] {
        accepted(&mut ron, &format!("SELECT leadguard.accept_handoff({id})"));
    }
    assert_eq!(rows(&mut ron, "SELECT id FROM crm.plan ORDER BY id"), [["1"], ["2"]]);
}

#[test]
fn k39_an_offer_goes_with_its_owner() {
    let db = plans("offer_owner");
    let (mut ron, mut dora) = (db.connect("ron"), db.connect("dora"));
    offered(&db, 1);
    let kept = offered(&db, 2);
    accepted(&mut db.admin(), "DELETE FROM leadguard.notification");
    accepted(
        &mut dora,
        "UPDATE crm.plan SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'rob') WHERE id = 1",
    );
    assert_eq!(rows(&mut ron, "SELECT id FROM crm.plan"), [["2"]]);
    let open = "SELECT id FROM leadguard.handoff WHERE state = 'open'";
    assert_eq!(rows(&mut db.admin(), open), [[kept.as_str()]]);
    for who in ["ron", "rita"] {
        assert!(told(&db, who).contains("handoff 1"), "{who}: {}", told(&db, who));
    }
    // The next owner is not kept from offering it, to somebody else.
    accepted(&mut db.connect("rob"), "SELECT * FROM leadguard.handoff('crm.plan', '1', 'give', 'sid')");
    // What was shared since is no part of the offer.
    accepted(&mut db.connect("rita"), "SELECT leadguard.share('crm.plan', '2', 'ron', 'edit')");
    accepted(&mut dora, "SELECT * FROM leadguard.offboard_now('rita', 'mona', 'left')");
    assert_eq!(rows(&mut db.admin(), open).len(), 1);
    assert_eq!(rows(&mut ron, "SELECT id FROM crm.plan"), [["2"]]);
    // Nothing changes with what is no change of owner, nor with what is rolled back.
    accepted(&mut dora, "UPDATE crm.plan SET body = 'other' WHERE id = 1");
    accepted(&mut dora, "BEGIN; SELECT leadguard.reassign('crm.plan', '1', 'ron'); ROLLBACK");
    assert_eq!(rows(&mut db.admin(), open).len(), 1);
}

// Who is answering an offer just now keeps neither the record nor the offer.
#[test]
fn k39_nobody_keeps_an_offer_alive_over_a_change_of_owner() {
    let db = plans("offer_kept");
    let (mut ron, mut dora, mut mona) = (db.connect("ron"), db.connect("dora"), db.connect("mona"));
    let id = offered(&db, 1);
    accepted(&mut ron, &format!("BEGIN; SELECT leadguard.refuse_handoff({id}, 'no')"));
    let process = pid(&mut dora);
    std::thread::scope(|scope| {
        let moved = scope.spawn(|| code(&mut dora, "SELECT leadguard.reassign('crm.plan', '1', 'mona')"));
        assert!(blocked(&mut db.admin(), process));
        accepted(&mut ron, "ROLLBACK");
        assert_eq!(moved.join().expect("she waits for him"), "ok");
    });
    assert!(rows(&mut ron, "SELECT FROM crm.plan").is_empty());
    refused(&mut ron, &format!("SELECT leadguard.accept_handoff({id})"), "55000");
    accepted(&mut mona, "SELECT * FROM leadguard.handoff('crm.plan', '1', 'give', 'sid')");
    // Her own offer stands in the way of another one.
    refused(&mut mona, "SELECT * FROM leadguard.handoff('crm.plan', '1', 'give', 'rob')", "55000");
    assert_eq!(scalar(&mut db.admin(), &format!("SELECT state FROM leadguard.handoff WHERE id = {id}")), "withdrawn");
}
