//! Cursors outlive statements, and with WITH HOLD transactions: an open one never mixes two members.

use leadguard_tests::{accepted, code, refused, rows, scalar};

use crate::lab::{ALICE, app, begin_as, cast, reads};

fn fetched(c: &mut postgres::Client, sql: &str) -> String {
    rows(c, sql).into_iter().map(|r| r[0].clone()).collect::<Vec<_>>().join(",")
}

// A portal outlives the identity it was declared under.
#[test]
fn open_cursor_pins_its_member() {
    let db = cast("cursor_pin");
    let mut c = app(&db);
    // Declared as nobody: what may be fetched afterwards is nobody's, or the switch is refused.
    c.batch_execute("BEGIN; DECLARE q CURSOR FOR SELECT id FROM crm.lead ORDER BY id").unwrap();
    refused(&mut c, "SELECT leadguard.act_as('alice')", "LG003");
    c.batch_execute("ROLLBACK").unwrap();

    begin_as(&mut c, "alice");
    c.batch_execute("DECLARE q CURSOR FOR SELECT id FROM crm.lead ORDER BY id").unwrap();
    assert_eq!(fetched(&mut c, "FETCH 2 FROM q"), "1,2");
    c.batch_execute("SAVEPOINT s").unwrap();
    refused(&mut c, "SELECT leadguard.act_as('carl')", "LG003");
    c.batch_execute("ROLLBACK TO s").unwrap();
    assert_eq!(fetched(&mut c, "FETCH ALL FROM q"), "3,4,5", "the refused switch left the cursor alone");
    c.batch_execute("COMMIT").unwrap();

    // Twin: with the cursor closed the switch is free again.
    c.batch_execute("BEGIN; DECLARE q CURSOR FOR SELECT id FROM crm.lead; CLOSE q; SELECT leadguard.act_as('alice')")
        .unwrap();
    assert_eq!(reads(&mut c), ALICE);
    c.batch_execute("COMMIT").unwrap();
}

// The identity goes with the savepoint, the cursor declared before it stays: neither may serve the other.
#[test]
fn cursor_across_a_rolled_back_identity() {
    let db = cast("cursor_savepoint");
    let mut c = app(&db);
    c.batch_execute("BEGIN; SAVEPOINT s; SELECT leadguard.act_as('alice'); DECLARE q CURSOR FOR SELECT id FROM crm.lead ORDER BY id").unwrap();
    assert_eq!(fetched(&mut c, "FETCH 1 FROM q"), "1");
    c.batch_execute("ROLLBACK TO s").unwrap();
    refused(&mut c, "FETCH 1 FROM q", "34000");
    c.batch_execute("ROLLBACK").unwrap();

    begin_as(&mut c, "alice");
    c.batch_execute("DECLARE q CURSOR FOR SELECT id FROM crm.lead ORDER BY id; SAVEPOINT s").unwrap();
    assert_eq!(fetched(&mut c, "FETCH 1 FROM q"), "1");
    c.batch_execute("ROLLBACK TO s").unwrap();
    assert_eq!(
        fetched(&mut c, "FETCH ALL FROM q"),
        "2,3,4,5",
        "twin: identity and cursor are both older than the savepoint"
    );
    c.batch_execute("COMMIT").unwrap();
}

// WITH HOLD materializes at COMMIT: it must do so as the member who declared it, and hand the next client no more than that.
#[test]
fn held_cursor_is_filled_as_its_declarer() {
    let db = cast("cursor_hold");
    let mut c = app(&db);
    begin_as(&mut c, "alice");
    c.batch_execute("DECLARE held CURSOR WITH HOLD FOR SELECT id FROM crm.lead ORDER BY id; COMMIT").unwrap();
    assert_eq!(reads(&mut c), "");
    assert_eq!(fetched(&mut c, "FETCH 2 FROM held"), "1,2", "data already fetched: the poolers' DISCARD ALL closes it");
    c.batch_execute("BEGIN").unwrap();
    // Its rows are fixed, so another member beside it is harmless; to refuse him until it is closed is right as well.
    match code(&mut c, "SELECT leadguard.act_as('carl')").as_str() {
        "ok" => {
            assert_eq!(reads(&mut c), "9,10");
            assert_eq!(fetched(&mut c, "FETCH ALL FROM held"), "3,4,5", "it never mixes in carl's rows");
        }
        refusal => assert_eq!(refusal, "LG003"),
    }
    c.batch_execute("ROLLBACK").unwrap();
    c.batch_execute("DISCARD ALL").unwrap();
    refused(&mut c, "FETCH 1 FROM held", "34000");
    // Twin: declared as nobody, it holds nothing.
    c.batch_execute("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT id FROM crm.lead; COMMIT").unwrap();
    assert_eq!(fetched(&mut c, "FETCH ALL FROM held"), "");
    c.batch_execute("CLOSE held").unwrap();
    begin_as(&mut c, "ceo");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.lead"), "10");
    c.batch_execute("COMMIT").unwrap();
}

