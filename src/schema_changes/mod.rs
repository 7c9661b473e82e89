//! What changes about protected tables, noticed by event triggers (sql/install/85_schema_watch.sql).
//!
//! Those tell the work of leadguard itself, which is no violation, by a flag that only Rust sets: around single
//! statements that run no code of a user. Tests: tests/schema_changes.

use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};

thread_local! {
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
    /// Tables that the work has changed, as the event triggers say.
    static WORKED_ON: RefCell<Vec<Oid>> = const { RefCell::new(Vec::new()) };
}

/// Sets the flag back, also when an error unwinds.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        AT_WORK.set(self.0);
    }
}

/// Runs one statement of leadguard that changes a protected table.
pub(crate) fn at_work<T>(body: impl FnOnce() -> T) -> T {
    let _before = Before(AT_WORK.replace(true));
    body()
}

/// Whether the running statement is one of leadguard's own.
#[pgrx::pg_extern(sql = false)]
pub(crate) fn is_at_work() -> bool {
    AT_WORK.get()
}

/// An event trigger has seen the work on a table.
#[pgrx::pg_extern(sql = false)]
fn note_work(target: Oid) {
    if AT_WORK.get() {
        WORKED_ON.with_borrow_mut(|tables| {
            if !tables.contains(&target) {
                tables.push(target);
            }
        });
    }
}

/// Before a series of statements: what an earlier one left behind that failed is over.
pub(crate) fn begin() {
    if !AT_WORK.get() {
        WORKED_ON.with_borrow_mut(Vec::clear);
    }
}

/// Before the work on a table: differences that are there already are not leadguard's, and nobody has noticed them.
pub(crate) fn look(target: Oid) {
    if session::is_governed() && !AT_WORK.get() {
        as_extension(|| {
            sql::query(
                "SELECT leadguard.note_shape(k.target, false, false) FROM leadguard.schema_known k WHERE k.target = $1",
                &[Param::Oid(target)],
                Sees::Now,
                &mut |_| {},
            )
        });
    }
}

/// After work that belongs to a command of somebody else: what both did together is noticed as his.
pub(crate) fn leave() {
    begin();
}

/// After it: the tables are known as they are now, but for their partitions, which are never leadguard's doing.
pub(crate) fn settle() {
    for target in WORKED_ON.take() {
        as_extension(|| {
            sql::query(
                "SELECT leadguard.keep_shape(k.target, false) FROM leadguard.schema_known k WHERE k.target = $1",
                &[Param::Oid(target)],
                Sees::Now,
                &mut |_| {},
            )
        });
    }
}

/// The switch schema_changes of a table in the newest state.
#[pg_extern(sql = false)]
fn schema_mode(target: Oid) -> Option<String> {
    let text = "SELECT coalesce((SELECT s.value FROM leadguard.table_switch s WHERE s.target = $1 AND s.switch = k.name), \
                k.default_value) FROM leadguard.access_switch k WHERE k.name = 'schema_changes'";
    as_extension(|| sql::first_text(text, &[Param::Oid(target)], Sees::Now))
}

/// What leadguard did to a table without a command on the table itself.
pub(crate) fn know_again(target: Oid) {
    if session::is_governed() {
        WORKED_ON.with_borrow_mut(|worked_on| worked_on.push(target));
        settle();
    }
}

/// A table was secured: what it looks like from now on is what its changes are compared with.
pub(crate) fn know() {
    if session::is_governed() {
        as_extension(|| sql::query("SELECT leadguard.know_tables()", &[], Sees::Now, &mut |_| {}));
    }
}
