//! Writes through the view.

use super::masked;
use leadguard_tests::*;

#[test]
fn plain_writes_work_and_return_what_is_shown() {
    let db = masked("mask_write");
    let mut tom = db.connect("tom");
    assert_eq!(
        rows(&mut tom, "UPDATE crm.lead SET name = 'x' WHERE id = 11 RETURNING id, name, email"),
        vec![vec!["11", "x", "***-.com"]]
    );
    assert_eq!(
        accepted(&mut tom, "UPDATE crm.lead l SET name = 'y' FROM crm.lead k WHERE k.id = l.id AND l.id = 11"),
        1
    );
    let mut alice = db.connect("alice");
    assert_eq!(
        rows(&mut alice, "INSERT INTO crm.lead (name, email) VALUES ('n', 'n@example.com') RETURNING id, email"),
        vec![vec!["101", "n@example.com"]]
    );
    assert_eq!(rows(&mut alice, "DELETE FROM crm.lead WHERE id = 101 RETURNING name"), vec![vec!["n"]]);
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE id = 9"), 0);
    refused(&mut tom, "DELETE FROM crm.lead WHERE id = 11", "42501");
    refused(&mut db.connect("viewer"), "UPDATE crm.lead SET name = 'x' WHERE false", "42501");
}

#[test]
fn a_mask_written_back_changes_nothing() {
    let db = masked("mask_back");
    let mut tom = db.connect("tom");
    accepted(&mut tom, "UPDATE crm.lead SET email = email, name = 'x' WHERE id = 11");
    accepted(&mut tom, "UPDATE crm.lead SET email = '***-.com' WHERE id = 11");
    assert_eq!(scalar(&mut db.admin(), "SELECT email FROM crm_base.lead WHERE id = 11"), "lead11@example.com");
    accepted(&mut tom, "UPDATE crm.lead SET email = 'new@example.org' WHERE id = 11");
    assert_eq!(scalar(&mut db.admin(), "SELECT email FROM crm_base.lead WHERE id = 11"), "new@example.org");
}

#[test]
fn on_conflict_and_merge_are_refused_clearly() {
    let db = masked("mask_upsert");
    let mut alice = db.connect("alice");
    for statement in [
        "INSERT INTO crm.lead (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'",
        "MERGE INTO crm.lead USING (SELECT 1 AS id) s ON lead.id = s.id WHEN MATCHED THEN UPDATE SET name = 'x'",
    ] {
        println!("{} <- {statement}", code(&mut alice, statement));
        assert_ne!(code(&mut alice, statement), "ok");
    }
}

#[test]
fn grants_questions_and_reassign_take_the_view() {
    let db = masked("mask_api");
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit')");
    assert_eq!(scalar(&mut db.connect("carl"), "SELECT leadguard.can('update', 'crm.lead', '1')"), "t");
    accepted(&mut alice, "SELECT leadguard.unshare('crm.lead', '1', 'carl')");
    accepted(&mut db.connect("mona"), "SELECT leadguard.reassign('crm.lead', '1', 'anton')");
    assert_eq!(ids(&mut db.connect("anton"), "SELECT id FROM crm.lead"), set("1 6 7 8"));
    enlist(&db, "newbie", "mona");
    accepted(&mut db.connect("newbie"), "INSERT INTO crm.lead (name) VALUES ('mine')");
    refused(&mut db.connect("newbie"), "SELECT email FROM crm_base.lead", "42501");
    accepted(&mut db.admin(), "SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead"), "16");
}

/// `masked` with an archive, and a data owner who sees what is in it.
fn archiving(name: &str) -> Db {
    let db = masked(name);
    enlist(&db, "dora", "");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.set_archive('crm.lead');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'dora'",
    );
    db
}

#[test]
fn a_row_is_changed_once_by_one_statement() {
    let db = archiving("mask_once");
    let mut alice = db.connect("alice");
    let twice =
        "UPDATE crm.lead l SET amount = amount + 1 FROM (VALUES (1), (1)) v (i) WHERE l.id = v.i RETURNING amount";
    assert_eq!(rows(&mut alice, twice), [["101"]]);
    assert_eq!(rows(&mut alice, twice), [["102"]], "another statement");
    assert_eq!(rows(&mut alice, &twice.replace("(1), (1)", "(1), (2)")).len(), 2);
    let delete = "DELETE FROM crm.lead l USING (VALUES (3), (3)) v (i) WHERE l.id = v.i RETURNING l.id";
    assert_eq!(rows(&mut alice, delete), [["3"]]);
    let mut dora = db.connect("dora");
    assert_eq!(rows(&mut dora, &delete.replace('3', "4")), [["4"]], "she sees the row still");
    // Parts of one statement meet it as it was, and the first one changes it: the UPDATE runs when the rest is done.
    let parts = "WITH u AS (UPDATE crm.lead SET name = 'x' WHERE id = 5 RETURNING id) DELETE FROM crm.lead WHERE id = 5 RETURNING id";
    let gone = rows(&mut dora, parts).len();
    let kept = scalar(&mut db.admin(), "SELECT count(*) FROM crm_base.lead WHERE id = 5 AND name = 'x'");
    assert_eq!((gone, kept.as_str()), (1, "0"));
    accepted(
        &mut dora,
        "BEGIN; UPDATE crm.lead SET name = 'x' WHERE id = 2; DELETE FROM crm.lead WHERE id = 2; COMMIT",
    );
    assert_eq!(rows(&mut dora, "SELECT id FROM crm.lead WHERE name = 'x'"), [["2"]]);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm_base.lead WHERE archived_at IS NOT NULL"), "4");
}

// A table would wait and look again; the view cannot, and says that the statement can be repeated.
#[test]
fn a_change_by_somebody_else_is_not_overwritten() {
    let db = archiving("mask_race");
    let (mut alice, mut mona) = (db.connect("alice"), db.connect("mona"));
    let write = "UPDATE crm.lead SET amount = amount + 1 WHERE id = 1";
    accepted(&mut mona, &format!("BEGIN; {write}"));
    let waiting = pid(&mut alice);
    let other = std::thread::spawn(move || (code(&mut alice, write), code(&mut alice, write)));
    assert!(blocked(&mut db.admin(), waiting));
    accepted(&mut mona, "COMMIT");
    assert_eq!(other.join().expect("the other session ends"), ("40001".to_owned(), "ok".to_owned()));
    assert_eq!(scalar(&mut db.admin(), "SELECT amount FROM crm_base.lead WHERE id = 1"), "102");
}
