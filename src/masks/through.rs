//! Writes of the view that took a table's name, done on the table.
//!
//! They run as the caller: with his privileges on the table, under its policies and through its triggers. A row is
//! locked through the view first, so that a change by somebody else meanwhile is not overwritten; then the columns
//! that differ from what was shown are written. What the caller gets back is read through the view.
//!
//! A statement changes a row once, however often it meets it; the executor sees to that for tables, and here it is
//! done by hand.

use crate::errors::{bug, failure, refused};
use crate::ffi::call::{self, Call};
use crate::ffi::row::{Attribute, Kept, Values};
use crate::ffi::session::{Transaction, as_extension};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Prepared, Row as Found, Sees};
use crate::ffi::trigger::{Operation, Row, TriggerCall, When};
use crate::names::{self, quote};
use crate::questions::record::as_caller;
use crate::visibility;
use crate::visibility::Table;
use pgrx::pg_sys::{Datum, Oid};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::{Rc, Weak};

/// The ids of rows that a statement has changed.
type Done = RefCell<HashSet<Kept>>;

thread_local! {
    /// By command and view: parts of one statement (WITH) know of each other. What no statement holds is forgotten.
    static DONE: RefCell<Vec<(u32, Oid, Weak<Done>)>> = RefCell::default();
}

fn done(view: Oid) -> Rc<Done> {
    let command = snapshot::command();
    DONE.with_borrow_mut(|all| {
        all.retain(|(.., held)| held.strong_count() > 0);
        let held = all.iter().find(|(of, on, _)| (*of, *on) == (command, view)).and_then(|(.., held)| held.upgrade());
        held.unwrap_or_else(|| {
            let fresh = Rc::default();
            all.push((command, view, Rc::downgrade(&fresh)));
            fresh
        })
    })
}

/// The numbers of commands begin anew with each transaction.
pub(crate) fn on_transaction(event: Transaction) {
    if matches!(event, Transaction::Ended(_)) {
        DONE.take();
    }
}

/// What the statement does with the view, for as long as it runs.
struct View {
    table: Table,
    name: String,
    base: String,
    columns: Vec<Attribute>,
    /// Columns of the table that Postgres computes.
    computed: Vec<String>,
    id: usize,
    lock: Prepared,
    read: Prepared,
    delete: Prepared,
    done: Rc<Done>,
    /// INSERT and UPDATE for each set of columns.
    writes: RefCell<Vec<(Vec<i16>, Rc<Prepared>)>>,
}

impl View {
    fn of(trigger: &TriggerCall, row: &Row) -> View {
        let view = trigger.relation();
        let registered = visibility::statement().table(view);
        let table = match registered.as_ref() {
            Some(table) if table.concealed_by == Some(view) => table.clone(),
            _ => refused(format!("{} does not stand for a protected table", names::shown(view)))
                .hint("Whoever replaced or copied the view drops it; leadguard.conceal makes a new one.")
                .raise(),
        };
        visibility::mapping::require(&table);
        let (name, base) = (names::shown(view), names::shown(table.target));
        let columns = row.attributes();
        let Some(id) = columns.iter().position(|column| column.name == table.id_column) else {
            bug("a view without the id of its table")
        };
        let is_record = format!("{} OPERATOR(pg_catalog.=) $1", quote(&table.id_column));
        View {
            computed: computed(table.target),
            id,
            lock: Prepared::new(format!("SELECT * FROM {name} WHERE {is_record} FOR UPDATE")),
            read: Prepared::new(format!("SELECT * FROM {name} WHERE {is_record}")),
            delete: Prepared::new(format!("DELETE FROM {base} WHERE {is_record}")),
            done: done(view),
            writes: RefCell::default(),
            table,
            name,
            base,
            columns,
        }
    }

