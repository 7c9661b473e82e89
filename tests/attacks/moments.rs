//! Moments at which ordinary triggers and identities are elsewhere: COMMIT, PREPARE TRANSACTION, replica mode.

use leadguard_tests::{accepted, code, member, refused, scalar};

use crate::lab::{ALICE, app, attempt, begin_as, cast, reads};

// Before PostgreSQL 18 deferred triggers run as whoever is active at COMMIT: what they write must still be the member's.
#[test]
fn attack_28_deferred_triggers_keep_the_member() {
    let db = cast("attack_28");
    let mut admin = db.admin();
    admin
        .batch_execute(
            "CREATE TABLE crm.job (sql text);
             CREATE FUNCTION crm.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE NEW.sql; RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER later AFTER INSERT ON crm.job DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION crm.later();
             GRANT ALL ON crm.job TO PUBLIC;",
        )
        .unwrap();
    let guards = scalar(
        &mut admin,
        "SELECT count(*) FILTER (WHERE tgdeferrable) || '/' || count(*) FILTER (WHERE tgenabled <> 'A') || '/' || (count(*) > 2)
         FROM pg_trigger WHERE tgrelid = 'crm.lead'::regclass AND NOT tgisinternal",
    );
    assert_eq!(guards, "0/0/true", "every guard fires always and none later");
    let mut c = app(&db);
    let job = |sql: &str| format!("INSERT INTO crm.job VALUES ('{sql}')");
    begin_as(&mut c, "alice");
    c.batch_execute(&format!("{}; COMMIT", job("UPDATE crm.lead SET amount = 777"))).unwrap();
    assert_eq!(
        scalar(&mut admin, "SELECT string_agg(id::text, ',' ORDER BY id) FROM crm.lead WHERE amount = 777"),
        ALICE
    );
    // Queued by alice, fired when the transaction has been told to be somebody else: there is no somebody else.
    begin_as(&mut c, "alice");
    c.batch_execute(&job("SELECT leadguard.act_as(''carl'')")).unwrap();
    refused(&mut c, "COMMIT", "LG003");
    // Queued by nobody.
    c.batch_execute(&format!("BEGIN; {}", job("UPDATE crm.lead SET amount = 778"))).unwrap();
    refused(&mut c, "COMMIT", "42501");
    c.batch_execute(&format!("BEGIN; {}", job("SELECT leadguard.act_as(''ceo'')"))).unwrap();
    let _ = attempt(&mut c, "COMMIT");
    assert_eq!(reads(&mut c), "", "an identity taken at COMMIT ends with it");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE amount = 778"), "0");
}

// A prepared transaction outlives its session, its locks and its identity with it.
#[test]
fn attack_52_no_identity_in_prepared_transactions() {
    let db = cast("attack_52");
    let mut c = app(&db);
    begin_as(&mut c, "alice");
    refused(&mut c, "PREPARE TRANSACTION 'lg_identity'", "0A000");
    assert_eq!(reads(&mut c), "");
    let mut admin = db.admin();
    admin.batch_execute("BEGIN; UPDATE leadguard.member SET manager_id = NULL WHERE key = 'alice'").unwrap();
    refused(&mut admin, "PREPARE TRANSACTION 'lg_hierarchy'", "0A000");
    assert_eq!(reads(&mut db.connect("mona")), "1,2,3,4,5,6,7,8");
    // Twin: leadguard has no word in other transactions (the server may have none to give: 55000).
    c.batch_execute("BEGIN").unwrap();
    let name = db.name().to_string();
    match code(&mut c, &format!("PREPARE TRANSACTION '{name}'")).as_str() {
        "ok" => c.batch_execute(&format!("ROLLBACK PREPARED '{name}'")).unwrap(),
        disabled => assert_eq!(disabled, "55000"),
    }
}

// session_replication_role = replica switches ordinary triggers off, and since PostgreSQL 15 it can be granted.
#[test]
fn attack_25_replica_mode_keeps_the_guards() {
    let db = cast("attack_25");
    let mut admin = db.admin();
    let carl = member(&mut admin, "carl");
    for who in ["alice", "viewer", "tess", "admin"] {
        accepted(&mut admin, &format!("GRANT SET ON PARAMETER session_replication_role TO {}", db.role(who)));
    }
    let replica = |who: &str| {
        let mut c = db.connect(who);
        c.batch_execute("SET session_replication_role = replica").expect("granted above");
        c
    };
    let mut alice = replica("alice");
    assert_eq!(reads(&mut alice), ALICE);
    refused(&mut alice, &format!("UPDATE crm.lead SET owner_id = {carl} WHERE id = 1"), "42501");
    refused(&mut alice, &format!("INSERT INTO crm.lead (owner_id, name) VALUES ({carl}, 'planted')"), "42501");
    refused(&mut alice, "TRUNCATE crm.lead", "42501");
    let mut viewer = replica("viewer");
    for sql in [
        "UPDATE crm.lead SET name = 'x' WHERE false",
        "DELETE FROM crm.lead WHERE false",
        "INSERT INTO crm.lead (name) VALUES ('x')",
    ] {
        refused(&mut viewer, sql, "42501");
    }
    let mut tess = replica("tess");
    refused(&mut tess, "DELETE FROM crm.lead WHERE id = 11", "42501");
    refused(&mut tess, "UPDATE crm.lead SET territory_id = NULL WHERE id = 11", "42501");
    assert_eq!(
        accepted(&mut tess, "UPDATE crm.lead SET name = 'x' WHERE id = 11"),
        1,
        "twin: what tess may, she may in this mode too"
    );
    // The directory: nobody else writes it, and whoever may leaves the closures sound.
    for sql in [
        "DELETE FROM leadguard.member",
        "UPDATE leadguard.member SET active = true",
        "INSERT INTO leadguard.member_role SELECT 1, 'administrator'",
    ] {
        assert!(attempt(&mut alice, sql).map_or(true, |n| n == 0), "{sql}");
    }
    let mut administrator = replica("admin");
    let _ = attempt(
        &mut administrator,
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'bob') WHERE key = 'alice'",
    );
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.verify_closure()"), "0");
    accepted(
        &mut admin,
        &format!(
            "REVOKE SET ON PARAMETER session_replication_role FROM {}, {}, {}, {}",
            db.role("alice"),
            db.role("viewer"),
            db.role("tess"),
            db.role("admin")
        ),
    );
}
