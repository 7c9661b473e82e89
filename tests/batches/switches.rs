//! Limits are switches of tables and roles (X14, K36).

use crate::lab::{lab, needs_approval, switch, update};
use leadguard_tests::{accepted, allowed, refused, rows, scalar};

#[test]
fn x14_k36_limits_are_set_by_table_and_role() {
    let db = lab("x14");
    let mut cleo = db.connect("cleo");
    switch(&db, "batch_update", "5", "");
    needs_approval(&mut cleo, &update(6));
    allowed(&mut cleo, &update(5));
    switch(&db, "batch_update", "200", "lead_creator");
    allowed(&mut cleo, &update(200));
    needs_approval(&mut cleo, &update(201));
    needs_approval(&mut db.connect("mark"), &update(6));
    switch(&db, "batch_update", "none", "lead_creator");
    allowed(&mut cleo, &update(500));
    switch(&db, "batch_update", "0", "lead_creator");
    needs_approval(&mut cleo, &update(1));
    accepted(&mut db.admin(), "SELECT leadguard.reset_switch('crm.lead', 'batch_update', 'lead_creator')");
    accepted(&mut db.admin(), "SELECT leadguard.reset_switch('crm.lead', 'batch_update')");
    allowed(&mut cleo, &update(100));
}

#[test]
fn x14_the_most_generous_role_of_a_member_wins() {
    let db = lab("generous");
    switch(&db, "batch_update", "5", "lead_creator");
    switch(&db, "batch_update", "50", "lead_manager");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'lead_manager' FROM leadguard.member WHERE key = 'cleo'",
    );
    let mut cleo = db.connect("cleo");
    allowed(&mut cleo, &update(50));
    needs_approval(&mut cleo, &update(51));
}

#[test]
fn x14_a_limit_binds_the_next_statement_of_an_open_transaction() {
    let db = lab("moment");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "BEGIN");
    accepted(&mut cleo, &update(50));
    switch(&db, "batch_update", "50", "");
    needs_approval(&mut cleo, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
}

#[test]
fn k36_values_that_cannot_be_are_refused() {
    let db = lab("values");
    let mut admin = db.admin();
    for (name, value) in [
        ("batch_update", "-1"),
        ("batch_update", "many"),
        ("batch_insert", ""),
        ("batch_from", "0"),
        ("batch_from", "none"),
        ("active_days", "-1"),
        ("active_days", "99999999"),
        ("batch_window", "x"),
        ("export", "on"),
        ("batch_import", "10"),
    ] {
        refused(&mut admin, &format!("SELECT leadguard.set_switch('crm.lead', '{name}', '{value}')"), "22023");
    }
    refused(&mut admin, "SELECT leadguard.set_switch('crm.lead', 'batch_from', '20', 'lead_creator')", "22023");
    refused(&mut admin, "SELECT leadguard.set_switch('crm.lead', 'batch_update', '20', 'nobody')", "22023");
    refused(&mut db.connect("cleo"), "SELECT leadguard.set_switch('crm.lead', 'batch_update', 'none')", "42501");
    accepted(&mut db.connect("olga"), "SELECT leadguard.set_switch('crm.lead', 'batch_update', 'none')");
    let shown = rows(
        &mut db.connect("mark"),
        "SELECT role, value FROM leadguard.switches WHERE switch = 'batch_update' AND target = 'crm.lead'::regclass ORDER BY role",
    );
    assert!(shown.contains(&vec!["*".to_owned(), "none".to_owned()]), "{shown:?}");
    let of_manager = scalar(
        &mut db.connect("mark"),
        "SELECT value FROM leadguard.switches WHERE switch = 'batch_update' AND target = 'crm.lead'::regclass AND role = 'lead_manager'",
    );
    assert_eq!(of_manager, "none", "what is set for all roles");
}
