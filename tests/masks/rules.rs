//! Field rules and masks together.

use super::masked;
use leadguard_tests::*;

/// Makes these cells the matrix of crm.lead, signed by mona; alice and tom sell.
pub fn signed(db: &Db, version: i32, cells: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'sales' FROM leadguard.member
             WHERE key IN ('alice', 'tom', 'loner') ON CONFLICT DO NOTHING;
             SELECT leadguard.set_fields('crm.lead', '{cells}');
             SELECT leadguard.propose_fields('crm.lead', '{{mona}}')"
        ),
    );
    assert_eq!(
        scalar(&mut db.connect("mona"), &format!("SELECT leadguard.sign_fields('crm.lead', {version})")),
        "active"
    );
}

#[test]
fn k21_a_column_without_access_is_hidden_when_the_version_is_signed() {
    let db = masked("mask_closed");
    let (mut alice, mut mona) = (db.connect("alice"), db.connect("mona"));
    assert_eq!(scalar(&mut alice, "SELECT name FROM crm.lead WHERE id = 1"), "lead 1");
    signed(&db, 1, r#"{"name": {"sales": "no access", "marketing": "owner"}}"#);
    assert_eq!(scalar(&mut alice, "SELECT name FROM crm.lead WHERE id = 1"), "∅");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.lead WHERE name = 'lead 1'"), "0");
    assert_eq!(scalar(&mut alice, "SELECT leadguard.col_state('crm.lead', '1', 'name')"), "no access");
    refused(&mut alice, "UPDATE crm.lead SET name = 'lead 1' WHERE id = 1", "42501");
    refused(&mut alice, "UPDATE crm_base.lead SET name = 'lead 1' WHERE id = 1", "42501");
    assert_eq!(scalar(&mut mona, "SELECT name FROM crm.lead WHERE id = 1"), "lead 1");
    refused(&mut db.admin(), "SELECT leadguard.reveal('crm.lead')", "55000");
    signed(&db, 2, r#"{"name": {"sales": "read-only", "marketing": "owner"}}"#);
    assert_eq!(scalar(&mut alice, "SELECT name FROM crm.lead WHERE id = 1"), "lead 1");
    accepted(&mut db.admin(), "SELECT leadguard.set_field_default('crm.lead', 'no access')");
    assert_eq!(rows(&mut alice, "SELECT name, amount FROM crm.lead WHERE id = 1"), vec![vec!["lead 1", "∅"]]);
}

#[test]
fn k21_a_key_without_access_is_left_out() {
    let db = masked("mask_keys");
    accepted(
        &mut db.admin(),
        r#"ALTER TABLE crm_base.lead ADD COLUMN attrs jsonb; UPDATE crm_base.lead SET attrs = '{"size": 5, "budget": 100}'"#,
    );
    signed(&db, 1, r#"{"attrs": {"sales": "editor"}, "attrs.budget": {"sales": "no access", "marketing": "owner"}}"#);
    let mut alice = db.connect("alice");
    assert_eq!(scalar(&mut alice, "SELECT attrs FROM crm.lead WHERE id = 1"), r#"{"size": 5}"#);
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.lead WHERE attrs ? 'budget'"), "0");
    assert_eq!(
        scalar(&mut db.connect("mona"), "SELECT attrs FROM crm.lead WHERE id = 1"),
        r#"{"size": 5, "budget": 100}"#
    );
    // What she cannot see stays when she writes the rest.
    accepted(&mut alice, r#"UPDATE crm.lead SET attrs = '{"size": 6}' WHERE id = 1"#);
    assert_eq!(
        scalar(&mut db.admin(), "SELECT attrs FROM crm_base.lead WHERE id = 1"),
        r#"{"size": 6, "budget": 100}"#
    );
    accepted(&mut db.admin(), "UPDATE crm_base.lead SET attrs = '7' WHERE id = 2");
    assert_eq!(scalar(&mut alice, "SELECT attrs FROM crm.lead WHERE id = 2"), "7");
}

#[test]
fn x13_a_write_does_not_tell_whether_a_masked_value_was_guessed() {
    let db = masked("mask_guess");
    signed(&db, 1, r#"{"email": {"sales": "read-only", "marketing": "owner"}}"#);
    let mut tom = db.connect("tom");
    let messages: Vec<String> = ["lead11@example.com", "wrong@example.com"]
        .iter()
        .flat_map(|guess| ["crm", "crm_base"].map(|schema| (schema, guess)))
        .map(|(schema, guess)| {
            let update = format!("UPDATE {schema}.lead SET email = '{guess}' WHERE id = 11");
            let error = refused(&mut tom, &update, "42501");
            format!("{} {:?} {:?}", error.message(), error.detail(), error.hint())
        })
        .collect();
    assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
    assert!(messages[0].contains("of crm.lead"), "{messages:?}");
    accepted(&mut tom, "UPDATE crm.lead SET name = 'x' WHERE id = 11");
    // Who sees it in clear may write it back.
    accepted(&mut db.connect("loner"), "UPDATE crm_base.lead SET email = 'lead11@example.com' WHERE id = 11");
    refused(&mut db.connect("loner"), "UPDATE crm_base.lead SET email = 'other@example.com' WHERE id = 11", "42501");
}

#[test]
fn the_view_follows_new_and_renamed_columns() {
    let db = masked("mask_ddl");
    let mut admin = db.admin();
    accepted(&mut admin, "ALTER TABLE crm_base.lead ADD COLUMN note text DEFAULT 'n'");
    accepted(&mut admin, "ALTER TABLE crm_base.lead RENAME COLUMN email TO mail");
    accepted(&mut admin, "ALTER TABLE crm_base.lead RENAME COLUMN owner_id TO seller_id");
    let mut tom = db.connect("tom");
    assert_eq!(rows(&mut tom, "SELECT mail, note FROM crm.lead WHERE id = 11"), vec![vec!["***-.com", "n"]]);
    accepted(&mut tom, "UPDATE crm.lead SET note = 'm' WHERE id = 11");
    assert_eq!(
        scalar(&mut db.connect("loner"), "SELECT mail FROM crm.lead WHERE seller_id IS NOT NULL AND id = 11"),
        "lead11@example.com"
    );
    refused(&mut admin, "ALTER TABLE crm_base.lead DROP COLUMN note", "2BP01");
}
