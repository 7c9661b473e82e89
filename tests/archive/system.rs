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

/// The importer of kind system, above anton, who sees archived rows.
fn importer(db: &Db) -> Client {
    enlist(db, "importer", "mona");
    give(db, "importer", "data_owner");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET kind = 'system' WHERE key = 'importer'");
    place(&mut db.admin(), "anton", "importer");
    db.connect("importer")
}

/// Has the importer ask, and dora grant.
fn agree(db: &Db, kind: &str, id: &str) {
    let ask = format!("SELECT leadguard.request_approval('{kind}', 'crm.lead', '{id}', NULL, 'agreed')");
    let number = scalar(&mut db.connect("importer"), &ask);
    accepted(&mut db.connect("dora"), &format!("SELECT leadguard.decide_approval({number}, true)"));
}

fn unused(db: &Db) -> String {
    scalar(
        &mut db.admin(),
        "SELECT count(*) FROM leadguard.approval WHERE granted AND used_at IS NULL AND until > now()",
    )
}

#[test]
fn k58_each_command_and_each_call_needs_an_approval() {
    let db = lab("archive_system_once");
    let mut importer = importer(&db);
    let (delete, restore) = ("DELETE FROM crm.lead WHERE id = 6", "leadguard.restore('crm.lead', '6', 'r')");
    let twice = format!("DO $$ BEGIN {delete}; PERFORM {restore}; {delete}; PERFORM {restore}; END $$");
    agree(&db, "delete", "6");
    agree(&db, "restore", "6");
    // One statement of the client has one time; that makes it no single use.
    refused(&mut importer, &twice, "LG004");
    refused(
        &mut importer,
        &twice.replace("DO $$ BEGIN", "").replace("END $$", "").replace("PERFORM", "SELECT"),
        "LG004",
    );
    let calls = format!("SELECT {restore}, leadguard.archive('crm.lead', '6', 'a'), {restore}");
    accepted(&mut importer, &format!("BEGIN; {delete}"));
    agree(&db, "delete", "6");
    refused(&mut importer, &calls, "LG004");
    accepted(&mut importer, "ROLLBACK");
    assert_eq!(archived(&db), set(""));
    agree(&db, "restore", "6");
    assert_eq!(unused(&db), "4");
    accepted(&mut importer, &twice);
    assert_eq!(unused(&db), "0");
    // A row that one command meets twice is one use.
    agree(&db, "delete", "7");
    agree(&db, "delete", "7");
    assert_eq!(accepted(&mut importer, "DELETE FROM crm.lead l USING (VALUES (7), (7)) v (id) WHERE v.id = l.id"), 1);
    assert_eq!(unused(&db), "1");
}

#[test]
fn k58_approvals_end_with_the_record() {
    for purged in [true, false] {
        let db = lab("archive_system_end");
        let mut importer = importer(&db);
        agree(&db, "delete", "6");
        let open = scalar(&mut importer, "SELECT leadguard.request_approval('purge', 'crm.lead', '6', NULL, 'x')");
        agree(&db, "delete", "7");
        accepted(&mut db.connect("anton"), "DELETE FROM crm.lead WHERE id = 6");
        let mut dora = db.connect("dora");
        let decide = format!("SELECT leadguard.decide_approval({open}, true)");
        if purged {
            accepted(&mut dora, "SELECT leadguard.purge('crm.lead', '6', 'request')");
            accepted(&mut db.connect("anton"), "INSERT INTO crm.lead (id, name) VALUES (6, 'another one')");
            refused(&mut importer, "DELETE FROM crm.lead WHERE id = 6", "LG004");
            refused(&mut dora, &decide, "55000");
        } else {
            accepted(&mut dora, "SELECT leadguard.restore('crm.lead', '6', 'it was not gone')");
            accepted(&mut dora, &decide);
            assert_eq!(accepted(&mut importer, "DELETE FROM crm.lead WHERE id = 6"), 1);
        }
        assert_eq!(accepted(&mut importer, "DELETE FROM crm.lead WHERE id = 7"), 1, "that of another record");
        let kept = "SELECT count(*) FROM leadguard.approval WHERE record = '6'";
        assert_eq!(scalar(&mut db.admin(), kept), "2", "what was agreed is history");
    }
}
