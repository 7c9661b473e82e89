//! What errors say: never a value of a row, never more about a hidden row than about none at all.

use leadguard_tests::{code, refused, scalar};

use crate::lab::{attempt, cast, whole};

// "Failing row contains (...)" and hand-written messages print values that the reader may not see.
#[test]
fn attack_14_failing_row_detail() {
    let db = cast("attack_14");
    let mut admin = db.admin();
    // alice's own rows get the mark, and she may not read the column that carries it.
    admin
        .batch_execute(
            "UPDATE crm.lead SET email = 'CANARY' || id WHERE id <= 5;
             ALTER TABLE crm.lead ADD CONSTRAINT lead_positive CHECK (amount >= 0), ADD CONSTRAINT lead_email UNIQUE (email),
                 ALTER COLUMN name SET NOT NULL;",
        )
        .unwrap();
    let columns = |role: &str| {
        format!(
            "REVOKE SELECT ON crm.lead FROM {role}; GRANT SELECT (id, owner_id, territory_id, name) ON crm.lead TO {role};"
        )
    };
    admin.batch_execute(&columns(&db.role("alice"))).unwrap();
    admin.batch_execute(&columns(&db.role("mona"))).unwrap();
    let ids = |admin: &mut leadguard_tests::Client, key: &str| {
        scalar(admin, &format!("SELECT id FROM leadguard.member WHERE key = '{key}'"))
    };
    let (carl, loner) = (ids(&mut admin, "carl"), ids(&mut admin, "loner"));
    for who in ["alice", "mona"] {
        let mut c = db.connect(who);
        assert_eq!(code(&mut c, "SELECT email FROM crm.lead"), "42501");
        for sql in [
            "UPDATE crm.lead SET amount = -1 WHERE id = 1".to_string(),
            "UPDATE crm.lead SET name = NULL WHERE id = 1".to_string(),
            "UPDATE crm.lead SET id = 2 WHERE id = 1".to_string(),
            format!("UPDATE crm.lead SET owner_id = {carl} WHERE id = 1"),
            "UPDATE crm.lead SET owner_id = NULL WHERE id = 1".to_string(),
            "UPDATE crm.lead SET territory_id = 2 WHERE id = 1".to_string(),
            "UPDATE crm.lead SET owner_id = 999999 WHERE id = 1".to_string(),
            format!("INSERT INTO crm.lead (owner_id, name) VALUES ({loner}, 'x')"),
            "INSERT INTO crm.lead (id, name) VALUES (9, 'x')".to_string(),
            "INSERT INTO crm.lead (name, email) VALUES ('x', 'CANARY' || 9 || '@hidden.example')".to_string(),
            "INSERT INTO crm.lead (name, amount) VALUES ('x', -1)".to_string(),
            "SELECT leadguard.reassign('crm.lead', '9', owner => 'mona')".to_string(),
            "SELECT leadguard.share('crm.lead', '1', 'nosuch')".to_string(),
            "SELECT leadguard.share('crm.lead', '1', 'anton', 'king')".to_string(),
        ] {
            if let Err(e) = attempt(&mut c, &sql) {
                // The value that was sent by the attacker himself is no news to him; the rest of the row would be.
                let text = whole(&e).replace("CANARY9@hidden.example", "");
                assert!(!text.contains("CANARY") && !text.contains("hidden"), "{who}: {sql}: {text}");
            } else {
                c.batch_execute("ROLLBACK").ok();
            }
        }
    }
    // Twin: to the superuser the server does print the row.
    let e = refused(&mut admin, "UPDATE crm.lead SET amount = -1 WHERE id = 9", "23514");
    assert!(whole(&e).contains("CANARY"), "{}", whole(&e));
}

