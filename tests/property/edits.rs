//! Random changes of the directory, as SQL and on the values at once. A change that must be refused leaves the
//! values as they were and says which SQLSTATE is due.

use crate::build::{self, MEMBER_INSERT, TERRITORY_INSERT, login, member_row};
use crate::generate::{self, chance, pick, some};
use crate::world::*;
use crate::{record_edits, rich, rich_edits, rule_edits};
use leadguard_tests::Db;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;

pub struct Step {
    pub sql: String,
    /// Empty: must succeed. Otherwise the SQLSTATEs (or their first letters) that a refusal may carry.
    pub refused: &'static [&'static str],
    /// What the only value of a query must be.
    pub answer: Option<String>,
    /// Where a refusal with 22023 is right as well: what holds then.
    pub instead: Option<Box<World>>,
}

pub fn step(sql: impl Into<String>) -> Step {
    Step { sql: sql.into(), refused: &[], answer: None, instead: None }
}

pub fn refusal(sql: impl Into<String>, refused: &'static [&'static str]) -> Step {
    Step { refused, ..step(sql) }
}

/// One random change by a superuser. An empty list means that the dice asked for something impossible.
pub fn edit(rng: &mut StdRng, db: &Db, world: &mut World) -> Vec<Step> {
    let org = world.orgs.choose(rng).expect("organization").0;
    if world.rich && chance(rng, 45) {
        return if chance(rng, 60) { rule_edits::edit(rng, world) } else { rich_edits::edit(rng, world, org) };
    }
    match rng.random_range(0..27) {
        0..4 => move_member(rng, world, org),
        4..6 => move_members(rng, world, org),
        6 => replace_manager(rng, world, org),
        7 => detach(rng, world, org),
        8 => dismiss(rng, world, org),
        9 => enrol(rng, db, world, org),
        10 => foreign_manager(rng, world, org),
        11..13 => move_territories(rng, world, org),
        13 => territory_owner(rng, world, org),
        14 => territory_members(rng, world, org),
        15 => territory_comes_or_goes(rng, world, org),
        16 => grant_role(rng, world, org),
        17 => flip_active(rng, world, org),
        18 => team_members(rng, world, org),
        19 => rebind(rng, db, world),
        _ => record_edits::edit(rng, world),
    }
}

/// Applies `change` unless it closes a circle; the statement is the same in both cases.
fn unless_cycle(
    world: &mut World,
    change: impl Fn(&mut World),
    sql: String,
    also: &'static [&'static str],
) -> Vec<Step> {
    let mut after = world.clone();
    change(&mut after);
    if after.members_cycle() || after.territories_cycle() {
        return vec![refusal(sql, also)];
    }
    *world = after;
    vec![step(sql)]
}

const CYCLE: &[&str] = &["LG001"];
/// Naming oneself as manager breaks a check constraint before any trigger looks at circles.
const CYCLE_OR_SELF: &[&str] = &["LG001", "23514"];

fn move_member(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let all = world.members_of(org);
    let (Some(member), Some(manager)) = (pick(rng, &all), pick(rng, &all)) else { return vec![] };
    let sql = format!("UPDATE leadguard.member SET manager_id = {manager} WHERE id = {member}");
    let change = |w: &mut World| w.members.get_mut(&member).expect("member").manager = Some(manager);
    unless_cycle(world, change, sql, CYCLE_OR_SELF)
}

