//! The one exception.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn x19_a_data_owner_erases_and_a_proof_stays() {
    let db = lab("notes_erase");
    let erase = |note: &str, reason: &str| format!("SELECT leadguard.erase_note('crm.note', '{note}', '{reason}')");
    for who in ["alice", "mona", "ceo"] {
        refused(&mut db.connect(who), &erase("1", "asked"), "42501");
    }
    let mut dora = db.connect("dora");
    refused(&mut dora, &erase("1", ""), "22023");
    refused(&mut dora, &erase("4711", "asked"), "42501");
    refused(&mut dora, "SELECT leadguard.erase_note('crm.lead', '1', 'asked')", "22023");
    accepted(&mut dora, &erase("1", "erasure request 17"));
    assert_eq!(rows(&mut db.admin(), "SELECT body, author FROM crm.note WHERE id = 1"), [["∅", "import"]]);
    assert_eq!(scalar(&mut db.admin(), "SELECT body FROM crm.note WHERE id = 2"), "note on 2");
    let proof = "SELECT e.record, e.parent_record, m.key, e.reason, length(e.digest) > 20 FROM leadguard.erasure e
                 JOIN leadguard.member m ON m.id = e.erased_by";
    assert_eq!(rows(&mut dora, proof), [["1", "1", "dora", "erasure request 17", "t"]]);
    assert!(rows(&mut db.connect("alice"), "SELECT * FROM leadguard.erasure").is_empty());
    refused(&mut dora, "UPDATE crm.note SET body = 'x' WHERE id = 1", "42501");
    assert_eq!(
        rows(
            &mut dora,
            "SELECT action, member_key, reason FROM leadguard.audit_log WHERE target_name = 'crm.note' AND action = 'erase'"
        ),
        [["erase", "dora", "erasure request 17"]]
    );
}

#[test]
fn k53_a_purge_takes_notes_and_tags_along() {
    let db = lab("notes_purge");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    let mut dora = db.connect("dora");
    accepted(
        &mut dora,
        "SET leadguard.show_archived = off; SELECT leadguard.purge('crm.lead', '1', 'erasure request')",
    );
    let mut admin = db.admin();
    for table in ["note", "tag"] {
        assert_eq!(scalar(&mut admin, &format!("SELECT count(*) FROM crm.{table} WHERE lead_id = 1")), "0");
    }
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.note"), "14");
    assert_eq!(scalar(&mut dora, "SELECT count(*) FROM leadguard.erasure WHERE parent_record = '1'"), "1");
}

#[test]
fn k53_a_purge_runs_the_actions_of_foreign_keys() {
    for action in ["CASCADE", "SET NULL", "NO ACTION"] {
        let db = lab("notes_purge_keys");
        accepted(
            &mut db.admin(),
            &format!(
                "SELECT leadguard.unprotect('crm.note'); ALTER TABLE crm.note ALTER lead_id DROP NOT NULL, DROP CONSTRAINT note_lead_id_fkey,
                     ADD FOREIGN KEY (lead_id) REFERENCES crm.lead ON DELETE {action};
                 SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body')"
            ),
        );
        accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
        // A note that the purger cannot see stays, and so does its lead.
        accepted(&mut db.admin(), "CREATE POLICY mine ON crm.note AS RESTRICTIVE FOR SELECT USING (id <> 1)");
        let purge = "SELECT leadguard.purge('crm.lead', '1', 'erasure request')";
        let state = code(&mut db.connect("dora"), purge);
        assert!(["42501", "23503"].contains(&state.as_str()), "{action}: {state}");
        assert_eq!(scalar(&mut db.admin(), "SELECT lead_id FROM crm.note WHERE id = 1"), "1");
        accepted(&mut db.admin(), "DROP POLICY mine ON crm.note");
        accepted(&mut db.connect("dora"), purge);
        assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.note WHERE id = 1"), "0");
        assert_eq!(
            scalar(&mut db.connect("dora"), "SELECT count(*) FROM leadguard.erasure WHERE parent_record = '1'"),
            "1"
        );
        let erased = "SELECT reason FROM leadguard.audit_log WHERE target_name = 'crm.note' AND record = '1' AND action = 'erase'";
        assert_eq!(rows(&mut db.connect("dora"), erased), [["its record was purged"]]);
    }
}
