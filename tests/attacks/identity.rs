//! Becoming somebody else as a person: settings, roles, recycled and confusable names, and members who are switched off.

use leadguard_tests::{accepted, code, refused, rows, scalar};

use crate::lab::{ALICE, app, attempt, begin_as, cast, connect_with, reads};

// A setting can be written by anyone who can send SQL, even inside the very SELECT that leaks.
#[test]
fn attack_22_settings_are_not_identity() {
    let db = cast("attack_22");
    let mut admin = db.admin();
    let carl = scalar(&mut admin, "SELECT id FROM leadguard.member WHERE key = 'carl'");
    let mut alice = db.connect("alice");
    let mut names: Vec<String> = rows(&mut admin, "SELECT name FROM pg_settings WHERE name LIKE 'leadguard.%'")
        .into_iter()
        .map(|r| r[0].clone())
        .collect();
    names.extend(
        [
            "app.member",
            "leadguard.member",
            "leadguard.member_id",
            "leadguard.current_member",
            "leadguard.worker_identity",
        ]
        .map(String::from),
    );
    for name in &names {
        for value in [carl.as_str(), "carl", "1", "on", ""] {
            // Refused or without effect: both are right, a wider view is not.
            let _ = attempt(&mut alice, &format!("SET {name} = '{value}'"));
            let _ = attempt(&mut alice, &format!("SELECT set_config('{name}', '{value}', false)"));
            assert_eq!(reads(&mut alice), ALICE, "{name} = {value}");
            assert_eq!(code(&mut alice, "UPDATE crm.lead SET amount = 1 WHERE id = 9 RETURNING id"), "ok");
        }
    }
    alice
        .batch_execute(
            "SET request.jwt.claims = '{\"sub\": \"carl\", \"role\": \"carl\"}'; SET request.jwt.claim.sub = 'carl'",
        )
        .unwrap();
    assert_eq!(reads(&mut alice), ALICE);
    let inside = format!(
        "SELECT count(*) FROM (SELECT set_config('leadguard.member', '{carl}', true) AS s OFFSET 0) s,
         LATERAL (SELECT * FROM crm.lead WHERE length(s.s) > 0 OFFSET 0) l WHERE id > 5"
    );
    assert!(
        ["0", ""]
            .contains(&attempt(&mut alice, &inside).map_or(String::new(), |_| scalar(&mut alice, &inside)).as_str())
    );
    let role = db.role("alice");
    let _ = attempt(&mut alice, &format!("ALTER ROLE {role} SET leadguard.member = '{carl}'"));
    let _ = attempt(&mut alice, &format!("ALTER ROLE {role} SET role = '{}'", db.role("carl")));
    let mut again = db.connect("alice");
    assert_eq!(reads(&mut again), ALICE);
    let mut optioned = connect_with(&db, "alice", "-c app.member=carl -c request.jwt.claims={\"sub\":\"carl\"}");
    assert_eq!(reads(&mut optioned), ALICE);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE id > 5 AND amount = 1"), "0");
    // Twin: what does decide is the session's role.
    admin.batch_execute(&format!("SET SESSION AUTHORIZATION {}", db.role("carl"))).unwrap();
    assert_eq!(reads(&mut admin), "9,10");
}

// SET ROLE is no cage and no key: a person stays the member of the session role.
#[test]
fn attack_23_reset_role() {
    let db = cast("attack_23");
    db.admin()
        .batch_execute(&format!(
            "GRANT {0}, {1}, {2} TO {3}",
            db.role("carl"),
            db.role("ceo"),
            db.role("admin"),
            db.role("alice")
        ))
        .unwrap();
    let mut alice = db.connect("alice");
    for other in ["carl", "ceo", "admin"] {
        let role = db.role(other);
        alice.batch_execute(&format!("SET ROLE {role}")).unwrap();
        assert_eq!(reads(&mut alice), ALICE, "SET ROLE {other}");
        assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET amount = 5"), 5);
        alice.batch_execute(&format!("RESET ROLE; BEGIN; SET LOCAL ROLE {role}")).unwrap();
        assert_eq!(reads(&mut alice), ALICE);
        alice.batch_execute("RESET ROLE; COMMIT").unwrap();
        refused(&mut alice, &format!("SET SESSION AUTHORIZATION {role}"), "42501");
    }
    alice.batch_execute("SET SESSION AUTHORIZATION DEFAULT").unwrap();
    alice.batch_execute("DISCARD ALL").unwrap();
    assert_eq!(reads(&mut alice), ALICE);
    // Twin: a superuser's SET SESSION AUTHORIZATION is another session role, and back.
    let mut admin = db.admin();
    admin.batch_execute(&format!("SET SESSION AUTHORIZATION {}", db.role("ceo"))).unwrap();
    assert_eq!(reads(&mut admin), "1,2,3,4,5,6,7,8,9,10");
    admin.batch_execute(&format!("RESET SESSION AUTHORIZATION; SET ROLE {}", db.role("ceo"))).unwrap();
    assert_eq!(
        scalar(&mut admin, "SELECT leadguard.current_member() IS NULL"),
        "t",
        "SET ROLE makes a superuser nobody's member"
    );
    admin.batch_execute(&format!("RESET ROLE; SET SESSION AUTHORIZATION {}", db.role("alice"))).unwrap();
    assert_eq!(reads(&mut admin), ALICE);
}

