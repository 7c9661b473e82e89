//! Objects of the attacker's own in front of the real ones: temporary tables, operators and functions on the search path.

use leadguard_tests::{Db, accepted, code, rows, scalar};

use crate::lab::{ALICE, app, begin_as, cast, reads, told};

/// Lets a member put a schema in front of everything, filled with operators and functions that say who runs them.
fn trap(db: &Db, short: &str) {
    let role = db.role(short);
    let mut sql = format!("CREATE SCHEMA trap AUTHORIZATION {role}; SET SESSION AUTHORIZATION {role};");
    for kind in ["bigint", "int", "text", "varchar", "name", "oid", "boolean", "regclass", "timestamptz"] {
        for (operator, name) in [("=", "eq"), ("<>", "ne"), ("<", "lt"), (">", "gt")] {
            sql.push_str(&format!(
                "CREATE FUNCTION trap.{name}({kind}, {kind}) RETURNS boolean LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO lab.obs VALUES (current_user, '{operator} {kind}'); RETURN true; END $$;
                 CREATE OPERATOR trap.{operator} (LEFTARG = {kind}, RIGHTARG = {kind}, FUNCTION = trap.{name});"
            ));
        }
    }
    sql.push_str("RESET SESSION AUTHORIZATION");
    db.admin().batch_execute(&sql).expect("the trap can be set");
}

// pg_temp is searched first even with a pinned path that does not name it: a temporary closure shadows the real one.
#[test]
fn attack_06_temporary_tables_shadow_nothing() {
    let db = cast("attack_06");
    let number = |key: &str| scalar(&mut db.admin(), &format!("SELECT id FROM leadguard.member WHERE key = '{key}'"));
    let (alice_id, ceo) = (number("alice"), number("ceo"));
    let mut alice = db.connect("alice");
    alice
        .batch_execute(&format!(
            "CREATE TEMP TABLE member_closure AS SELECT {alice_id}::bigint AS ancestor_id, g::bigint AS descendant_id, 0 AS depth
                 FROM generate_series(1, 1000) g;
             CREATE TEMP TABLE territory_closure AS TABLE member_closure;
             CREATE TEMP TABLE territory_member AS SELECT g::bigint AS territory_id, {alice_id}::bigint AS member_id
                 FROM generate_series(1, 1000) g;
             CREATE TEMP TABLE member_role AS SELECT {alice_id}::bigint AS member_id, 'administrator'::text AS role;
             CREATE TEMP TABLE role_binding AS SELECT oid AS role_oid, rolname AS db_role, 'person'::text AS mode, {ceo}::bigint AS member_id
                 FROM pg_roles WHERE rolname = session_user;
             CREATE TEMP TABLE login_role AS TABLE role_binding;
             CREATE TEMP TABLE member AS SELECT {alice_id}::bigint AS id, 1::bigint AS org_id, 'ceo'::text AS key, true AS active;
             CREATE TEMP TABLE record_grant AS SELECT g AS id, 'crm.lead'::regclass AS target, g::text AS record, {alice_id}::bigint AS member_id,
                 'full'::text AS level, 'share'::text AS kind FROM generate_series(1, 15) g;
             CREATE TEMP TABLE hierarchy_revision AS SELECT 'member'::text AS hierarchy, -1::bigint AS revision;
             CREATE TEMP TABLE protected_table AS SELECT 'crm.lead'::regclass AS target, false AS force;
             GRANT ALL ON ALL TABLES IN SCHEMA pg_temp TO PUBLIC;"
        ))
        .expect("temporary tables can be created");
    for path in ["DEFAULT", "pg_temp, leadguard, pg_catalog", "leadguard", "''", "leadguard, pg_temp, crm"] {
        alice.batch_execute(&format!("SET search_path = {path}")).unwrap();
        assert_eq!(reads(&mut alice), ALICE, "search_path = {path}");
        assert_eq!(scalar(&mut alice, "SELECT leadguard.can('read', 'crm.lead', '9')"), "f");
        assert_eq!(scalar(&mut alice, "SELECT leadguard.current_member()"), alice_id);
        assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET amount = 1"), 5);
        assert_eq!(code(&mut alice, "INSERT INTO crm.lead (owner_id) VALUES (1)"), "42501");
    }
    // Twin: the same edge in the real table counts with the next statement.
    db.admin()
        .batch_execute(&format!("UPDATE leadguard.member SET manager_id = {alice_id} WHERE key = 'carl'"))
        .unwrap();
    assert_eq!(reads(&mut alice), "1,2,3,4,5,9,10");
}

