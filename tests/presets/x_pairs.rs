//! One pair per contradiction between the sources: two answers to one question, which differ only in a switch (or the preset). Each reader and
//! writer asks in one session that stays open, and the switch counts with the next statement.

use leadguard_tests::*;

use crate::lab::{attempt, creates, decision_site, four_role, give_role, organization, rights, seen, switch};
use crate::sales_hierarchy::accounts;

const LEAD: &str = "crm.lead";

#[test]
fn x1_who_reads() {
    let db = four_role("x1");
    accepted(&mut db.connect("olga"), "SELECT leadguard.share('crm.lead', '5', 'cleo', 'read', reason => 'x')");
    let mut cleo = db.connect("cleo");
    for (value, found) in [
        ("all", "1 2 3 4 5 8"),
        ("paths", "1 3 5"),
        ("own", "1 3 5"),
        ("scope", "5"),
        ("invited", "5"),
        ("none", ""),
        ("all", "1 2 3 4 5 8"),
    ] {
        switch(&db, LEAD, "visibility", value, "lead_creator");
        assert_eq!(seen(&mut cleo, LEAD), found, "{value}");
        assert_eq!(
            accepted(&mut cleo, "SELECT * FROM leadguard.what_can(NULL, 'crm.lead')"),
            found.split_whitespace().count() as u64,
            "{value}"
        );
    }
}

#[test]
fn x2_who_edits_leads_of_others() {
    let db = four_role("x2");
    let mut cleo = db.connect("cleo");
    let of = |c: &mut Client| ["1", "2", "3"].map(|id| rights(c, LEAD, id)).join(" ");
    for (value, found) in [
        ("paths", "ru--- r---- ru---"),
        ("all", "ru--- ru--- ru---"),
        ("own", "ru--- r---- ru---"),
        ("scope", "r---- r---- r----"),
        ("invited", "r---- r---- r----"),
        ("none", "r---- r---- r----"),
    ] {
        switch(&db, LEAD, "edit", value, "lead_creator");
        assert_eq!(of(&mut cleo), found, "{value}");
    }
    accepted(&mut db.admin(), "SELECT leadguard.reset_switch('crm.lead', 'edit', 'lead_creator')");
    assert_eq!(of(&mut cleo), "ru--- r---- ru---", "the preset's again");
}

#[test]
fn x3_what_delete_is() {
    let db = four_role("x3");
    let (mut mark, mut cleo) = (db.connect("mark"), db.connect("cleo"));
    assert_eq!(rights(&mut mark, LEAD, "1"), "rua--", "rules");
    accepted(&mut mark, "DELETE FROM crm.lead WHERE id = 4");
    let purge = "SELECT leadguard.purge('crm.lead', '4', 'old')";
    assert_eq!(attempt(&mut mark, purge), "42501", "rules");
    switch(&db, LEAD, "delete_mode", "hard", "lead_manager");
    assert_eq!(attempt(&mut mark, purge), "1", "hard");
    switch(&db, LEAD, "delete_mode", "soft", "lead_manager");
    assert_eq!(attempt(&mut mark, purge), "42501", "soft");
    assert_eq!(rights(&mut mark, LEAD, "1"), "rua--", "soft");
    switch(&db, LEAD, "delete_mode", "none", "lead_manager");
    assert_eq!(rights(&mut mark, LEAD, "1"), "ru---", "none");
    assert_eq!(rights(&mut cleo, LEAD, "1"), "ru---", "rules");
    switch(&db, LEAD, "delete_mode", "soft", "lead_creator");
    assert_eq!(rights(&mut cleo, LEAD, "1"), "rua--", "soft: what she may change");
    assert_eq!(rights(&mut cleo, LEAD, "2"), "r----", "soft: and nothing else");
}

