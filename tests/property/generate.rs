//! Random organizations and tables, dense on purpose: several paths lead to most records, so that losing or
//! keeping one of them matters. A sparse start lets real faults pass for thousands of rounds.

use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;
use std::collections::{BTreeMap, BTreeSet};

const ROLES: [&str; 6] = ["administrator", "view_only", "hr", "dispatcher", "auditor", "careful"];
const RECORDS_PER_TABLE: usize = 40;
/// 2^32: an id of this and another member's id is the same number once the upper half is lost.
const HIGH: i64 = 1 << 32;

pub fn chance(rng: &mut StdRng, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}

pub fn pick<T: Clone>(rng: &mut StdRng, from: &[T]) -> Option<T> {
    from.choose(rng).cloned()
}

pub fn world(rng: &mut StdRng) -> World {
    let mut world = World {
        orgs: vec![(1, "default".to_string()), (HIGH + 1, "Nórd & Söhne".to_string())],
        members: BTreeMap::new(),
        territories: BTreeMap::new(),
        teams: BTreeMap::new(),
        tables: Vec::new(),
        logins: vec![None; LOGINS],
        next: 100,
    };
    if chance(rng, 50) {
        world.orgs.push((3, "o'third".to_string()));
    }
    for (org, _) in world.orgs.clone() {
        for _ in 0..rng.random_range(10..17) {
            hire(rng, &mut world, org);
        }
        territories(rng, &mut world, org);
        for number in 0..4 {
            let team = world.fresh();
            let access = *["organization", "team", "own"].choose(rng).expect("access");
            let members = some(rng, &world.members_of(org), 35);
            // The same keys in every organization: they are unique per organization only.
            world.teams.insert(team, Team { org, key: format!("team {number}"), access, members });
        }
    }
    bind_logins(rng, &mut world);
    for number in 0..4 {
        let table = table(rng, &world, number);
        world.tables.push(table);
        for _ in 0..RECORDS_PER_TABLE {
            record(rng, &mut world, number);
        }
        for _ in 0..RECORDS_PER_TABLE {
            grant(rng, &mut world, number);
        }
    }
    world
}

pub fn some(rng: &mut StdRng, from: &[i64], percent: u32) -> BTreeSet<i64> {
    from.iter().filter(|_| chance(rng, percent)).copied().collect()
}

pub fn hire(rng: &mut StdRng, world: &mut World, org: i64) -> i64 {
    let colleagues = world.members_of(org);
    let mut id = world.fresh();
    if let Some(twin) = pick(rng, &colleagues).filter(|twin| *twin < HIGH) {
        if chance(rng, 15) && !world.members.contains_key(&(HIGH + twin)) {
            id = HIGH + twin;
        }
    }
    // Half of the managers are taken from the latest members, which makes chains long and not only trees wide.
    let manager = if colleagues.is_empty() || chance(rng, 12) {
        None
    } else if chance(rng, 50) {
        pick(rng, &colleagues[colleagues.len().saturating_sub(3)..])
    } else {
        pick(rng, &colleagues)
    };
    let kind = if chance(rng, 80) { "person" } else { *["system", "guest"].choose(rng).expect("kind") };
    let mut roles = BTreeSet::new();
    for role in ROLES {
        if chance(rng, 7) {
            roles.insert(role.to_string());
        }
    }
    let key = member_key(rng, world, id);
    let active = chance(rng, 85);
    world.members.insert(id, Member { org, key, kind, manager, active, roles });
    id
}

fn member_key(rng: &mut StdRng, world: &mut World, id: i64) -> String {
    let number = world.fresh();
    let key = match rng.random_range(0..10) {
        0..5 => format!("{:08x}-0000-4000-8000-{number:012x}", rng.random::<u32>()),
        // A key that looks like the id of somebody else.
        5 => world.members.keys().next().map_or(format!("m{number}"), |other| other.to_string()),
        6 => format!("o'{number} \"x\" \\ ü"),
        // Two keys that differ in case only.
        7 => match world.members.values().find(|m| m.key.starts_with('m')) {
            Some(m) => m.key.to_uppercase(),
            None => format!("m{number}"),
        },
        _ => format!("m{number}"),
    };
    // Keys are never reused, not even after a deletion; ids make the fallback unique.
    if world.members.values().any(|m| m.key == key) || key.parse::<i64>().is_ok_and(|n| n == id) {
        return format!("m{number}");
    }
    key
}

fn territories(rng: &mut StdRng, world: &mut World, org: i64) {
    for number in 0..9 {
        let before = world.territories_of(org);
        territory(rng, world, org, number, &before);
    }
}

pub fn territory(rng: &mut StdRng, world: &mut World, org: i64, number: i64, parents: &[i64]) -> i64 {
    let id = world.fresh();
    let members = world.members_of(org);
    let key = match number % 3 {
        0 => format!("00000000-0000-4000-8000-{number:012}"),
        1 => format!("t {number}"),
        // Again a key that is somebody's id.
        _ => world.territories.keys().next().map_or(format!("t{number}"), |other| format!("{}", other + number - 2)),
    };
    let parent = if chance(rng, 20) { None } else { pick(rng, parents) };
    let owner = if chance(rng, 70) { pick(rng, &members) } else { None };
    let members = some(rng, &members, 8);
    world.territories.insert(id, Territory { org, key, parent, owner, members });
    id
}