// A revocation between two fetches: the cursor keeps the snapshot it was opened with, the next statement has the new one.
#[test]
fn cursor_keeps_its_snapshot() {
    let db = cast("cursor_snapshot");
    let mut mona = db.connect("mona");
    mona.batch_execute("BEGIN; DECLARE q CURSOR FOR SELECT id FROM crm.lead ORDER BY id").unwrap();
    assert_eq!(fetched(&mut mona, "FETCH 1 FROM q"), "1");
    let mut admin = db.admin();
    admin
        .batch_execute("UPDATE leadguard.member SET manager_id = NULL WHERE key = 'alice'; UPDATE crm.lead SET name = 'CANARY later' WHERE id < 6;")
        .unwrap();
    assert_eq!(fetched(&mut mona, "FETCH ALL FROM q"), "2,3,4,5,6,7,8");
    assert_eq!(reads(&mut mona), "6,7,8");
    mona.batch_execute("DECLARE late CURSOR FOR SELECT name FROM crm.lead").unwrap();
    assert!(!fetched(&mut mona, "FETCH ALL FROM late").contains("later"));
    mona.batch_execute("COMMIT").unwrap();
}

// WHERE CURRENT OF reaches a row through a cursor; the row's policies still apply.
#[test]
fn where_current_of_is_checked() {
    let db = cast("current_of");
    let mut mona = db.connect("mona");
    mona.batch_execute("BEGIN; DECLARE q CURSOR FOR SELECT id FROM crm.lead WHERE id = 1").unwrap();
    assert_eq!(fetched(&mut mona, "FETCH 1 FROM q"), "1");
    db.admin().batch_execute("UPDATE leadguard.member SET manager_id = NULL WHERE key = 'alice'").unwrap();
    assert_eq!(accepted(&mut mona, "UPDATE crm.lead SET name = 'mine still' WHERE CURRENT OF q"), 0);
    mona.batch_execute("ROLLBACK; BEGIN; DECLARE q CURSOR FOR SELECT id FROM crm.lead WHERE id = 6").unwrap();
    assert_eq!(fetched(&mut mona, "FETCH 1 FROM q"), "6");
    assert_eq!(
        accepted(&mut mona, "UPDATE crm.lead SET name = 'mine still' WHERE CURRENT OF q"),
        1,
        "twin: anton is still hers"
    );
    mona.batch_execute("COMMIT").unwrap();
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE name = 'mine still'"), "1");
}

// Cursor loops in PL/pgSQL that switch in the middle.
#[test]
fn plpgsql_loop_cannot_switch_in_the_middle() {
    let db = cast("loop_switch");
    let mut c = app(&db);
    let body = |key: &str| {
        format!(
            "DO $$ DECLARE r record; BEGIN
                 FOR r IN SELECT id FROM crm.lead LOOP PERFORM leadguard.act_as('{key}'); END LOOP;
             END $$"
        )
    };
    begin_as(&mut c, "alice");
    refused(&mut c, &body("carl"), "LG003");
    c.batch_execute("ROLLBACK").unwrap();
    begin_as(&mut c, "alice");
    c.batch_execute(&body("alice")).expect("twin: the same member all along");
    c.batch_execute("COMMIT").unwrap();
}

