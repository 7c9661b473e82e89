//! i02, i03: writers of one hierarchy against each other. No cycle, no closure that differs from what the edges say.

use leadguard_tests::{Client, Db, accepted, org, rows, scalar};

use crate::session::{Waiting, run};

fn cast(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    db
}

fn under(who: &str, boss: &str) -> String {
    format!(
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = '{boss}') WHERE key = '{who}'"
    )
}

fn below(who: &str, parent: &str) -> String {
    format!(
        "UPDATE leadguard.territory SET parent_id = (SELECT id FROM leadguard.territory WHERE key = '{parent}') WHERE key = '{who}'"
    )
}

const MEMBERS_ON_A_CYCLE: &str = "
    SELECT count(*) FROM leadguard.member x WHERE EXISTS (
        WITH RECURSIVE up AS (SELECT x.manager_id AS id UNION SELECT y.manager_id FROM up JOIN leadguard.member y ON y.id = up.id)
        SELECT FROM up WHERE id = x.id)";
const TERRITORIES_ON_A_CYCLE: &str = "
    SELECT count(*) FROM leadguard.territory x WHERE EXISTS (
        WITH RECURSIVE up AS (SELECT x.parent_id AS id UNION SELECT y.parent_id FROM up JOIN leadguard.territory y ON y.id = up.id)
        SELECT FROM up WHERE id = x.id)";

/// Closure and edges agree: asked of leadguard, and computed here without it.
#[track_caller]
fn sound(admin: &mut Client, context: &str) {
    assert_eq!(rows(admin, "SELECT * FROM leadguard.verify_closure()"), Vec::<Vec<String>>::new(), "{context}");
    for (table, parent, closure) in
        [("member", "manager_id", "member_closure"), ("territory", "parent_id", "territory_closure")]
    {
        let difference = format!(
            "WITH RECURSIVE c AS (SELECT id AS a, id AS d, 0 AS depth FROM leadguard.{table}
                 UNION SELECT c.a, m.id, c.depth + 1 FROM c JOIN leadguard.{table} m ON m.{parent} = c.d WHERE c.depth < 100)
             SELECT count(*) FROM c FULL JOIN leadguard.{closure} k ON (k.ancestor_id, k.descendant_id, k.depth) = (c.a, c.d, c.depth)
             WHERE c.a IS NULL OR k.ancestor_id IS NULL"
        );
        assert_eq!(scalar(admin, &difference), "0", "{context}: {closure}");
    }
}

/// Two sessions: `first` holds, `second` waits for it, `first` commits. Returns what `second` said.
fn one_after_the_other(db: &Db, level: &str, first: &str, second: &str, end: &str) -> String {
    let mut monitor = db.admin();
    let mut one = db.admin();
    let mut two = db.admin();
    one.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}; {first}")).unwrap();
    two.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM leadguard.member")).unwrap();
    let waiting = Waiting::start_blocked(two, second, &mut monitor);
    one.batch_execute(end).unwrap();
    let (mut two, outcome) = waiting.finish();
    let committed = run(&mut two, "COMMIT");
    if outcome.code() == "ok" { committed.code().to_string() } else { outcome.code().to_string() }
}

// i02: each half passes its own check on its own snapshot; together they are a cycle.
#[test]
fn i02_two_halves_of_a_cycle() {
    let db = cast("i02");
    let mut admin = db.admin();
    for (first, second, cycle, restore) in [
        (under("mona", "bob"), under("bob", "mona"), MEMBERS_ON_A_CYCLE, [under("mona", "vp"), under("bob", "vp2")]),
        (
            below("amer", "dach"),
            below("dach", "amer"),
            TERRITORIES_ON_A_CYCLE,
            [below("amer", "world"), below("dach", "emea")],
        ),
    ] {
        for (level, expected) in [("READ COMMITTED", "LG001"), ("REPEATABLE READ", "40001"), ("SERIALIZABLE", "40001")]
        {
            let context = format!("{level}: {second}");
            assert_eq!(one_after_the_other(&db, level, &first, &second, "COMMIT"), expected, "{context}");
            assert_eq!(scalar(&mut admin, cycle), "0", "{context}");
            sound(&mut admin, &context);
            for sql in &restore {
                accepted(&mut admin, sql);
            }
            // Twin: the first half is undone, and the second passes at every level.
            assert_eq!(one_after_the_other(&db, level, &first, &second, "ROLLBACK"), "ok", "{context}");
            sound(&mut admin, &context);
            for sql in restore.iter().rev() {
                accepted(&mut admin, sql);
            }
        }
    }
}

