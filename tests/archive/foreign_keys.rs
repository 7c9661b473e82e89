//! Foreign keys around archived and purged rows.

use crate::lab::*;
use leadguard_tests::*;

fn child(db: &Db, on_delete: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE TABLE crm.call (id bigint PRIMARY KEY, lead_id bigint REFERENCES crm.lead {on_delete});
             INSERT INTO crm.call VALUES (1, 1), (2, 2);
             GRANT SELECT, INSERT, UPDATE, DELETE ON crm.call TO PUBLIC"
        ),
    );
}

#[test]
fn k52_archiving_triggers_no_foreign_key() {
    for on_delete in ["ON DELETE CASCADE", "ON DELETE SET NULL", "ON DELETE RESTRICT", ""] {
        let db = lab("archive_fk");
        child(&db, on_delete);
        assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1"), 1);
        assert_eq!(rows(&mut db.admin(), "SELECT id, lead_id FROM crm.call ORDER BY 1"), [["1", "1"], ["2", "2"]]);
    }
}

#[test]
fn k52_purging_obeys_foreign_keys() {
    let purge = "SELECT leadguard.purge('crm.lead', '1', 'gone')";
    let db = lab("archive_fk_purge");
    child(&db, "");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    refused(&mut db.connect("dora"), purge, "23503");
    assert_eq!(archived(&db), set("1"));
    accepted(&mut db.admin(), "DELETE FROM crm.call WHERE lead_id = 1");
    accepted(&mut db.connect("dora"), purge);
}

#[test]
fn k52_a_cascade_does_not_delete_protected_children() {
    let db = lab("archive_fk_protected");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.account (id bigint PRIMARY KEY); INSERT INTO crm.account VALUES (1), (2);
         GRANT SELECT, DELETE ON crm.account TO PUBLIC;
         ALTER TABLE crm.lead ADD account_id bigint REFERENCES crm.account ON DELETE CASCADE;
         UPDATE crm.lead SET account_id = 1 WHERE id = 1",
    );
    let error = refused(&mut db.connect("alice"), "DELETE FROM crm.account WHERE id = 1", "42501");
    assert!(error.message().contains("crm.lead"), "{error:?}");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE archived_at IS NULL"), "15");
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.account WHERE id = 2"), 1);
    // Nor does a superuser's; archived or not, the row is still there.
    let mut admin = db.admin();
    refused(&mut admin, "DELETE FROM crm.account WHERE id = 1", "42501");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    refused(&mut admin, "DELETE FROM crm.account WHERE id = 1", "42501");
    accepted(&mut admin, "SELECT leadguard.purge('crm.lead', '1', 'the account goes')");
    assert_eq!(accepted(&mut admin, "DELETE FROM crm.account WHERE id = 1"), 1);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "14");
}
