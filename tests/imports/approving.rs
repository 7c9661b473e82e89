//! Submitting, approving, committing.

use crate::lab::*;
use leadguard_tests::{accepted, refused, rows, scalar};

#[test]
fn k34_a_raw_import_is_refused() {
    let db = lab("raw");
    let mut cleo = db.connect("cleo");
    let import = begin(&mut cleo);
    load(&mut cleo, &leads(2));
    refused(&mut cleo, &submit(&import), "55000");
    refused(&mut cleo, &commit(&import), "55000");
    check(&mut cleo, &import);
    refused(&mut cleo, &commit(&import), "55000");
    // What was loaded after the check was not checked.
    load(&mut cleo, &leads(1));
    refused(&mut cleo, &submit(&import), "55000");
    check(&mut cleo, &import);
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "3 2 1 0 0");
    refused(&mut cleo, &commit(&import), "55000");
    refused(&mut cleo, &submit(&import), "55000");
    assert_eq!(count(&db), "5");
}

#[test]
fn k31_more_than_a_hundred_rows_need_an_approval() {
    let db = lab("limit");
    let mut cleo = db.connect("cleo");
    let (import, _) = checked(&mut cleo, &leads(100));
    assert_eq!(scalar(&mut cleo, &submit(&import)), "∅", "a hundred do not");
    assert_eq!(committed(&mut cleo, &import), "100 100 0 0 0");

    let (import, _) = checked(&mut cleo, &leads(201));
    refused(&mut cleo, &format!("SELECT leadguard.import_submit({import}, ' ')"), "22023");
    let approval = scalar(&mut cleo, &submit(&import));
    assert_eq!(
        rows(
            &mut db.connect("olga"),
            &format!(
                "SELECT kind, target, records, justification, detail ->> 'import', granted FROM leadguard.approval WHERE id = {approval}"
            )
        ),
        [["import", "crm.lead", "101", "from the fair", &import, "∅"]]
    );
    assert_eq!(
        rows(&mut db.connect("otto"), "SELECT kind, detail ->> 'approval' FROM leadguard.notification"),
        [["approval_requested", &approval]]
    );
    refused(&mut cleo, &commit(&import), "LG004");
    refused(&mut cleo, &format!("SELECT leadguard.decide_approval({approval}, true)"), "42501");
    decide(&db, "olga", &approval, true);
    refused(&mut db.connect("cody"), &commit(&import), "42501");
    assert_eq!(committed(&mut cleo, &import), "201 101 100 0 0");
    assert_eq!(
        scalar(&mut db.admin(), &format!("SELECT used_at IS NOT NULL FROM leadguard.approval WHERE id = {approval}")),
        "t"
    );
    assert_eq!(count(&db), "204");
}

#[test]
fn k31_what_is_denied_is_not_committed() {
    let db = lab("denied");
    let mut cleo = db.connect("cleo");
    let (import, _) = checked(&mut cleo, &leads(101));
    let approval = scalar(&mut cleo, &submit(&import));
    decide(&db, "olga", &approval, false);
    refused(&mut cleo, &commit(&import), "55000");
    assert_eq!((state(&db, &import), staged(&db, &import)), ("refused".to_owned(), "0".to_owned()));
    assert_eq!(count(&db), "3");
}

