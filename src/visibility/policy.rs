//! The functions that the policies call.
//!
//! Each call site resolves who asks on its first row and keeps it for the execution: an open cursor never
//! mixes two members. What a site keeps is checked against the snapshot on every row, because PL/pgSQL keeps
//! the sites of simple expressions for a whole transaction.

use super::arm::{self, Arm, Verdict};
use super::subject::{self, Subject};
use super::table::{Mapped, Part, Table};
use crate::batches::exports;
use crate::errors::{bad_argument, bug, failure};
use crate::ffi::call::{self, Call};
use crate::ffi::probe::Site;
use crate::ffi::snapshot::{self, Fingerprint};
use crate::model::value::{Kind, Value};
use crate::planner::plans;
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

pub(crate) fn site_opened() {
    EXECUTING.set(EXECUTING.get() + 1);
}

pub(crate) fn site_closed() {
    EXECUTING.set(EXECUTING.get().saturating_sub(1));
}

fn truth(value: bool) -> Datum {
    Datum::from(usize::from(value))
}

/// One arm of the policy for one row: (target, value of its column). The guarded way; most rows are answered
/// by ffi::probe alone.
pub(crate) fn arm(call: &Call, arm: Arm) -> Datum {
    let Some(target) = call.oid_argument(0) else { return truth(false) };
    let site = call::borrow(call.state(|| Site::new(call.argument_kind(1))));
    let Some(kind) = site.kind() else { return truth(false) };
    let value = call.value(1, Some(kind));
    if site.is_current(target) {
        // Keys that are no integers come here for every row.
        match site.verdict() {
            Verdict::Always(answer) => return truth(answer),
            Verdict::OneOf(set) => return truth(set.contains(&value)),
            Verdict::Ask => {}
        }
    }
    let subject = subject::statement();
    let table = subject.table(target);
    if !site.is_current(target) {
        bind(site, target, arm, kind, &subject, &table);
    }
    truth(match site.verdict() {
        Verdict::Always(truth) => truth,
        Verdict::OneOf(set) => set.contains(&value),
        Verdict::Ask => {
            let Some(table_of) = table.as_ref() else { return truth(false) };
            let visible = subject.is_granted(table_of, &value, kind);
            if subject.granted_records_at_hand(table_of, kind).is_some() {
                bind(site, target, arm, kind, &subject, &table);
            }
            visible || guard::is_sanctioned(target, &value)
        }
    })
}

fn bind(site: &Site, target: Oid, arm: Arm, kind: Kind, subject: &Subject, table: &Option<Table>) {
    let Some(state) = snapshot::active() else { bug("a policy without a snapshot") };
    exports::seen(subject, table);
    site.bind(target, state, identity::serial(), arm::verdict(subject, table, arm, kind));
}

/// The type of the values that a set is asked for. Only the planner knows what to do with a set, and it asks in
/// these types.
fn asked_kind(call: &Call) -> Kind {
    call.exact_kind(1).unwrap_or_else(|| {
        bad_argument("kind must be a NULL of type bigint, text or uuid")
            .hint("This function is for plans of protected tables.")
            .raise()
    })
}

/// The values that an arm lets pass, as an array for an index: (target, a NULL of the element type).
pub(crate) fn values(call: &Call, arm: Arm) -> Datum {
    struct Held(Cell<Option<(Oid, Fingerprint, u64, Datum)>>);
    let kind = asked_kind(call);
    let Some(target) = call.oid_argument(0) else { return call.array(kind, &[]) };
    let held = call::borrow(call.state(|| Held(Cell::new(None))));
    if let Some((table, state, serial, array)) = held.0.get()
        && table == target
        && serial == identity::serial()
        && snapshot::is_active(&state)
    {
        return array;
    }
    let Some(state) = snapshot::active() else { bug("a policy without a snapshot") };
    let subject = subject::statement();
    let table = subject.table(target);
    exports::seen(&subject, &table);
    let values = arm::values(&subject, &table, arm, kind);
    let array = call.array(kind, &values.values().collect::<Vec<_>>());
    held.0.set(Some((target, state, identity::serial(), array)));
    array
}

/// The lowest id there can be, for members who reach everything; NULL for everybody else: (target, a NULL of
/// the id's type). An index on the id then finds all rows, or none at no cost.
pub(crate) fn from(call: &Call) -> Datum {
    let kind = asked_kind(call);
    let Some(target) = call.oid_argument(0) else { return call.null() };
    let subject = subject::statement();
    let table = subject.table(target);
    exports::seen(&subject, &table);
    if !arm::reaches_all(&subject, &table) {
        return call.null();
    }
    let lowest = match kind {
        Kind::Text => Value::Text(""),
        Kind::Uuid => Value::Uuid([0; 16]),
        _ => Value::Int(i64::MIN),
    };
    call.result(&lowest, kind)
}

/// The gate of a plan that was made for somebody who sees every row of the table, and therefore looks at none.
/// It lets such a member pass, shows nothing to those who see nothing, and stops everybody else: somebody who lost
/// the right while his query was being planned, or in a transaction that keeps the plan of an earlier statement.
pub(crate) fn gate(call: &Call) -> Datum {
    pass(call, arm::sees_all)
}

/// The same for plans that look at the mark of sensitive rows and at nothing else.
pub(crate) fn gate_unmarked(call: &Call) -> Datum {
    pass(call, arm::sees_all_unmarked)
}

