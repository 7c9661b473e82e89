//! Attacks on the directory and on the functions underneath: cycles, depth, curiosity, tenants, direct calls.

use leadguard_tests::{Client, accepted, code, ids, member, refused, rows, scalar};

use crate::lab::{ALICE, attempt, cast, give_to_keeper, reads, whole};

fn sound(admin: &mut Client) {
    assert_eq!(rows(admin, "SELECT * FROM leadguard.verify_closure()"), Vec::<Vec<String>>::new());
}

// Cycles, deep chains and broken edges: refused with a code of their own, and nothing is left half done.
#[test]
fn attack_55_cycles_and_depth() {
    let db = cast("attack_55");
    let mut admin = db.admin();
    let picture = "SELECT md5(string_agg(m::text, ',' ORDER BY id)) FROM leadguard.member m";
    let before = scalar(&mut admin, picture);
    let under = |boss: &str, who: &str| {
        format!(
            "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = '{boss}') WHERE key = '{who}'"
        )
    };
    for (boss, who) in [("alice", "ceo"), ("alice", "mona"), ("mona", "vp")] {
        refused(&mut admin, &under(boss, who), "LG001");
    }
    refused(&mut admin, &under("ceo", "ceo"), "23514");
    refused(&mut admin, "UPDATE leadguard.member SET manager_id = 999999 WHERE key = 'alice'", "23503");
    // Two halves of a cycle in one statement; a ring of three among new members.
    refused(
        &mut admin,
        "UPDATE leadguard.member m SET manager_id = o.id FROM leadguard.member o
         WHERE (m.key, o.key) IN (('bob', 'carl'), ('carl', 'bob'))",
        "LG001",
    );
    refused(
        &mut admin,
        "INSERT INTO leadguard.member (id, key, manager_id) VALUES (9001, 'r1', 9003), (9002, 'r2', 9001), (9003, 'r3', 9002)",
        "LG001",
    );
    let chain = |n: i32| {
        format!(
            "INSERT INTO leadguard.member (id, key, manager_id) SELECT 9000 + g, 'chain' || g, NULLIF(8999 + g, 9000) FROM generate_series(1, {n}) g"
        )
    };
    refused(&mut admin, &chain(2000), "LG002");
    assert_eq!(scalar(&mut admin, picture), before);
    sound(&mut admin);
    let mut alice = db.connect("alice");
    assert_eq!(reads(&mut alice), ALICE);
    refused(&mut alice, "SET leadguard.max_depth = 10000", "42501");
    // Before the library is loaded anybody may write anything under the name; it must not count afterwards.
    let mut early = db.connect("admin");
    let _ = attempt(&mut early, "SET leadguard.max_depth = 10000");
    refused(&mut early, &chain(200), "LG002");
    let territory = "UPDATE leadguard.territory SET parent_id = (SELECT id FROM leadguard.territory WHERE key = 'bern') WHERE key = 'world'";
    refused(&mut admin, territory, "LG001");
    // Twins: a legal move, and a chain within the limit.
    accepted(&mut admin, &under("bob", "alice"));
    accepted(&mut admin, &chain(60));
    accepted(&mut admin, "UPDATE leadguard.territory SET parent_id = NULL WHERE key = 'dach'");
    sound(&mut admin);
    assert_eq!(reads(&mut db.connect("mona")), "6,7,8");
}

