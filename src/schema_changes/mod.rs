//! What changes about protected tables, noticed by event triggers (sql/install/85_schema_changes.sql).
//!
//! Those tell the work of leadguard itself, which is no violation, by a flag that only Rust sets: around single
//! statements that run no code of a user. Tests: tests/schema_changes.

use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Sees};
use std::cell::Cell;

thread_local! {
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
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
fn is_at_work() -> bool {
    AT_WORK.get()
}

/// A table was secured: what it looks like from now on is what its changes are compared with.
pub(crate) fn know() {
    if session::is_governed() {
        as_extension(|| sql::query("SELECT leadguard.know_tables()", &[], Sees::Now, &mut |_| {}));
    }
}
