//! What an approval covers, and what happens without one where the table refuses.

use crate::lab::*;
use leadguard_tests::*;

const ADD: &str = "ALTER TABLE crm.lead ADD COLUMN score integer";

#[test]
fn k49_without_an_approval_a_change_is_refused_where_the_table_says_so() {
    let db = lab("refused");
    refuse(&db);
    let mut dba = db.connect("dba");
    let error = refused(&mut dba, ADD, "LG004");
    assert!(error.message().contains("add column score of crm.lead"), "{}", error.message());
    assert!(error.hint().unwrap_or("").contains("request_schema_change"));
    refused(&mut db.admin(), ADD, "LG004");
    refused(&mut dba, "DROP POLICY leadguard_select ON crm.lead", "LG004");
    refused(&mut dba, "DROP TABLE crm.lead", "LG004");
    refused(&mut dba, "ALTER TABLE crm.lead DISABLE TRIGGER ALL", "LG004");
    refused(&mut db.admin(), "SET row_security = off; ALTER TABLE crm.lead DISABLE ROW LEVEL SECURITY", "LG004");
    assert_eq!(log(&db), [""; 0]);
    accepted(&mut dba, "CREATE TABLE crm.other (id bigint)");
    agreed(&db, "add column score");
    accepted(&mut dba, ADD);
    assert_eq!(log(&db), ["approved add column score"]);
}

#[test]
fn k50_the_changelog_holds_rationale_team_and_usage() {
    let db = lab("rationale");
    let id = agreed(&db, "add column score");
    let told = "SELECT kind, detail ->> 'kind', detail ->> 'approval' FROM leadguard.notifications() WHERE kind <> 'role_given'";
    assert_eq!(rows(&mut db.connect("otto"), told), [["approval_requested", "schema", &id]]);
    accepted(&mut db.connect("dba"), ADD);
    assert_eq!(
        rows(
            &mut db.connect("olga"),
            "SELECT state, kind, object, rationale, requesting_team, expected_usage, approval::text, session_role FROM leadguard.schema_change"
        ),
        [["approved", "add column", "score", "scores are needed", "marketing", "routing", &id, &db.role("dba")]]
    );
    let mut rep = db.connect("rep");
    for missing in ["'', 'marketing', 'routing'", "'why', '', 'routing'", "'why', 'marketing', NULL"] {
        let ask = format!("SELECT leadguard.request_schema_change('crm.lead', 'add column b', {missing})");
        assert_eq!(code(&mut rep, &ask), "22023", "{missing}");
    }
    for change in ["add", "make it nice", "add column", "drop table crm.lead", "", "add column a, nonsense"] {
        let ask = format!("SELECT leadguard.request_schema_change('crm.lead', '{change}', 'a', 'b', 'c')");
        assert_eq!(code(&mut rep, &ask), "22023", "{change}");
    }
}

#[test]
fn k49_an_approval_covers_its_change_of_its_table_once() {
    let db = lab("once");
    refuse(&db);
    let mut dba = db.connect("dba");
    agreed(&db, "add column score");
    refused(&mut dba, "ALTER TABLE crm.lead ADD COLUMN other integer", "LG004");
    refused(&mut dba, "ALTER TABLE crm.lead DROP COLUMN status", "LG004");
    refused(&mut dba, "ALTER TABLE crm.lead ADD COLUMN score integer, ADD COLUMN other integer", "LG004");
    accepted(&mut dba, "BEGIN");
    accepted(&mut dba, ADD);
    accepted(&mut dba, "ROLLBACK");
    accepted(&mut dba, ADD);
    agreed(&db, "drop column score");
    accepted(&mut dba, "ALTER TABLE crm.lead DROP COLUMN score");
    refused(&mut dba, ADD, "LG004");
    // Several changes in one transaction.
    agreed(&db, "add column a, add constraint a_fits, add column \"B c\"");
    accepted(&mut dba, "BEGIN");
    accepted(&mut dba, "ALTER TABLE crm.lead ADD COLUMN a integer");
    accepted(&mut dba, "ALTER TABLE crm.lead ADD CONSTRAINT a_fits CHECK (a > 0)");
    accepted(&mut dba, "COMMIT");
    refused(&mut dba, "ALTER TABLE crm.lead ADD COLUMN \"B c\" integer", "LG004");
}

#[test]
fn k49_a_request_that_is_open_denied_or_expired_covers_nothing() {
    let db = lab("not_granted");
    refuse(&db);
    let mut dba = db.connect("dba");
    let id = asked(&db, "add column score");
    refused(&mut dba, ADD, "LG004");
    accepted(&mut db.connect("olga"), &format!("SELECT leadguard.decide_approval({id}, false, 'no')"));
    refused(&mut dba, ADD, "LG004");
    let id = agreed(&db, "add column score");
    let admin = &mut db.admin();
    accepted(admin, &format!("UPDATE leadguard.approval SET until = now() - interval '1 s' WHERE id = {id}"));
    refused(&mut dba, ADD, "LG004");
    accepted(admin, &format!("UPDATE leadguard.approval SET until = now() + interval '1 h' WHERE id = {id}"));
    accepted(&mut dba, ADD);
}

#[test]
fn k49_two_sessions_use_one_approval_once() {
    let db = lab("race");
    refuse(&db);
    agreed(&db, "add column score");
    let (mut one, mut two) = (db.connect("dba"), db.connect("dba"));
    accepted(&mut one, "BEGIN");
    accepted(&mut one, ADD);
    accepted(&mut two, "SET lock_timeout = '100ms'");
    assert_eq!(code(&mut two, "ALTER TABLE crm.lead ADD COLUMN IF NOT EXISTS score integer"), "55P03");
    accepted(&mut one, "COMMIT");
    accepted(&mut two, "ALTER TABLE crm.lead ADD COLUMN IF NOT EXISTS score integer");
    assert_eq!(log(&db), ["approved add column score"]);
}

#[test]
fn k49_leadguard_itself_works_where_changes_are_refused() {
    let db = lab("own_work_refused");
    refuse(&db);
    accepted(&mut db.admin(), "SELECT leadguard.mask('crm.lead', 'status', 'full')");
    accepted(&mut db.admin(), "SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(log(&db), [""; 0]);
}

#[test]
fn k48c_a_violation_is_accepted_by_a_data_owner_with_a_reason() {
    let db = lab("accepted");
    accepted(&mut db.connect("dba"), ADD);
    let accept = "SELECT leadguard.accept_schema_change(1, 'it was urgent')";
    for who in ["rep", "gus", "vic", "zoe", "dba"] {
        assert_eq!(code(&mut db.connect(who), accept), "42501", "{who}");
    }
    let mut olga = db.connect("olga");
    assert_eq!(code(&mut olga, "SELECT leadguard.accept_schema_change(1, ' ')"), "22023");
    accepted(&mut olga, accept);
    let error = refused(&mut olga, accept, "55000");
    assert!(error.hint().is_some_and(|hint| hint.contains("state")), "{error:?}");
    assert_eq!(
        scalar(&mut olga, "SELECT state || ': ' || resolution FROM leadguard.schema_change"),
        "accepted: it was urgent"
    );
}