// Policies run with the caller's privileges: naive ones make the org chart readable to everybody.
#[test]
fn attack_63_the_directory_is_not_public() {
    let db = cast("attack_63");
    let mut admin = db.admin();
    admin
        .batch_execute(
            "UPDATE leadguard.member SET email = key || '@secret.example';
             INSERT INTO leadguard.organization (key, name) VALUES ('other', 'CANARY Ltd');
             INSERT INTO leadguard.member (org_id, key, name) SELECT id, 'spy', 'CANARY Spy' FROM leadguard.organization WHERE key = 'other';
             INSERT INTO leadguard.territory (org_id, key, name) SELECT id, 'moon', 'CANARY Moon' FROM leadguard.organization WHERE key = 'other';
             INSERT INTO leadguard.team (org_id, key, name) SELECT id, 'ring', 'CANARY Ring' FROM leadguard.organization WHERE key = 'other';
             INSERT INTO leadguard.member (key, name, kind, db_role) VALUES ('guest', 'Guest', 'guest', NULL);
             SELECT leadguard.team_add('crm.lead', '9', 'anton');
             UPDATE leadguard.member SET active = false WHERE key = 'anton';",
        )
        .unwrap();
    let guest = db.create_role("guest");
    admin.batch_execute(&format!("UPDATE leadguard.member SET db_role = '{guest}' WHERE key = 'guest'")).unwrap();
    for who in ["alice", "viewer", "admin", "guest"] {
        let mut c = db.connect(who);
        for table in [
            "member_closure",
            "territory_closure",
            "record_grant",
            "login_role",
            "role_binding",
            "protected_table",
            "hierarchy_revision",
            "table_grant",
        ] {
            let sql = format!("SELECT * FROM leadguard.{table}");
            let answer = code(&mut c, &sql);
            assert!(answer == "42501" || rows(&mut c, &sql).is_empty(), "{who} reads {table}");
        }
        if who != "admin" {
            for column in ["email", "db_role", "manager_id", "*"] {
                refused(&mut c, &format!("SELECT {column} FROM leadguard.member"), "42501");
            }
        }
        for sql in [
            "SELECT key || ' ' || name FROM leadguard.member",
            "SELECT key || ' ' || name FROM leadguard.territory",
            "SELECT key || ' ' || name FROM leadguard.team",
            "SELECT key || ' ' || name FROM leadguard.organization",
        ] {
            if let Ok(_n) = attempt(&mut c, sql) {
                assert!(!format!("{:?}", rows(&mut c, sql)).contains("CANARY"), "{who}: {sql}");
            }
        }
    }
    let names = ids(&mut db.connect("alice"), "SELECT key FROM leadguard.member");
    assert!(
        names.contains("carl") && !names.contains("anton") && !names.contains("spy"),
        "active members of her organization: {names:?}"
    );
    assert_eq!(ids(&mut db.connect("guest"), "SELECT key FROM leadguard.member"), leadguard_tests::set("guest"));
    // Twin: the rows are there.
    assert_eq!(
        scalar(&mut admin, "SELECT count(*) FROM leadguard.member WHERE name LIKE 'CANARY%' OR email IS NOT NULL"),
        "18"
    );
}

