//! An erasure lets one content go and nothing else.

use crate::lab::*;
use leadguard_tests::*;

const ERASE: &str = "SELECT leadguard.erase_note('crm.note', '1', 'asked')";

/// A trigger of the table's owner that does something while a note is erased.
fn trigger(db: &Db, body: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "DROP TRIGGER IF EXISTS a_ride ON crm.note;
             CREATE OR REPLACE FUNCTION crm.ride() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} RETURN new; END$$;
             CREATE TRIGGER a_ride BEFORE UPDATE ON crm.note FOR EACH ROW EXECUTE FUNCTION crm.ride()"
        ),
    );
}

#[test]
fn x19_triggers_change_nothing_else_while_a_note_is_erased() {
    let db = lab("notes_ride");
    let content = "SELECT md5(string_agg(n::text, ',' ORDER BY id)) FROM crm.note n";
    let before = scalar(&mut db.admin(), content);
    let guard = "IF new.id = 1 AND pg_trigger_depth() = 1 THEN";
    for body in [
        "new.author := 'mona';".to_owned(),
        "new.body := 'something else';".to_owned(),
        "new.lead_id := 2;".to_owned(),
        "new.written_at := '2001-01-01';".to_owned(),
        format!("{guard} UPDATE crm.note SET body = NULL WHERE id = 2; END IF;"),
        format!("{guard} UPDATE crm.note SET author = 'mona' WHERE id = 1; END IF;"),
        format!("{guard} DELETE FROM crm.note WHERE id = 2; END IF;"),
        format!("{guard} DELETE FROM crm.note WHERE id = 1; END IF;"),
    ] {
        trigger(&db, &body);
        refused(&mut db.connect("dora"), ERASE, "42501");
        assert_eq!(scalar(&mut db.admin(), content), before, "{body}");
        assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.erasure"), "0");
    }
    trigger(&db, "new.author := new.author;");
    accepted(&mut db.connect("dora"), ERASE);
    assert_eq!(rows(&mut db.admin(), "SELECT body, author FROM crm.note WHERE id = 1"), [["∅", "import"]]);
}

#[test]
fn x19_what_an_erasure_leaves() {
    let db = lab("notes_left");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.unprotect('crm.note'); ALTER TABLE crm.note ALTER body SET NOT NULL;
         SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body', author => 'author', created_at => 'written_at')",
    );
    let rest = "SELECT id, lead_id, author, written_at FROM crm.note ORDER BY id";
    let before = rows(&mut db.admin(), rest);
    accepted(&mut db.connect("dora"), ERASE);
    assert_eq!(rows(&mut db.admin(), rest), before);
    assert_eq!(scalar(&mut db.admin(), "SELECT body = '' FROM crm.note WHERE id = 1"), "t");
    // The proof is append-only for those who made it.
    for sql in
        ["DELETE FROM leadguard.erasure", "UPDATE leadguard.erasure SET reason = 'x'", "TRUNCATE leadguard.erasure"]
    {
        refused(&mut db.connect("dora"), sql, "42501");
    }
    accepted(&mut db.admin(), "SELECT leadguard.erase_note('crm.note', '2', 'by the superuser')");
    assert_eq!(
        rows(&mut db.admin(), "SELECT erased_by IS NULL, session_role FROM leadguard.erasure WHERE record = '2'"),
        [["t", "postgres"]]
    );
    assert_eq!(
        scalar(&mut db.connect("dora"), "SELECT count(*) FROM leadguard.erasure WHERE record = '2'"),
        "1",
        "the auditors of the record's organization read of it"
    );
}

#[test]
fn x19_who_erases() {
    let db = lab("notes_erasers");
    let other = |who: &str, sql: &str| refused(&mut db.connect(who), sql, "42501");
    for who in ["alice", "mona", "ceo", "viewer"] {
        other(who, ERASE);
    }
    // A data owner who does not see the note is told what he is told of one that is not there.
    let hidden = {
        accepted(&mut db.admin(), "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex')");
        enlist(&db, "gus", "");
        accepted(
            &mut db.admin(),
            "UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'globex') WHERE key = 'gus'",
        );
        give(&db, "gus", "data_owner");
        other("gus", ERASE)
    };
    let absent = other("gus", "SELECT leadguard.erase_note('crm.note', '4711', 'asked')");
    assert_eq!(hidden.message().replace('1', "n"), absent.message().replace("4711", "n"));
    for sql in [
        "SELECT leadguard.erase_note('crm.note', '1', '  ')",
        "SELECT leadguard.erase_note('crm.note', '1', NULL)",
        "SELECT leadguard.erase_note('crm.note', NULL, 'asked')",
        "SELECT leadguard.erase_note('crm.tag', '1', 'asked')",
        "SELECT leadguard.erase_note(NULL, '1', 'asked')",
    ] {
        refused(&mut db.connect("dora"), sql, "22023");
    }
    for note in ["01", " 1", "x", "99999999999999999999"] {
        other("dora", &format!("SELECT leadguard.erase_note('crm.note', '{note}', 'asked')"));
    }
    accepted(&mut db.connect("dora"), ERASE);
}

#[test]
fn x19_a_note_is_found_by_its_index() {
    let db = lab("notes_erase_index");
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.note (lead_id, body) SELECT 1, 'bulk' FROM generate_series(1, 20000); ANALYZE crm.note",
    );
    let read = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relid = 'crm.note'::regclass";
    let mut dora = db.connect("dora");
    accepted(&mut dora, "BEGIN");
    accepted(&mut dora, ERASE);
    assert_eq!(scalar(&mut dora, read), "0");
    accepted(&mut dora, "COMMIT");
}
