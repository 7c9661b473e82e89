//! Routing of new rows. The guard asks for each row without an owner; the rules of INSERT let the answer pass, because
//! it is not the inserting member who chose.
//!
//! What was answered is known by the record until its row is stored, for the policies and for the guard that judges the
//! stored row. Territories' members join the record's team when the statement ends.

use super::outbox;
use super::pool::Person;
use super::router::{self, Place, Routed, Router};
use crate::audit::{self, Event};
use crate::directory;
use crate::ffi::row::Attribute;
use crate::ffi::session;
use crate::ffi::snapshot;
use crate::ffi::trigger::Row;
use crate::model::value::{Kind, Value};
use crate::visibility::member::named;
use crate::visibility::{self, Mapped, Member, Part, Table};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::HashMap;

/// The rules for new rows of one relation, for the inserting member's organization.
pub(crate) struct Inserts {
    router: Router,
}

impl Inserts {
    /// None where nothing is routed.
    pub(crate) fn of(table: &Table, member: &Member, attributes: &[Attribute]) -> Option<Inserts> {
        if !table.rules.switches.routes_inserts || table.owner_column.is_none() || !session::is_governed() {
            return None;
        }
        let rules = router::rules(table, member.org_id);
        if rules.is_empty() {
            return None;
        }
        expect(table.target);
        Some(Inserts { router: Router::new(rules, attributes, table, member.org_id) })
    }

    pub(crate) fn route(&self, row: &Row) -> Option<Answer> {
        self.router.route(&row.values(), true).map(Answer)
    }
}

/// Who and where.
pub(crate) struct Answer(Routed);

impl Answer {
    pub(crate) fn owner(&self, kind: Kind) -> Option<Value<'_>> {
        self.0.owner.as_ref().map(|Person { id, key }| named(*id, key, kind))
    }

    pub(crate) fn territory(&self, kind: Kind) -> Option<Value<'_>> {
        self.0.territory.as_ref().map(|Place { id, key }| named(*id, key, kind))
    }

    /// The row is about to be stored so.
    pub(crate) fn expected(&self, target: Oid, record: String, owner: Option<String>, territory: Option<String>) {
        let command = snapshot::command();
        let pending = Pending { command, owner, territory, routed: self.0.clone() };
        STATE.with_borrow_mut(|state| state.pending.insert((target, record), pending));
    }
}

struct Pending {
    command: u32,
    owner: Option<String>,
    territory: Option<String>,
    routed: Routed,
}

struct Stored {
    sub: u32,
    target: Oid,
    organization: i64,
    member: i64,
    record: String,
    routed: Routed,
}

