//! One row for each record that a statement changes, whatever form the statement has.

use crate::{audited, mark, sound, trail};
use leadguard_tests::*;

#[test]
fn k53_each_kind_of_change_leaves_one_row() {
    let db = audited("au_kinds");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    let start = mark(&mut admin);
    let carl = member(&mut admin, "carl");
    let anton = member(&mut admin, "anton");
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit', reason => 'deal')");
    accepted(&mut alice, "SELECT leadguard.unshare('crm.lead', '1', 'carl')");
    accepted(&mut alice, "SELECT leadguard.team_add('crm.lead', '2', 'carl')");
    accepted(&mut alice, "SELECT leadguard.team_remove('crm.lead', '2', 'carl')");
    accepted(&mut alice, "SELECT leadguard.team_remove('crm.lead', '2', 'carl')");
    accepted(&mut alice, "SELECT leadguard.reassign('crm.lead', '3', owner => 'carl', reason => 'his region')");
    accepted(&mut db.connect("mona"), &format!("UPDATE crm.lead SET owner_id = {anton} WHERE id = 4"));
    assert_eq!(
        trail(&mut admin, &start),
        [
            "alice share 1",
            "alice unshare 1",
            "alice team_add 2",
            "alice team_remove 2",
            "alice reassign 3 owner_id",
            "mona reassign 4 owner_id",
        ]
    );
    let of = |what: &str| format!("SELECT {what} FROM leadguard.audit_log WHERE id > {start} AND action = ");
    assert_eq!(
        scalar(&mut admin, &format!("{} 'share'", of("reason || '; ' || detail"))),
        "deal; member carl, level edit"
    );
    assert_eq!(scalar(&mut admin, &format!("{} 'reassign' AND record = '3'", of("reason"))), "his region");
    let values = "SELECT \"values\" #>> '{owner_id,new}' FROM leadguard.audit_value WHERE record = '3'";
    assert_eq!(scalar(&mut admin, values), carl.to_string());
    sound(&mut admin);
}

// Without a rule about fields a member's change of other columns concerns nobody; one that changes nothing neither.
#[test]
fn k53_what_no_rule_names_leaves_none() {
    let db = audited("au_none");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    let start = mark(&mut admin);
    accepted(&mut alice, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
    accepted(&mut alice, "UPDATE crm.lead SET owner_id = owner_id");
    accepted(&mut admin, "UPDATE crm.lead SET name = name WHERE id < 10");
    assert_eq!(trail(&mut admin, &start), Vec::<String>::new());
    accepted(&mut admin, "UPDATE crm.lead SET name = 'y' WHERE id = 1");
    assert_eq!(trail(&mut admin, &start), ["- update 1 name"]);
}

#[test]
fn a_session_that_no_rule_binds_leaves_every_change() {
    let db = audited("au_unbound");
    let mut admin = db.admin();
    let start = mark(&mut admin);
    accepted(&mut admin, "INSERT INTO crm.lead (id, name) VALUES (200, 'new'), (201, NULL)");
    accepted(&mut admin, "UPDATE crm.lead SET name = 'newer', amount = 7 WHERE id = 200");
    let alice = member(&mut admin, "alice");
    accepted(&mut admin, &format!("UPDATE crm.lead SET owner_id = {alice} WHERE id = 200"));
    accepted(&mut admin, "DELETE FROM crm.lead WHERE id = 201");
    assert_eq!(
        trail(&mut admin, &start),
        [
            "- create 200 id,name",
            "- create 201 id",
            "- update 200 amount,name",
            "- reassign 200 owner_id",
            "- archive 201 archived_at"
        ]
    );
    assert_eq!(
        rows(
            &mut admin,
            &format!("SELECT DISTINCT session_role, outer_role, member_id FROM leadguard.audit_log WHERE id > {start}")
        ),
        [["postgres", "postgres", "∅"]]
    );
    sound(&mut admin);
}

#[test]
fn forms_of_a_statement_leave_one_row_for_each_record() {
    let db = audited("au_forms");
    let mut admin = db.admin();
    for (sql, expected) in [
        (
            "INSERT INTO crm.lead (id, name) VALUES (1, 'a'), (300, 'b') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
            vec!["- create 300 id,name", "- update 1 name"],
        ),
        ("INSERT INTO crm.lead (id, name) VALUES (2, 'a') ON CONFLICT DO NOTHING", vec![]),
        (
            "MERGE INTO crm.lead AS l USING (VALUES (2, 'm'), (301, 'm')) AS v (id, name) ON l.id = v.id
          WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (v.id, v.name)",
            vec!["- create 301 id,name", "- update 2 name"],
        ),
        (
            "WITH u AS (UPDATE crm.lead SET name = 'w' WHERE id IN (3, 4) RETURNING id) SELECT count(*) FROM u",
            vec!["- update 3 name", "- update 4 name"],
        ),
        (
            "PREPARE p (bigint, text) AS UPDATE crm.lead SET name = $2 WHERE id = $1; EXECUTE p(5, 'one'); EXECUTE p(6, 'two')",
            vec!["- update 5 name", "- update 6 name"],
        ),
        (
            "CREATE TABLE crm.staging AS SELECT 302::bigint AS id, 's' AS name;
          INSERT INTO crm.lead (id, name) SELECT id, name FROM crm.staging",
            vec!["- create 302 id,name"],
        ),
    ] {
        let start = mark(&mut admin);
        accepted(&mut admin, sql);
        let mut found = trail(&mut admin, &start);
        found.sort();
        assert_eq!(found, expected, "{sql}");
    }
    let start = mark(&mut admin);
    let out = db.psql("postgres", "COPY crm.lead (id, name) FROM stdin;\n400\tcopied\n401\t\\N\n\\.\n");
    assert!(out.contains("COPY 2"), "{out}");
    assert_eq!(trail(&mut admin, &start), ["- create 400 id,name", "- create 401 id"]);
    sound(&mut admin);
}

#[test]
fn cascades_leave_a_row_for_each_record_they_change() {
    let db = audited("au_cascade");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.company (id bigint PRIMARY KEY);
         INSERT INTO crm.company VALUES (1), (2);
         CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, company_id bigint REFERENCES crm.company ON DELETE SET NULL,
                                buyer_id bigint REFERENCES crm.company ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
         SELECT leadguard.protect('crm.deal', owner => 'owner_id');
         INSERT INTO crm.deal VALUES (1, NULL, 1, NULL), (2, NULL, 1, NULL), (3, NULL, NULL, 2)",
    );
    let start = mark(&mut admin);
    accepted(&mut admin, "DELETE FROM crm.company WHERE id = 1");
    assert_eq!(trail(&mut admin, &start), ["- update 1 company_id", "- update 2 company_id"]);
    // A deferred one comes right before the commit.
    let start = mark(&mut admin);
    accepted(&mut admin, "DELETE FROM crm.company WHERE id = 2");
    assert_eq!(trail(&mut admin, &start), ["- delete 3 buyer_id,id"]);
}

