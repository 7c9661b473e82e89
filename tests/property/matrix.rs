//! The views of rules and switches, access_matrix and member_rights against the reference.

use crate::checks::describe;
use crate::generate::chance;
use crate::questions::any_member;
use crate::reference::Eyes;
use crate::resolve::{self, Rights};
use crate::rule_edits::mapped;
use crate::rulebook::Key;
use crate::sessions::Sessions;
use crate::tally::met;
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::{Client, rows};
use std::collections::{BTreeMap, BTreeSet};

pub fn round(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    let at = rng.random_range(0..world.tables.len());
    rules(&mut sessions.admin, world, at);
    switches(&mut sessions.admin, world, at);
    if chance(rng, 25) {
        access_matrix(&mut sessions.admin, world, at);
    }
    if chance(rng, 25) {
        member_rights(rng, &mut sessions.admin, world);
    }
    if !chance(rng, 15) {
        return;
    }
    let question = format!("SELECT v::text FROM leadguard.verify({}, 3) AS v", literal(&world.tables[at].shape.name));
    assert_eq!(rows(&mut sessions.admin, &question), Vec::<Vec<String>>::new(), "{question}");
}

/// `leadguard.rules`: the preset's rules and those that the table put in their place.
fn rules(admin: &mut Client, world: &World, at: usize) {
    let table = &world.tables[at];
    let question = format!(
        "SELECT role, path, action, array_to_string(statuses, ','), effect, origin FROM leadguard.rules
         WHERE target = {}::regclass",
        literal(&table.shape.name)
    );
    let found: BTreeSet<Vec<String>> = rows(admin, &question).into_iter().collect();
    let row = |key: &Key, effect: &str, origin: &str| {
        let Key { role, path, action, statuses } = key.clone();
        vec![role, path, action, statuses.join(","), effect.to_string(), origin.to_string()]
    };
    let mut expected: BTreeSet<Vec<String>> =
        table.rules.iter().map(|(key, effect)| row(key, effect, "table")).collect();
    for rule in table.rulebook(&world.presets) {
        if !table.rules.contains_key(rule.key) {
            expected.insert(row(&rule.key, &rule.effect, "preset"));
        }
    }
    assert_eq!(found, expected, "{question}");
}

/// `leadguard.switches`: each with its value and what the preset says.
fn switches(admin: &mut Client, world: &World, at: usize) {
    let table = &world.tables[at];
    let question = format!(
        "SELECT switch, role, value, preset_default FROM leadguard.switches WHERE target = {}::regclass",
        literal(&table.shape.name)
    );
    let mut listed = BTreeSet::new();
    for row in rows(admin, &question) {
        let [switch, role, value, preset] = &row[..] else { panic!("four columns") };
        let expected = match switch.as_str() {
            "preset" => (table.preset.as_str(), table.preset.as_str()),
            _ => (table.value(&world.presets, switch, role), table.preset_value(&world.presets, switch, role)),
        };
        assert_eq!((value.as_str(), preset.as_str()), expected, "{switch} of {role:?}: {question}");
        assert!(listed.insert((switch.clone(), role.clone())), "{switch} of {role:?} comes twice: {question}");
    }
    for set in table.switches.keys() {
        assert!(listed.contains(set), "{set:?} is not listed: {question}");
    }
    for (name, switch) in &world.presets.switches {
        let whole = (name.clone(), String::new());
        assert!(switch.per_role || listed.contains(&whole), "{name} is not listed: {question}");
    }
}

/// What one cell says about a status: yes, no, or the statuses under which, and those under which not.
fn says(cell: &str, status: &Option<String>) -> bool {
    let (given, denied) = cell.split_once(", not if ").unwrap_or((cell, ""));
    let among = |list: &str| status.as_ref().is_some_and(|s| list.split(", ").any(|one| one == s));
    (given == "yes" || (given != "no" && among(given))) && !among(denied)
}

