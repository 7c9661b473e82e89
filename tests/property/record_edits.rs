//! Random changes of records and grants by a superuser, and what members themselves give away.

use crate::build::{holder_argument, insert_grant, insert_record};
use crate::edits::{Step, step};
use crate::generate::{self, chance, pick, random_creator};
use crate::rich;
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;

pub fn edit(rng: &mut StdRng, world: &mut World) -> Vec<Step> {
    let number = rng.random_range(0..world.tables.len());
    match rng.random_range(0..10) {
        0..4 => match generate::grant(rng, world, number) {
            Some(at) => vec![step(insert_grant(world, &world.tables[number], &world.tables[number].grants[at]))],
            None => vec![],
        },
        4 => take_grant(rng, world, number),
        5 => change_grant(rng, world, number),
        6..8 => change_record(rng, world, number),
        8 => {
            let id = generate::record(rng, world, number);
            vec![step(insert_record(&world.tables[number], &id))]
        }
        _ => delete_record(rng, world, number),
    }
}

/// Through `unshare` and `team_remove` where they take just this grant; retained ones by hand.
fn take_grant(rng: &mut StdRng, world: &mut World, number: usize) -> Vec<Step> {
    let count = world.tables[number].grants.len();
    if count == 0 {
        return vec![];
    }
    let at = rng.random_range(0..count);
    let g = world.tables[number].grants[at].clone();
    let twin = world.tables[number].grant(&g.record, g.kind, g.holder, !g.retained);
    let (target, record) = (literal(&world.tables[number].shape.name), literal(&g.record));
    let (holder, key) = holder_argument(world, g.holder);
    let alive = match g.holder {
        Holder::Member(m) => world.members[&m].active,
        Holder::Team(_) => true,
    };
    let same_org = match g.holder {
        Holder::Member(m) => world.members[&m].org,
        Holder::Team(t) => world.teams[&t].org,
    } == world.tables[number].records[&g.record].org;
    world.tables[number].grants.remove(at);
    if g.retained || g.kind == Kind::Contact || twin.is_some() || !alive || !same_org || chance(rng, 30) {
        let (column, id) = match g.holder {
            Holder::Member(m) => ("member_id", m),
            Holder::Team(t) => ("team_id", t),
        };
        return vec![step(format!(
            "DELETE FROM leadguard.record_grant WHERE target = {target}::regclass AND record = {record}
             AND {column} = {id} AND kind = '{}' AND retained = {}",
            g.kind.name(),
            g.retained
        ))];
    }
    if g.kind == Kind::Share {
        vec![step(format!("SELECT leadguard.unshare({target}, {record}, {holder} => {key})"))]
    } else {
        vec![step(format!("SELECT leadguard.team_remove({target}, {record}, {key})"))]
    }
}

fn change_grant(rng: &mut StdRng, world: &mut World, number: usize) -> Vec<Step> {
    let count = world.tables[number].grants.len();
    if count == 0 {
        return vec![];
    }
    let at = rng.random_range(0..count);
    let until = *[Until::Always, Until::Future, Until::Past].choose(rng).expect("until");
    let level = *Level::ALL.choose(rng).expect("level");
    let table = &mut world.tables[number];
    let g = &mut table.grants[at];
    (g.until, g.level) = (until, level);
    let (column, id) = match g.holder {
        Holder::Member(m) => ("member_id", m),
        Holder::Team(t) => ("team_id", t),
    };
    vec![step(format!(
        "UPDATE leadguard.record_grant SET until = {}, level = '{}'
         WHERE target = {}::regclass AND record = {} AND {column} = {id} AND kind = '{}' AND retained = {}",
        until.sql(),
        level.name(),
        literal(&table.shape.name),
        literal(&g.record),
        g.kind.name(),
        g.retained
    ))]
}

fn change_record(rng: &mut StdRng, world: &mut World, number: usize) -> Vec<Step> {
    let Some(id) = pick(rng, &world.tables[number].ids()) else { return vec![] };
    let shape = world.tables[number].shape.clone();
    let mut record = world.tables[number].records[&id].clone();
    let mut sets = vec!["name = 'changed'".to_string()];
    if shape.org_column && chance(rng, 15) {
        record.org = world.orgs.choose(rng).expect("organization").0;
        sets.push(format!("org = {}", record.org));
    }
    if shape.owner.is_some() && chance(rng, 60) {
        record.owner = generate::random_owner(rng, world, number, record.org);
        sets.push(format!("owner = {}", nullable(&record.owner)));
    }
    if shape.territory.is_some() && chance(rng, 60) {
        record.territory = generate::random_territory(rng, world, number, record.org);
        sets.push(format!("territory = {}", nullable(&record.territory)));
    }
    if world.rich {
        let mut fresh = record.clone();
        rich::record(rng, world, number, &mut fresh);
        for (mapped, name, old, new) in [
            (shape.creator.is_some(), "creator", &mut record.creator, random_creator(rng, world, number, record.org)),
            (shape.team.is_some(), "team", &mut record.team, fresh.team),
            (shape.segment, "segment", &mut record.segment, fresh.segment),
            (shape.stage, "stage", &mut record.stage, fresh.stage),
            (shape.status, "status", &mut record.status, fresh.status),
            (shape.sensitive.is_some(), "sensitive", &mut record.sensitive, fresh.sensitive),
            (shape.parent.is_some(), "parent", &mut record.parent, fresh.parent),
        ] {
            if mapped && chance(rng, 35) {
                *old = new;
                sets.push(format!("{name} = {}", nullable(old)));
            }
        }
    }
    world.tables[number].records.insert(id.clone(), record);
    vec![step(format!("UPDATE {} SET {} WHERE id = {}", shape.name, sets.join(", "), literal(&id)))]
}

fn delete_record(rng: &mut StdRng, world: &mut World, number: usize) -> Vec<Step> {
    let table = &mut world.tables[number];
    // Few deletions: the tables must stay dense.
    let Some(id) = pick(rng, &table.ids()).filter(|_| table.records.len() > 25) else { return vec![] };
    table.records.remove(&id);
    table.grants.retain(|g| g.record != id);
    let mut steps = vec![step(format!("DELETE FROM {} WHERE id = {}", table.shape.name, literal(&id)))];
    if table.shape.archives {
        let (name, id) = (literal(&table.shape.name), literal(&id));
        steps.push(step(format!("SELECT leadguard.purge({name}, {id}, 'gone')")));
    }
    steps
}
