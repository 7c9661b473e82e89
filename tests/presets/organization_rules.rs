//! organization: who changes its rules, and what rules can say.

use leadguard_tests::*;

use crate::lab::{attempt, organization, rights, rule};

#[test]
fn p19_rules_depend_on_object_action_path_role_and_status() {
    let db = organization("p19");
    let mut adam = db.connect("adam");
    assert_eq!(rights(&mut adam, "crm.deal", "6"), "ruasm");
    rule(&db, "crm.deal", "Admin organization update deny {sent}");
    assert_eq!(rights(&mut adam, "crm.deal", "6"), "r-asm", "status");
    assert_eq!(rights(&mut adam, "crm.deal", "2"), "ruasm", "another status");
    assert_eq!(rights(&mut adam, "crm.lead", "6"), "ruasm", "another object");
    assert_eq!(rights(&mut db.connect("owen"), "crm.deal", "6"), "ruasm", "another role");
    accepted(
        &mut db.admin(),
        "UPDATE crm.deal SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'adam') WHERE id = 6",
    );
    assert_eq!(rights(&mut adam, "crm.deal", "6"), "ruasm", "another path");
    rule(&db, "crm.deal", "Admin * update deny {sent}");
    assert_eq!(rights(&mut adam, "crm.deal", "6"), "r-asm", "every path");
    accepted(&mut db.admin(), "SELECT leadguard.drop_rule('crm.deal', 'Admin', '*', 'update', '{sent}')");
    assert_eq!(rights(&mut adam, "crm.deal", "6"), "ruasm");
}

#[test]
fn p20_custom_fields_are_managed_by_owner_and_admin_and_used_by_members() {
    let db = organization("p20");
    let changes = [
        "SELECT leadguard.set_field('crm.deal', 'custom.budget', 'sales', 'editor')",
        "SELECT leadguard.valid_values('crm.deal', 'custom.budget', '{low,high}')",
        "SELECT leadguard.valid_values('crm.lead', 'custom.source', '{web}')",
    ];
    for sql in changes {
        for (who, answer) in [("owen", "1"), ("adam", "1"), ("mel", "42501"), ("nob", "42501")] {
            assert_eq!(attempt(&mut db.connect(who), sql), answer, "{who}: {sql}");
        }
    }
    accepted(&mut db.connect("adam"), changes[1]);
    let mut mel = db.connect("mel");
    assert_eq!(accepted(&mut mel, r#"UPDATE crm.deal SET custom = '{"budget": "low"}' WHERE id = 1"#), 1, "used");
    refused(&mut mel, r#"UPDATE crm.deal SET custom = '{"budget": "mine"}' WHERE id = 1"#, "23514");
}

#[test]
fn p21_pipeline_stages_are_customized_by_owner_and_admin_and_used_by_members() {
    let db = organization("p21");
    let changes = [
        "SELECT leadguard.valid_values('crm.deal', 'stage', '{new,won,lost}')",
        "SELECT leadguard.set_transition('crm.deal', 'stage', NULL, 'new')",
        "SELECT leadguard.set_transition('crm.deal', 'stage', 'new', 'won')",
    ];
    for sql in changes {
        for who in ["mel", "nob"] {
            assert_eq!(attempt(&mut db.connect(who), sql), "42501", "{who}: {sql}");
        }
        assert_eq!(attempt(&mut db.connect("owen"), sql), "1");
        accepted(&mut db.connect("adam"), sql);
    }
    let mut mel = db.connect("mel");
    assert_eq!(accepted(&mut mel, "UPDATE crm.deal SET stage = 'new' WHERE id = 1"), 1, "used");
    assert_eq!(accepted(&mut mel, "UPDATE crm.deal SET stage = 'won' WHERE id = 1"), 1);
    assert_ne!(attempt(&mut mel, "UPDATE crm.deal SET stage = 'mine' WHERE id = 1"), "1");
    assert_eq!(attempt(&mut mel, "SELECT leadguard.drop_transition('crm.deal', 'stage', 'new', 'won')"), "42501");
}

#[test]
fn p23_editing_of_others_data_can_be_limited() {
    let db = organization("p23");
    let mut adam = db.connect("adam");
    rule(&db, "crm.segment", "Admin organization access read");
    assert_eq!(rights(&mut adam, "crm.segment", "2"), "r----");
    rule(&db, "crm.segment", "Admin organization update allow {draft}");
    assert_eq!(rights(&mut adam, "crm.segment", "2"), "ru---");
    assert_eq!(rights(&mut adam, "crm.segment", "6"), "r----");
    assert_eq!(rights(&mut db.connect("owen"), "crm.segment", "6"), "ruasm", "the Owner is not meant");
    accepted(&mut db.admin(), "SELECT leadguard.drop_rule('crm.segment', 'Admin', 'organization', 'access')");
    assert_eq!(rights(&mut adam, "crm.segment", "6"), "ruasm");
}

#[test]
fn p24_creator_and_owner_are_two_columns() {
    let db = organization("p24");
    let mut mel = db.connect("mel");
    accepted(&mut mel, "SELECT leadguard.reassign('crm.lead', '1', owner => 'mia', reason => 'holiday')");
    let held = "SELECT o.key, c.key FROM crm.lead l JOIN leadguard.member o ON o.id = l.owner_id JOIN leadguard.member c ON c.id = l.creator_id WHERE l.id = 1";
    assert_eq!(rows(&mut db.admin(), held), [["mia", "mel"]]);
    assert_eq!(rights(&mut mel, "crm.lead", "1"), "ruasm", "as its creator");
    assert_eq!(rights(&mut db.connect("mia"), "crm.lead", "1"), "ruasm", "as its owner");
    let mut adam = db.connect("adam");
    assert_eq!(
        attempt(&mut adam, "UPDATE crm.lead SET creator_id = owner_id WHERE id = 1"),
        "42501",
        "the creator stays"
    );
}

#[test]
fn p22_members_have_personal_settings_only() {
    let db = organization("p22");
    let mut mel = db.connect("mel");
    for sql in [
        "UPDATE leadguard.organization SET organization_view = true",
        "UPDATE leadguard.organization SET name = 'Mine'",
        "UPDATE leadguard.member SET active = false WHERE key = 'mia'",
        "UPDATE leadguard.member SET manager_id = NULL WHERE key = 'mel'",
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'Admin' FROM leadguard.member WHERE key = 'mel'",
        "SELECT leadguard.set_switch('crm.lead', 'organization_view', 'on')",
    ] {
        assert_eq!(attempt(&mut mel, sql), "42501", "{sql}");
    }
    accepted(&mut mel, "SET leadguard.view_mode = 'personal'");
    assert_eq!(
        attempt(&mut db.connect("owen"), "UPDATE leadguard.organization SET organization_view = true"),
        "1",
        "twin"
    );
}
