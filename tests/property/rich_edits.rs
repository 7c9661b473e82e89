//! Changes of the directory that only rules make matter: organization views, scopes, what roles carry, kinds of
//! members, the access of teams, personal views.

use crate::build::{insert_scope, open_view};
use crate::edits::{Step, step};
use crate::generate::{chance, pick};
use crate::rich;
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;

pub fn edit(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    match rng.random_range(0..10) {
        0..2 => view(world, org),
        2..5 => scope(rng, world, org),
        5..7 => role(rng, world, org),
        7 => kind(rng, world, org),
        _ => team(rng, world, org),
    }
}

/// The shipped organization's row cannot change, and so its view stays off.
fn view(world: &mut World, org: i64) -> Vec<Step> {
    if org == 1 {
        return vec![];
    }
    let open = !world.open.remove(&org);
    if open {
        world.open.insert(org);
    }
    vec![step(open_view(org, open))]
}

fn scope(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let at = rng.random_range(0..world.tables.len());
    let Some(member) = pick(rng, &world.members_of(org)) else { return vec![] };
    let held: Vec<_> = world.members[&member].scopes.iter().cloned().collect();
    if let Some(gone) = pick(rng, &held).filter(|_| chance(rng, 40)) {
        world.members.get_mut(&member).expect("member").scopes.remove(&gone);
        let (at, kind, value) = gone;
        return vec![step(format!(
            "DELETE FROM leadguard.member_scope WHERE member_id = {member} AND target = {}::regclass AND kind = '{kind}'
             AND value = {}",
            literal(&world.tables[at].shape.name),
            literal(&value)
        ))];
    }
    let Some(scope) = rich::scope(rng, world, member, at) else { return vec![] };
    let sql = insert_scope(world, member, &scope);
    if !world.members.get_mut(&member).expect("member").scopes.insert(scope) {
        return vec![];
    }
    vec![step(sql)]
}

fn role(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let name = rich::CUSTOM.choose(rng).expect("role").to_string();
    let role = rich::role(rng);
    let sql = format!(
        "UPDATE leadguard.role SET rank = {}, capabilities = {}, level_cap = {} WHERE org_id = {org} AND name = {}",
        role.rank,
        array(&role.capabilities),
        nullable(&role.cap.map(|cap| cap.name().to_string())),
        literal(&name)
    );
    world.roles.insert((org, name), role);
    vec![step(sql)]
}

fn kind(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let free: Vec<i64> =
        world.members_of(org).into_iter().filter(|id| !world.members[id].roles.contains("system")).collect();
    let Some(id) = pick(rng, &free) else { return vec![] };
    let kind = *["person", "person", "system", "guest"].choose(rng).expect("kind");
    world.members.get_mut(&id).expect("member").kind = kind;
    vec![step(format!("UPDATE leadguard.member SET kind = '{kind}' WHERE id = {id}"))]
}

fn team(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let Some(id) = pick(rng, &world.teams_of(org)) else { return vec![] };
    let access = *["organization", "team", "own"].choose(rng).expect("access");
    world.teams.get_mut(&id).expect("team").access = access;
    vec![step(format!("UPDATE leadguard.team SET access = '{access}' WHERE id = {id}"))]
}
