//! Approvals that the running transaction has used up. What a savepoint takes back is forgotten with it, and the
//! approval is there again.

use crate::ffi::session::{self, Transaction};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;

/// One use: by whom, for what, in which command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub member: i64,
    pub target: Oid,
    pub kind: String,
    pub record: String,
    pub field: Option<String>,
    pub command: u32,
}

struct Held {
    by: Use,
    approval: i64,
    statement: i64,
    sub: u32,
}

thread_local! {
    static USED: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn find(this: &Use) -> Option<i64> {
    USED.with_borrow(|used| used.iter().find(|held| held.by == *this).map(|held| held.approval))
}

pub(super) fn remember(by: Use, approval: i64) {
    let held = Held { by, approval, statement: session::statement_time(), sub: session::subtransaction() };
    USED.with_borrow_mut(|used| {
        // Only commands of the running statement can ask again.
        used.retain(|other| other.statement == held.statement);
        used.push(held);
    });
}

pub(crate) fn on_transaction(event: Transaction) {
    USED.with(|used| {
        let Ok(mut used) = used.try_borrow_mut() else { return };
        match event {
            Transaction::SubAborted { sub } => used.retain(|held| held.sub != sub),
            Transaction::SubCommitted { sub, parent } => {
                used.iter_mut().filter(|held| held.sub == sub).for_each(|held| held.sub = parent);
            }
            Transaction::Ended(_) => used.clear(),
            _ => {}
        }
    });
}
