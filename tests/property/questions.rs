//! can, who_can, what_can and explain_access against the reference.

use crate::build::login;
use crate::checks::describe;
use crate::generate::{chance, pick};
use crate::reference::{self, ACTIONS, Eyes};
use crate::resolve::{self, Action, Rights};
use crate::sessions::{Sessions, sqlstate};
use crate::tally::met;
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;
use leadguard_tests::{Client, rows};
use std::collections::{BTreeMap, BTreeSet};

/// The functions that answer with rows, asked by a superuser: he may ask about everybody.
pub fn round(rng: &mut StdRng, admin: &mut Client, world: &World) {
    let at = rng.random_range(0..world.tables.len());
    let Some(record) = pick(rng, &world.tables[at].ids()) else { return };
    who_can(rng, admin, world, at, &record);
    what_can(rng, admin, world, at);
    explain(rng, admin, world, at, &record);
}

pub fn any_member(rng: &mut StdRng, world: &World) -> i64 {
    let all: Vec<i64> = world.members.keys().copied().collect();
    pick(rng, &all).expect("members")
}

/// The level of several rights at once: the highest that gives no more.
fn level(rights: Rights) -> String {
    rights.as_level().expect("read at least").name().to_string()
}

fn who_can(rng: &mut StdRng, admin: &mut Client, world: &World, at: usize, record: &str) {
    let (table, action) = (&world.tables[at], *ACTIONS.choose(rng).expect("action"));
    let question = format!(
        "SELECT member::text, level::text, path::text FROM leadguard.who_can('{action}', {}, {})",
        literal(&table.shape.name),
        literal(record)
    );
    let found = rows(admin, &question);
    let listed: BTreeSet<(String, String)> = found.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut expected = BTreeSet::new();
    for (id, m) in &world.members {
        let eyes = Eyes::new(world, *id);
        if eyes.may(at, record, action) {
            expected.insert((m.key.clone(), level(eyes.rights(at, record))));
        }
    }
    let mut text = format!("{question}\n{:?} {:?}\n", table.shape, table.records[record]);
    for (key, _) in listed.symmetric_difference(&expected) {
        let (id, _) = world.members.iter().find(|(_, m)| m.key == *key).expect("a member");
        let paths = Eyes::new(world, *id).paths(at, record);
        text += &format!("{}paths {paths:?}\n", describe(world, Some((*id).into()), at));
    }
    assert_eq!(listed, expected, "{text}");
    assert_eq!(found.len(), listed.len(), "a member comes twice: {question}");
    for row in found {
        let (id, _) = world.members.iter().find(|(_, m)| m.key == row[0]).expect("listed member");
        let paths = Eyes::new(world, *id).paths(at, record);
        assert!(paths.contains_key(row[2].as_str()), "path {} of {}: {paths:?}\n{question}", row[2], row[0]);
    }
}

fn what_can(rng: &mut StdRng, admin: &mut Client, world: &World, at: usize) {
    let (table, action) = (&world.tables[at], *ACTIONS.choose(rng).expect("action"));
    let member = any_member(rng, world);
    let question = format!(
        "SELECT record::text, level::text FROM leadguard.what_can({}, {}, '{action}')",
        literal(&world.members[&member].key),
        literal(&table.shape.name)
    );
    let found: Vec<(String, String)> =
        rows(admin, &question).into_iter().map(|r| (r[0].clone(), r[1].clone())).collect();
    let listed: BTreeSet<(String, String)> = found.iter().cloned().collect();
    let eyes = Eyes::new(world, member);
    let expected: BTreeSet<(String, String)> = table
        .records
        .keys()
        .filter(|id| eyes.may(at, id, action))
        .map(|id| (id.clone(), level(eyes.rights(at, id))))
        .collect();
    let mut text = format!("{question}\n{:?}\n{}", table.shape, describe(world, Some(member.into()), at));
    for (id, _) in listed.symmetric_difference(&expected) {
        let grants: Vec<&Grant> = table.grants.iter().filter(|g| g.record == *id).collect();
        text += &format!("{id} {:?} paths {:?} {grants:?}\n", table.records.get(id), eyes.paths(at, id));
    }
    assert_eq!(listed, expected, "{text}");
    assert_eq!(found.len(), listed.len(), "a record comes twice: {question}");
}

