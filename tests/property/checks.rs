//! Asks the database and the reference the same question and stops at the first difference.

use crate::build::login;
use crate::generate::chance;
use crate::questions::{self, any_member};
use crate::reference::{self, Eyes};
use crate::sessions::Sessions;
use crate::tally::met;
use crate::world::*;
use crate::{matrix, resolve};
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rows;
use std::collections::BTreeSet;

/// Everything that one round looks at, for random members, tables and records.
pub fn round(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    assert_eq!(
        rows(&mut sessions.admin, "SELECT to_jsonb(v)::text FROM leadguard.verify_closure() AS v"),
        Vec::<Vec<String>>::new(),
        "verify_closure()"
    );
    for _ in 0..3 {
        let (number, table) = (rng.random_range(0..LOGINS + ANALYSTS), rng.random_range(0..world.tables.len()));
        let found = sessions.visible(rng, world, number, table);
        compare(world, world.who(number), table, &found, &format!("rows of {}", login(number)));
    }
    if chance(rng, 33) {
        trusted(rng, sessions, world);
    }
    questions::round(rng, &mut sessions.admin, world);
    let table = rng.random_range(0..world.tables.len());
    questions::can(rng, sessions, world, table);
    if world.rich {
        matrix::round(rng, sessions, world);
    }
}

/// Set of visible records against the reference, with the paths of the records that differ.
pub fn compare(world: &World, who: Option<Who>, at: usize, found: &BTreeSet<String>, what: &str) {
    let table = &world.tables[at];
    let expected = reference::visible(world, who, at);
    if *found == expected {
        met(match found.len() {
            0 => "set: none",
            n if n == table.records.len() => "set: all",
            _ => "set: some",
        });
        if let Some(who) = who {
            reached(world, who, at);
        }
        return;
    }
    let mut text = format!("{what} in {}, {:?}\n{}", table.shape.name, table.shape, describe(world, who, at));
    let paths = |id: &str| {
        let record = &table.records[id];
        who.map(|who| {
            let eyes = Eyes::new(world, who);
            (eyes.hidden(at, record), eyes.paths_of(at, Some(id), record))
        })
    };
    for id in found.difference(&expected) {
        let record = table.records.get(id);
        text += &format!("LEAKED {id}: {record:?} {:?} grants {:?}\n", record.map(|_| paths(id)), grants(table, id));
    }
    for id in expected.difference(found) {
        text += &format!("MISSING {id}: {:?} {:?} grants {:?}\n", table.records.get(id), paths(id), grants(table, id));
    }
    panic!("{text}");
}

/// Notes which paths were the only one to a record, so that losing or inventing it would show, and what hid one.
fn reached(world: &World, who: Who, at: usize) {
    let eyes = Eyes::new(world, who);
    for (id, record) in &world.tables[at].records {
        let paths = eyes.paths_of(at, Some(id), record);
        match eyes.hidden(at, record) {
            Some(why) if !paths.is_empty() => met(format!("hidden: {why}")),
            None if paths.len() == 1 => met(format!("decisive: {}", paths.keys().next().expect("one"))),
            _ => {}
        }
    }
}

/// Everything that decides about this member in table `at`.
pub fn describe(world: &World, who: Option<Who>, at: usize) -> String {
    let Some((who, m)) = who.and_then(|who| Some((who, world.members.get(&who.member)?))) else {
        return "nobody\n".to_string();
    };
    let mut text = format!(
        "{who:?} key {} org {} manager {:?} active {} kind {} roles {:?} scopes {:?}\n",
        m.key, m.org, m.manager, m.active, m.kind, m.roles, m.scopes
    );
    let teams: Vec<_> = world.teams.iter().filter(|(_, t)| t.org == m.org).collect();
    let teams: Vec<_> = teams.iter().map(|(id, t)| (id, t.access, t.members.contains(&who.member))).collect();
    let below: Vec<&i64> = world.members.keys().filter(|id| reference::above(world, who.member, **id)).collect();
    text += &format!("teams {teams:?} below {below:?}\n");
    if world.rich {
        let table = &world.tables[at];
        text += &format!("roles {:?} view {}\n", world.roles_of(who.member), world.open.contains(&m.org));
        text += &format!("preset {} object {} switches {:?}\n", table.preset, table.object, table.switches);
        let names = resolve::names(world, who.member);
        for rule in table.rulebook(&world.presets).iter().filter(|r| names.contains(&r.key.role.as_str())) {
            let from = if table.rules.contains_key(rule.key) { "table" } else { "preset" };
            text += &format!("    {rule:?} {from}\n");
        }
        if let Some(parent) = table.shape.parent {
            text += &format!("-- parent {}\n{}", world.tables[parent].shape.name, describe(world, Some(who), parent));
        }
    }
    text
}

fn grants<'a>(table: &'a Table, id: &str) -> Vec<&'a Grant> {
    table.grants.iter().filter(|g| g.record == id).collect()
}

fn trusted(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    let (member, table) = (any_member(rng, world), rng.random_range(0..world.tables.len()));
    let asked = &world.members[&member];
    match sessions.visible_as(&asked.key, &world.tables[table].shape.name) {
        Ok(found) => {
            met("act_as: ok");
            let text = describe(world, Some(member.into()), table);
            assert!(asked.active, "act_as accepted an inactive member: {text}");
            compare(world, Some(member.into()), table, &found, "rows through act_as");
        }
        Err(state) => {
            met(format!("act_as: {state}"));
            let text = describe(world, Some(member.into()), table);
            assert_eq!((state.as_str(), asked.active), ("28000", false), "act_as: {text}");
        }
    }
}
