//! The extension as a package: who may create, drop and dump it, and what is left when it goes.

use leadguard_tests::{Db, accepted, code, ids, refused, rows, scalar};

use crate::lab::{ALICE, attempt, cast, reads, whole};

// Functions are EXECUTE-able by PUBLIC by default: every administrative function would be callable.
#[test]
fn attack_44_default_acl() {
    let db = cast("attack_44");
    let mallory = db.create_role("mallory");
    let mut admin = db.admin();
    admin.batch_execute(&format!("GRANT USAGE ON SCHEMA leadguard, crm TO {mallory}")).unwrap();
    let calls = [
        "SELECT leadguard.verify_closure()",
        "SELECT leadguard.rebuild_closure()",
        "SELECT leadguard.rebind_roles()",
        "SELECT leadguard.protect('crm.lead', id => 'id')",
        "SELECT leadguard.unprotect('crm.lead')",
        "SELECT leadguard.connector(session_user::name, 'trusted')",
        "SELECT leadguard.analyst(session_user::name, 'ceo')",
        "SELECT leadguard.act_as('ceo')",
        "SELECT leadguard.team_add('crm.lead', '1', 'carl')",
        "SELECT leadguard.share('crm.lead', '1', 'carl')",
        "SELECT leadguard.reassign('crm.lead', '1', owner => 'carl')",
    ];
    for person in ["mallory", "alice", "viewer"] {
        let mut c = db.connect(person);
        for sql in &calls[..8] {
            refused(&mut c, sql, "42501");
        }
    }
    let mut mallory = db.connect("mallory");
    for sql in &calls[8..] {
        refused(&mut mallory, sql, "42501");
    }
    assert_eq!(reads(&mut db.connect("alice")), ALICE);
    assert_eq!(reads(&mut db.connect("carl")), "9,10");
    // Twins: the same calls by those who may.
    for sql in [calls[0], calls[1], calls[2], calls[8]] {
        accepted(&mut admin, sql);
    }
    accepted(&mut db.connect("alice"), calls[9]);
}

// An install script that adopts objects of an attacker-owned schema hands them the extension.
#[test]
fn attack_45_prepared_schema() {
    let db = Db::bare("attack_45");
    let mallory = db.create_role("mallory");
    let mut admin = db.admin();
    for preparation in [
        format!("CREATE SCHEMA leadguard AUTHORIZATION {mallory}"),
        format!(
            "CREATE SCHEMA leadguard AUTHORIZATION {mallory}; SET SESSION AUTHORIZATION {mallory};
             CREATE FUNCTION leadguard.current_member() RETURNS bigint LANGUAGE sql AS 'SELECT 1'; RESET SESSION AUTHORIZATION"
        ),
        format!(
            "CREATE SCHEMA leadguard AUTHORIZATION {mallory}; SET SESSION AUTHORIZATION {mallory};
             CREATE TABLE leadguard.member (id bigint); RESET SESSION AUTHORIZATION"
        ),
    ] {
        admin.batch_execute(&preparation).unwrap();
        let e = attempt(&mut admin, "CREATE EXTENSION leadguard").expect_err("a schema of somebody else is not adopted");
        assert_ne!(e.code().code(), "XX000", "{}", whole(&e));
        assert_eq!(scalar(&mut admin, "SELECT count(*) FROM pg_extension WHERE extname = 'leadguard'"), "0");
        admin.batch_execute("DROP SCHEMA leadguard CASCADE").unwrap();
    }
    let mut attacker = db.connect("mallory");
    refused(&mut attacker, "CREATE EXTENSION leadguard", "42501");
    // Twin: without the prepared schema it installs, and the schema belongs to the installer alone.
    accepted(&mut admin, "CREATE EXTENSION leadguard");
    for sql in [
        "ALTER SCHEMA leadguard RENAME TO gone",
        "DROP SCHEMA leadguard CASCADE",
        "DROP EXTENSION leadguard CASCADE",
        "CREATE FUNCTION leadguard.current_member(int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 99'",
        "CREATE TABLE leadguard.mine (x int)",
    ] {
        refused(&mut attacker, sql, "42501");
    }
}

