//! Attacks through a trusted connector: the pooled application, injected SQL behind it, and the edges of act_as.

use leadguard_tests::{accepted, code, refused, scalar};

use crate::lab::{ALICE, app, attempt, begin_as, cast, last, reads, whole};

// SET LOCAL outside a transaction does nothing, plain SET survives COMMIT, savepoints take settings back: act_as must not.
#[test]
fn attack_24_set_semantics() {
    let db = cast("attack_24");
    let mut c = app(&db);
    assert_eq!(reads(&mut c), "", "a connector without a member is nobody");
    refused(&mut c, "UPDATE crm.lead SET name = 'x'", "42501");
    refused(&mut c, "SELECT leadguard.act_as('alice')", "25P01");
    assert_eq!(reads(&mut c), "", "and an act_as outside a transaction binds nothing");

    begin_as(&mut c, "alice");
    assert_eq!(reads(&mut c), ALICE);
    c.batch_execute("COMMIT").unwrap();
    assert_eq!(reads(&mut c), "");
    begin_as(&mut c, "alice");
    c.batch_execute("ROLLBACK").unwrap();
    assert_eq!(reads(&mut c), "");

    c.batch_execute("BEGIN; SAVEPOINT s; SELECT leadguard.act_as('alice')").unwrap();
    assert_eq!(reads(&mut c), ALICE);
    c.batch_execute("ROLLBACK TO s").unwrap();
    assert_eq!(reads(&mut c), "", "set after the savepoint, gone with it");
    refused(&mut c, "UPDATE crm.lead SET name = 'x'", "42501");
    c.batch_execute("ROLLBACK TO s; SELECT leadguard.act_as('carl')").unwrap();
    assert_eq!(reads(&mut c), "9,10", "and after it another member may be bound");
    c.batch_execute("RELEASE s").unwrap();
    assert_eq!(reads(&mut c), "9,10", "a released savepoint keeps the identity");
    c.batch_execute("COMMIT").unwrap();

    begin_as(&mut c, "alice");
    c.batch_execute("SAVEPOINT s").unwrap();
    refused(&mut c, "SELECT 1 / 0", "22012");
    c.batch_execute("ROLLBACK TO s").unwrap();
    assert_eq!(reads(&mut c), ALICE, "twin: set before the savepoint, it stays");
    c.batch_execute("COMMIT").unwrap();

    c.batch_execute(
        "BEGIN; DO $$ BEGIN
             BEGIN PERFORM leadguard.act_as('alice'); RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN NULL; END;
         END $$",
    )
    .unwrap();
    assert_eq!(reads(&mut c), "", "an exception block takes it back");
    c.batch_execute("COMMIT").unwrap();
    c.batch_execute("BEGIN; DO $$ BEGIN BEGIN PERFORM leadguard.act_as('alice'); EXCEPTION WHEN raise_exception THEN NULL; END; END $$").unwrap();
    assert_eq!(reads(&mut c), ALICE, "twin: a block that ends well keeps it");
    c.batch_execute("COMMIT").unwrap();
    c.batch_execute("DISCARD ALL").unwrap();
    assert_eq!(reads(&mut c), "");
}

// Implicit transaction blocks: several statements in one message are one transaction, which ends with the message.
#[test]
fn one_message_is_no_lasting_transaction() {
    let db = cast("implicit_block");
    let mut c = app(&db);
    let answer = attempt(&mut c, "SELECT leadguard.act_as('alice'); SELECT id FROM crm.lead");
    if let Err(e) = &answer {
        assert_eq!(e.code().code(), "25P01", "{}", whole(e));
    }
    assert_eq!(reads(&mut c), "", "whatever the message did, the next one is nobody");
    for procedure in [
        "DO $$ BEGIN PERFORM leadguard.act_as('alice'); END $$",
        "SELECT leadguard.act_as('alice') FROM generate_series(1, 2)",
    ] {
        let _ = attempt(&mut c, procedure);
        assert_eq!(reads(&mut c), "");
    }
    assert_eq!(
        last(
            &mut c,
            "BEGIN; SELECT leadguard.act_as('alice'); SELECT count(*) FROM crm.lead; COMMIT; SELECT count(*) FROM crm.lead"
        ),
        "0"
    );
    assert_eq!(
        last(
            &mut c,
            "BEGIN; SELECT leadguard.act_as('alice'); COMMIT; BEGIN; SELECT leadguard.act_as('carl'); SELECT count(*) FROM crm.lead"
        ),
        "2"
    );
    c.batch_execute("COMMIT AND CHAIN").unwrap();
    assert_eq!(reads(&mut c), "", "a chained transaction starts as nobody");
    c.batch_execute("ROLLBACK AND CHAIN").unwrap();
    assert_eq!(reads(&mut c), "");
    c.batch_execute("COMMIT").unwrap();
}

