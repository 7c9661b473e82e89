//! Changes in transactions and what is seen before they end: by the writer, by others, by an older snapshot, and
//! after a savepoint took them back.

use crate::build::login;
use crate::checks::compare;
use crate::edits::{Step, edit};
use crate::generate::{chance, pick};
use crate::questions;
use crate::reference;
use crate::rule_edits;
use crate::sessions::{Sessions, sqlstate, texts};
use crate::tally::met;
use crate::world::*;
use leadguard_tests::postgres::SimpleQueryMessage;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::{IndexedRandom, SliceRandom};
use leadguard_tests::{Client, Db, accepted, rows};

fn apply(admin: &mut Client, steps: Vec<Step>, world: &mut World, in_transaction: bool) {
    for step in steps {
        if step.instead.is_some() {
            either(admin, step, world, in_transaction);
            continue;
        }
        if step.refused.is_empty() {
            met("edit: ok");
            let messages = admin
                .simple_query(&step.sql)
                .unwrap_or_else(|e| panic!("refused, but it is right: {:?}\n{}", e.as_db_error(), step.sql));
            answered(&step, &messages);
            continue;
        }
        if in_transaction {
            accepted(admin, "SAVEPOINT refusal");
        }
        match admin.simple_query(&step.sql) {
            Ok(_) => panic!("accepted, but {:?} was due: {}", step.refused, step.sql),
            Err(e) => {
                let state = sqlstate(&e);
                met(format!("edit: {state}"));
                assert!(
                    step.refused.iter().any(|code| state.starts_with(code)),
                    "{state} instead of {:?}: {}",
                    step.refused,
                    step.sql
                );
            }
        }
        if in_transaction {
            accepted(admin, "ROLLBACK TO refusal; RELEASE refusal");
        }
    }
}

/// A change that may be refused: the reference follows what happens.
fn either(admin: &mut Client, step: Step, world: &mut World, in_transaction: bool) {
    if in_transaction {
        accepted(admin, "SAVEPOINT either");
    }
    match admin.simple_query(&step.sql) {
        Ok(messages) => {
            met("either: ok");
            answered(&step, &messages);
        }
        Err(e) => {
            met("either: 22023");
            assert_eq!(sqlstate(&e), "22023", "{:?}\n{}", e.as_db_error(), step.sql);
            if in_transaction {
                accepted(admin, "ROLLBACK TO either");
            }
            let next = world.next;
            *world = World { next, ..*step.instead.expect("what holds otherwise") };
        }
    }
}

fn answered(step: &Step, messages: &[SimpleQueryMessage]) {
    let Some(expected) = &step.answer else { return };
    let value = messages.iter().find_map(|m| if let SimpleQueryMessage::Row(row) = m { row.get(0) } else { None });
    assert_eq!(value, Some(expected.as_str()), "{}", step.sql);
}

fn some_edits(rng: &mut StdRng, db: &Db, admin: &mut Client, world: &mut World, most: u32, in_transaction: bool) {
    for _ in 0..rng.random_range(1..=most) {
        let steps = edit(rng, db, world);
        apply(admin, steps, world, in_transaction);
    }
}

/// One change of rules or switches, while nobody reads.
pub fn rules(rng: &mut StdRng, sessions: &mut Sessions, world: &mut World) {
    world.alone = true;
    let steps = rule_edits::edit(rng, world);
    apply(&mut sessions.admin, steps, world, false);
}

/// One round of changes by the superuser; `world` afterwards is what is committed.
pub fn round(rng: &mut StdRng, db: &Db, sessions: &mut Sessions, world: &mut World) {
    world.alone = chance(rng, 25);
    if world.alone {
        some_edits(rng, db, &mut sessions.admin, world, 2, false);
        return;
    }
    let before = world.clone();
    let readers = if chance(rng, 40) { 5 } else { 0 };
    let mut old: Vec<usize> = (0..LOGINS).collect();
    old.shuffle(rng);
    let other = old.split_off(readers)[0];
    for reader in &old {
        let isolation = *["REPEATABLE READ", "SERIALIZABLE READ ONLY"].choose(rng).expect("isolation");
        accepted(&mut sessions.people[*reader], &format!("BEGIN ISOLATION LEVEL {isolation}"));
        reads(sessions, &before, *reader, rng.random_range(0..before.tables.len()), "an old snapshot, first read");
    }

    accepted(&mut sessions.admin, "BEGIN");
    some_edits(rng, db, &mut sessions.admin, world, 3, true);
    if chance(rng, 50) {
        uncommitted(rng, db, &mut sessions.admin, world);
    }
    if chance(rng, 40) {
        let kept = world.clone();
        accepted(&mut sessions.admin, "SAVEPOINT s");
        some_edits(rng, db, &mut sessions.admin, world, 3, true);
        uncommitted(rng, db, &mut sessions.admin, world);
        if chance(rng, 75) {
            accepted(&mut sessions.admin, "ROLLBACK TO s");
            *world = World { next: world.next, ..kept };
            uncommitted(rng, db, &mut sessions.admin, world);
        }
        accepted(&mut sessions.admin, "RELEASE s");
    }

    // Nobody else sees anything of it yet.
    let table = changed(rng, &before, world, other);
    let found = sessions.visible(rng, &before, other, table);
    compare(&before, before.who(other), table, &found, "before the commit");
    if chance(rng, 15) {
        accepted(&mut sessions.admin, "ROLLBACK");
        *world = World { next: world.next, ..before.clone() };
    } else {
        accepted(&mut sessions.admin, "COMMIT");
    }
    for reader in old {
        let table = changed(rng, &before, world, reader);
        reads(sessions, &before, reader, table, "an old snapshot, after the commit of others");
        accepted(&mut sessions.people[reader], "COMMIT");
        reads(sessions, world, reader, table, "a new snapshot");
    }
}

