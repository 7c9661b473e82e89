//! Nobody writes the audit but leadguard, and nobody reads it but whoever may.

use crate::{audited, mark, sound, trail};
use leadguard_tests::*;

const TABLES: [&str; 3] = ["audit_entry", "audit_log_default", "audit_entry_value"];

#[test]
fn k53_rows_are_forged_by_nobody() {
    let db = audited("au_forged");
    let mut admin = db.admin();
    let owner = db.create_role("owner");
    accepted(&mut admin, &format!("ALTER TABLE crm.lead OWNER TO {owner}; GRANT USAGE ON SCHEMA leadguard TO {owner}"));
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
    let start = mark(&mut admin);
    for who in ["alice", "tina", "admin", "owner", "postgres"] {
        let mut session = db.connect(who);
        for table in TABLES {
            for sql in [
                format!("INSERT INTO leadguard.{table} SELECT * FROM leadguard.{table}"),
                format!("INSERT INTO leadguard.{table} DEFAULT VALUES"),
                format!("UPDATE leadguard.{table} SET at = now()"),
                format!("UPDATE leadguard.{table} SET at = now() WHERE false"),
                format!("DELETE FROM leadguard.{table}"),
                format!("TRUNCATE leadguard.{table}"),
            ] {
                refused(&mut session, &sql, "42501");
            }
        }
        for view in ["audit_log", "audit_value"] {
            refused(&mut session, &format!("UPDATE leadguard.{view} SET at = now()"), "55000");
            refused(&mut session, &format!("DELETE FROM leadguard.{view}"), "55000");
            refused(&mut session, &format!("INSERT INTO leadguard.{view} SELECT * FROM leadguard.{view}"), "42501");
        }
        let merge = "MERGE INTO leadguard.audit_entry AS l USING (SELECT 1) AS v ON true WHEN MATCHED THEN DELETE";
        refused(&mut session, merge, "42501");
        if who != "postgres" {
            refused(&mut session, "SELECT nextval('leadguard.audit_id_seq')", "42501");
            refused(&mut session, "SELECT * FROM leadguard.secret", "42501");
            refused(&mut session, "SELECT leadguard.audit_partitions(1)", "42501");
        }
    }
    assert_eq!(trail(&mut admin, &start), Vec::<String>::new());
    sound(&mut admin);
}

// A superuser who goes round the triggers leaves rows that do not agree with their digest.
#[test]
fn what_goes_round_the_triggers_is_found() {
    let db = audited("au_verify");
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' || id WHERE id < 6");
    sound(&mut admin);
    let problems = |admin: &mut Client, sql: &str| {
        let sql = format!(
            "BEGIN; SET LOCAL row_security = off; ALTER TABLE leadguard.audit_log_default DISABLE TRIGGER ALL;
             ALTER TABLE leadguard.audit_entry_value DISABLE TRIGGER ALL; {sql}"
        );
        accepted(admin, &sql);
        let found = rows(admin, "SELECT coalesce(field, '-'), problem FROM leadguard.audit_verify()");
        accepted(admin, "ROLLBACK");
        found
    };
    let row = "the row is not as it was written";
    for sql in [
        "UPDATE leadguard.audit_log_default SET member_key = 'carl' WHERE record = '1'",
        "UPDATE leadguard.audit_log_default SET session_role = 'carl' WHERE record = '1'",
        "UPDATE leadguard.audit_log_default SET changes = '{}', has_values = false WHERE record = '1'; DELETE FROM leadguard.audit_entry_value WHERE record = '1'",
        "INSERT INTO leadguard.audit_entry SELECT -id, at, transaction, session_role, outer_role, member_id, member_key, organization,
             target, target_name, record, action, reason, approval, detail, changes, false, mac FROM leadguard.audit_log WHERE record = '1'",
    ] {
        assert_eq!(problems(&mut admin, sql), [["-", row]], "{sql}");
    }
    let value = "UPDATE leadguard.audit_entry_value SET \"values\" = jsonb_set(\"values\", '{name,new}', '\"y\"') WHERE record = '1'";
    assert_eq!(problems(&mut admin, value), [["name", "the value does not agree with its digest"]]);
    let gone = "DELETE FROM leadguard.audit_log_default WHERE record = '1'";
    assert_eq!(problems(&mut admin, gone), [["-", "values that no audit row has"]]);
    sound(&mut admin);
}

