//! What rules come to, one rule and one switch at a time.

use super::*;
use crate::model::rules::{Rule, Switches};

fn rule(role: &str, path: &str, action: &str, effect: &str) -> Rule {
    under(role, path, action, effect, &[])
}

fn under(role: &str, path: &str, action: &str, effect: &str, statuses: &[&str]) -> Rule {
    let statuses: Vec<String> = statuses.iter().map(|s| s.to_string()).collect();
    Rule::parse(role, path, action, &statuses, effect).expect("a rule")
}

fn table(rules: Vec<Rule>, switches: &[(&str, &str, &str)]) -> Rules {
    let mut table = Rules { rules, switches: Switches::default() };
    for (switch, role, value) in switches {
        assert!(table.switches.set(switch, role, value), "{switch} {role} {value}");
    }
    table
}

fn rep() -> Vec<Rule> {
    vec![
        rule("rep", "own", "access", "full"),
        rule("rep", "created", "access", "edit"),
        rule("rep", "territory", "access", "edit"),
        rule("rep", "share", "access", "full"),
        rule("rep", "*", "create", "allow"),
    ]
}

fn access(table: &Rules, roles: &[&str]) -> Access {
    let roles: Vec<String> = roles.iter().map(|role| role.to_string()).collect();
    resolve(table, &Who { roles: &roles, ..Who::default() })
}

fn level(access: &Access, path: Path) -> Level {
    access.on(path).always.level()
}

#[test]
fn a_role_gives_what_its_rules_say_and_no_role_gives_nothing() {
    let table = table(rep(), &[]);
    let rep = access(&table, &["rep"]);
    assert_eq!((level(&rep, Path::Own), level(&rep, Path::Created)), (Level::Full, Level::Edit));
    assert!(rep.create && !rep.reads(Path::Manager) && !rep.reads_everything());
    assert!(access(&table, &[]).is_nothing() && !access(&table, &[]).create);
}

#[test]
fn roles_add_up_and_what_one_denies_is_denied() {
    let mut rules = rep();
    rules.push(rule("helper", "organization", "access", "read"));
    rules.push(rule("trainee", "*", "archive", "deny"));
    rules.push(rule("trainee", "*", "create", "deny"));
    let table = table(rules, &[]);
    assert!(access(&table, &["rep", "helper"]).reads_everything());
    let trainee = access(&table, &["rep", "trainee"]);
    assert!(!trainee.on(Path::Own).always.has(Rights::ARCHIVE) && trainee.on(Path::Own).always.has(Rights::UPDATE));
    assert!(!trainee.create && access(&table, &["rep"]).create);
}

#[test]
fn managers_inherit_where_the_table_has_a_hierarchy() {
    let on = table(rep(), &[("hierarchy", "", "on"), ("manager_depth", "", "2")]);
    let manager = access(&on, &["rep"]);
    assert_eq!((level(&manager, Path::Manager), level(&manager, Path::TerritoryManager)), (Level::Full, Level::Edit));
    assert_eq!(manager.below, Some(2));
    let capped = access(&table(rep(), &[("hierarchy", "", "on"), ("manager_level", "", "read")]), &["rep"]);
    assert_eq!((level(&capped, Path::Own), level(&capped, Path::Manager)), (Level::Full, Level::Read));
    assert_eq!(capped.granted(Path::Share, Level::Edit, true, None).level(), Level::Read);
    assert_eq!(capped.granted(Path::Share, Level::Edit, false, None).level(), Level::Edit);
    assert_eq!(access(&table(rep(), &[]), &["rep"]).below, None);
}

#[test]
fn conditions_hold_under_their_statuses() {
    let rules = vec![
        rule("rep", "own", "access", "read"),
        under("rep", "own", "update", "allow", &["draft", "paused"]),
        under("rep", "*", "update", "deny", &["paused"]),
    ];
    let own = |switches: &[(&str, &str, &str)], status| {
        access(&table(rules.clone(), switches), &["rep"]).on(Path::Own).rights(status).level()
    };
    assert_eq!(own(&[], Some("draft")), Level::Edit);
    for status in [None, Some("sent"), Some("paused")] {
        assert_eq!(own(&[], status), Level::Read, "{status:?}");
    }
    assert_eq!(own(&[("status_binds_owner", "", "off")], Some("sent")), Level::Edit);
    assert_eq!(own(&[("status_binds_owner", "", "off")], Some("paused")), Level::Read, "what is denied stays denied");
}

