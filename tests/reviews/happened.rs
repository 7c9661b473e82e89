//! Findings about what happened: batches, changes of schemas, activity.

use crate::lab::*;
use leadguard_tests::*;

/// A row of the audit as a restore brings it: a time, a member, an action, an approval, a record, a detail.
pub fn log(db: &Db, at: &str, key: &str, action: &str, approval: &str, record: &str, detail: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "SET row_security = off;
             INSERT INTO leadguard.audit_entry (id, at, transaction, session_role, outer_role, member_id, member_key, organization, target, target_name,
                 record, action, approval, detail, changes, has_values, mac)
             SELECT nextval('leadguard.audit_id_seq'), {at}, '777'::xid8, 'x', 'x', m.id, m.key, m.org_id, 'crm.lead', 'crm.lead',
                 {record}, '{action}', {approval}, nullif('{detail}', ''), '{{}}', false, ''
             FROM leadguard.member m WHERE m.key = '{key}'"
        ),
    );
}

#[test]
fn k48b_batches_that_are_not_in_the_log() {
    let db = lab("unlogged");
    for record in 1..=9 {
        log(&db, "now()", "rep", "update", "NULL", &format!("'{record}'"), "");
    }
    assert_eq!(found(&db, "quarterly", "unlogged_batch"), [""; 0], "nine are no batch");
    log(&db, "now()", "rep", "update", "NULL", "'10'", "");
    assert_eq!(found(&db, "monthly", "unlogged_batch"), ["transaction 777, update of crm.lead"]);
    assert!(
        rows(
            &mut db.connect("olga"),
            &scalar(
                &mut db.connect("olga"),
                "SELECT suggestion FROM leadguard.findings() WHERE finding = 'unlogged_batch'"
            )
        )
        .len()
            == 10
    );
    let other = lab("logged");
    for record in 1..=10 {
        log(&other, "now()", "rep", "update", "NULL", &format!("'{record}'"), "");
    }
    log(
        &other,
        "now()",
        "rep",
        "batch",
        "NULL",
        "NULL",
        r#"{"operation": "update", "records": 10, "template": null, "self_approved": false}"#,
    );
    assert_eq!(found(&other, "monthly", "unlogged_batch"), [""; 0]);
}

#[test]
fn k48b_batches_over_the_limit_without_an_approval() {
    for (name, approval, records, template, own, expected) in [
        ("over", "NULL", 101, "null", "false", 1),
        ("within", "NULL", 100, "null", "false", 0),
        ("approved", "5", 101, "null", "false", 0),
        ("template", "NULL", 101, "3", "false", 0),
        ("own", "NULL", 101, "null", "true", 0),
    ] {
        let db = lab(name);
        let detail = format!(
            r#"{{"operation": "update", "records": {records}, "template": {template}, "self_approved": {own}}}"#
        );
        log(&db, "now()", "rep", "batch", approval, "NULL", &detail);
        assert_eq!(found(&db, "quarterly", "unapproved_batch").len(), expected, "{name}");
    }
}

#[test]
fn k48c_changes_of_schemas_without_an_approval() {
    let db = lab("schemas");
    assert_eq!(found(&db, "quarterly", "unapproved_schema_change"), [""; 0]);
    accepted(
        &mut db.admin(),
        "ALTER TABLE crm.lead ADD COLUMN score integer; ALTER TABLE crm.lead DISABLE TRIGGER leadguard_90_row",
    );
    accepted(
        &mut db.admin(),
        "ALTER EVENT TRIGGER leadguard_watch_schema DISABLE; ALTER TABLE crm.lead ADD COLUMN hidden integer",
    );
    assert_eq!(found(&db, "quarterly", "watch_disabled"), ["event trigger leadguard_watch_schema"]);
    assert_eq!(
        found(&db, "quarterly", "unapproved_schema_change"),
        ["schema change 1", "schema change 2", "schema change 3"],
        "also what happened while nothing watched"
    );
    assert_eq!(
        ids(
            &mut db.connect("olga"),
            "SELECT severity || ' ' || (evidence ->> 'kind') || ' ' || (evidence ->> 'object') FROM leadguard.findings() WHERE finding = 'unapproved_schema_change'"
        ),
        std::collections::BTreeSet::from(
            ["high disable trigger leadguard_90_row", "medium add column hidden", "medium add column score"]
                .map(str::to_owned)
        )
    );
    found_until_solved(&db, "watch_disabled", &["event trigger leadguard_watch_schema"]);
    found_until_solved(&db, "unapproved_schema_change", &["schema change 1", "schema change 2", "schema change 3"]);
}

#[test]
fn d33_unusual_access_is_measured_or_said_not_to_be() {
    let db = lab("unusual");
    let answer = found(&db, "monthly", "unusual_access");
    let preloaded = scalar(&mut db.admin(), "SHOW shared_preload_libraries").contains("leadguard");
    if !preloaded {
        assert_eq!(answer, ["member_activity"]);
        assert_eq!(
            scalar(
                &mut db.connect("olga"),
                "SELECT evidence ->> 'result' FROM leadguard.findings() WHERE finding = 'unusual_access'"
            ),
            "not measured"
        );
    }
}

#[test]
fn d31_a_quarter_without_a_review() {
    let db = lab("overdue");
    assert_eq!(found(&db, "monthly", "review_overdue"), ["organization default"]);
    found(&db, "quarterly", "review_overdue");
    assert_eq!(found(&db, "monthly", "review_overdue"), [""; 0]);
    accepted(&mut db.admin(), "UPDATE leadguard.review SET at = now() - interval '101 days'");
    assert_eq!(found(&db, "monthly", "review_overdue"), ["organization default"]);
}

#[test]
fn k48c_many_changes_do_not_hide_one() {
    let db = lab("flood");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead DISABLE TRIGGER leadguard_90_row");
    assert_eq!(found(&db, "quarterly", "unapproved_schema_change"), ["schema change 1"]);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.schema_change (target, target_name, kind, object, state, org_id)
         SELECT 'crm.lead', 'crm.lead', 'add constraint', 'c' || n, 'violation', 1 FROM generate_series(1, 600) n",
    );
    assert!(found(&db, "quarterly", "unapproved_schema_change").contains(&"schema change 1".to_owned()));
    assert_eq!(
        scalar(&mut db.admin(), "SELECT status FROM leadguard.finding WHERE subject = 'schema change 1'"),
        "open"
    );
}