#[test]
fn x5_edit_without_view() {
    let db = organization("x5");
    let mut mel = db.connect("mel");
    assert_eq!([rights(&mut mel, LEAD, "2"), rights(&mut mel, "crm.deal", "2")], ["-----", "-----"], "off");
    switch(&db, LEAD, "edit_implies_read", "on", "");
    assert_eq!([rights(&mut mel, LEAD, "2"), rights(&mut mel, "crm.deal", "2")], ["ru---", "-----"], "on");
    assert_eq!(seen(&mut mel, LEAD), "1 2 3 4 5 6");
    switch(&db, LEAD, "edit_implies_read", "off", "");
    assert_eq!(seen(&mut mel, LEAD), "1 3 5", "off");
}

#[test]
fn x6_the_rule_of_the_object_or_the_general_sentence() {
    let db = organization("x6");
    accepted(&mut db.admin(), "UPDATE leadguard.organization SET organization_view = true");
    let mut mel = db.connect("mel");
    assert_eq!(
        [rights(&mut mel, LEAD, "2"), rights(&mut mel, "crm.deal", "2")],
        ["ru---", "r----"],
        "each object its own"
    );
    switch(&db, "crm.deal", "edit", "all", "Member");
    assert_eq!(rights(&mut mel, "crm.deal", "2"), "ru---", "members edit leads and deals");
    accepted(&mut db.admin(), "SELECT leadguard.reset_switch('crm.deal', 'edit', 'Member')");
    assert_eq!(rights(&mut mel, "crm.deal", "2"), "r----");
    accepted(&mut db.admin(), "SELECT leadguard.set_preset('crm.deal', 'organization', 'lead')");
    assert_eq!(rights(&mut mel, "crm.deal", "2"), "ru---", "as what its rows are");
    accepted(&mut db.admin(), "SELECT leadguard.set_preset('crm.deal', 'organization', 'campaign')");
    assert_eq!(rights(&mut mel, "crm.deal", "5"), "r-asm", "sent");
}

#[test]
fn x7_whether_the_status_binds_the_owner() {
    let db = organization("x7");
    let (mut mel, mut adam) = (db.connect("mel"), db.connect("adam"));
    let of =
        |mel: &mut Client, adam: &mut Client| [rights(mel, "crm.campaign", "5"), rights(adam, "crm.campaign", "6")];
    assert_eq!(of(&mut mel, &mut adam), ["r-asm", "r-asm"], "on");
    switch(&db, "crm.campaign", "status_binds_owner", "off", "");
    assert_eq!(
        of(&mut mel, &mut adam),
        ["ruasm", "r-asm"],
        "off: own data without restriction, others' as the status allows"
    );
    switch(&db, "crm.campaign", "status_binds_owner", "on", "");
    assert_eq!(of(&mut mel, &mut adam), ["r-asm", "r-asm"], "on");
}

#[test]
fn x10_whether_managers_see_what_a_team_hides() {
    let db = decision_site("x10");
    let mut vera = db.connect("vera");
    assert_eq!(rights(&mut vera, "crm.site", "4"), "-----", "off");
    switch(&db, "crm.site", "hierarchy", "on", "");
    assert_eq!(rights(&mut vera, "crm.site", "4"), "ruasm", "on: cara is below her");
    assert_eq!(rights(&mut vera, "crm.site", "5"), "-----", "on: curt is not");
    switch(&db, "crm.site", "hierarchy", "off", "");
    assert_eq!(rights(&mut vera, "crm.site", "4"), "-----", "off");
}