#[test]
fn x14_the_limit_is_a_switch_and_a_data_owner_needs_no_approval() {
    let db = lab("owner");
    let mut olga = db.connect("olga");
    let (import, _) = checked(&mut olga, &leads(101));
    assert_eq!(scalar(&mut olga, &submit(&import)), "∅");
    assert_eq!(rows(&mut olga, "SELECT state, self_approved FROM leadguard.imports()"), [["approved", "t"]]);
    assert!(audit(&db)[1].ends_with("101 rows, self-approved"), "{:?}", audit(&db));
    assert_eq!(committed(&mut olga, &import), "101 101 0 0 0");
    // A system with the same role is no person, who answers for it.
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'robo'",
    );
    let mut robo = db.connect("robo");
    let (import, _) = checked(&mut robo, &leads(202));
    assert_ne!(scalar(&mut robo, &submit(&import)), "∅");
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT member_key, records, self_approved FROM leadguard.batches WHERE operation = 'import'"
        ),
        [["olga", "101", "t"]]
    );
    accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.lead', 'batch_insert', 'none', 'lead_creator')");
    let mut cleo = db.connect("cleo");
    let (import, _) = checked(&mut cleo, &leads(303));
    assert_eq!(scalar(&mut cleo, &submit(&import)), "∅");
    assert_eq!(committed(&mut cleo, &import), "303 202 101 0 0");
    accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.lead', 'batch_insert', '5', 'lead_creator')");
    let (import, _) = checked(&mut cleo, &leads(309));
    assert_ne!(scalar(&mut cleo, &submit(&import)), "∅", "six are too many now");
}

#[test]
fn k31_who_loses_the_capability_meanwhile_needs_an_approval() {
    let db = lab("loses");
    let mut olga = db.connect("olga");
    let (import, _) = checked(&mut olga, &leads(101));
    accepted(&mut olga, &submit(&import));
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member_role SET role = 'lead_creator' WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'olga')",
    );
    refused(&mut olga, &commit(&import), "LG004");
    assert_eq!(count(&db), "3");
}

#[test]
fn k31_what_was_submitted_stays_as_it_is() {
    let db = lab("frozen");
    let mut cleo = db.connect("cleo");
    let (import, _) = checked(&mut cleo, &leads(101));
    let approval = scalar(&mut cleo, &submit(&import));
    refused(&mut cleo, "INSERT INTO crm.lead_import (name) VALUES ('one more')", "55000");
    refused(&mut cleo, &format!("SELECT leadguard.import_check({import})"), "55000");
    decide(&db, "olga", &approval, true);
    // Another import of the member goes on beside it.
    let (other, _) = checked(&mut cleo, "name\nx\n");
    assert_eq!(staged(&db, &import), "101");
    accepted(
        &mut db.admin(),
        &format!(
            "BEGIN; UPDATE leadguard.import_row SET data = data || '{{\"name\": \"smuggled\"}}' WHERE import_id = {import} AND line = 7; COMMIT"
        ),
    );
    let error = refused(&mut cleo, &commit(&import), "55000");
    assert!(error.message().contains("not those that were submitted"), "{error:?}");
    assert_eq!(count(&db), "3");
    accepted(
        &mut db.admin(),
        &format!(
            "UPDATE leadguard.import_row SET data = data || '{{\"name\": \"lead 7\"}}' WHERE import_id = {import} AND line = 7"
        ),
    );
    assert_eq!(committed(&mut cleo, &import), "101 101 0 0 0");
    accepted(&mut cleo, &submit(&other));
    assert_eq!(committed(&mut cleo, &other), "1 1 0 0 0");
}

#[test]
fn k33_nothing_is_half_imported() {
    let db = lab("half");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead ADD CONSTRAINT not_the_last CHECK (score < 90)");
    let mut cleo = db.connect("cleo");
    let (import, problems) = checked(&mut cleo, &leads(95));
    assert_eq!(problems.len(), 0);
    accepted(&mut cleo, &submit(&import));
    refused(&mut cleo, &commit(&import), "23514");
    assert_eq!((count(&db), state(&db, &import), staged(&db, &import)), ("3".into(), "approved".into(), "95".into()));
    accepted(&mut db.admin(), "ALTER TABLE crm.lead DROP CONSTRAINT not_the_last");
    assert_eq!(committed(&mut cleo, &import), "95 95 0 0 0");
}

