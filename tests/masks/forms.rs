//! The ways to read a view, and tables of other shapes.

use super::masked;
use leadguard_tests::*;

#[test]
fn k22_cursors_copy_views_and_parallel_plans_mask() {
    let db = masked("mask_forms");
    accepted(
        &mut db.admin(),
        "CREATE VIEW crm.mails AS SELECT id, email FROM crm.lead; GRANT SELECT ON crm.mails TO PUBLIC;
         GRANT USAGE ON SCHEMA crm TO PUBLIC; SELECT leadguard.set_switch('crm.lead', 'export', 'free')",
    );
    let mut tom = db.connect("tom");
    accepted(&mut tom, "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT email FROM crm.lead WHERE id = 11");
    assert_eq!(scalar(&mut tom, "FETCH c"), "***-.com");
    accepted(&mut tom, "COMMIT");
    let copied = db.psql("tom", "COPY (SELECT email FROM crm.lead WHERE id = 11) TO STDOUT");
    assert_eq!(copied.trim(), "***-.com");
    let parallel = "SET debug_parallel_query = on";
    let older = "SET force_parallel_mode = on";
    if code(&mut tom, parallel) != "ok" {
        accepted(&mut tom, older);
    }
    accepted(
        &mut tom,
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
         SET enable_indexscan = off; SET enable_bitmapscan = off",
    );
    let plan = rows(&mut tom, "EXPLAIN SELECT email FROM crm.lead WHERE id = 11").concat().concat();
    assert!(plan.contains("Gather"), "{plan}");
    assert_eq!(scalar(&mut tom, "SELECT email FROM crm.lead WHERE id = 11"), "***-.com");
    let listed = rows(&mut tom, "SELECT target::text FROM leadguard.protected");
    assert_eq!(listed, vec![vec!["crm.lead"]]);
}

#[test]
fn k22_a_view_over_the_view_shows_what_its_reader_may_see() {
    let db = masked("mask_over");
    let owner = db.create_role("maker");
    accepted(
        &mut db.admin(),
        &format!(
            "GRANT USAGE, CREATE ON SCHEMA crm TO \"{owner}\"; GRANT SELECT ON crm.lead TO \"{owner}\"; SET ROLE \"{owner}\";
             CREATE VIEW crm.mails AS SELECT id, email FROM crm.lead; GRANT SELECT ON crm.mails TO PUBLIC"
        ),
    );
    assert_eq!(scalar(&mut db.connect("tom"), "SELECT email FROM crm.mails WHERE id = 11"), "***-.com");
    assert_eq!(scalar(&mut db.connect("loner"), "SELECT email FROM crm.mails WHERE id = 11"), "lead11@example.com");
}

#[test]
fn k22_analysts_see_what_their_member_sees() {
    let db = masked("mask_analyst");
    let report = db.create_role("report");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{report}', 'tom')"));
    let mut report = db.connect("report");
    assert_eq!(scalar(&mut report, "SELECT email FROM crm.lead WHERE id = 11"), "***-.com");
    refused(&mut report, "UPDATE crm.lead SET name = 'x' WHERE id = 11", "42501");
    refused(&mut report, "SELECT email FROM crm_base.lead", "42501");
}

#[test]
fn k22_partitions_and_keys_of_other_types() {
    let db = masked("mask_shapes");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (id uuid, owner text, mail text, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
         CREATE TABLE crm.deal_1 PARTITION OF crm.deal FOR VALUES IN (1);
         INSERT INTO crm.deal VALUES ('00000000-0000-0000-0000-000000000001', 'alice', 'one@example.com', 1),
             ('00000000-0000-0000-0000-000000000002', 'anton', 'two@example.com', 1);
         SELECT leadguard.protect('crm.deal', id => 'id', owner => 'owner');
         SELECT leadguard.mask('crm.deal', 'mail', 'partial', '{own,record_team}')",
    );
    let all = "SELECT mail FROM crm.deal ORDER BY id";
    let mut mona = db.connect("mona");
    assert_eq!(rows(&mut mona, all), vec![vec!["***-.com"], vec!["***-.com"]]);
    assert_eq!(rows(&mut db.connect("alice"), all), vec![vec!["one@example.com"]]);
    accepted(&mut mona, "SELECT leadguard.team_add('crm.deal', '00000000-0000-0000-0000-000000000002', 'alice')");
    assert_eq!(rows(&mut db.connect("alice"), all), vec![vec!["one@example.com"], vec!["two@example.com"]]);
    accepted(&mut mona, "UPDATE crm.deal SET mail = 'new@example.com' WHERE owner = 'anton'");
    refused(&mut mona, "SELECT mail FROM crm.deal_1", "42501");
    refused(&mut mona, "SELECT mail FROM crm_base.deal", "42501");
}

#[test]
fn k22_partial_counts_characters() {
    let db = Db::new("mask_partial");
    let mut admin = db.admin();
    for (value, keep, masked) in [
        ("'äöüß'", 2, "***-üß"),
        ("'äöüß'", 4, "***"),
        ("'äöüß'", 3, "***-öüß"),
        ("'äöüß'", 0, "***"),
        ("'äöüß'", -1, "***"),
        ("''", 2, "***"),
        ("NULL", 2, "∅"),
        ("repeat('x', 100000) || '日本'", 1, "***-本"),
    ] {
        assert_eq!(scalar(&mut admin, &format!("SELECT leadguard.mask_partial({value}, {keep})")), masked, "{value}");
    }
}