#[test]
fn visibility_and_edit_are_apart() {
    let mut rules = rep();
    rules.push(rule("rep", "organization", "access", "edit"));
    let with = |switches: &[(&str, &str, &str)]| access(&table(rules.clone(), switches), &["rep"]);
    assert_eq!(level(&with(&[]), Path::Organization), Level::Edit);
    assert!(!with(&[("visibility", "rep", "own")]).reads_everything());
    let blind = [("visibility", "rep", "own"), ("edit_implies_read", "", "on")];
    assert_eq!(level(&with(&blind), Path::Organization), Level::Edit);
    let reader = with(&[("edit", "rep", "own")]);
    assert_eq!((level(&reader, Path::Organization), level(&reader, Path::Own)), (Level::Read, Level::Full));
    assert!(with(&[("visibility", "rep", "own"), ("organization_view", "", "on")]).reads_everything());
    assert!(!with(&[("visibility", "rep", "invited")]).reads(Path::Own));
}

#[test]
fn what_is_hidden_adds_up() {
    let table =
        table(rep(), &[("stages", "rep", "new, won"), ("stages", "junior", "new"), ("exempt_owner", "", "off")]);
    let hidden = access(&table, &["rep", "junior"]).hidden;
    assert!(!hidden.hides_stage(Some("new")) && hidden.hides_stage(Some("won")) && hidden.hides_stage(None));
    assert!(hidden.hides_sensitive(true, true) && !hidden.hides_sensitive(false, true));
    let capabilities = ["see_sensitive".to_string()];
    let who = Who { capabilities: &capabilities, ..Who::default() };
    assert!(resolve(&table, &who).hidden.is_nothing());
    assert!(resolve(&table, &Who { rank: 50, ..Who::default() }).hidden.is_nothing());
}

#[test]
fn caps_logins_and_view_modes_narrow_everything() {
    let table = table(rep(), &[("view_modes", "", "on"), ("principals", "", "persons")]);
    let roles = ["rep".to_string()];
    let who = Who { roles: &roles, ..Who::default() };
    let viewer = resolve(&table, &Who { level_cap: Some(Level::Read), ..who.clone() });
    assert!(level(&viewer, Path::Own) == Level::Read && !viewer.create);
    assert_eq!(level(&resolve(&table, &Who { analyst_login: true, ..who.clone() }), Path::Own), Level::Read);
    let personal = resolve(&table, &Who { personal: true, ..who.clone() });
    assert!(personal.reads(Path::Own) && personal.reads(Path::Created) && !personal.reads(Path::Share));
    assert!(resolve(&table, &Who { system: true, ..who }).is_nothing());
}

#[test]
fn rules_that_cannot_work_are_none() {
    for (path, action, statuses, effect) in [
        ("own", "create", vec![], "allow"),
        ("*", "access", vec![], "full"),
        ("own", "read", vec!["draft"], "allow"),
        ("own", "access", vec!["draft"], "edit"),
        ("own", "access", vec![], "allow"),
        ("own", "update", vec![], "edit"),
        ("nowhere", "update", vec![], "allow"),
        ("own", "paint", vec![], "allow"),
    ] {
        let statuses: Vec<String> = statuses.into_iter().map(str::to_owned).collect();
        assert!(Rule::parse("rep", path, action, &statuses, effect).is_err(), "{path} {action} {effect}");
    }
    let blind = table(vec![rule("rep", "team", "update", "allow")], &[]);
    assert_eq!(unreadable(&blind, "rep"), Some((Path::Team, Rights::UPDATE)));
    assert!(access(&blind, &["rep"]).is_nothing());
    let implied = table(vec![rule("rep", "team", "update", "allow")], &[("edit_implies_read", "", "on")]);
    assert_eq!(unreadable(&implied, "rep"), None);
}
