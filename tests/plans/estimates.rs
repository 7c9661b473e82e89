//! How many rows the planner expects, against how many there are.

use leadguard_tests::{Client, accepted, rows, scalar};

use crate::lab::book;

/// Expected and actual rows of the scan of `table`, all partitions together.
fn guess(c: &mut Client, table: &str) -> (f64, f64) {
    let top = rows(c, &format!("EXPLAIN SELECT * FROM {table}")).remove(0).remove(0);
    let (_, after) = top.split_once(" rows=").unwrap_or_else(|| panic!("{top}"));
    let expected = after.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{top}"));
    (expected, scalar(c, &format!("SELECT count(*) FROM {table}")).parse().expect("a number"))
}

/// Asserts that the guess is within `factor`, or off by a few rows.
#[track_caller]
fn assert_close(c: &mut Client, table: &str, factor: f64, who: &str) {
    let (expected, actual) = guess(c, table);
    if (expected - actual).abs() <= 5.0 {
        return;
    }
    let ratio = expected.max(actual) / expected.min(actual).max(1.0);
    assert!(ratio <= factor, "{who}, {table}: {expected} expected, {actual} found");
}

#[test]
fn every_width_is_guessed() {
    let db = book("estimates");
    for key in ["rep1", "rep2", "scout", "mgr1", "dir1", "top", "root", "guest1"] {
        assert_close(&mut db.connect(key), "crm.lead", 1.2, key);
    }
    // Nobody: next to nothing is expected.
    let (expected, actual) = guess(&mut db.connect("app"), "crm.lead");
    assert!(expected <= 10.0 && actual == 0.0, "{expected}");
}

#[test]
fn skewed_and_missing_owners() {
    let db = book("estimates_skew");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.skewed AS
         SELECT l.id, CASE WHEN l.id % 10 < 5 THEN (SELECT id FROM leadguard.member WHERE key = 'rep1')
                           WHEN l.id % 10 < 8 THEN NULL ELSE l.owner_id END AS owner_id, l.territory_id, l.name
         FROM crm.lead AS l;
         ALTER TABLE crm.skewed ADD PRIMARY KEY (id);
         SELECT leadguard.protect('crm.skewed', id => 'id', owner => 'owner_id')",
    );
    accepted(&mut admin, "VACUUM ANALYZE crm.skewed");
    for key in ["rep1", "rep2", "mgr1", "dir1", "top", "root", "guest1"] {
        assert_close(&mut db.connect(key), "crm.skewed", 1.2, key);
    }
}

#[test]
fn members_with_grants_only() {
    let db = book("estimates_grants");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.record_grant (target, record, kind, member_id, level)
         SELECT 'crm.lead'::regclass, g::text, 'share', m.id, 'read' FROM generate_series(1, 6000, 2) AS g, leadguard.member AS m
         WHERE m.key = 'guest1'",
    );
    accepted(&mut admin, "ANALYZE leadguard.record_grant");
    let mut guest = db.connect("guest1");
    assert_close(&mut guest, "crm.lead", 1.2, "guest1");
    assert_close(&mut guest, "crm.lead", 1.2, "guest1, again");
    let _ = scalar(&mut guest, "SELECT count(*) FROM crm.lead");
    assert_close(&mut guest, "crm.lead", 1.2, "guest1, once known");
    assert_close(&mut db.connect("rep2"), "crm.lead", 1.2, "others are not counted with him");
}

#[test]
fn partitions_are_guessed_within_two() {
    let db = book("estimates_parts");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.p (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint) PARTITION BY HASH (id)",
    );
    for n in 0..8 {
        accepted(
            &mut admin,
            &format!("CREATE TABLE crm.p{n} PARTITION OF crm.p FOR VALUES WITH (MODULUS 8, REMAINDER {n})"),
        );
    }
    accepted(
        &mut admin,
        "INSERT INTO crm.p SELECT id, owner_id, territory_id FROM crm.lead;
         SELECT leadguard.protect('crm.p', id => 'id', owner => 'owner_id', territory => 'territory_id');
         INSERT INTO leadguard.record_grant (target, record, kind, member_id, level)
         SELECT 'crm.p'::regclass, g::text, 'share', m.id, 'read' FROM generate_series(1, 2000) AS g, leadguard.member AS m
         WHERE m.key = 'guest1'",
    );
    accepted(&mut admin, "VACUUM ANALYZE crm.p");
    for key in ["rep1", "rep2", "scout", "mgr1", "dir1", "top", "root", "guest1"] {
        assert_close(&mut db.connect(key), "crm.p", 2.0, key);
    }
}
