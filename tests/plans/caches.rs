//! What a session keeps between statements: bounded, and never older or newer than the statement that uses it.

use leadguard_tests::{Client, Db, accepted, code, org, place, refused, rows, scalar, server};
use postgres::NoTls;

use crate::lab::{LOGINS, as_member, begin_as, book, reached};

struct Usage {
    members: i64,
    bytes: i64,
    limit: i64,
    hits: i64,
    misses: i64,
    evicted: i64,
}

fn usage(c: &mut Client) -> Usage {
    let row = rows(c, "SELECT members, bytes, bytes_limit, hits, misses, evicted FROM leadguard.cache()").remove(0);
    let [members, bytes, limit, hits, misses, evicted] = std::array::from_fn(|i| row[i].parse().expect("a number"));
    Usage { members, bytes, limit, hits, misses, evicted }
}

const COUNT: &str = "SELECT count(*) || '/' || coalesce(sum(id), 0) FROM crm.lead";

#[test]
fn sets_are_computed_once_for_each_change() {
    let db = book("cache_hits");
    let mut admin = db.admin();
    let mut dir = db.connect("dir1");
    accepted(&mut dir, "SET leadguard.cache_size = '16MB'");
    scalar(&mut dir, COUNT);
    let first = usage(&mut dir);
    assert_eq!(first.members, 1);
    assert!(first.bytes > 0 && first.bytes < first.limit && first.limit == 16 * 1024 * 1024);
    for _ in 0..20 {
        scalar(&mut dir, COUNT);
    }
    let warm = usage(&mut dir);
    assert_eq!((warm.misses, warm.members, warm.evicted), (first.misses, 1, 0), "nothing was computed again");
    assert!(warm.hits >= first.hits);
    place(&mut admin, "rep400", "mgr1");
    scalar(&mut dir, COUNT);
    assert!(usage(&mut dir).misses > warm.misses, "twin: a change is");
}

#[test]
fn the_bound_holds_and_changes_no_answer() {
    let db = book("cache_bound");
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.territory SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'mgr7') WHERE key = 'reg7'",
    );
    let mut app = db.connect("app");
    let keys: Vec<String> =
        rows(&mut db.admin(), "SELECT key FROM leadguard.member WHERE key ~ '^(dir|mgr|top|scout|rep[0-9]{1,2}$)'")
            .into_iter()
            .map(|r| r[0].clone())
            .collect();
    assert!(keys.len() > 140);
    let mut answers: Vec<Vec<String>> = Vec::new();
    for size in ["16MB", "64kB", "8kB", "0", "1kB"] {
        accepted(&mut app, "DISCARD ALL");
        accepted(&mut app, &format!("SET leadguard.cache_size = '{size}'"));
        let mut found = Vec::new();
        for round in 0..2 {
            for key in &keys {
                found.push(as_member(&mut app, key, COUNT));
                let now = usage(&mut app);
                assert!(now.bytes <= now.limit, "{size}, {key}, round {round}: {} of {}", now.bytes, now.limit);
                assert!(size != "0" || now.members == 0, "nothing is kept");
            }
        }
        if size == "64kB" {
            assert!(usage(&mut app).evicted > 0, "twin: it was full");
        }
        answers.push(found);
    }
    for other in &answers[1..] {
        assert_eq!(other, &answers[0]);
    }
    for key in ["mgr7", "dir1", "top", "scout"] {
        let at = keys.iter().position(|k| k == key).expect("one of them");
        assert!(answers[0][at].starts_with(&format!("{}/", reached(&db, key, "crm.lead"))), "{key}");
    }
}