#[test]
fn k31_a_file_in_parts_is_one_file_within_a_transaction() {
    let db = lab("parts");
    let mut cleo = db.connect("cleo");
    let imports = ["one", "two"].map(|place| {
        let (import, problems) = checked(&mut cleo, &leads(60).replace("@lead", &format!("@{place}")));
        assert_eq!(problems.len(), 0);
        accepted(&mut cleo, &submit(&import));
        import
    });
    accepted(&mut cleo, "BEGIN");
    assert_eq!(committed(&mut cleo, &imports[0]), "60 60 0 0 0");
    refused(&mut cleo, &commit(&imports[1]), "LG004");
    accepted(&mut cleo, "ROLLBACK");
    for import in &imports {
        assert_eq!(committed(&mut cleo, import), "60 60 0 0 0", "in transactions of their own");
    }
}

#[test]
fn k34_a_template_covers_imports_that_are_as_it_says() {
    let db = lab("template");
    let mut cleo = db.connect("cleo");
    let error = refused(&mut cleo, "SELECT leadguard.import_begin('crm.lead', template => 'fairs')", "22023");
    assert!(error.hint().is_some_and(|hint| hint.contains("batch_templates")), "{error:?}");
    let set = |rows: &str, role: &str, keys: &str| {
        accepted(
            &mut db.connect("olga"),
            &format!(
                "SELECT leadguard.set_batch_template('fairs', 'crm.lead', 'import', {rows}, role => '{role}', match_keys => {keys})"
            ),
        )
    };
    let keys = "'{\"email\": \"email\", \"phone\": \"phone\", \"company,city\": \"trim|lower\"}'";
    let asks = |c: &mut leadguard_tests::Client| {
        let (import, _) = checked(c, &leads(101));
        let approval = scalar(c, &submit(&import));
        accepted(c, &format!("SELECT leadguard.import_cancel({import})"));
        approval != "∅"
    };
    set("100", "lead_creator", "NULL");
    assert!(asks(&mut cleo), "one row too many");
    set("200", "lead_manager", "NULL");
    assert!(asks(&mut cleo), "for another role");
    set("200", "lead_creator", "'{\"email\": \"exact\"}'");
    assert!(asks(&mut cleo), "with other match keys");
    set("200", "lead_creator", keys);
    assert!(!asks(&mut cleo));
    let import = scalar(&mut cleo, "SELECT leadguard.import_begin('crm.lead', template => 'fairs')");
    load(&mut cleo, &leads(150));
    check(&mut cleo, &import);
    assert_eq!(scalar(&mut cleo, &submit(&import)), "∅");
    assert_eq!(committed(&mut cleo, &import), "150 150 0 0 0");
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT b.operation, b.records, b.member_key, b.template = t.id, b.approval FROM leadguard.batches b, leadguard.batch_template t
             WHERE b.operation = 'import' AND t.withdrawn_at IS NULL"
        ),
        [["import", "150", "cleo", "t", "∅"]]
    );
}

#[test]
fn k34_what_was_checked_is_committed_as_it_was_read() {
    let db = lab("settings");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "SET datestyle = 'ISO, DMY'");
    let (import, problems) = checked(&mut cleo, "name,born\nDora,03/04/2001\n");
    assert!(problems.is_empty());
    accepted(&mut cleo, &submit(&import));
    for other in ["SET datestyle = 'ISO, MDY'", "SET timezone = 'Asia/Kolkata'", "SET intervalstyle = 'sql_standard'"] {
        accepted(&mut cleo, &format!("BEGIN; {other}"));
        let e = refused(&mut cleo, &commit(&import), "55000");
        assert!(e.message().contains("DMY"), "{e}");
        accepted(&mut cleo, "ROLLBACK");
    }
    // How dates are shown is another matter.
    accepted(&mut cleo, "SET datestyle = 'SQL, DMY'");
    assert_eq!(committed(&mut cleo, &import), "1 1 0 0 0");
    let born = "SELECT to_char(born, 'YYYY-MM-DD') FROM crm.lead WHERE name = 'Dora'";
    assert_eq!(scalar(&mut cleo, born), "2001-04-03");
}
