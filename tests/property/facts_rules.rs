//! What the sources say about rules, presets and hiding, written out by hand against the reference alone.

use crate::facts::{presets, world};
use crate::reference::Eyes;
use crate::resolve::{Action, Rights, creates, hard_deletes};
use crate::rulebook::{Key, Presets, Rule};
use crate::world::*;
use std::sync::Arc;

const ME: i64 = 3;
const OTHER: i64 = 4;

/// One record of OTHER, created by OTHER, in a table under `preset` that has every column.
fn table(shipped: &Arc<Presets>, preset: &str, object: &str) -> World {
    let mut w = world(shipped);
    let shape = Shape {
        name: "crm.t".to_string(),
        owner: Some(Reference::Int8),
        creator: Some(Reference::Int8),
        territory: Some(Reference::Int8),
        team: Some(Reference::Text),
        org_column: true,
        segment: true,
        stage: true,
        status: true,
        sensitive: Some("boolean"),
        ..PLAIN
    };
    let mut table = Table::new(shape, preset, object);
    let (owner, creator) = (Some(OTHER.to_string()), Some(OTHER.to_string()));
    table.records.insert("a".to_string(), Record { org: 1, owner, creator, ..Record::default() });
    w.tables = vec![table];
    w.rich = true;
    w
}

fn role(w: &mut World, member: i64, name: &str) {
    w.members.get_mut(&member).expect("member").roles.insert(name.to_string());
}

fn record(w: &mut World) -> &mut Record {
    w.tables[0].records.get_mut("a").expect("record")
}

fn switch(w: &mut World, name: &str, role: &str, value: &str) {
    w.tables[0].switches.insert((name.to_string(), role.to_string()), value.to_string());
}

fn rule(w: &mut World, role: &str, path: &str, action: &str, effect: &str, statuses: &[&str]) {
    let Rule { key, effect } = Rule::new(role, path, action, effect, statuses);
    w.tables[0].rules.insert(key, effect);
}

/// The initials of what a member may: read, update, archive, share, reassign (moves on).
fn may(w: &World, member: i64) -> String {
    let rights = Eyes::new(w, member).rights(0, "a");
    let letter = |action: &Action| match action {
        Action::Reassign => 'm',
        other => other.name().chars().next().expect("a name"),
    };
    Action::ALL.iter().filter(|action| rights.has(**action)).map(letter).collect()
}

#[test]
fn reference_organization_preset_of_source_002() {
    let shipped = presets();
    let mut w = table(&shipped, "organization", "lead");
    assert_eq!(may(&w, ME), "", "nothing without a role");
    role(&mut w, ME, "Member");
    role(&mut w, OTHER, "Member");
    assert_eq!((may(&w, ME).as_str(), may(&w, OTHER).as_str()), ("", "ruasm"), "own data only");
    // Any member edits any lead: either all see them, or the right to update is one to read.
    switch(&mut w, "edit_implies_read", "", "on");
    assert_eq!(may(&w, ME), "ru");
    w.tables[0].switches.clear();
    w.open.insert(1);
    assert_eq!(may(&w, ME), "ru", "the organization view shows it");
    for (object, member, admin) in [("deal", "r", "rasm"), ("campaign", "r", "rasm")] {
        w.tables[0].object = object.to_string();
        role(&mut w, 7, "Admin");
        assert_eq!(may(&w, ME), member, "{object}");
        let expected = if object == "deal" { "ruasm" } else { admin };
        assert_eq!(may(&w, 7), expected, "{object}");
    }
    // Campaigns by status, for the owner as well.
    assert_eq!(may(&w, OTHER), "rasm");
    record(&mut w).status = Some("paused".to_string());
    assert_eq!((may(&w, OTHER).as_str(), may(&w, 7).as_str(), may(&w, ME).as_str()), ("ruasm", "ruasm", "r"));
    record(&mut w).status = Some("active".to_string());
    switch(&mut w, "status_binds_owner", "", "off");
    assert_eq!((may(&w, OTHER).as_str(), may(&w, 7).as_str()), ("ruasm", "rasm"));
    // The personal view narrows, whoever has it.
    let personal = |member| Who { personal: true, ..Who::from(member) };
    assert_eq!(Eyes::new(&w, personal(7)).rights(0, "a"), Rights::default());
    assert!(Eyes::new(&w, personal(OTHER)).rights(0, "a").has(Action::Update));
    assert!(creates(&w, ME.into(), 0) && !creates(&w, 8.into(), 0));
}

