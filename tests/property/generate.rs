//! Random organizations and tables, dense on purpose: several paths lead to most records, so that losing or
//! keeping one of them matters. A sparse start lets real faults pass for thousands of rounds.

use crate::rich;
use crate::rulebook::{PRESETS, Presets, Role};
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const ROLES: [&str; 6] = ["administrator", "view_only", "hr", "dispatcher", "auditor", "careful"];
const RECORDS_PER_TABLE: usize = 40;
/// 2^32: an id of this and another member's id is the same number once the upper half is lost.
const HIGH: i64 = 1 << 32;

pub fn chance(rng: &mut StdRng, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}

pub fn pick<T: Clone>(rng: &mut StdRng, from: &[T]) -> Option<T> {
    from.choose(rng).cloned()
}

/// A rich world has tables under all presets, with every column that can be mapped and with rules of their own;
/// the others have the preset sales_hierarchy as it is shipped.
pub fn world(rng: &mut StdRng, presets: Arc<Presets>, rich: bool) -> World {
    let mut world = World {
        presets,
        rich,
        alone: true,
        orgs: vec![(1, "default".to_string()), (HIGH + 1, "Nórd & Söhne".to_string())],
        open: BTreeSet::new(),
        roles: BTreeMap::new(),
        members: BTreeMap::new(),
        territories: BTreeMap::new(),
        teams: BTreeMap::new(),
        tables: Vec::new(),
        logins: vec![None; LOGINS + ANALYSTS],
        personal: BTreeSet::new(),
        keys: BTreeSet::new(),
        next: 100,
    };
    if chance(rng, 50) {
        world.orgs.push((3, "o'third".to_string()));
    }
    for (org, _) in world.orgs.clone() {
        roles(rng, &mut world, org);
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
        let mut shape = shape(rng, &world, number);
        let mut kind = (PRESETS[0], "lead");
        if rich {
            kind = rich::table(rng, &world, number, &mut shape);
        }
        world.tables.push(Table::new(shape, kind.0, kind.1));
        for _ in 0..RECORDS_PER_TABLE {
            record(rng, &mut world, number);
        }
        for _ in 0..RECORDS_PER_TABLE {
            grant(rng, &mut world, number);
        }
    }
    if rich {
        rich::finish(rng, &mut world);
    }
    world
}

/// What an organization's own roles carry; in rich worlds the same name means something else in each of them.
fn roles(rng: &mut StdRng, world: &mut World, org: i64) {
    for (name, capabilities, cap) in [
        ("hr", &["administer"][..], None),
        ("dispatcher", &["assign"][..], None),
        ("auditor", &["all_records", "export"][..], Some(Level::Read)),
        ("careful", &[][..], Some(Level::Edit)),
    ] {
        let role = Role { rank: 0, capabilities: capabilities.iter().map(|c| c.to_string()).collect(), cap };
        world.roles.insert((org, name.to_string()), role);
    }
    if world.rich {
        for name in rich::CUSTOM {
            let role = rich::role(rng);
            world.roles.insert((org, name.to_string()), role);
        }
    }
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
    let roles = if world.rich {
        rich::roles(rng, world, kind)
    } else {
        ROLES.iter().filter(|_| chance(rng, 7)).map(|role| role.to_string()).collect()
    };
    let key = member_key(rng, world, id);
    let active = chance(rng, 85);
    world.members.insert(id, Member { org, key, kind, manager, active, roles, scopes: BTreeSet::new() });
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
    let is_own_id = key.parse::<i64>().is_ok_and(|n| n == id);
    let key = if is_own_id || world.keys.contains(&key) { format!("m{number}") } else { key };
    world.keys.insert(key.clone());
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
    if world.rich {
        for login in LOGINS..LOGINS + ANALYSTS {
            world.logins[login] = pick(rng, &all);
        }
    }
    // Two logins stay nobody's.
    for login in 0..LOGINS - 2 {
        if all.is_empty() {
            break;
        }
        world.logins[login] = Some(all.swap_remove(rng.random_range(0..all.len())));
    }
}

fn shape(rng: &mut StdRng, world: &World, number: usize) -> Shape {
    let any = |rng: &mut StdRng| *Reference::ALL.choose(rng).expect("a kind");
    let (owner, territory) = match (number, rng.random_range(0..8)) {
        (0, _) => (Some(Reference::Int8), Some(Reference::Int8)),
        (1, _) => (Some(Reference::Text), Some(Reference::Text)),
        (_, 0) => (None, Some(any(rng))),
        (_, 1) => (Some(any(rng)), None),
        _ => (Some(any(rng)), Some(any(rng))),
    };
    Shape {
        name: format!("crm.t{number}"),
        id: ["int8", "text", "uuid", "int4"][number],
        owner,
        territory,
        creator: if chance(rng, 50) { Some(Reference::Text) } else { None },
        org_column: number != 0 && (number == 1 || chance(rng, 60)),
        org: world.orgs.choose(rng).expect("organization").0,
        partitions: if number == 3 { &["crm.t3_a", "crm.t3_b", "crm.t3_c"] } else { &[] },
        archives: chance(rng, 60),
        ..PLAIN
    }
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
    let creator = random_creator(rng, world, number, org);
    let mut record = Record { org, owner, territory, creator, ..Record::default() };
    rich::record(rng, world, number, &mut record);
    world.tables[number].records.insert(id.clone(), record);
    id
}

pub fn random_creator(rng: &mut StdRng, world: &World, number: usize, org: i64) -> Option<String> {
    let kind = world.tables[number].shape.creator?;
    let member = pick(rng, &world.members_of(org))?;
    kind.value(member, &world.members[&member].key)
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
    let kind = match rng.random_range(0..20) {
        0..10 => Kind::Share,
        10..14 if world.rich => Kind::Contact,
        _ => Kind::RecordTeam,
    };
    let share = kind == Kind::Share;
    let holder = if share && chance(rng, 40) {
        Holder::Team(pick(rng, &world.teams_of(org))?)
    } else {
        Holder::Member(pick(rng, &world.members_of(org))?)
    };
    let level = *Level::ALL.choose(rng).expect("level");
    let until =
        if share { *[Until::Always, Until::Future, Until::Past].choose(rng).expect("until") } else { Until::Always };
    let retained = share && chance(rng, 25);
    if world.tables[number].grant(&record, kind, holder, retained).is_some() {
        return None;
    }
    world.tables[number].grants.push(Grant { record, kind, holder, level, until, retained });
    Some(world.tables[number].grants.len() - 1)
}
