//! Whoever delivers notifications is woken once, when the transaction commits.
//!
//! A transaction that has said NOTIFY cannot be prepared for a two-phase commit; one that remembers that it will can. Of a
//! prepared one nobody is woken: what it told is in the outbox all the same.

use crate::ffi::session::{self, as_extension};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Sees};
use pgrx::pg_extern;
use std::cell::RefCell;

thread_local! {
    /// The subtransactions that have told somebody something.
    static TOLD: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn remember() {
    let sub = session::subtransaction();
    TOLD.with_borrow_mut(|subs| {
        if !subs.contains(&sub) {
            subs.push(sub);
        }
    });
}

/// For leadguard.tell.
#[pg_extern(sql = false)]
fn wake_at_commit() {
    remember();
}

/// The transaction is about to commit.
pub(super) fn notify() {
    if TOLD.with_borrow(Vec::is_empty) {
        return;
    }
    let text = "SELECT pg_notify('leadguard_notification', '')";
    snapshot::with_latest(|| as_extension(|| sql::query(text, &[], Sees::Now, &mut |_| {})));
}

pub(super) fn hand_over(sub: u32, parent: u32) {
    TOLD.with_borrow_mut(|subs| subs.iter_mut().filter(|held| **held == sub).for_each(|held| *held = parent));
}

pub(super) fn drop_of(sub: u32) {
    TOLD.with_borrow_mut(|subs| subs.retain(|held| *held != sub));
}

pub(super) fn clear() {
    drop(TOLD.take());
}
