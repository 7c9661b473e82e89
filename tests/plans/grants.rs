//! Rows that only grants give: few and tens of thousands of them, in person, through a team, through people below, for a
//! time.

use leadguard_tests::{Client, accepted, rows, scalar};

use crate::lab::{assert_plan, begin_as, book, plan};

const COUNT: &str = "SELECT count(*) FROM crm.lead";

/// Grants guest1 the leads that `filter` chooses.
fn grant(admin: &mut Client, holder: &str, filter: &str) {
    accepted(
        admin,
        &format!(
            "INSERT INTO leadguard.record_grant (target, record, kind, {holder}, level)
             SELECT 'crm.lead'::regclass, l.id::text, 'share', x.id, 'read' FROM crm.lead AS l,
                    (SELECT id FROM leadguard.{} WHERE key = '{}') AS x
             WHERE {filter} ON CONFLICT DO NOTHING",
            if holder == "team_id" { "team" } else { "member" },
            if holder == "team_id" { "helpers" } else { "guest1" },
        ),
    );
    accepted(admin, "ANALYZE leadguard.record_grant");
}

#[test]
fn tens_of_thousands_of_grants_in_every_plan() {
    let db = book("grants_many");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'scout') WHERE key = 'guest1'",
    );
    for (filter, expected) in [("l.id <= 30", 30), ("l.id % 2 = 0", 30015), ("l.id <= 40000", 50000)] {
        grant(&mut admin, "member_id", filter);
        for key in ["guest1", "scout"] {
            let mut c = db.connect(key);
            let own = if key == "scout" {
                let rule = format!(
                    "{} OR id::text IN (SELECT record FROM leadguard.record_grant)",
                    crate::lab::reach("scout")
                );
                scalar(&mut admin, &format!("{COUNT} WHERE {rule}"))
            } else {
                expected.to_string()
            };
            for settings in [
                "RESET ALL",
                "SET enable_seqscan = off",
                "SET enable_bitmapscan = off; SET enable_seqscan = on",
                "RESET ALL; SET leadguard.cache_size = 0",
            ] {
                accepted(&mut c, settings);
                assert_eq!(scalar(&mut c, COUNT), own, "{key}, {filter}, {settings}\n{}", plan(&mut c, COUNT));
                // A few rows by key: asked one by one.
                let some = format!("{COUNT} WHERE id BETWEEN 11 AND 20");
                let by_hand = format!("{some} AND id::text IN (SELECT record FROM leadguard.record_grant)");
                assert_eq!(scalar(&mut c, &some), scalar(&mut admin, &by_hand), "{key}, {filter}, {settings}");
                let one = "SELECT count(*) FROM generate_series(1, 5000) AS g JOIN crm.lead AS l ON l.id = g";
                let by_hand = "SELECT count(*) FROM leadguard.record_grant WHERE record::bigint <= 5000";
                if key == "guest1" {
                    assert_eq!(scalar(&mut c, one), scalar(&mut admin, by_hand), "{filter}, {settings}");
                }
            }
        }
        assert_eq!(scalar(&mut db.connect("app"), COUNT), "0", "nobody");
    }
    let mut guest = db.connect("guest1");
    let first = "SELECT id FROM crm.lead WHERE id > 100 ORDER BY id LIMIT 5";
    assert_eq!(rows(&mut guest, first), [["101"], ["102"], ["103"], ["104"], ["105"]]);
    assert_plan(
        &mut guest,
        "SELECT * FROM crm.lead WHERE id = 5",
        &["Index Scan using lead_pkey", "Index Cond: (id = 5)"],
        &["BitmapOr"],
    );
}

#[test]
fn teams_share_with_all_who_belong_to_them() {
    let db = book("grants_team");
    let mut admin = db.admin();
    accepted(&mut admin, "INSERT INTO leadguard.team (key, name, access) VALUES ('helpers', 'Helpers', 'team')");
    grant(&mut admin, "team_id", "l.id % 5 = 1");
    let mut guest = db.connect("guest1");
    assert_eq!(scalar(&mut guest, COUNT), "0");
    accepted(
        &mut admin,
        "INSERT INTO leadguard.team_member (team_id, member_id) SELECT t.id, m.id FROM leadguard.team AS t, leadguard.member AS m WHERE m.key = 'guest1'",
    );
    assert_eq!(scalar(&mut guest, COUNT), "12000");
    for setting in [
        "SET enable_seqscan = off",
        "SET enable_bitmapscan = off",
        "SET enable_indexscan = off; SET enable_seqscan = on",
    ] {
        accepted(&mut guest, setting);
        assert_eq!(scalar(&mut guest, COUNT), "12000", "{setting}");
    }
    grant(&mut admin, "member_id", "l.id % 5 = 2");
    assert_eq!(scalar(&mut guest, COUNT), "24000", "both kinds");
    accepted(&mut admin, "DELETE FROM leadguard.team_member");
    assert_eq!(scalar(&mut guest, COUNT), "12000");
    accepted(&mut admin, "DELETE FROM leadguard.record_grant");
    assert_eq!(scalar(&mut guest, COUNT), "0");
}