// A connection string may turn the cache off, before the library is there to know the setting.
#[test]
fn the_size_may_come_with_the_connection() {
    let db = book("cache_options");
    for (options, limit) in [
        ("-c leadguard.cache_size=0", 0),
        ("-c leadguard.cache_size=64", 65536),
        ("-c leadguard.cache_size=1MB", 1 << 20),
    ] {
        let mut c = server().config(&db.role("mgr1"), db.name()).options(options).connect(NoTls).expect("connects");
        assert!(scalar(&mut c, COUNT).starts_with(&reached(&db, "mgr1", "crm.lead")));
        assert_eq!(usage(&mut c).limit, limit, "{options}");
        assert_eq!(usage(&mut c).members, i64::from(limit > 0), "{options}");
    }
}

/// Each change of the directory with what undoes it, and who sees what before and after.
const CHANGES: [(&str, &str, &str, &str, &str); 7] = [
    (
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'alice') WHERE key = 'anton'",
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'mona') WHERE key = 'anton'",
        "alice",
        "1,2,3,4,5",
        "1,2,3,4,5,6,7,8",
    ),
    (
        "UPDATE leadguard.member SET active = false WHERE key = 'carl'",
        "UPDATE leadguard.member SET active = true WHERE key = 'carl'",
        "carl",
        "9,10",
        "",
    ),
    (
        "UPDATE leadguard.territory SET parent_id = (SELECT id FROM leadguard.territory WHERE key = 'amer') WHERE key = 'dach'",
        "UPDATE leadguard.territory SET parent_id = (SELECT id FROM leadguard.territory WHERE key = 'emea') WHERE key = 'dach'",
        "amy",
        "15",
        "11,12,15",
    ),
    (
        "UPDATE leadguard.territory SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'ted') WHERE key = 'amer'",
        "UPDATE leadguard.territory SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'amy') WHERE key = 'amer'",
        "ted",
        "",
        "15",
    ),
    (
        "DELETE FROM leadguard.territory_member",
        "INSERT INTO leadguard.territory_member SELECT t.id, m.id FROM leadguard.territory AS t, leadguard.member AS m WHERE t.key = 'dach' AND m.key = 'tess'",
        "tess",
        "11,12",
        "",
    ),
    (
        "INSERT INTO leadguard.team_member (team_id, member_id) SELECT t.id, m.id FROM leadguard.team AS t, leadguard.member AS m WHERE m.key = 'bob'",
        "DELETE FROM leadguard.team_member",
        "bob",
        "9,10",
        "6,9,10",
    ),
    (
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'bea'",
        "DELETE FROM leadguard.member_role AS r USING leadguard.member AS m WHERE m.id = r.member_id AND m.key = 'bea'",
        "bea",
        "12",
        "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    ),
];

fn small(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    let app = db.create_role("app");
    accepted(
        &mut db.admin(),
        &format!(
            "SELECT leadguard.connector('{app}', 'trusted');
             INSERT INTO leadguard.team (key, name, access) VALUES ('helpers', 'Helpers', 'team');
             SELECT leadguard.share('crm.lead', '6', team => 'helpers')"
        ),
    );
    db
}

const READ: &str = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.lead";

// Requirement O19: a change in a hierarchy, or of who belongs to it, binds the next statement of a warm session.
#[test]
fn o19_every_change_binds_the_next_statement() {
    let db = small("cache_changes");
    let (mut admin, mut app) = (db.admin(), db.connect("app"));
    for (change, undo, key, before, after) in CHANGES {
        let mut warm = db.connect(key);
        for (sql, expected) in [("SELECT", before), (change, after), (undo, before), (change, after), (undo, before)] {
            accepted(&mut admin, sql);
            for _ in 0..2 {
                assert_eq!(scalar(&mut warm, READ), expected, "{key} after {sql}");
                // An inactive member cannot be named; nobody sees nothing, as he would.
                if !(key == "carl" && expected.is_empty()) {
                    assert_eq!(as_member(&mut app, key, READ), expected, "{key} behind a connector after {sql}");
                }
            }
        }
        // Statement by statement in READ COMMITTED, not at all in REPEATABLE READ.
        for (level, seen) in [("READ COMMITTED", after), ("REPEATABLE READ", before), ("SERIALIZABLE", before)] {
            accepted(&mut warm, &format!("BEGIN ISOLATION LEVEL {level}"));
            assert_eq!(scalar(&mut warm, READ), before, "{level}");
            accepted(&mut admin, change);
            assert_eq!(scalar(&mut warm, READ), seen, "{key}, {level}, after {change}");
            accepted(&mut warm, "COMMIT");
            assert_eq!(scalar(&mut warm, READ), after, "{key}, next transaction after {level}");
            accepted(&mut admin, undo);
            assert_eq!(scalar(&mut warm, READ), before, "{key}, undone");
        }
    }
}

