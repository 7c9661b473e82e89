//! Requirement F12: workers compute what the leader computes, for every way to be somebody, and for nobody.

use leadguard_tests::{Client, Db, accepted, code, rows, scalar};

use crate::lab::{LOGINS, begin_as, book, lines, reached};

const COUNT: &str = "SELECT count(*) || '/' || coalesce(sum(id), 0) FROM crm.lead";

const QUESTIONS: [&str; 4] = [
    COUNT,
    "SELECT count(*) || '/' || coalesce(sum(p.id), 0) FROM crm.plain AS p JOIN crm.lead AS l ON l.id = p.id",
    "SELECT count(*) || '/' || coalesce(sum(p.id), 0) FROM crm.plain AS p WHERE EXISTS (SELECT FROM crm.lead AS l WHERE l.id = p.id)",
    "SELECT count(*) || '/' || coalesce(sum(n), 0) FROM (SELECT owner_id, count(*) AS n FROM crm.lead GROUP BY owner_id) AS x",
];

const SERIAL: &str = "SET max_parallel_workers_per_gather = 0";
/// Workers do all of the work, whatever it costs.
const WORKERS: &str = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
    SET min_parallel_index_scan_size = 0; SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off";

fn parallel_book(name: &str) -> Db {
    let db = book(name);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead SET (parallel_workers = 2);
         CREATE TABLE crm.plain AS SELECT id, repeat('x', 60) AS pad FROM crm.lead;
         ALTER TABLE crm.plain SET (parallel_workers = 2);
         GRANT SELECT ON crm.plain TO PUBLIC",
    );
    accepted(&mut admin, "ANALYZE crm.plain");
    db
}

/// Runs everything in a worker, as far as the server can.
fn forced(c: &mut Client) -> &'static str {
    match scalar(c, "SELECT current_setting('server_version_num')::int >= 160000").as_str() {
        "t" => "SET debug_parallel_query = on",
        _ => "SET force_parallel_mode = on",
    }
}