/// Several members in one statement: what counts is the end, also when every single move alone would be a circle.
fn move_members(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let all = world.members_of(org);
    let mut moves: Vec<(i64, Option<i64>)> = Vec::new();
    for member in some(rng, &all, 25) {
        let manager = if chance(rng, 15) { None } else { pick(rng, &all).filter(|m| *m != member) };
        moves.push((member, manager));
    }
    if chance(rng, 40) {
        // A manager and his report change places.
        let below: Vec<i64> = all.iter().copied().filter(|m| world.members[m].manager.is_some()).collect();
        if let Some(report) = pick(rng, &below) {
            let manager = world.members[&report].manager.expect("manager");
            moves = vec![(manager, Some(report)), (report, world.members[&manager].manager)];
        }
    }
    if moves.is_empty() {
        return vec![];
    }
    let listed = |text: &dyn Fn(&(i64, Option<i64>)) -> String| moves.iter().map(text).collect::<Vec<_>>().join(", ");
    let sql = match rng.random_range(0..3) {
        0 => format!(
            "INSERT INTO leadguard.member (id, org_id, key, manager_id) VALUES {}
             ON CONFLICT (id) DO UPDATE SET manager_id = EXCLUDED.manager_id",
            listed(&|(id, to)| format!("({id}, {org}, {}, {})", literal(&world.members[id].key), number(*to)))
        ),
        1 => format!(
            "MERGE INTO leadguard.member AS m USING (VALUES {}) AS v (id, manager_id) ON m.id = v.id
             WHEN MATCHED THEN UPDATE SET manager_id = v.manager_id",
            listed(&|(id, to)| format!("({id}::bigint, {}::bigint)", number(*to)))
        ),
        _ => format!(
            "UPDATE leadguard.member AS m SET manager_id = v.manager_id
             FROM (VALUES {}) AS v (id, manager_id) WHERE m.id = v.id",
            listed(&|(id, to)| format!("({id}::bigint, {}::bigint)", number(*to)))
        ),
    };
    let change = |w: &mut World| {
        for (member, manager) in &moves {
            w.members.get_mut(member).expect("member").manager = *manager;
        }
    };
    unless_cycle(world, change, sql, CYCLE)
}

fn replace_manager(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let all = world.members_of(org);
    let (Some(old), Some(new)) = (pick(rng, &all), pick(rng, &all)) else { return vec![] };
    let sql = format!("UPDATE leadguard.member SET manager_id = {new} WHERE manager_id = {old}");
    let change = |w: &mut World| {
        for member in w.members.values_mut().filter(|m| m.manager == Some(old)) {
            member.manager = Some(new);
        }
    };
    unless_cycle(world, change, sql, CYCLE_OR_SELF)
}

fn detach(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let gone = some(rng, &world.members_of(org), 12);
    for id in &gone {
        world.members.get_mut(id).expect("member").manager = None;
    }
    vec![step(format!("UPDATE leadguard.member SET manager_id = NULL WHERE id IN ({})", list(&gone)))]
}

fn list<'a>(ids: impl IntoIterator<Item = &'a i64>) -> String {
    // Never empty, so that the statement stays valid and simply matches nothing.
    ids.into_iter().fold("0".to_string(), |text, id| format!("{text}, {id}"))
}

/// Removes members whom nothing refers to.
fn dismiss(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let free: Vec<i64> = world
        .members_of(org)
        .into_iter()
        .filter(|id| {
            let key = &world.members[id].key;
            let named = |text: &Option<String>| text.as_ref().is_some_and(|t| t == key || *t == id.to_string());
            !world.members.values().any(|m| m.manager == Some(*id))
                && !world.territories.values().any(|t| t.owner == Some(*id))
                && !world.tables.iter().any(|t| {
                    t.records.values().any(|r| named(&r.owner) || named(&r.creator))
                        || t.grants.iter().any(|g| g.holder == Holder::Member(*id))
                })
        })
        .collect();
    let Some(id) = pick(rng, &free) else { return vec![] };
    world.members.remove(&id);
    world.territories.values_mut().for_each(|t| {
        t.members.remove(&id);
    });
    world.teams.values_mut().for_each(|t| {
        t.members.remove(&id);
    });
    world.logins.iter_mut().filter(|bound| **bound == Some(id)).for_each(|bound| *bound = None);
    vec![step(format!("DELETE FROM leadguard.member WHERE id = {id}"))]
}