#[test]
fn x11_what_managers_may_and_how_far_it_goes() {
    let db = accounts("x11");
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'ted', 'full')");
    let (mut mona, mut vp, mut ceo, mut tina) =
        (db.connect("mona"), db.connect("vp"), db.connect("ceo"), db.connect("tina"));
    let mut of = || {
        [
            rights(&mut mona, LEAD, "1"),
            rights(&mut vp, LEAD, "1"),
            rights(&mut ceo, LEAD, "1"),
            rights(&mut tina, LEAD, "1"),
        ]
        .join(" ")
    };
    assert_eq!(of(), "ruasm ruasm ruasm ruasm", "same");
    switch(&db, LEAD, "manager_level", "read", "");
    assert_eq!(of(), "r---- r---- r---- r----", "read");
    switch(&db, LEAD, "manager_level", "edit", "");
    assert_eq!(of(), "ru--- ru--- ru--- ru---", "edit");
    switch(&db, LEAD, "manager_level", "same", "");
    for (depth, found) in [
        ("1", "ruasm ----- ----- ruasm"),
        ("2", "ruasm ruasm ----- ruasm"),
        ("3", "ruasm ruasm ruasm ruasm"),
        ("0", "ruasm ruasm ruasm ruasm"),
    ] {
        // carl's account of lead 1 stands below the ceo too.
        accepted(&mut db.admin(), "UPDATE crm.lead SET account_id = NULL WHERE id = 1");
        switch(&db, LEAD, "manager_depth", depth, "");
        assert_eq!(of(), found, "{depth}");
    }
    switch(&db, LEAD, "hierarchy", "off", "");
    assert_eq!(of(), "----- ----- ----- -----", "no hierarchy at all");
}

#[test]
fn x12_administrators_by_privilege_or_by_position() {
    let db = accounts("x12");
    let mut admin = db.connect("admin");
    assert_eq!(rights(&mut admin, LEAD, "1"), "ruasm", "on");
    switch(&db, LEAD, "admin", "off", "");
    assert_eq!(seen(&mut admin, LEAD), "1 9 11", "off: what the accounts open");
    switch(&db, "crm.account", "admin", "off", "");
    assert_eq!(seen(&mut admin, LEAD), "", "off: on no team, above nobody");
    assert_eq!(
        scalar(&mut admin, "SELECT leadguard.has_capability('administer')"),
        "t",
        "the directory is another matter"
    );
    place(&mut db.admin(), "mona", "admin");
    assert_eq!(seen(&mut admin, LEAD), "1 2 3 4 5 6 7 8", "off: by position");
    switch(&db, LEAD, "admin", "on", "");
    assert_eq!(accepted(&mut admin, "SELECT id FROM crm.lead"), 15, "on");
}

#[test]
fn x15_four_vocabularies_on_one_table() {
    let db = four_role("x15");
    let mut cleo = db.connect("cleo");
    let leads = |c: &mut Client| (seen(c, LEAD), creates(c, LEAD));
    let preset = |name: &str| {
        for table in ["crm.account", LEAD] {
            accepted(&mut db.admin(), &format!("SELECT leadguard.set_preset('{table}', '{name}')"));
        }
        assert_eq!(
            scalar(
                &mut db.admin(),
                "SELECT value FROM leadguard.switches WHERE switch = 'preset' AND target = 'crm.lead'::regclass"
            ),
            name
        );
    };
    accepted(&mut db.admin(), "UPDATE crm.lead SET sensitive = false");
    assert_eq!(leads(&mut cleo), ("1 2 3 4 5 6 7 8".into(), true), "four_role: a lead creator");
    preset("sales_hierarchy");
    assert_eq!(leads(&mut cleo), ("1 6".into(), true), "sales_hierarchy: every member, what he owns");
    preset("decision_site");
    assert_eq!(leads(&mut cleo), (String::new(), false), "decision_site: a role of another vocabulary");
    give_role(&db, "cleo", "COLLABORATOR");
    assert_eq!(leads(&mut cleo), ("1 6".into(), false), "decision_site: a collaborator");
    preset("organization");
    assert_eq!(leads(&mut cleo), (String::new(), false), "organization");
    give_role(&db, "cleo", "Member");
    assert_eq!(leads(&mut cleo), ("1 3 6".into(), true), "organization: a Member, also what she created");
    preset("four_role");
    assert_eq!(leads(&mut cleo), ("1 2 3 4 5 6 7 8".into(), true), "four_role");
}

