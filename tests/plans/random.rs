//! Random changes of the directory by one session, while one pooled connection answers for everybody: every answer is
//! that of a recursive query over the edges, run by a superuser in the very same snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::{Rng, SeedableRng};
use leadguard_tests::{Client, Db, accepted, code, rows, scalar, seed};

use crate::lab::below;

const MEMBERS: u32 = 40;
const TERRITORIES: u32 = 15;

/// Members m1.. and territories t1.. in trees of their own, 400 leads, a few grants.
fn world(db: &Db) {
    let app = db.create_role("app");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.member (key, name) SELECT 'm' || g, 'M' FROM generate_series(1, {MEMBERS}) AS g;
             UPDATE leadguard.member AS m SET manager_id = b.id FROM leadguard.member AS b
             WHERE b.key = 'm' || (substr(m.key, 2)::int / 3) AND m.key <> 'm1';
             INSERT INTO leadguard.territory (key, name) SELECT 't' || g, 'T' FROM generate_series(1, {TERRITORIES}) AS g;
             UPDATE leadguard.territory AS t SET parent_id = p.id FROM leadguard.territory AS p
             WHERE p.key = 't' || (substr(t.key, 2)::int / 2) AND t.key <> 't1';
             INSERT INTO leadguard.team (key, name, access) VALUES ('x', 'X', 'team');
             CREATE SCHEMA crm;
             CREATE TABLE crm.lead (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, name text);
             INSERT INTO crm.lead
             SELECT g, (SELECT id FROM leadguard.member WHERE key = 'm' || (1 + g % {MEMBERS}) AND g % 7 <> 0),
                    (SELECT id FROM leadguard.territory WHERE key = 't' || (1 + g % {TERRITORIES}) AND g % 3 = 0)
             FROM generate_series(1, 400) AS g;
             SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id');
             SELECT leadguard.connector('{app}', 'trusted')"
        ),
    );
    accepted(&mut admin, "ANALYZE crm.lead");
}

fn a_member(rng: &mut StdRng) -> String {
    format!("(SELECT id FROM leadguard.member WHERE key = 'm{}')", rng.random_range(1..=MEMBERS))
}

fn a_territory(rng: &mut StdRng) -> String {
    format!("(SELECT id FROM leadguard.territory WHERE key = 't{}')", rng.random_range(1..=TERRITORIES))
}

/// Any change that a directory may meet; some are refused, as cycles are.
fn an_edit(rng: &mut StdRng) -> String {
    let (m, n) = (a_member(rng), a_member(rng));
    let (t, u) = (a_territory(rng), a_territory(rng));
    let lead = rng.random_range(1..=400);
    match rng.random_range(0..14) {
        0..=2 => format!("UPDATE leadguard.member SET manager_id = {m} WHERE id = {n}"),
        3 => format!("UPDATE leadguard.member SET manager_id = NULL WHERE id = {m}"),
        4 => format!("UPDATE leadguard.member SET active = NOT active WHERE id = {m}"),
        5 => format!("UPDATE leadguard.territory SET parent_id = {t} WHERE id = {u}"),
        6 => format!("UPDATE leadguard.territory SET owner_id = {m} WHERE id = {t}"),
        7 => format!("INSERT INTO leadguard.territory_member VALUES ({t}, {m}) ON CONFLICT DO NOTHING"),
        8 => format!("DELETE FROM leadguard.territory_member WHERE member_id = {m} OR territory_id = {t}"),
        9 => format!(
            "INSERT INTO leadguard.member_role (member_id, role) VALUES ({m}, 'administrator') ON CONFLICT DO NOTHING"
        ),
        10 => "DELETE FROM leadguard.member_role".into(),
        11 => format!(
            "INSERT INTO leadguard.team_member (team_id, member_id) SELECT id, {m} FROM leadguard.team ON CONFLICT DO NOTHING"
        ),
        12 => format!("SELECT leadguard.share('crm.lead', '{lead}', team => 'x')"),
        _ => format!("SELECT leadguard.share('crm.lead', '{lead}', (SELECT key FROM leadguard.member WHERE id = {m}))"),
    }
}

/// What the member reads, from the edges alone.
fn by_hand(key: &str) -> String {
    let below = below(key);
    format!(
        "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.lead AS l
         WHERE EXISTS (SELECT FROM leadguard.member WHERE key = '{key}' AND active) AND (
             EXISTS (SELECT FROM leadguard.member_role AS r JOIN leadguard.member AS m ON m.id = r.member_id WHERE m.key = '{key}')
             OR owner_id IN ({below})
             OR territory_id IN (
                 WITH RECURSIVE held AS (
                     SELECT id FROM leadguard.territory WHERE owner_id IN ({below})
                     UNION SELECT territory_id FROM leadguard.territory_member WHERE member_id IN ({below})
                     UNION SELECT t.id FROM leadguard.territory AS t JOIN held AS h ON t.parent_id = h.id)
                 SELECT id FROM held)
             OR id::text IN (
                 SELECT record FROM leadguard.record_grant
                 WHERE target = 'crm.lead'::regclass AND (
                     member_id IN ({below})
                     OR team_id IN (SELECT team_id FROM leadguard.team_member WHERE member_id IN ({below})))))"
    )
}

const READ: &str = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.lead";

