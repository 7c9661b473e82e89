//! Values lie beside the log: erasable, and never those that somebody may not read.

use crate::{audited, audited_by_months, mark, sound, trail};
use leadguard_tests::*;

#[test]
fn masked_and_closed_values_are_not_kept_in_clear() {
    let db = audited("au_masked");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.column_mask (target, column_name, mask) VALUES ('crm.lead', 'email', 'full');
         WITH v AS (INSERT INTO leadguard.field_version (target, version, state) VALUES ('crm.lead', 1, 'active') RETURNING id)
         INSERT INTO leadguard.field_rule (version_id, column_name, role, access)
         SELECT id, 'amount', 'sales', 'no access' FROM v UNION ALL SELECT id, 'name', 'sales', 'owner' FROM v",
    );
    let start = mark(&mut admin);
    accepted(
        &mut admin,
        "UPDATE crm.lead SET name = 'clear', email = 'SECRET@example.com', amount = 4711 WHERE id = 1",
    );
    assert_eq!(trail(&mut admin, &start), ["- update 1 amount,email,name"]);
    assert_eq!(
        scalar(&mut admin, &format!("SELECT \"values\" FROM leadguard.audit_value WHERE audit_id > {start}")),
        r#"{"name": {"new": "clear", "old": "lead 1"}}"#
    );
    let everything = "SELECT string_agg(l::text, ' ') || (SELECT string_agg(v::text, ' ') FROM leadguard.audit_value v) FROM leadguard.audit_log l";
    let text = scalar(&mut admin, everything);
    assert!(!text.contains("SECRET") && !text.contains("4711") && !text.contains("lead1@example.com"), "{text}");
    sound(&mut admin);
    // Only columns without a rule for everybody: with a closed default what is not listed is digest only too.
    accepted(
        &mut admin,
        "UPDATE leadguard.protected_table SET field_default = 'no access'; DELETE FROM leadguard.column_mask",
    );
    let start = mark(&mut admin);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'again', email = 'OTHER@example.com' WHERE id = 1");
    assert_eq!(
        scalar(&mut admin, &format!("SELECT \"values\" FROM leadguard.audit_value WHERE audit_id > {start}")),
        r#"{"name": {"new": "again", "old": "clear"}}"#
    );
}

// The same value in another record or field has another digest: nobody learns who has the same phone number.
#[test]
fn digests_tell_nothing_about_other_records() {
    let db = audited("au_digests");
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE crm.lead SET name = 'same', email = 'same' WHERE id IN (1, 2)");
    accepted(&mut admin, "UPDATE crm.lead SET name = 'other' WHERE id = 1");
    let digests = "SELECT DISTINCT changes -> f ->> s FROM leadguard.audit_log, unnest(ARRAY['name', 'email']) AS f, unnest(ARRAY['old', 'new']) AS s
                   WHERE changes -> f ->> s IS NOT NULL AND target_name = 'crm.lead'";
    // Old and new of four fields, and one more new value; the old one of the last change is known already.
    assert_eq!(ids(&mut admin, digests).len(), 9);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.audit_log WHERE changes::text ~ 'same|other'"), "0");
}

#[test]
fn all_kinds_of_values_are_verified() {
    let db = audited("au_types");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.thing (id uuid PRIMARY KEY, owner text, \"Odd \"\"name\" text, j jsonb, a int[], b bytea, t timestamptz, n numeric, c char(5), e text);
         SELECT leadguard.protect('crm.thing', owner => 'owner');
         INSERT INTO crm.thing VALUES (gen_random_uuid(), 'alice', E'tab\\t \"quote\" \\\\ ü €', '{\"a\": 1}', '{1,NULL}', '\\x00ff', now(), 1.50, 'x', ''),
             (gen_random_uuid(), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, repeat('long', 300000))",
    );
    sound(&mut admin);
    accepted(
        &mut admin,
        "SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'; UPDATE crm.thing SET t = t + interval '1 hour', j = '[]', e = 'short'",
    );
    accepted(&mut admin, "RESET DateStyle; RESET TimeZone");
    sound(&mut admin);
    // More than a megabyte is not kept.
    assert_eq!(
        scalar(&mut admin, "SELECT count(*) FROM leadguard.audit_value WHERE length(\"values\"::text) > 100000"),
        "0"
    );
    assert_eq!(
        scalar(
            &mut admin,
            "SELECT count(*) FROM leadguard.audit_log WHERE changes ? 'e' AND target_name = 'crm.thing'"
        ),
        "4"
    );
}

// Dump and restore bring log, values, key and partitions, and the restored log verifies.
#[test]
fn a_dump_carries_the_audit() {
    let db = audited_by_months("au_dump", 2);
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' || id WHERE id < 4");
    accepted(
        &mut admin,
        "INSERT INTO crm.lead (id, name) SELECT g, 'many' FROM generate_series(1001, 1050) g; UPDATE crm.lead SET name = 'y' || id WHERE id > 1000",
    );
    assert_eq!(scalar(&mut admin, "SELECT sum(cardinality(records)) FROM leadguard.audit_entry"), "100");
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'carl')");
    let expected = rows(&mut admin, "SELECT l::text FROM leadguard.audit_log l ORDER BY id, record");
    let values = rows(&mut admin, "SELECT v::text FROM leadguard.audit_value v ORDER BY audit_id, record");
    let file = std::env::temp_dir().join(format!("{}.sql", db.name()));
    let dumped = db.tool("pg_dump", "postgres").arg("-f").arg(&file).arg(db.name()).output().expect("pg_dump runs");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let copy = Db::bare("au_restored");
    let restored = copy
        .tool("psql", "postgres")
        .args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", copy.name(), "-f"])
        .arg(&file)
        .output()
        .expect("psql runs");
    let _ = std::fs::remove_file(&file);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let mut there = copy.admin();
    assert_eq!(rows(&mut there, "SELECT l::text FROM leadguard.audit_log l ORDER BY id, record"), expected);
    assert_eq!(rows(&mut there, "SELECT v::text FROM leadguard.audit_value v ORDER BY audit_id, record"), values);
    sound(&mut there);
    refused(&mut there, "DELETE FROM leadguard.audit_entry", "42501");
    let month = scalar(&mut there, "SELECT 'leadguard.audit_log_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')");
    refused(&mut there, &format!("DELETE FROM {month}"), "42501");
    let start = mark(&mut there);
    accepted(&mut there, "UPDATE crm.lead SET name = 'after' WHERE id = 1");
    assert_eq!(trail(&mut there, &start), ["- update 1 name"]);
    sound(&mut there);
}
