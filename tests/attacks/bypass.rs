//! Ways around the policy: owners, read-everything rights, views, copies, definer functions, other policies.

use leadguard_tests::{Db, accepted, code, ids, refused, rows, scalar};

use crate::lab::{ALICE, app, attempt, begin_as, cast, give_to_keeper, reads};

// A table's owner skips its policies unless they are forced: migrations and apps that log in as the owner see everything.
#[test]
fn attack_01_owner_bypass() {
    let db = cast("attack_01");
    let mut keeper = give_to_keeper(&db);
    assert_eq!(reads(&mut keeper), "", "the owner has no member identity and reads nothing");
    for write in [
        "UPDATE crm.lead SET name = 'x'",
        "UPDATE crm.lead SET name = 'x' WHERE false",
        "DELETE FROM crm.lead",
        "INSERT INTO crm.lead (name) VALUES ('x')",
    ] {
        refused(&mut keeper, write, "42501");
    }
    // Twin: only the attribute of the session role differs.
    db.admin().batch_execute(&format!("ALTER ROLE {} BYPASSRLS", db.role("keeper"))).unwrap();
    assert_eq!(scalar(&mut keeper, "SELECT count(*) FROM crm.lead"), "15");
}

// force => false exempts the owner, and nobody but the owner.
#[test]
fn attack_01_unforced_table_exempts_the_owner_alone() {
    let db = cast("attack_01_unforced");
    let mut admin = db.admin();
    let mut keeper = give_to_keeper(&db);
    admin
        .batch_execute(
            "SELECT leadguard.unprotect('crm.lead');
             SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id', force => false);",
        )
        .unwrap();
    assert_eq!(scalar(&mut keeper, "SELECT count(*) FROM crm.lead"), "15");
    accepted(&mut keeper, "UPDATE crm.lead SET name = name");
    assert_eq!(reads(&mut db.connect("alice")), ALICE);
    db.create_role("mallory");
    admin
        .batch_execute(&format!("GRANT USAGE ON SCHEMA crm TO {0}; GRANT ALL ON crm.lead TO {0}", db.role("mallory")))
        .unwrap();
    let mut mallory = db.connect("mallory");
    assert_eq!(reads(&mut mallory), "");
    refused(&mut mallory, "UPDATE crm.lead SET name = name", "42501");
}

// pg_read_all_data obeys row security but reads every table that has none: hierarchy, grants, bindings.
#[test]
fn attack_02_read_all_data() {
    let db = cast("attack_02");
    let mut admin = db.admin();
    admin.batch_execute("SELECT leadguard.team_add('crm.lead', '1', 'carl')").unwrap();
    let bi = db.create_role("bi");
    admin.batch_execute(&format!("GRANT pg_read_all_data TO {bi}")).unwrap();
    let mut c = db.connect("bi");
    assert_eq!(reads(&mut c), "");
    let relations = rows(
        &mut admin,
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'leadguard' AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname NOT IN
             -- What is shipped is in the extension's files, too.
             ('role', 'protected', 'preset_rule', 'preset_switch', 'access_switch', 'review_check') ORDER BY 1",
    );
    assert!(relations.len() > 10, "the extension's tables are found");
    let mut leaks = Vec::new();
    for relation in &relations {
        let sql = format!("SELECT count(*) FROM {}", relation[0]);
        if code(&mut c, &sql) == "ok" && scalar(&mut c, &sql) != "0" {
            leaks.push(relation[0].clone());
        }
    }
    assert!(leaks.is_empty(), "pg_read_all_data reads rows of {leaks:?}");
    // Twin: a role of the directory with the same grant reads what its member may read, and not a row more.
    admin.batch_execute(&format!("GRANT pg_read_all_data TO {}", db.role("mona"))).unwrap();
    let mut mona = db.connect("mona");
    assert_eq!(reads(&mut mona), "1,2,3,4,5,6,7,8");
    assert!(!rows(&mut mona, "SELECT id FROM leadguard.member").is_empty());
}

