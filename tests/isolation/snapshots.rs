//! i04, i05, i06: one statement has one hierarchy, and it is that of its snapshot.

use leadguard_tests::{Client, Db, accepted, org, place, refused, rows, scalar};

use crate::session::{Waiting, run};

const READ: &str = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.lead";

/// Blocks the statement that contains it until the holder of the gate opens it.
const GATE: &str = "pg_advisory_xact_lock_shared(42) IS NOT NULL";

fn cast(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    db
}

// i04: a hierarchy change that commits in the middle of a scan must not show two hierarchies in one result.
#[test]
fn i04_statements_are_not_torn() {
    let db = cast("i04");
    let mut admin = db.admin();
    let mut monitor = db.admin();
    let count = "(SELECT count(*) FROM crm.lead)";
    for (sql, expected) in [
        (format!("SELECT string_agg(id || ' ' || name, ',' ORDER BY id) FROM crm.lead WHERE CASE WHEN id IN (1, 6) THEN {GATE} ELSE true END"), None),
        (
            format!(
                "WITH a AS MATERIALIZED (SELECT count(*) AS n FROM crm.lead), g AS MATERIALIZED (SELECT {GATE} AS open FROM a WHERE a.n >= 0),
                      b AS MATERIALIZED (SELECT count(*) AS n FROM crm.lead, g WHERE g.open) SELECT a.n || '/' || b.n FROM a, b"
            ),
            Some("8/8"),
        ),
        (format!("SELECT {count} || '/' || (SELECT {GATE})::text || '/' || {count}"), Some("8/true/8")),
        (
            format!("SELECT count(*) FROM crm.lead a WHERE CASE WHEN a.id = 1 THEN {GATE} ELSE true END AND EXISTS (SELECT FROM crm.lead b WHERE b.id = a.id)"),
            Some("8"),
        ),
        (format!("SELECT count(*) || '' FROM (SELECT id FROM crm.lead WHERE CASE WHEN id = 1 THEN {GATE} ELSE true END UNION ALL SELECT id FROM crm.lead) x"), Some("16")),
    ] {
        place(&mut admin, "alice", "mona");
        accepted(&mut admin, "UPDATE crm.lead SET name = 'before'");
        admin.batch_execute("SELECT pg_advisory_lock(42)").unwrap();
        let waiting = Waiting::start_blocked(db.connect("mona"), &sql, &mut monitor);
        place(&mut admin, "alice", "bob");
        accepted(&mut admin, "UPDATE crm.lead SET name = 'after the move'");
        admin.batch_execute("SELECT pg_advisory_unlock(42)").unwrap();
        let (mut mona, outcome) = waiting.finish();
        let all: Vec<String> = (1..=8).map(|id| format!("{id} before")).collect();
        assert_eq!(outcome.text(), expected.map_or_else(|| all.join(","), String::from), "{sql}");
        assert_eq!(scalar(&mut mona, READ), "6,7,8", "twin: the next statement has the new hierarchy");
    }
}

// i05: rows and hierarchy come from one snapshot, at every isolation level; a cache must be neither older nor newer.
#[test]
fn i05_visibility_has_the_age_of_the_rows() {
    let db = cast("i05");
    let mut admin = db.admin();
    let content = "SELECT coalesce(string_agg(name, ',' ORDER BY id), '') FROM crm.lead WHERE id = 1";
    for (level, keeps) in [("READ COMMITTED", false), ("REPEATABLE READ", true), ("SERIALIZABLE", true)] {
        place(&mut admin, "alice", "mona");
        accepted(&mut admin, "UPDATE crm.lead SET name = 'old'");
        let mut mona = db.connect("mona");
        let mut bob = db.connect("bob");
        for (c, expected) in [(&mut mona, "1,2,3,4,5,6,7,8"), (&mut bob, "9,10")] {
            c.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}")).unwrap();
            assert_eq!(scalar(c, READ), expected);
        }
        place(&mut admin, "alice", "bob");
        accepted(&mut admin, "UPDATE crm.lead SET name = 'written after the revocation' WHERE id = 1");
        let (to_mona, to_bob) = if keeps { ("1,2,3,4,5,6,7,8", "9,10") } else { ("6,7,8", "1,2,3,4,5,9,10") };
        for (c, expected) in [(&mut mona, to_mona), (&mut bob, to_bob)] {
            assert_eq!(scalar(c, READ), expected, "{level}");
            assert!(keeps || !scalar(c, content).contains("old"), "{level}");
        }
        if keeps {
            assert_eq!(scalar(&mut mona, content), "old", "new content is not shown under the old hierarchy");
            let said = run(&mut mona, "UPDATE crm.lead SET amount = -7 WHERE id = 1");
            assert!(said.count() == 0 && ["ok", "42501", "40001"].contains(&said.code()), "nor written over: {said:?}");
            mona.batch_execute("ROLLBACK").unwrap();
        } else {
            mona.batch_execute("COMMIT").unwrap();
        }
        bob.batch_execute("COMMIT").unwrap();
        assert_eq!(scalar(&mut mona, READ), "6,7,8", "the next transaction is up to date, whatever this backend kept");
        assert_eq!(scalar(&mut bob, READ), "1,2,3,4,5,9,10");
    }
}