/// `can` by the person himself, by the superuser, and about others, which only superiors and administrators may ask.
pub fn can(rng: &mut StdRng, sessions: &mut Sessions, world: &World, at: usize) {
    let table = &world.tables[at];
    let target = literal(&table.shape.name);
    for _ in 0..3 {
        let Some(record) = pick(rng, &table.ids()) else { return };
        let action = *ACTIONS.choose(rng).expect("action");
        let other = any_member(rng, world);
        let key = literal(&world.members[&other].key);
        let does = |who: Who| Eyes::new(world, who).may(at, &record, action);
        let question = format!("SELECT leadguard.can('{action}', {target}, {}, {key})", literal(&record));
        let text = describe(world, Some(other.into()), at);
        assert_eq!(
            answer(&mut sessions.admin, &question),
            yes(does(other.into())),
            "superuser: {question}\n{:?}\n{text}",
            table.records[&record]
        );

        let number = rng.random_range(0..LOGINS + ANALYSTS);
        let Some(who) = world.who(number).filter(|who| world.members[&who.member].active) else { continue };
        let me = who.member;
        let person = &mut sessions.people[number];
        let below: Vec<i64> = world.members.keys().copied().filter(|m| reference::above(world, me, *m)).collect();
        let other = pick(rng, &below).filter(|_| chance(rng, 60)).unwrap_or(other);
        let key = literal(&world.members[&other].key);
        let question = format!("SELECT leadguard.can('{action}', {target}, {}, {key})", literal(&record));
        let mine = format!("SELECT leadguard.can('{action}', {target}, {})", literal(&record));
        let text = describe(world, Some(who), at);
        assert_eq!(answer(person, &mine), yes(does(who)), "{mine} by {}\n{text}", login(number));
        let create = format!("SELECT leadguard.can('create', {target}, NULL)");
        let may = resolve::creates(world, who, at);
        assert_eq!(answer(person, &create), yes(may), "{create} by {}\n{text}", login(number));
        if me == other {
            continue;
        }
        let asks = reference::above(world, me, other)
            || (!who.analyst && world.has(me, "administer") && world.members[&me].org == world.members[&other].org);
        // What the asking member cannot read does not exist for him, whoever he asks about.
        let reads = Eyes::new(world, who).rights(at, &record).has(Action::Read);
        let expected = if asks { yes(reads && does(other.into())) } else { "42501".to_string() };
        met(format!("about others: {expected}"));
        assert_eq!(answer(person, &question), expected, "{question}\nasked by {text}");
    }
}

fn yes(value: bool) -> String {
    if value { "t" } else { "f" }.to_string()
}

/// "t", "f" or the SQLSTATE.
pub fn answer(client: &mut Client, question: &str) -> String {
    match client.simple_query(question) {
        Ok(_) => rows(client, question)[0][0].clone(),
        Err(e) => {
            let state = sqlstate(&e);
            assert!(!state.starts_with("XX"), "{question}\n{:?}", e.as_db_error());
            state
        }
    }
}

/// What a line of explain_access gives: the level, or the rights by name where no level is just that.
fn told(level: &str, detail: &str) -> Option<Rights> {
    let level = Level::ALL.into_iter().find(|l| l.name() == level)?;
    let names: Vec<&str> = detail.split_once("gives ").map(|(_, list)| list.split(", ").collect()).unwrap_or_default();
    if !names.contains(&"read") || level == Level::Full {
        return Some(Rights::level(level));
    }
    let cap = Level::ALL.into_iter().find(|l| names.contains(&format!("capped at {}", l.name()).as_str()));
    let rights = Rights::of(|action| names.contains(&action.name())).and(Rights::level(cap.unwrap_or(Level::Full)));
    assert_eq!(rights.as_level(), Some(level), "level and {detail}");
    Some(rights)
}

fn explain(rng: &mut StdRng, admin: &mut Client, world: &World, at: usize, record: &str) {
    let table = &world.tables[at];
    // Mostly somebody who reaches the record, because the answer for anybody else is always the same.
    let reaching: Vec<i64> =
        world.members.keys().copied().filter(|m| Eyes::new(world, *m).rights(at, record).has(Action::Read)).collect();
    let member = pick(rng, &reaching).filter(|_| chance(rng, 80)).unwrap_or_else(|| any_member(rng, world));
    let action = *Action::ALL.choose(rng).expect("action");
    let question = format!(
        "SELECT path, coalesce(level, ''), decisive, coalesce(detail, '') FROM leadguard.explain_access({}, {}, {}, '{}')",
        literal(&table.shape.name),
        literal(record),
        literal(&world.members[&member].key),
        action.name()
    );
    let eyes = Eyes::new(world, member);
    let expected = eyes.paths(at, record);
    let text = format!("{question}\n{:?}\n{}", table.records[record], describe(world, Some(member.into()), at));
    let (mut found, mut decisive) = (BTreeMap::new(), Vec::new());
    for row in rows(admin, &question) {
        let [path, level, decides, detail] = &row[..] else { panic!("four columns") };
        if let Some(rights) = told(level, detail) {
            let one = found.entry(path.clone()).or_insert(Rights::default());
            *one = one.or(rights);
        }
        if decides == "t" {
            decisive.push(path.clone());
        }
    }
    let listed: BTreeMap<String, Rights> = expected.iter().map(|(path, rights)| (path.to_string(), *rights)).collect();
    assert_eq!(found, listed, "{text}");
    let may = eyes.may(at, record, action.name());
    assert_eq!(decisive.len(), usize::from(may), "{decisive:?} decisive: {text}");
    assert!(decisive.iter().all(|path| expected[path.as_str()].has(action)), "{decisive:?} decisive: {text}");
}