// DROP EXTENSION CASCADE takes the policies and the guards: what is left must be closed, not open.
#[test]
fn attack_46_drop_extension_fails_closed() {
    let db = cast("attack_46");
    let mut admin = db.admin();
    admin.batch_execute("GRANT ALL ON crm.lead TO PUBLIC").unwrap();
    let mut alice = db.connect("alice");
    refused(&mut admin, "DROP EXTENSION leadguard", "2BP01");
    assert_eq!(reads(&mut alice), ALICE);
    accepted(&mut admin, "DROP EXTENSION leadguard CASCADE");
    assert_eq!(reads(&mut alice), "");
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET name = 'x'"), 0);
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead"), 0);
    refused(&mut alice, "INSERT INTO crm.lead (name) VALUES ('x')", "42501");
    // Twin: the rows are all there for who may pass row security.
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "15");
}

// Single members of the extension cannot be taken out from under a protected table either.
#[test]
fn attack_46_no_part_can_be_taken_away() {
    let db = cast("attack_46_parts");
    let mut admin = db.admin();
    let functions = rows(
        &mut admin,
        "SELECT format('DROP %s %s', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure)
         FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
         JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'leadguard'",
    );
    assert!(functions.len() > 10);
    for drop in &functions {
        refused(&mut admin, &drop[0], "2BP01");
    }
    for column in ["id", "owner_id", "territory_id"] {
        refused(&mut admin, &format!("ALTER TABLE crm.lead DROP COLUMN {column}"), "2BP01");
    }
    let mut alice = db.connect("alice");
    assert_eq!(reads(&mut alice), ALICE);
    accepted(&mut admin, "ALTER TABLE crm.lead DROP COLUMN amount");
    assert_eq!(reads(&mut alice), ALICE, "twin: a column that is not mapped goes alone");
    let _ = code(&mut admin, "ALTER TABLE crm.lead DROP COLUMN territory_id CASCADE");
    let left = code(&mut alice, "SELECT id FROM crm.lead");
    let seen = if left == "ok" { ids(&mut alice, "SELECT id FROM crm.lead").len() } else { 0 };
    assert!(seen == 0 || seen == 5, "a dropped mapped column opens nothing: {seen} rows, {left}");
}

// A dump taken by someone under row security is an error or a part; the directory must be in a dump, what is derived must not.
#[test]
fn attack_47_pg_dump() {
    let db = cast("attack_47");
    db.admin().batch_execute("GRANT SELECT ON ALL SEQUENCES IN SCHEMA crm TO PUBLIC").unwrap();
    let dump = |user: &str, arguments: &[&str]| {
        let out = db.tool("pg_dump", user).args(["-d", db.name()]).args(arguments).output().expect("pg_dump runs");
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned(),
            String::from_utf8_lossy(&out.stderr).into_owned(),
        )
    };
    let (done, _, complaint) = dump("alice", &["--data-only", "-t", "crm.lead"]);
    assert!(!done && complaint.contains("row-level security"), "{complaint}");
    let (_, text, complaint) =
        dump("alice", &["--data-only", "--enable-row-security", "--column-inserts", "-t", "crm.lead"]);
    assert_eq!(text.matches("INSERT INTO").count(), 5, "{complaint}");
    assert!(!text.contains("CANARY"));
    let (done, text, complaint) = dump("postgres", &[]);
    assert!(done && !complaint.contains("unsupported"), "{complaint}");
    assert!(text.contains("CANARY"), "twin: the superuser's dump is whole");
    for kept in ["member", "territory", "territory_member", "member_role", "protected_table"] {
        assert!(text.contains(&format!("COPY leadguard.{kept} (")), "{kept} is dumped");
    }
    for derived in ["member_closure", "territory_closure", "role_binding"] {
        assert!(!text.contains(&format!("COPY leadguard.{derived} (")), "{derived} is not dumped");
    }
}
