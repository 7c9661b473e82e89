//! When a change takes effect: with the next statement of every session, and never within one.

use leadguard_tests::*;

use crate::lab::{creates, decision_site, four_role, give_role, organization, rights, rule, seen, switch, take_role};

#[test]
fn d16_a_promotion_and_a_demotion_take_effect_immediately() {
    let db = decision_site("d16");
    let mut cole = db.connect("cole");
    assert!(!creates(&mut cole, "crm.site"));
    take_role(&db, "cole", "COLLABORATOR");
    give_role(&db, "cole", "CREATOR");
    assert!(creates(&mut cole, "crm.site"));
    assert_eq!(rights(&mut cole, "crm.site", "2"), "ru---");
    take_role(&db, "cole", "CREATOR");
    give_role(&db, "cole", "COLLABORATOR");
    assert!(!creates(&mut cole, "crm.site"), "can edit, cannot create");
    assert_eq!(rights(&mut cole, "crm.site", "2"), "ru---");
    give_role(&db, "cole", "ADMIN");
    assert_eq!(seen(&mut cole, "crm.site"), "1 2 3 4 5 6");
    take_role(&db, "cole", "ADMIN");
    take_role(&db, "cole", "COLLABORATOR");
    assert_eq!(seen(&mut cole, "crm.site"), "");
}

#[test]
fn k20_rules_and_switches_bind_the_next_statement_of_an_open_transaction() {
    let db = four_role("next");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "PREPARE q AS SELECT string_agg(id::text, ' ' ORDER BY id) FROM crm.lead");
    for _ in 0..7 {
        assert_eq!(scalar(&mut cleo, "EXECUTE q"), "1 2 3 4 5 8");
    }
    accepted(&mut cleo, "BEGIN");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3 4 5 8");
    switch(&db, "crm.lead", "visibility", "own", "lead_creator");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 3");
    assert_eq!(scalar(&mut cleo, "EXECUTE q"), "1 3", "prepared before");
    rule(&db, "crm.lead", "lead_creator created access none");
    assert_eq!(scalar(&mut cleo, "EXECUTE q"), "1");
    rule(&db, "crm.lead", "lead_creator own access none");
    assert_eq!(scalar(&mut cleo, "EXECUTE q"), "∅");
    accepted(&mut db.admin(), "SELECT leadguard.set_preset('crm.lead', 'four_role')");
    assert_eq!(scalar(&mut cleo, "EXECUTE q"), "1 2 3 4 5 8");
    accepted(&mut cleo, "COMMIT");
}

#[test]
fn a_snapshot_keeps_the_rules_that_it_was_taken_with() {
    let db = four_role("snapshot");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut cleo = db.connect("cleo");
        accepted(&mut cleo, &format!("BEGIN ISOLATION LEVEL {level}"));
        assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3 4 5 8");
        switch(&db, "crm.lead", "visibility", "own", "lead_creator");
        assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3 4 5 8", "{level}: rules and rows of one moment");
        accepted(&mut cleo, "COMMIT");
        assert_eq!(seen(&mut cleo, "crm.lead"), "1 3", "{level}");
        switch(&db, "crm.lead", "visibility", "all", "lead_creator");
    }
}

#[test]
fn a_change_that_is_rolled_back_was_none() {
    let db = four_role("rolled_back");
    let (mut olga, mut cleo) = (db.connect("olga"), db.connect("cleo"));
    accepted(&mut olga, "BEGIN; SELECT leadguard.set_switch('crm.lead', 'admin', 'off')");
    assert_eq!(seen(&mut olga, "crm.lead"), "", "her own change at once");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3 4 5 8");
    accepted(&mut olga, "ROLLBACK");
    assert_eq!(seen(&mut olga, "crm.lead"), "1 2 3 4 5 6 7 8");
    accepted(
        &mut olga,
        "BEGIN; SAVEPOINT s; SELECT leadguard.set_switch('crm.lead', 'visibility', 'none', 'lead_creator'); ROLLBACK TO s; COMMIT",
    );
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3 4 5 8");
    accepted(&mut olga, "BEGIN; SELECT leadguard.set_switch('crm.lead', 'visibility', 'none', 'lead_creator')");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3 4 5 8", "not before it is committed");
    accepted(&mut olga, "COMMIT");
    assert_eq!(seen(&mut cleo, "crm.lead"), "");
}

#[test]
fn an_open_cursor_keeps_one_set_of_rules() {
    let db = four_role("cursor");
    let mut cleo = db.connect("cleo");
    accepted(
        &mut cleo,
        "BEGIN; DECLARE c CURSOR FOR SELECT id FROM crm.lead ORDER BY id; DECLARE d CURSOR FOR SELECT id FROM crm.lead ORDER BY id",
    );
    assert_eq!(rows(&mut cleo, "FETCH 2 FROM c"), [["1"], ["2"]]);
    switch(&db, "crm.lead", "visibility", "own", "lead_creator");
    assert_eq!(rows(&mut cleo, "FETCH ALL FROM c").len(), 4);
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 3");
    let late = rows(&mut cleo, "FETCH ALL FROM d").len();
    assert!(late == 6 || late == 2, "one moment's rules: {late}");
    accepted(&mut cleo, "COMMIT");
}

#[test]
fn p06_the_organization_view_binds_the_next_statement() {
    let db = organization("view_next");
    let mut mel = db.connect("mel");
    accepted(&mut mel, "BEGIN; PREPARE q AS SELECT count(*) FROM crm.deal");
    for view in [false, true, false, true] {
        accepted(&mut db.admin(), &format!("UPDATE leadguard.organization SET organization_view = {view}"));
        assert_eq!(scalar(&mut mel, "EXECUTE q"), if view { "6" } else { "3" });
    }
    accepted(&mut mel, "COMMIT");
}

// A statement that waited for a row looks at it, and at the rules, again.
#[test]
fn k10_a_writer_that_waited_meets_the_rules_of_now() {
    let db = four_role("waited");
    let (mut cleo, mut admin) = (db.connect("cleo"), db.admin());
    let cleo_pid = pid(&mut cleo);
    accepted(&mut admin, "BEGIN; UPDATE crm.lead SET name = 'held' WHERE id = 3");
    let waiting = std::thread::spawn(move || code(&mut cleo, "UPDATE crm.lead SET name = 'cleo' WHERE id = 3"));
    assert!(blocked(&mut db.admin(), cleo_pid), "she waits for the row");
    rule(&db, "crm.lead", "lead_creator created access none");
    switch(&db, "crm.lead", "visibility", "own", "lead_creator");
    accepted(&mut admin, "COMMIT");
    waiting.join().expect("the writer ends");
    assert_eq!(scalar(&mut db.admin(), "SELECT name FROM crm.lead WHERE id = 3"), "held");
}
