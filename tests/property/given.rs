//! What members give away themselves: share, team_add and reassign over their own connections. Level full allows
//! it, anything less is refused, and what was given reaches the reference.

use crate::build::login;
use crate::checks::describe;
use crate::generate::{chance, pick};
use crate::reference::{self, Eyes};
use crate::resolve::{Action, Rights};
use crate::sessions::{Sessions, sqlstate};
use crate::tally::met;
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;

pub fn round(rng: &mut StdRng, sessions: &mut Sessions, world: &mut World) {
    let (number, at) = (rng.random_range(0..LOGINS), rng.random_range(0..world.tables.len()));
    // Guests may not list colleagues; whom they may name is not this test's subject.
    let person = |who: &Who| world.members[&who.member].active && world.members[&who.member].kind == "person";
    let Some(who) = world.who(number).filter(person) else { return };
    let table = &world.tables[at];
    let seen: Vec<String> = reference::visible(world, Some(who), at).into_iter().collect();
    let hidden = table.ids();
    let Some(record) = (if chance(rng, 85) { pick(rng, &seen) } else { pick(rng, &hidden) }) else { return };
    let org = table.records[&record].org;
    let Some(to) = pick(rng, &world.active_of(org)) else { return };
    let rights = Eyes::new(world, who).rights(at, &record);
    let (target, id, key) = (literal(&table.shape.name), literal(&record), literal(&world.members[&to].key));
    let level = *Level::ALL.choose(rng).expect("level");

    let mut after = world.clone();
    let changed = &mut after.tables[at];
    let allowed;
    let sql = match rng.random_range(0..4) {
        3 if table.shape.sensitive.is_some() => {
            let mark = chance(rng, 60);
            let value = match (mark, table.shape.sensitive) {
                (true, Some("boolean")) => Some("t"),
                (false, Some("boolean")) => Some("f"),
                (mark, _) => Some("marked").filter(|_| mark),
            };
            changed.records.get_mut(&record).expect("record").sensitive = value.map(str::to_string);
            // A record that he loses sight of by it stays marked all the same.
            allowed = rights.has(Action::Update);
            let name = if mark { "mark_sensitive" } else { "unmark_sensitive" };
            met(format!("{name}: {allowed}"));
            format!("SELECT leadguard.{name}({target}, {id}, 'marked')")
        }
        0 if table.shape.owner.is_some() => {
            let Some(value) = world.owner_value(table, to) else { return };
            changed.records.get_mut(&record).expect("record").owner = Some(value);
            allowed = rights.has(Action::Reassign);
            format!("SELECT leadguard.reassign({target}, {id}, owner => {key})")
        }
        kind => {
            let kind = if kind == 2 { Kind::Share } else { Kind::RecordTeam };
            let holder = Holder::Member(to);
            if changed.grant(&record, kind, holder, false).is_some() {
                return;
            }
            // Nobody gives more than he has.
            allowed = rights.has(Action::Share) && rights.and(Rights::level(level)) == Rights::level(level);
            changed.grants.push(Grant {
                record: record.clone(),
                kind,
                holder,
                level,
                until: Until::Always,
                retained: false,
            });
            if kind == Kind::Share {
                format!("SELECT leadguard.share({target}, {id}, {key}, '{}', 'given in a test')", level.name())
            } else {
                format!("SELECT leadguard.team_add({target}, {id}, {key}, '{}', 'given in a test')", level.name())
            }
        }
    };
    match sessions.people[number].simple_query(&sql) {
        Ok(_) => {
            met("given: ok");
            assert!(allowed, "given without the right: {sql}\nby {}", describe(world, Some(who), at));
            *world = after;
        }
        Err(e) => {
            let who = format!("{sql}\nby {} {}{:?}", login(number), describe(world, Some(who), at), e.as_db_error());
            assert!(!allowed, "refused in spite of the right: {who}");
            met("given: 42501");
            assert_eq!(sqlstate(&e), "42501", "{who}");
        }
    }
}
