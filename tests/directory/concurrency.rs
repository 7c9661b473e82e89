//! Sessions that move subtrees and read at the same time: the closure ends sound, and every reader sees exactly what
//! the snapshot of the statement says.

use crate::tree::{BOTH, MEMBERS, TERRITORIES, Tree};
use leadguard_tests::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const MEMBER_COUNT: i64 = 60;
const TERRITORY_COUNT: i64 = 25;
const WATCHED: [&str; 3] = ["one", "two", "three"];

/// Sixty members and 25 territories in random trees, three members with logins, leads for everybody.
fn company(random: &mut StdRng) -> Db {
    let db = Db::new("concurrency");
    let mut admin = db.admin();
    let boss = db.create_role("boss");
    let mut nodes = |tree: Tree, count: i64| {
        let list: Vec<String> = (1..=count)
            .map(|id| if id < 4 { id.to_string() } else { format!("{id}>{}", random.random_range(1..id)) })
            .collect();
        tree.insert(&list.join(", "))
    };
    let (members, territories) = (nodes(MEMBERS, MEMBER_COUNT), nodes(TERRITORIES, TERRITORY_COUNT));
    accepted(&mut admin, &members);
    accepted(&mut admin, &territories);
    for (place, who) in WATCHED.iter().enumerate() {
        let role = db.create_role(who);
        accepted(&mut admin, &format!("UPDATE leadguard.member SET db_role = '{role}' WHERE id = {}", place * 7 + 3));
    }
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.member (id, key, name, db_role) VALUES (1000, 'boss', 'Boss', '{boss}');
             INSERT INTO leadguard.member_role (member_id, role) VALUES (1000, 'administrator');
             UPDATE leadguard.territory SET owner_id = id * 2;
             INSERT INTO leadguard.territory_member (territory_id, member_id) SELECT id, id + 30 FROM leadguard.territory;
             CREATE SCHEMA crm;
             CREATE TABLE crm.lead (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, name text);
             INSERT INTO crm.lead SELECT i, CASE WHEN i % 3 > 0 THEN i % {MEMBER_COUNT} + 1 END,
                                         CASE WHEN i % 2 = 0 THEN i % {TERRITORY_COUNT} + 1 END, 'n' FROM generate_series(1, 500) AS i;
             SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id')"
        ),
    );
    db
}

