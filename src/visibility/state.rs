//! What every statement needs before anything else: revisions, how the login role is registered, and how tables
//! are. The revisions are read once for each committed state; login roles and tables are kept until their own
//! revision changes.

use super::load;
use super::revision::{self, Registry, Seen};
use super::table::Table;
use crate::ffi::session;
use crate::ffi::snapshot::{self, Committed};
use crate::fields::Rules;
use crate::guc;
use crate::identity::{self, Binding};
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const MOST_TABLES: usize = 64;

type List<T> = Vec<(Oid, Rc<T>)>;

#[derive(Default)]
struct Kept {
    registry: Option<Registry>,
    bindings: List<Option<Binding>>,
    tables: List<Option<Table>>,
    rules: List<Rules>,
}

thread_local! {
    static SEEN: Cell<Option<(Committed, Seen)>> = const { Cell::new(None) };
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// The revisions in the active snapshot. As long as no transaction ends anywhere, statements see one state, and they
/// are read once; a transaction that has written sees more than what is committed, and keeps nothing.
pub(super) fn seen() -> Seen {
    let Some(state) = snapshot::committed().filter(|_| guc::cache_bytes() > 0) else { return revision::read() };
    if let Some((of, seen)) = SEEN.get()
        && of == state
    {
        return seen;
    }
    let seen = revision::read();
    SEEN.set(Some((state, seen)));
    seen
}

/// Looks into what is kept of the active snapshot's registry, or loads and keeps it.
fn keep<T>(list: fn(&mut Kept) -> &mut List<T>, key: Oid, load: impl FnOnce() -> T) -> Rc<T> {
    let Some(registry) = seen().registry.filter(|_| guc::cache_bytes() > 0) else { return Rc::new(load()) };
    let held = KEPT.with_borrow_mut(|kept| {
        if kept.registry != Some(registry) {
            *kept = Kept { registry: Some(registry), ..Kept::default() };
        }
        list(kept).iter().find(|(k, _)| *k == key).map(|(_, held)| Rc::clone(held))
    });
    held.unwrap_or_else(|| {
        let loaded = Rc::new(load());
        KEPT.with_borrow_mut(|kept| {
            let list = list(kept);
            // Nobody works with more at a time; questions about any OID must not fill the memory.
            if list.len() >= MOST_TABLES {
                list.clear();
            }
            list.push((key, Rc::clone(&loaded)));
        });
        loaded
    })
}

/// How a login role is registered.
pub(crate) fn binding(role: Oid) -> Rc<Option<Binding>> {
    keep(|kept| &mut kept.bindings, role, || identity::read_binding(role))
}

/// The registration that covers a relation: its own, that of the root it is a partition of, or
/// that of the table whose name a view took.
pub(super) fn table(relation: Oid) -> Rc<Option<Table>> {
    let registered = |relation| {
        keep(|kept| &mut kept.tables, relation, || load::registered(relation).or_else(|| load::concealed(relation)))
    };
    let own = registered(relation);
    if own.is_some() {
        return own;
    }
    session::partition_root(relation).map_or(own, registered)
}

/// What is ruled about the fields of a protected table.
pub(crate) fn rules(target: Oid, load: impl FnOnce() -> Rules) -> Rc<Rules> {
    keep(|kept| &mut kept.rules, target, load)
}
