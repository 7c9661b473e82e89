//! Columns that are renamed, dropped, added again or given another type: rules follow an explicit rename and never
//! come to mean another column.

use crate::enforce_lab::{matrix, story, tags};
use leadguard_tests::*;

const BROKEN: &str = "its rule no longer matches";

#[test]
fn rules_follow_a_renamed_column() {
    let db = story("n_rename");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    refused(&mut alice, "UPDATE crm.lead SET source = 'x' WHERE id = 1", "42501");
    accepted(&mut admin, "ALTER TABLE crm.lead RENAME COLUMN source TO origin");
    let e = refused(&mut alice, "UPDATE crm.lead SET origin = 'x' WHERE id = 1", "42501");
    assert!(e.detail().unwrap().contains("marketing"), "{e:?}");
    assert_eq!(accepted(&mut db.connect("mona"), "UPDATE crm.lead SET origin = 'x' WHERE id = 1"), 1);
    // Names that change places take their rules with them.
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead RENAME COLUMN origin TO t; ALTER TABLE crm.lead RENAME COLUMN email TO origin;
         ALTER TABLE crm.lead RENAME COLUMN t TO email",
    );
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET origin = 'me@example.com' WHERE id = 1"), 1);
    refused(&mut alice, "UPDATE crm.lead SET email = 'y' WHERE id = 1", "42501");
    // Also undone with its transaction.
    accepted(&mut admin, "BEGIN; ALTER TABLE crm.lead RENAME COLUMN email TO z; ROLLBACK");
    refused(&mut alice, "UPDATE crm.lead SET email = 'y' WHERE id = 1", "42501");
}

#[test]
fn a_rename_that_nobody_saw_closes_the_column() {
    let db = story("n_unseen");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER EVENT TRIGGER leadguard_watch_ddl DISABLE; ALTER TABLE crm.lead RENAME COLUMN source TO origin;
         ALTER TABLE crm.lead ADD COLUMN source text; ALTER EVENT TRIGGER leadguard_watch_ddl ENABLE",
    );
    for who in ["alice", "mona", "admin"] {
        for column in ["origin", "source"] {
            let e = refused(&mut db.connect(who), &format!("UPDATE crm.lead SET {column} = 'x' WHERE id = 1"), "42501");
            assert!(e.message().contains(BROKEN), "{e:?}");
        }
        assert_eq!(allowed(&mut db.connect("mona"), "UPDATE crm.lead SET email = 'x' WHERE id = 1"), 1);
    }
    // A statement that is no ALTER TABLE renames a table's column as well.
    let db = story("n_view");
    accepted(&mut db.admin(), "ALTER VIEW crm.lead RENAME COLUMN source TO origin");
    refused(&mut db.connect("alice"), "UPDATE crm.lead SET origin = 'x' WHERE id = 1", "42501");
}

#[test]
fn a_column_that_was_dropped_and_added_again_stays_closed() {
    let db = story("n_again");
    let mut admin = db.admin();
    accepted(&mut admin, "ALTER TABLE crm.lead DROP COLUMN source");
    let mut mona = db.connect("mona");
    assert_eq!(accepted(&mut mona, "UPDATE crm.lead SET name = 'x' WHERE id = 1"), 1);
    accepted(&mut admin, "ALTER TABLE crm.lead ADD COLUMN source text");
    for who in ["mona", "alice", "admin"] {
        let e = refused(&mut db.connect(who), "UPDATE crm.lead SET source = 'x' WHERE id = 1", "42501");
        assert!(e.message().contains(BROKEN), "{e:?}");
    }
    refused(&mut mona, "INSERT INTO crm.lead (source) VALUES ('x')", "42501");
    // A column that takes the name of one with old rules is none of theirs.
    accepted(&mut admin, "ALTER TABLE crm.lead DROP COLUMN source; ALTER TABLE crm.lead RENAME COLUMN stage TO source");
    refused(&mut db.connect("alice"), "UPDATE crm.lead SET source = 'x' WHERE id = 1", "42501");
    matrix(&mut admin, "crm.lead", &[("source", "sales", "owner")]);
    assert_eq!(accepted(&mut db.connect("alice"), "UPDATE crm.lead SET source = 'x' WHERE id = 1"), 1);
}

#[test]
fn another_type_keeps_the_rules_or_closes() {
    let db = story("n_type");
    let mut admin = db.admin();
    tags(&mut admin, "crm.lead", "tags", &[("persona", "sales")]);
    accepted(&mut admin, "ALTER TABLE crm.lead ALTER COLUMN lead_score TYPE text USING lead_score::text");
    let mut alice = db.connect("alice");
    refused(&mut alice, "UPDATE crm.lead SET lead_score = '11' WHERE id = 1", "42501");
    assert_eq!(accepted(&mut db.connect("bot"), "UPDATE crm.lead SET lead_score = '11' WHERE id = 1"), 1);
    // Keys need jsonb, tags an array.
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead ALTER COLUMN attrs TYPE text USING attrs::text, ALTER COLUMN tags TYPE text USING tags::text",
    );
    for (who, column) in [("alice", "attrs"), ("mona", "attrs"), ("alice", "tags")] {
        let e = refused(&mut db.connect(who), &format!("UPDATE crm.lead SET {column} = 'x' WHERE id = 1"), "42501");
        assert!(e.message().contains(BROKEN), "{e:?}");
    }
}