// A view runs the policies of its base table as the view's owner.
#[test]
fn attack_03_view_without_invoker() {
    let db = cast("attack_03");
    let mut keeper = give_to_keeper(&db);
    keeper
        .batch_execute(
            "CREATE VIEW crm.v_plain AS SELECT * FROM crm.lead;
             CREATE VIEW crm.v_barrier WITH (security_barrier) AS SELECT * FROM crm.lead;
             CREATE VIEW crm.v_invoker WITH (security_invoker) AS SELECT * FROM crm.lead;
             GRANT SELECT, UPDATE ON crm.v_plain, crm.v_barrier, crm.v_invoker TO PUBLIC;",
        )
        .unwrap();
    let middle = db.create_role("middle");
    db.admin()
        .batch_execute(&format!(
            "CREATE VIEW crm.v_middle AS SELECT * FROM crm.lead;
             GRANT SELECT ON crm.lead TO {middle};
             ALTER VIEW crm.v_middle OWNER TO {middle};
             CREATE VIEW crm.v_super AS SELECT * FROM crm.lead;
             GRANT SELECT ON crm.v_middle, crm.v_super TO PUBLIC;"
        ))
        .unwrap();
    let mut alice = db.connect("alice");
    let mut carl = db.connect("carl");
    for view in ["v_plain", "v_barrier", "v_invoker", "v_middle"] {
        let sql = format!("SELECT string_agg(id::text, ',' ORDER BY id) FROM crm.{view}");
        assert_eq!(scalar(&mut alice, &sql), ALICE, "{view}: the session's member decides, whoever owns the view");
        assert_eq!(scalar(&mut carl, &sql), "9,10", "{view}");
    }
    assert_eq!(accepted(&mut alice, "UPDATE crm.v_plain SET amount = 1"), 5);
    // Twin, and the limit that Postgres sets: a superuser's view has no policies at all.
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.v_super"), "15");
}

// A materialized view or table copy holds what its creator saw, and cannot be protected as a materialized view.
#[test]
fn attack_04_materialized_copy() {
    let db = cast("attack_04");
    let mut keeper = give_to_keeper(&db);
    keeper
        .batch_execute("CREATE MATERIALIZED VIEW crm.mv AS SELECT * FROM crm.lead; GRANT SELECT ON crm.mv TO PUBLIC;")
        .unwrap();
    let mut alice = db.connect("alice");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.mv"), "0", "the owner copied nothing: it sees nothing");
    let e =
        attempt(&mut db.admin(), "SELECT leadguard.protect('crm.mv', id => 'id', owner => 'owner_id')").unwrap_err();
    assert!(["42809", "22023", "0A000"].contains(&e.code().code()), "{e:?}");
    // Twin: alice's own copy holds her rows.
    accepted(&mut alice, "CREATE TEMP TABLE mine AS SELECT * FROM crm.lead");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM mine"), "5");
}

// Inside definer code current_user is the function's owner: a policy that asks it resolves to the wrong member.
#[test]
fn attack_05_definer_identity() {
    let db = cast("attack_05");
    let mut keeper = give_to_keeper(&db);
    keeper
        .batch_execute(
            "CREATE FUNCTION crm.count_all() RETURNS bigint SECURITY DEFINER LANGUAGE sql SET search_path = pg_catalog, pg_temp
                 AS 'SELECT count(*) FROM crm.lead';",
        )
        .unwrap();
    // carl's own definer function: whoever calls it stays who they are.
    let carl = db.role("carl");
    db.admin()
        .batch_execute(&format!(
            "GRANT CREATE ON SCHEMA crm TO {carl};
             CREATE FUNCTION crm.as_carl() RETURNS text SECURITY DEFINER LANGUAGE sql SET search_path = pg_catalog, pg_temp
                 AS 'SELECT count(*) || '' '' || leadguard.current_member() FROM crm.lead';
             ALTER FUNCTION crm.as_carl() OWNER TO {carl};"
        ))
        .unwrap();
    let number = |key: &str| scalar(&mut db.admin(), &format!("SELECT id FROM leadguard.member WHERE key = '{key}'"));
    let mut alice = db.connect("alice");
    assert_eq!(scalar(&mut alice, "SELECT crm.count_all()"), "5");
    assert_eq!(scalar(&mut alice, "SELECT crm.as_carl()"), format!("5 {}", number("alice")));
    let mut connector = app(&db);
    begin_as(&mut connector, "alice");
    assert_eq!(scalar(&mut connector, "SELECT crm.as_carl()"), format!("5 {}", number("alice")));
    connector.batch_execute("COMMIT").unwrap();
    assert_eq!(scalar(&mut connector, "SELECT crm.count_all()"), "0", "nobody, in spite of the definer");
    // Twin: another session, the same function.
    assert_eq!(scalar(&mut db.connect("carl"), "SELECT crm.as_carl()"), format!("2 {}", number("carl")));
}