// Shares end by the clock: no transaction says so, and no cache may hold them longer.
#[test]
fn shares_expire_while_the_session_is_warm() {
    let db = book("grants_until");
    let mut admin = db.admin();
    let (mut guest, mut app) = (db.connect("guest1"), db.connect("app"));
    accepted(&mut guest, "PREPARE q AS SELECT count(*) FROM crm.lead");
    let as_guest = |app: &mut Client| {
        begin_as(app, "guest1");
        let count = scalar(app, COUNT);
        accepted(app, "COMMIT");
        count
    };
    accepted(
        &mut admin,
        "SELECT leadguard.share('crm.lead', g::text, 'guest1', until => clock_timestamp() + interval '3 seconds') FROM generate_series(1, 4) AS g;
         SELECT leadguard.share('crm.lead', '5', 'guest1')",
    );
    assert_eq!(
        (scalar(&mut guest, "EXECUTE q"), scalar(&mut guest, COUNT), as_guest(&mut app)),
        ("5".into(), "5".into(), "5".into())
    );
    accepted(&mut guest, "BEGIN; DECLARE c CURSOR FOR SELECT id FROM crm.lead");
    std::thread::sleep(std::time::Duration::from_millis(3500));
    assert_eq!(scalar(&mut guest, COUNT), "1", "in the same transaction, later");
    accepted(&mut guest, "COMMIT");
    assert_eq!(
        (scalar(&mut guest, "EXECUTE q"), scalar(&mut guest, COUNT), as_guest(&mut app)),
        ("1".into(), "1".into(), "1".into())
    );
}

// Sharing of rows that only a grant gives: a reader cannot hand them on.
#[test]
fn grants_are_read_with_the_snapshot() {
    let db = book("grants_snapshot");
    let mut admin = db.admin();
    let mut guest = db.connect("guest1");
    for (level, seen) in [("READ COMMITTED", "1"), ("REPEATABLE READ", "0"), ("SERIALIZABLE", "0")] {
        accepted(&mut guest, &format!("BEGIN ISOLATION LEVEL {level}"));
        assert_eq!(scalar(&mut guest, COUNT), "0");
        accepted(&mut admin, "SELECT leadguard.share('crm.lead', '7', 'guest1')");
        assert_eq!(scalar(&mut guest, COUNT), seen, "{level}");
        assert_eq!(scalar(&mut guest, &format!("{COUNT} WHERE id = 7")), seen, "{level}, one by one");
        accepted(&mut guest, "COMMIT");
        assert_eq!(scalar(&mut guest, COUNT), "1");
        accepted(&mut admin, "SELECT leadguard.unshare('crm.lead', '7', 'guest1')");
        assert_eq!(scalar(&mut guest, COUNT), "0");
    }
}

/// Record ids too long for their row lie elsewhere; reading them may be interrupted like anything else.
#[test]
fn ids_of_any_length_are_read() {
    let db = book("grants_long");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.file (id text PRIMARY KEY, owner_id bigint);
         INSERT INTO crm.file SELECT repeat('ä', i * 50), NULL FROM generate_series(1, 20) AS i;
         INSERT INTO crm.file SELECT (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 60) AS j), NULL FROM generate_series(1, 5) AS i;
         SELECT count(*) FROM leadguard.protect('crm.file', id => 'id', owner => 'owner_id');
         INSERT INTO leadguard.record_grant (target, record, kind, member_id, level)
            SELECT 'crm.file', f.id, 'share', m.id, 'read' FROM crm.file AS f, leadguard.member AS m WHERE m.key = 'rep1'",
    );
    let mut c = db.connect("rep1");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.file"), "25");
    accepted(&mut c, "SET enable_seqscan = off");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.file"), "25");
    assert_eq!(scalar(&mut db.connect("rep2"), "SELECT count(*) FROM crm.file"), "0");
}