// A login name that is dropped and given to a new hire inherits the old member's sight if only the name is kept.
#[test]
fn attack_42_recycled_login_name() {
    let db = cast("attack_42");
    let mut admin = db.admin();
    let carl = db.role("carl");
    assert_eq!(reads(&mut db.connect("carl")), "9,10");
    admin.batch_execute(&format!("DROP OWNED BY {carl}; DROP ROLE {carl}; CREATE ROLE {carl} LOGIN")).unwrap();
    admin
        .batch_execute(&format!("GRANT USAGE ON SCHEMA crm, leadguard TO {carl}; GRANT ALL ON crm.lead TO {carl}"))
        .unwrap();
    let mut hire = db.connect("carl");
    assert_eq!(reads(&mut hire), "");
    assert_eq!(scalar(&mut hire, "SELECT leadguard.current_member() IS NULL"), "t");
    refused(&mut hire, "UPDATE crm.lead SET name = 'x'", "42501");
    refused(&mut hire, "INSERT INTO crm.lead (name) VALUES ('x')", "42501");
    refused(&mut hire, "SELECT leadguard.rebind_roles()", "42501");
    // Twin: an administrator says that this role is carl now.
    accepted(&mut admin, "SELECT leadguard.rebind_roles()");
    assert_eq!(reads(&mut hire), "9,10");
}

// The other half: the same OID under another name is not the registered login either.
#[test]
fn attack_42_renamed_login() {
    let db = cast("attack_42_renamed");
    let mut admin = db.admin();
    let (carl, anton) = (db.role("carl"), db.role("anton"));
    let spare = db.role("spare");
    admin.batch_execute(&format!("ALTER ROLE {carl} RENAME TO {spare}; ALTER ROLE {anton} RENAME TO {carl};")).unwrap();
    let mut under_new_name = db.connect("spare");
    assert_eq!(reads(&mut under_new_name), "", "carl's OID, but not carl's name");
    refused(&mut under_new_name, "DELETE FROM crm.lead", "42501");
    let mut under_carls_name = db.connect("carl");
    assert_eq!(reads(&mut under_carls_name), "", "carl's name, but anton's OID");
    drop((under_new_name, under_carls_name));
    // Twin: with the names back, both are who they were.
    admin.batch_execute(&format!("ALTER ROLE {carl} RENAME TO {anton}; ALTER ROLE {spare} RENAME TO {carl};")).unwrap();
    assert_eq!(reads(&mut db.connect("carl")), "9,10");
    assert_eq!(reads(&mut db.connect("anton")), "6,7,8");
}

// Keys and login names are compared byte for byte: look-alikes are somebody else.
#[test]
fn attack_42_confusable_names() {
    let db = cast("attack_42_confusable");
    let mut admin = db.admin();
    let twin = db.create_role("twin");
    admin
        .batch_execute(
            "INSERT INTO leadguard.member (key, name) VALUES (U&'caf\\00E9', 'composed'), (U&'cafe\\0301', 'decomposed'), (repeat('a', 70), 'long');
             INSERT INTO crm.lead (owner_id, name) SELECT id, name FROM leadguard.member WHERE name IN ('composed', 'decomposed', 'long');",
        )
        .unwrap();
    let mut c = app(&db);
    for (key, name) in [("caf\u{e9}", "composed"), ("cafe\u{301}", "decomposed")] {
        begin_as(&mut c, key);
        assert_eq!(scalar(&mut c, "SELECT string_agg(name, ',') FROM crm.lead"), name);
        c.batch_execute("COMMIT").unwrap();
    }
    for alias in ["CAFE\u{301}", "cafe", &"a".repeat(63), &"a".repeat(69), &"a".repeat(71)] {
        c.batch_execute("BEGIN").unwrap();
        let error = refused(&mut c, &format!("SELECT leadguard.act_as('{alias}')"), "28000");
        assert!(error.hint().is_some(), "{error}");
        c.batch_execute("ROLLBACK").unwrap();
    }
    begin_as(&mut c, &"a".repeat(70));
    c.batch_execute("COMMIT").unwrap();
    // One login is one member, and one member has one login.
    admin.batch_execute(&format!("UPDATE leadguard.member SET db_role = '{twin}' WHERE name = 'composed'")).unwrap();
    refused(&mut admin, &format!("UPDATE leadguard.member SET db_role = '{twin}' WHERE name = 'decomposed'"), "23505");
    assert_eq!(scalar(&mut db.connect("twin"), "SELECT string_agg(name, ',') FROM crm.lead"), "composed");
}