#[test]
fn reference_four_role_preset_of_source_000() {
    let shipped = presets();
    let mut w = table(&shipped, "four_role", "lead");
    role(&mut w, ME, "lead_creator");
    assert_eq!(may(&w, ME), "r", "reads all");
    record(&mut w).creator = Some(ME.to_string());
    assert_eq!(may(&w, ME), "ru", "what he created");
    switch(&mut w, "creator_keeps_edit", "", "off");
    assert_eq!(may(&w, ME), "r");
    w.tables[0].switches.clear();

    role(&mut w, 7, "lead_manager");
    assert_eq!(may(&w, 7), "");
    record(&mut w).segment = Some("retail".to_string());
    w.members.get_mut(&7).expect("member").scopes.insert((0, "segment", "retail".to_string()));
    assert_eq!(may(&w, 7), "rua", "in his scope, archiving included");
    assert!(!hard_deletes(&w, 7, 0));
    switch(&mut w, "delete_mode", "lead_manager", "none");
    assert_eq!(may(&w, 7), "ru");
    switch(&mut w, "delete_mode", "lead_manager", "hard");
    assert!(hard_deletes(&w, 7, 0));

    // By stage: an SDR in the territory.
    role(&mut w, 5, "sdr");
    record(&mut w).territory = Some("11".to_string());
    record(&mut w).stage = Some("won".to_string());
    assert_eq!(may(&w, 5), "");
    record(&mut w).stage = Some("qualified".to_string());
    assert_eq!(may(&w, 5), "ru");
    record(&mut w).stage = None;
    assert_eq!(may(&w, 5), "");
    record(&mut w).stage = Some("prospecting".to_string());

    // Sensitive: managers and above, not even the owner in this preset.
    record(&mut w).sensitive = Some("t".to_string());
    assert_eq!((may(&w, 5).as_str(), may(&w, ME).as_str(), may(&w, 7).as_str()), ("", "", "rua"));
    record(&mut w).owner = Some(ME.to_string());
    assert_eq!(may(&w, ME), "");
    switch(&mut w, "exempt_owner", "", "on");
    assert_eq!(may(&w, ME), "ru");

    // Analysts read and never write, and are bound by hiding unless the table says otherwise.
    role(&mut w, 8, "analyst");
    rule(&mut w, "analyst", "organization", "access", "full", &[]);
    assert_eq!(may(&w, 8), "");
    switch(&mut w, "hiding_binds_analysts", "", "off");
    assert_eq!(may(&w, 8), "rasm", "the switch edit takes updates only");
    assert!(creates(&w, 7.into(), 0) && !creates(&w, 8.into(), 0));
    let login = Who { analyst: true, ..Who::from(7) };
    assert!(Eyes::new(&w, login).rights(0, "a") == Rights::level(Level::Read) && !creates(&w, login, 0));
}

