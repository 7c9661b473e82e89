//! Plans that were made for one member and run by another: generic plans, cached functions, parallel workers, estimates.

use leadguard_tests::{Client, Db, accepted, scalar};

use crate::lab::{app, begin_as, cast, last, reads};

/// Every shape in which a statement hides a table from the one who re-plans it.
const SHAPES: [(&str, &str); 8] = [
    ("top", "SELECT count(*) FROM crm.lead"),
    ("cte", "WITH c AS MATERIALIZED (SELECT id FROM crm.lead) SELECT count(*) FROM c"),
    ("sublink", "SELECT (SELECT count(*) FROM crm.lead)"),
    ("view", "SELECT count(*) FROM crm.v_invoker"),
    ("srf", "SELECT count(*) FROM crm.srf()"),
    ("plpgsql", "SELECT crm.counted()"),
    ("exists", "SELECT count(*) FROM generate_series(1, 15) g WHERE EXISTS (SELECT FROM crm.lead l WHERE l.id = g)"),
    ("grouped", "SELECT coalesce(sum(n), 0) FROM (SELECT owner_id, count(*) AS n FROM crm.lead GROUP BY owner_id) x"),
];

fn shapes(db: &Db) {
    db.admin()
        .batch_execute(
            "CREATE VIEW crm.v_invoker WITH (security_invoker) AS SELECT * FROM crm.lead;
             CREATE FUNCTION crm.srf() RETURNS SETOF crm.lead STABLE LANGUAGE sql AS 'SELECT * FROM crm.lead';
             CREATE FUNCTION crm.counted() RETURNS bigint STABLE LANGUAGE plpgsql AS
                 $$ BEGIN RETURN (SELECT count(*) FROM crm.lead); END $$;
             GRANT USAGE ON SCHEMA crm TO PUBLIC;
             GRANT SELECT ON crm.v_invoker TO PUBLIC;",
        )
        .unwrap();
}

fn prepare(c: &mut Client) {
    for (name, sql) in SHAPES {
        accepted(c, &format!("PREPARE {name} AS {sql}"));
    }
}

fn expect(c: &mut Client, count: &str, who: &str) {
    for (name, _) in SHAPES {
        assert_eq!(scalar(c, &format!("EXECUTE {name}")), count, "{name} as {who}");
    }
}

/// Narrow, wide, nobody, everything, territory and empty members: what each counts in crm.lead.
const COUNTS: [(&str, &str); 9] = [
    ("alice", "5"),
    ("ceo", "10"),
    ("carl", "2"),
    ("admin", "15"),
    ("ted", "0"),
    ("tess", "2"),
    ("mona", "8"),
    ("loner", "4"),
    ("alice", "5"),
];

// A generic plan keeps whatever was folded into it: planned under each member in turn, run by all the others.
#[test]
fn attack_19_generic_plans_keep_no_member() {
    let db = cast("attack_19");
    shapes(&db);
    let mut c = app(&db);
    for mode in ["force_generic_plan", "auto", "force_custom_plan"] {
        for planner in ["alice", "ceo", "admin", "ted", ""] {
            c.batch_execute("DISCARD ALL").unwrap();
            c.batch_execute(&format!("SET plan_cache_mode = {mode}")).unwrap();
            prepare(&mut c);
            if planner.is_empty() {
                expect(&mut c, "0", "nobody");
            } else {
                begin_as(&mut c, planner);
                for _ in 0..7 {
                    scalar(&mut c, "EXECUTE top");
                }
                expect(&mut c, COUNTS.iter().find(|x| x.0 == planner).unwrap().1, planner);
                c.batch_execute("COMMIT").unwrap();
            }
            for (key, count) in COUNTS {
                begin_as(&mut c, key);
                expect(&mut c, count, &format!("{key} after {planner} ({mode})"));
                c.batch_execute("COMMIT").unwrap();
            }
            expect(&mut c, "0", "nobody");
        }
    }
}