#[test]
fn x17_a_colleague_is_no_member_of_the_territory() {
    let db = accounts("x17");
    // tom owns dach, tess is a member of it, ted has the same manager as both. Lead 1 is alice's, anton has her manager.
    let (mut ted, mut tess, mut anton) = (db.connect("ted"), db.connect("tess"), db.connect("anton"));
    let mut of = || {
        [
            rights(&mut tess, LEAD, "11"),
            rights(&mut ted, LEAD, "11"),
            rights(&mut anton, LEAD, "1"),
            rights(&mut ted, LEAD, "1"),
        ]
        .join(" ")
    };
    assert_eq!(of(), "ru--- ----- ----- -----", "off");
    switch(&db, LEAD, "colleagues", "on", "");
    assert_eq!(of(), "ru--- ----- r---- -----", "on: of the owner of the lead, not of the territory's");
    place(&mut db.admin(), "anton", "bob");
    assert_eq!(rights(&mut anton, LEAD, "1"), "-----", "on: the manager decides");
    place(&mut db.admin(), "anton", "");
    place(&mut db.admin(), "alice", "");
    assert_eq!(rights(&mut anton, LEAD, "1"), "-----", "on: those without a manager are no colleagues");
    place(&mut db.admin(), "anton", "mona");
    place(&mut db.admin(), "alice", "mona");
    assert_eq!(rights(&mut anton, LEAD, "1"), "r----", "on");
    switch(&db, LEAD, "colleagues", "off", "");
    assert_eq!(rights(&mut anton, LEAD, "1"), "-----", "off");
}

#[test]
fn x21_whether_the_creator_keeps_edit_after_handoff() {
    let db = four_role("x21");
    let mut cleo = db.connect("cleo");
    assert_eq!([rights(&mut cleo, LEAD, "1"), rights(&mut cleo, LEAD, "3")], ["ru---", "ru---"], "on: owned, created");
    switch(&db, LEAD, "creator_keeps_edit", "off", "");
    assert_eq!([rights(&mut cleo, LEAD, "1"), rights(&mut cleo, LEAD, "3")], ["ru---", "r----"], "off");
    switch(&db, LEAD, "creator_keeps_edit", "on", "");
    assert_eq!([rights(&mut cleo, LEAD, "1"), rights(&mut cleo, LEAD, "3")], ["ru---", "ru---"], "on");
}

#[test]
fn x22_systems_or_persons_only() {
    let db = four_role("x22");
    let (mut robo, mut cleo) = (db.connect("robo"), db.connect("cleo"));
    assert_eq!((seen(&mut robo, LEAD).as_str(), creates(&mut robo, LEAD)), ("1 2 3 4 5 8", true), "all");
    switch(&db, LEAD, "principals", "persons", "");
    assert_eq!((seen(&mut robo, LEAD).as_str(), creates(&mut robo, LEAD)), ("", false), "persons");
    assert_eq!(
        (seen(&mut cleo, LEAD).as_str(), creates(&mut cleo, LEAD)),
        ("1 2 3 4 5 8", true),
        "persons: she is one"
    );
    give_role(&db, "robo", "data_owner");
    assert_eq!(seen(&mut robo, LEAD), "", "persons: not even by privilege");
    switch(&db, LEAD, "principals", "all", "");
    assert_eq!(seen(&mut robo, LEAD), "1 2 3 4 5 6 7 8", "all");
}

#[test]
fn x23_a_view_mode_that_narrows_or_a_fixed_view() {
    let db = organization("x23");
    let mut owen = db.connect("owen");
    accepted(&mut owen, "SET leadguard.view_mode = 'personal'");
    assert_eq!(seen(&mut owen, LEAD), "4", "on");
    switch(&db, LEAD, "view_modes", "off", "");
    assert_eq!(seen(&mut owen, LEAD), "1 2 3 4 5 6", "off: the setting says nothing");
    assert_eq!(seen(&mut owen, "crm.deal"), "4", "on for another table");
    switch(&db, LEAD, "view_modes", "on", "");
    assert_eq!(seen(&mut owen, LEAD), "4", "on");
    let sales = four_role("x23_four");
    let mut olga = sales.connect("olga");
    accepted(&mut olga, "SET leadguard.view_mode = 'personal'");
    assert_eq!(seen(&mut olga, LEAD), "1 2 3 4 5 6 7 8", "four_role has none");
    switch(&sales, LEAD, "view_modes", "on", "");
    assert_eq!(seen(&mut olga, LEAD), "");
}
