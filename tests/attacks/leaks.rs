//! Hidden rows through the back of a statement that is allowed: leaky functions, errors, plans, physical addresses, keys.

use leadguard_tests::{accepted, code, refused, rows, scalar};

use crate::lab::{ALICE, attempt, cast, connect_listening, last, reads, told, whole};

// A cheap function in WHERE runs before an expensive policy unless it is kept behind it.
#[test]
fn attack_15_leaky_qual() {
    let db = cast("attack_15");
    let mut alice = db.connect("alice");
    for sql in [
        "SELECT count(*) FROM crm.lead WHERE lab.f_leak(email)",
        "SELECT count(*) FROM crm.lead l WHERE lab.f_leak(l::text)",
        "SELECT count(*) FROM crm.lead l WHERE lab.f_leak(row_to_json(l)::text)",
        "SELECT count(*) FROM crm.lead GROUP BY lab.f_leak(name)",
        "SELECT id FROM crm.lead ORDER BY lab.f_leak(email), id",
        "SELECT count(*) FROM crm.lead a JOIN crm.lead b ON lab.f_leak(a.email || b.email)",
        "SELECT count(*) FROM generate_series(1, 15) g LEFT JOIN crm.lead l ON l.id = g AND lab.f_leak(l.email)",
        "SELECT count(*) FROM generate_series(1, 15) g, LATERAL (SELECT * FROM crm.lead l WHERE l.id = g AND lab.f_leak(l.name)) x",
        "UPDATE crm.lead SET amount = 1 WHERE lab.f_leak(email)",
        "UPDATE crm.lead SET amount = 1 WHERE lab.f_leak(email) RETURNING lab.f_leak(name)",
        "DELETE FROM crm.lead WHERE lab.f_leak(email) AND id > 5",
        "SELECT id FROM crm.lead WHERE lab.f_leak(email) FOR UPDATE",
        "MERGE INTO crm.lead t USING (VALUES (9)) s(id) ON lab.f_leak(t.email) AND t.id = s.id WHEN MATCHED THEN DELETE",
        "SELECT leadguard.visible('crm.lead'::regclass, id, owner_id, territory_id, NULL::bigint) FROM crm.lead WHERE lab.f_leak(name)",
    ] {
        let _ = attempt(&mut alice, sql);
        assert_eq!(told(&db), Vec::<String>::new(), "{sql}");
    }
    refused(
        &mut alice,
        "CREATE FUNCTION pg_temp.g(text) RETURNS boolean LEAKPROOF LANGUAGE sql AS 'SELECT true'",
        "42501",
    );
    // Twin: whoever may read the marked rows feeds the tattletale.
    scalar(&mut db.connect("admin"), "SELECT count(*) FROM crm.lead WHERE lab.f_leak(email)");
    assert_eq!(told(&db).len(), 10);
}

// Casts and divisions that fail on a hidden row answer whether it exists.
#[test]
fn attack_15_error_probes() {
    let db = cast("attack_15_errors");
    let mut alice = db.connect("alice");
    let mut carl = db.connect("carl");
    let division = "SELECT count(*) FROM crm.lead WHERE 1 / (id - 9) <> 7";
    let cast_probe = "SELECT count(*) FROM crm.lead WHERE CASE WHEN id > 5 THEN name::int > 0 END";
    assert_eq!(code(&mut alice, division), "ok");
    assert_eq!(code(&mut carl, division), "22012");
    assert_eq!(code(&mut alice, cast_probe), "ok");
    assert_eq!(code(&mut carl, cast_probe), "22P02");
    for sql in ["SELECT 1 / (id - 9) FROM crm.lead", "SELECT count(*) FROM crm.lead HAVING 1 / (count(*) - 15) <> 7"] {
        assert_eq!(code(&mut alice, sql), "ok", "{sql}");
    }
}