// Three sessions, three thirds of a ring, in whatever order the server lets them through.
#[test]
fn i02_three_thirds_of_a_ring() {
    let db = cast("i02_ring");
    let mut admin = db.admin();
    let mut monitor = db.admin();
    // A move that holds the writers up, so that all three stand in line together.
    admin.batch_execute(&format!("BEGIN; {}", under("viewer", "vp"))).unwrap();
    let thirds = [under("mona", "bob"), under("bob", "tina"), under("tina", "mona")];
    let waiting: Vec<Waiting> =
        thirds.iter().map(|sql| Waiting::start_blocked(db.admin(), sql, &mut monitor)).collect();
    admin.batch_execute("COMMIT").unwrap();
    let mut codes: Vec<String> = waiting.into_iter().map(|w| w.finish().1.code().to_string()).collect();
    codes.sort();
    assert_eq!(codes, ["LG001", "ok", "ok"]);
    assert_eq!(scalar(&mut admin, MEMBERS_ON_A_CYCLE), "0");
    sound(&mut admin, "ring of three");
}

// i03: incremental maintenance reads the other half's old rows: an insert and a move, a delete and a move, two moves.
#[test]
fn i03_closure_races() {
    let db = cast("i03");
    let mut admin = db.admin();
    let newcomer = |n: i32, boss: &str| {
        format!(
            "INSERT INTO leadguard.member (key, manager_id) SELECT 'new{n}', id FROM leadguard.member WHERE key = '{boss}'"
        )
    };
    let place = |n: i32, parent: &str| {
        format!(
            "INSERT INTO leadguard.territory (key, parent_id) SELECT 'place{n}', id FROM leadguard.territory WHERE key = '{parent}'"
        )
    };
    let schedules = [
        (newcomer(1, "alice"), under("alice", "bob")),
        (under("alice", "mona"), newcomer(2, "alice")),
        (under("mona", "vp2"), under("alice", "tom")),
        (under("alice", "mona"), under("mona", "vp")),
        ("DELETE FROM leadguard.member WHERE key = 'new1'".to_string(), under("alice", "bob")),
        (under("alice", "mona"), "DELETE FROM leadguard.member WHERE key = 'new2'".to_string()),
        (place(1, "bern"), below("bern", "amer")),
        (below("dach", "world"), place(2, "bern")),
        (below("dach", "emea"), below("emea", "amer")),
        ("SELECT leadguard.rebuild_closure()".to_string(), under("alice", "carl")),
        (under("alice", "mona"), "SELECT leadguard.rebuild_closure()".to_string()),
    ];
    for (first, second) in &schedules {
        let context = format!("{first} | {second}");
        assert_eq!(one_after_the_other(&db, "READ COMMITTED", first, second, "COMMIT"), "ok", "{context}");
        sound(&mut admin, &context);
    }
    // Twin of the soundness check itself: a closure that was tampered with is reported.
    admin
        .batch_execute("SET session_replication_role = replica; DELETE FROM leadguard.member_closure WHERE depth = 1")
        .unwrap();
    assert!(!rows(&mut admin, "SELECT * FROM leadguard.verify_closure()").is_empty());
    admin.batch_execute("RESET session_replication_role; SELECT leadguard.rebuild_closure()").unwrap();
    sound(&mut admin, "rebuilt");
}

// Older snapshots do not write over what they have not seen: 40001 at the latest at COMMIT, and a retry passes.
#[test]
fn i03_older_snapshots_get_40001() {
    let db = cast("i03_rr");
    let mut admin = db.admin();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut late = db.admin();
        late.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM leadguard.member")).unwrap();
        accepted(&mut admin, &under("alice", "bob"));
        let said = run(
            &mut late,
            "INSERT INTO leadguard.member (key, manager_id) SELECT 'late', id FROM leadguard.member WHERE key = 'alice'",
        );
        assert_eq!(said.code(), "40001", "{level}: {said:?}");
        late.batch_execute("ROLLBACK").unwrap();
        let said = run(
            &mut late,
            "INSERT INTO leadguard.member (key, manager_id) SELECT 'late', id FROM leadguard.member WHERE key = 'alice'",
        );
        assert_eq!(said.code(), "ok", "twin: the retry");
        sound(&mut admin, level);
        accepted(&mut admin, "DELETE FROM leadguard.member WHERE key = 'late'");
        accepted(&mut admin, &under("alice", "mona"));
    }
}
