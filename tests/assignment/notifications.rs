//! K42: who gets or loses a record hears about it.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k42_every_way_tells_old_and_new_owner() {
    let db = lab("notes_ways");
    let mut dora = db.connect("dora");
    accepted(&mut dora, "SELECT leadguard.reassign('crm.lead', '1', 'rob')");
    assert_eq!(
        (told(&db, "rita"), told(&db, "rob"), told(&db, "dora")),
        ("owner_changed 1".into(), "owner_changed 1".into(), String::new())
    );
    let details = |who: &str| {
        scalar(&mut db.connect(who), "SELECT string_agg(detail::text, ' ' ORDER BY id) FROM leadguard.notifications()")
    };
    assert_eq!(details("rita"), r#"{"change": "lost"}"#);
    assert_eq!(details("rob"), r#"{"change": "received"}"#);
    assert_eq!(scalar(&mut db.connect("rita"), "SELECT caused_by FROM leadguard.notifications()"), "dora");
    accepted(
        &mut dora,
        "UPDATE crm.lead SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'ron') WHERE id = 1",
    );
    assert_eq!(
        (told(&db, "rob"), told(&db, "ron")),
        ("owner_changed 1, owner_changed 1".into(), "owner_changed 1".into())
    );
    // A superuser who is no member, and who changes more than the owner.
    accepted(
        &mut db.admin(),
        "UPDATE crm.lead SET name = 'x', owner_id = (SELECT id FROM leadguard.member WHERE key = 'alma') WHERE id = 1",
    );
    assert_eq!(
        (told(&db, "ron"), told(&db, "alma")),
        ("owner_changed 1, owner_changed 1".into(), "owner_changed 1".into())
    );
    // One who gives his own away is not told; what leaves the owner as he is tells nobody.
    accepted(
        &mut db.connect("alma"),
        "SELECT leadguard.reassign('crm.lead', '1', 'sid'); UPDATE crm.lead SET name = 'y'",
    );
    assert_eq!((told(&db, "alma"), told(&db, "sid")), ("owner_changed 1".into(), "owner_changed 1".into()));
    accepted(&mut dora, "UPDATE crm.lead SET name = 'z'");
    assert_eq!(told(&db, "sid"), "owner_changed 1");
    // What is rolled back tells nobody.
    accepted(&mut dora, "BEGIN; SELECT leadguard.reassign('crm.lead', '1', 'rita'); ROLLBACK");
    accepted(
        &mut dora,
        "BEGIN; SAVEPOINT s; SELECT leadguard.reassign('crm.lead', '1', 'rita'); ROLLBACK TO s; COMMIT",
    );
    assert_eq!(told(&db, "sid"), "owner_changed 1");
    // Inactive members are told nothing.
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'sid'");
    accepted(&mut dora, "SELECT leadguard.reassign('crm.lead', '1', 'rita')");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT count(*) FROM leadguard.notification n JOIN leadguard.member m ON m.id = n.member_id WHERE m.key = 'sid'"
        ),
        "1"
    );
}

#[test]
fn k42_a_large_batch_is_told_once() {
    let db = lab("notes_batch");
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.lead (owner_id, name) SELECT id, 'one of ' || i FROM leadguard.member, generate_series(1, 21) i WHERE key = 'rita'",
    );
    let mut dora = db.connect("dora");
    let give = |to: &str, most: i32| {
        format!(
            "UPDATE crm.lead SET owner_id = (SELECT id FROM leadguard.member WHERE key = '{to}') WHERE id BETWEEN 101 AND {}",
            100 + most
        )
    };
    accepted(&mut dora, &give("rob", 21));
    assert_eq!((told(&db, "rita"), told(&db, "rob")), ("owner_changed 21".into(), "owner_changed 21".into()));
    assert_eq!(scalar(&mut db.connect("rob"), "SELECT record FROM leadguard.notifications()"), "∅");
    accepted(&mut dora, &give("ron", 20));
    assert_eq!(scalar(&mut db.connect("ron"), "SELECT count(*) FROM leadguard.notifications()"), "20");
}

