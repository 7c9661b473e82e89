//! Asks the database and the reference the same question and stops at the first difference.

use crate::build::login;
use crate::generate::{chance, pick};
use crate::reference::{self, ACTIONS};
use crate::sessions::Sessions;
use crate::tally::met;
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;
use leadguard_tests::{Client, code, rows};
use std::collections::BTreeSet;

/// Everything that one round looks at, for random members, tables and records.
pub fn round(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    assert_eq!(
        rows(&mut sessions.admin, "SELECT to_jsonb(v)::text FROM leadguard.verify_closure() AS v"),
        Vec::<Vec<String>>::new(),
        "verify_closure()"
    );
    for _ in 0..3 {
        let (number, table) = (rng.random_range(0..LOGINS), rng.random_range(0..world.tables.len()));
        let found = sessions.visible(rng, world, number, table);
        compare(world, world.logins[number], table, &found, &format!("rows of {}", login(number)));
    }
    if chance(rng, 33) {
        trusted(rng, sessions, world);
    }
    questions(rng, &mut sessions.admin, world);
    let table = rng.random_range(0..world.tables.len());
    can(rng, sessions, world, &world.tables[table]);
}

/// The functions that answer with rows, asked by a superuser: he may ask about everybody.
pub fn questions(rng: &mut StdRng, admin: &mut Client, world: &World) {
    let table = &world.tables[rng.random_range(0..world.tables.len())];
    let Some(record) = pick(rng, &table.ids()) else { return };
    who_can(rng, admin, world, table, &record);
    what_can(rng, admin, world, table);
    explain(rng, admin, world, table, &record);
}

/// Set of visible records against the reference, with the paths of the records that differ.
pub fn compare(world: &World, member: Option<i64>, table: usize, found: &BTreeSet<String>, what: &str) {
    let table = &world.tables[table];
    let expected = reference::visible(world, member, table);
    if *found == expected {
        met(match found.len() {
            0 => "set: none",
            n if n == table.records.len() => "set: all",
            _ => "set: some",
        });
        for (path, _) in
            member.into_iter().flat_map(|m| found.iter().filter_map(move |id| only_path(world, m, table, id)))
        {
            met(format!("decisive: {path}"));
        }
        return;
    }
    let mut text = format!("{what} in {}, {:?}\n", table.shape.name, table.shape);
    text += &describe(world, member);
    for id in found.difference(&expected) {
        text += &format!("LEAKED {id}: {:?} grants {:?}\n", table.records.get(id), grants(table, id));
    }
    for id in expected.difference(found) {
        let paths = member.map(|m| reference::paths(world, m, table, id));
        text += &format!("MISSING {id}: {:?} paths {paths:?} grants {:?}\n", table.records.get(id), grants(table, id));
    }
    panic!("{text}");
}

/// The path to a record that has no other: losing or inventing it would show.
fn only_path(world: &World, member: i64, table: &Table, id: &str) -> Option<(&'static str, Level)> {
    let paths = reference::paths(world, member, table, id);
    if paths.len() == 1 { paths.into_iter().next() } else { None }
}

pub fn describe(world: &World, member: Option<i64>) -> String {
    let Some(m) = member.and_then(|id| world.members.get(&id)) else { return "nobody\n".to_string() };
    format!(
        "member {:?} key {} org {} manager {:?} active {} kind {} roles {:?}\n",
        member, m.key, m.org, m.manager, m.active, m.kind, m.roles
    )
}

fn grants<'a>(table: &'a Table, id: &str) -> Vec<&'a Grant> {
    table.grants.iter().filter(|g| g.record == id).collect()
}

fn any_member(rng: &mut StdRng, world: &World) -> i64 {
    let all: Vec<i64> = world.members.keys().copied().collect();
    pick(rng, &all).expect("members")
}

fn trusted(rng: &mut StdRng, sessions: &mut Sessions, world: &World) {
    let (member, table) = (any_member(rng, world), rng.random_range(0..world.tables.len()));
    let asked = &world.members[&member];
    match sessions.visible_as(&asked.key, &world.tables[table].shape.name) {
        Ok(found) => {
            met("act_as: ok");
            assert!(asked.active, "act_as accepted an inactive member: {}", describe(world, Some(member)));
            compare(world, Some(member), table, &found, "rows through act_as");
        }
        Err(state) => {
            met(format!("act_as: {state}"));
            assert_eq!((state.as_str(), asked.active), ("28000", false), "act_as: {}", describe(world, Some(member)));
        }
    }
}

fn who_can(rng: &mut StdRng, admin: &mut Client, world: &World, table: &Table, record: &str) {
    let (action, need) = *ACTIONS.choose(rng).expect("action");
    let question = format!(
        "SELECT member::text, level::text, path::text FROM leadguard.who_can('{action}', {}, {})",
        literal(&table.shape.name),
        literal(record)
    );
    let found = rows(admin, &question);
    let listed: BTreeSet<(String, String)> = found.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let expected: BTreeSet<(String, String)> = world
        .members
        .iter()
        .filter_map(|(id, m)| {
            let level = reference::level(world, *id, table, record).filter(|level| *level >= need)?;
            reference::permits(world, *id, table, action).then_some(())?;
            Some((m.key.clone(), level.name().to_string()))
        })
        .collect();
    assert_eq!(listed, expected, "{question}\n{:?} {:?}", table.shape, table.records[record]);
    assert_eq!(found.len(), listed.len(), "a member comes twice: {question}");
    for row in found {
        let (id, _) = world.members.iter().find(|(_, m)| m.key == row[0]).expect("listed member");
        let paths = reference::paths(world, *id, table, record);
        let best = paths.get(row[2].as_str()).map(|level| level.name());
        assert_eq!(best, Some(row[1].as_str()), "path {} of {}: {paths:?}\n{question}", row[2], row[0]);
    }
}

