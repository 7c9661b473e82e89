//! Sessions that were there before the update, and what their plans become.

use crate::company::found;
use crate::released::{installed, old, update, versions};
use leadguard_tests::*;

/// The plan of a query, as text.
fn plan(c: &mut Client, sql: &str) -> String {
    rows(c, &format!("EXPLAIN (COSTS OFF) {sql}")).into_iter().map(|row| row[0].clone() + "\n").collect()
}

#[track_caller]
fn says(plan: &str, parts: &[&str]) {
    for part in parts {
        assert!(plan.contains(part), "{part} is not in\n{plan}");
    }
}

#[test]
fn plans_use_the_arms_after_the_update() {
    for version in versions() {
        let db = old("upgrade_plans", version);
        found(&db);
        let queries = ["SELECT id FROM crm.lead", "SELECT id FROM crm.visit", "SELECT id FROM crm.deal"];
        let mut sessions = ["alice", "admin"].map(|who| db.connect(who));
        for c in &mut sessions {
            accepted(c, "SET enable_seqscan = off");
            for sql in queries {
                assert_eq!(plan(c, sql).contains("visible("), version == "0.1.0", "{version}: no arms yet");
            }
        }
        update(&mut db.admin());
        let [alice, admin] = &mut sessions;
        says(&plan(alice, queries[0]), &["visible_owners(", "visible_territories(", "visible_records(", "Index Cond"]);
        says(
            &plan(alice, queries[1]),
            &["visible_owners(", "visible_territories(", "Index Cond", "visit_1", "visit_2"],
        );
        says(&plan(alice, queries[2]), &["visible_owners(", "visible_organization("]);
        for sql in queries {
            assert!(!plan(alice, sql).contains("visible("), "{}", plan(alice, sql));
            says(&plan(admin, sql), &["visible_all("]);
            assert!(!plan(admin, sql).contains("visible_owner"), "{}", plan(admin, sql));
        }
    }
}