// Nobody writes the directory without `administer`, and those who may only their own organization; leaky filters see no more.
#[test]
fn directory_writes_are_refused() {
    let db = cast("directory_writes");
    let mut admin = db.admin();
    admin
        .batch_execute(
            "INSERT INTO leadguard.organization (key, name) VALUES ('other', 'Other');
             INSERT INTO leadguard.member (org_id, key, name) SELECT id, 'spy', 'Spy' FROM leadguard.organization WHERE key = 'other';",
        )
        .unwrap();
    let mallory = db.create_role("mallory");
    admin.batch_execute(&format!("GRANT USAGE ON SCHEMA leadguard TO {mallory}")).unwrap();
    let tables = [
        "organization",
        "member",
        "role",
        "member_role",
        "member_scope",
        "territory",
        "territory_member",
        "team",
        "team_member",
    ];
    let inner = [
        "member_closure",
        "territory_closure",
        "hierarchy_revision",
        "role_binding",
        "login_role",
        "record_grant",
        "protected_table",
        "table_grant",
    ];
    for who in ["alice", "viewer", "mallory"] {
        let mut c = db.connect(who);
        for table in tables.iter().chain(&inner) {
            refused(&mut c, &format!("DELETE FROM leadguard.{table}"), "42501");
            refused(&mut c, &format!("INSERT INTO leadguard.{table} DEFAULT VALUES"), "42501");
            refused(&mut c, &format!("TRUNCATE leadguard.{table} CASCADE"), "42501");
        }
        refused(&mut c, "UPDATE leadguard.member SET manager_id = NULL", "42501");
        refused(&mut c, "UPDATE leadguard.member SET active = true WHERE false", "42501");
        refused(&mut c, "INSERT INTO leadguard.member_role SELECT 1, 'administrator'", "42501");
    }
    let mut c = db.connect("admin");
    for table in inner {
        refused(&mut c, &format!("DELETE FROM leadguard.{table}"), "42501");
    }
    for sql in
        ["UPDATE leadguard.member SET name = 'x' WHERE key = 'spy'", "DELETE FROM leadguard.member WHERE key = 'spy'"]
    {
        assert!(attempt(&mut c, sql).map_or_else(|e| e.code().code() == "42501", |n| n == 0), "{sql}");
    }
    let other = scalar(&mut admin, "SELECT id FROM leadguard.organization WHERE key = 'other'");
    for sql in [
        format!("INSERT INTO leadguard.member (org_id, key, name) VALUES ({other}, 'mole', 'Mole')"),
        format!("UPDATE leadguard.member SET org_id = {other} WHERE key = 'alice'"),
        "UPDATE leadguard.role SET capabilities = '{all_records}' WHERE name = 'view_only'".to_string(),
        "DELETE FROM leadguard.role WHERE org_id IS NULL".to_string(),
        "SELECT leadguard.connector(session_user, 'trusted')".to_string(),
        "SELECT leadguard.unprotect('crm.lead')".to_string(),
    ] {
        let answer = attempt(&mut c, &sql);
        assert!(
            answer
                .as_ref()
                .map_or_else(|e| e.code().code() == "42501" || e.code().code().starts_with("23"), |n| *n == 0),
            "{sql}: {answer:?}"
        );
    }
    assert_eq!(scalar(&mut admin, "SELECT name FROM leadguard.member WHERE key = 'spy'"), "Spy");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.role WHERE org_id IS NULL"), "18");
    // Twin: inside her own organization the administrator does reorganise.
    assert_eq!(
        accepted(
            &mut c,
            "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'bob') WHERE key = 'alice'"
        ),
        1
    );
    assert_eq!(reads(&mut db.connect("mona")), "6,7,8");
    sound(&mut admin);
}

// Maintenance that runs under row security silently works on the visible part: inactive links must not vanish from closures.
#[test]
fn attack_67_maintenance_is_not_filtered() {
    let db = cast("attack_67");
    let mut admin = db.admin();
    admin.batch_execute("UPDATE leadguard.member SET active = false WHERE key IN ('mona', 'vp', 'bob')").unwrap();
    let mut c = db.connect("admin");
    accepted(
        &mut c,
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'carl') WHERE key = 'alice'",
    );
    sound(&mut admin);
    assert_eq!(reads(&mut db.connect("ceo")), "1,2,3,4,5,6,7,8,9,10");
    accepted(&mut c, "SELECT leadguard.rebuild_closure()");
    sound(&mut admin);
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM leadguard.verify_closure()"), "0");
    assert_eq!(reads(&mut db.connect("ceo")), "1,2,3,4,5,6,7,8,9,10");
    // Definer code of a forced table's owner: the caller's rows, or an error, never a silent empty answer.
    give_to_keeper(&db)
        .batch_execute(
            "CREATE FUNCTION crm.total() RETURNS bigint SECURITY DEFINER LANGUAGE sql SET search_path = pg_catalog, pg_temp
                 AS 'SELECT count(*) FROM crm.lead';
             CREATE FUNCTION crm.total_strict() RETURNS bigint SECURITY DEFINER LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
                 SET row_security = off AS $$ BEGIN RETURN (SELECT count(*) FROM crm.lead); END $$;",
        )
        .unwrap();
    let mut alice = db.connect("alice");
    assert_eq!(scalar(&mut alice, "SELECT crm.total()"), "5");
    refused(&mut alice, "SELECT crm.total_strict()", "42501");
    alice.batch_execute("SET row_security = off").unwrap();
    refused(&mut alice, "SELECT count(*) FROM crm.lead", "42501");
    assert_eq!(code(&mut alice, "SELECT leadguard.can('read', 'crm.lead', '1')"), "ok");
    alice.batch_execute("RESET row_security").unwrap();
    assert_eq!(reads(&mut alice), ALICE);
}

