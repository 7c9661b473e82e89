//! The functions that the policies call.
//!
//! Each call site resolves who asks on its first row and keeps it for the execution: an open cursor never
//! mixes two members. What a site keeps is checked against the snapshot on every row, because PL/pgSQL keeps
//! the sites of simple expressions for a whole transaction.

use super::subject::{self, Mapped, Subject, Table};
use crate::ffi::call::{self, Call};
use crate::ffi::snapshot::{self, Fingerprint};
use crate::model::value::Kind;
use crate::{guard, identity};
use pgrx::pg_sys::{Datum, Oid};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

thread_local! {
    static EXECUTING: Cell<u32> = const { Cell::new(0) };
}

/// Whether an execution that calls a policy function is open.
pub(crate) fn executing() -> bool {
    EXECUTING.get() > 0
}

/// Which state a site asks for.
type Find = fn() -> Rc<Subject>;
type State = fn() -> Option<Fingerprint>;

struct Bound {
    state: Option<Fingerprint>,
    serial: u64,
    subject: Rc<Subject>,
    table: Rc<Option<Table>>,
}

struct Site {
    kinds: [Option<Kind>; 4],
    bound: RefCell<Rc<Bound>>,
}

impl Site {
    fn new(call: &Call, target: Oid, find: Find, state: State) -> Site {
        let bound = bind(target, find, state);
        EXECUTING.set(EXECUTING.get() + 1);
        Site { kinds: [1, 2, 3, 4].map(|index| call.argument_kind(index)), bound: RefCell::new(Rc::new(bound)) }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        EXECUTING.set(EXECUTING.get().saturating_sub(1));
    }
}

fn bind(target: Oid, find: Find, state: State) -> Bound {
    let subject = find();
    let table = subject.table(target);
    Bound { state: state(), serial: identity::serial(), subject, table }
}

fn truth(value: bool) -> Datum {
    Datum::from(usize::from(value))
}

/// Resolves site and row of a call (target, id, owner, territory, organization) and judges them. A missing
/// table registration or a NULL target is "no".
fn judge(call: &Call, find: Find, state: State, rule: impl FnOnce(&Subject, &Table, &Mapped) -> bool) -> Datum {
    let Some(target) = call.oid_argument(0) else { return truth(false) };
    let site = call::borrow(call.state(|| Site::new(call, target, find, state)));
    let mut bound = Rc::clone(&site.bound.borrow());
    if bound.state != state() || bound.serial != identity::serial() {
        bound = Rc::new(bind(target, find, state));
        site.bound.replace(Rc::clone(&bound));
    }
    let Some(table) = bound.table.as_ref() else { return truth(false) };
    let row = Mapped {
        id: (call.value(1, site.kinds[0]), site.kinds[0]),
        owner: (call.value(2, site.kinds[1]), site.kinds[1]),
        territory: (call.value(3, site.kinds[2]), site.kinds[2]),
        organization: call.value(4, site.kinds[3]),
    };
    truth(rule(&bound.subject, table, &row))
}

/// Whether the member may read the row, in the state that the statement sees.
pub(crate) fn visible(call: &Call) -> Datum {
    judge(call, subject::statement, snapshot::active, |subject, table, row| {
        subject.reads(table, row) || guard::is_sanctioned(table.target, &row.id.0)
    })
}

/// The same in the newest state: a row that changed while the statement waited for it is judged again, and
/// whoever lost access meanwhile neither gets nor changes it.
pub(crate) fn still_visible(call: &Call) -> Datum {
    judge(call, subject::now, snapshot::latest, |subject, table, row| {
        subject.reads(table, row) || guard::is_sanctioned(table.target, &row.id.0)
    })
}

/// Whether the member may insert the row as it is about to be stored.
pub(crate) fn acceptable(call: &Call) -> Datum {
    judge(call, subject::statement, snapshot::active, |subject, table, row| {
        guard::rules::insert(subject, table, row).is_ok()
    })
}