#[test]
fn k42_a_batch_of_two_organizations_is_told_once_in_each() {
    let db = lab("notes_mixed");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, org text);
         INSERT INTO crm.deal SELECT n, m.id, CASE n % 2 WHEN 0 THEN 'default' ELSE 'globex' END
             FROM generate_series(1, 42) n JOIN leadguard.member m ON m.key = CASE n % 2 WHEN 0 THEN 'rita' ELSE 'zed' END;
         SELECT leadguard.protect('crm.deal', owner => 'owner_id', organization => 'org')",
    );
    accepted(
        &mut admin,
        "UPDATE crm.deal SET owner_id = CASE org WHEN 'default' THEN (SELECT id FROM leadguard.member WHERE key = 'rob') END",
    );
    for who in ["rita", "rob", "zed"] {
        assert_eq!(told(&db, who), "owner_changed 21", "{who}");
    }
}

#[test]
fn k42_the_outbox_is_ones_own() {
    let db = lab("notes_own");
    let mut dora = db.connect("dora");
    accepted(&mut dora, "SELECT leadguard.reassign('crm.lead', '1', 'rob')");
    accepted(&mut dora, "SELECT leadguard.reassign('crm.lead', '1', 'rita')");
    let (mut rita, mut rob) = (db.connect("rita"), db.connect("rob"));
    let ids = scalar(&mut rita, "SELECT array_agg(id)::text FROM leadguard.notifications()");
    assert_eq!(scalar(&mut rob, &format!("SELECT leadguard.mark_read('{ids}')")), "0", "those of others");
    assert_eq!(scalar(&mut rita, "SELECT count(*) FROM leadguard.notification"), "2");
    for who in ["dora", "gus", "zed"] {
        assert_eq!(scalar(&mut db.connect(who), "SELECT count(*) FROM leadguard.notification"), "0", "{who}");
    }
    for sql in [
        "INSERT INTO leadguard.notification (org_id, member_id, kind) VALUES (1, 1, 'spam')",
        "DELETE FROM leadguard.notification",
        "UPDATE leadguard.notification SET read_at = now()",
        "SELECT leadguard.tell(1, 'spam')",
        "SELECT leadguard.note_event('x', 1, NULL, NULL, NULL, NULL)",
        "SELECT * FROM leadguard.put_claim('crm.lead', '1', 1, 1, 'x')",
        "SELECT leadguard.end_dispute(1, 1, 1, 'x')",
    ] {
        refused(&mut rita, sql, "42501");
    }
    assert_eq!(scalar(&mut rita, &format!("SELECT leadguard.mark_read('{ids}')")), "2");
    assert_eq!(scalar(&mut rita, &format!("SELECT leadguard.mark_read('{ids}')")), "0");
    assert_eq!(scalar(&mut rita, "SELECT count(*) FROM leadguard.notifications()"), "0");
    assert_eq!(scalar(&mut rita, "SELECT count(*) FROM leadguard.notifications(false, 1)"), "1");
    // Who is nobody has none.
    let login = db.create_role("nobody");
    accepted(&mut db.admin(), &format!("GRANT USAGE ON SCHEMA leadguard TO \"{login}\""));
    assert_eq!(scalar(&mut db.connect("nobody"), "SELECT count(*) FROM leadguard.notifications(false)"), "0");
}

#[test]
fn k42_old_ones_are_cleaned_up_by_administrators() {
    let db = lab("notes_cleanup");
    accepted(&mut db.connect("dora"), "SELECT leadguard.reassign('crm.lead', '1', 'rob')");
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.notification SET at = now() - interval '40 days' WHERE id = (SELECT min(id) FROM leadguard.notification)",
    );
    for who in ["rita", "gus"] {
        refused(&mut db.connect(who), "SELECT leadguard.notification_cleanup('30 days')", "42501");
    }
    let error = refused(&mut db.connect("dora"), "SELECT leadguard.notification_cleanup('1 hour')", "22023");
    assert!(error.hint().is_some(), "{error}");
    refused(&mut db.connect("dora"), "SELECT leadguard.notification_cleanup(NULL)", "22023");
    assert_eq!(scalar(&mut db.connect("zed"), "SELECT leadguard.notification_cleanup('30 days')"), "0");
    assert_eq!(scalar(&mut db.connect("dora"), "SELECT leadguard.notification_cleanup('30 days')"), "1");
    assert_eq!(scalar(&mut db.admin(), "SELECT leadguard.notification_cleanup('30 days')"), "0");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.notification"), "1");
}

