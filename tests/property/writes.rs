//! What may be written: every probe runs in a transaction that is rolled back, so the values stay as they are.

use crate::build::{insert, login};
use crate::checks::describe;
use crate::generate::{chance, pick, random_creator};
use crate::reference::{self, Eyes};
use crate::resolve::{self, Action};
use crate::rich;
use crate::sessions::{Sessions, sqlstate};
use crate::tally::met;
use crate::world::*;
use leadguard_tests::postgres::SimpleQueryMessage;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::{Client, accepted};

/// "42501" or another SQLSTATE, otherwise the number of rows that changed; nothing stays.
fn probe(client: &mut Client, sql: &str) -> String {
    accepted(client, "BEGIN");
    let outcome = match client.simple_query(sql) {
        Err(e) => sqlstate(&e),
        Ok(messages) => messages
            .iter()
            .find_map(|m| if let SimpleQueryMessage::CommandComplete(n) = m { Some(n.to_string()) } else { None })
            .expect("a command tag"),
    };
    accepted(client, "ROLLBACK");
    outcome
}

pub fn round(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    for _ in 0..3 {
        let (number, at) = writer(rng, world);
        let (table, who) = (&world.tables[at], world.who(number));
        let Some(id) = choose(rng, world, who, at) else { continue };
        let delete = chance(rng, 40);
        // A partition takes the same statement as the table it belongs to.
        let relation = match pick(rng, table.shape.partitions).filter(|_| chance(rng, 30)) {
            Some(leaf) if holds(&mut sessions.admin, leaf, &id) => leaf,
            _ => &table.shape.name,
        };
        let sql = if delete {
            format!("DELETE FROM {relation} WHERE id = {}", literal(&id))
        } else {
            format!("UPDATE {relation} SET name = 'probe' WHERE id = {}", literal(&id))
        };
        let eyes = who.map(|who| Eyes::new(world, who));
        let (action, right) = if delete { ("delete", Action::Archive) } else { ("update", Action::Update) };
        let expected = match &eyes {
            _ if !reference::writes(world, who) => "42501",
            _ if !who.is_some_and(|who| resolve::ever(world, who, at, right)) => "42501",
            Some(eyes) if eyes.rights(at, &id).has(Action::Read) => {
                match who.is_some_and(|who| world.members[&who.member].kind == "system") {
                    _ if !eyes.may(at, &id, action) => "42501",
                    // K58: without an approval no system deletes anything.
                    true if delete => "LG004",
                    _ => "1",
                }
            }
            _ => "0",
        };
        met(format!("write: {expected}"));
        let paths = eyes.map(|eyes| eyes.paths(at, &id));
        assert_eq!(
            probe(&mut sessions.people[number], &sql),
            expected,
            "{sql} by {}\n{:?}\npaths {paths:?}\n{}",
            login(number),
            table.records[&id],
            describe(world, who, at)
        );
    }
    hand_over(rng, sessions, world);
    moves_on(rng, sessions, world);
    inserts(rng, sessions, world);
}

/// Anybody, but mostly somebody who may write something there: all others are refused in the same way.
fn writer(rng: &mut StdRng, world: &World) -> (usize, usize) {
    let any = |rng: &mut StdRng| (rng.random_range(0..LOGINS + ANALYSTS), rng.random_range(0..world.tables.len()));
    for _ in 0..4 {
        let (number, at) = any(rng);
        if world.who(number).is_some_and(|who| resolve::ever(world, who, at, Action::Update)) {
            return (number, at);
        }
    }
    any(rng)
}

/// A plain UPDATE of the owner takes the right to reassign, and leaves the row readable for the writer.
fn hand_over(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    let (number, at) = writer(rng, world);
    let table = &world.tables[at];
    let Some(who) = world.who(number).filter(|who| reference::writes(world, Some(*who))) else { return };
    let seen: Vec<String> = reference::visible(world, Some(who), at).into_iter().collect();
    let (Some(id), Some(to)) = (pick(rng, &seen), pick(rng, &world.active_of(world.members[&who.member].org))) else {
        return;
    };
    let Some(value) = world.owner_value(table, to) else { return };
    let sql = format!("UPDATE {} SET owner = {} WHERE id = {}", table.shape.name, literal(&value), literal(&id));
    let mut new = table.records[&id].clone();
    new.owner = Some(value);
    let expected = if reference::may_change(world, who, at, &id, &new) { "1" } else { "42501" };
    met(format!("hand over: {expected}"));
    assert_eq!(
        probe(&mut sessions.people[number], &sql),
        expected,
        "{sql}\n{:?}\nby {}to {}",
        table.records[&id],
        describe(world, Some(who), at),
        describe(world, Some(to.into()), at)
    );
}