// A hidden record must answer exactly as one that does not exist: code, text, detail, hint and result.
#[test]
fn hidden_answers_as_absent() {
    let db = cast("hidden_absent");
    db.admin().batch_execute("SELECT leadguard.team_add('crm.lead', '9', 'anton')").unwrap();
    for who in ["alice", "viewer", "ted", "mona"] {
        let mut c = db.connect(who);
        let hidden = if who == "mona" { "10" } else { "9" };
        for template in [
            "SELECT leadguard.can('read', 'crm.lead', '{}')",
            "SELECT leadguard.can('update', 'crm.lead', '{}')",
            "SELECT leadguard.can('delete', 'crm.lead', '{}')",
            "SELECT leadguard.can('share', 'crm.lead', '{}')",
            "SELECT leadguard.can('reassign', 'crm.lead', '{}')",
            "SELECT leadguard.can('export', 'crm.lead', '{}')",
            "SELECT * FROM leadguard.who_can('read', 'crm.lead', '{}')",
            "SELECT path, level, decisive FROM leadguard.explain_access('crm.lead', '{}')",
            "SELECT * FROM leadguard.explain_access('crm.lead', '{}')",
            "SELECT leadguard.share('crm.lead', '{}', 'alice')",
            "SELECT leadguard.share('crm.lead', '{}', 'nosuch')",
            "SELECT leadguard.unshare('crm.lead', '{}', 'alice')",
            "SELECT leadguard.team_add('crm.lead', '{}', 'alice')",
            "SELECT leadguard.team_remove('crm.lead', '{}', 'anton')",
            "SELECT leadguard.team_remove('crm.lead', '{}', 'ted')",
            "SELECT leadguard.reassign('crm.lead', '{}', owner => 'alice')",
            "SELECT leadguard.reassign('crm.lead', '{}', territory => 'dach')",
            "SELECT id FROM crm.lead WHERE id = {}",
            "SELECT id FROM crm.lead WHERE id = {} FOR UPDATE NOWAIT",
            "UPDATE crm.lead SET name = 'x' WHERE id = {}",
            "UPDATE crm.lead SET owner_id = NULL WHERE id = {}",
            "DELETE FROM crm.lead WHERE id = {}",
        ] {
            let mut answer = |id: &str| {
                let sql = template.replace("{}", id);
                let result = match c.simple_query(&sql) {
                    Ok(messages) => format!("{:?}", messages.iter().map(shape).collect::<Vec<_>>()),
                    Err(e) => whole(e.as_db_error().expect("a server error")),
                };
                result
                    .replace(&format!("'{id}'"), "'?'")
                    .replace(&format!("\"{id}\""), "\"?\"")
                    .replace(&format!(" {id} "), " ? ")
            };
            assert_eq!(answer(hidden), answer("4711"), "{who}: {template}");
        }
    }
    // Twin: the same question about a record one reads is answered differently.
    assert_eq!(scalar(&mut db.connect("mona"), "SELECT leadguard.can('read', 'crm.lead', '9')"), "t");
    assert_eq!(scalar(&mut db.connect("carl"), "SELECT leadguard.can('update', 'crm.lead', '9')"), "t");
}

fn shape(message: &postgres::SimpleQueryMessage) -> String {
    match message {
        postgres::SimpleQueryMessage::Row(row) => {
            (0..row.len()).map(|i| row.get(i).unwrap_or("∅").to_string()).collect::<Vec<_>>().join("|")
        }
        postgres::SimpleQueryMessage::CommandComplete(n) => format!("{n} rows"),
        _ => String::new(),
    }
}

// Refusals carry a code an application can act on, and a hint that says who or what can help.
#[test]
fn refusals_are_42501_with_a_hint() {
    let db = cast("refusals");
    let mut alice = db.connect("alice");
    let carl = scalar(&mut db.admin(), "SELECT id FROM leadguard.member WHERE key = 'carl'");
    let e = refused(&mut alice, &format!("UPDATE crm.lead SET owner_id = {carl} WHERE id = 1"), "42501");
    assert!(e.hint().unwrap_or("").contains("reassign"), "{}", whole(&e));
    let mut viewer = db.connect("viewer");
    for sql in ["UPDATE crm.lead SET name = 'x'", "DELETE FROM crm.lead", "INSERT INTO crm.lead (name) VALUES ('x')"] {
        let e = refused(&mut viewer, sql, "42501");
        assert!(!e.message().ends_with('.') && !e.hint().unwrap_or("").is_empty(), "{}", whole(&e));
    }
    // Twin: her own way of giving it away passes.
    assert_eq!(
        code(&mut alice, "SELECT leadguard.reassign('crm.lead', '1', owner => 'carl', reason => 'handover')"),
        "ok"
    );
    assert_eq!(scalar(&mut db.connect("carl"), "SELECT count(*) FROM crm.lead"), "3");
}

// A record has one name: aliases of its id are other records, which do not exist.
#[test]
fn record_ids_have_one_form() {
    let db = cast("record_ids");
    let mut alice = db.connect("alice");
    for alias in [
        " 1",
        "1 ",
        "+1",
        "01",
        "1.0",
        "0x1",
        "1e0",
        "18446744073709551617",
        "4294967297",
        "١",
        "",
        "1; DROP TABLE crm.lead",
        "1\u{a0}",
        "NULL",
    ] {
        let quoted = alias.replace('\'', "''");
        assert_eq!(
            scalar(&mut alice, &format!("SELECT leadguard.can('read', 'crm.lead', '{quoted}')")),
            "f",
            "{alias:?}"
        );
        refused(&mut alice, &format!("SELECT leadguard.share('crm.lead', '{quoted}', 'carl')"), "42501");
        refused(&mut alice, &format!("SELECT leadguard.team_add('crm.lead', '{quoted}', 'carl')"), "42501");
        refused(&mut alice, &format!("SELECT leadguard.reassign('crm.lead', '{quoted}', owner => 'carl')"), "42501");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.record_grant"), "0");
    // Twin: its one name.
    assert_eq!(scalar(&mut alice, "SELECT leadguard.can('read', 'crm.lead', '1')"), "t");
}