// Permissive policies are ORed: one 'harmless' policy more widens what everybody sees.
#[test]
fn attack_39_permissive_policies_do_not_widen() {
    let db = cast("attack_39");
    let mut keeper = give_to_keeper(&db);
    keeper
        .batch_execute(
            "CREATE POLICY hot ON crm.lead FOR SELECT USING (true);
             CREATE POLICY plant ON crm.lead FOR INSERT WITH CHECK (true);
             CREATE POLICY anything ON crm.lead USING (true) WITH CHECK (true);",
        )
        .unwrap();
    let mut alice = db.connect("alice");
    assert_eq!(reads(&mut alice), ALICE);
    let carl = scalar(&mut db.admin(), "SELECT id FROM leadguard.member WHERE key = 'carl'");
    refused(&mut alice, &format!("INSERT INTO crm.lead (owner_id, name) VALUES ({carl}, 'planted')"), "42501");
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET amount = 7"), 5);
    refused(&mut keeper, "INSERT INTO crm.lead (name) VALUES ('nobody''s')", "42501");
    // Twin: the same row in one's own name.
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (name) VALUES ('mine')"), 1);
}

// protect() does not build on permissive policies it has not written: it names them and refuses.
#[test]
fn attack_39_existing_policies_are_named() {
    let db = cast("attack_39_existing");
    let mut admin = db.admin();
    admin
        .batch_execute(
            "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint);
             ALTER TABLE crm.deal ENABLE ROW LEVEL SECURITY;
             CREATE POLICY everybody_reads ON crm.deal USING (true);",
        )
        .unwrap();
    let protect = "SELECT leadguard.protect('crm.deal', id => 'id', owner => 'owner_id')";
    let e = attempt(&mut admin, protect).expect_err("an existing permissive policy is refused");
    assert!(crate::lab::whole(&e).contains("everybody_reads"), "the policy is named: {e:?}");
    admin.batch_execute("DROP POLICY everybody_reads ON crm.deal").unwrap();
    accepted(&mut admin, protect);
}

// DROP OWNED BY oneself once removed the role from policies it does not own.
#[test]
fn attack_40_drop_owned_sheds_nothing() {
    let db = cast("attack_40");
    let policies = |db: &Db| {
        rows(
            &mut db.admin(),
            "SELECT polname, polcmd, polpermissive, polroles, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
             FROM pg_policy WHERE polrelid = 'crm.lead'::regclass ORDER BY 1",
        )
    };
    let before = policies(&db);
    assert!(before.len() > 3 && before.iter().all(|p| p[3] == "{0}"), "every policy is TO PUBLIC: {before:?}");
    let mut alice = db.connect("alice");
    accepted(&mut alice, &format!("DROP OWNED BY {}", db.role("alice")));
    assert_eq!(policies(&db), before);
    let after = code(&mut alice, "SELECT id FROM crm.lead");
    assert!(after == "42501" || ids(&mut alice, "SELECT id FROM crm.lead").len() == 5, "{after}");
    // Twin: with the privileges given back she reads her rows, so what was lost are her own rights.
    db.admin()
        .batch_execute(&format!(
            "GRANT USAGE ON SCHEMA crm, leadguard TO {0}; GRANT SELECT ON crm.lead TO {0}",
            db.role("alice")
        ))
        .unwrap();
    assert_eq!(reads(&mut alice), ALICE);
}

