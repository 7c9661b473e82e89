//! Writes past the policy: blind updates, MERGE, upserts, joins, COPY, analysts with too many grants, giving away and planting.

use leadguard_tests::{accepted, code, level, member, refused, rows, scalar, stored};

use crate::lab::{ALICE, attempt, cast, give_to_keeper, reads, told, whole};

const HIDDEN_UNTOUCHED: &str =
    "SELECT count(*) FROM crm.lead WHERE name LIKE 'CANARY%' AND email LIKE 'CANARY%' AND amount = id * 100";

// Without WHERE or RETURNING no SELECT policy applies: a wider UPDATE policy would change hidden rows and count them.
#[test]
fn attack_30_blind_update() {
    let db = cast("attack_30");
    let mut keeper = give_to_keeper(&db);
    keeper
        .batch_execute(
            "CREATE POLICY u ON crm.lead FOR UPDATE USING (true) WITH CHECK (true);
             CREATE POLICY d ON crm.lead FOR DELETE USING (true);",
        )
        .unwrap();
    let mut admin = db.admin();
    let blind = db.create_role("blind");
    admin
        .batch_execute(&format!(
            "INSERT INTO leadguard.member (key, name, db_role, manager_id) SELECT 'blind', 'Blind', '{blind}', id FROM leadguard.member WHERE key = 'bob';
             REVOKE SELECT ON crm.lead FROM {blind}; INSERT INTO crm.lead (owner_id, name) SELECT id, 'blind' FROM leadguard.member WHERE key = 'blind';"
        ))
        .unwrap();
    let mut alice = db.connect("alice");
    let mut c = db.connect("blind");
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET amount = 1"), 5);
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET amount = 1 WHERE true"), 5);
    assert_eq!(code(&mut c, "SELECT id FROM crm.lead"), "42501", "this member has no SELECT at all");
    assert_eq!(accepted(&mut c, "UPDATE crm.lead SET amount = 1"), 1);
    // Archiving names the rows by their ids, which takes the right to read them.
    refused(&mut c, "DELETE FROM crm.lead", "42501");
    assert_eq!(scalar(&mut admin, HIDDEN_UNTOUCHED), "10");
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead"), 5);
    assert_eq!(scalar(&mut admin, HIDDEN_UNTOUCHED), "10");
    // Twin: a member who reaches everything changes everything, with the same statement.
    assert_eq!(
        accepted(&mut db.connect("admin"), "SET leadguard.show_archived = off; UPDATE crm.lead SET amount = 1"),
        11
    );
}

// MERGE once checked the wrong policies; its actions reach hidden rows of the target and hand rows over.
#[test]
fn attack_31_merge() {
    let db = cast("attack_31");
    let mut admin = db.admin();
    let (alice_id, carl_id) = (member(&mut admin, "alice"), member(&mut admin, "carl"));
    let mut alice = db.connect("alice");
    let merge = |source: &str, on: &str, actions: &str| {
        format!("MERGE INTO crm.lead t USING (VALUES ({source})) s(id) ON {on} {actions}")
    };
    let by_id = "t.id = s.id";
    assert_eq!(accepted(&mut alice, &merge("9", by_id, "WHEN MATCHED THEN UPDATE SET name = 'stolen'")), 0);
    assert_eq!(accepted(&mut alice, &merge("9", by_id, "WHEN MATCHED THEN DELETE")), 0);
    let planted = format!("WHEN NOT MATCHED THEN INSERT (owner_id, name) VALUES ({carl_id}, 'planted')");
    refused(&mut alice, &merge("9", by_id, &planted), "42501");
    refused(&mut alice, &merge("1", by_id, &format!("WHEN MATCHED THEN UPDATE SET owner_id = {carl_id}")), "42501");
    let e = attempt(
        &mut alice,
        &merge(
            "9",
            by_id,
            "WHEN MATCHED THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN INSERT (id, name) VALUES (9, 'x')",
        ),
    );
    assert!(!whole(&e.expect_err("the key is taken")).contains("CANARY"));
    // Without reading a column the SELECT policy does not apply: hidden rows are met, and the statement is refused as a whole.
    refused(&mut alice, &merge("1", "true", "WHEN MATCHED THEN UPDATE SET amount = 4"), "42501");
    refused(&mut alice, &merge("1", "true", "WHEN MATCHED THEN DELETE"), "42501");
    assert_eq!(accepted(&mut alice, &merge("1", "t.id > 0", "WHEN MATCHED THEN UPDATE SET amount = 4")), 5);
    assert_eq!(scalar(&mut admin, HIDDEN_UNTOUCHED), "10");
    // Twins: one's own row, one's own name.
    let own = format!(
        "WHEN MATCHED THEN UPDATE SET name = 'y' WHEN NOT MATCHED THEN INSERT (owner_id, name) VALUES ({alice_id}, 'y')"
    );
    assert_eq!(accepted(&mut alice, &merge("1", by_id, &own)), 1);
    assert_eq!(accepted(&mut alice, &merge("-5", by_id, &own)), 1);
    assert_eq!(accepted(&mut db.connect("carl"), &merge("9", by_id, "WHEN MATCHED THEN DELETE")), 1);
    assert_eq!(accepted(&mut alice, &merge("1", "t.id > 0", "WHEN MATCHED THEN DELETE")), 6);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE archived_at IS NULL"), "9");
}

