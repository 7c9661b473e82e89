//! Writes of the extension itself that the rules of ordinary writes would refuse: handing a record over, archiving,
//! restoring, purging, erasing. Whoever calls has checked the right; the guards let this one record pass, and check
//! that nothing but the purpose happens to it.

use crate::model::value::Value;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Reassign,
    Archive,
    Restore,
    Purge,
    Erase,
}

#[derive(Debug, Clone)]
pub(crate) struct Sanction {
    pub target: Oid,
    /// Ids in their canonical text form.
    pub records: Rc<HashSet<String>>,
    pub purpose: Purpose,
    /// What the audit says about it.
    pub reason: Option<String>,
    pub approval: Option<i64>,
}

impl Sanction {
    pub(crate) fn of(target: Oid, record: &str, purpose: Purpose, reason: Option<&str>) -> Sanction {
        Sanction {
            target,
            records: Rc::new(HashSet::from([record.to_owned()])),
            purpose,
            reason: reason.map(str::to_owned),
            approval: None,
        }
    }

    pub(crate) fn covers(&self, record: &str) -> bool {
        self.records.contains(record)
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Sanction>> = const { RefCell::new(None) };
}

/// Runs `body` with these records exempt from the rules of ordinary writes.
pub(crate) fn sanction<T>(sanction: Sanction, body: impl FnOnce() -> T) -> T {
    struct Restore(Option<Sanction>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(Some(sanction)));
    body()
}

/// What is allowed just now on a record of the table.
pub(crate) fn sanctioned(target: Oid) -> Option<Sanction> {
    CURRENT.with_borrow(|held| held.as_ref().filter(|s| s.target == target).cloned())
}

/// The same for one record.
pub(crate) fn sanctioned_record(target: Oid, id: &Value) -> Option<Sanction> {
    CURRENT.with_borrow(|held| {
        held.as_ref().filter(|s| s.target == target && id.to_text().is_some_and(|id| s.covers(&id))).cloned()
    })
}

pub(crate) fn is_sanctioned(target: Oid, id: &Value) -> bool {
    CURRENT.with_borrow(|held| {
        held.as_ref().is_some_and(|s| s.target == target && id.to_text().is_some_and(|id| s.covers(&id)))
    })
}