#[derive(Default)]
struct State {
    /// Which commands of the client's statement route rows of which tables.
    time: i64,
    expecting: Vec<(u32, Oid)>,
    pending: HashMap<(Oid, String), Pending>,
    stored: Vec<Stored>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn expect(target: Oid) {
    let (time, command) = (session::statement_time(), snapshot::command());
    STATE.with_borrow_mut(|state| {
        if state.time != time {
            state.time = time;
            state.expecting.clear();
            state.pending.clear();
        }
        if !state.expecting.contains(&(command, target)) {
            state.expecting.push((command, target));
        }
    });
}

/// Whether the running command routes new rows of the table.
pub(crate) fn is_routing(target: Oid) -> bool {
    STATE.with_borrow(|state| {
        !state.expecting.is_empty()
            && state.time == session::statement_time()
            && state.expecting.contains(&(snapshot::command(), target))
    })
}

/// Whether the running command inserts the record for somebody whom a rule chose: whoever inserts it may get it back.
/// An INSERT that meets a record of this id is no way to see it: another part of the command may be reading.
pub(crate) fn is_new(target: Oid, id: &Value) -> bool {
    is_routing(target)
        && id.to_text().is_some_and(|id| {
            let command = snapshot::command();
            STATE.with_borrow(|s| s.pending.get(&(target, id)).is_some_and(|pending| pending.command == command))
        })
        && !Option::as_ref(&visibility::statement().table(target)).is_none_or(|table| directory::is_there(table, id))
}

/// What of a new row a rule chose: (the owner, the territory).
pub(crate) fn chosen(target: Oid, row: &Mapped) -> (bool, bool) {
    if !is_routing(target) {
        return (false, false);
    }
    let Some(id) = row.text(Part::Id) else { return (false, false) };
    STATE.with_borrow(|state| {
        let Some(pending) = state.pending.get(&(target, id)) else { return (false, false) };
        let is = |expected: &Option<String>, part| expected.is_some() && *expected == row.text(part);
        (is(&pending.owner, Part::Owner), is(&pending.territory, Part::Territory))
    })
}

/// A row passed all triggers.
pub(crate) fn stored(table: &Table, member: &Member, row: &Mapped) {
    if !is_routing(table.target) {
        return;
    }
    let Some(record) = row.text(Part::Id) else { return };
    let pending = STATE.with_borrow_mut(|state| state.pending.remove(&(table.target, record.clone())));
    let Some(Pending { routed, .. }) = pending else { return };
    let owner = row.held(Part::Owner);
    if owner.is_some_and(|(owner, kind)| owner != member.named(kind)) {
        let keys = owner.is_some_and(|(_, kind)| !kind.is_int());
        let after = row.text(Part::Owner);
        outbox::owner_changed(table.target, Some(member.org_id), &record, (None, after.as_deref()), keys);
    }
    let stored = Stored {
        sub: session::subtransaction(),
        target: table.target,
        organization: member.org_id,
        member: member.id,
        record,
        routed,
    };
    STATE.with_borrow_mut(|state| state.stored.push(stored));
}

/// Carries out what follows from rows that this (sub)transaction stored; at the end of the transaction from all.
pub(super) fn flush(only: Option<u32>) {
    let mut stored = STATE.with_borrow_mut(|state| {
        let (taken, kept): (Vec<Stored>, Vec<Stored>) =
            std::mem::take(&mut state.stored).into_iter().partition(|s| only.is_none_or(|sub| s.sub == sub));
        state.stored = kept;
        taken
    });
    let group = |stored: &Stored| (u32::from(stored.target), stored.organization);
    stored.sort_by_key(group);
    for stored in stored.chunk_by(|a, b| group(a) == group(b)) {
        let Some(first) = stored.first() else { continue };
        let joining: Vec<(String, i64)> =
            stored.iter().filter_map(|s| Some((s.record.clone(), s.routed.territory.as_ref()?.id))).collect();
        if !joining.is_empty() {
            router::join_team(first.target, &joining, Some(first.member));
        }
        note(first, stored);
    }
}

/// One event for each rule.
fn note(first: &Stored, stored: &[Stored]) {
    let mut rules: Vec<&str> = stored.iter().map(|s| s.routed.rule.as_str()).collect();
    rules.sort_unstable();
    for rule in rules.chunk_by(|a, b| a == b) {
        let name = rule.first().copied().unwrap_or_default();
        let single = (stored.len() == 1).then_some(first.record.as_str());
        let detail = match single {
            Some(_) => format!("rule {name}"),
            None => format!("rule {name}, {} new records", rule.len()),
        };
        let event = Event {
            target: Some(first.target),
            record: single,
            action: "route",
            reason: None,
            approval: None,
            detail: Some(detail),
        };
        audit::event_of(&event, Some(first.organization));
    }
}

pub(super) fn is_waiting() -> bool {
    STATE.with_borrow(|state| !state.stored.is_empty())
}

pub(super) fn hand_over(sub: u32, parent: u32) {
    STATE.with_borrow_mut(|state| state.stored.iter_mut().filter(|s| s.sub == sub).for_each(|s| s.sub = parent));
}

pub(super) fn drop_of(sub: u32) {
    STATE.with_borrow_mut(|state| state.stored.retain(|s| s.sub != sub));
}

pub(super) fn clear() {
    drop(STATE.take());
}
