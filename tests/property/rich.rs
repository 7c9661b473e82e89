//! What rich worlds have more: presets and objects, all columns that can be mapped, roles of every vocabulary and of
//! the organization's own, scopes.

use crate::generate::{chance, pick};
use crate::rulebook::{OBJECTS, PRESETS, Role};
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;
use std::collections::BTreeSet;

pub const CUSTOM: [&str; 3] = ["scout", "o'brien \"x\"", "Owner of all"];
const CAPABILITIES: [&str; 8] =
    ["all_records", "administer", "assign", "export", "see_sensitive", "hard_delete", "explain", "manage_rules"];
pub const SEGMENTS: [&str; 3] = ["retail", "o'public", "1"];
pub const STAGES: [&str; 4] = ["prospecting", "qualified", "won", "o'lost"];
pub const STATUSES: [&str; 5] = ["draft", "scheduled", "paused", "active", "o'closed"];

pub fn role(rng: &mut StdRng) -> Role {
    Role {
        rank: *[0, 10, 49, 50, 51, 100].choose(rng).expect("rank"),
        capabilities: CAPABILITIES.iter().filter(|_| chance(rng, 12)).map(|c| c.to_string()).collect(),
        cap: match rng.random_range(0..10) {
            0 => Some(Level::Read),
            1 => Some(Level::Edit),
            _ => None,
        },
    }
}

/// The names that a member of this kind can have as roles.
pub fn pool(world: &World, kind: &str) -> Vec<String> {
    let shipped = world.presets.roles.keys().filter(|name| *name != "system" || kind == "system").cloned();
    let added = world.roles.keys().map(|(_, name)| name.clone());
    let all: BTreeSet<String> = shipped.chain(added).collect();
    all.into_iter().collect()
}

pub fn roles(rng: &mut StdRng, world: &World, kind: &str) -> BTreeSet<String> {
    let count = *[0, 1, 1, 1, 2, 2, 3].choose(rng).expect("count");
    let pool = pool(world, kind);
    (0..count).filter_map(|_| one_role(rng, world, &pool)).collect()
}

/// Those who see everything are rare, or no rule would matter to anybody.
pub fn one_role(rng: &mut StdRng, world: &World, pool: &[String]) -> Option<String> {
    let wide = |name: &String| world.presets.roles.get(name).is_some_and(|r| r.capabilities.contains("all_records"));
    pick(rng, pool).filter(|name| !wide(name) || chance(rng, 30))
}

/// Adds columns to the shape of table `number`; preset and object.
pub fn table(rng: &mut StdRng, world: &World, number: usize, shape: &mut Shape) -> (&'static str, &'static str) {
    let any = |rng: &mut StdRng| *Reference::ALL.choose(rng).expect("a kind");
    shape.org_column = chance(rng, 75);
    shape.creator = chance(rng, 75).then(|| any(rng));
    // A team's key is no uuid.
    shape.team = chance(rng, 60).then(|| any(rng)).filter(|kind| *kind != Reference::Uuid);
    shape.segment = chance(rng, 50);
    shape.stage = chance(rng, 60);
    shape.status = chance(rng, 70);
    shape.sensitive = *[None, Some("boolean"), Some("text")].choose(rng).expect("sensitive");
    if number > 0 && chance(rng, 60) {
        let parent = rng.random_range(0..number);
        // The rows of a parent belong to the same organizations, so that there is something to reach.
        shape.parent = Some(parent);
        (shape.org_column, shape.org) = (world.tables[parent].shape.org_column, world.tables[parent].shape.org);
    }
    let preset = *PRESETS.choose(rng).expect("preset");
    (preset, *OBJECTS.choose(rng).expect("object"))
}

fn value(rng: &mut StdRng, from: &[&str]) -> Option<String> {
    pick(rng, from).filter(|_| chance(rng, 85)).map(str::to_string)
}

/// Random values of the columns that the table has beside owner, creator and territory.
pub fn record(rng: &mut StdRng, world: &World, number: usize, record: &mut Record) {
    let shape = &world.tables[number].shape;
    record.team = shape.team.and_then(|_| random_team(rng, world, number, record.org));
    record.segment = value(rng, &SEGMENTS).filter(|_| shape.segment);
    record.stage = value(rng, &STAGES).filter(|_| shape.stage);
    record.status = value(rng, &STATUSES).filter(|_| shape.status);
    record.sensitive = shape.sensitive.and_then(|kind| random_mark(rng, kind));
    record.parent = shape.parent.and_then(|parent| pick(rng, &world.tables[parent].ids())).filter(|_| chance(rng, 80));
}

pub fn random_mark(rng: &mut StdRng, kind: &str) -> Option<String> {
    let marks = if kind == "boolean" { ["t", "f", "f"] } else { ["competitor", "", ""] };
    value(rng, &marks)
}

pub fn random_team(rng: &mut StdRng, world: &World, number: usize, org: i64) -> Option<String> {
    let kind = world.tables[number].shape.team?;
    let from: Vec<i64> = if chance(rng, 4) { world.teams.keys().copied().collect() } else { world.teams_of(org) };
    let values: Vec<String> = from.iter().filter_map(|t| kind.value(*t, &world.teams[t].key)).collect();
    pick(rng, &values).filter(|_| chance(rng, 75))
}

pub fn finish(rng: &mut StdRng, world: &mut World) {
    for (org, _) in world.orgs.clone() {
        if org != 1 && chance(rng, 50) {
            world.open.insert(org);
        }
        for member in world.members_of(org) {
            for at in 0..world.tables.len() {
                for _ in 0..2 {
                    if let Some(scope) = scope(rng, world, member, at).filter(|_| chance(rng, 40)) {
                        world.members.get_mut(&member).expect("member").scopes.insert(scope);
                    }
                }
            }
        }
    }
    for login in 0..LOGINS + ANALYSTS {
        if chance(rng, 10) {
            world.personal.insert(login);
        }
    }
}

/// A scope that means something in table `at`, or now and then one that does not.
pub fn scope(rng: &mut StdRng, world: &World, member: i64, at: usize) -> Option<(usize, &'static str, String)> {
    let table = &world.tables[at];
    match rng.random_range(0..3) {
        0 => {
            let key = pick(rng, &world.territories_of(world.members[&member].org))?;
            Some((at, "territory", world.territories[&key].key.clone()))
        }
        1 => Some((at, "segment", pick(rng, &SEGMENTS)?.to_string())),
        _ => {
            let accounts: Vec<String> = table.records.values().filter_map(|r| r.parent.clone()).collect();
            Some((at, "account", pick(rng, &accounts)?))
        }
    }
}