#[test]
fn k42_a_listener_wakes_up_and_learns_nothing() {
    let db = lab("notes_listen");
    let mut listener = db.connect("gus");
    accepted(&mut listener, "LISTEN leadguard_notification");
    accepted(&mut db.connect("dora"), "SELECT leadguard.reassign('crm.lead', '1', 'rob')");
    use postgres::fallible_iterator::FallibleIterator;
    let mut notices = listener.notifications();
    let heard = notices
        .timeout_iter(std::time::Duration::from_secs(5))
        .next()
        .expect("the connection lives")
        .expect("woken up");
    assert_eq!(heard.payload(), "");
}

#[test]
fn k42_a_prepared_transaction_tells_without_waking() {
    use postgres::fallible_iterator::FallibleIterator;
    let db = lab("notes_prepared");
    let mut listener = db.connect("gus");
    accepted(&mut listener, "LISTEN leadguard_notification");
    let mut woken = || {
        let mut notices = listener.notifications();
        let found = notices.timeout_iter(std::time::Duration::from_millis(500)).count().expect("the connection lives");
        found
    };
    let mut dora = db.connect("dora");
    let name = db.name();
    accepted(&mut dora, "BEGIN; SELECT leadguard.reassign('crm.lead', '1', 'rob')");
    accepted(&mut dora, &format!("PREPARE TRANSACTION '{name}'"));
    accepted(&mut db.admin(), &format!("COMMIT PREPARED '{name}'"));
    assert_eq!((told(&db, "rob"), woken()), ("owner_changed 1".into(), 0));
    // What is taken back wakes nobody; everything else does once, whatever told it.
    accepted(
        &mut dora,
        "BEGIN; SAVEPOINT s; SELECT leadguard.reassign('crm.lead', '1', 'rita'); ROLLBACK TO s; COMMIT",
    );
    assert_eq!(woken(), 0);
    accepted(
        &mut dora,
        "BEGIN; SELECT leadguard.reassign('crm.lead', '1', 'rita'); SAVEPOINT s; SELECT leadguard.claim('crm.lead', '2', 'x');
         SELECT leadguard.reassign('crm.lead', '2', 'ron'); RELEASE s; COMMIT",
    );
    assert_eq!(woken(), 1);
}

#[test]
fn k42_owners_named_by_key_and_moved_partitions() {
    let db = lab("notes_keys");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.site (id text, owner text NOT NULL, region text, name text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.site_a PARTITION OF crm.site FOR VALUES IN ('a');
         CREATE TABLE crm.site_b PARTITION OF crm.site FOR VALUES IN ('b');
         INSERT INTO crm.site VALUES ('s1', 'rita', 'a', 'x');
         SELECT leadguard.protect('crm.site', id => 'id', owner => 'owner', archived_at => 'archived_at')",
    );
    accepted(&mut db.connect("dora"), "UPDATE crm.site SET owner = 'rob', region = 'b'");
    assert_eq!((told(&db, "rita"), told(&db, "rob")), ("owner_changed s1".into(), "owner_changed s1".into()));
    rule(&db, "x", 1, "[]", r#"{"owner": "ron"}"#);
    accepted(
        &mut db.connect("dora"),
        r#"SELECT leadguard.set_assignment_rule('crm.site', 'x', 1, '[{"column": "region", "is": "a"}]', '{"pool": ["ron"]}')"#,
    );
    accepted(&mut db.connect("dora"), "SELECT leadguard.set_routing('crm.site', true)");
    let found = rows(
        &mut db.connect("ivy"),
        "INSERT INTO crm.site (id, region) VALUES ('s2', 'a'), ('s3', 'b') RETURNING id, owner",
    );
    assert_eq!(found, [["s2", "ron"], ["s3", "ivy"]]);
    assert_eq!(told(&db, "ron"), "owner_changed s2");
}