/// A plain UPDATE of another column that leadguard knows. What hides a record or conditions depend on is a value as
/// any other, only not out of one's own sight; what leads others to it takes the right to reassign; the creator stays.
fn moves_on(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    let (number, at) = writer(rng, world);
    let table = &world.tables[at];
    let Some(who) = world.who(number).filter(|who| reference::writes(world, Some(*who))) else { return };
    let seen: Vec<String> = reference::visible(world, Some(who), at).into_iter().collect();
    let Some(id) = pick(rng, &seen) else { return };
    let old = &table.records[&id];
    let (mut fresh, mut new) = (old.clone(), old.clone());
    rich::record(rng, world, at, &mut fresh);
    fresh.creator = random_creator(rng, world, at, old.org);
    let s = &table.shape;
    let columns = [
        (s.stage, "stage", &mut new.stage, fresh.stage),
        (s.status, "status", &mut new.status, fresh.status),
        (s.sensitive.is_some(), "sensitive", &mut new.sensitive, fresh.sensitive),
        (s.team.is_some(), "team", &mut new.team, fresh.team),
        (s.segment, "segment", &mut new.segment, fresh.segment),
        (s.parent.is_some(), "parent", &mut new.parent, fresh.parent),
        (s.creator.is_some(), "creator", &mut new.creator, fresh.creator),
    ];
    let (column, value) = {
        let mapped: Vec<_> = columns.into_iter().filter(|c| c.0).collect();
        if mapped.is_empty() {
            return;
        }
        let at = rng.random_range(0..mapped.len());
        let (_, column, old, value) = mapped.into_iter().nth(at).expect("a column");
        *old = value.clone();
        (column, value)
    };
    let expected = if reference::may_change(world, who, at, &id, &new) { "1" } else { "42501" };
    let sql = format!("UPDATE {} SET {column} = {} WHERE id = {}", s.name, nullable(&value), literal(&id));
    met(format!("move {column}: {expected}"));
    let text = describe(world, Some(who), at);
    assert_eq!(probe(&mut sessions.people[number], &sql), expected, "{sql}\n{old:?}\nby {text}");
}

fn holds(admin: &mut Client, leaf: &str, id: &str) -> bool {
    leadguard_tests::rows(admin, &format!("SELECT FROM {leaf} WHERE id = {}", literal(id))).len() == 1
}

/// Mostly a record that the member sees: a random one is usually hidden, and that answer is the easy one.
fn choose(rng: &mut StdRng, world: &World, who: Option<Who>, at: usize) -> Option<String> {
    let seen: Vec<String> = reference::visible(world, who, at).into_iter().collect();
    if chance(rng, 70) && !seen.is_empty() {
        return pick(rng, &seen);
    }
    pick(rng, &world.tables[at].ids())
}

fn inserts(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    let (number, at) = (rng.random_range(0..LOGINS), rng.random_range(0..world.tables.len()));
    let table = &world.tables[at];
    let Some(who) = world.who(number) else { return };
    let me = who.member;
    let asking = &world.members[&me];
    let org = if table.shape.org_column { asking.org } else { table.shape.org };
    // The member must be nameable in the table, because an empty owner or creator becomes himself.
    if [table.shape.owner, table.shape.creator].into_iter().flatten().any(|kind| kind.value(me, &asking.key).is_none())
    {
        return;
    }
    let owner_id = table.shape.owner.and_then(|kind| {
        let named: Vec<i64> = world
            .members_of(org)
            .into_iter()
            .filter(|m| kind.value(*m, &world.members[m].key).is_some())
            .filter(|m| chance(rng, 50) || *m == me || reference::above(world, me, *m))
            .collect();
        pick(rng, &named).filter(|_| chance(rng, 75))
    });
    let territory_id = table.shape.territory.and_then(|kind| {
        let named: Vec<i64> = world
            .territories_of(org)
            .into_iter()
            .filter(|t| kind.value(*t, &world.territories[t].key).is_some())
            .filter(|t| chance(rng, 50) || reference::reaches_territory(world, me, *t))
            .collect();
        pick(rng, &named).filter(|_| chance(rng, 60))
    });
    let mut sent = Record {
        org,
        owner: owner_id.and_then(|o| world.owner_value(table, o)),
        territory: territory_id.and_then(|t| world.territory_value(table, t)),
        ..Record::default()
    };
    rich::record(rng, world, at, &mut sent);
    let mut stored = sent.clone();
    stored.creator = table.shape.creator.and_then(|kind| kind.value(me, &asking.key));
    if table.shape.owner.is_some() && owner_id.is_none() {
        stored.owner = world.owner_value(table, me);
    }
    let allowed = reference::may_insert(world, who, at, &stored, owner_id.or(Some(me)), territory_id);
    let expected = if allowed { "1" } else { "42501" };
    met(format!("insert: {expected}"));
    let id = match table.shape.id {
        "uuid" => "ffffffff-ffff-4fff-8fff-ffffffffffff",
        _ => "2000000000",
    };
    let sql = insert(table, id, &sent);
    let outcome = probe(&mut sessions.people[number], &sql);
    assert_eq!(
        outcome,
        expected,
        "{sql}\nby {} owner {owner_id:?} territory {territory_id:?}\n{}{}",
        login(number),
        describe(world, Some(who), at),
        owner_id.map(|o| describe(world, Some(o.into()), at)).unwrap_or_default()
    );
}