// ON CONFLICT looks at the conflicting row, hidden or not: neither its values nor a change may come out of it.
#[test]
fn attack_12_upsert_on_a_hidden_row() {
    let db = cast("attack_12");
    let mut admin = db.admin();
    // Values, not versions: a refused upsert has locked the row for a moment.
    let values = "SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM crm.lead l";
    let before = scalar(&mut admin, values);
    let mut alice = db.connect("alice");
    for sql in [
        "INSERT INTO crm.lead (id, name) VALUES (9, 'x') ON CONFLICT (id) DO UPDATE SET name = 'stolen'",
        "INSERT INTO crm.lead (id, name) VALUES (9, 'x') ON CONFLICT (id) DO UPDATE SET name = 'stolen' RETURNING email",
        "INSERT INTO crm.lead AS l (id, name) VALUES (9, 'x') ON CONFLICT (id) DO UPDATE SET name = l.email WHERE lab.f_leak(l.email)",
        "INSERT INTO crm.lead AS l (id, name) VALUES (9, 'x') ON CONFLICT (id) DO UPDATE SET owner_id = EXCLUDED.owner_id",
        "INSERT INTO crm.lead (id, name) SELECT g, 'x' FROM generate_series(1, 15) g ON CONFLICT (id) DO UPDATE SET amount = 0",
        "INSERT INTO crm.lead (id, name) VALUES (13, 'x') ON CONFLICT (id) DO UPDATE SET name = 'unowned'",
    ] {
        let e = attempt(&mut alice, sql).expect_err(sql);
        assert_eq!(e.code().code(), "42501", "{sql}: {}", whole(&e));
        assert!(!whole(&e).contains("CANARY"), "{}", whole(&e));
        assert_eq!(told(&db), Vec::<String>::new(), "{sql}");
    }
    assert_eq!(scalar(&mut admin, values), before);
    // Twins: a row of her own, with the tattletale looking on.
    assert_eq!(
        accepted(
            &mut alice,
            "INSERT INTO crm.lead (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'updated'"
        ),
        1
    );
    assert_eq!(scalar(&mut alice, "SELECT name FROM crm.lead WHERE id = 1"), "updated");
    let own = "INSERT INTO crm.lead AS l (id, name) VALUES (9, 'x') ON CONFLICT (id) DO UPDATE SET amount = 0 WHERE lab.f_leak(l.email)";
    assert_eq!(accepted(&mut db.connect("carl"), own), 1);
    assert_eq!(told(&db).len(), 1);
}

// The accepted rest: DO NOTHING and the primary key tell that a key is taken, not by whom or with what.
#[test]
fn limit_11_keys_tell_that_they_are_taken() {
    let db = cast("limit_11");
    let mut alice = db.connect("alice");
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (id, name) VALUES (9, 'x') ON CONFLICT DO NOTHING"), 0);
    let e = refused(&mut alice, "INSERT INTO crm.lead (id, name) VALUES (9, 'x')", "23505");
    assert!(!whole(&e).contains("CANARY"));
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (id, name) VALUES (99, 'x') ON CONFLICT DO NOTHING"), 1);
}

