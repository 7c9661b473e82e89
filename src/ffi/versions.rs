//! What the database knows of: the library serves databases too that are not updated yet.

use super::invalidation::function_changes;
use super::session::own_relation;
use super::transaction::{Transaction, has_written};
use pgrx::pg_sys;
use std::cell::Cell;

thread_local! {
    /// Whether the extension is there, and how often functions had changed when that was looked up: it comes and goes
    /// with functions.
    static THERE: Cell<Option<(u64, bool)>> = const { Cell::new(None) };
}

/// Whether this database has the extension. A preloaded library is in databases too where somebody else may have made a
/// schema of its name. Asked by every query of tables with row security.
pub(crate) fn has_extension() -> bool {
    let changes = function_changes();
    if let Some((_, there)) = THERE.get().filter(|(of, _)| *of == changes) {
        return there;
    }
    // SAFETY: a catalog look-up by a terminated name; InvalidOid where there is none.
    let there = unsafe { pg_sys::get_extension_oid(c"leadguard".as_ptr(), true) != pg_sys::InvalidOid };
    THERE.set(Some((changes, there)));
    there
}

/// Whoever asked between the functions and the extension itself, as it came or went, has got half an answer.
pub(crate) fn on_transaction(event: Transaction) {
    if matches!(event, Transaction::Ended(_)) && has_written() {
        THERE.set(None);
    }
}

/// Whether the database has what 0.3.0 brought.
pub(crate) fn is_updated() -> bool {
    own_relation(c"audit_log") != pg_sys::InvalidOid
}

/// Whether the database has what 0.5.0 brought.
pub(crate) fn is_governed() -> bool {
    own_relation(c"notification") != pg_sys::InvalidOid
}
