//! What an INSERT may say about a column that the member does not write: nothing, or what the column gets anyway.
//!
//! NULL is nothing too, and becomes the default. A default that is another one each time cannot be compared with; it
//! is computed anew and put in place of whatever came. Its AFTER ROW trigger knows the value again.

use crate::ffi::default::ColumnDefault;
use crate::ffi::row::{Attribute, Kept};
use crate::ffi::session;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::HashMap;

/// The defaults of one column: that of the table that the trigger runs for and, where it is a partition, that of the
/// table that the statement may have named.
pub(super) struct Defaults {
    /// NULL for a table whose column has none; empty where every one is another each time.
    pub stable: Vec<Kept>,
    volatile: Option<(Oid, i16)>,
}

impl Defaults {
    pub(super) fn of(attribute: &Attribute, places: &[(Oid, i16)]) -> Defaults {
        let mut defaults = Defaults { stable: Vec::new(), volatile: None };
        for (relation, number) in places {
            match ColumnDefault::of(*relation, *number) {
                Some(found) if found.is_volatile => defaults.volatile = Some((*relation, *number)),
                Some(found) => defaults.stable.push(found.compute(attribute)),
                None => defaults.stable.push(Kept::Null),
            }
        }
        defaults
    }

    /// The one that is not NULL, and the same each time.
    pub(super) fn fixed(&self) -> Option<&Kept> {
        self.stable.iter().find(|kept| **kept != Kept::Null)
    }

    /// A new value of a volatile default.
    pub(super) fn compute(&self, attribute: &Attribute) -> Option<Kept> {
        let (relation, number) = self.volatile?;
        Some(ColumnDefault::of(relation, number)?.compute(attribute))
    }
}

type Issued = HashMap<(Oid, String, Kept), usize>;

thread_local! {
    /// Values put in place by the running statement, until the rows are stored.
    static ISSUED: RefCell<(i64, Issued)> = RefCell::default();
}

fn with_issued<T>(body: impl FnOnce(&mut Issued) -> T) -> T {
    let now = session::statement_time();
    ISSUED.with_borrow_mut(|(time, issued)| {
        if *time != now {
            *time = now;
            issued.clear();
        }
        body(issued)
    })
}

pub(super) fn issue(target: Oid, column: &str, value: Kept) {
    with_issued(|issued| *issued.entry((target, column.to_owned(), value)).or_default() += 1);
}

/// Whether the value is one that was put in place; each counts once.
pub(super) fn was_issued(target: Oid, column: &str, value: Kept) -> bool {
    let key = (target, column.to_owned(), value);
    with_issued(|issued| match issued.get_mut(&key) {
        Some(count) if *count > 1 => {
            *count -= 1;
            true
        }
        Some(_) => issued.remove(&key).is_some(),
        None => false,
    })
}
