//! What every statement needs of the directory before anything else: revisions, how the login role is
//! registered, and how tables are. As long as no transaction ends anywhere, statements see one state, and it is
//! read once.

use super::load;
use super::revision::{self, Revision};
use super::subject::Table;
use crate::ffi::snapshot::{self, Committed};
use crate::guc;
use crate::identity::{self, Registration};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::rc::Rc;

const MOST_TABLES: usize = 64;

#[derive(Default)]
struct Kept {
    state: Option<Committed>,
    revision: Option<(Revision, bool)>,
    registrations: Vec<(Oid, Option<Registration>)>,
    tables: Vec<(Oid, Rc<Option<Table>>)>,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// Looks into what is kept of the active snapshot's state, or loads and keeps it. A transaction that has written
/// sees more than what is committed, and keeps nothing.
fn keep<T: Clone>(
    look: impl FnOnce(&Kept) -> Option<T>,
    load: impl FnOnce() -> T,
    put: impl FnOnce(&mut Kept, T),
) -> T {
    let Some(state) = snapshot::committed().filter(|_| guc::cache_bytes() > 0) else { return load() };
    let held = KEPT.with_borrow(|kept| if kept.state == Some(state) { look(kept) } else { None });
    held.unwrap_or_else(|| {
        let loaded = load();
        KEPT.with_borrow_mut(|kept| {
            if kept.state != Some(state) {
                *kept = Kept { state: Some(state), ..Kept::default() };
            }
            put(kept, loaded.clone());
        });
        loaded
    })
}

/// The revision of the hierarchies, and whether the running transaction itself has changed one.
pub(super) fn revision() -> (Revision, bool) {
    keep(|kept| kept.revision, revision::read, |kept, revision| kept.revision = Some(revision))
}

/// How a login role is registered.
pub(crate) fn registration(role: Oid) -> Option<Registration> {
    keep(
        |kept| kept.registrations.iter().find(|(r, _)| *r == role).map(|(_, registration)| *registration),
        || identity::read_registration(role),
        |kept, registration| kept.registrations.push((role, registration)),
    )
}

/// The registration that covers a relation: its own, or that of the root it is a partition of.
pub(super) fn table(relation: Oid) -> Rc<Option<Table>> {
    keep(
        |kept| kept.tables.iter().find(|(t, _)| *t == relation).map(|(_, table)| Rc::clone(table)),
        || Rc::new(load::table(relation)),
        |kept, table| {
            // Nobody works with more tables at a time; questions about any OID must not fill the memory.
            if kept.tables.len() >= MOST_TABLES {
                kept.tables.clear();
            }
            kept.tables.push((relation, table));
        },
    )
}