// Joins, sub-selects and RETURNING carry hidden rows into a write, or a write onto hidden rows.
#[test]
fn writes_through_joins_and_subselects() {
    let db = cast("write_joins");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    let cases: [(&str, u64); 8] = [
        ("UPDATE crm.lead t SET name = s.email FROM crm.lead s WHERE t.id = 1 AND s.id = 9", 0),
        ("UPDATE crm.lead t SET name = 'x' FROM generate_series(6, 15) g WHERE t.id = g", 0),
        ("UPDATE crm.lead SET name = (SELECT email FROM crm.lead WHERE id = 9) WHERE id = 1", 1),
        ("DELETE FROM crm.lead t USING crm.lead s WHERE t.id = s.id + 5", 0),
        ("INSERT INTO crm.lead (name, email) SELECT name, email FROM crm.lead WHERE id > 5", 0),
        (
            "WITH u AS (UPDATE crm.lead SET amount = 0 WHERE id = 9 RETURNING *) INSERT INTO crm.lead (name) SELECT email FROM u",
            0,
        ),
        ("WITH c AS (SELECT * FROM crm.lead) UPDATE crm.lead t SET amount = 2 FROM c WHERE c.id = t.id", 5),
        ("UPDATE crm.lead SET amount = (SELECT count(*) FROM crm.lead) WHERE id = 2", 1),
    ];
    for (sql, count) in cases {
        assert_eq!(accepted(&mut alice, sql), count, "{sql}");
    }
    assert_eq!(scalar(&mut alice, "SELECT coalesce(name, '∅') || amount FROM crm.lead WHERE id = 1"), "∅2");
    assert_eq!(scalar(&mut alice, "SELECT amount FROM crm.lead WHERE id = 2"), "5");
    assert_eq!(scalar(&mut admin, HIDDEN_UNTOUCHED), "10");
    // Twin: with a source she reads.
    assert_eq!(
        accepted(&mut alice, "UPDATE crm.lead t SET name = s.email FROM crm.lead s WHERE t.id = 1 AND s.id = 3"),
        1
    );
}

