//! The matrix on UPDATE: columns belong to roles, whatever level a member has on the row.

use crate::enforce_lab::{all, lead, matrix, story};
use leadguard_tests::*;

#[test]
fn k24_source_is_written_by_marketing_only() {
    let db = story("k24");
    let mut admin = db.admin();
    let before = lead(&mut admin, 1);
    // Alice owns the lead, vp stands above, the administrator above all: none of them does marketing.
    for who in ["alice", "vp", "admin", "bot"] {
        let e = refused(&mut db.connect(who), "UPDATE crm.lead SET source = 'fair' WHERE id = 1", "42501");
        assert_eq!(e.message(), format!("column \"source\" of crm.lead may not be written by \"{who}\""));
        assert!(e.detail().unwrap().contains("owned by the role \"marketing\""), "{e:?}");
        assert_eq!(e.hint().unwrap(), "A member with the role \"marketing\" writes it.");
    }
    assert_eq!(lead(&mut admin, 1), before);
    assert_eq!(accepted(&mut db.connect("mona"), "UPDATE crm.lead SET source = 'fair' WHERE id = 1"), 1);
    // Columns that nobody listed go by the level on the row.
    assert_eq!(accepted(&mut db.connect("alice"), "UPDATE crm.lead SET name = 'x', email = 'y' WHERE id = 1"), 1);
}

#[test]
fn k22_read_only_reads_and_does_not_write() {
    let db = story("k22");
    let mut alice = db.connect("alice");
    assert_eq!(scalar(&mut alice, "SELECT source FROM crm.lead WHERE id = 1"), "web");
    // Writing what stands there already is no change.
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET source = 'web', name = 'n' WHERE id = 1"), 1);
    for sql in [
        "UPDATE crm.lead SET source = 'Web' WHERE id = 1",
        "UPDATE crm.lead SET source = NULL WHERE id = 1",
        "UPDATE crm.lead SET source = DEFAULT WHERE id = 1",
        "UPDATE crm.lead SET name = 'x', (stage, source) = ('new', 'fair') WHERE id = 1",
        "UPDATE crm.lead AS l SET source = o.name FROM crm.lead AS o WHERE o.id = 2 AND l.id = 1",
        "WITH u AS (UPDATE crm.lead SET source = 'x' WHERE id = 1 RETURNING id) SELECT count(*) FROM u",
        "DO $$ BEGIN UPDATE crm.lead SET source = 'x' WHERE id = 1; END $$",
        "PREPARE p AS UPDATE crm.lead SET source = $1 WHERE id = 1; EXECUTE p('x')",
    ] {
        refused(&mut alice, sql, "42501");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE source = 'web'"), "15");
}

#[test]
fn k21_each_of_the_four_values() {
    let db = story("k21");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    let update = "UPDATE crm.lead SET lost_reason = coalesce(lost_reason, '') || 'x' WHERE id = 1";
    for (access, allowed) in [("owner", true), ("editor", true), ("read-only", false), ("no access", false)] {
        matrix(&mut admin, "crm.lead", &[("lost_reason", "sales", access)]);
        if allowed {
            assert_eq!(accepted(&mut alice, update), 1, "{access}");
        } else {
            refused(&mut alice, update, "42501");
        }
    }
    // Another role has no cell: it reads.
    refused(&mut db.connect("mona"), update, "42501");
    // The best of several roles counts.
    matrix(&mut admin, "crm.lead", &[("lost_reason", "sales", "no access"), ("lost_reason", "marketing", "editor")]);
    refused(&mut alice, update, "42501");
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'marketing' FROM leadguard.member WHERE key = 'alice'",
    );
    assert_eq!(accepted(&mut alice, update), 1);
}

#[test]
fn k30_two_roles_cannot_both_own_a_field() {
    let db = story("k30");
    let mut admin = db.admin();
    let second = |access: &str| {
        format!(
            "INSERT INTO leadguard.field_rule (version_id, column_name, attnum, role, access)
             SELECT version_id, column_name, attnum, 'lead_manager', '{access}' FROM leadguard.field_rule
             WHERE column_name = 'source' AND role = 'marketing'"
        )
    };
    refused(&mut admin, &second("owner"), "23505");
    accepted(&mut admin, &second("editor"));
}