// Portals of the extended protocol are cursors without a name in the application: suspended ones, and bound ones not yet run.
#[test]
fn protocol_portals_do_not_mix_members() {
    let db = cast("portals");
    let mut c = app(&db);
    let statement = c.prepare("SELECT id FROM crm.lead ORDER BY id").unwrap();
    let act = "SELECT leadguard.act_as('carl')";

    begin_as(&mut c, "alice");
    c.batch_execute("COMMIT").unwrap();
    let mut transaction = c.transaction().unwrap();
    transaction.batch_execute("SELECT leadguard.act_as('alice')").unwrap();
    let portal = transaction.bind(&statement, &[]).unwrap();
    let ids = |rows: Vec<postgres::Row>| rows.iter().map(|r| r.get::<_, i64>(0)).collect::<Vec<_>>();
    assert_eq!(ids(transaction.query_portal(&portal, 2).unwrap()), [1, 2]);
    let mut inner = transaction.transaction().unwrap();
    let e = inner.batch_execute(act).expect_err("a suspended portal is an open query");
    assert_eq!(e.code().unwrap().code(), "LG003");
    inner.rollback().unwrap();
    assert_eq!(ids(transaction.query_portal(&portal, 0).unwrap()), [3, 4, 5]);
    transaction.commit().unwrap();

    // Bound as nobody, identity afterwards, then run: refused, or nobody's rows, or those of the one member there ever was.
    let mut transaction = c.transaction().unwrap();
    let portal = transaction.bind(&statement, &[]).unwrap();
    match transaction.batch_execute(act) {
        Err(e) => assert_eq!(e.code().unwrap().code(), "LG003"),
        Ok(()) => {
            let got = ids(transaction.query_portal(&portal, 0).unwrap());
            assert!(got.is_empty() || got == [9, 10], "{got:?}");
        }
    }
    transaction.rollback().unwrap();
    assert_eq!(reads(&mut c), "");
}

// PL/pgSQL keeps the state of simple expressions for a whole transaction, across the identities in it.
#[test]
fn simple_expressions_follow_the_identity() {
    let db = cast("simple_expressions");
    db.admin()
        .batch_execute(
            "CREATE FUNCTION crm.me() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN leadguard.current_member(); END $$;
             CREATE FUNCTION crm.sees(owner bigint) RETURNS boolean LANGUAGE plpgsql AS
                 $$ BEGIN RETURN leadguard.visible('crm.lead'::regclass, 1::bigint, owner, NULL::bigint, NULL::bigint); END $$;
             GRANT USAGE ON SCHEMA crm TO PUBLIC;",
        )
        .unwrap();
    let mut admin = db.admin();
    let (alice, carl) = (leadguard_tests::member(&mut admin, "alice"), leadguard_tests::member(&mut admin, "carl"));
    let mut c = app(&db);
    c.batch_execute("BEGIN; SAVEPOINT s; SELECT leadguard.act_as('alice')").unwrap();
    assert_eq!(scalar(&mut c, "SELECT crm.me()"), alice.to_string());
    assert_eq!(scalar(&mut c, &format!("SELECT crm.sees({alice}) || '/' || crm.sees({carl})")), "true/false");
    c.batch_execute("ROLLBACK TO s").unwrap();
    assert_eq!(scalar(&mut c, "SELECT crm.me()"), "∅");
    assert_eq!(scalar(&mut c, &format!("SELECT crm.sees({alice}) || '/' || crm.sees({carl})")), "false/false");
    // Another member now, or a refusal because something of the first still runs; never the first one's answer.
    match code(&mut c, "SELECT leadguard.act_as('carl')").as_str() {
        "ok" => {
            assert_eq!(scalar(&mut c, &format!("SELECT crm.sees({alice}) || '/' || crm.sees({carl})")), "false/true")
        }
        refusal => assert_eq!(refusal, "LG003"),
    }
    c.batch_execute("ROLLBACK; BEGIN; SELECT leadguard.act_as('carl')").unwrap();
    assert_eq!(scalar(&mut c, "SELECT crm.me()"), carl.to_string());
    assert_eq!(scalar(&mut c, &format!("SELECT crm.sees({alice}) || '/' || crm.sees({carl})")), "false/true");
    // A move inside the loop of one function call: each turn judges by what it sees.
    c.batch_execute("COMMIT").unwrap();
    let turns = format!(
        "DO $do$ DECLARE seen text := ''; BEGIN
             FOR turn IN 1..3 LOOP
                 seen := seen || crm.sees({carl})::text || ' ';
                 UPDATE leadguard.member SET manager_id = CASE WHEN turn = 1 THEN {alice} END WHERE key = 'carl';
             END LOOP;
             IF seen <> 'false true false ' THEN RAISE 'saw %', seen; END IF;
         END $do$"
    );
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('moves', 1, '{{administer}}');
         INSERT INTO leadguard.member_role (member_id, role) VALUES ({alice}, 'moves');"
        ),
    );
    admin.batch_execute(&format!("SET SESSION AUTHORIZATION {}", db.role("alice"))).unwrap();
    admin.batch_execute(&turns).unwrap();
}