// Requirement F04: one's own change is seen at once by oneself, by nobody else, and is kept by no cache (F03).
#[test]
fn f04_own_changes_are_seen_and_not_kept() {
    let db = small("cache_own");
    let mut c = db.admin();
    for (change, undo, key, before, after) in CHANGES {
        let role = db.role(key);
        let mut other = db.connect(key);
        let mut look = |c: &mut Client, expected: &str, when: &str| {
            accepted(c, &format!("SET LOCAL SESSION AUTHORIZATION {role}"));
            assert_eq!(scalar(c, READ), expected, "{key}, {when}: {change}");
            accepted(c, "SET LOCAL SESSION AUTHORIZATION DEFAULT");
            assert_eq!(scalar(&mut other, READ), before, "{key} elsewhere, {when}: {change}");
        };
        for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
            accepted(&mut c, &format!("BEGIN ISOLATION LEVEL {level}"));
            look(&mut c, before, "before");
            accepted(&mut c, &format!("SAVEPOINT s; {change}"));
            look(&mut c, after, "own change");
            accepted(&mut c, "SAVEPOINT t");
            accepted(&mut c, undo);
            look(&mut c, before, "undone in a savepoint");
            accepted(&mut c, "ROLLBACK TO t");
            look(&mut c, after, "savepoint rolled back");
            accepted(&mut c, "ROLLBACK TO s");
            look(&mut c, before, "all rolled back");
            accepted(&mut c, &format!("{change}; SAVEPOINT u"));
            look(&mut c, after, "again");
            accepted(&mut c, "RELEASE u");
            look(&mut c, after, "released");
            accepted(&mut c, "ROLLBACK");
            accepted(&mut c, "BEGIN");
            look(&mut c, before, "next transaction");
            accepted(&mut c, "COMMIT");
        }
    }
}

/// The visible leads; none as well for a login that lost the right to ask.
fn seen(c: &mut Client) -> String {
    if code(c, READ) == "42501" { String::new() } else { scalar(c, READ) }
}

// How a login is registered binds the next statement too, and so does its name.
#[test]
fn o19_registrations_bind_the_next_statement() {
    let db = small("cache_logins");
    let mut admin = db.admin();
    let (alice, app, other) = (db.role("alice"), db.role("app"), db.role("alice") + "_x");
    let unlink = "UPDATE leadguard.member SET db_role = NULL WHERE key = 'alice'";
    let link = format!("UPDATE leadguard.member SET db_role = '{alice}' WHERE key = 'alice'");
    for (change, undo) in [
        (unlink.to_string(), link.clone()),
        (
            format!("ALTER ROLE \"{alice}\" RENAME TO \"{other}\""),
            format!("ALTER ROLE \"{other}\" RENAME TO \"{alice}\""),
        ),
        ("TRUNCATE leadguard.role_binding".to_string(), "SELECT leadguard.rebind_roles()".to_string()),
    ] {
        let mut warm = db.connect("alice");
        for (sql, expected) in [
            ("SELECT", "1,2,3,4,5"),
            (change.as_str(), ""),
            (undo.as_str(), "1,2,3,4,5"),
            (&change, ""),
            (&undo, "1,2,3,4,5"),
        ] {
            accepted(&mut admin, sql);
            assert_eq!(seen(&mut warm), expected, "after {sql}");
            assert_eq!(seen(&mut warm), expected, "again after {sql}");
        }
    }
    // In one's own transaction, and back again.
    accepted(&mut admin, "BEGIN; SAVEPOINT s");
    accepted(&mut admin, unlink);
    accepted(&mut admin, &format!("SET LOCAL SESSION AUTHORIZATION \"{alice}\""));
    accepted(&mut admin, "SAVEPOINT t");
    assert_eq!(seen(&mut admin), "", "own change");
    accepted(&mut admin, "ROLLBACK TO s");
    accepted(&mut admin, &format!("SET LOCAL SESSION AUTHORIZATION \"{alice}\""));
    assert_eq!(scalar(&mut admin, READ), "1,2,3,4,5", "rolled back");
    accepted(&mut admin, "ROLLBACK");
    // A connector that is one no more.
    let mut c = db.connect("app");
    assert_eq!(as_member(&mut c, "alice", READ), "1,2,3,4,5");
    accepted(&mut admin, &format!("DELETE FROM leadguard.login_role WHERE db_role = '{app}'"));
    accepted(&mut c, "BEGIN");
    refused(&mut c, "SELECT leadguard.act_as('alice')", "42501");
    accepted(&mut c, "ROLLBACK");
}