#[test]
fn k26_the_score_is_written_by_machines() {
    let db = story("k26");
    let e = refused(&mut db.connect("alice"), "UPDATE crm.lead SET lead_score = 99 WHERE id = 1", "42501");
    assert_eq!(
        e.hint().unwrap(),
        "leadguard.request_approval('field', 'crm.lead', '1', 'lead_score', …) asks somebody with the capability approve."
    );
    assert_eq!(accepted(&mut db.connect("bot"), "UPDATE crm.lead SET lead_score = 99 WHERE id = 1"), 1);
}

#[test]
fn one_refused_field_refuses_the_statement() {
    let db = story("f_whole");
    let mut admin = db.admin();
    let picture = all(&mut admin);
    let mut alice = db.connect("alice");
    refused(
        &mut alice,
        "UPDATE crm.lead SET name = 'x', source = CASE WHEN id = 5 THEN 'fair' ELSE source END",
        "42501",
    );
    assert_eq!(all(&mut admin), picture);
    assert_eq!(
        accepted(&mut alice, "UPDATE crm.lead SET name = 'x', source = CASE WHEN id = 7 THEN 'fair' ELSE source END"),
        5
    );
}

// A member whose level on the row is too low hears of that first, and one who does not see it hears nothing.
#[test]
fn x4_levels_come_before_fields() {
    let db = story("x4");
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'carl', 'read')");
    let mut carl = db.connect("carl");
    let e = refused(&mut carl, "UPDATE crm.lead SET source = 'x' WHERE id = 1", "42501");
    assert!(e.detail().unwrap().contains("level"), "{e:?}");
    assert_eq!(accepted(&mut carl, "UPDATE crm.lead SET source = 'x' WHERE id = 2"), 0);
    // Without rules a table is as free as its levels make it.
    accepted(&mut db.admin(), "DELETE FROM leadguard.field_version");
    assert_eq!(accepted(&mut db.connect("alice"), "UPDATE crm.lead SET source = 'x', lead_score = 1 WHERE id = 1"), 1);
}

#[test]
fn k14_the_manager_updates_what_the_matrix_gives_him() {
    let db = story("k14");
    let mut admin = db.admin();
    matrix(
        &mut admin,
        "crm.lead",
        &[("stage", "lead_manager", "editor"), ("stage", "sales", "owner"), ("source", "marketing", "owner")],
    );
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'lead_manager' FROM leadguard.member WHERE key = 'vp'",
    );
    let mut vp = db.connect("vp");
    assert_eq!(accepted(&mut vp, "UPDATE crm.lead SET stage = 'qualified', email = 'new@example.com'"), 8);
    refused(&mut vp, "UPDATE crm.lead SET source = 'x' WHERE id = 1", "42501");
}

#[test]
fn unlisted_columns_follow_the_tables_default() {
    let db = story("f_default");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    accepted(&mut admin, "UPDATE leadguard.protected_table SET field_default = 'no access'");
    let e = refused(&mut alice, "UPDATE crm.lead SET name = 'x' WHERE id = 1", "42501");
    assert!(e.detail().unwrap().contains("does not list"), "{e:?}");
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET stage = 'qualified' WHERE id = 1"), 1);
    // The columns that protection itself relies on have rules of their own.
    let anton = member(&mut admin, "anton");
    assert_eq!(accepted(&mut db.connect("mona"), &format!("UPDATE crm.lead SET owner_id = {anton} WHERE id = 1")), 1);
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (stage) VALUES ('new')"), 1);
    refused(&mut alice, "INSERT INTO crm.lead (name) VALUES ('x')", "42501");
    // Also without any version.
    accepted(&mut admin, "DELETE FROM leadguard.field_version");
    refused(&mut alice, "UPDATE crm.lead SET stage = 'won' WHERE id = 2", "42501");
    accepted(&mut admin, "UPDATE leadguard.protected_table SET field_default = 'editor'");
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET name = 'x', stage = 'won' WHERE id = 2"), 1);
}

#[test]
fn only_an_active_version_counts() {
    let db = story("f_version");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    let update = "UPDATE crm.lead SET source = 'x' WHERE id = 1";
    for state in ["draft", "proposed", "retired"] {
        accepted(&mut admin, &format!("UPDATE leadguard.field_version SET state = '{state}'"));
        assert_eq!(allowed(&mut alice, update), 1, "{state}");
    }
    accepted(&mut admin, "UPDATE leadguard.field_version SET state = 'active'");
    refused(&mut alice, update, "42501");
}

#[test]
fn sessions_without_a_member_maintain() {
    let db = story("f_super");
    assert_eq!(accepted(&mut db.admin(), "UPDATE crm.lead SET source = 'x', lead_score = 3, stage = 'y'"), 15);
}