/// Asserts that workers really ran; a busy server may have none left for a moment.
#[track_caller]
fn assert_launched(c: &mut Client, sql: &str) {
    let mut shape = String::new();
    for _ in 0..50 {
        shape = lines(c, &format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}"));
        if ["Workers Launched: 1", "Workers Launched: 2"].iter().any(|l| shape.contains(l)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("no workers\n{sql}\n{shape}");
}

#[test]
fn f12_persons_get_the_same_answers_from_workers() {
    let db = parallel_book("parallel_person");
    for key in LOGINS {
        let mut c = db.connect(key);
        let force = forced(&mut c);
        for question in QUESTIONS {
            accepted(&mut c, SERIAL);
            let serial = scalar(&mut c, question);
            for settings in [WORKERS, force] {
                accepted(&mut c, settings);
                for shape in
                    ["", "SET enable_bitmapscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off"]
                {
                    accepted(&mut c, shape);
                    assert_eq!(scalar(&mut c, question), serial, "{key}: {question}\n{settings}\n{shape}");
                }
                assert_launched(&mut c, question);
            }
            accepted(&mut c, "RESET ALL");
        }
        let own = if key == "root" { "60000".into() } else { reached(&db, key, "crm.lead") };
        assert!(scalar(&mut c, COUNT).starts_with(&format!("{own}/")), "{key}");
    }
}

#[test]
fn f12_analysts_and_connectors_do_too() {
    let db = parallel_book("parallel_acting");
    let bi = db.create_role("bi");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{bi}', 'dir1')"));
    let question_of = |c: &mut Client, question: &str, settings: &str| {
        accepted(c, "RESET ALL");
        accepted(c, settings);
        scalar(c, question)
    };
    let (mut analyst, mut app) = (db.connect("bi"), db.connect("app"));
    let force = forced(&mut app);
    let all = format!("{WORKERS}; {force}; SET enable_bitmapscan = off; SET enable_indexscan = off");
    for question in QUESTIONS {
        let serial = question_of(&mut db.connect("dir1"), question, SERIAL);
        assert_eq!(question_of(&mut analyst, question, &all), serial, "{question}");
        assert_launched(&mut analyst, question);
        for key in LOGINS {
            let serial = question_of(&mut db.connect(key), question, SERIAL);
            accepted(&mut app, &format!("RESET ALL; {all}"));
            begin_as(&mut app, key);
            assert_eq!(scalar(&mut app, question), serial, "{key} behind the connector: {question}");
            assert_launched(&mut app, question);
            accepted(&mut app, "COMMIT");
            assert!(scalar(&mut app, question).starts_with("0/"), "nobody after {key}: {question}");
        }
        assert_launched(&mut app, question);
    }
}

#[test]
fn f12_savepoints_around_act_as() {
    let db = parallel_book("parallel_savepoint");
    let mut app = db.connect("app");
    let force = forced(&mut app);
    accepted(&mut app, &format!("{WORKERS}; {force}; SET enable_bitmapscan = off; SET enable_indexscan = off"));
    let mut count = |sql: &str| {
        accepted(&mut app, sql);
        scalar(&mut app, "SELECT count(*) FROM crm.lead")
    };
    let (rep, mgr) = (reached(&db, "rep1", "crm.lead"), reached(&db, "mgr1", "crm.lead"));
    assert_eq!(count("BEGIN; SELECT leadguard.act_as('rep1'); SAVEPOINT s"), rep);
    assert_eq!(count("ROLLBACK TO s"), rep, "set before the savepoint");
    assert_eq!(count("RELEASE s"), rep);
    assert_eq!(count("ROLLBACK"), "0");
    assert_eq!(count("BEGIN; SAVEPOINT s; SELECT leadguard.act_as('rep1')"), rep);
    assert_eq!(count("ROLLBACK TO s"), "0", "set after it");
    assert_eq!(count("SELECT leadguard.act_as('mgr1')"), mgr);
    assert_eq!(count("RELEASE s"), mgr);
    assert_eq!(count("COMMIT"), "0");
    assert_eq!(count("BEGIN; SAVEPOINT s; SELECT leadguard.act_as('mgr1'); RELEASE s"), mgr, "kept by RELEASE");
    assert_eq!(count("COMMIT AND CHAIN"), "0");
    assert_eq!(count("SELECT leadguard.act_as('rep1')"), rep);
    assert_eq!(count("ROLLBACK AND CHAIN"), "0");
    assert_eq!(count("COMMIT"), "0");
}

#[test]
fn f12_own_uncommitted_changes_reach_the_workers() {
    let db = parallel_book("parallel_own");
    let mut admin = db.admin();
    let force = forced(&mut admin);
    accepted(&mut admin, &format!("{WORKERS}; {force}; SET enable_bitmapscan = off; SET enable_indexscan = off"));
    let count = "SELECT count(*) FROM crm.lead";
    let (rep, before) = (db.role("rep1"), reached(&db, "rep1", "crm.lead"));
    let rep2 =
        scalar(&mut admin, &format!("SELECT count(*) FROM crm.lead WHERE owner_id IN ({})", crate::lab::below("rep2")));
    accepted(
        &mut admin,
        &format!(
            "BEGIN; UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'rep1') WHERE key = 'rep2';
             SET LOCAL SESSION AUTHORIZATION {rep}"
        ),
    );
    let both = before.parse::<u64>().expect("a number") + rep2.parse::<u64>().expect("a number");
    assert_eq!(scalar(&mut admin, count), both.to_string());
    assert_launched(&mut admin, count);
    assert_eq!(scalar(&mut db.connect("rep1"), count), before, "nobody else sees it");
    accepted(&mut admin, "ROLLBACK");
    accepted(&mut admin, &format!("SET SESSION AUTHORIZATION {rep}"));
    assert_eq!(scalar(&mut admin, count), before, "rolled back");
    accepted(&mut admin, "RESET SESSION AUTHORIZATION");
    // An own promotion opens the gate in the workers, and closes it with the savepoint.
    accepted(
        &mut admin,
        &format!(
            "BEGIN; SAVEPOINT s;
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'rep1';
             SET LOCAL SESSION AUTHORIZATION {rep}"
        ),
    );
    assert_eq!(scalar(&mut admin, count), "60000");
    assert_launched(&mut admin, count);
    accepted(&mut admin, &format!("ROLLBACK TO s; SET LOCAL SESSION AUTHORIZATION {rep}"));
    assert_eq!(scalar(&mut admin, count), before);
    accepted(&mut admin, "ROLLBACK");
    assert_eq!(code(&mut admin, "SELECT 1"), "ok");
}

// Grants, and an array of them for an index, are read by each worker for itself.
#[test]
fn f12_grants_in_workers() {
    let db = parallel_book("parallel_grants");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.record_grant (target, record, kind, member_id, level)
         SELECT 'crm.lead'::regclass, g::text, 'share', m.id, 'read' FROM generate_series(1, 20000, 2) AS g, leadguard.member AS m
         WHERE m.key = 'guest1'",
    );
    let mut guest = db.connect("guest1");
    let force = forced(&mut guest);
    for settings in [SERIAL, WORKERS, force, "SET enable_bitmapscan = off; SET enable_indexscan = off"] {
        accepted(&mut guest, settings);
        assert_eq!(scalar(&mut guest, COUNT), "10000/100000000", "{settings}");
    }
    assert_launched(&mut guest, COUNT);
    assert_eq!(rows(&mut guest, "SELECT id FROM crm.lead WHERE id < 6 ORDER BY id"), [["1"], ["3"], ["5"]]);
}
