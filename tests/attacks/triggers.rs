//! The extension's trigger functions, hung on tables of the attacker's own: they run with the rights of the extension's owner
//! and read transition tables that the attacker fills.

use leadguard_tests::{Client, Db, DbError, accepted, refused, rows, scalar};

use crate::lab::{ALICE, attempt, cast, reads, told, whole};

fn trigger_functions(admin: &mut Client) -> Vec<String> {
    rows(admin, "SELECT proname FROM pg_proc WHERE pronamespace = 'leadguard'::regnamespace AND prorettype = 'trigger'::regtype ORDER BY 1")
        .into_iter()
        .map(|r| r[0].clone())
        .collect()
}

const EVENTS: [(&str, &str); 3] = [
    ("INSERT", "REFERENCING NEW TABLE AS new_rows"),
    ("UPDATE", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"),
    ("DELETE", "REFERENCING OLD TABLE AS old_rows"),
];

/// Tries every trigger function in every position on alice's table, with every argument the extension itself uses.
fn try_all(alice: &mut Client, functions: &[String], columns: &str, writes: &[&str]) -> usize {
    let mut hung = 0;
    for function in functions {
        for argument in ["", "'member'", "'territory'"] {
            for position in ["row", "statement", "transition"] {
                for when in ["BEFORE", "AFTER"] {
                    if position == "transition" && when == "BEFORE" {
                        continue;
                    }
                    alice
                        .batch_execute(&format!("CREATE TEMP TABLE own ({columns})"))
                        .expect("anybody has temporary tables");
                    for (event, tables) in EVENTS {
                        let (tables, each) = match position {
                            "row" => ("", "ROW"),
                            "statement" => ("", "STATEMENT"),
                            _ => (tables, "STATEMENT"),
                        };
                        let made = format!(
                            "CREATE TRIGGER t_{event} {when} {event} ON own {tables} FOR EACH {each} EXECUTE FUNCTION leadguard.{function}({argument})"
                        );
                        hung += usize::from(attempt(alice, &made).is_ok());
                    }
                    for write in writes {
                        if let Err(e) = attempt(alice, write) {
                            let broken =
                                |e: &DbError| e.code().code().starts_with("XX") && !e.hint().unwrap_or("").is_empty();
                            assert!(!broken(&e), "{function}({argument}) {position} {when}: {write}: {}", whole(&e));
                        }
                    }
                    alice.batch_execute("DROP TABLE own").unwrap();
                }
            }
        }
    }
    hung
}

#[test]
fn guards_on_foreign_tables_change_nothing() {
    let db = cast("foreign_guards");
    let mut admin = db.admin();
    let functions = trigger_functions(&mut admin);
    assert!(functions.len() > 2);
    let state = "SELECT (SELECT string_agg(revision::text, ',' ORDER BY hierarchy) FROM leadguard.hierarchy_revision)
                     || (SELECT md5(string_agg(c::text, ',' ORDER BY ancestor_id, descendant_id)) FROM leadguard.member_closure c)
                     || (SELECT md5(string_agg(b::text, ',' ORDER BY db_role)) FROM leadguard.role_binding b)";
    let before = scalar(&mut admin, state);
    let ids = scalar(&mut admin, "SELECT string_agg(format('(%s)', id), ', ') FROM leadguard.member");
    let alice_id = scalar(&mut admin, "SELECT id FROM leadguard.member WHERE key = 'alice'");
    let role = db.role("alice");
    let ceo = scalar(&mut admin, "SELECT id FROM leadguard.member WHERE key = 'ceo'");
    let mut alice = db.connect("alice");
    try_all(
        &mut alice,
        &functions,
        "id bigint, org_id bigint DEFAULT 1, key text DEFAULT 'ceo', name text, email text, kind text DEFAULT 'person', manager_id bigint, parent_id bigint,
         owner_id bigint, db_role name, active boolean DEFAULT true, member_id bigint, territory_id bigint, role text, mode text, target regclass",
        &[
            &format!("INSERT INTO own (id) VALUES {ids}"),
            &format!("UPDATE own SET manager_id = {alice_id}, parent_id = {alice_id}"),
            "UPDATE own SET id = id + 1000",
            "DELETE FROM own",
            &format!("INSERT INTO own (id, key, db_role, mode, member_id) VALUES ({ceo}, 'ceo', '{role}', 'trusted', {ceo})"),
            "DELETE FROM own",
        ],
    );
    assert_eq!(scalar(&mut admin, state), before, "a table of alice's own moved the hierarchy or a login");
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.verify_closure()"), Vec::<Vec<String>>::new());
    assert_eq!(reads(&mut alice), ALICE);
    assert_eq!(reads(&mut db.connect("ceo")), "1,2,3,4,5,6,7,8,9,10");
    // Twin: the same edge in the real table does change the state.
    admin.batch_execute(&format!("UPDATE leadguard.member SET manager_id = {alice_id} WHERE key = 'carl'")).unwrap();
    assert_ne!(scalar(&mut admin, state), before);
}

/// A type whose cast to json and whose operators say who runs them.
fn hostile_type(db: &Db) {
    let role = db.role("alice");
    db.admin()
        .batch_execute(&format!(
            "CREATE SCHEMA evil AUTHORIZATION {role}; SET SESSION AUTHORIZATION {role};
             CREATE TYPE evil.t AS ENUM ('1', '2');
             CREATE FUNCTION evil.to_json(evil.t) RETURNS json LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO lab.obs VALUES (current_user, 'cast'); RETURN '1'; END $$;
             CREATE CAST (evil.t AS json) WITH FUNCTION evil.to_json(evil.t);
             CREATE FUNCTION evil.to_big(evil.t) RETURNS bigint LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO lab.obs VALUES (current_user, 'int8'); RETURN 1; END $$;
             CREATE CAST (evil.t AS bigint) WITH FUNCTION evil.to_big(evil.t) AS IMPLICIT;
             CREATE DOMAIN evil.d AS bigint;
             CREATE FUNCTION evil.check(bigint) RETURNS boolean LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO lab.obs VALUES (current_user, 'domain'); RETURN true; END $$;
             ALTER DOMAIN evil.d ADD CHECK (evil.check(VALUE));
             RESET SESSION AUTHORIZATION;"
        ))
        .expect("a hostile type can be made by anyone with a schema");
}

// Code of the attacker's own, carried into the extension by a column type: it must never run as another role.
#[test]
fn foreign_column_types_run_no_code_as_the_extension() {
    let db = cast("foreign_types");
    hostile_type(&db);
    let mut admin = db.admin();
    let functions = trigger_functions(&mut admin);
    let role = db.role("alice");
    let mut alice = db.connect("alice");
    // What her code did is written down where it ran, which a parallel worker could not.
    accepted(&mut alice, "SET max_parallel_workers_per_gather = 0");
    for (id, extra) in [("bigint", "evil.t"), ("evil.t", "evil.t"), ("evil.d", "evil.d")] {
        try_all(
            &mut alice,
            &functions,
            &format!(
                "id {id}, org_id bigint DEFAULT 1, key text, name text, manager_id bigint, parent_id bigint, owner_id bigint, db_role name, active boolean, x {extra}"
            ),
            &["INSERT INTO own (id, x) VALUES ('1', '1')", "UPDATE own SET x = '2', manager_id = 2", "DELETE FROM own"],
        );
        let foreign: Vec<_> = told(&db).into_iter().filter(|o| !o.starts_with(&format!("{role}: "))).collect();
        assert!(foreign.is_empty(), "alice's code ran as another role: {foreign:?}");
    }
    // The same through the policy functions, which take values of any type.
    for sql in [
        "SELECT leadguard.visible('crm.lead'::regclass, '1'::evil.t, '1'::evil.t, '1'::evil.t, '1'::evil.t)",
        "SELECT leadguard.still_visible('crm.lead'::regclass, 1::evil.d, 1::evil.d, 1::evil.d, 1::evil.d)",
        "SELECT leadguard.acceptable('crm.lead'::regclass, 1::bigint, '1'::evil.t, NULL::bigint, NULL::bigint)",
    ] {
        let _ = attempt(&mut alice, sql);
        let foreign: Vec<_> = told(&db).into_iter().filter(|o| !o.starts_with(&format!("{role}: "))).collect();
        assert!(foreign.is_empty(), "{sql}: {foreign:?}");
    }
    // Twin: as herself it does run.
    alice.batch_execute("SELECT to_jsonb(ROW('1'::evil.t))").unwrap();
    assert_eq!(told(&db), [format!("{role}: cast")]);
    refused(
        &mut alice,
        "CREATE TRIGGER t BEFORE INSERT ON crm.lead FOR EACH ROW EXECUTE FUNCTION evil.nothing()",
        "42501",
    );
}

// A protected table in the attacker's own hands: its owner's types, defaults, triggers and expressions run as the caller.
#[test]
fn code_of_a_tables_owner_runs_as_the_caller() {
    let db = cast("owner_code");
    hostile_type(&db);
    let role = db.role("alice");
    let mut admin = db.admin();
    admin
        .batch_execute(&format!(
            "SET SESSION AUTHORIZATION {role};
             CREATE FUNCTION evil.note(text) RETURNS text LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO lab.obs VALUES (current_user, $1); RETURN $1; END $$;
             CREATE FUNCTION evil.noted() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM evil.note('trigger'); RETURN coalesce(NEW, OLD); END $$;
             GRANT USAGE ON SCHEMA evil TO PUBLIC;
             CREATE TABLE evil.deal (id bigint PRIMARY KEY, owner_id evil.d, note text DEFAULT evil.note('default'),
                 CHECK (evil.note('check') IS NOT NULL));
             CREATE TRIGGER noted BEFORE INSERT OR UPDATE OR DELETE ON evil.deal FOR EACH ROW EXECUTE FUNCTION evil.noted();
             GRANT SELECT, INSERT, UPDATE, DELETE ON evil.deal TO PUBLIC;
             RESET SESSION AUTHORIZATION;"
        ))
        .unwrap();
    let mut alice = db.connect("alice");
    let protect = "SELECT leadguard.protect('evil.deal', id => 'id', owner => 'owner_id')";
    if let Err(e) = attempt(&mut alice, protect) {
        assert!(["42501", "22023", "0A000"].contains(&e.code().code()), "{}", whole(&e));
        admin.batch_execute("ALTER TABLE evil.deal ALTER COLUMN owner_id TYPE bigint").unwrap();
        told(&db);
        attempt(&mut alice, protect).expect("the table's owner may protect it");
    }
    let postgres = "postgres: ";
    assert!(told(&db).iter().all(|o| !o.starts_with(postgres)), "protect ran the owner's code as a superuser");
    let mut carl = db.connect("carl");
    for sql in [
        "INSERT INTO evil.deal (id) VALUES (1)",
        "UPDATE evil.deal SET note = 'x'",
        "SELECT leadguard.can('update', 'evil.deal', '1')",
        "SELECT * FROM leadguard.explain_access('evil.deal', '1')",
        "SELECT * FROM leadguard.who_can('read', 'evil.deal', '1')",
        "SELECT leadguard.share('evil.deal', '1', 'anton', 'read')",
        "SELECT leadguard.reassign('evil.deal', '1', owner => 'anton')",
    ] {
        let _ = attempt(&mut carl, sql);
        let heard = told(&db);
        assert!(
            heard.iter().all(|o| !o.starts_with(postgres)),
            "{sql}: the owner's code ran as a superuser: {heard:?}"
        );
    }
    // Twin: a superuser who writes the table himself does run it.
    admin.batch_execute("INSERT INTO evil.deal (id) VALUES (2)").unwrap();
    assert!(told(&db).iter().any(|o| o.starts_with(postgres)));
}

/// Writes that a table of `protected_tables` takes from alice without more triggers.
const KINDS: [(&str, &[&str]); 4] = [
    ("lab.own", &["INSERT INTO lab.own VALUES (9)", "UPDATE lab.own SET name = 'x'", "DELETE FROM lab.own"]),
    ("lab.note", &["INSERT INTO lab.note (own, body) VALUES (1, 'x')"]),
    (
        "lab.tag",
        &["INSERT INTO lab.tag VALUES (1, 'event:x')", "UPDATE lab.tag SET tag = 'event:y'", "DELETE FROM lab.tag"],
    ),
    ("lab.deal", &["INSERT INTO lab.deal VALUES (9)", "UPDATE lab.deal SET name = 'x'", "DELETE FROM lab.deal"]),
];

// Whoever owns a protected table may hang the guards on it a second time, at a moment for which they are not made.
#[test]
fn guards_that_fire_at_another_moment_refuse() {
    let db = cast("trigger_moments");
    let mut admin = db.admin();
    accepted(&mut admin, "GRANT CREATE ON SCHEMA lab TO PUBLIC");
    let functions = trigger_functions(&mut admin);
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "CREATE TABLE lab.own (id int PRIMARY KEY, owner text, name text);
         CREATE TABLE lab.deal (id int, owner text, name text, PRIMARY KEY (id)) PARTITION BY HASH (id);
         CREATE TABLE lab.deal_0 PARTITION OF lab.deal FOR VALUES WITH (modulus 1, remainder 0);
         CREATE TABLE lab.note (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, own int, body text);
         CREATE TABLE lab.tag (own int, tag text, PRIMARY KEY (own, tag));
         INSERT INTO lab.own VALUES (1, 'alice'); INSERT INTO lab.deal VALUES (1, 'alice');
         SELECT leadguard.protect('lab.own', owner => 'owner', archived_at => 'gone'), leadguard.protect('lab.deal', owner => 'owner', archived_at => 'gone');
         SELECT leadguard.protect_notes('lab.note', 'lab.own', 'own', 'body'), leadguard.protect_tags('lab.tag', 'lab.own', 'own', 'tag');
         SELECT leadguard.tag_namespace('lab.own', 'event', 'sales')",
    );
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'sales' FROM leadguard.member WHERE key = 'alice';
         INSERT INTO lab.tag VALUES (1, 'event:first')",
    );
    let (mut refusals, mut passed) = (0, 0);
    for (table, writes) in KINDS {
        for function in &functions {
            for (each, when) in [("ROW", "BEFORE"), ("ROW", "AFTER"), ("STATEMENT", "BEFORE"), ("STATEMENT", "AFTER")] {
                let made = format!(
                    "BEGIN; CREATE TRIGGER a {when} INSERT OR UPDATE OR DELETE ON {table} FOR EACH {each} EXECUTE FUNCTION leadguard.{function}()"
                );
                for write in writes {
                    if attempt(&mut alice, &made).is_ok() {
                        match attempt(&mut alice, write) {
                            Ok(_) => passed += 1,
                            Err(e) => {
                                assert!(
                                    !e.code().code().starts_with("XX"),
                                    "{function} {when} {each}: {write}: {}",
                                    whole(&e)
                                );
                                refusals += 1;
                            }
                        }
                    }
                    accepted(&mut alice, "ROLLBACK");
                }
            }
        }
        for write in writes {
            accepted(&mut alice, &format!("BEGIN; {write}; ROLLBACK"));
        }
    }
    // The guards at their own moment pass, all others refuse.
    assert!(passed >= 10 && refusals > 100, "{passed} passed, {refusals} refused");
}
