//! Kept plans and who uses them: a plan made for a narrow member is not run by a wide one, members of one width share.

use leadguard_tests::{Client, accepted, rows, scalar};

use crate::lab::{begin_as, book, lines, reached};

const NEWEST: &str = "SELECT id FROM crm.lead ORDER BY created_at DESC LIMIT 50";

fn explained(c: &mut Client, key: &str, statement: &str) -> String {
    begin_as(c, key);
    let shape = lines(c, &format!("EXPLAIN (COSTS OFF) EXECUTE {statement}"));
    accepted(c, "COMMIT");
    shape
}

/// How often a prepared statement was planned for good and for once.
fn plans(c: &mut Client, name: &str) -> (i64, i64) {
    let row = rows(c, &format!("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = '{name}'"))
        .remove(0);
    (row[0].parse().expect("a number"), row[1].parse().expect("a number"))
}

#[test]
fn each_width_has_a_plan_of_its_own() {
    let db = book("widths");
    let mut app = db.connect("app");
    accepted(&mut app, &format!("PREPARE newest AS {NEWEST}; PREPARE all_of_it AS SELECT count(*) FROM crm.lead"));
    let wide = |shape: &str| shape.contains("lead_created_at_idx") && !shape.contains("BitmapOr");
    let gate = |shape: &str| shape.contains("visible_all(");
    for key in ["rep1", "top", "rep2", "root", "rep1", "root", "top", "top", "rep1", "rep2", "root"] {
        let shape = explained(&mut app, key, "newest");
        match key {
            "top" => assert!(wide(&shape) && !gate(&shape), "{key}\n{shape}"),
            "root" => assert!(wide(&shape) && gate(&shape), "{key}\n{shape}"),
            _ => assert!(shape.contains("BitmapOr") && !gate(&shape), "{key}\n{shape}"),
        }
        let shape = explained(&mut app, key, "all_of_it");
        match key {
            "top" => assert!(shape.contains("Seq Scan") && !gate(&shape), "{key}\n{shape}"),
            "root" => assert!(gate(&shape), "{key}\n{shape}"),
            _ => assert!(shape.contains("BitmapOr"), "{key}\n{shape}"),
        }
        begin_as(&mut app, key);
        let own = if key == "root" { "60000".into() } else { reached(&db, key, "crm.lead") };
        assert_eq!(scalar(&mut app, "EXECUTE all_of_it"), own, "{key}");
        accepted(&mut app, "COMMIT");
    }
}

#[test]
fn members_of_one_width_share_plans() {
    let db = book("widths_shared");
    let mut app = db.connect("app");
    accepted(
        &mut app,
        "SET plan_cache_mode = auto; PREPARE one(bigint) AS SELECT count(*) FROM crm.lead WHERE id > $1",
    );
    let run = |app: &mut Client, key: &str, times: usize| {
        begin_as(app, key);
        for _ in 0..times {
            scalar(app, "EXECUTE one(59000)");
        }
        accepted(app, "COMMIT");
    };
    run(&mut app, "rep1", 10);
    let (generic, custom) = plans(&mut app, "one");
    assert!(custom >= 5 && generic + custom == 10);
    for key in ["rep2", "rep1", "rep7", "rep2"] {
        run(&mut app, key, 3);
    }
    let after = plans(&mut app, "one");
    assert_eq!(after.0 + after.1, generic + custom + 12);
    // A statement without parameters keeps the very plan: its cost is that of whoever was first.
    accepted(&mut app, "PREPARE all_of_it AS SELECT count(*) FROM crm.lead");
    let costs = |app: &mut Client, key: &str| {
        begin_as(app, key);
        scalar(app, "EXECUTE all_of_it");
        scalar(app, "EXECUTE all_of_it");
        let shape = lines(app, "EXPLAIN EXECUTE all_of_it");
        accepted(app, "COMMIT");
        shape
    };
    // The server may drop plans for reasons of its own (a full queue of invalidations); not time and again.
    let shared = (0..5).find_map(|_| {
        let first = costs(&mut app, "rep1");
        ["rep2", "rep3", "guest1", "rep1"].iter().all(|key| costs(&mut app, key) == first).then_some(first)
    });
    let first = shared.expect("members of one width share a plan");
    assert_ne!(costs(&mut app, "dir1"), first, "twin: another width");
    assert!(costs(&mut app, "rep1").contains("BitmapOr"), "and back");
}

// Somebody who becomes wide gets the plan of his new width with the next transaction of a connector.
#[test]
fn a_member_grows_out_of_his_plan() {
    let db = book("widths_grow");
    let mut app = db.connect("app");
    accepted(&mut app, &format!("PREPARE newest AS {NEWEST}"));
    assert!(explained(&mut app, "rep1", "newest").contains("BitmapOr"));
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'rep1') WHERE key IN ('dir2', 'dir3', 'dir4')",
    );
    let shape = explained(&mut app, "rep1", "newest");
    assert!(shape.contains("lead_created_at_idx"), "{shape}");
    assert!(explained(&mut app, "rep2", "newest").contains("BitmapOr"));
}

// The same for persons on connections of their own.
#[test]
fn persons_grow_and_shrink() {
    let db = book("widths_person");
    let mut admin = db.admin();
    let mut rep = db.connect("rep1");
    accepted(&mut rep, "PREPARE all_of_it AS SELECT count(*) FROM crm.lead");
    let own = reached(&db, "rep1", "crm.lead");
    for _ in 0..3 {
        assert_eq!(scalar(&mut rep, "EXECUTE all_of_it"), own);
    }
    accepted(
        &mut admin,
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'rep1') WHERE key IN ('dir2', 'dir3', 'dir4')",
    );
    let grown = reached(&db, "rep1", "crm.lead");
    assert_ne!(grown, own);
    for _ in 0..3 {
        assert_eq!(scalar(&mut rep, "EXECUTE all_of_it"), grown, "correct whatever the plan");
    }
    accepted(&mut admin, "UPDATE leadguard.member SET manager_id = NULL WHERE key LIKE 'dir%'");
    assert_eq!(scalar(&mut rep, "EXECUTE all_of_it"), own);
}