#[test]
fn kept_statements_are_planned_anew() {
    for version in versions() {
        let db = old("upgrade_prepared", version);
        found(&db);
        let expected = [
            ("alice", "1,2,3,4,5"),
            ("viewer", ""),
            ("carl", "1,4,9,10"),
            ("admin", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"),
        ];
        let read = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.lead";
        let mut sessions: Vec<(Client, &str)> = expected.iter().map(|(who, sees)| (db.connect(who), *sees)).collect();
        for (c, sees) in &mut sessions {
            accepted(
                c,
                &format!(
                    "PREPARE plain AS {read}; PREPARE generic(bigint) AS {read} WHERE id < $1; SET plan_cache_mode = force_generic_plan"
                ),
            );
            for _ in 0..3 {
                assert_eq!(scalar(c, "EXECUTE plain"), *sees);
                assert_eq!(scalar(c, "EXECUTE generic(100)"), *sees);
            }
        }
        update(&mut db.admin());
        for (c, sees) in &mut sessions {
            for _ in 0..3 {
                assert_eq!(scalar(c, "EXECUTE plain"), *sees);
                assert_eq!(scalar(c, "EXECUTE generic(100)"), *sees);
            }
            let plan = rows(c, "EXPLAIN (COSTS OFF) EXECUTE generic(100)").concat().concat();
            assert!(plan.contains("visible_") && !plan.contains("visible("), "{plan}");
        }
    }
}

// A snapshot from before, and a cursor that is kept over the end of its transaction.
#[test]
fn snapshots_and_cursors_see_what_they_saw() {
    for version in versions() {
        let db = old("upgrade_open", version);
        found(&db);
        let mut alice = db.connect("alice");
        let mut app = db.connect("app");
        let mut boss = db.connect("admin");
        let read = "SELECT id FROM crm.lead";
        accepted(&mut alice, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
        accepted(&mut app, "BEGIN; SELECT leadguard.act_as('carl')");
        assert_eq!(ids(&mut app, read), set("1 4 9 10"));
        accepted(&mut app, "COMMIT");
        accepted(&mut boss, &format!("DECLARE c CURSOR WITH HOLD FOR {read} ORDER BY id"));
        assert_eq!(ids(&mut boss, "FETCH 2 FROM c"), set("1 2"));
        update(&mut db.admin());
        assert_eq!(ids(&mut alice, read), set("1 2 3 4 5"));
        assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET name = 'x'"), 5);
        assert_eq!(ids(&mut app, read), set(""), "acts as nobody outside of the transaction");
        accepted(&mut app, "BEGIN; SELECT leadguard.act_as('carl')");
        assert_eq!(ids(&mut app, read), set("1 4 9 10"));
        assert_eq!(accepted(&mut app, "UPDATE crm.lead SET name = 'x' WHERE id = 9"), 1);
        assert_eq!(ids(&mut boss, "FETCH ALL FROM c").len(), 13);
        assert_eq!(ids(&mut boss, read).len(), 15);
        for c in [&mut alice, &mut app] {
            accepted(c, "COMMIT");
        }
        assert_eq!(ids(&mut alice, read), set("1 2 3 4 5"));
        assert_eq!(ids(&mut app, read), set(""));
    }
}

// A careful administrator tries the update first, and looks at what members then see.
#[test]
fn an_update_that_was_tried_and_taken_back() {
    for version in versions() {
        let db = old("upgrade_tried", version);
        found(&db);
        let mut admin = db.admin();
        accepted(&mut admin, "CREATE VIEW crm.leads AS SELECT id FROM crm.lead");
        let look = |admin: &mut Client, expected: &str| {
            accepted(admin, &format!("SET SESSION AUTHORIZATION \"{}\"", db.role("alice")));
            let seen = rows(admin, "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM crm.lead");
            assert_eq!(seen, vec![vec![expected.to_string()]]);
            accepted(admin, "RESET SESSION AUTHORIZATION");
        };
        look(&mut admin, "1 2 3 4 5");
        for _ in 0..2 {
            accepted(&mut admin, "BEGIN; ALTER EXTENSION leadguard UPDATE");
            look(&mut admin, "1 2 3 4 5");
            accepted(&mut admin, "ROLLBACK");
            look(&mut admin, "1 2 3 4 5");
        }
        accepted(&mut admin, "BEGIN; SAVEPOINT s; ALTER EXTENSION leadguard UPDATE");
        look(&mut admin, "1 2 3 4 5");
        accepted(&mut admin, "ROLLBACK TO s; ALTER EXTENSION leadguard UPDATE");
        look(&mut admin, "1 2 3 4 5");
        accepted(&mut admin, "COMMIT");
        look(&mut admin, "1 2 3 4 5");
    }
}

// 0.3.0 changes what roles may say, and every statement on a protected table reads roles.
#[test]
fn an_update_waits_for_open_transactions_and_gives_up_in_time() {
    for version in versions() {
        let db = old("upgrade_locks", version);
        found(&db);
        let mut admin = db.admin();
        let mut boss = db.connect("admin");
        accepted(&mut boss, "BEGIN; SELECT id FROM crm.lead");
        accepted(&mut admin, "SET lock_timeout = '100ms'");
        refused(&mut admin, "ALTER EXTENSION leadguard UPDATE", "55P03");
        assert_eq!(installed(&mut admin), version);
        assert_eq!(ids(&mut boss, "SELECT id FROM crm.lead").len(), 15);
        assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM crm.lead"), set("1 2 3 4 5"));

        accepted(&mut admin, "RESET lock_timeout");
        let mut writer = db.admin();
        accepted(&mut writer, "BEGIN; DELETE FROM leadguard.member_role WHERE role = 'administrator'");
        let waiting = pid(&mut admin);
        std::thread::scope(|scope| {
            let done = scope.spawn(|| update(&mut admin));
            assert!(blocked(&mut writer, waiting), "{version}: open transactions go first");
            accepted(&mut boss, "COMMIT");
            accepted(&mut writer, "COMMIT");
            done.join().expect("the update ends when they have ended");
        });
        assert_eq!(ids(&mut boss, "SELECT id FROM crm.lead"), set(""));
        assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM crm.lead"), set("1 2 3 4 5"));
    }
}