/// Edits, some of them in transactions and savepoints that are rolled back, until told to stop.
fn edit(mut c: Client, seed: u64, stop: &AtomicBool, done: &AtomicU32) {
    let mut rng = StdRng::seed_from_u64(seed ^ 0xED17);
    while !stop.load(Ordering::Relaxed) {
        let sql = an_edit(&mut rng);
        match rng.random_range(0..6) {
            0 => {
                let _ = code(&mut c, &format!("BEGIN; {sql}"));
                accepted(&mut c, "ROLLBACK");
            }
            1 => {
                accepted(&mut c, "BEGIN; SAVEPOINT s");
                let _ = code(&mut c, &sql);
                accepted(&mut c, "ROLLBACK TO s");
                let _ = code(&mut c, &an_edit(&mut rng));
                let _ = code(&mut c, "COMMIT");
            }
            _ => {
                let _ = code(&mut c, &sql);
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(std::time::Duration::from_millis(rng.random_range(0..15)));
    }
}

#[test]
fn f11_every_answer_is_that_of_its_own_snapshot() {
    let seed = seed("f11_every_answer_is_that_of_its_own_snapshot");
    let db = Db::new("random");
    world(&db);
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let editor = {
        let (c, stop, done) = (db.admin(), Arc::clone(&stop), Arc::clone(&done));
        std::thread::spawn(move || edit(c, seed, &stop, &done))
    };
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut app, mut judge) = (db.connect("app"), db.admin());
    accepted(&mut app, &format!("SET leadguard.cache_size = '32kB'; PREPARE q AS {READ}"));
    accepted(&mut judge, "SET jit = off"); // which the guessed cost of recursion would call for
    let (mut seen, mut acted) = (0, 0);
    for round in 0..400 {
        let key = format!("m{}", rng.random_range(1..=MEMBERS));
        accepted(&mut app, "BEGIN ISOLATION LEVEL REPEATABLE READ");
        let snapshot = scalar(&mut app, "SELECT pg_export_snapshot()");
        accepted(&mut judge, &format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{snapshot}'"));
        let expected = scalar(&mut judge, &by_hand(&key));
        let state = code(&mut app, &format!("SELECT leadguard.act_as('{key}')"));
        if state == "ok" {
            acted += 1;
            for sql in [READ, "EXECUTE q"] {
                match code(&mut app, &format!("SAVEPOINT s; {sql}")).as_str() {
                    "ok" => assert_eq!(scalar(&mut app, sql), expected, "{key}, round {round}, {sql}, seed {seed}"),
                    state => panic!("{key}, round {round}, {sql}: {state}, seed {seed}"),
                }
            }
            seen += usize::from(!expected.is_empty());
        } else {
            assert_eq!((state.as_str(), expected.as_str()), ("28000", ""), "{key}, round {round}, seed {seed}");
        }
        accepted(&mut judge, "COMMIT");
        accepted(&mut app, if round % 3 == 0 { "ROLLBACK" } else { "COMMIT" });
        assert_eq!(scalar(&mut app, "EXECUTE q"), "", "nobody after {key}, round {round}, seed {seed}");
    }
    stop.store(true, Ordering::Relaxed);
    editor.join().expect("the editor ends");
    let edits = done.load(Ordering::Relaxed);
    println!("{edits} edits, {acted} of 400 acted, {seen} saw something");
    assert!(edits > 50 && acted > 50 && seen > 50, "twin: something happened");
    assert_eq!(rows(&mut db.admin(), "SELECT * FROM leadguard.verify_closure()"), Vec::<Vec<String>>::new());
}

// One backend that changes the directory itself and asks for everybody in between, with savepoints.
#[test]
fn f03_own_changes_come_and_go_with_their_savepoints() {
    let seed = seed("f03_own_changes_come_and_go_with_their_savepoints");
    let db = Db::new("random_own");
    world(&db);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut c = db.admin();
    let logins: Vec<String> = (1..=8).map(|n| format!("m{n}")).collect();
    for key in &logins {
        let role = db.create_role(key);
        accepted(&mut c, &format!("UPDATE leadguard.member SET db_role = '{role}' WHERE key = '{key}'"));
    }
    accepted(&mut c, &format!("SET jit = off; PREPARE q AS {READ}"));
    for round in 0..60 {
        let level = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"][rng.random_range(0..3)];
        accepted(&mut c, &format!("BEGIN ISOLATION LEVEL {level}"));
        let mut open = 0;
        for _ in 0..rng.random_range(2..8) {
            match rng.random_range(0..6) {
                0 => {
                    open += 1;
                    accepted(&mut c, &format!("SAVEPOINT s{open}"));
                }
                1 if open > 0 => {
                    accepted(&mut c, &format!("ROLLBACK TO s{open}"));
                }
                2 if open > 0 => {
                    accepted(&mut c, &format!("RELEASE s{open}"));
                    open -= 1;
                }
                _ => {
                    accepted(&mut c, "SAVEPOINT e");
                    if code(&mut c, &an_edit(&mut rng)) != "ok" {
                        accepted(&mut c, "ROLLBACK TO e");
                    }
                    accepted(&mut c, "RELEASE e");
                }
            }
            let key = &logins[rng.random_range(0..logins.len())];
            let expected = scalar(&mut c, &by_hand(key));
            accepted(&mut c, &format!("SET LOCAL SESSION AUTHORIZATION {}", db.role(key)));
            for sql in [READ, "EXECUTE q"] {
                assert_eq!(scalar(&mut c, sql), expected, "{key}, round {round}, {level}, {sql}, seed {seed}");
            }
            accepted(&mut c, "SET LOCAL SESSION AUTHORIZATION DEFAULT");
        }
        accepted(&mut c, if rng.random_bool(0.5) { "COMMIT" } else { "ROLLBACK" });
    }
}
