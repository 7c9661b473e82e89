//! What happens to the parent, or to columns, never opens the notes.

use crate::lab::*;
use leadguard_tests::*;

const NOTES: &str = "SELECT id FROM crm.note";

#[test]
fn k27_notes_close_when_their_parent_is_dropped() {
    let db = lab("notes_orphans");
    let mut alice = db.connect("alice");
    assert_eq!(ids(&mut alice, NOTES), set("1 2 3 4 5"));
    accepted(&mut db.admin(), "DROP TABLE crm.lead CASCADE");
    // What leadguard had granted is taken back, and who has the privilege otherwise reads nothing.
    refused(&mut alice, NOTES, "42501");
    accepted(&mut db.admin(), &format!("GRANT SELECT, INSERT ON crm.note, crm.tag TO \"{}\"", db.role("alice")));
    assert!(ids(&mut alice, NOTES).is_empty());
    assert!(rows(&mut alice, "SELECT tag FROM crm.tag").is_empty());
    for sql in ["INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')", "INSERT INTO crm.tag VALUES (1, 'persona:cto')"]
    {
        refused(&mut alice, sql, "42501");
    }
    refused(&mut db.admin(), "DELETE FROM crm.note", "42501");
    // The way out.
    accepted(&mut db.admin(), "SELECT leadguard.unprotect('crm.note')");
    refused(&mut db.connect("mona"), NOTES, "42501");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.note"), "15");
    accepted(&mut db.admin(), "DELETE FROM crm.note");
}

#[test]
fn k27_notes_close_when_the_id_of_their_parent_is_dropped() {
    let db = lab("notes_no_id");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead DROP COLUMN amount CASCADE");
    assert_eq!(ids(&mut db.connect("alice"), NOTES), set("1 2 3 4 5"));
    accepted(&mut db.admin(), "ALTER TABLE crm.lead DROP COLUMN id CASCADE");
    assert!(ids(&mut db.connect("alice"), NOTES).is_empty());
    refused(&mut db.connect("alice"), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')", "42501");
}

#[test]
fn k27_renamed_columns_are_followed() {
    let db = lab("notes_renamed");
    accepted(
        &mut db.admin(),
        "ALTER TABLE crm.note RENAME body TO \"Text\"; ALTER TABLE crm.note RENAME author TO writer;
         ALTER TABLE crm.note RENAME lead_id TO lead; ALTER TABLE crm.note RENAME written_at TO at;
         ALTER TABLE crm.note RENAME id TO number; ALTER TABLE crm.note RENAME TO remark;
         ALTER TABLE crm.lead RENAME id TO lead_number; ALTER TABLE crm.lead RENAME TO prospect;
         ALTER TABLE crm.tag RENAME tag TO label",
    );
    let mut alice = db.connect("alice");
    let forged = "INSERT INTO crm.remark (lead, writer, \"Text\") VALUES (1, 'mona', 'x') RETURNING writer";
    assert_eq!(rows(&mut alice, forged), [["alice"]]);
    refused(&mut alice, "INSERT INTO crm.remark (lead, \"Text\") VALUES (9, 'x')", "42501");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.remark"), "6");
    accepted(&mut alice, "INSERT INTO crm.tag VALUES (1, 'persona:cto')");
    refused(&mut alice, "INSERT INTO crm.tag VALUES (1, 'source:x')", "42501");
    accepted(&mut db.connect("dora"), "SELECT leadguard.erase_note('crm.remark', '1', 'asked')");
    assert_eq!(
        scalar(&mut db.admin(), "SELECT columns FROM leadguard.protected_children WHERE kind = 'notes'"),
        r#"{"id": "number", "author": "writer", "parent": "lead", "content": "Text", "created_at": "at"}"#
    );
}

#[test]
fn k27_registered_columns_are_not_dropped() {
    let db = lab("notes_dropped");
    let mut admin = db.admin();
    accepted(&mut admin, "ALTER TABLE crm.note ADD extra text; ALTER TABLE crm.note DROP extra");
    for column in ["id", "lead_id", "body", "author", "written_at"] {
        let error = refused(&mut admin, &format!("ALTER TABLE crm.note DROP COLUMN {column} CASCADE"), "2BP01");
        assert!(error.message().contains(column), "{error:?}");
    }
    refused(&mut admin, "ALTER TABLE crm.tag DROP COLUMN tag", "2BP01");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.note'); ALTER TABLE crm.note DROP COLUMN body");
    accepted(&mut admin, "DROP TABLE crm.tag");
}

#[test]
fn k27_notes_take_no_part_in_inheritance() {
    let db = lab("notes_inherit");
    let mut admin = db.admin();
    accepted(&mut admin, "CREATE TABLE crm.all_notes (LIKE crm.note)");
    refused(&mut admin, "ALTER TABLE crm.note INHERIT crm.all_notes", "42809");
    refused(&mut admin, "CREATE TABLE crm.more () INHERITS (crm.note)", "42809");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.note'); ALTER TABLE crm.note INHERIT crm.all_notes");
}

#[test]
fn k27_notes_of_a_concealed_lead() {
    for conceal_first in [true, false] {
        let db = lab("notes_concealed");
        let mut admin = db.admin();
        let protect = "SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body', author => 'author')";
        if conceal_first {
            accepted(&mut admin, "SELECT leadguard.unprotect('crm.note'); SELECT leadguard.conceal('crm.lead')");
            accepted(&mut admin, protect);
        } else {
            accepted(&mut admin, "SELECT leadguard.conceal('crm.lead')");
        }
        accepted(&mut admin, "SELECT leadguard.mask('crm.lead', 'email', 'full')");
        let mut alice = db.connect("alice");
        assert_eq!(ids(&mut alice, NOTES), set("1 2 3 4 5"));
        assert_eq!(
            scalar(&mut alice, "SELECT count(*) FROM crm.note JOIN crm.lead ON lead.id = lead_id"),
            "5",
            "concealed first: {conceal_first}"
        );
        accepted(&mut alice, "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')");
        refused(&mut alice, "INSERT INTO crm.note (lead_id, body) VALUES (9, 'x')", "42501");
        accepted(&mut db.connect("dora"), "SELECT leadguard.erase_note('crm.note', '1', 'asked')");
        // Somebody who comes later.
        enlist(&db, "nina", "ceo");
        place(&mut admin, "vp", "nina");
        assert_eq!(scalar(&mut db.connect("nina"), "SELECT count(*) FROM crm.note"), "9");
    }
}