// Tables come and go: a warm session meets each as it is registered now.
#[test]
fn o19_protections_bind_the_next_statement() {
    let db = small("cache_tables");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.parts (id bigint PRIMARY KEY, owner_id bigint) PARTITION BY RANGE (id);
         CREATE TABLE crm.parts_1 PARTITION OF crm.parts FOR VALUES FROM (1) TO (100);
         INSERT INTO crm.parts SELECT id, owner_id FROM crm.lead;
         SELECT leadguard.protect('crm.parts', id => 'id', owner => 'owner_id');
         GRANT SELECT, UPDATE ON crm.parts_1 TO PUBLIC",
    );
    let mut warm = db.connect("alice");
    let read = |table: &str| format!("SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.{table}");
    for _ in 0..2 {
        for table in ["lead", "parts", "parts_1"] {
            assert_eq!(scalar(&mut warm, &read(table)), "1,2,3,4,5", "{table}");
        }
        let touch = "UPDATE crm.parts_1 SET owner_id = owner_id";
        assert_eq!(accepted(&mut warm, touch), 5);
        accepted(&mut admin, "ALTER TABLE crm.parts DETACH PARTITION crm.parts_1");
        refused(&mut warm, touch, "42501"); // a table that is not registered
        assert_eq!(scalar(&mut warm, &read("parts")), "");
        accepted(&mut admin, "ALTER TABLE crm.parts ATTACH PARTITION crm.parts_1 FOR VALUES FROM (1) TO (100)");
    }
    let organization = "INSERT INTO leadguard.organization (key) VALUES ('other');
         UPDATE leadguard.protected_table SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'other') WHERE target = 'crm.parts'::regclass";
    accepted(&mut admin, organization);
    assert_eq!(scalar(&mut warm, &read("parts")), "", "another organization's");
    assert_eq!(scalar(&mut warm, &read("lead")), "1,2,3,4,5", "twin");
}

// What is registered has a revision of its own, which only a change of registrations raises: members may be renamed
// side by side, and tables of no concern dropped.
#[test]
fn only_registrations_raise_their_revision() {
    let db = small("cache_registry");
    let (mut one, mut two) = (db.admin(), db.admin());
    let revision = "SELECT revision FROM leadguard.hierarchy_revision WHERE hierarchy = 'registration'";
    let before = scalar(&mut one, revision);
    accepted(&mut two, "SET lock_timeout = '2s'; CREATE TABLE crm.scratch (id int)");
    accepted(&mut one, "BEGIN; UPDATE leadguard.member SET name = 'Alice' WHERE key = 'alice'");
    accepted(&mut two, "UPDATE leadguard.member SET name = 'Anton' WHERE key = 'anton'; DROP TABLE crm.scratch");
    accepted(&mut one, "COMMIT");
    assert_eq!(scalar(&mut one, revision), before);
    accepted(&mut one, "UPDATE leadguard.member SET db_role = NULL WHERE key = 'alice'");
    assert_ne!(scalar(&mut one, revision), before, "twin");
}