// Old and new snapshots in one backend, alternating: a cursor's and that of the statements around it.
#[test]
fn i05_old_and_new_snapshots_in_one_backend() {
    let db = cast("i05_cursor");
    let mut admin = db.admin();
    let mut mona = db.connect("mona");
    mona.batch_execute("BEGIN; DECLARE old CURSOR FOR SELECT id FROM crm.lead ORDER BY id; FETCH 1 FROM old").unwrap();
    place(&mut admin, "alice", "bob");
    assert_eq!(scalar(&mut mona, READ), "6,7,8");
    mona.batch_execute("DECLARE new CURSOR FOR SELECT id FROM crm.lead ORDER BY id; FETCH 1 FROM new").unwrap();
    place(&mut admin, "anton", "bob");
    assert_eq!(scalar(&mut mona, READ), "");
    assert_eq!(rows(&mut mona, "FETCH ALL FROM old").len(), 7);
    assert_eq!(rows(&mut mona, "FETCH ALL FROM new").len(), 2);
    mona.batch_execute("COMMIT").unwrap();
    place(&mut admin, "anton", "mona");
    assert_eq!(scalar(&mut mona, READ), "6,7,8");
}

// A move that is undone, in whole or from a savepoint on, must leave nothing behind in the backend that made it.
#[test]
fn i05_undone_moves_leave_no_trace() {
    let db = cast("i05_undone");
    let mut admin = db.admin();
    let mut c = db.admin();
    let alice = db.role("alice");
    let under = |who: &str, boss: &str| {
        format!(
            "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = '{boss}') WHERE key = '{who}'"
        )
    };
    let as_alice = |c: &mut Client| {
        c.batch_execute(&format!("SET LOCAL SESSION AUTHORIZATION {alice}")).unwrap();
        let read = scalar(c, READ);
        c.batch_execute("SET LOCAL SESSION AUTHORIZATION DEFAULT").unwrap();
        read
    };
    c.batch_execute(&format!("BEGIN; {}", under("anton", "alice"))).unwrap();
    assert_eq!(as_alice(&mut c), "1,2,3,4,5,6,7,8", "one's own uncommitted move counts");
    assert_eq!(scalar(&mut db.connect("alice"), READ), "1,2,3,4,5", "and for nobody else");
    c.batch_execute(&format!("SAVEPOINT s; {}", under("carl", "alice"))).unwrap();
    assert_eq!(as_alice(&mut c), "1,2,3,4,5,6,7,8,9,10");
    c.batch_execute("ROLLBACK TO s").unwrap();
    assert_eq!(as_alice(&mut c), "1,2,3,4,5,6,7,8");
    c.batch_execute("ROLLBACK; BEGIN").unwrap();
    assert_eq!(as_alice(&mut c), "1,2,3,4,5");
    c.batch_execute("ROLLBACK").unwrap();
    // The revision number of the undone move is used again by another one: a cache keyed by it alone would serve the undone state.
    place(&mut admin, "carl", "anton");
    c.batch_execute("BEGIN").unwrap();
    assert_eq!(as_alice(&mut c), "1,2,3,4,5");
    c.batch_execute(&format!("COMMIT; BEGIN; {}; COMMIT; BEGIN", under("anton", "alice"))).unwrap();
    assert_eq!(as_alice(&mut c), "1,2,3,4,5,6,7,8,9,10", "twin: committed, it stays");
    c.batch_execute("COMMIT").unwrap();
    assert_eq!(scalar(&mut db.connect("alice"), READ), "1,2,3,4,5,6,7,8,9,10");
}

// i06: rights are those of the writer's statement. A row written before the move stays, and the writer loses it with the move.
#[test]
fn i06_check_then_act() {
    let db = cast("i06");
    let mut admin = db.admin();
    let mut monitor = db.admin();
    let alice = leadguard_tests::member(&mut admin, "alice");
    let insert = |name: &str| format!("INSERT INTO crm.lead (owner_id, name) VALUES ({alice}, '{name}')");
    let mut mona = db.connect("mona");
    mona.batch_execute(&format!("BEGIN; {}", insert("before"))).unwrap();
    place(&mut admin, "alice", "bob");
    refused(&mut mona, &format!("SAVEPOINT s; {}", insert("after")), "42501");
    mona.batch_execute("ROLLBACK TO s; COMMIT").unwrap();
    assert_eq!(scalar(&mut admin, "SELECT string_agg(name, ',') FROM crm.lead WHERE id > 100"), "before");
    assert_eq!(scalar(&mut mona, READ), "6,7,8");
    assert_eq!(run(&mut mona, "UPDATE crm.lead SET name = 'x' WHERE id > 100").count(), 0);

    // The move commits while the INSERT is held up inside a trigger that fires before the guard: statement's rights or newer,
    // but never an error of another kind, and what is stored is consistent with what was said.
    admin
        .batch_execute(
            "CREATE FUNCTION crm.hold() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END $$;
             CREATE TRIGGER aaa_hold BEFORE INSERT ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.hold();",
        )
        .unwrap();
    for (moved, name) in [(false, "kept"), (true, "held")] {
        place(&mut admin, "alice", "mona");
        admin.batch_execute("SELECT pg_advisory_lock(42)").unwrap();
        let waiting = Waiting::start_blocked(mona, &insert(name), &mut monitor);
        if moved {
            place(&mut admin, "alice", "bob");
        }
        admin.batch_execute("SELECT pg_advisory_unlock(42)").unwrap();
        let (back, outcome) = waiting.finish();
        mona = back;
        let stored = scalar(&mut admin, &format!("SELECT count(*) FROM crm.lead WHERE name = '{name}'"));
        match outcome.code() {
            "ok" => assert_eq!(stored, "1"),
            "42501" if moved => assert_eq!(stored, "0"),
            _ => panic!("{name}: {outcome:?}"),
        }
    }
    assert_eq!(scalar(&mut mona, READ), "6,7,8");
}
