//! Pairs of contradictions about hiding rules, as `x_pairs`.

use leadguard_tests::*;

use crate::lab::{decision_site, four_role, rights, seen, switch};

const LEAD: &str = "crm.lead";

#[test]
fn x8_whether_the_owner_sees_his_sensitive_record() {
    let db = four_role("x8");
    let (mut cleo, mut cody) = (db.connect("cleo"), db.connect("cody"));
    assert_eq!([rights(&mut cleo, LEAD, "6"), rights(&mut cody, LEAD, "6")], ["-----", "-----"], "off");
    switch(&db, LEAD, "exempt_owner", "on", "");
    assert_eq!([rights(&mut cleo, LEAD, "6"), rights(&mut cody, LEAD, "6")], ["ru---", "-----"], "on: the owner only");
    assert_eq!(rights(&mut cody, LEAD, "7"), "-----", "on: its creator is not its owner");
    switch(&db, LEAD, "exempt_owner", "off", "");
    assert_eq!(rights(&mut cleo, LEAD, "6"), "-----", "off");
}

// The owner is exempt from the sensitivity, and from nothing else: a role that does not reach what it owns does not now.
#[test]
fn x8_the_exemption_gives_no_path() {
    let db = four_role("x8_path");
    accepted(
        &mut db.admin(),
        "UPDATE crm.lead SET owner_id = m.id FROM leadguard.member m WHERE m.key = 'abe' AND lead.id IN (6, 7)",
    );
    switch(&db, LEAD, "exempt_owner", "on", "");
    let mut abe = db.connect("abe");
    assert_eq!(
        [rights(&mut abe, LEAD, "6"), rights(&mut abe, LEAD, "7")],
        ["-----", "ru---"],
        "outside and inside the account set"
    );
    switch(&db, LEAD, "exempt_owner", "off", "");
    assert_eq!(rights(&mut abe, LEAD, "7"), "-----");
}

#[test]
fn x13_whether_hiding_binds_analysts() {
    let db = four_role("x13");
    let login = db.create_role("bi");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{login}', 'sid')"));
    let (mut ana, mut sid, mut bi) = (db.connect("ana"), db.connect("sid"), db.connect("bi"));
    let mut of = || [seen(&mut ana, LEAD), seen(&mut sid, LEAD), seen(&mut bi, LEAD)];
    assert_eq!(of(), ["1 2 3 4 5 8", "4", "4"], "on");
    switch(&db, LEAD, "hiding_binds_analysts", "off", "");
    assert_eq!(
        of(),
        ["1 2 3 4 5 6 7 8", "4", "4 5 7"],
        "off: the analyst all, a login of analysts the reach of its member, the member as before"
    );
    switch(&db, LEAD, "hiding_binds_analysts", "on", "");
    assert_eq!(of(), ["1 2 3 4 5 8", "4", "4"], "on");
}

#[test]
fn x13_the_archive_binds_analysts_either_way() {
    let db = four_role("x13_archive");
    accepted(&mut db.connect("olga"), "DELETE FROM crm.lead WHERE id IN (1, 6)");
    let mut ana = db.connect("ana");
    for value in ["on", "off"] {
        switch(&db, LEAD, "hiding_binds_analysts", value, "");
        assert_eq!(seen(&mut ana, LEAD), if value == "on" { "2 3 4 5 8" } else { "2 3 4 5 7 8" }, "{value}");
    }
}

#[test]
fn x9_x18_stages_and_rank_are_switches_of_roles() {
    let db = four_role("stages");
    let mut sid = db.connect("sid");
    for (value, found) in [
        ("prospecting,qualified", "4"),
        ("negotiation", "5"),
        (" qualified , negotiation ", "4 5"),
        ("*", "4 5"),
        ("", ""),
    ] {
        switch(&db, LEAD, "stages", value, "sdr");
        assert_eq!(seen(&mut sid, LEAD), found, "{value:?}");
    }
    switch(&db, LEAD, "stages", "*", "sdr");
    switch(&db, LEAD, "sensitive_rank", "10", "");
    assert_eq!(seen(&mut sid, LEAD), "4 5 7", "from his rank on");
    switch(&db, LEAD, "sensitive_rank", "11", "");
    assert_eq!(seen(&mut sid, LEAD), "4 5");
}

#[test]
fn x10_team_access_decides_what_a_team_opens() {
    let db = decision_site("x10_team");
    accepted(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '1', team => 'solo', level => 'read')");
    let (mut cole, mut cora) = (db.connect("cole"), db.connect("cora"));
    accepted(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '6', team => 'general', level => 'read')");
    let mut of = || [rights(&mut cole, "crm.site", "1"), rights(&mut cora, "crm.site", "6")];
    assert_eq!(of(), ["-----", "r----"], "on: as the team says");
    switch(&db, "crm.site", "team_access", "off", "");
    assert_eq!(of(), ["r----", "-----"], "off: its members, whatever it says");
    switch(&db, "crm.site", "team_access", "on", "");
    assert_eq!(of(), ["-----", "r----"]);
}