// COPY TO reads under the policies, and COPY FROM is refused under row security.
#[test]
fn attack_32_copy() {
    let db = cast("attack_32");
    accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.lead', 'export', 'free')");
    for (who, lines) in [("alice", 5), ("carl", 2), ("ted", 0)] {
        for sql in [
            "COPY crm.lead TO STDOUT",
            "COPY (SELECT * FROM crm.lead) TO STDOUT",
            "COPY (UPDATE crm.lead SET amount = 1 RETURNING *) TO STDOUT",
        ] {
            let out = db.psql(who, &format!("{sql};"));
            assert_eq!(out.lines().count(), lines, "{who}: {sql}: {out}");
            assert!(who != "alice" || !out.contains("CANARY"), "{out}");
        }
    }
    let out = db.psql("alice", "COPY crm.lead (name) FROM STDIN;\nplanted\n\\.\n");
    assert!(out.contains("ERROR"), "{out}");
    for who in ["alice", "viewer"] {
        assert!(["42501", "0A000"].contains(&code(&mut db.connect(who), "COPY crm.lead FROM PROGRAM 'true'").as_str()));
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE name = 'planted'"), "0");
}

// An analyst, or a view-only member, with every grant there is: reads as a member, writes nothing, not even nothing.
#[test]
fn analysts_with_all_grants_cannot_write() {
    let db = cast("analyst");
    let mut admin = db.admin();
    let bi = db.create_role("bi");
    admin.batch_execute(&format!("SELECT leadguard.analyst('{bi}', 'mona')")).unwrap();
    for who in ["bi", "viewer"] {
        admin
            .batch_execute(&format!(
                "GRANT ALL ON crm.lead TO {0}; GRANT ALL ON ALL SEQUENCES IN SCHEMA crm TO {0}",
                db.role(who)
            ))
            .unwrap();
    }
    let before = stored(&mut admin, "crm.lead");
    assert_eq!(reads(&mut db.connect("bi")), "1,2,3,4,5,6,7,8");
    for who in ["bi", "viewer"] {
        let mut c = db.connect(who);
        for sql in [
            "UPDATE crm.lead SET name = 'x'",
            "UPDATE crm.lead SET name = 'x' WHERE false",
            "DELETE FROM crm.lead WHERE id = -1",
            "INSERT INTO crm.lead (name) VALUES ('x')",
            "INSERT INTO crm.lead (name) SELECT 'x' WHERE false",
            "INSERT INTO crm.lead (id, name) VALUES (1, 'x') ON CONFLICT (id) DO NOTHING",
            "INSERT INTO crm.lead (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'",
            "MERGE INTO crm.lead t USING (VALUES (-1)) s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'x'",
            "MERGE INTO crm.lead t USING (VALUES (-1)) s(id) ON t.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING",
            "WITH u AS (UPDATE crm.lead SET name = 'x' WHERE false RETURNING id) SELECT * FROM u",
            "TRUNCATE crm.lead",
            "SELECT leadguard.share('crm.lead', '1', 'carl')",
            "SELECT leadguard.team_add('crm.lead', '1', 'carl')",
            "SELECT leadguard.reassign('crm.lead', '1', owner => 'carl')",
        ] {
            refused(&mut c, sql, "42501");
        }
        assert!(["42501", "0A000"].contains(&code(&mut c, "COPY crm.lead FROM PROGRAM 'true'").as_str()));
    }
    assert_eq!(stored(&mut admin, "crm.lead"), before);
    // Twin: mona herself may do what her analyst may not.
    assert_eq!(accepted(&mut db.connect("mona"), "UPDATE crm.lead SET amount = 1"), 8);
}

// Giving away, planting and taking: owner and territory decide who reads, so they are not for everybody to write.
#[test]
fn owners_and_territories_are_guarded() {
    let db = cast("giving");
    let mut admin = db.admin();
    let of = |admin: &mut leadguard_tests::Client, key: &str| member(admin, key);
    let (alice_id, anton_id, carl_id, tess_id) =
        (of(&mut admin, "alice"), of(&mut admin, "anton"), of(&mut admin, "carl"), of(&mut admin, "tess"));
    let dach = leadguard_tests::territory(&mut admin, "dach");
    let amer = leadguard_tests::territory(&mut admin, "amer");
    let mut alice = db.connect("alice");
    let mut tess = db.connect("tess");
    let mut mona = db.connect("mona");
    for owner in [carl_id.to_string(), anton_id.to_string(), "0".into(), "-1".into(), "999999".into()] {
        refused(&mut alice, &format!("INSERT INTO crm.lead (owner_id, name) VALUES ({owner}, 'planted')"), "42501");
        refused(&mut alice, &format!("UPDATE crm.lead SET owner_id = {owner} WHERE id = 1"), "42501");
    }
    for territory in [dach, amer, 999_999] {
        refused(
            &mut alice,
            &format!("INSERT INTO crm.lead (territory_id, name) VALUES ({territory}, 'planted')"),
            "42501",
        );
    }
    refused(&mut alice, "UPDATE crm.lead SET id = 5000 WHERE id = 1", "42501");
    // Level edit (a territory member) changes fields, and neither owner nor territory, and deletes nothing.
    assert_eq!(level(&db, "tess", "11"), "edit");
    assert_eq!(accepted(&mut tess, "UPDATE crm.lead SET amount = 3 WHERE id = 11"), 1);
    for sql in [
        format!("UPDATE crm.lead SET owner_id = {tess_id} WHERE id = 11"),
        format!("UPDATE crm.lead SET territory_id = {amer} WHERE id = 11"),
        "UPDATE crm.lead SET territory_id = NULL WHERE id = 11".to_string(),
        "DELETE FROM crm.lead WHERE id = 11".to_string(),
        "SELECT leadguard.reassign('crm.lead', '11', owner => 'tess')".to_string(),
        "SELECT leadguard.share('crm.lead', '11', 'ted')".to_string(),
    ] {
        refused(&mut tess, &sql, "42501");
    }
    // A share at a higher level than one's own, and a share of a share.
    assert_eq!(code(&mut alice, "SELECT leadguard.share('crm.lead', '1', 'carl', 'read')"), "ok");
    let mut carl = db.connect("carl");
    refused(&mut carl, "UPDATE crm.lead SET name = 'x' WHERE id = 1", "42501");
    refused(&mut carl, "SELECT leadguard.share('crm.lead', '1', 'carl', 'full')", "42501");
    refused(&mut carl, "SELECT leadguard.share('crm.lead', '1', 'anton', 'read')", "42501");
    // Twins: downwards, and in her own name.
    assert_eq!(accepted(&mut mona, &format!("UPDATE crm.lead SET owner_id = {anton_id} WHERE id = 1")), 1);
    assert_eq!(
        accepted(&mut mona, &format!("INSERT INTO crm.lead (owner_id, name) VALUES ({alice_id}, 'for alice')")),
        1
    );
    assert_eq!(accepted(&mut tess, &format!("INSERT INTO crm.lead (territory_id, name) VALUES ({dach}, 'mine')")), 1);
    assert_ne!(reads(&mut alice), ALICE);
    assert_eq!(rows(&mut admin, "SELECT count(*) FROM crm.lead WHERE name = 'planted'"), [["0"]]);
}

// Triggers of others run between leadguard's guard and the table: what they turn a row into is checked as well.
#[test]
fn foreign_triggers_cannot_finish_the_job() {
    let db = cast("foreign_triggers");
    let mut admin = db.admin();
    let (carl_id, alice_id) = (member(&mut admin, "carl"), member(&mut admin, "alice"));
    for name in ["aaa", "zzz"] {
        admin
            .batch_execute(&format!(
                "CREATE FUNCTION crm.{name}() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN IF NEW.name LIKE '{name} %' THEN NEW.owner_id := substr(NEW.name, 5)::bigint; END IF; RETURN NEW; END $$;
                 CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.{name}();"
            ))
            .unwrap();
    }
    let mut alice = db.connect("alice");
    for name in ["aaa", "zzz"] {
        refused(&mut alice, &format!("UPDATE crm.lead SET name = '{name} {carl_id}' WHERE id = 1"), "42501");
        refused(&mut alice, &format!("INSERT INTO crm.lead (name) VALUES ('{name} {carl_id}')"), "42501");
        assert_eq!(accepted(&mut alice, &format!("UPDATE crm.lead SET name = '{name} {alice_id}' WHERE id = 1")), 1);
    }
    assert_eq!(scalar(&mut admin, &format!("SELECT count(*) FROM crm.lead WHERE owner_id = {carl_id}")), "2");
    // The row stays readable, so no policy objects; but tess may edit it, not take it, whoever's trigger does the taking.
    let mut tess = db.connect("tess");
    let tess_id = member(&mut admin, "tess");
    for name in ["aaa", "zzz"] {
        refused(&mut tess, &format!("UPDATE crm.lead SET name = '{name} {tess_id}' WHERE id = 11"), "42501");
        refused(&mut tess, &format!("UPDATE crm.lead SET name = '{name} {tess_id}'"), "42501");
    }
    assert_eq!(accepted(&mut tess, "UPDATE crm.lead SET name = 'zzz' WHERE id = 11"), 1);
    admin.batch_execute("ALTER TABLE crm.lead DISABLE TRIGGER USER").unwrap();
    let guards = rows(
        &mut admin,
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'crm.lead'::regclass AND tgname LIKE 'leadguard%' AND tgenabled = 'D'",
    );
    // Owners may switch triggers off; row security alone must still keep the row where it is.
    if !guards.is_empty() {
        assert_ne!(code(&mut alice, &format!("UPDATE crm.lead SET owner_id = {carl_id} WHERE id = 2")), "ok");
        assert_ne!(code(&mut alice, &format!("INSERT INTO crm.lead (owner_id, name) VALUES ({carl_id}, 'x')")), "ok");
    }
}
