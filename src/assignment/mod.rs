//! Who gets a record: routing, handoffs, claims, and who is told.
//!
//! condition  what a record must say for a rule
//! router     the rules of a table put to a record
//! pool       who of a pool is next
//! insert     routing of new rows, for the guard
//! rule       setting rules
//! right      who may set rules and steps
//! route      routing on demand
//! step       setting the steps of handoffs
//! handoff    handing a record over
//! answer     what the receiver says to it
//! claim      claims and disputes
//! ghost      who works on records beside their owners
//! outbox     telling old and new owners
//! owners     new owners who are there
//! wake       NOTIFY at commit
//!
//! An owner changes by an UPDATE of the caller's own, whatever moves it (grants::reassign): guards, field rules and
//! triggers apply. Invariant: what is noted while a statement runs is written when it ends, or goes with what was rolled
//! back. Tests: tests/assignment.

mod answer;
mod claim;
mod condition;
mod ghost;
mod handoff;
mod insert;
mod outbox;
mod owners;
mod pool;
mod right;
mod route;
mod router;
mod rule;
mod step;
mod wake;

use crate::ffi::session::{self, Transaction, as_extension};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
pub(crate) use claim::{forget, merge};
pub(crate) use insert::{Answer, Inserts, chosen, is_new, is_routing, stored};
pub(crate) use outbox::owner_changed;
use pgrx::pg_sys::{self, Oid};

/// Puts a notification for a member into the outbox. detail is JSON, never with a value of the record.
pub(crate) fn tell(member: i64, kind: &str, target: Option<Oid>, record: Option<&str>, detail: Option<&str>) {
    let params = [
        Param::Int(Some(member)),
        Param::Text(Some(kind)),
        Param::Oid(target.unwrap_or(pg_sys::InvalidOid)),
        Param::Text(record),
        Param::Text(Some(detail.unwrap_or("{}"))),
    ];
    as_extension(|| {
        sql::query(
            "SELECT leadguard.tell($1, $2, nullif($3, 0::oid)::regclass, $4, $5::jsonb)",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    });
}

/// AFTER STATEMENT of a protected table: writes what this (sub)transaction has noted.
pub(crate) fn finish() {
    if is_waiting() {
        flush(Some(session::subtransaction()));
    }
}

fn flush(only: Option<u32>) {
    pool::flush(only);
    insert::flush(only);
    outbox::flush(only);
}

fn is_waiting() -> bool {
    pool::is_waiting() || insert::is_waiting() || outbox::is_waiting()
}

pub(crate) fn on_transaction(event: Transaction) {
    match event {
        Transaction::Committing | Transaction::Preparing => {
            if is_waiting() {
                // Nothing runs any more, so that there is no snapshot to write under.
                snapshot::with_latest(|| flush(None));
            }
            if matches!(event, Transaction::Committing) {
                wake::notify();
            }
        }
        Transaction::Ended(_) => {
            pool::clear();
            insert::clear();
            outbox::clear();
            wake::clear();
        }
        Transaction::SubCommitted { sub, parent } => {
            pool::hand_over(sub, parent);
            insert::hand_over(sub, parent);
            outbox::hand_over(sub, parent);
            wake::hand_over(sub, parent);
        }
        Transaction::SubAborted { sub } => {
            pool::drop_of(sub);
            insert::drop_of(sub);
            outbox::drop_of(sub);
            wake::drop_of(sub);
        }
    }
}