fn what_can(rng: &mut StdRng, admin: &mut Client, world: &World, table: &Table) {
    let (action, need) = ACTIONS[rng.random_range(0..3)];
    let member = any_member(rng, world);
    let question = format!(
        "SELECT record::text, level::text FROM leadguard.what_can({}, {}, '{action}')",
        literal(&world.members[&member].key),
        literal(&table.shape.name)
    );
    let found: Vec<(String, String)> =
        rows(admin, &question).into_iter().map(|r| (r[0].clone(), r[1].clone())).collect();
    let listed: BTreeSet<(String, String)> = found.iter().cloned().collect();
    let expected: BTreeSet<(String, String)> = table
        .records
        .keys()
        .filter(|_| reference::permits(world, member, table, action))
        .filter_map(|id| {
            let level = reference::level(world, member, table, id).filter(|level| *level >= need)?;
            Some((id.clone(), level.name().to_string()))
        })
        .collect();
    assert_eq!(listed, expected, "{question}\n{:?}\n{}", table.shape, describe(world, Some(member)));
    assert_eq!(found.len(), listed.len(), "a record comes twice: {question}");
}

/// `can` by the person himself, by the superuser, and about others, which only superiors and administrators may ask.
fn can(rng: &mut StdRng, sessions: &mut Sessions, world: &World, table: &Table) {
    let target = literal(&table.shape.name);
    for _ in 0..3 {
        let Some(record) = pick(rng, &table.ids()) else { return };
        let (action, need) = *ACTIONS.choose(rng).expect("action");
        let other = any_member(rng, world);
        let key = literal(&world.members[&other].key);
        let reaches =
            |member: i64, level: Level| reference::level(world, member, table, &record).is_some_and(|l| l >= level);
        let does = |member: i64| reaches(member, need) && reference::permits(world, member, table, action);
        let question = format!("SELECT leadguard.can('{action}', {target}, {}, {key})", literal(&record));
        assert_eq!(answer(&mut sessions.admin, &question), yes(does(other)), "superuser: {question}");

        let number = rng.random_range(0..LOGINS);
        let Some(me) = world.logins[number].filter(|m| world.members[m].active) else { continue };
        let person = &mut sessions.people[number];
        let below: Vec<i64> = world.members.keys().copied().filter(|m| reference::above(world, me, *m)).collect();
        let other = pick(rng, &below).filter(|_| chance(rng, 60)).unwrap_or(other);
        let key = literal(&world.members[&other].key);
        let question = format!("SELECT leadguard.can('{action}', {target}, {}, {key})", literal(&record));
        let mine = format!("SELECT leadguard.can('{action}', {target}, {})", literal(&record));
        assert_eq!(answer(person, &mine), yes(does(me)), "{mine}\n{}", describe(world, Some(me)));
        let asks = me == other
            || reference::above(world, me, other)
            || (reference::has(world, me, |r| r.1) && world.members[&me].org == world.members[&other].org);
        // What the asking member cannot read does not exist for him, whoever he asks about.
        let expected = if asks { yes(reaches(me, Level::Read) && does(other)) } else { "42501".to_string() };
        met(format!("about others: {expected}"));
        assert_eq!(answer(person, &question), expected, "{question}\nasked by {}", describe(world, Some(me)));
    }
}

fn yes(value: bool) -> String {
    if value { "t" } else { "f" }.to_string()
}

/// "t", "f" or the SQLSTATE.
fn answer(client: &mut Client, question: &str) -> String {
    match code(client, question).as_str() {
        "ok" => rows(client, question)[0][0].clone(),
        state => state.to_string(),
    }
}

fn explain(rng: &mut StdRng, admin: &mut Client, world: &World, table: &Table, record: &str) {
    // Mostly somebody who reaches the record, because the answer for anybody else is always the same.
    let reaching: Vec<i64> =
        world.members.keys().copied().filter(|m| reference::level(world, *m, table, record).is_some()).collect();
    let member = pick(rng, &reaching).filter(|_| chance(rng, 80)).unwrap_or_else(|| any_member(rng, world));
    let question = format!(
        "SELECT path::text, max(array_position(ARRAY['read', 'edit', 'full'], level::text))
         FROM leadguard.explain_access({}, {}, {}) WHERE level IS NOT NULL GROUP BY path",
        literal(&table.shape.name),
        literal(record),
        literal(&world.members[&member].key)
    );
    let found: BTreeSet<(String, String)> =
        rows(admin, &question).into_iter().map(|r| (r[0].clone(), r[1].clone())).collect();
    let expected: BTreeSet<(String, String)> = reference::paths(world, member, table, record)
        .into_iter()
        .map(|(path, level)| (path.to_string(), (level as usize + 1).to_string()))
        .collect();
    assert_eq!(found, expected, "{question}\n{:?}\n{}", table.records[record], describe(world, Some(member)));
}