// The same across session roles on one backend, as SET SESSION AUTHORIZATION gives them.
#[test]
fn attack_20_plans_across_session_roles() {
    let db = cast("attack_20");
    shapes(&db);
    let mut c = db.admin();
    c.batch_execute("SET plan_cache_mode = force_generic_plan").unwrap();
    prepare(&mut c);
    expect(&mut c, "15", "superuser");
    for (key, count) in COUNTS {
        c.batch_execute(&format!("SET SESSION AUTHORIZATION {}", db.role(key))).unwrap();
        expect(&mut c, count, key);
    }
    c.batch_execute("RESET SESSION AUTHORIZATION").unwrap();
    expect(&mut c, "15", "superuser again");
    // A plan made by a member, then role attributes and memberships changed under it.
    let ted = db.role("ted");
    let mut ted_session = db.connect("ted");
    ted_session.batch_execute("SET plan_cache_mode = force_generic_plan").unwrap();
    prepare(&mut ted_session);
    expect(&mut ted_session, "0", "ted");
    c.batch_execute(&format!("GRANT {} TO {ted}", db.role("admin"))).unwrap();
    expect(&mut ted_session, "0", "ted, member of the administrator's role");
    c.batch_execute(&format!("REVOKE {} FROM {ted}", db.role("admin"))).unwrap();
    expect(&mut ted_session, "0", "ted again");
}

