//! Nobody in person stands behind a system.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k58_a_system_needs_somebody_who_agrees() {
    let db = lab("archive_system");
    enlist(&db, "importer", "mona");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET kind = 'system' WHERE key = 'importer'");
    place(&mut db.admin(), "anton", "importer");
    let mut importer = db.connect("importer");
    let delete = "DELETE FROM crm.lead WHERE id = 6";
    let error = refused(&mut importer, delete, "LG004");
    assert!(error.hint().unwrap().contains("request_approval"), "{error:?}");
    let id = scalar(
        &mut importer,
        "SELECT leadguard.request_approval('delete', 'crm.lead', '6', NULL, 'bounced three times')",
    );
    refused(&mut importer, delete, "LG004");
    accepted(&mut db.connect("dora"), &format!("SELECT leadguard.decide_approval({id}, true, 'checked')"));
    assert_eq!(accepted(&mut importer, delete), 1);
    let named = scalar(
        &mut db.admin(),
        "SELECT m.key FROM leadguard.audit_log l JOIN leadguard.approval a ON a.id = l.approval
         JOIN leadguard.member m ON m.id = a.decided_by WHERE l.record = '6' AND l.action = 'archive'",
    );
    assert_eq!(named, "dora");
    refused(&mut importer, "DELETE FROM crm.lead WHERE id = 7", "LG004");
    // A person does not need it.
    assert_eq!(accepted(&mut db.connect("anton"), "DELETE FROM crm.lead WHERE id = 7"), 1);
}

#[test]
fn k58_restore_and_purge_by_a_system_need_it_too() {
    let db = lab("archive_system_purge");
    enlist(&db, "cleaner", "");
    give(&db, "cleaner", "data_owner");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET kind = 'system' WHERE key = 'cleaner'");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id IN (1, 2)");
    let mut cleaner = db.connect("cleaner");
    for (kind, id) in [("restore", 1), ("purge", 2)] {
        let sql = format!("SELECT leadguard.{kind}('crm.lead', '{id}', 'nightly')");
        refused(&mut cleaner, &sql, "LG004");
        let ask = format!("SELECT leadguard.request_approval('{kind}', 'crm.lead', '{id}', NULL, 'nightly')");
        let number = scalar(&mut cleaner, &ask);
        // Not by itself, although it has the capability; and a refusal is no approval.
        refused(&mut cleaner, &format!("SELECT leadguard.decide_approval({number}, true, 'me')"), "42501");
        refused(&mut cleaner, &sql, "LG004");
        accepted(&mut db.connect("dora"), &format!("SELECT leadguard.decide_approval({number}, true, 'yes')"));
        // What is rolled back is not used up.
        accepted(&mut cleaner, &format!("BEGIN; {sql}; ROLLBACK"));
        accepted(&mut cleaner, &sql);
    }
    assert_eq!(archived(&db), set(""));
    let stone = "SELECT m.key FROM leadguard.tombstone t JOIN leadguard.approval a ON a.id = t.approval
                 JOIN leadguard.member m ON m.id = a.decided_by WHERE t.record = '2'";
    assert_eq!(scalar(&mut db.admin(), stone), "dora");
    // Used once.
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    refused(&mut cleaner, "SELECT leadguard.restore('crm.lead', '1', 'again')", "LG004");
}