fn enrol(rng: &mut StdRng, db: &Db, world: &mut World, org: i64) -> Vec<Step> {
    let id = generate::hire(rng, world, org);
    let free: Vec<usize> = (0..LOGINS).filter(|l| world.logins[*l].is_none()).collect();
    if let Some(login) = pick(rng, &free[1.min(free.len())..]) {
        world.logins[login] = Some(id);
    }
    let mut steps = vec![step(format!("{MEMBER_INSERT} {}", member_row(db, world, id)))];
    for role in &world.members[&id].roles {
        steps.push(step(build::insert_member_role(id, role)));
    }
    steps
}

fn foreign_manager(rng: &mut StdRng, world: &World, org: i64) -> Vec<Step> {
    let strangers: Vec<i64> = world.members.iter().filter(|(_, m)| m.org != org).map(|(id, _)| *id).collect();
    let (Some(member), Some(manager)) = (pick(rng, &world.members_of(org)), pick(rng, &strangers)) else {
        return vec![];
    };
    let sql = format!("UPDATE leadguard.member SET manager_id = {manager} WHERE id = {member}");
    vec![refusal(sql, &["23"])]
}

fn move_territories(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let all = world.territories_of(org);
    let percent = if chance(rng, 60) { 12 } else { 35 };
    let moves: Vec<(i64, Option<i64>)> = some(rng, &all, percent)
        .into_iter()
        .map(|t| (t, if chance(rng, 20) { None } else { pick(rng, &all).filter(|p| *p != t) }))
        .collect();
    if moves.is_empty() {
        return vec![];
    }
    let values: Vec<String> = moves.iter().map(|(t, p)| format!("({t}::bigint, {}::bigint)", number(*p))).collect();
    let sql = format!(
        "UPDATE leadguard.territory AS t SET parent_id = v.parent_id
         FROM (VALUES {}) AS v (id, parent_id) WHERE t.id = v.id",
        values.join(", ")
    );
    let change = |w: &mut World| {
        for (territory, parent) in &moves {
            w.territories.get_mut(territory).expect("territory").parent = *parent;
        }
    };
    unless_cycle(world, change, sql, CYCLE)
}

fn territory_owner(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let owner = if chance(rng, 20) { None } else { pick(rng, &world.members_of(org)) };
    let changed = some(rng, &world.territories_of(org), 20);
    for id in &changed {
        world.territories.get_mut(id).expect("territory").owner = owner;
    }
    vec![step(format!("UPDATE leadguard.territory SET owner_id = {} WHERE id IN ({})", number(owner), list(&changed)))]
}

fn territory_members(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let Some(id) = pick(rng, &world.territories_of(org)) else { return vec![] };
    let (leave, enter) = (some(rng, &world.members_of(org), 50), some(rng, &world.members_of(org), 15));
    let members = &mut world.territories.get_mut(&id).expect("territory").members;
    members.retain(|m| !leave.contains(m));
    members.extend(&enter);
    let mut steps = vec![step(format!(
        "DELETE FROM leadguard.territory_member WHERE territory_id = {id} AND member_id IN ({})",
        list(&leave)
    ))];
    steps.extend(joins("territory_member (territory_id, member_id)", id, &enter));
    steps
}

fn joins(table: &str, id: i64, members: &std::collections::BTreeSet<i64>) -> Option<Step> {
    let rows: Vec<String> = members.iter().map(|m| format!("({id}, {m})")).collect();
    (!rows.is_empty())
        .then(|| step(format!("INSERT INTO leadguard.{table} VALUES {} ON CONFLICT DO NOTHING", rows.join(", "))))
}

fn territory_comes_or_goes(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let all = world.territories_of(org);
    if chance(rng, 50) {
        let number = world.fresh();
        let id = generate::territory(rng, world, org, number, &all);
        let members = world.territories[&id].members.clone();
        let mut steps = vec![step(format!("{TERRITORY_INSERT} {}", build::territory_row(world, id)))];
        steps.extend(joins("territory_member (territory_id, member_id)", id, &members));
        return steps;
    }
    let free: Vec<i64> = all
        .into_iter()
        .filter(|id| {
            let key = &world.territories[id].key;
            !world.territories.values().any(|t| t.parent == Some(*id))
                && !world
                    .tables
                    .iter()
                    .flat_map(|t| t.records.values())
                    .any(|r| r.territory.as_ref().is_some_and(|t| *t == id.to_string() || t == key))
        })
        .collect();
    let Some(id) = pick(rng, &free) else { return vec![] };
    world.territories.remove(&id);
    vec![step(format!("DELETE FROM leadguard.territory WHERE id = {id}"))]
}

