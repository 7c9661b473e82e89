//! What members give away themselves: share, team_add and reassign over their own connections. Level full allows
//! it, anything less is refused, and what was given reaches the reference.

use crate::build::login;
use crate::checks::describe;
use crate::generate::{chance, pick};
use crate::reference;
use crate::sessions::{Sessions, sqlstate};
use crate::tally::met;
use crate::world::*;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;

pub fn round(rng: &mut StdRng, sessions: &mut Sessions, world: &mut World) {
    let (number, at) = (rng.random_range(0..LOGINS), rng.random_range(0..world.tables.len()));
    // Guests may not list colleagues; whom they may name is not this test's subject.
    let Some(me) = world.logins[number].filter(|m| world.members[m].active && world.members[m].kind == "person") else {
        return;
    };
    let table = &world.tables[at];
    let seen: Vec<String> = reference::visible(world, Some(me), table).into_iter().collect();
    let hidden = table.ids();
    let Some(record) = (if chance(rng, 85) { pick(rng, &seen) } else { pick(rng, &hidden) }) else { return };
    let org = table.records[&record].org;
    let Some(to) = pick(rng, &world.active_of(org)) else { return };
    let allowed = reference::level(world, me, table, &record) == Some(Level::Full);
    let (target, id, key) = (literal(&table.shape.name), literal(&record), literal(&world.members[&to].key));
    let level = *Level::ALL.choose(rng).expect("level");

    let mut after = world.clone();
    let changed = &mut after.tables[at];
    let sql = match rng.random_range(0..3) {
        0 if table.shape.owner.is_some() => {
            let Some(value) = world.owner_value(table, to) else { return };
            changed.records.get_mut(&record).expect("record").owner = Some(value);
            format!("SELECT leadguard.reassign({target}, {id}, owner => {key})")
        }
        kind => {
            let share = kind == 2;
            let holder = Holder::Member(to);
            if changed.grant(&record, share, holder, false).is_some() {
                return;
            }
            changed.grants.push(Grant {
                record: record.clone(),
                share,
                holder,
                level,
                until: Until::Always,
                retained: false,
            });
            if share {
                format!("SELECT leadguard.share({target}, {id}, {key}, '{}', 'given in a test')", level.name())
            } else {
                format!("SELECT leadguard.team_add({target}, {id}, {key}, '{}')", level.name())
            }
        }
    };
    match sessions.people[number].simple_query(&sql) {
        Ok(_) => {
            met("given: ok");
            assert!(allowed, "given without level full: {sql}\nby {}", describe(world, Some(me)));
            *world = after;
        }
        Err(e) => {
            let who = format!("{sql}\nby {} {}{:?}", login(number), describe(world, Some(me)), e.as_db_error());
            assert!(!allowed, "refused in spite of level full: {who}");
            met("given: 42501");
            assert_eq!(sqlstate(&e), "42501", "{who}");
        }
    }
}