/// Moves in a random tree until the time is up; every error must be one that a retry or a human resolves.
fn mover(mut session: Client, seed: u64, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    let mut random = StdRng::seed_from_u64(seed);
    while !stop.load(Ordering::Relaxed) {
        let level = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"][random.random_range(0..3)];
        let mut state = code(&mut session, &format!("BEGIN ISOLATION LEVEL {level}"));
        for _ in 0..random.random_range(1..4) {
            let (tree, count) =
                if random.random_bool(0.5) { (MEMBERS, MEMBER_COUNT) } else { (TERRITORIES, TERRITORY_COUNT) };
            let id = random.random_range(1..=count);
            let parent =
                if random.random_bool(0.1) { "NULL".to_string() } else { random.random_range(1..=count).to_string() };
            if parent == id.to_string() {
                continue;
            }
            state = code(&mut session, &tree.moved(id, &parent));
            if state != "ok" {
                break;
            }
        }
        let end = if state == "ok" && random.random_bool(0.9) { "COMMIT" } else { "ROLLBACK" };
        let end = code(&mut session, end);
        for state in [state, end] {
            assert!(["ok", "40001", "40P01", "LG001", "LG002"].contains(&state.as_str()), "a mover got {state}");
            if state == "ok" {
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The visible set written down independently: own and below, territories with everything under them, administrators.
fn expected(who: &str) -> String {
    format!(
        "WITH RECURSIVE me AS (SELECT id FROM leadguard.member WHERE db_role = '{who}'),
         below (id) AS (SELECT id FROM me UNION SELECT m.id FROM leadguard.member AS m JOIN below AS b ON m.manager_id = b.id),
         reached (id) AS (
             SELECT id FROM leadguard.territory WHERE owner_id IN (SELECT id FROM below)
             UNION SELECT territory_id FROM leadguard.territory_member WHERE member_id IN (SELECT id FROM below)
             UNION SELECT t.id FROM leadguard.territory AS t JOIN reached AS r ON t.parent_id = r.id)
         SELECT id FROM crm.lead WHERE owner_id IN (SELECT id FROM below) OR territory_id IN (SELECT id FROM reached)"
    )
}

/// Reads as a member and compares with a superuser who looks at the very same snapshot.
fn reader(mut member: Client, mut admin: Client, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    let who = scalar(&mut member, "SELECT session_user");
    let expected = expected(&who);
    accepted(&mut member, "PREPARE mine AS SELECT id FROM crm.lead");
    while !stop.load(Ordering::Relaxed) {
        accepted(&mut member, "BEGIN ISOLATION LEVEL REPEATABLE READ");
        let snapshot = scalar(&mut member, "SELECT pg_export_snapshot()");
        accepted(&mut admin, &format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{snapshot}'"));
        let truth = ids(&mut admin, &expected);
        for statement in ["SELECT id FROM crm.lead", "EXECUTE mine"] {
            assert_eq!(ids(&mut member, statement), truth, "{who}, {statement}");
        }
        accepted(&mut admin, "COMMIT");
        accepted(&mut member, "COMMIT");
        done.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn moving_and_reading_at_once() {
    let seed = seed("concurrency");
    let db = company(&mut StdRng::seed_from_u64(seed));
    let stop = Arc::new(AtomicBool::new(false));
    let (moves, reads) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut threads = Vec::new();
    for number in 0..4 {
        let session = if number % 2 == 0 { db.connect("boss") } else { db.admin() };
        let (stop, moves) = (stop.clone(), moves.clone());
        threads.push(std::thread::spawn(move || mover(session, seed + number, stop, moves)));
    }
    for who in WATCHED {
        let (member, admin, stop, reads) = (db.connect(who), db.admin(), stop.clone(), reads.clone());
        threads.push(std::thread::spawn(move || reader(member, admin, stop, reads)));
    }
    let until = Instant::now() + Duration::from_secs(12);
    while Instant::now() < until && threads.iter().all(|t| !t.is_finished()) {
        std::thread::sleep(Duration::from_millis(50));
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
    println!("{} moves and {} comparisons", moves.load(Ordering::Relaxed), reads.load(Ordering::Relaxed));
    assert!(moves.load(Ordering::Relaxed) > 10 && reads.load(Ordering::Relaxed) > 10);
    let mut admin = db.admin();
    for tree in BOTH {
        tree.sound(&mut admin);
    }
}

#[test]
fn crosswise_moves_do_not_deadlock() {
    let db = Db::new("crosswise");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert("1, 2, 3, 4"));
        let (mut one, mut two) = (db.admin(), db.admin());
        accepted(&mut one, &format!("BEGIN; {}", tree.moved(1, "3")));
        let waiting = pid(&mut two);
        let (first, second) = (tree.moved(2, "4"), tree.moved(1, "NULL"));
        let other = std::thread::spawn(move || ["BEGIN", &first, &second, "COMMIT"].map(|sql| code(&mut two, sql)));
        assert!(blocked(&mut admin, waiting), "writers of one hierarchy take turns");
        accepted(&mut one, &tree.moved(2, "3"));
        accepted(&mut one, "COMMIT");
        assert_eq!(other.join().expect("the other session ends"), ["ok"; 4]);
        tree.sound(&mut admin);
    }
}

#[test]
fn a_reader_never_waits_for_a_reorganisation() {
    let db = Db::new("no_wait");
    org(&db);
    let mut admin = db.admin();
    accepted(&mut admin, "BEGIN");
    place(&mut admin, "mona", "bob");
    let mut bob = db.connect("bob");
    accepted(&mut bob, "SET statement_timeout = '5s'");
    assert_eq!(ids(&mut bob, "SELECT id FROM crm.lead"), set("9 10"));
    assert_eq!(accepted(&mut bob, "UPDATE crm.lead SET name = 'x'"), 2);
    accepted(&mut bob, "SELECT leadguard.share('crm.lead', '9', 'amy', 'read')");
    accepted(&mut admin, "COMMIT");
    assert_eq!(ids(&mut bob, "SELECT id FROM crm.lead"), set("1 2 3 4 5 6 7 8 9 10"));
}