// Injected SQL behind a pooler: it must not be able to become a second member in the same transaction.
#[test]
fn attack_23_second_identity_in_a_transaction() {
    let db = cast("second_identity");
    let mut c = app(&db);
    for attempt_sql in [
        "SELECT leadguard.act_as('carl')",
        "SELECT id FROM crm.lead WHERE leadguard.act_as('carl') IS NOT NULL OR id > 0",
        "RESET ROLE; SELECT leadguard.act_as('carl')",
        "SET SESSION AUTHORIZATION DEFAULT; SELECT leadguard.act_as('carl')",
        "DO $$ BEGIN PERFORM leadguard.act_as('carl'); END $$",
        "SELECT l.id FROM (SELECT leadguard.act_as('carl') OFFSET 0) x, crm.lead l",
        "INSERT INTO crm.lead (name) SELECT 'x' FROM leadguard.act_as('carl')",
    ] {
        begin_as(&mut c, "alice");
        assert_eq!(reads(&mut c), ALICE);
        refused(&mut c, attempt_sql, "LG003");
        c.batch_execute("ROLLBACK").unwrap();
    }
    begin_as(&mut c, "alice");
    c.batch_execute("SELECT leadguard.act_as('alice')").expect("the same member again is no change");
    c.batch_execute("SAVEPOINT s").unwrap();
    refused(&mut c, "SELECT leadguard.act_as('carl')", "LG003");
    c.batch_execute("ROLLBACK TO s").unwrap();
    assert_eq!(reads(&mut c), ALICE, "the refusal leaves the first identity");
    assert_eq!(code(&mut c, "DISCARD ALL"), "25001");
    c.batch_execute("ROLLBACK").unwrap();
    // Twin: in the next transaction.
    begin_as(&mut c, "carl");
    assert_eq!(reads(&mut c), "9,10");
    c.batch_execute("COMMIT").unwrap();
}

// A pooled connection goes from client to client with everything the last one left behind.
#[test]
fn pooled_connection_starts_as_nobody() {
    let db = cast("pooled");
    let mut c = app(&db);
    begin_as(&mut c, "ceo");
    c.batch_execute(
        "PREPARE left_behind AS SELECT count(*) FROM crm.lead;
         SET plan_cache_mode = force_generic_plan;
         CREATE TEMP VIEW old_view AS SELECT id FROM crm.lead;
         CREATE FUNCTION pg_temp.old() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM crm.lead); END $$;",
    )
    .unwrap();
    let everything = |c: &mut postgres::Client| {
        [
            "EXECUTE left_behind",
            "SELECT count(*) FROM old_view",
            "SELECT pg_temp.old()",
            "SELECT count(*) FROM crm.lead",
        ]
        .map(|sql| scalar(c, sql))
    };
    assert_eq!(everything(&mut c), ["10"; 4]);
    c.batch_execute("COMMIT").unwrap();
    assert_eq!(everything(&mut c), ["0"; 4]);
    for (key, count) in [("alice", "5"), ("carl", "2"), ("admin", "15"), ("ted", "0"), ("alice", "5")] {
        begin_as(&mut c, key);
        assert_eq!(everything(&mut c), [count; 4], "{key}");
        c.batch_execute("COMMIT").unwrap();
    }
    assert_eq!(everything(&mut c), ["0"; 4]);
    c.batch_execute("DISCARD ALL").unwrap();
    assert_eq!(reads(&mut c), "");
}

