//! Writes of the extension itself that the rules of ordinary writes would refuse: handing a record over, archiving,
//! restoring, purging, erasing. Whoever calls has checked the right; the guards let this one record pass, and check
//! that nothing but the purpose happens to it.

use crate::assignment;
use crate::ffi::snapshot;
use crate::model::batch::Operation;
use crate::model::value::Value;
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Reassign,
    Archive,
    Restore,
    Purge,
    Erase,
    /// Marks a record as sensitive, or takes the mark away.
    Mark,
}

/// What a batch of such writes is called, and of those without a purpose.
pub(super) fn batch(purpose: Option<Purpose>) -> Operation {
    match purpose {
        Some(Purpose::Reassign) => Operation::Reassign,
        Some(Purpose::Archive) => Operation::Archive,
        Some(Purpose::Purge) => Operation::Delete,
        None | Some(Purpose::Restore | Purpose::Erase | Purpose::Mark) => Operation::Update,
    }
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

struct Held {
    sanction: Sanction,
    /// The one command that carries it out, once its triggers have fired.
    command: Cell<Option<u32>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Runs `body`, one statement, with these records exempt from the rules of ordinary writes.
pub(crate) fn sanction<T>(sanction: Sanction, body: impl FnOnce() -> T) -> T {
    struct Restore(Option<Held>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(Some(Held { sanction, command: Cell::new(None) })));
    body()
}

/// What is allowed just now on records of the table: for what is read, and for the start of the statement.
pub(crate) fn sanctioned(target: Oid) -> Option<Sanction> {
    CURRENT.with_borrow(|held| held.as_ref().map(|held| &held.sanction).filter(|s| s.target == target).cloned())
}

pub(crate) fn is_sanctioned(target: Oid, id: &Value) -> bool {
    let covers = |s: &Sanction| s.target == target && id.to_text().is_some_and(|id| s.covers(&id));
    CURRENT.with_borrow(|held| held.as_ref().is_some_and(|held| covers(&held.sanction)))
        || assignment::is_new(target, id)
}

/// Whether any record of the table is exempt just now.
pub(crate) fn exempts(target: Oid) -> bool {
    sanctioned(target).is_some() || assignment::is_routing(target)
}

/// What the command whose row trigger runs was sanctioned to do to the record. Statements of other triggers, which it
/// fires, are not meant.
pub(crate) fn carried_out_on(target: Oid, record: &str) -> Option<Sanction> {
    CURRENT.with_borrow(|held| {
        let held = held.as_ref().filter(|held| held.sanction.target == target && held.sanction.covers(record))?;
        let this = snapshot::command();
        let command = held.command.get().unwrap_or(this);
        held.command.set(Some(command));
        (command == this).then(|| held.sanction.clone())
    })
}

/// The same for an id as a row holds it.
pub(super) fn carried_out(target: Oid, id: &Value) -> Option<Sanction> {
    if CURRENT.with_borrow(|held| held.is_none()) {
        return None;
    }
    carried_out_on(target, &id.to_text()?)
}