// The functions underneath are callable by everybody (policies run as the caller): called directly they answer for the
// caller only, refuse, or demand a trigger.
#[test]
fn internal_functions_called_directly() {
    let db = cast("internals");
    let mut admin = db.admin();
    let (alice_id, carl_id) = (member(&mut admin, "alice"), member(&mut admin, "carl"));
    let mut alice = db.connect("alice");
    let call = |function: &str, table: &str, owner: i64| {
        format!(
            "SELECT leadguard.{function}('{table}'::regclass, 9::bigint, {owner}::bigint, NULL::bigint, NULL::bigint)"
        )
    };
    for function in ["visible", "still_visible"] {
        assert_eq!(scalar(&mut alice, &call(function, "crm.lead", alice_id)), "t", "{function}");
        assert_ne!(scalar(&mut alice, &call(function, "crm.lead", carl_id)), "t", "{function}");
        assert_ne!(code(&mut alice, &format!("SELECT leadguard.{function}()")), "ok");
        for hostile in [
            "SELECT leadguard.{}(NULL::regclass, 1::bigint, 1::bigint, 1::bigint, 1::bigint)",
            "SELECT leadguard.{}('pg_class'::regclass, 1::bigint, 1::bigint, 1::bigint, NULL::bigint)",
            "SELECT leadguard.{}(0::oid::regclass, 1::bigint, 1::bigint, 1::bigint, NULL::bigint)",
            "SELECT leadguard.{}('crm.lead'::regclass, 'x'::text, 'y'::text, now(), '{1}'::int[])",
            "SELECT leadguard.{}('crm.lead'::regclass, NULL::text, NULL::text, NULL::text, NULL::text)",
            "SELECT leadguard.{}('crm.lead'::regclass, 1::smallint, 1::smallint, 1::int, NULL::bigint)",
            "SELECT leadguard.{}('crm.lead'::regclass, ROW(1, 2), ARRAY[1], '(1,2)'::point, NULL::bigint)",
        ] {
            let sql = hostile.replace("{}", function);
            let answer = attempt(&mut alice, &sql);
            assert!(
                answer.as_ref().map_or_else(|e| !e.code().code().starts_with("XX"), |_| true),
                "{sql}: {}",
                whole(&answer.unwrap_err())
            );
            assert_eq!(reads(&mut alice), ALICE, "the connection and its sets survive {sql}");
        }
    }
    assert_ne!(code(&mut alice, &call("acceptable", "crm.lead", carl_id)), "XX000");
    assert_ne!(scalar(&mut db.connect("ted"), &call("visible", "crm.lead", carl_id)), "t");
    // Every function of the extension that a member may execute survives NULLs in all arguments.
    let functions = rows(
        &mut admin,
        "SELECT format('SELECT * FROM leadguard.%I(%s)', p.proname,
                    coalesce((SELECT string_agg('NULL::' || CASE WHEN t = '\"any\"'::regtype THEN 'bigint' ELSE t::regtype::text END, ', ') FROM unnest(p.proargtypes) t), '')),
                p.prorettype = 'trigger'::regtype OR p.prorettype = 'event_trigger'::regtype
         FROM pg_proc p WHERE p.pronamespace = 'leadguard'::regnamespace AND p.prokind = 'f' ORDER BY 1",
    );
    assert!(functions.len() > 20);
    for who in ["alice", "ted", "viewer"] {
        let mut c = db.connect(who);
        for function in &functions {
            if let Err(e) = attempt(&mut c, &function[0]) {
                assert!(!e.code().code().starts_with("XX"), "{who}: {}: {}", function[0], whole(&e));
            } else {
                assert_eq!(function[1], "f", "a trigger function runs only as a trigger: {}", function[0]);
            }
        }
    }
    assert_eq!(reads(&mut alice), ALICE);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "15");
    sound(&mut admin);
}