/// The lines of one member in one table, or of a role: paths with five cells, and whether he creates.
fn compare(world: &World, who: Who, at: usize, lines: &[Vec<String>], question: &str) {
    let text = format!("{question}\n{lines:?}\n{}", describe(world, Some(who), at));
    let create = if resolve::creates(world, who, at) { "yes" } else { "no" };
    assert!(lines.iter().all(|line| line[6] == create), "create: {text}");
    let shape = &world.tables[at].shape;
    let mut statuses = resolve::statuses(world, at);
    if !shape.status {
        statuses.retain(Option::is_none);
    }
    for status in statuses {
        let grid = resolve::grid(world, who, at, status.as_deref());
        let expected: BTreeMap<&str, Rights> = grid.into_iter().filter(|(path, _)| mapped(shape, path)).collect();
        let mut found = BTreeMap::new();
        for line in lines.iter().filter(|line| line[0] != "*") {
            let rights = Rights::of(|action| says(&line[1 + action as usize], &status));
            assert!(found.insert(line[0].as_str(), rights).is_none(), "a path comes twice: {text}");
        }
        assert_eq!(found, expected, "under {status:?}: {text}");
    }
    let nothing = lines.iter().all(|line| line[0] == "*" && line[1..6].iter().all(|cell| cell == "no"));
    assert!(lines.iter().all(|line| line[0] != "*") || (nothing && lines.len() == 1), "{text}");
}

/// Each role of a table, as somebody has it who has no other.
fn access_matrix(admin: &mut Client, world: &World, at: usize) {
    let table = &world.tables[at];
    let question = format!(
        "SELECT role, path, read, update, archive, share, reassign, \"create\" FROM leadguard.access_matrix({})",
        literal(&table.shape.name)
    );
    let mut roles: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for mut row in rows(admin, &question) {
        roles.entry(row.remove(0)).or_default().push(row);
    }
    let org = if table.shape.org_column { 1 } else { table.shape.org };
    for rule in table.rulebook(&world.presets) {
        assert!(roles.contains_key(&rule.key.role), "{} has rules and is not listed: {question}", rule.key.role);
    }
    for (role, lines) in roles {
        let mut having = world.clone();
        having.open.clear();
        let nobody = having.fresh();
        let roles = BTreeSet::from([role.clone()]).into_iter().filter(|role| role != "*").collect();
        let (key, scopes) = (String::new(), BTreeSet::new());
        let member = Member { org, key, kind: "person", manager: None, active: true, roles, scopes };
        having.members.insert(nobody, member);
        met("access_matrix");
        compare(&having, nobody.into(), at, &lines, &question);
    }
}

/// One member in every table.
fn member_rights(rng: &mut StdRng, admin: &mut Client, world: &World) {
    let member = any_member(rng, world);
    let m = &world.members[&member];
    let question = format!(
        "SELECT target::text, path, read, update, archive, share, reassign, \"create\", coalesce(hidden, '')
         FROM leadguard.member_rights({})",
        literal(&m.key)
    );
    let mut tables: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for mut row in rows(admin, &question) {
        tables.entry(row.remove(0)).or_default().push(row);
    }
    for (at, table) in world.tables.iter().enumerate() {
        let shape = &table.shape;
        let lines = tables.remove(&shape.name).unwrap_or_default();
        let elsewhere = !shape.org_column && shape.org != m.org;
        assert_eq!(lines.is_empty(), !m.active || elsewhere, "{}: {question}\n{lines:?}", shape.name);
        if lines.is_empty() {
            continue;
        }
        met("member_rights");
        compare(world, member.into(), at, &lines, &question);
        if resolve::outside(world, member.into(), at) {
            continue;
        }
        let (stages, sensitive, own) = Eyes::new(world, member).hides(at);
        for line in &lines {
            let text = format!("hidden: {question}\n{line:?}\n{}", describe(world, Some(member.into()), at));
            assert_eq!(line[7].contains("stages other than"), stages, "{text}");
            assert_eq!(line[7].contains("sensitive records"), sensitive, "{text}");
            assert_eq!(line[7].contains("but for own ones"), sensitive && own, "{text}");
        }
    }
    assert!(tables.is_empty(), "{question}");
}
