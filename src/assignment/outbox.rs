//! Owners that change: whom it concerns is told when the statement ends, in one write for all of its rows.
//!
//! What was noted belongs to the subtransaction that made the change, and goes with it.

use super::{owners, wake};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::people;
use crate::visibility;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;

/// A statement that changes more records than this tells each member how many, and not which.
const MOST_SINGLE: usize = 20;

const BY_ID: &str =
    concat!(include_str!("../../sql/query/owners_by_id.sql"), include_str!("../../sql/query/tell_owners.sql"));
const BY_KEY: &str =
    concat!(include_str!("../../sql/query/owners_by_key.sql"), include_str!("../../sql/query/tell_owners.sql"));

pub(super) struct Noted {
    sub: u32,
    pub target: Oid,
    pub organization: Option<i64>,
    record: String,
    pub before: Option<String>,
    pub after: Option<String>,
    /// The column holds keys, not ids.
    pub keys: bool,
    /// By a member.
    pub bound: bool,
}

thread_local! {
    static NOTED: RefCell<Vec<Noted>> = const { RefCell::new(Vec::new()) };
}

/// The owner of a record, as its column names him, is another one now.
pub(crate) fn owner_changed(
    target: Oid,
    organization: Option<i64>,
    record: &str,
    (before, after): (Option<&str>, Option<&str>),
    keys: bool,
) {
    let noted = Noted {
        sub: session::subtransaction(),
        target,
        organization,
        record: record.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        keys,
        bound: visibility::statement().member.is_some(),
    };
    NOTED.with_borrow_mut(|list| list.push(noted));
}

/// Tells what this (sub)transaction has noted, after a look at the new owners; at the end of the transaction all of it.
pub(super) fn flush(only: Option<u32>) {
    let mut taken = NOTED.with_borrow_mut(|list| {
        let (taken, kept): (Vec<Noted>, Vec<Noted>) =
            std::mem::take(list).into_iter().partition(|noted| only.is_none_or(|sub| noted.sub == sub));
        *list = kept;
        taken
    });
    // What belongs together stands together, wherever the rows were: a write for each table, not for each row.
    let group = |noted: &Noted| (u32::from(noted.target), noted.organization, noted.keys);
    taken.sort_by_key(group);
    for noted in taken.chunk_by(|a, b| group(a) == group(b)) {
        owners::demand(noted);
        write(noted);
    }
}

fn write(noted: &[Noted]) {
    let Some(first) = noted.first() else { return };
    let records: Vec<String> = noted.iter().map(|n| n.record.clone()).collect();
    let side = |of: fn(&Noted) -> &Option<String>| -> Vec<String> {
        noted.iter().map(|n| of(n).clone().unwrap_or_default()).collect()
    };
    let params = [
        Param::Oid(first.target),
        Param::Int(first.organization),
        Param::Texts(&records),
        Param::Texts(&side(|n| &n.before)),
        Param::Texts(&side(|n| &n.after)),
        Param::Bool(noted.len() > MOST_SINGLE),
    ];
    let after = side(|n| &n.after);
    people::settle(first.target, &records, &after, first.keys);
    withdraw_offers(first.target, &records, &after, first.keys);
    let text = if first.keys { BY_KEY } else { BY_ID };
    if as_extension(|| sql::query(text, &params, Sees::Now, &mut |_| {})) > 0 {
        wake::remember();
    }
}

/// An offer is the owner's: it ends with his ownership, whoever ends that.
pub(super) fn withdraw_offers(target: Oid, records: &[String], owners: &[String], keys: bool) {
    let params = [Param::Oid(target), Param::Texts(records), Param::Texts(owners), Param::Bool(keys)];
    as_extension(|| sql::query(include_str!("../../sql/query/offers_settle.sql"), &params, Sees::Now, &mut |_| {}));
}

pub(super) fn is_waiting() -> bool {
    NOTED.with_borrow(|list| !list.is_empty())
}

pub(super) fn hand_over(sub: u32, parent: u32) {
    NOTED.with_borrow_mut(|list| list.iter_mut().filter(|n| n.sub == sub).for_each(|n| n.sub = parent));
}

pub(super) fn drop_of(sub: u32) {
    NOTED.with_borrow_mut(|list| list.retain(|n| n.sub != sub));
}

pub(super) fn clear() {
    drop(NOTED.take());
}
