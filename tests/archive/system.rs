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
