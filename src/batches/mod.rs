//! How many rows a member writes in one transaction, what lets him write more, and what is written down about it.
//!
//! counter  rows counted by member, table and operation
//! limit    what happens when there are too many
//! active   records that others work on are not cleaned up
//! exports  COPY TO
//! log      one row for each batch, before the transaction commits
//! requests asking for approvals, templates, overriding
//!
//! The guards count each row when it has passed all triggers. Invariants: what was counted for a limit never falls
//! before the transaction ends, whatever is rolled back; what the log says was written, and all of it.
//! Tests: tests/batches.

mod active;
mod counter;
pub(crate) mod exports;
mod limit;
mod log;
mod requests;

use crate::activity;
use crate::ffi::session::Transaction;
use crate::ffi::snapshot;
use crate::model::batch::Operation;
use crate::visibility::{Member, Subject, Table};
use counter::Key;
use pgrx::pg_sys::Oid;
use std::cell::Cell;

/// What lets a member exceed the limits of a table for an operation: decided before, and to be named in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cover {
    pub approval: Option<i64>,
    pub template: Option<i64>,
    pub self_approved: bool,
}

thread_local! {
    static COVERED: Cell<Option<Covered>> = const { Cell::new(None) };
}

#[derive(Debug, Clone, Copy)]
struct Covered {
    target: Oid,
    operation: Operation,
    cover: Cover,
    /// For so many more rows.
    left: u64,
}

impl Cover {
    /// Nobody has decided: the limit of the table is what it has to keep.
    fn is_bare(&self) -> bool {
        *self == Cover::default()
    }
}

/// Uses up one row of what covers writes of this operation to the table.
fn take_covered(target: Oid, operation: Operation) -> Option<Covered> {
    let covered = COVERED.get().filter(|c| c.target == target && c.operation.covers(operation) && c.left > 0)?;
    COVERED.set(Some(Covered { left: covered.left - 1, ..covered }));
    Some(covered)
}

/// Runs `body`, whose writes of this operation to the table are one batch (an import, a reassignment) that is covered.
/// It covers so many rows and no more: whatever triggers write beside them counts as ever.
pub(crate) fn covered<T>(target: Oid, operation: Operation, cover: Cover, rows: u64, body: impl FnOnce() -> T) -> T {
    struct Restore(Option<Covered>);
    impl Drop for Restore {
        fn drop(&mut self) {
            COVERED.set(self.0);
        }
    }
    let _restore = Restore(COVERED.replace(Some(Covered { target, operation, cover, left: rows })));
    body()
}

/// A row was written and has passed all triggers. Raises when it is one too many.
pub(crate) fn count(
    subject: &Subject,
    table: &Table,
    member: Option<&Member>,
    operation: Operation,
    record: impl FnOnce() -> String,
) {
    let switches = &table.rules.switches;
    if !switches.governed {
        return;
    }
    let covered = take_covered(table.target, operation);
    let key = Key {
        member: member.map(|member| member.id),
        target: table.target,
        operation: covered.map_or(operation, |c| c.operation),
        cover: covered.map(|c| c.cover),
    };
    let counted = counter::add(key, switches.batch_from, || counter::Of {
        member: member.map(|member| member.key.clone()),
        organization: match member {
            Some(member) => Some(member.org_id),
            None => table.organization_column.is_none().then_some(table.org_id),
        },
        self_approved: covered.map_or_else(|| subject.is_data_owner(), |c| c.cover.self_approved),
    });
    if counted.becomes_batch {
        counter::set_fingerprint(counted.entry, log::fingerprint());
    }
    // A cover that nobody has decided about lifts no limit: an import and what is inserted beside it are one.
    let Some(member) = member.filter(|_| covered.is_none_or(|c| c.cover.is_bare())) else { return };
    if operation.removes() && covered.is_none() {
        counter::await_check(counted.entry, record());
    }
    let limit = subject.access(table).limits.of(operation);
    let rows = counted.rows + counter::beside(&key);
    let recent = within_window(table, member, operation);
    let by_window = (recent > rows).then_some(i64::from(switches.batch_window));
    let rows = rows.max(recent);
    if rows > limit && rows > counted.up_to && !subject.is_data_owner() {
        let held = limit::exceeded(table, member, operation, rows, limit, by_window);
        counter::hold(counted.entry, held);
    }
}

/// The statement ends: records that it took away, with others, must not be somebody's work.
pub(crate) fn finish() {
    for due in counter::to_check() {
        if let Some(reason) = active::overridden(due.member, due.target) {
            counter::set_reason(due.entry, reason);
        } else {
            active::check(&due);
        }
        counter::checked(&due);
    }
}

/// How many rows the member has written in the last seconds, this one included, whatever became of the transactions; 0
/// where the table has no window, or the library is not preloaded.
fn within_window(table: &Table, member: &Member, operation: Operation) -> u64 {
    let seconds = table.rules.switches.batch_window;
    if seconds == 0 {
        return 0;
    }
    let rows = activity::window_add(member.id, table.target, operation.name(), 1, seconds.into());
    rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
}

pub(crate) fn on_transaction(event: Transaction) {
    match event {
        Transaction::Committing | Transaction::Preparing => {
            // The triggers that run at the end of a statement may be missing.
            if counter::is_unchecked() {
                snapshot::with_latest(finish);
            }
            log::write();
            exports::write(matches!(event, Transaction::Preparing));
        }
        Transaction::Ended(outcome) => {
            counter::clear();
            active::clear();
            exports::ended(outcome);
        }
        Transaction::SubCommitted { sub, parent } => {
            counter::hand_over(sub, parent);
            active::hand_over(sub, parent);
            exports::hand_over(sub, parent);
        }
        Transaction::SubAborted { sub } => {
            counter::drop_of(sub);
            active::drop_of(sub);
            exports::drop_of(sub);
        }
    }
}
