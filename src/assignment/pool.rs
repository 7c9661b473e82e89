//! Who of a pool is next.
//!
//! Whoever serves from a pool locks its rule until his transaction ends, so that two sessions never serve the same turn.
//! Within a statement the turn is kept here and written down when the statement ends: a row that changes thousands of
//! times in one transaction gets slow. Invariant: what is kept goes with the subtransaction that made it.

use crate::directory::Counting;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::model::level::Level;
use crate::model::path::Path;
use crate::visibility::Table;
use crate::visibility::subject;
use std::cell::RefCell;

/// A member as columns name him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub id: i64,
    pub key: String,
}

#[derive(Clone)]
struct Candidate {
    person: Person,
    position: i64,
    /// How many records he may still get.
    room: Option<i64>,
}

/// The pool of a rule, locked.
struct Open {
    rule: i64,
    turn: i64,
    candidates: Vec<Candidate>,
}

struct Served {
    sub: u32,
    rule: i64,
    member: i64,
    position: i64,
}

#[derive(Default)]
struct State {
    open: Vec<Open>,
    served: Vec<Served>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// The member whose turn it is; None where nobody of the pool can take a record. Serving uses the turn up.
pub(super) fn next(rule: i64, table: &Table) -> Option<Person> {
    if !STATE.with_borrow(|state| state.open.iter().any(|open| open.rule == rule)) {
        let open = open(rule, table, true)?;
        STATE.with_borrow_mut(|state| state.open.push(open));
    }
    let sub = session::subtransaction();
    STATE.with_borrow_mut(|state| {
        let State { open, served } = state;
        let open = open.iter_mut().find(|open| open.rule == rule)?;
        let chosen = choose(open)?;
        let candidate = &mut open.candidates[chosen];
        candidate.room = candidate.room.map(|room| room - 1);
        open.turn = candidate.position;
        served.push(Served { sub, rule, member: candidate.person.id, position: candidate.position });
        Some(candidate.person.clone())
    })
}

/// Whose turn it would be, without a lock.
pub(super) fn peek(rule: i64, table: &Table) -> Option<Person> {
    let open = open(rule, table, false)?;
    choose(&open).map(|chosen| open.candidates[chosen].person.clone())
}

/// The first one after the turn who has room, or from the beginning.
fn choose(open: &Open) -> Option<usize> {
    let has_room = |index: &usize| open.candidates[*index].room.is_none_or(|room| room > 0);
    let start = open.candidates.iter().position(|c| c.position > open.turn).unwrap_or(0);
    let count = open.candidates.len();
    (0..count).map(|step| (start + step) % count).find(has_room)
}

fn open(rule: i64, table: &Table, lock: bool) -> Option<Open> {
    let params = [Param::Int(Some(rule))];
    let turn = as_extension(|| {
        let text = if lock {
            "SELECT turn::bigint FROM leadguard.assignment_rule WHERE id = $1 FOR NO KEY UPDATE"
        } else {
            "SELECT turn::bigint FROM leadguard.assignment_rule WHERE id = $1"
        };
        sql::first_int(text, &params, Sees::Now)
    })?;
    let mut members = Vec::new();
    as_extension(|| {
        sql::query(
            "SELECT m.id, m.key, p.position::bigint, p.capacity FROM leadguard.assignment_pool p \
             JOIN leadguard.assignment_rule r ON r.id = p.rule_id \
             JOIN leadguard.member m ON m.id = p.member_id AND m.org_id = r.org_id \
             WHERE p.rule_id = $1 AND m.active AND m.kind <> 'guest' \
             AND NOT EXISTS (SELECT FROM leadguard.offboarding o WHERE o.member_id = m.id AND o.state = 'leaving') ORDER BY p.position",
            &params,
            Sees::Now,
            &mut |row| {
                if let (Some(id), Some(key), Some(position)) = (row.int(0), row.text(1), row.int(2)) {
                    members.push((Person { id, key }, position, row.int(3)));
                }
            },
        )
    });
    members.retain(|(person, ..)| may_own(person.id, table));
    let counting = members.iter().any(|(.., capacity)| capacity.is_some()).then(|| Counting::of(table));
    let candidates = members
        .into_iter()
        .map(|(person, position, capacity)| {
            let owned = |counting: &Counting| as_extension(|| counting.owned(person.id, &person.key));
            let room = capacity.map(|capacity| capacity - counting.as_ref().map_or(0, owned));
            Candidate { person, position, room }
        })
        .collect();
    let mut open = Open { rule, turn, candidates };
    // What outer statements have served and not written yet.
    STATE.with_borrow(|state| {
        for served in state.served.iter().filter(|served| served.rule == rule) {
            open.turn = served.position;
            for candidate in open.candidates.iter_mut().filter(|c| c.person.id == served.member) {
                candidate.room = candidate.room.map(|room| room - 1);
            }
        }
    });
    Some(open)
}

/// Whether a member would read what he owns, and is more than a reader.
pub(super) fn may_own(member: i64, table: &Table) -> bool {
    let subject = subject::newest(member);
    let access = subject.access(table);
    subject.member.as_ref().is_some_and(|m| !m.guest && m.level_cap != Some(Level::Read))
        && (access.reads(Path::Own) || access.reads_everything())
}

/// Writes down what this (sub)transaction has served; at the end of the transaction all of it.
pub(super) fn flush(only: Option<u32>) {
    let served = STATE.with_borrow_mut(|state| {
        state.open.clear();
        let (taken, kept): (Vec<Served>, Vec<Served>) =
            std::mem::take(&mut state.served).into_iter().partition(|s| only.is_none_or(|sub| s.sub == sub));
        state.served = kept;
        taken
    });
    if served.is_empty() {
        return;
    }
    let mut turns: Vec<(i64, i64)> = Vec::new();
    let mut counts: Vec<(i64, i64, i64)> = Vec::new();
    for one in &served {
        match turns.iter_mut().find(|(rule, _)| *rule == one.rule) {
            Some((_, turn)) => *turn = one.position,
            None => turns.push((one.rule, one.position)),
        }
        match counts.iter_mut().find(|(rule, member, _)| (*rule, *member) == (one.rule, one.member)) {
            Some((.., count)) => *count += 1,
            None => counts.push((one.rule, one.member, 1)),
        }
    }
    as_extension(|| {
        for (rule, turn) in turns {
            let params = [Param::Int(Some(rule)), Param::Int(Some(turn))];
            let text = "UPDATE leadguard.assignment_rule SET turn = $2 WHERE id = $1";
            sql::query(text, &params, Sees::Now, &mut |_| {});
        }
        for (rule, member, count) in counts {
            let params = [Param::Int(Some(rule)), Param::Int(Some(member)), Param::Int(Some(count))];
            let text =
                "UPDATE leadguard.assignment_pool SET assigned = assigned + $3 WHERE rule_id = $1 AND member_id = $2";
            sql::query(text, &params, Sees::Now, &mut |_| {});
        }
    });
}

pub(super) fn is_waiting() -> bool {
    STATE.with_borrow(|state| !state.served.is_empty() || !state.open.is_empty())
}

pub(super) fn hand_over(sub: u32, parent: u32) {
    STATE.with_borrow_mut(|state| state.served.iter_mut().filter(|s| s.sub == sub).for_each(|s| s.sub = parent));
}

/// The locks of a subtransaction are gone with it.
pub(super) fn drop_of(sub: u32) {
    STATE.with_borrow_mut(|state| {
        state.open.clear();
        state.served.retain(|s| s.sub != sub);
    });
}

pub(super) fn clear() {
    drop(STATE.take());
}