// Grants are kept while the state is the same; some end by the clock.
#[test]
fn kept_grants_end_at_their_time() {
    let db = small("cache_until");
    accepted(
        &mut db.connect("alice"),
        "SELECT leadguard.share('crm.lead', '1', 'carl', until => clock_timestamp() + interval '2 seconds'),
                leadguard.share('crm.lead', '2', 'carl', until => clock_timestamp() + interval '1 hour')",
    );
    // The snapshot of this transaction stays the same, whatever other sessions of the cluster do.
    let mut carl = db.connect("carl");
    accepted(&mut carl, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(scalar(&mut carl, READ), "1,2,9,10");
    assert_eq!(scalar(&mut carl, READ), "1,2,9,10");
    accepted(&mut carl, "SELECT pg_sleep(2.1)");
    for _ in 0..2 {
        assert_eq!(scalar(&mut carl, READ), "2,9,10");
    }
    accepted(&mut carl, "COMMIT");
}

// The same numbers mean other members in another life of the extension.
#[test]
fn nothing_outlives_the_extension() {
    let mut dumps = Vec::new();
    let db = small("cache_dropped");
    let mut c = db.admin();
    let (alice, bea) = (db.role("alice"), db.role("bea"));
    let look = |c: &mut Client, role: &str| {
        accepted(c, &format!("SET SESSION AUTHORIZATION {role}"));
        let seen = scalar(c, READ);
        accepted(c, "RESET SESSION AUTHORIZATION");
        seen
    };
    let mut warm = db.connect("alice");
    accepted(&mut c, "PREPARE a AS SELECT count(*) FROM crm.lead");
    assert_eq!(
        (look(&mut c, &alice), look(&mut c, &bea), scalar(&mut warm, READ)),
        ("1,2,3,4,5".into(), "12".into(), "1,2,3,4,5".into())
    );
    for (first, second) in [("bea", "alice"), ("alice", "bea"), ("bea", "alice")] {
        accepted(
            &mut c,
            "SELECT leadguard.unprotect('crm.lead'); DROP EXTENSION leadguard; CREATE EXTENSION leadguard",
        );
        // Members 1 and 2 own leads 1 to 5 and 6 to 8; the numbers go round, and so do revisions.
        accepted(
            &mut c,
            &format!(
                "INSERT INTO leadguard.member (id, key, db_role) VALUES (1, '{first}', '{}'), (2, '{second}', '{}');
                 UPDATE crm.lead SET owner_id = CASE WHEN id <= 5 THEN 1 WHEN id <= 8 THEN 2 END, territory_id = NULL;
                 SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id')",
                db.role(first),
                db.role(second)
            ),
        );
        let (one, two) = ("1,2,3,4,5".to_string(), "6,7,8".to_string());
        assert_eq!((look(&mut c, &db.role(first)), look(&mut c, &db.role(second))), (one.clone(), two.clone()));
        assert_eq!(scalar(&mut warm, READ), if first == "alice" { one } else { two }, "another warm session");
        accepted(&mut c, "GRANT USAGE ON SCHEMA crm TO PUBLIC; GRANT SELECT ON crm.lead TO PUBLIC");
        assert_eq!(look(&mut c, &db.role("carl")), "", "registered no more");
        assert_eq!(scalar(&mut c, "EXECUTE a"), "15", "superuser");
        dumps.push(usage(&mut c).members);
    }
    assert!(dumps.iter().all(|n| *n < 40), "{dumps:?}");
}

// Tables may map by key: a renamed territory is another one at once.
#[test]
fn keys_of_territories_and_members() {
    let db = small("cache_keys");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.keyed (id int PRIMARY KEY, owner text, territory text);
         INSERT INTO crm.keyed VALUES (1, 'alice', NULL), (2, NULL, 'dach'), (3, NULL, 'alps'), (4, 'bea', 'alps');
         SELECT leadguard.protect('crm.keyed', id => 'id', owner => 'owner', territory => 'territory')",
    );
    let read = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.keyed";
    let (mut tom, mut bea) = (db.connect("tom"), db.connect("bea"));
    assert_eq!((scalar(&mut tom, read), scalar(&mut bea, read)), ("2".into(), "4".into()));
    accepted(&mut admin, "UPDATE leadguard.territory SET key = 'alps' WHERE key = 'dach'");
    assert_eq!((scalar(&mut tom, read), scalar(&mut bea, read)), ("3,4".into(), "4".into()));
    assert_eq!(scalar(&mut db.connect("tom"), read), "3,4", "a session without cache");
    accepted(&mut admin, "UPDATE leadguard.territory SET key = 'dach' WHERE key = 'bern'");
    assert_eq!((scalar(&mut tom, read), scalar(&mut bea, read)), ("2,3,4".into(), "2,4".into()));
    // Members keep their keys while a table maps by them, and may change them otherwise.
    leadguard_tests::refused(&mut admin, "UPDATE leadguard.member SET key = 'beatrice' WHERE key = 'bea'", "42501");
    assert_eq!(scalar(&mut bea, "SELECT key FROM leadguard.whoami()"), "bea");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.keyed')");
    accepted(&mut admin, "UPDATE leadguard.member SET key = 'beatrice' WHERE key = 'bea'");
    assert_eq!(scalar(&mut bea, "SELECT key FROM leadguard.whoami()"), "beatrice");
    accepted(
        &mut admin,
        "UPDATE crm.keyed SET owner = 'beatrice' WHERE id = 1;
         SELECT leadguard.protect('crm.keyed', id => 'id', owner => 'owner', territory => 'territory')",
    );
    assert_eq!(scalar(&mut bea, read), "1,2");
    // What a member is.
    assert_eq!(scalar(&mut bea, "SELECT leadguard.is_guest()"), "f");
    accepted(&mut admin, "UPDATE leadguard.member SET kind = 'guest' WHERE key = 'beatrice'");
    assert_eq!(
        scalar(&mut bea, "SELECT leadguard.is_guest() || '/' || (SELECT count(*) FROM leadguard.member)"),
        "true/1"
    );
}

