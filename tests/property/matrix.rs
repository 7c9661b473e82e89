//! The views of rules and switches, access_matrix and member_rights against the reference.

use crate::generate::chance;
use crate::rulebook::Key;
use crate::sessions::Sessions;
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::{Client, rows};
use std::collections::BTreeSet;

pub fn round(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    let at = rng.random_range(0..world.tables.len());
    rules(&mut sessions.admin, world, at);
    switches(&mut sessions.admin, world, at);
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
        if !table.rules.contains_key(&rule.key) {
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
