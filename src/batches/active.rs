//! Records that others work on are not cleaned up with many others, unless a data owner says so, with a reason (K55).

use super::counter::Due;
use crate::errors::refused;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::names;
use crate::visibility;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;

struct Override {
    sub: u32,
    member: i64,
    target: Oid,
    reason: String,
}

thread_local! {
    static OVERRIDES: RefCell<Vec<Override>> = const { RefCell::new(Vec::new()) };
}

/// The running transaction may take away what others work on.
pub(super) fn override_for(member: i64, target: Oid, reason: &str) {
    let made = Override { sub: session::subtransaction(), member, target, reason: reason.to_owned() };
    OVERRIDES.with_borrow_mut(|overrides| overrides.push(made));
}

pub(super) fn overridden(member: i64, target: Oid) -> Option<String> {
    OVERRIDES.with_borrow(|overrides| {
        let found = overrides.iter().rev().find(|o| o.member == member && o.target == target);
        found.map(|o| o.reason.clone())
    })
}

/// 42501 with the number of records that others changed, claimed or have in handoff.
pub(super) fn check(due: &Due) {
    let subject = visibility::statement();
    let table = subject.table(due.target);
    let Some(days) = Option::as_ref(&table).map(|table| i64::from(table.rules.switches.active_days)) else { return };
    if days == 0 {
        return;
    }
    let params =
        [Param::Oid(due.target), Param::Texts(&due.records), Param::Int(Some(due.member)), Param::Int(Some(days))];
    let mut active: Vec<String> = Vec::new();
    as_extension(|| {
        let mut ask = |query: &'static str| {
            sql::query(query, &params, Sees::Now, &mut |row| active.extend(row.text(0)));
        };
        ask(include_str!("../../sql/query/active_changed.sql"));
        ask(include_str!("../../sql/query/active_claimed.sql"));
        ask(include_str!("../../sql/query/active_handoff.sql"));
    });
    active.sort();
    active.dedup();
    if active.is_empty() {
        return;
    }
    let (shown, what) = (names::shown(due.target), due.operation.name());
    refused(format!(
        "{what} of {} records of {shown} refused: others work on {} of them",
        due.records.len(),
        active.len()
    ))
    .detail(format!("They were changed by other members, claimed or in handoff within {days} days."))
    .hint(format!(
        "Leave these out, or have a data owner call leadguard.override_activity({}, <reason>) in the transaction.",
        names::literal(&shown)
    ))
    .raise()
}

pub(super) fn clear() {
    let _ = OVERRIDES.with(|overrides| overrides.try_borrow_mut().map(|mut overrides| overrides.clear()));
}

pub(super) fn hand_over(sub: u32, parent: u32) {
    OVERRIDES.with_borrow_mut(|overrides| {
        overrides.iter_mut().filter(|o| o.sub == sub).for_each(|o| o.sub = parent);
    });
}

pub(super) fn drop_of(sub: u32) {
    OVERRIDES.with_borrow_mut(|overrides| overrides.retain(|o| o.sub != sub));
}