#[test]
fn reference_decision_site_preset_of_source_001() {
    let shipped = presets();
    let mut w = table(&shipped, "decision_site", "deal");
    role(&mut w, ME, "COLLABORATOR");
    role(&mut w, OTHER, "CREATOR");
    assert_eq!((may(&w, ME).as_str(), may(&w, OTHER).as_str()), ("", "ruasm"));
    assert!(!creates(&w, ME.into(), 0) && creates(&w, OTHER.into(), 0));
    // Teams: 20 has the access own, whose only member is 8.
    role(&mut w, 8, "COLLABORATOR");
    record(&mut w).team = Some("team".to_string());
    for (access, member, others) in [("own", "", ""), ("team", "ru", ""), ("organization", "ru", "ru")] {
        w.teams.get_mut(&20).expect("team").access = access;
        assert_eq!((may(&w, 8).as_str(), may(&w, ME).as_str()), (member, others), "team of access {access}");
    }
    record(&mut w).team = None;
    let grant = |kind, holder, level| Grant {
        record: "a".to_string(),
        kind,
        holder,
        level,
        until: Until::Always,
        retained: false,
    };
    w.tables[0].grants = vec![grant(Kind::Share, Holder::Team(20), Level::Edit)];
    for (access, member, others) in [("own", "", ""), ("team", "ru", ""), ("organization", "ru", "ru")] {
        w.teams.get_mut(&20).expect("team").access = access;
        assert_eq!((may(&w, 8).as_str(), may(&w, ME).as_str()), (member, others), "share with access {access}");
    }
    switch(&mut w, "team_access", "", "off");
    assert_eq!((may(&w, 8).as_str(), may(&w, ME).as_str()), ("ru", ""));
    // Guests: only what they were invited to. A contact never reaches those above.
    w.tables[0].grants = vec![
        grant(Kind::Contact, Holder::Member(5), Level::Edit),
        grant(Kind::Contact, Holder::Member(8), Level::Edit),
    ];
    role(&mut w, 5, "GUEST");
    role(&mut w, 6, "COLLABORATOR");
    switch(&mut w, "hierarchy", "", "on");
    assert_eq!((may(&w, 5).as_str(), may(&w, 6).as_str(), may(&w, 8).as_str()), ("r", "", "ru"));
    w.teams.get_mut(&20).expect("team").access = "organization";
    record(&mut w).team = Some("team".to_string());
    rule(&mut w, "*", "team", "access", "read", &[]);
    assert_eq!((may(&w, 7).as_str(), may(&w, 5).as_str()), ("r", "r"));
    w.tables[0].grants.clear();
    w.members.get_mut(&5).expect("member").kind = "guest";
    assert_eq!(may(&w, 5), "", "teams of the organization are not for guests");
}

#[test]
fn reference_denials_hierarchy_and_conditions() {
    let shipped = presets();
    let mut w = table(&shipped, "sales_hierarchy", "lead");
    record(&mut w).status = Some("draft".to_string());
    assert_eq!((may(&w, 2).as_str(), may(&w, OTHER).as_str()), ("ruasm", "ruasm"));
    switch(&mut w, "manager_level", "", "edit");
    assert_eq!(may(&w, 2), "ru");
    switch(&mut w, "manager_depth", "", "1");
    assert_eq!((may(&w, 2).as_str(), may(&w, 1).as_str()), ("ru", ""));
    rule(&mut w, "*", "manager", "access", "full", &[]);
    assert_eq!(may(&w, 2), "ruasm", "a row of its own is not capped");
    rule(&mut w, "*", "*", "share", "deny", &["draft"]);
    assert_eq!((may(&w, 2).as_str(), may(&w, OTHER).as_str()), ("ruam", "ruam"));
    record(&mut w).status = None;
    assert_eq!(may(&w, 2), "ruasm");
    switch(&mut w, "hierarchy", "", "off");
    assert_eq!((may(&w, 2).as_str(), may(&w, ME).as_str()), ("", ""));
    switch(&mut w, "colleagues", "", "on");
    assert_eq!((may(&w, ME).as_str(), may(&w, OTHER).as_str()), ("r", "ruasm"), "both report to 2");
    rule(&mut w, "view_only", "*", "read", "deny", &[]);
    role(&mut w, OTHER, "view_only");
    assert_eq!(may(&w, OTHER), "", "what cannot be read cannot be written");
    let kept: Vec<&Key> = w.tables[0].rules.keys().collect();
    assert_eq!(kept.len(), 3);
    w.members.get_mut(&ME).expect("member").kind = "system";
    switch(&mut w, "principals", "", "persons");
    assert_eq!(may(&w, ME), "");
}
