//! Old months go, what the seals say of them stays.

use crate::audited_by_months;
use crate::seals::{OPEN, holds, problems, seal, sealed};
use leadguard_tests::*;

#[allow(dead_code)]
#[path = "../../src/model/digest.rs"]
mod digest;

/// Rows of January 2020, as they were written then: nobody can set the clock back, so their digests are made here.
fn january(db: &Db) {
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE leadguard.audit_log_2020_01 PARTITION OF leadguard.audit_entry FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-02-01 00:00+00');
         ALTER TABLE leadguard.audit_log_2020_01 ADD PRIMARY KEY (at, id);
         CREATE TRIGGER audit_00_append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.audit_log_2020_01
             FOR EACH STATEMENT EXECUTE FUNCTION leadguard.append_only()",
    );
    let secret = scalar(&mut admin, "SELECT encode(key, 'hex') FROM leadguard.secret WHERE name = 'audit'");
    let secret: Vec<u8> =
        (0..secret.len()).step_by(2).map(|i| u8::from_str_radix(&secret[i..i + 2], 16).unwrap()).collect();
    let key = digest::Key::new(&secret).unwrap();
    for id in 900_001..900_006_i64 {
        let transaction = scalar(&mut admin, "SELECT pg_current_xact_id()");
        let day = 7_000 + 305 + id % 10; // days since 2000-01-01
        let at = day * 86_400_000_000;
        let organization = if id == 900_005 { 7 } else { 1 };
        let head =
            key.digest("row").number(Some(at)).text(&transaction).text("old").text("old").number(None).optional(None);
        let head = head
            .number(Some(organization))
            .optional(Some("crm.lead"))
            .text("purge")
            .optional(None)
            .number(None)
            .optional(None);
        let mac = head.number(Some(id)).optional(Some("77")).text("{}").number(Some(0)).hex();
        accepted(
            &mut admin,
            &format!(
                "SET row_security = off;
                 INSERT INTO leadguard.audit_entry (id, at, transaction, session_role, outer_role, organization, target, target_name, record, action, changes, has_values, mac)
                 VALUES ({id}, timestamptz '2000-01-01 00:00+00' + interval '{day} days', '{transaction}', 'old', 'old', {organization}, 'crm.lead', 'crm.lead', '77', 'purge', '{{}}', false, '\\x{mac}')"
            ),
        );
    }
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.audit_log_2020_01"), "5");
}