// Hostile identity text: numbers that wrap, white space, signs, case. No alias of a key may be accepted, and all fail alike.
#[test]
fn attack_56_hostile_keys() {
    let db = cast("attack_56");
    let mut admin = db.admin();
    admin.batch_execute("UPDATE leadguard.member SET active = false WHERE key = 'anton'").unwrap();
    let id: i64 = scalar(&mut admin, "SELECT id FROM leadguard.member WHERE key = 'alice'").parse().unwrap();
    let mut keys: Vec<String> = [
        " alice",
        "alice ",
        "ALICE",
        "Alice",
        "alice\t",
        "\nalice",
        "alice\u{a0}",
        "\u{200b}alice",
        "alice\u{0}",
        "\u{ff41}lice",
        "al\u{131}ce",
        "alice;carl",
        "alice''",
        "%",
        "_____",
        "*",
        "",
        "NULL",
        "null",
        "anton",
        "nosuch",
        "default",
        "postgres",
        "3;4",
        "\u{663}",
    ]
    .map(String::from)
    .to_vec();
    keys.extend([
        id.to_string(),
        format!(" {id} "),
        format!("+{id}"),
        format!("0{id}"),
        format!("0x{id:x}"),
        format!("{id}.0"),
        format!("-{id}"),
    ]);
    keys.extend([
        format!("{}", id + (1 << 32)),
        "99999999999999999999".into(),
        "-9223372036854775808".into(),
        "9".repeat(100_000),
    ]);
    keys.push(db.role("alice"));
    let mut c = app(&db);
    let mut messages = std::collections::BTreeSet::new();
    for key in &keys {
        c.batch_execute("BEGIN").unwrap();
        // A parameter, as an application passes it; the client library itself refuses a NUL.
        let answer = c.query("SELECT leadguard.act_as($1::text)::text", &[key]);
        let error = answer.expect_err(key);
        let shown: String = key.escape_debug().take(30).collect();
        match error.as_db_error() {
            Some(e) if key.contains('\0') => assert!(["22021", "28000"].contains(&e.code().code()), "{shown}"),
            Some(e) => {
                assert_eq!(e.code().code(), "28000", "{shown}: {}", whole(e));
                messages.insert((e.message().to_string(), e.detail().map(String::from), e.hint().map(String::from)));
            }
            None => assert!(key.contains('\0'), "{shown}: {error:?}"),
        }
        c.batch_execute("ROLLBACK").unwrap();
    }
    assert_eq!(messages.len(), 1, "unknown and inactive keys are told apart: {messages:?}");
    c.batch_execute("BEGIN").unwrap();
    let null = attempt(&mut c, "SELECT leadguard.act_as(NULL)");
    c.batch_execute("ROLLBACK; BEGIN").unwrap();
    assert!(null.is_err() || reads(&mut c).is_empty(), "NULL binds nobody");
    c.batch_execute("ROLLBACK").unwrap();
    // Twin: the key itself, by the same road.
    c.batch_execute("BEGIN").unwrap();
    c.query("SELECT leadguard.act_as($1::text)::text", &[&"alice"]).unwrap();
    assert_eq!(reads(&mut c), ALICE);
    c.batch_execute("COMMIT").unwrap();
}

// act_as is for trusted connectors: a person, an analyst, a stranger and a superuser's SET ROLE get nothing from it.
#[test]
fn act_as_is_for_trusted_connectors() {
    let db = cast("act_as_who");
    let bi = db.create_role("bi");
    let mut admin = db.admin();
    admin.batch_execute(&format!("SELECT leadguard.analyst('{bi}', 'mona')")).unwrap();
    for person in ["alice", "admin", "viewer", "bi"] {
        let mut c = db.connect(person);
        let before = reads(&mut c);
        c.batch_execute("BEGIN").unwrap();
        refused(&mut c, "SELECT leadguard.act_as('ceo')", "42501");
        c.batch_execute("ROLLBACK").unwrap();
        assert_eq!(reads(&mut c), before);
    }
    let mut c = app(&db);
    begin_as(&mut c, "ceo");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.lead"), "10");
    c.batch_execute("COMMIT").unwrap();
    // A connector that is taken off the list in an open session is nobody with the next transaction.
    let role = db.role("app");
    admin.batch_execute(&format!("DELETE FROM leadguard.login_role WHERE db_role = '{role}'")).unwrap();
    c.batch_execute("BEGIN").unwrap();
    refused(&mut c, "SELECT leadguard.act_as('ceo')", "42501");
    c.batch_execute("ROLLBACK").unwrap();
    // Its table privileges go with the registration; what was granted by others still meets the policies.
    assert!(attempt(&mut c, "SELECT id FROM crm.lead").map_or_else(|e| e.code().code() == "42501", |n| n == 0));
    admin.batch_execute(&format!("GRANT USAGE ON SCHEMA crm TO {role}; GRANT SELECT ON crm.lead TO {role}")).unwrap();
    assert_eq!(reads(&mut c), "");
}

// The member behind act_as is switched off, moved or demoted while the transaction is open: the next statement knows.
#[test]
fn open_transaction_follows_the_directory() {
    let db = cast("open_tx");
    let mut admin = db.admin();
    let mut c = app(&db);
    begin_as(&mut c, "mona");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.lead"), "8");
    admin.batch_execute("UPDATE leadguard.member SET manager_id = NULL WHERE key = 'anton'").unwrap();
    assert_eq!(reads(&mut c), ALICE);
    admin.batch_execute("INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'view_only' FROM leadguard.member WHERE key = 'mona'").unwrap();
    assert_eq!(reads(&mut c), ALICE);
    c.batch_execute("SAVEPOINT s").unwrap();
    refused(&mut c, "UPDATE crm.lead SET name = 'x'", "42501");
    c.batch_execute("ROLLBACK TO s").unwrap();
    admin
        .batch_execute(
            "DELETE FROM leadguard.member_role WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'mona')",
        )
        .unwrap();
    assert_eq!(accepted(&mut c, "UPDATE crm.lead SET name = 'x'"), 5, "twin: without the role");
    admin.batch_execute("UPDATE leadguard.member SET active = false WHERE key = 'mona'").unwrap();
    c.batch_execute("SAVEPOINT s").unwrap();
    assert_eq!(reads(&mut c), "");
    refused(&mut c, "UPDATE crm.lead SET name = 'y'", "42501");
    c.batch_execute("ROLLBACK").unwrap();
}
