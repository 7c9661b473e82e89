//! The end of the protection, and tables that get an archive later.

use crate::lab::*;
use leadguard_tests::*;

fn columns(db: &Db) -> String {
    scalar(
        &mut db.admin(),
        "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'crm.lead'::regclass AND attnum > 0 AND NOT attisdropped",
    )
}

#[test]
fn k52_unprotect_asks_about_archived_rows() {
    let db = lab("archive_unprotect");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    let mut admin = db.admin();
    let error = refused(&mut admin, "SELECT leadguard.unprotect('crm.lead')", "55000");
    assert!(error.hint().unwrap().contains("keep"), "{error:?}");
    refused(&mut admin, "SELECT leadguard.unprotect('crm.lead', archived => 'lose')", "22023");
    assert_eq!(leads(&db, "alice"), set("2 3 4 5"), "still protected");
    accepted(&mut admin, "BEGIN; SELECT leadguard.unprotect('crm.lead', archived => 'keep')");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE archived_at IS NOT NULL"), "1");
    accepted(&mut admin, "ROLLBACK");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead', archived => 'purge')");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "14");
    assert_eq!(columns(&db), "id owner_id territory_id name email amount", "the columns that protect added are gone");
}

#[test]
fn k52_protect_adds_the_columns_it_needs() {
    let db = lab("archive_columns");
    assert_eq!(columns(&db), "id owner_id territory_id name email amount archived_at archived_by");
    let mut admin = db.admin();
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    let protect = |more: &str| format!("SELECT leadguard.protect('crm.lead', owner => 'owner_id', {more})");
    refused(&mut admin, &protect("archived_by => 'archived_by'"), "22023");
    refused(&mut admin, &protect("archived_at => 'name'"), "22023");
    refused(&mut admin, &protect("archived_at => 'gone', archived_by => 'amount'"), "22023");
    refused(&mut admin, &protect("archived_at => 'gone', archived_by => 'owner_id'"), "22023");
    accepted(&mut admin, &protect("archived_at => 'gone', archived_by => 'by'"));
    assert_eq!(columns(&db), "id owner_id territory_id name email amount gone by");
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1"), 1);
}

#[test]
fn k52_a_dropped_archive_column_closes_the_table() {
    let db = lab("archive_dropped");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead DROP COLUMN archived_at CASCADE");
    assert!(leads(&db, "alice").is_empty());
    assert!(leads(&db, "dora").is_empty());
    refused(&mut db.connect("alice"), "INSERT INTO crm.lead (name) VALUES ('x')", "42501");
}

#[test]
fn k52_a_renamed_archive_column_is_followed() {
    let db = lab("archive_renamed");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead RENAME COLUMN archived_at TO gone_at");
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1"), 1);
    assert_eq!(leads(&db, "alice"), set("2 3 4 5"));
}