// Notices of a function that takes the whole row.
#[test]
fn whole_row_notices_tell_nothing_hidden() {
    let db = cast("whole_row");
    db.admin()
        .batch_execute(
            "CREATE FUNCTION lab.shout(l crm.lead) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS
             $$ BEGIN RAISE NOTICE 'row %', l; RETURN true; END $$;",
        )
        .unwrap();
    let (mut alice, heard) = connect_listening(&db, "alice");
    scalar(&mut alice, "SELECT count(*) FROM crm.lead l WHERE lab.shout(l)");
    let notices = heard.lock().unwrap().clone();
    assert_eq!(notices.len(), 5, "{notices:?}");
    assert!(notices.iter().all(|n| !n.contains("CANARY")), "{notices:?}");
    let (mut carl, heard) = connect_listening(&db, "carl");
    scalar(&mut carl, "SELECT count(*) FROM crm.lead l WHERE lab.shout(l)");
    assert!(heard.lock().unwrap().iter().all(|n| n.contains("CANARY")), "the twin hears its own rows");
}

// Physical addresses and samples reach rows without naming them.
#[test]
fn attack_37_physical_addresses() {
    let db = cast("attack_37");
    let mut admin = db.admin();
    let of =
        |admin: &mut postgres::Client, id: &str| scalar(admin, &format!("SELECT ctid FROM crm.lead WHERE id = {id}"));
    let mine = of(&mut admin, "1");
    let hidden = of(&mut admin, "9");
    let mut alice = db.connect("alice");
    for sql in ["SELECT count(*) FROM crm.lead WHERE ctid = ", "SELECT count(*) FROM crm.lead WHERE ctid = ANY (ARRAY["]
    {
        let close = if sql.ends_with('[') { "::tid])" } else { "" };
        assert_eq!(scalar(&mut alice, &format!("{sql}'{hidden}'{close}")), "0");
        assert_eq!(scalar(&mut alice, &format!("{sql}'{mine}'{close}")), "1");
    }
    assert_eq!(accepted(&mut alice, &format!("UPDATE crm.lead SET name = 'x' WHERE ctid = '{hidden}'")), 0);
    assert_eq!(accepted(&mut alice, &format!("DELETE FROM crm.lead WHERE ctid = '{hidden}'")), 0);
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.lead WHERE ctid >= '(0,0)' AND ctid < '(9999,0)'"), "5");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.lead TABLESAMPLE SYSTEM (100)"), "5");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.lead TABLESAMPLE BERNOULLI (100) REPEATABLE (1)"), "5");
    assert_eq!(scalar(&mut db.connect("carl"), "SELECT count(*) FROM crm.lead TABLESAMPLE SYSTEM (100)"), "2");
    assert_eq!(
        scalar(&mut alice, "SELECT count(*) FROM crm.lead WHERE xmin::text <> '' AND tableoid = 'crm.lead'::regclass"),
        "5"
    );
}

// Foreign keys bypass row security: cascades reach others' rows, and run as the owner of the referencing table.
#[test]
fn attack_13_cascade_does_not_reach_hidden_children() {
    let db = cast("attack_13");
    let mut admin = db.admin();
    admin
        .batch_execute(
            "CREATE TABLE crm.note (id bigint PRIMARY KEY, lead_id bigint REFERENCES crm.lead ON DELETE CASCADE, owner_id bigint, body text);
             INSERT INTO crm.note SELECT 1, 1, id, 'CANARY private' FROM leadguard.member WHERE key = 'carl';
             INSERT INTO crm.note SELECT 2, 2, id, 'mine' FROM leadguard.member WHERE key = 'alice';
             SELECT leadguard.protect('crm.note', id => 'id', owner => 'owner_id');
             CREATE TABLE crm.trail (at text, who text, member bigint);
             CREATE FUNCTION crm.trail() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO crm.trail VALUES (TG_WHEN, session_user, leadguard.current_member()); RETURN OLD; END $$;
             CREATE TRIGGER trail BEFORE DELETE ON crm.note FOR EACH ROW EXECUTE FUNCTION crm.trail();
             GRANT SELECT, INSERT, UPDATE, DELETE ON crm.note TO PUBLIC;",
        )
        .unwrap();
    let mut alice = db.connect("alice");
    assert_eq!(scalar(&mut alice, "SELECT string_agg(id::text, ',') FROM crm.note"), "2");
    // Archiving a lead follows no foreign key.
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE id IN (1, 2)"), 2);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.note"), "2");
    // Purging does: what is protected stays, and the lead with it.
    accepted(
        &mut admin,
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('cleaner', 1, '{see_archived,hard_delete}');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'cleaner' FROM leadguard.member WHERE key = 'alice'",
    );
    let e = refused(&mut alice, "SELECT leadguard.purge('crm.lead', '1', 'old')", "42501");
    assert!(!whole(&e).contains("CANARY"), "{}", whole(&e));
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.note WHERE id = 1"), "1", "carl's note is still there");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE id = 1"), "1", "and so is the lead it hangs on");
    // Twin: without a note it goes. Inside the cascade the session was alice.
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.note WHERE id = 2"), 1);
    accepted(&mut alice, "SELECT leadguard.purge('crm.lead', '2', 'old')");
    assert_eq!(
        rows(&mut admin, "SELECT t.at, m.key FROM crm.trail t LEFT JOIN leadguard.member m ON m.id = t.member"),
        [["BEFORE".to_string(), "alice".to_string()]]
    );
}