// Where policies do not apply (a superuser's view, a superuser's definer function) the guards still know who is writing.
#[test]
fn guards_hold_where_policies_do_not_apply() {
    let db = cast("guards_alone");
    let mut admin = db.admin();
    admin
        .batch_execute(
            "CREATE VIEW crm.v_super AS SELECT * FROM crm.lead;
             GRANT SELECT, INSERT, UPDATE, DELETE ON crm.v_super TO PUBLIC;
             CREATE FUNCTION crm.do_super(text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN EXECUTE $1; END $$;",
        )
        .unwrap();
    let carl = leadguard_tests::member(&mut admin, "carl");
    let mut alice = db.connect("alice");
    let mut viewer = db.connect("viewer");
    for write in [
        "UPDATE {} SET amount = 1 WHERE id = 9".to_string(),
        "UPDATE {} SET amount = 1".to_string(),
        "DELETE FROM {} WHERE id = 9".to_string(),
        format!("UPDATE {{}} SET owner_id = {carl} WHERE id = 1"),
        format!("INSERT INTO {{}} (owner_id, name) VALUES ({carl}, 'planted')"),
    ] {
        for (through, sql) in [
            ("view", write.replace("{}", "crm.v_super")),
            ("function", format!("SELECT crm.do_super($q${}$q$)", write.replace("{}", "crm.lead"))),
        ] {
            let e = refused(&mut alice, &sql, "42501");
            assert!(!crate::lab::whole(&e).contains("CANARY"), "{through}: {e:?}");
            refused(&mut viewer, &sql, "42501");
        }
    }
    refused(&mut alice, "SELECT crm.do_super('TRUNCATE crm.lead')", "42501");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE amount = id * 100"), "15");
    // Twins: her own rows pass on both ways.
    assert_eq!(accepted(&mut alice, "UPDATE crm.v_super SET amount = 1 WHERE id = 1"), 1);
    accepted(&mut alice, "SELECT crm.do_super('UPDATE crm.lead SET amount = 1 WHERE id = 2')");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE amount = 1"), "2");
}

// Rules follow the policies by number and the guards by name: renamed, swapped and re-made columns must not part them.
#[test]
fn attack_70_renamed_and_swapped_columns() {
    let db = cast("attack_70");
    let mut admin = db.admin();
    let carl = leadguard_tests::member(&mut admin, "carl");
    let mut alice = db.connect("alice");
    admin
        .batch_execute(
            "ALTER TABLE crm.lead ADD COLUMN spare bigint;
             BEGIN; ALTER TABLE crm.lead RENAME owner_id TO t; ALTER TABLE crm.lead RENAME spare TO owner_id; ALTER TABLE crm.lead RENAME t TO spare; COMMIT;",
        )
        .unwrap();
    assert_eq!(reads(&mut alice), ALICE);
    refused(&mut alice, &format!("UPDATE crm.lead SET spare = {carl} WHERE id = 1"), "42501");
    assert_eq!(
        accepted(&mut alice, &format!("UPDATE crm.lead SET owner_id = {carl} WHERE id = 1")),
        1,
        "twin: this is the spare column now"
    );
    assert_eq!(reads(&mut db.connect("carl")), "9,10");
    refused(&mut alice, &format!("INSERT INTO crm.lead (spare) VALUES ({carl})"), "42501");
    // Dropped with CASCADE and made again under its name: closed until somebody protects the table anew.
    admin.batch_execute("ALTER TABLE crm.lead DROP COLUMN spare CASCADE, ADD COLUMN spare bigint").unwrap();
    admin
        .batch_execute(&format!("UPDATE crm.lead SET spare = {}", leadguard_tests::member(&mut db.admin(), "alice")))
        .unwrap();
    assert!(["", ALICE].contains(
        &attempt(&mut alice, "SELECT 1 FROM crm.lead").map_or(String::new(), |_| reads(&mut alice)).as_str()
    ));
    assert_ne!(code(&mut alice, "INSERT INTO crm.lead (name) VALUES ('x')"), "ok");
    assert!(attempt(&mut alice, "UPDATE crm.lead SET name = 'x' WHERE id = 9").map_or(true, |n| n == 0));
}