fn pass(call: &Call, opens: fn(&Subject, &Option<Table>) -> bool) -> Datum {
    let Some(target) = call.oid_argument(0) else { return truth(false) };
    let site = call::borrow(call.state(|| Site::new(None)));
    if !site.is_current(target) {
        let subject = subject::statement();
        let table = subject.table(target);
        exports::seen(&subject, &table);
        let open = opens(&subject, &table);
        if !open && !arm::sees_nothing(&subject, &table) {
            plans::forget();
            failure("40001", "what this session may see changed since its query was planned")
                .hint("Run the transaction again.")
                .raise();
        }
        let Some(state) = snapshot::active() else { bug("a policy without a snapshot") };
        site.bind(target, state, identity::serial(), Verdict::Always(open));
    }
    truth(matches!(site.verdict(), Verdict::Always(true)))
}

/// Which state a row is judged in.
type Find = fn() -> Rc<Subject>;
type State = fn() -> Option<Fingerprint>;

struct Bound {
    state: Option<Fingerprint>,
    serial: u64,
    subject: Rc<Subject>,
    table: Rc<Option<Table>>,
}

/// A call site that looks at all mapped columns.
struct WholeSite {
    /// Which argument is what, with its kind.
    columns: Vec<(usize, Part, Option<Kind>)>,
    bound: RefCell<Rc<Bound>>,
}

/// The columns of policies that name no parts: those of tables that map nothing else.
const PLAIN: [Part; 4] = [Part::Id, Part::Owner, Part::Territory, Part::Organization];

impl WholeSite {
    fn new(call: &Call, target: Oid, first: usize, parts: Vec<Part>, find: Find, state: State) -> WholeSite {
        let bound = Bound::new(target, find, state);
        let columns = parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| (first + index, part, call.argument_kind(first + index)))
            .collect();
        site_opened();
        WholeSite { columns, bound: RefCell::new(Rc::new(bound)) }
    }

    fn row<'a>(&self, call: &'a Call) -> Mapped<'a> {
        let mut row = Mapped::new();
        for (index, part, kind) in &self.columns {
            if *part == Part::Sensitive {
                row.sensitive = call.is_marked(*index);
            } else {
                row.put(*part, call.value(*index, *kind), *kind);
            }
        }
        row
    }
}

impl Drop for WholeSite {
    fn drop(&mut self) {
        site_closed();
    }
}

impl Bound {
    fn new(target: Oid, find: Find, state: State) -> Bound {
        let subject = find();
        let table = subject.table(target);
        exports::seen(&subject, &table);
        Bound { state: state(), serial: identity::serial(), subject, table }
    }
}

/// The parts that a policy names, in the order of the columns that follow; 22023 for a name that is none.
pub(crate) fn parts(names: &str) -> Vec<Part> {
    let known =
        |name: &str| Part::parse(name).unwrap_or_else(|| bad_argument(format!("no part is called \"{name}\"")).raise());
    names.split_ascii_whitespace().map(known).collect()
}

/// Resolves site and row of a call (target, id, owner, territory, organization) and judges them. A missing
/// table registration or a NULL target is "no".
fn judge(call: &Call, find: Find, state: State, rule: impl FnOnce(&Subject, &Table, &Mapped) -> bool) -> Datum {
    let Some(target) = call.oid_argument(0) else { return truth(false) };
    let site = call::borrow(call.state(|| WholeSite::new(call, target, 1, PLAIN.to_vec(), find, state)));
    judge_row(call, site, target, find, state, rule)
}

/// The same for a call (target, names of parts, a column for each).
fn judge_named(call: &Call, find: Find, state: State, rule: impl FnOnce(&Subject, &Table, &Mapped) -> bool) -> Datum {
    let Some(target) = call.oid_argument(0) else { return truth(false) };
    let site = call::borrow(call.state(|| {
        let named = parts(&call.text_argument(1).unwrap_or_default());
        if named.len() + 2 != call.count() {
            bad_argument("there must be a column for each part that is named").raise();
        }
        WholeSite::new(call, target, 2, named, find, state)
    }));
    judge_row(call, site, target, find, state, rule)
}

fn judge_row(
    call: &Call,
    site: &WholeSite,
    target: Oid,
    find: Find,
    state: State,
    rule: impl FnOnce(&Subject, &Table, &Mapped) -> bool,
) -> Datum {
    let mut bound = Rc::clone(&site.bound.borrow());
    if bound.state != state() || bound.serial != identity::serial() {
        bound = Rc::new(Bound::new(target, find, state));
        site.bound.replace(Rc::clone(&bound));
    }
    let Some(table) = bound.table.as_ref() else { return truth(false) };
    truth(rule(&bound.subject, table, &site.row(call)))
}

fn reads(subject: &Subject, table: &Table, row: &Mapped) -> bool {
    subject.reads(table, row) || guard::is_sanctioned(table.target, &row.value(Part::Id))
}

fn inserts(subject: &Subject, table: &Table, row: &Mapped) -> bool {
    guard::rules::insert(subject, table, row).is_ok()
}

/// Whether the member may read the row, in the state that the statement sees. Plans use the arms instead.
pub(crate) fn visible(call: &Call) -> Datum {
    judge(call, subject::statement, snapshot::active, reads)
}

/// The same in the newest state: a row that changed while the statement waited for it is judged again, and
/// whoever lost access meanwhile neither gets nor changes it.
pub(crate) fn still_visible(call: &Call) -> Datum {
    judge(call, subject::now, snapshot::latest, reads)
}

/// Whether the member may insert the row as it is about to be stored.
pub(crate) fn acceptable(call: &Call) -> Datum {
    judge(call, subject::statement, snapshot::active, inserts)
}

/// The three for tables that map more columns.
pub(crate) fn may_read(call: &Call) -> Datum {
    judge_named(call, subject::statement, snapshot::active, reads)
}

pub(crate) fn may_still_read(call: &Call) -> Datum {
    judge_named(call, subject::now, snapshot::latest, reads)
}

pub(crate) fn may_insert(call: &Call) -> Datum {
    judge_named(call, subject::statement, snapshot::active, inserts)
}