// The accepted rest of the hazard: a foreign key answers whether a parent exists, whoever may read it.
#[test]
fn limit_13_foreign_key_reveals_existence() {
    let db = cast("limit_13");
    db.admin()
        .batch_execute(
            "CREATE TABLE crm.note (id bigint PRIMARY KEY, lead_id bigint REFERENCES crm.lead);
             GRANT SELECT, INSERT ON crm.note TO PUBLIC;",
        )
        .unwrap();
    let mut alice = db.connect("alice");
    assert_eq!(code(&mut alice, "INSERT INTO crm.note VALUES (1, 9)"), "ok");
    let e = refused(&mut alice, "INSERT INTO crm.note VALUES (2, 999)", "23503");
    assert!(!whole(&e).contains("CANARY"));
    assert_eq!(scalar(&mut alice, "SELECT count(l.id) FROM crm.note n LEFT JOIN crm.lead l ON l.id = n.lead_id"), "0");
}

// EXPLAIN plans, and may run the statement: it changes nothing, and names no hidden value.
#[test]
fn explain_changes_nothing_and_names_nothing() {
    let db = cast("explain");
    let mut alice = db.connect("alice");
    for format in ["", "(VERBOSE, COSTS OFF)", "(ANALYZE, VERBOSE, TIMING OFF)", "(ANALYZE, BUFFERS, FORMAT JSON)"] {
        for sql in [
            "SELECT * FROM crm.lead",
            "SELECT * FROM crm.lead WHERE lab.f_leak(email)",
            "SELECT * FROM crm.lead WHERE id = 9",
        ] {
            let plan = rows(&mut alice, &format!("EXPLAIN {format} {sql}"));
            let text: String = plan.iter().map(|l| l[0].as_str()).collect();
            assert!(!text.contains("CANARY"), "{text}");
        }
    }
    assert_eq!(told(&db), Vec::<String>::new());
    assert_eq!(
        last(
            &mut alice,
            "BEGIN; EXPLAIN SELECT * FROM crm.lead; SELECT * FROM crm.lead; SELECT pg_current_xact_id_if_assigned();"
        ),
        "∅",
        "neither planning nor reading takes a transaction id"
    );
    alice.batch_execute("ROLLBACK").unwrap();
    accepted(&mut alice, "EXPLAIN UPDATE crm.lead SET name = 'x'");
    accepted(&mut alice, "EXPLAIN DELETE FROM crm.lead");
    assert_eq!(reads(&mut alice), ALICE);
    assert_eq!(
        last(&mut alice, "BEGIN READ ONLY; EXPLAIN ANALYZE SELECT * FROM crm.lead; SELECT count(*) FROM crm.lead"),
        "5"
    );
    alice.batch_execute("COMMIT").unwrap();
    // Twin: with ANALYZE the statement does run.
    accepted(&mut alice, "EXPLAIN ANALYZE UPDATE crm.lead SET name = 'x'");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.lead WHERE name = 'x'"), "5");
}