    fn param(column: &Attribute, values: &Values) -> Param<'static> {
        Param::Typed(column.type_oid, (!values.is_null(column)).then(|| values.datum(column)))
    }

    fn id_of(&self, values: &Values) -> Param<'static> {
        View::param(&self.columns[self.id], values)
    }

    /// The row as it is shown now; None where it is not to be seen.
    fn shown(&self, id: Param) -> Option<Datum> {
        let mut found = None;
        as_caller(|| self.read.run(&[id], Sees::Now, &mut |row: &Found| found = Some(row.copied())));
        found
    }

    /// Locks the row and makes sure that it is still the one that the statement met; false when it is gone, or changed
    /// by the statement already.
    fn lock(&self, met: &Values) -> bool {
        if self.done.borrow().contains(&self.key(met)) {
            return false;
        }
        let (mut found, mut same) = (false, false);
        as_caller(|| {
            self.lock.run(&[self.id_of(met)], Sees::Now, &mut |row: &Found| {
                let now = row.as_row().values();
                found = true;
                same = self.columns.iter().all(|column| met.is_same(&now, column));
            })
        });
        if found && !same {
            failure("40001", format!("the row of {} was changed while this statement ran", self.name))
                .detail("Somebody else changed it, or a trigger or function of the statement itself.")
                .hint("Run the statement or its transaction again.")
                .raise();
        }
        found
    }

    fn key(&self, values: &Values) -> Kept {
        values.keep(&self.columns[self.id])
    }

    /// The statement has changed the row.
    fn changed(&self, met: &Values) {
        self.done.borrow_mut().insert(self.key(met));
    }

    fn prepared(&self, written: &[&Attribute], text: impl FnOnce() -> String) -> Rc<Prepared> {
        let key: Vec<i16> = written.iter().map(|column| column.number).collect();
        let held = self.writes.borrow().iter().find(|(held, _)| *held == key).map(|(_, plan)| Rc::clone(plan));
        held.unwrap_or_else(|| {
            let plan = Rc::new(Prepared::new(text()));
            self.writes.borrow_mut().push((key, Rc::clone(&plan)));
            plan
        })
    }

    fn is_computed(&self, column: &Attribute) -> bool {
        self.computed.contains(&column.name)
    }

    /// A column without value takes its default.
    fn insert(&self, trigger: &TriggerCall) -> Datum {
        let new = trigger.new_row().values();
        let given: Vec<&Attribute> =
            self.columns.iter().filter(|column| !new.is_null(column) && !self.is_computed(column)).collect();
        let knows_id = !new.is_null(&self.columns[self.id]);
        let plan = self.prepared(&given, || {
            let returning =
                if knows_id { String::new() } else { format!(" RETURNING {}", quote(&self.table.id_column)) };
            if given.is_empty() {
                return format!("INSERT INTO {} DEFAULT VALUES{returning}", self.base);
            }
            let names: Vec<String> = given.iter().map(|column| quote(&column.name)).collect();
            let values: Vec<String> = (1..=given.len()).map(|number| format!("${number}")).collect();
            format!("INSERT INTO {} ({}) VALUES ({}){returning}", self.base, names.join(", "), values.join(", "))
        });
        let params: Vec<Param> = given.iter().map(|column| View::param(column, &new)).collect();
        let mut made = None;
        let count = plan.run(&params, Sees::Now, &mut |row: &Found| made = row.only(self.columns[self.id].type_oid));
        if count == 0 {
            return trigger.skip();
        }
        let id = if knows_id { Some(self.id_of(&new)) } else { made };
        id.and_then(|id| self.shown(id)).unwrap_or_else(|| trigger.pass())
    }

    fn update(&self, trigger: &TriggerCall) -> Datum {
        let (old, new) = (trigger.old().values(), trigger.new_row().values());
        if !self.lock(&old) {
            return trigger.skip();
        }
        let mut changed: Vec<&Attribute> =
            self.columns.iter().filter(|column| !old.is_same(&new, column) && !self.is_computed(column)).collect();
        if changed.is_empty() {
            // The guards judge a statement that changes nothing as one on the table.
            let mapped = [&self.table.owner_column, &self.table.territory_column];
            changed.extend(
                self.columns.iter().find(|c| mapped.iter().any(|name| name.as_deref() == Some(c.name.as_str()))),
            );
        }
        let plan = self.prepared(&changed, || {
            let sets: Vec<String> =
                (2..).zip(&changed).map(|(number, column)| format!("{} = ${number}", quote(&column.name))).collect();
            let id = quote(&self.table.id_column);
            format!("UPDATE {} SET {} WHERE {id} OPERATOR(pg_catalog.=) $1", self.base, sets.join(", "))
        });
        let params: Vec<Param> =
            std::iter::once(self.id_of(&old)).chain(changed.iter().map(|column| View::param(column, &new))).collect();
        if plan.run(&params, Sees::Now, &mut |_| {}) == 0 {
            return trigger.skip();
        }
        self.changed(&old);
        self.shown(self.id_of(&new)).unwrap_or_else(|| trigger.pass())
    }

    fn delete(&self, trigger: &TriggerCall) -> Datum {
        let old = trigger.old().values();
        if !self.lock(&old) || self.delete.run(&[self.id_of(&old)], Sees::Now, &mut |_| {}) == 0 {
            return trigger.skip();
        }
        self.changed(&old);
        trigger.pass()
    }
}

/// Columns that are computed from others.
fn computed(target: Oid) -> Vec<String> {
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND attgenerated <> ''",
            &[Param::Oid(target)],
            Sees::Now,
            &mut |row| found.extend(row.text(0)),
        )
    });
    found
}

/// INSTEAD OF INSERT, UPDATE or DELETE of the view, for each row.
pub(crate) fn write(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::InsteadOfRow);
    let row = if trigger.operation() == Operation::Insert { trigger.new_row() } else { trigger.old() };
    let view = call::borrow(call.state(|| View::of(&trigger, &row)));
    match trigger.operation() {
        Operation::Insert => view.insert(&trigger),
        Operation::Update => view.update(&trigger),
        Operation::Delete => view.delete(&trigger),
        Operation::Truncate => bug("TRUNCATE has no rows"),
    }
}