// The rows of a large statement are written in parts.
#[test]
fn k33_a_batch_is_counted() {
    let db = audited("au_batch");
    let mut admin = db.admin();
    let start = mark(&mut admin);
    accepted(&mut admin, "INSERT INTO crm.lead (name) SELECT 'n' || g FROM generate_series(1, 12000) AS g");
    let of_records = format!("SELECT count(*) FROM leadguard.audit_log WHERE id > {start} AND record IS NOT NULL");
    assert_eq!(scalar(&mut admin, &of_records), "12000");
    assert_eq!(
        scalar(&mut admin, "SELECT operation || ' ' || records FROM leadguard.batches ORDER BY audit_id DESC LIMIT 1"),
        "insert 12000"
    );
    let batch = "SELECT session_role, coalesce(member_key, '-'), target_name, action, records FROM leadguard.audit_batches(at_least => 100)";
    assert_eq!(rows(&mut admin, batch), [["postgres", "-", "crm.lead", "create", "12000"]]);
    assert_eq!(rows(&mut db.connect("tina"), batch), [["postgres", "-", "crm.lead", "create", "12000"]]);
    assert_eq!(rows(&mut db.connect("alice"), batch), Vec::<Vec<String>>::new());
    sound(&mut admin);
}

#[test]
fn changes_of_the_protection_are_written_down() {
    let db = audited("au_rules");
    let mut admin = db.admin();
    let owner = db.role("ceo");
    accepted(
        &mut admin,
        &format!(
            "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, email text);
             ALTER TABLE crm.deal OWNER TO {owner}; GRANT CREATE, USAGE ON SCHEMA crm TO {owner}; ALTER SCHEMA crm OWNER TO {owner}"
        ),
    );
    let start = mark(&mut admin);
    let mut ceo = db.connect("ceo");
    let calls = [
        ("protect('crm.deal', owner => 'owner_id')", "protect", "preset sales_hierarchy, owner owner_id"),
        (
            "set_archive('crm.deal', attribution => '{email}')",
            "set_archive",
            "archived_at archived_at, archived_by archived_by, attribution email",
        ),
        ("on_denied('crm.deal', 'skip')", "on_denied", "skip"),
        ("mask('crm.deal', 'email', 'full', clear_for => '{own}')", "mask", "email: full, clear for own"),
        ("unmask('crm.deal', 'email')", "unmask", "email"),
        ("reveal('crm.deal')", "reveal", "∅"),
        ("conceal('crm.deal')", "conceal", "∅"),
        ("unprotect('crm.deal')", "unprotect", "archived refuse"),
    ];
    for (call, action, detail) in calls {
        let before = mark(&mut admin);
        if action != "on_denied" {
            accepted(&mut ceo, &format!("SELECT leadguard.{}", call.replacen(')', ", dry_run => true)", 1)));
            assert_eq!(trail(&mut admin, &before), Vec::<String>::new(), "{call}");
        }
        accepted(&mut ceo, &format!("BEGIN; SELECT leadguard.{call}; ROLLBACK"));
        assert_eq!(trail(&mut admin, &before), Vec::<String>::new(), "{call}");
        accepted(&mut ceo, &format!("SELECT leadguard.{call}"));
        let sql = format!(
            "SELECT action, member_key, organization, target_name, coalesce(detail, '∅') FROM leadguard.audit_log WHERE id > {before}"
        );
        assert_eq!(rows(&mut admin, &sql), [[action, "ceo", "1", "crm.deal", detail]], "{call}");
    }
    assert_eq!(
        rows(&mut db.connect("tina"), &format!("SELECT 1 FROM leadguard.audit_log WHERE id > {start}")).len(),
        calls.len()
    );
    // One who may not leaves nothing.
    let last = mark(&mut admin);
    refused(&mut db.connect("alice"), "SELECT leadguard.on_denied('crm.lead', 'skip')", "42501");
    accepted(&mut db.connect("alice"), "SELECT leadguard.request_approval('field', 'crm.lead', '1', 'name', 'CANARY')");
    let asked =
        format!("SELECT action, record, detail, approval IS NULL, reason FROM leadguard.audit_log WHERE id > {last}");
    assert_eq!(rows(&mut admin, &asked), [["request_approval", "1", "field name", "f", "∅"]]);
    sound(&mut admin);
}