// Prepared writes: a plan made by a wide member must not write for a narrow one.
#[test]
fn attack_19_prepared_writes() {
    let db = cast("attack_19_writes");
    let mut c = app(&db);
    c.batch_execute(
        "SET plan_cache_mode = force_generic_plan;
         PREPARE u(numeric) AS UPDATE crm.lead SET amount = $1;
         PREPARE d AS DELETE FROM crm.lead;
         PREPARE l AS SELECT id FROM crm.lead FOR UPDATE;",
    )
    .unwrap();
    for (key, count) in COUNTS.into_iter().filter(|(key, _)| *key != "tess") {
        begin_as(&mut c, key);
        let count: u64 = count.parse().unwrap();
        assert_eq!(accepted(&mut c, "EXECUTE u(1)"), count, "update as {key}");
        assert_eq!(accepted(&mut c, "EXECUTE l"), count, "lock as {key}");
        assert_eq!(accepted(&mut c, "EXECUTE d"), count, "delete as {key}");
        c.batch_execute("ROLLBACK").unwrap();
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE amount = 1"), "0");
}

// The policy functions may be evaluated at planning time, once or per row: nothing may depend on how often.
#[test]
fn attack_65_planning_has_no_effects() {
    let db = cast("attack_65");
    let mut c = app(&db);
    c.batch_execute("BEGIN").unwrap();
    accepted(&mut c, "EXPLAIN SELECT * FROM crm.lead WHERE owner_id = 1");
    accepted(
        &mut c,
        "EXPLAIN SELECT * FROM crm.lead WHERE leadguard.visible('crm.lead'::regclass, 1::bigint, 1::bigint, 1::bigint, NULL::bigint)",
    );
    c.batch_execute("SELECT leadguard.act_as('alice')").expect("planning as nobody pins nobody");
    accepted(&mut c, "EXPLAIN SELECT * FROM crm.lead");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.lead"), "5");
    c.batch_execute("ROLLBACK").unwrap();
    for options in
        ["READ ONLY", "ISOLATION LEVEL REPEATABLE READ READ ONLY", "ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"]
    {
        c.batch_execute(&format!("BEGIN {options}; SELECT leadguard.act_as('carl')")).unwrap();
        assert_eq!(reads(&mut c), "9,10", "{options}");
        assert_eq!(scalar(&mut c, "SELECT pg_current_xact_id_if_assigned() IS NULL"), "t");
        assert_eq!(
            scalar(
                &mut c,
                "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode IN ('RowShareLock', 'RowExclusiveLock')"
            ),
            "0"
        );
        c.batch_execute("COMMIT").unwrap();
    }
    // Twin: a statement that does write takes both.
    begin_as(&mut c, "carl");
    accepted(&mut c, "UPDATE crm.lead SET amount = 2");
    assert_eq!(scalar(&mut c, "SELECT pg_current_xact_id_if_assigned() IS NULL"), "f");
    c.batch_execute("COMMIT").unwrap();
}

// Workers compute what the leader computes: an empty cache in a worker must not mean "allow", nor "nothing".
#[test]
fn parallel_workers_answer_as_the_leader() {
    let db = cast("parallel");
    db.admin()
        .batch_execute(
            "CREATE TABLE crm.big (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, pad text);
             INSERT INTO crm.big SELECT g, l.owner_id, l.territory_id, repeat('x', 100)
                 FROM generate_series(1, 3000) g JOIN crm.lead l ON l.id = 1 + g % 15;
             SELECT leadguard.protect('crm.big', id => 'id', owner => 'owner_id', territory => 'territory_id');
             SELECT leadguard.team_add('crm.big', '13', 'carl');
             ALTER TABLE crm.big SET (parallel_workers = 2);
             CREATE TABLE crm.plain AS SELECT g AS id, repeat('x', 100) AS pad FROM generate_series(1, 3000) g;
             ALTER TABLE crm.plain SET (parallel_workers = 2);
             GRANT SELECT ON crm.big, crm.plain TO PUBLIC; ANALYZE crm.big; ANALYZE crm.plain;",
        )
        .unwrap();
    let parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
                    SET min_parallel_index_scan_size = 0; SET max_parallel_workers_per_gather = 2; SET enable_indexscan = off;
                    SET enable_bitmapscan = off;";
    let forced = match scalar(&mut db.admin(), "SELECT current_setting('server_version_num')::int >= 160000").as_str() {
        "t" => "SET debug_parallel_query = on",
        _ => "SET force_parallel_mode = on",
    };
    let questions = [
        "SELECT count(*) || '/' || coalesce(sum(id), 0) FROM crm.big",
        "SELECT count(*) || '/' || coalesce(sum(p.id), 0) FROM crm.plain p JOIN crm.big b ON b.id = p.id",
        "SELECT count(*) || '/' || coalesce(sum(p.id), 0) FROM crm.plain p WHERE EXISTS (SELECT FROM crm.big b WHERE b.id = p.id)",
        "SELECT count(*) || '/' || (SELECT count(*) FROM crm.big) FROM crm.plain p WHERE p.id > (SELECT count(*) FROM crm.big)",
    ];
    let mut went_parallel = false;
    let mut c = app(&db);
    for (key, _) in COUNTS {
        let mut person = db.connect(key);
        for question in questions {
            person.batch_execute("RESET ALL; SET max_parallel_workers_per_gather = 0").unwrap();
            let serial = scalar(&mut person, question);
            for setting in ["", forced] {
                person.batch_execute(&format!("RESET ALL; {parallel} {setting}")).unwrap();
                assert_eq!(scalar(&mut person, question), serial, "{key} {setting}: {question}");
                let plan = leadguard_tests::rows(&mut person, &format!("EXPLAIN (ANALYZE, TIMING OFF) {question}"));
                went_parallel |= plan.iter().any(|l| l[0].contains("Workers Launched: 2"));
                c.batch_execute(&format!("RESET ALL; {parallel} {setting}; BEGIN")).unwrap();
                assert_eq!(
                    last(&mut c, &format!("SELECT leadguard.act_as('{key}'); {question}")),
                    serial,
                    "{key} behind the connector: {question}"
                );
                c.batch_execute("COMMIT").unwrap();
            }
        }
    }
    c.batch_execute(&format!("{parallel} {forced}")).unwrap();
    assert_eq!(scalar(&mut c, questions[0]), "0/0", "nobody, in the workers too");
    assert_eq!(scalar(&mut c, questions[1]), "0/0");
    assert!(went_parallel, "twin: some of these plans did run in workers");
}

// Own uncommitted changes of the hierarchy in the leader are not lost in the workers, nor seen by others.
#[test]
fn parallel_workers_see_uncommitted_moves() {
    let db = cast("parallel_moves");
    let mut admin = db.admin();
    admin.batch_execute("ALTER TABLE crm.lead SET (parallel_workers = 2)").unwrap();
    let role = db.role("alice");
    admin
        .batch_execute(&format!(
            "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
             BEGIN;
             UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'alice') WHERE key = 'carl';
             SET SESSION AUTHORIZATION {role};"
        ))
        .unwrap();
    assert_eq!(reads(&mut admin), "1,2,3,4,5,9,10");
    assert_eq!(reads(&mut db.connect("alice")), "1,2,3,4,5");
    admin.batch_execute("ROLLBACK").unwrap();
    admin.batch_execute(&format!("SET SESSION AUTHORIZATION {role}")).unwrap();
    assert_eq!(reads(&mut admin), "1,2,3,4,5", "rolled back, also in this backend's cache");
}