fn bind_logins(rng: &mut StdRng, world: &mut World) {
    let mut all: Vec<i64> = world.members.keys().copied().collect();
    // Two logins stay nobody's.
    for login in 0..LOGINS - 2 {
        if all.is_empty() {
            break;
        }
        world.logins[login] = Some(all.swap_remove(rng.random_range(0..all.len())));
    }
}

fn table(rng: &mut StdRng, world: &World, number: usize) -> Table {
    let any = |rng: &mut StdRng| *Reference::ALL.choose(rng).expect("a kind");
    let (owner, territory) = match (number, rng.random_range(0..8)) {
        (0, _) => (Some(Reference::Int8), Some(Reference::Int8)),
        (1, _) => (Some(Reference::Text), Some(Reference::Text)),
        (_, 0) => (None, Some(any(rng))),
        (_, 1) => (Some(any(rng)), None),
        _ => (Some(any(rng)), Some(any(rng))),
    };
    let shape = Shape {
        name: format!("crm.t{number}"),
        id: ["int8", "text", "uuid", "int4"][number],
        owner,
        territory,
        creator: if chance(rng, 50) { Some(Reference::Text) } else { None },
        org_column: number != 0 && (number == 1 || chance(rng, 60)),
        org: world.orgs.choose(rng).expect("organization").0,
        partitions: if number == 3 { &["crm.t3_a", "crm.t3_b", "crm.t3_c"] } else { &[] },
        archives: chance(rng, 60),
    };
    Table { shape, records: BTreeMap::new(), grants: Vec::new() }
}

/// Adds a random record to table `number` and returns its id.
pub fn record(rng: &mut StdRng, world: &mut World, number: usize) -> String {
    let unique = world.fresh();
    let table = &world.tables[number];
    let id = match table.shape.id {
        "int8" if chance(rng, 30) => (HIGH + unique).to_string(),
        "int8" | "int4" => unique.to_string(),
        "uuid" => format!("{:08x}-1111-4111-8111-{unique:012x}", rng.random::<u32>()),
        _ => match rng.random_range(0..4) {
            0 => format!("r{unique}"),
            1 => format!("R '{unique}' \"q\" \\"),
            2 => format!(" {unique} "),
            _ => unique.to_string(),
        },
    };
    let org = if table.shape.org_column { world.orgs.choose(rng).expect("organization").0 } else { table.shape.org };
    let (owner, territory) = (random_owner(rng, world, number, org), random_territory(rng, world, number, org));
    let creator = table.shape.creator.and_then(|kind| {
        let member = pick(rng, &world.members_of(org))?;
        kind.value(member, &world.members[&member].key)
    });
    world.tables[number].records.insert(id.clone(), Record { org, owner, territory, creator });
    id
}

pub fn random_owner(rng: &mut StdRng, world: &World, number: usize, org: i64) -> Option<String> {
    if chance(rng, 8) {
        return None;
    }
    // Now and then an owner of another organization: the record's organization decides, not its owner's.
    let from = if chance(rng, 4) { world.members.keys().copied().collect() } else { world.members_of(org) };
    let values: Vec<String> = from.iter().filter_map(|m| world.owner_value(&world.tables[number], *m)).collect();
    pick(rng, &values)
}

pub fn random_territory(rng: &mut StdRng, world: &World, number: usize, org: i64) -> Option<String> {
    if chance(rng, 35) {
        return None;
    }
    let from = if chance(rng, 4) { world.territories.keys().copied().collect() } else { world.territories_of(org) };
    let values: Vec<String> = from.iter().filter_map(|t| world.territory_value(&world.tables[number], *t)).collect();
    pick(rng, &values)
}

/// Adds a random grant on a record of table `number`, unless the database would not keep a second one like it.
pub fn grant(rng: &mut StdRng, world: &mut World, number: usize) -> Option<usize> {
    let record = pick(rng, &world.tables[number].ids())?;
    let org = world.tables[number].records[&record].org;
    let share = chance(rng, 50);
    let holder = if share && chance(rng, 40) {
        Holder::Team(pick(rng, &world.teams_of(org))?)
    } else {
        Holder::Member(pick(rng, &world.members_of(org))?)
    };
    let level = *Level::ALL.choose(rng).expect("level");
    let until =
        if share { *[Until::Always, Until::Future, Until::Past].choose(rng).expect("until") } else { Until::Always };
    let retained = share && chance(rng, 25);
    if world.tables[number].grant(&record, share, holder, retained).is_some() {
        return None;
    }
    world.tables[number].grants.push(Grant { record, share, holder, level, until, retained });
    Some(world.tables[number].grants.len() - 1)
}