fn reads(sessions: &mut Sessions, world: &World, reader: usize, table: usize, what: &str) {
    let found =
        texts(&mut sessions.people[reader], &format!("SELECT id::text FROM {}", world.tables[table].shape.name));
    compare(world, world.who(reader), table, &found, what);
}

/// A table of which this login sees something else after the changes than before, if there is one.
fn changed(rng: &mut StdRng, before: &World, after: &World, number: usize) -> usize {
    let differs = |table: &usize| {
        reference::visible(before, before.who(number), *table) != reference::visible(after, after.who(number), *table)
    };
    (0..before.tables.len()).find(differs).unwrap_or_else(|| rng.random_range(0..before.tables.len()))
}

/// What the writing transaction itself sees as somebody else, and what the questions answer in it.
fn uncommitted(rng: &mut StdRng, db: &Db, admin: &mut Client, world: &World) {
    assert_eq!(rows(admin, "SELECT to_jsonb(v)::text FROM leadguard.verify_closure() AS v"), Vec::<Vec<String>>::new());
    for _ in 0..2 {
        let (number, table) = (rng.random_range(0..LOGINS), rng.random_range(0..world.tables.len()));
        accepted(admin, &format!("SET LOCAL SESSION AUTHORIZATION {}", db.role(&login(number))));
        let found = texts(admin, &format!("SELECT id::text FROM {}", world.tables[table].shape.name));
        accepted(admin, "SET LOCAL SESSION AUTHORIZATION DEFAULT");
        // The view is a setting of the session, and this one has none.
        let who = world.who(number).map(|who| Who { personal: false, ..who });
        compare(world, who, table, &found, &format!("uncommitted changes as {}", login(number)));
    }
    questions::round(rng, admin, world);
}

/// A member with `administer` reorganizes over his own connection: his next statement follows, and a savepoint
/// takes it back.
pub fn own_changes(rng: &mut StdRng, sessions: &mut Sessions, world: &mut World) {
    let administers: Vec<usize> = (0..LOGINS)
        .filter(|l| {
            world.logins[*l].is_some_and(|m| {
                let (member, only_administers) =
                    (&world.members[&m], world.has(m, "administer") && !world.has(m, "all_records"));
                member.active && only_administers && member.kind == "person" && reference::writes(world, world.who(*l))
            })
        })
        .collect();
    let Some(number) = pick(rng, &administers) else { return };
    let me = world.logins[number].expect("bound");
    let before = world.clone();
    let client = &mut sessions.people[number];
    accepted(client, "BEGIN");
    for attempt in 0..3 {
        let kept = world.clone();
        accepted(client, "SAVEPOINT s");
        let (sql, refused) = reorganize(rng, world, me);
        match client.simple_query(&sql) {
            Ok(_) => assert!(!refused, "a circle was accepted from a member: {sql}"),
            Err(e) => {
                assert!(refused && ["LG001", "23514"].contains(&sqlstate(&e).as_str()), "{:?}\n{sql}", e.as_db_error());
                accepted(client, "ROLLBACK TO s");
                continue;
            }
        }
        let table = rng.random_range(0..world.tables.len());
        let read = format!("SELECT id::text FROM {}", world.tables[table].shape.name);
        let what = format!("own uncommitted change {attempt} of {}: {sql}", login(number));
        met("own change");
        compare(world, world.who(number), table, &texts(client, &read), &what);
        if chance(rng, 50) {
            accepted(client, "ROLLBACK TO s");
            *world = kept;
            compare(world, world.who(number), table, &texts(client, &read), &format!("taken back: {what}"));
        }
    }
    if chance(rng, 50) {
        accepted(client, "ROLLBACK");
        *world = before;
    } else {
        accepted(client, "COMMIT");
    }
    for table in 0..world.tables.len() {
        let found = texts(client, &format!("SELECT id::text FROM {}", world.tables[table].shape.name));
        compare(world, world.who(number), table, &found, "after the end of one's own changes");
    }
}

/// A change that matters to the member who makes it; the flag says that it closes a circle. `world` follows only
/// where it is accepted.
fn reorganize(rng: &mut StdRng, world: &mut World, me: i64) -> (String, bool) {
    let org = world.members[&me].org;
    if chance(rng, 35) {
        let free: Vec<i64> =
            world.territories_of(org).into_iter().filter(|t| !world.territories[t].members.contains(&me)).collect();
        if let Some(territory) = pick(rng, &free) {
            world.territories.get_mut(&territory).expect("territory").members.insert(me);
            let sql =
                format!("INSERT INTO leadguard.territory_member (territory_id, member_id) VALUES ({territory}, {me})");
            return (sql, false);
        }
    }
    // Inactive members are not in the directory that a member reads, so he can only move active ones.
    let active = world.active_of(org);
    let member = pick(rng, &active).expect("at least the member himself");
    let manager = if chance(rng, 70) { me } else { pick(rng, &active).expect("the same") };
    let sql = format!("UPDATE leadguard.member SET manager_id = {manager} WHERE id = {member}");
    let mut after = world.clone();
    after.members.get_mut(&member).expect("member").manager = Some(manager);
    let circle = after.members_cycle();
    if !circle {
        *world = after;
    }
    (sql, circle)
}