// An exact-match operator in a writable schema beats pg_catalog's: in definer code it runs with the definer's rights.
#[test]
fn attack_07_operator_shadowing() {
    let db = cast("attack_07");
    trap(&db, "alice");
    let role = db.role("alice");
    let mut alice = db.connect("alice");
    alice.batch_execute("SET search_path = trap, pg_catalog").unwrap();
    for sql in [
        "SELECT id FROM crm.lead",
        "UPDATE crm.lead SET amount = 3",
        "INSERT INTO crm.lead (name) VALUES ('x')",
        "SELECT leadguard.can('update', 'crm.lead', '1')",
        "SELECT * FROM leadguard.explain_access('crm.lead', '1', 'alice')",
        "SELECT * FROM leadguard.who_can('read', 'crm.lead', '1')",
        "SELECT * FROM leadguard.what_can('alice', 'crm.lead')",
        "SELECT * FROM leadguard.whoami()",
        "SELECT leadguard.share('crm.lead', '1', 'anton', 'read', 'together')",
        "SELECT leadguard.unshare('crm.lead', '1', 'anton')",
        "SELECT leadguard.team_add('crm.lead', '2', 'anton')",
        "SELECT leadguard.team_remove('crm.lead', '2', 'anton')",
        "SELECT * FROM leadguard.member",
        "DELETE FROM crm.lead",
    ] {
        let answer = code(&mut alice, sql);
        assert!(["ok", "42501"].contains(&answer.as_str()), "{sql}: {answer}");
        let foreign: Vec<_> = told(&db).into_iter().filter(|o| !o.starts_with(&format!("{role}: "))).collect();
        assert!(foreign.is_empty(), "{sql} ran the attacker's operators as another role: {foreign:?}");
    }
    // Twin: the trap does snap, as alice, when alice compares.
    alice.batch_execute("SELECT 1::bigint = 2::bigint").unwrap();
    assert_eq!(told(&db), [format!("{role}: = bigint")]);
}

// The policy must not depend on operators of the path either: a true-for-everything '=' shows no row more.
#[test]
fn attack_07_operators_decide_no_row() {
    let db = cast("attack_07_rows");
    trap(&db, "alice");
    let mut alice = db.connect("alice");
    let all = "SELECT count(*) FROM crm.lead";
    alice.batch_execute("SET search_path = trap, pg_catalog; SET plan_cache_mode = force_generic_plan").unwrap();
    assert_eq!(scalar(&mut alice, all), "5");
    told(&db);
    for enabled in ["on", "off"] {
        alice.batch_execute(&format!("SET enable_indexscan = {enabled}; SET enable_bitmapscan = {enabled}")).unwrap();
        assert_eq!(scalar(&mut alice, all), "5");
    }
    assert_eq!(told(&db), Vec::<String>::new(), "no operator of the path took part");
    // Twin: without leadguard in between, her '=' says yes to everything.
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM generate_series(1::bigint, 15) g WHERE g = 3::bigint"), "15");
}

// The same traps for administrators: what a superuser or a connector runs with the attacker's schema on its path.
#[test]
fn shadowed_operators_do_not_run_as_administrator() {
    let db = cast("shadow_admin");
    trap(&db, "alice");
    db.admin().batch_execute("GRANT USAGE ON SCHEMA trap TO PUBLIC").unwrap();
    let mut admin = db.admin();
    admin.batch_execute("SET search_path = trap, pg_catalog").unwrap();
    for sql in [
        "UPDATE leadguard.member SET manager_id = NULL",
        "INSERT INTO leadguard.territory (key, name) VALUES ('new', 'New')",
        "UPDATE leadguard.territory SET parent_id = NULL",
        "INSERT INTO leadguard.member (key, name) VALUES ('fresh', 'Fresh')",
        "SELECT leadguard.rebuild_closure()",
        "SELECT * FROM leadguard.verify_closure()",
        "SELECT leadguard.rebind_roles()",
        "SELECT leadguard.team_add('crm.lead', '1', 'anton')",
        "SELECT leadguard.reassign('crm.lead', '1', owner => 'anton')",
        "SELECT leadguard.unprotect('crm.lead')",
        "SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id')",
    ] {
        assert_eq!(code(&mut admin, sql), "ok", "{sql}");
        assert_eq!(told(&db), Vec::<String>::new(), "{sql} compared with the attacker's operators");
    }
    let mut c = app(&db);
    c.batch_execute("SET search_path = trap, pg_catalog").unwrap();
    begin_as(&mut c, "carl");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.lead"), "2");
    c.batch_execute("COMMIT").unwrap();
    assert_eq!(told(&db), Vec::<String>::new());
    // Twin: the administrator's own comparison does run them.
    admin.batch_execute("SELECT 'a'::text = 'b'::text").unwrap();
    assert_eq!(rows(&mut db.admin(), "SELECT v FROM lab.obs"), [["= text".to_string()]]);
}
