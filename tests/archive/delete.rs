//! Who archives, what the client is told, and what is written down.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k15_delete_archives_and_tells_how_many() {
    let db = lab("archive_count");
    let mut alice = db.connect("alice");
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE id IN (1, 2, 6)"), 2);
    assert_eq!(archived(&db), set("1 2"));
    assert_eq!(leads(&db, "alice"), set("3 4 5"));
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT m.key FROM crm.lead l JOIN leadguard.member m ON m.id = l.archived_by WHERE l.id = 1"
        ),
        "alice"
    );
    assert_eq!(audit(&db, "1"), [["archive", "alice", "∅"]]);
    assert!(audit(&db, "3").is_empty());
    // Nothing is lost.
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead"), "15");
}

#[test]
fn k15_delete_returns_its_rows() {
    let db = lab("archive_returning");
    let mut alice = db.connect("alice");
    let gone = rows(&mut alice, "DELETE FROM crm.lead WHERE id < 3 RETURNING id, name, archived_at");
    assert_eq!(gone, [["1", "lead 1", "∅"], ["2", "lead 2", "∅"]]);
    let by_query =
        rows(&mut alice, "WITH gone AS (DELETE FROM crm.lead WHERE id = 3 RETURNING *) SELECT id, email FROM gone");
    assert_eq!(by_query, [["3", "lead3@example.com"]]);
    assert_eq!(archived(&db), set("1 2 3"));
}

#[test]
fn k52_archived_rows_are_not_counted_again() {
    let db = lab("archive_twice");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    let mut dora = db.connect("dora");
    let before = scalar(&mut db.admin(), "SELECT archived_at FROM crm.lead WHERE id = 1");
    assert_eq!(accepted(&mut dora, "DELETE FROM crm.lead WHERE id IN (1, 2)"), 1);
    assert_eq!(scalar(&mut db.admin(), "SELECT archived_at FROM crm.lead WHERE id = 1"), before);
}

#[test]
fn k15_delete_needs_level_full() {
    let db = lab("archive_level");
    // tess edits by territory, mona is above the owner.
    refused(&mut db.connect("tess"), "DELETE FROM crm.lead WHERE id = 11", "42501");
    assert_eq!(accepted(&mut db.connect("mona"), "DELETE FROM crm.lead WHERE id = 6"), 1);
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 9"), 0, "not visible");
    assert_eq!(archived(&db), set("6"));
}

#[test]
fn k52_without_an_archive_only_data_owners_delete() {
    let db = lab("archive_none");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint);
         INSERT INTO crm.deal SELECT g, m.id FROM generate_series(1, 3) g, leadguard.member m WHERE m.key = 'alice';
         SELECT leadguard.protect('crm.deal', owner => 'owner_id')",
    );
    let error = refused(&mut db.connect("alice"), "DELETE FROM crm.deal WHERE id = 1", "42501");
    assert!(error.hint().unwrap().contains("set_archive"), "{error:?}");
    assert_eq!(scalar(&mut db.connect("alice"), "SELECT leadguard.can('delete', 'crm.deal', '1')"), "f");
    assert_eq!(scalar(&mut db.connect("dora"), "SELECT leadguard.can('delete', 'crm.deal', '1')"), "t");
    assert_eq!(accepted(&mut db.connect("dora"), "DELETE FROM crm.deal WHERE id = 1"), 1);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.deal"), "2");
    // With an archive the owner may.
    accepted(&mut db.admin(), "SELECT leadguard.set_archive('crm.deal')");
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.deal WHERE id = 2"), 1);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.deal WHERE archived_at IS NOT NULL"), "1");
}

#[test]
fn k53_superusers_archive_too_and_are_written_down() {
    let db = lab("archive_superuser");
    let mut admin = db.admin();
    accepted(&mut admin, "SELECT count(*) FROM leadguard.cache()");
    assert_eq!(accepted(&mut admin, "DELETE FROM crm.lead WHERE id = 13"), 1);
    assert_eq!(archived(&db), set("13"));
    assert_eq!(audit(&db, "13"), [["archive", "∅", "∅"]]);
    // Even where the library is not loaded before the statement starts.
    accepted(&mut db.admin(), "DELETE FROM crm.lead WHERE id = 12");
    assert_eq!(archived(&db), set("12 13"));
}

#[test]
fn k52_archive_columns_are_not_written_by_hand() {
    let db = lab("archive_by_hand");
    let mut alice = db.connect("alice");
    for sql in [
        "UPDATE crm.lead SET archived_at = now() WHERE id = 1",
        "UPDATE crm.lead SET archived_by = owner_id WHERE id = 1",
        "INSERT INTO crm.lead (name, archived_at) VALUES ('new', now())",
    ] {
        refused(&mut alice, sql, "42501");
    }
    accepted(&mut alice, "UPDATE crm.lead SET archived_at = archived_at, name = 'x' WHERE id = 1");
    accepted(&mut alice, "INSERT INTO crm.lead (name) VALUES ('new')");
    assert!(archived(&db).is_empty());
}

#[test]
fn k52_truncate_is_refused() {
    let db = lab("archive_truncate");
    for who in ["alice", "dora", "postgres"] {
        refused(&mut db.connect(who), "TRUNCATE crm.lead", "42501");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead"), "15");
}

#[test]
fn k53_archiving_keeps_a_reason() {
    let db = lab("archive_reason");
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SELECT leadguard.archive('crm.lead', '1', 'stale import')");
    assert_eq!(audit(&db, "1"), [["archive", "alice", "stale import"]]);
    refused(&mut alice, "SELECT leadguard.archive('crm.lead', '9', 'not mine')", "42501");
    refused(&mut db.connect("tess"), "SELECT leadguard.archive('crm.lead', '11', 'only edit')", "42501");
    assert_eq!(archived(&db), set("1"));
}

#[test]
fn k53_a_rollback_takes_the_archiving_back() {
    let db = lab("archive_rollback");
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "BEGIN; DELETE FROM crm.lead WHERE id = 1; SAVEPOINT s; DELETE FROM crm.lead WHERE id = 2; ROLLBACK TO s",
    );
    accepted(&mut alice, "COMMIT");
    assert_eq!(archived(&db), set("1"));
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.audit_log WHERE action = 'archive'"), "1");
}
