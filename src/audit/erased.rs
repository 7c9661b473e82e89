//! Records whose values this transaction has taken out of the audit. A statement that changed one before, and ends later,
//! keeps nothing of it; what is written to a record of the same id afterwards is another story, and so is all when the
//! erasure is rolled back.

use crate::ffi::session;
use crate::ffi::snapshot;
use crate::ffi::trigger::Row;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::HashMap;

/// By which subtransaction, and which command of the transaction comes next.
struct Erasure {
    sub: u32,
    command: u32,
}

thread_local! {
    static ERASED: RefCell<HashMap<(Oid, String), Vec<Erasure>>> = RefCell::default();
}

pub(super) fn add(target: Oid, records: &[String]) {
    let (sub, command) = (session::subtransaction(), snapshot::next_command());
    ERASED.with_borrow_mut(|erased| {
        for record in records {
            erased.entry((target, record.clone())).or_default().push(Erasure { sub, command });
        }
    });
}

/// Whether the row was written before its values were erased.
pub(super) fn contains(target: Oid, record: &str, row: &Row) -> bool {
    ERASED.with_borrow(|erased| {
        if erased.is_empty() {
            return false;
        }
        let written = row.written_by();
        let found = erased.get(&(target, record.to_owned()));
        found.is_some_and(|all| all.iter().any(|erasure| written.is_none_or(|command| command < erasure.command)))
    })
}

pub(super) fn hand_over(sub: u32, parent: u32) {
    ERASED.with_borrow_mut(|erased| {
        erased.values_mut().flatten().filter(|erasure| erasure.sub == sub).for_each(|erasure| erasure.sub = parent);
    });
}

pub(super) fn drop_of(sub: u32) {
    ERASED.with_borrow_mut(|erased| {
        erased.retain(|_, all| {
            all.retain(|erasure| erasure.sub != sub);
            !all.is_empty()
        });
    });
}

pub(super) fn clear() {
    // Not while an error inside of one of the above unwinds: then the next transaction clears it.
    let _ = ERASED.with(|erased| erased.try_borrow_mut().map(|mut erased| erased.clear()));
}