#[test]
fn k53_a_month_is_retired_and_its_proof_stays() {
    let db = audited_by_months("au_retire", 1);
    january(&db);
    let mut admin = db.admin();
    let retire = "SELECT * FROM leadguard.audit_retire('2020-02-01')";
    let error = refused(&mut admin, retire, "55000");
    assert!(error.message().contains("5 rows of audit_log_2020_01 are not sealed"), "{error}");
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' WHERE id < 4");
    assert!(seal(&mut admin) > 8);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'y' WHERE id < 4");
    assert_eq!(seal(&mut admin), 3);
    holds(&mut admin);
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.audit_retire('2020-01-31')"), Vec::<Vec<String>>::new());
    refused(&mut admin, "SELECT * FROM leadguard.audit_retire(NULL)", "22023");
    let error = refused(&mut admin, "SELECT * FROM leadguard.audit_retire(current_date + 40)", "22023");
    assert!(error.hint().is_some(), "{error}");
    // Not while something is wrong.
    accepted(
        &mut admin,
        "BEGIN; SET LOCAL row_security = off; ALTER TABLE leadguard.audit_log_2020_01 DISABLE TRIGGER ALL;
                          DELETE FROM leadguard.audit_log_2020_01 WHERE id = 900003",
    );
    assert_eq!(problems(&mut admin), ["the row is missing 1 #"]);
    refused(&mut admin, retire, "55000");
    accepted(&mut admin, "ROLLBACK");
    assert_eq!(rows(&mut admin, retire), [["audit_log_2020_01", "5", "1"]]);
    assert_eq!(scalar(&mut admin, "SELECT to_regclass('leadguard.audit_log_2020_01') IS NULL"), "t");
    holds(&mut admin);
    assert_eq!(rows(&mut admin, retire), Vec::<Vec<String>>::new());
    // Auditors read what went of their organization's, and how much that is; superusers the whole.
    let event = "SELECT coalesce(organization, 0), detail FROM leadguard.audit_log WHERE action = 'retire' ORDER BY id";
    let of_1 = ["1", "audit_log_2020_01, 4 rows of the organization"];
    assert_eq!(
        rows(&mut admin, event),
        [["0", "audit_log_2020_01, 5 rows, 1 seals"], of_1, ["7", "audit_log_2020_01, 1 rows of the organization"]]
    );
    assert_eq!(rows(&mut db.connect("tina"), event), [of_1]);
    // Other rows of the same seal are still held to it.
    let open = "BEGIN; SET LOCAL row_security = off; ALTER TABLE leadguard.audit_entry_value DISABLE TRIGGER ALL; ALTER TABLE leadguard.audit_retired DISABLE TRIGGER ALL; DO $$
        DECLARE part regclass; BEGIN FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'leadguard.audit_entry'::regclass LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', part); END LOOP; END $$; ALTER TABLE leadguard.audit_entry DISABLE TRIGGER ALL;";
    accepted(
        &mut admin,
        &format!(
            "{open} DELETE FROM leadguard.audit_entry_value WHERE record = '1'; DELETE FROM leadguard.audit_entry WHERE record = '1' AND action = 'update'"
        ),
    );
    assert_eq!(problems(&mut admin), ["the row is missing 1 #", "the row is missing 2 #"]);
    accepted(&mut admin, "ROLLBACK");
    // Nothing comes back into the month, and the proof is one.
    accepted(&mut admin, &format!("{open} INSERT INTO leadguard.audit_entry SELECT id + 900000, '2020-01-05', '3', session_role, outer_role, member_id, member_key, organization,
        target, target_name, record, action, reason, approval, detail, changes, false, mac FROM leadguard.audit_log WHERE action = 'retire' AND organization IS NULL"));
    assert_eq!(
        problems(&mut admin),
        ["the row is not as it was written 1 #", "the row was not there when it should have been sealed 1 #"]
    );
    accepted(&mut admin, &format!("ROLLBACK; {open} UPDATE leadguard.audit_retired SET \"rows\" = 4"));
    assert!(problems(&mut admin).contains(&"the proof of a retired month does not agree with the seals".to_string()));
    accepted(&mut admin, &format!("ROLLBACK; {open} DELETE FROM leadguard.audit_retired"));
    assert_eq!(problems(&mut admin), ["the row is missing 1 #"]);
    accepted(&mut admin, "ROLLBACK");
    seal(&mut admin);
    holds(&mut admin);
}

// A transaction can be open while a month goes; what it writes then is sealed like everything else.
#[test]
fn k53_a_month_does_not_go_while_it_is_written() {
    let db = audited_by_months("au_retire_open", 1);
    january(&db);
    let mut admin = db.admin();
    seal(&mut admin);
    let mut writer = db.admin();
    accepted(&mut writer, "BEGIN; UPDATE crm.lead SET name = 'open' WHERE id = 1");
    let mut retiring = db.admin();
    accepted(&mut retiring, "SET lock_timeout = '300ms'");
    refused(&mut retiring, "SELECT * FROM leadguard.audit_retire('2020-02-01')", "55P03");
    accepted(&mut writer, "COMMIT");
    accepted(&mut retiring, "SELECT * FROM leadguard.audit_retire('2020-02-01')");
    assert!(seal(&mut admin) > 0);
    holds(&mut admin);
}

// What may go from the audit later is no part of what is sealed.
#[test]
fn k53_purge_and_erasure_leave_the_seals_sound() {
    let db = sealed("au_seal_purge");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "SELECT leadguard.set_archive('crm.lead');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'tina'",
    );
    accepted(&mut db.connect("admin"), "DELETE FROM crm.lead WHERE id = 2");
    assert!(seal(&mut admin) > 0);
    accepted(&mut db.connect("tina"), "SELECT leadguard.purge('crm.lead', '2', 'asked')");
    holds(&mut admin);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.audit_value WHERE record = '2'"), "0");
    assert!(seal(&mut admin) > 0);
    holds(&mut admin);
    // Since a time: the chain whole, the rows of later seals.
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.verify_audit(now())"), Vec::<Vec<String>>::new());
    accepted(
        &mut admin,
        &format!("{OPEN} SET row_security = off; DELETE FROM leadguard.audit_log_default WHERE record = '1'"),
    );
    assert_eq!(
        rows(&mut admin, "SELECT * FROM leadguard.verify_audit(now() + interval '1 hour')"),
        Vec::<Vec<String>>::new()
    );
    assert!(!problems(&mut admin).is_empty());
}
