//! Who adds a note, and as whom.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k14_a_note_takes_level_edit_on_the_lead() {
    let db = lab("notes_write");
    let insert = |lead: i32| format!("INSERT INTO crm.note (lead_id, body) VALUES ({lead}, 'called')");
    accepted(&mut db.connect("alice"), &insert(1));
    accepted(&mut db.connect("mona"), &insert(1));
    accepted(&mut db.connect("tess"), &insert(11));
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'carl', 'read')");
    refused(&mut db.connect("carl"), &insert(1), "42501");
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit')");
    accepted(&mut db.connect("carl"), &insert(1));
    refused(&mut db.connect("viewer"), &insert(1), "42501");
    // A lead that one cannot see answers as one that does not exist.
    let hidden = refused(&mut db.connect("alice"), &insert(9), "42501");
    let absent = refused(&mut db.connect("alice"), &insert(4711), "42501");
    assert_eq!(hidden.message().replace('9', "n"), absent.message().replace("4711", "n"));
}

#[test]
fn k27_author_and_time_are_the_servers() {
    let db = lab("notes_author");
    let forged = "INSERT INTO crm.note (lead_id, author, written_at, body) VALUES (1, 'mona', '2001-01-01', 'x')
                  RETURNING author, written_at > now() - interval '1 minute'";
    assert_eq!(rows(&mut db.connect("alice"), forged), [["alice", "t"]]);
    let many = "INSERT INTO crm.note (lead_id, author, body) SELECT id, 'mona', 'x' FROM crm.lead RETURNING author";
    assert!(rows(&mut db.connect("alice"), many).iter().all(|row| row[0] == "alice"));
    // A restore keeps what it brings.
    let kept = "INSERT INTO crm.note (lead_id, author, written_at) VALUES (1, 'old', '2001-01-01') RETURNING author, written_at::date";
    assert_eq!(rows(&mut db.admin(), kept), [["old", "2001-01-01"]]);
    // A trigger of the table does not forge either.
    accepted(
        &mut db.admin(),
        "CREATE FUNCTION crm.forge() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.author := 'mona'; RETURN new; END$$;
         CREATE TRIGGER zz_forge BEFORE INSERT ON crm.note FOR EACH ROW EXECUTE FUNCTION crm.forge()",
    );
    refused(&mut db.connect("alice"), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')", "42501");
    accepted(&mut db.connect("mona"), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')");
}

#[test]
fn k27_authors_by_id_and_by_uuid() {
    let db = lab("notes_kinds");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.call (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), lead_id bigint, who bigint, what text NOT NULL);
         SELECT leadguard.protect_notes('crm.call', 'crm.lead', 'lead_id', 'what', author => 'who')",
    );
    let mut alice = db.connect("alice");
    let me = scalar(&mut alice, "SELECT leadguard.current_member()");
    assert_eq!(rows(&mut alice, "INSERT INTO crm.call (lead_id, what) VALUES (1, 'x') RETURNING who"), [[me]]);
    refused(&mut alice, "INSERT INTO crm.call (lead_id, what) VALUES (NULL, 'x')", "42501");
}

#[test]
fn k53_notes_are_written_down_in_the_audit() {
    let db = lab("notes_audit");
    let id = scalar(&mut db.connect("alice"), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x') RETURNING id");
    let sql = format!(
        "SELECT action, member_key FROM leadguard.audit_log WHERE target_name = 'crm.note' AND record = '{id}'"
    );
    assert_eq!(rows(&mut db.connect("dora"), &sql), [["note", "alice"]]);
}

#[test]
fn a_member_registered_later_reads_and_writes() {
    let db = lab("notes_later");
    enlist(&db, "nina", "ceo");
    place(&mut db.admin(), "vp", "nina");
    assert_eq!(scalar(&mut db.connect("nina"), "SELECT count(*) FROM crm.note"), "8");
    accepted(&mut db.connect("nina"), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'hello')");
}

#[test]
fn k53_notes_of_a_superuser_are_read_by_the_auditors() {
    let db = lab("notes_audit_unbound");
    let id = scalar(&mut db.admin(), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x') RETURNING id");
    accepted(&mut db.admin(), &format!("SELECT leadguard.erase_note('crm.note', '{id}', 'by the superuser')"));
    let log = format!(
        "SELECT action, member_key, session_role FROM leadguard.audit_log WHERE target_name = 'crm.note' AND record = '{id}' ORDER BY id"
    );
    assert_eq!(rows(&mut db.connect("dora"), &log), [["note", "∅", "postgres"], ["erase", "∅", "postgres"]]);
    assert!(rows(&mut db.connect("alice"), &log).is_empty());
}

#[test]
fn k53_the_audit_holds_nothing_of_a_note() {
    let db = lab("notes_audit_values");
    accepted(&mut db.connect("alice"), "INSERT INTO crm.note (id, lead_id, body) VALUES (500, 1, 'sesame')");
    accepted(&mut db.connect("dora"), "SELECT leadguard.erase_note('crm.note', '500', 'asked')");
    for table in ["audit_log", "audit_value", "erasure"] {
        let sql = format!("SELECT count(*) FROM leadguard.{table} t WHERE t::text LIKE '%sesame%'");
        assert_eq!(scalar(&mut db.admin(), &sql), "0", "{table}");
    }
    assert_eq!(rows(&mut db.admin(), "SELECT * FROM leadguard.audit_verify()"), Vec::<Vec<String>>::new());
}