fn grant_role(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let Some(id) = pick(rng, &world.members_of(org)) else { return vec![] };
    let role = if world.rich {
        let pool = rich::pool(world, world.members[&id].kind);
        rich::one_role(rng, world, &pool)
    } else {
        pick(rng, &generate::ROLES).map(str::to_string)
    };
    let Some(role) = role else { return vec![] };
    let most = if world.rich { 3 } else { 1 };
    let roles = &mut world.members.get_mut(&id).expect("member").roles;
    // Taken away as often as given, or everybody ends as administrator and no path matters any more.
    if !roles.remove(&role) && roles.len() < most {
        roles.insert(role.clone());
        return vec![step(build::insert_member_role(id, &role))];
    }
    roles.clear();
    vec![step(format!("DELETE FROM leadguard.member_role WHERE member_id = {id}"))]
}

fn flip_active(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let flipped = some(rng, &world.members_of(org), 8);
    for id in &flipped {
        let member = world.members.get_mut(id).expect("member");
        // Those who left come back more often than others leave, so that most stay active.
        member.active = !member.active || chance(rng, 30);
    }
    let active: Vec<i64> = flipped.iter().copied().filter(|id| world.members[id].active).collect();
    vec![step(format!(
        "UPDATE leadguard.member SET active = id IN ({}) WHERE id IN ({})",
        list(&active),
        list(&flipped)
    ))]
}

fn team_members(rng: &mut StdRng, world: &mut World, org: i64) -> Vec<Step> {
    let Some(id) = pick(rng, &world.teams_of(org)) else { return vec![] };
    let (leave, enter) = (some(rng, &world.members_of(org), 40), some(rng, &world.members_of(org), 15));
    let members = &mut world.teams.get_mut(&id).expect("team").members;
    members.retain(|m| !leave.contains(m));
    members.extend(&enter);
    let mut steps = vec![step(format!(
        "DELETE FROM leadguard.team_member WHERE team_id = {id} AND member_id IN ({})",
        list(&leave)
    ))];
    steps.extend(joins("team_member (team_id, member_id)", id, &enter));
    steps
}

/// A login changes hands: its open connection must be somebody else from the next statement on.
fn rebind(rng: &mut StdRng, db: &Db, world: &mut World) -> Vec<Step> {
    if world.rich && chance(rng, 20) {
        return analyst(rng, db, world);
    }
    let bound: Vec<usize> = (0..LOGINS).filter(|l| world.logins[*l].is_some()).collect();
    let Some(number) = pick(rng, &bound) else { return vec![] };
    let from = world.logins[number].expect("bound");
    let free: Vec<i64> = world.members.keys().copied().filter(|m| world.login_of(*m).is_none()).collect();
    world.logins[number] = pick(rng, &free).filter(|_| chance(rng, 80));
    let mut steps = vec![step(format!("UPDATE leadguard.member SET db_role = NULL WHERE id = {from}"))];
    if let Some(to) = world.logins[number] {
        let role = literal(&db.role(&login(number)));
        steps.push(step(format!("UPDATE leadguard.member SET db_role = {role} WHERE id = {to}")));
    }
    steps
}

fn analyst(rng: &mut StdRng, db: &Db, world: &mut World) -> Vec<Step> {
    let number = rng.random_range(LOGINS..LOGINS + ANALYSTS);
    let all: Vec<i64> = world.members.keys().copied().collect();
    world.logins[number] = pick(rng, &all);
    let Some(member) = world.logins[number] else { return vec![] };
    let (role, key) = (literal(&db.role(&login(number))), literal(&world.members[&member].key));
    vec![step(format!("SELECT leadguard.analyst({role}, {key})"))]
}
