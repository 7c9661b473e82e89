//! The setting that carries an identity to parallel workers gives nobody one.

use leadguard_tests::{Client, Db, accepted, code, rows, scalar, server};
use postgres::NoTls;

use crate::lab::{begin_as, book, reached};

const COUNT: &str = "SELECT count(*) FROM crm.lead";

/// Workers do the counting: they are the only ones who read the setting.
const WORKERS: &str = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
    SET parallel_leader_participation = off; SET max_parallel_workers_per_gather = 2;
    SET enable_bitmapscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off";

/// What the setting would say if `login` acted as `key`.
fn forged(db: &Db, key: &str, login: &str) -> String {
    scalar(
        &mut db.admin(),
        &format!(
            "SELECT m.id || ' ' || r.oid FROM leadguard.member AS m, pg_roles AS r WHERE m.key = '{key}' AND r.rolname = '{}'",
            db.role(login)
        ),
    )
}

fn parallel_book(name: &str) -> Db {
    let db = book(name);
    accepted(&mut db.admin(), "ALTER TABLE crm.lead SET (parallel_workers = 2)");
    db
}

#[test]
fn nobody_sets_for_whom_he_acts() {
    let db = parallel_book("acting_set");
    let rep = reached(&db, "rep1", "crm.lead");
    for login in ["rep1", "app", "guest1"] {
        let value = forged(&db, "top", login);
        let expected = match login {
            "rep1" => rep.as_str(),
            _ => "0",
        };
        // Before the library is loaded, and after.
        for load in ["", "SELECT leadguard.current_member()"] {
            for attempt in [
                format!("SET leadguard.acting = '{value}'"),
                format!("SET SESSION leadguard.acting TO '{value}'"),
                format!("SELECT set_config('leadguard.acting', '{value}', false)"),
                format!("DO $$ BEGIN PERFORM set_config('leadguard.acting', '{value}', false); END $$"),
                format!(
                    "CREATE FUNCTION pg_temp.f() RETURNS bigint LANGUAGE sql SET leadguard.acting = '{value}' AS 'SELECT count(*) FROM crm.lead'"
                ),
                format!("UPDATE pg_settings SET setting = '{value}' WHERE name = 'leadguard.acting'"),
            ] {
                let mut c = db.connect(login);
                accepted(&mut c, WORKERS);
                if !load.is_empty() {
                    accepted(&mut c, load);
                }
                let state = code(&mut c, &attempt);
                assert_eq!(scalar(&mut c, COUNT), expected, "{login}: {attempt} ({state}, {load})");
                if code(&mut c, "SELECT pg_temp.f()") == "ok" {
                    assert_eq!(scalar(&mut c, "SELECT pg_temp.f()"), expected, "{login}: {attempt}");
                }
                if !load.is_empty() && !attempt.starts_with("UPDATE") {
                    assert_ne!(state, "ok", "{login}: {attempt}");
                }
            }
        }
    }
}

#[test]
fn nor_at_the_start_of_a_connection() {
    let db = parallel_book("acting_start");
    let rep = reached(&db, "rep1", "crm.lead");
    for (login, expected) in [("rep1", rep.as_str()), ("app", "0")] {
        let value = forged(&db, "top", login).replace(' ', "\\ ");
        let options = format!("-c leadguard.acting={value}");
        let connected = server().config(&db.role(login), db.name()).options(&options).connect(NoTls);
        if let Ok(mut c) = connected {
            accepted(&mut c, WORKERS);
            assert_eq!(scalar(&mut c, COUNT), expected, "{login}, in the options");
            assert_eq!(scalar(&mut c, COUNT), expected, "{login}, again");
        }
        // As a setting of the role, before any session of it has the library.
        let mut c = db.connect(login);
        let state = code(
            &mut c,
            &format!("ALTER ROLE {} SET leadguard.acting = '{}'", db.role(login), forged(&db, "top", login)),
        );
        let mut c = db.connect(login);
        accepted(&mut c, WORKERS);
        assert_eq!(scalar(&mut c, COUNT), expected, "{login}, ALTER ROLE ({state})");
        assert_eq!(scalar(&mut c, COUNT), expected, "{login}, again");
        let _ = code(&mut c, &format!("ALTER ROLE {} RESET ALL", db.role(login)));
    }
}

#[test]
fn nobody_loses_it_either() {
    let db = parallel_book("acting_reset");
    let mut app: Client = db.connect("app");
    let top = reached(&db, "top", "crm.lead");
    for attempt in [
        "RESET ALL",
        "RESET leadguard.acting",
        "SET leadguard.acting = ''",
        "SET LOCAL leadguard.acting TO DEFAULT",
        "SELECT set_config('leadguard.acting', '', true)",
        "SELECT set_config('leadguard.acting', NULL, false)",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    ] {
        begin_as(&mut app, "top");
        accepted(&mut app, "SAVEPOINT s");
        if code(&mut app, attempt) != "ok" {
            accepted(&mut app, "ROLLBACK TO s");
        }
        accepted(&mut app, WORKERS);
        assert_eq!(scalar(&mut app, COUNT), top, "{attempt}");
        accepted(&mut app, "COMMIT");
        assert_eq!(scalar(&mut app, COUNT), "0", "nobody after {attempt}");
        accepted(&mut app, "DISCARD ALL");
    }
    // It is not among the settings that people look at.
    assert!(rows(&mut app, "SHOW ALL").iter().all(|r| r[0] != "leadguard.acting"));
}
