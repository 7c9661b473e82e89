//! The way back, and the way out.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k52_restore_needs_the_level_and_the_capability() {
    let db = lab("archive_restore");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id IN (1, 2)");
    let restore = |id: i32| format!("SELECT leadguard.restore('crm.lead', '{id}', 'still open')");
    // The owner has the level and not the capability: for him it is not there.
    let error = refused(&mut db.connect("alice"), &restore(1), "42501");
    assert_eq!(error.message(), "record 1 of crm.lead does not exist or is not visible");
    refused(&mut db.connect("mona"), &restore(1), "42501");
    accepted(&mut db.connect("lena"), &restore(1));
    assert_eq!(archived(&db), set("2"));
    assert!(leads(&db, "alice").contains("1"));
    assert_eq!(audit(&db, "1"), [["archive", "alice", "∅"], ["restore", "lena", "still open"]]);
    refused(&mut db.connect("lena"), &restore(1), "55000");
    let mut dora = db.connect("dora");
    accepted(&mut dora, "SET leadguard.show_archived = off");
    accepted(&mut dora, &restore(2));
    assert!(archived(&db).is_empty());
}

#[test]
fn k52_k2_purge_is_for_data_owners_with_a_reason() {
    let db = lab("archive_purge");
    accepted(&mut db.admin(), "SELECT leadguard.set_archive('crm.lead', attribution => '{name}')");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id IN (1, 2)");
    let purge = "SELECT leadguard.purge('crm.lead', '1', 'erasure request')";
    for who in ["alice", "mona", "lena"] {
        refused(&mut db.connect(who), purge, "42501");
    }
    let mut dora = db.connect("dora");
    refused(&mut dora, "SELECT leadguard.purge('crm.lead', '1', ' ')", "22023");
    refused(&mut dora, "SELECT leadguard.purge('crm.lead', '3', 'not archived')", "55000");
    accepted(&mut dora, purge);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE id = 1"), "0");
    let stone = rows(
        &mut dora,
        "SELECT t.record, m.key, t.reason, t.kept ->> 'name', t.kept ->> 'owner_id' IS NOT NULL
         FROM leadguard.tombstone t JOIN leadguard.member m ON m.id = t.purged_by",
    );
    assert_eq!(stone, [["1", "dora", "erasure request", "lead 1", "t"]]);
    assert_eq!(audit(&db, "1").last().unwrap()[..3], ["purge", "dora", "erasure request"]);
    assert_eq!(rows(&mut db.connect("alice"), "SELECT * FROM leadguard.tombstone").len(), 0);
}

#[test]
fn k53_a_purge_takes_the_values_out_of_the_audit() {
    let db = lab("archive_values");
    accepted(&mut db.admin(), "UPDATE crm.lead SET name = 'a secret' WHERE id = 1");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    let mut dora = db.connect("dora");
    let values = "SELECT count(*) FROM leadguard.audit_value WHERE record = '1'";
    assert_ne!(scalar(&mut dora, values), "0");
    accepted(&mut dora, "SELECT leadguard.purge('crm.lead', '1', 'erasure request')");
    assert_eq!(scalar(&mut dora, values), "0");
    assert_eq!(audit(&db, "1").len(), 3);
    assert!(rows(&mut dora, "SELECT * FROM leadguard.audit_verify()").is_empty());
}