// One pooled connection for everybody, kept warm, while others change the plan it was warmed with.
#[test]
fn a_pooled_connection_mixes_nobody() {
    let db = book("cache_pooled");
    let (mut admin, mut app) = (db.admin(), db.connect("app"));
    accepted(&mut app, &format!("PREPARE q AS {COUNT}"));
    for round in 0..3 {
        place(&mut admin, &format!("rep{}", 11 + round), "mgr1");
        for key in LOGINS {
            let own = if key == "root" { "60000".into() } else { reached(&db, key, "crm.lead") };
            begin_as(&mut app, key);
            for sql in [COUNT, "EXECUTE q"] {
                assert!(scalar(&mut app, sql).starts_with(&format!("{own}/")), "{key}, round {round}: {sql}");
            }
            accepted(&mut app, if round == 1 { "ROLLBACK" } else { "COMMIT" });
            assert_eq!(scalar(&mut app, "EXECUTE q"), "0/0", "nobody after {key}");
        }
    }
}

/// What no trigger has seen is seen after a repair.
#[test]
fn a_repair_reaches_sessions_that_are_warm() {
    let db = book("cache_repair");
    let mut c = db.connect("rep1");
    assert_ne!(scalar(&mut c, "SELECT count(*) FROM crm.lead"), "0");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "BEGIN; ALTER TABLE leadguard.member DISABLE TRIGGER USER; UPDATE leadguard.member SET active = false WHERE key = 'rep1';
         ALTER TABLE leadguard.member ENABLE TRIGGER USER; COMMIT",
    );
    accepted(&mut admin, "SELECT leadguard.rebuild_closure()");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.lead"), "0");
}