#[test]
fn k53_only_auditors_of_the_organization_read() {
    let db = audited("au_readers");
    let mut admin = db.admin();
    accepted(&mut admin, "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex')");
    let role = db.create_role("gus");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.member (org_id, key, db_role) SELECT id, 'gus', '{role}' FROM leadguard.organization WHERE key = 'globex';
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'gus';
             UPDATE crm.lead SET name = 'x' WHERE id = 1"
        ),
    );
    let count = "SELECT count(*) FROM leadguard.audit_log WHERE action NOT LIKE 'role_%' AND action NOT IN ('directory', 'admin_made')";
    let all = scalar(&mut admin, count);
    assert_ne!(all, "0");
    for (who, expected) in [("tina", all.as_str()), ("admin", &all), ("alice", "0"), ("ceo", "0"), ("gus", "0")] {
        let mut session = db.connect(who);
        assert_eq!(scalar(&mut session, count), expected, "{who}");
        let values = scalar(&mut session, "SELECT count(*) FROM leadguard.audit_value");
        assert_eq!(values == "0", expected == "0", "{who}: {values}");
        refused(&mut session, "SELECT * FROM leadguard.audit_log_default", "42501");
        // The tables below the views give no more.
        let below =
            "SELECT (SELECT count(*) FROM leadguard.audit_entry), (SELECT count(*) FROM leadguard.audit_entry_value)";
        assert_eq!(rows(&mut session, below).concat().contains(&"0".to_string()), expected == "0", "{who}");
    }
    for who in ["alice", "ceo"] {
        refused(&mut db.connect(who), "SELECT * FROM leadguard.audit_verify()", "42501");
    }
    sound(&mut db.connect("tina"));
    refused(&mut db.connect("tina"), "SELECT * FROM leadguard.audit_verify(NULL)", "22023");
    // A record of the other organization in a table that says so in a column.
    accepted(
        &mut admin,
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, org text);
         SELECT leadguard.protect('crm.deal', owner => 'owner_id', organization => 'org');
         INSERT INTO crm.deal VALUES (1, NULL, 'globex'), (2, NULL, 'default'), (3, NULL, NULL)",
    );
    let deals = "SELECT record FROM leadguard.audit_log WHERE target_name = 'crm.deal' AND record IS NOT NULL";
    assert_eq!(ids(&mut db.connect("gus"), deals), set("1"));
    assert_eq!(ids(&mut db.connect("tina"), deals), set("2"));
    assert_eq!(ids(&mut admin, deals), set("1 2 3"));
    accepted(&mut admin, "SELECT leadguard.share('crm.deal', '1', 'gus')");
    let shared = "SELECT count(*) FROM leadguard.audit_log WHERE action = 'share'";
    assert_eq!(scalar(&mut db.connect("gus"), shared), "1");
    assert_eq!(scalar(&mut db.connect("tina"), shared), "0");
}

// The proofs of what was purged or erased are for keeping too.
#[test]
fn k53_proofs_are_append_only() {
    let db = audited("au_proofs");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "SELECT leadguard.set_archive('crm.lead');
         CREATE TABLE crm.note (id bigint PRIMARY KEY, lead_id bigint REFERENCES crm.lead, body text);
         INSERT INTO crm.note VALUES (1, 1, 'CANARY');
         SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'tina'",
    );
    accepted(&mut db.connect("admin"), "DELETE FROM crm.lead WHERE id = 2");
    let mut tina = db.connect("tina");
    accepted(
        &mut tina,
        "SELECT leadguard.erase_note('crm.note', '1', 'wrong'); SELECT leadguard.purge('crm.lead', '2', 'asked')",
    );
    for who in ["tina", "postgres"] {
        let mut session = db.connect(who);
        for table in ["tombstone", "erasure"] {
            for sql in [
                format!("INSERT INTO leadguard.{table} SELECT * FROM leadguard.{table}"),
                format!("UPDATE leadguard.{table} SET reason = 'x'"),
                format!("DELETE FROM leadguard.{table}"),
                format!("TRUNCATE leadguard.{table}"),
                format!("SET LOCAL session_replication_role = replica; DELETE FROM leadguard.{table}"),
            ] {
                refused(&mut session, &sql, "42501");
            }
        }
    }
    let proofs = "SELECT (SELECT count(*) FROM leadguard.tombstone WHERE purged_by = t.id), (SELECT count(*) FROM leadguard.erasure WHERE erased_by = t.id)
                  FROM (SELECT min(purged_by) AS id FROM leadguard.tombstone) t";
    assert_eq!(rows(&mut admin, proofs), [["1", "1"]]);
    // Whoever made them may go, once somebody else answers for the data.
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'ceo';
         UPDATE leadguard.member SET manager_id = NULL WHERE manager_id = (SELECT id FROM leadguard.member WHERE key = 'tina');
         DELETE FROM leadguard.member WHERE key = 'tina'",
    );
    assert_eq!(rows(&mut admin, proofs), [["1", "1"]]);
    // A restore brings its own.
    accepted(
        &mut admin,
        "SET row_security = off; INSERT INTO leadguard.tombstone SELECT id + 1, target, record, org_id, purged_at, purged_by, session_role, reason, approval, kept FROM leadguard.tombstone",
    );
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.tombstone"), "2");
}