// A login without a registration, and one whose member is switched off in an open session, are nobody.
#[test]
fn unregistered_and_inactive_logins_are_nobody() {
    let db = cast("nobody");
    let mut admin = db.admin();
    let mallory = db.create_role("mallory");
    admin
        .batch_execute(&format!("GRANT USAGE ON SCHEMA crm TO {mallory}; GRANT ALL ON crm.lead TO {mallory}"))
        .unwrap();
    let mut stranger = db.connect("mallory");
    assert_eq!(reads(&mut stranger), "");
    for write in [
        "UPDATE crm.lead SET name = 'x'",
        "UPDATE crm.lead SET name = 'x' WHERE id = -1",
        "DELETE FROM crm.lead WHERE false",
        "INSERT INTO crm.lead (name) SELECT 'x' WHERE false",
        "MERGE INTO crm.lead t USING (VALUES (-1)) s(id) ON t.id = s.id WHEN MATCHED THEN DELETE",
    ] {
        refused(&mut stranger, write, "42501");
    }
    let mut mona = db.connect("mona");
    mona.batch_execute("PREPARE q AS SELECT count(*) FROM crm.lead").unwrap();
    assert_eq!(scalar(&mut mona, "EXECUTE q"), "8");
    admin.batch_execute("UPDATE leadguard.member SET active = false WHERE key = 'mona'").unwrap();
    assert_eq!(scalar(&mut mona, "EXECUTE q"), "0", "the next statement of an open session is bound");
    assert_eq!(scalar(&mut mona, "SELECT leadguard.current_member() IS NULL"), "t");
    refused(&mut mona, "UPDATE crm.lead SET name = 'x'", "42501");
    assert_eq!(reads(&mut db.connect("vp")), "1,2,3,4,5,6,7,8", "an inactive manager does not break the chain above");
    // Twin: switched on again, the same session reads as before.
    admin.batch_execute("UPDATE leadguard.member SET active = true WHERE key = 'mona'").unwrap();
    assert_eq!(scalar(&mut mona, "EXECUTE q"), "8");
    assert_eq!(accepted(&mut mona, "UPDATE crm.lead SET name = 'x'"), 8);
}

// NULL in a comparison is neither yes nor no: rows without owner or territory belong to nobody but administrators.
#[test]
fn null_owner_and_territory_open_nothing() {
    let db = cast("nulls");
    let mut admin = db.admin();
    admin.batch_execute("INSERT INTO leadguard.member (key, name, db_role) VALUES ('new', 'New', NULL)").unwrap();
    for person in ["alice", "mona", "ceo", "tina", "ted", "loner", "viewer", "amy"] {
        let mut c = db.connect(person);
        let sql = "SELECT count(*) FROM crm.lead WHERE owner_id IS NULL";
        assert_eq!(scalar(&mut c, sql), "0", "{person}");
        assert_eq!(
            scalar(&mut c, "SELECT count(*) FROM crm.lead WHERE (owner_id IS NULL) IS NOT FALSE AND id = 13"),
            "0",
            "{person}"
        );
    }
    let mut admin_member = db.connect("admin");
    assert_eq!(scalar(&mut admin_member, "SELECT count(*) FROM crm.lead WHERE owner_id IS NULL"), "1");
    for expression in ["NULL::bigint", "0", "-1", "9223372036854775807"] {
        let visible = format!(
            "SELECT leadguard.visible('crm.lead'::regclass, 1::bigint, {expression}::bigint, NULL::bigint, NULL::bigint)"
        );
        assert_ne!(scalar(&mut db.connect("alice"), &visible), "t", "{expression}");
    }
}
