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

const PURGE: &str = "SELECT leadguard.unprotect('crm.lead', archived => 'purge')";

/// Leads of `who`, who may unprotect them, with two archived.
fn owned(db: &Db, who: &str) {
    let owner = db.role(who);
    accepted(
        &mut db.admin(),
        &format!(
            "SELECT leadguard.unprotect('crm.lead');
             GRANT CREATE, USAGE ON SCHEMA crm TO {owner}; ALTER TABLE crm.lead OWNER TO {owner};
             SELECT leadguard.protect('crm.lead', owner => 'owner_id', territory => 'territory_id', archived_at => 'archived_at', archived_by => 'archived_by');
             SELECT leadguard.set_archive('crm.lead', attribution => '{{name}}');
             UPDATE crm.lead SET name = 'CANARY' WHERE id IN (1, 2, 3)"
        ),
    );
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id IN (1, 2)");
}

#[test]
fn k53_what_goes_with_the_protection_leaves_a_proof() {
    let db = lab("archive_purge_all");
    owned(&db, "alice");
    let kept = "SELECT count(*) FROM leadguard.audit_value WHERE record IN ('1', '2')";
    assert_ne!(scalar(&mut db.admin(), kept), "0");
    let error = refused(&mut db.connect("alice"), PURGE, "42501");
    assert!(error.detail().unwrap().contains("hard_delete"), "{error:?}");
    assert_eq!(archived(&db), set("1 2"));
    give(&db, "alice", "data_owner");
    accepted(&mut db.connect("alice"), &PURGE.replace("')", "', dry_run => true)"));
    assert_eq!(archived(&db), set("1 2"));
    accepted(&mut db.connect("alice"), PURGE);
    let mut admin = db.admin();
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "13");
    let stones = rows(
        &mut admin,
        &format!(
            "SELECT t.record, m.key, t.org_id, t.session_role = '{}', t.reason LIKE '%purge%', t.kept ->> 'name', t.kept ->> 'archived_at' IS NOT NULL
             FROM leadguard.tombstone t JOIN leadguard.member m ON m.id = t.purged_by ORDER BY 1",
            db.role("alice")
        ),
    );
    assert_eq!(stones, ["1", "2"].map(|id| [id, "alice", "1", "t", "t", "CANARY", "t"]));
    for id in ["1", "2"] {
        assert_eq!(audit(&db, id).last().unwrap()[..2], ["purge", "alice"]);
    }
    assert_eq!(scalar(&mut admin, kept), "0");
    assert_ne!(scalar(&mut admin, "SELECT count(*) FROM leadguard.audit_value WHERE record = '3'"), "0");
    assert!(rows(&mut admin, "SELECT * FROM leadguard.audit_verify()").is_empty());
    assert_eq!(rows(&mut db.connect("dora"), "SELECT record FROM leadguard.tombstone").len(), 2);
}

#[test]
fn k53_a_superuser_leaves_one_too() {
    let db = lab("archive_purge_super");
    owned(&db, "alice");
    accepted(&mut db.admin(), "SELECT leadguard.mask('crm.lead', 'email', 'full')");
    accepted(&mut db.admin(), PURGE);
    let stones = "SELECT record, purged_by IS NULL, session_role FROM leadguard.tombstone ORDER BY 1";
    assert_eq!(rows(&mut db.admin(), stones), [["1", "t", "postgres"], ["2", "t", "postgres"]]);
    let named = "SELECT DISTINCT target_name FROM leadguard.audit_log WHERE action IN ('purge', 'unprotect')";
    assert_eq!(rows(&mut db.admin(), named), [["crm.lead"]]);
}

#[test]
fn k58_a_system_purges_no_table() {
    let db = lab("archive_purge_system");
    owned(&db, "alice");
    give(&db, "alice", "data_owner");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET kind = 'system' WHERE key = 'alice'");
    refused(&mut db.connect("alice"), PURGE, "LG004");
    accepted(&mut db.connect("alice"), &PURGE.replace("purge", "keep"));
}

#[test]
fn k53_rows_of_other_organizations_are_not_purged() {
    let db = lab("archive_purge_orgs");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.organization (id, key, name) VALUES (2, 'globex', 'Globex');
             CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, org text);
             ALTER TABLE crm.deal OWNER TO {0}; GRANT CREATE, USAGE ON SCHEMA crm TO {0};
             SELECT leadguard.protect('crm.deal', owner => 'owner_id', organization => 'org', archived_at => 'gone');
             INSERT INTO crm.deal VALUES (1, NULL, 'default'), (2, NULL, 'globex'); DELETE FROM crm.deal",
            db.role("dora")
        ),
    );
    let purge = PURGE.replace("lead'", "deal'");
    refused(&mut db.connect("dora"), &purge, "42501");
    accepted(&mut admin, "SELECT leadguard.purge('crm.deal', '2', 'theirs')");
    accepted(&mut db.connect("dora"), &purge);
    assert_eq!(rows(&mut admin, "SELECT record, org_id FROM leadguard.tombstone ORDER BY 1"), [["1", "1"], ["2", "2"]]);
}
