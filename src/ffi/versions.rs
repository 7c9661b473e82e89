//! What the database knows of: the library serves databases too that are not updated yet.

use super::session::own_relation;
use pgrx::pg_sys;

/// Whether the database has what 0.3.0 brought.
pub(crate) fn is_updated() -> bool {
    own_relation(c"audit_log") != pg_sys::InvalidOid
}

/// Whether the database has what 0.5.0 brought.
pub(crate) fn is_governed() -> bool {
    own_relation(c"notification") != pg_sys::InvalidOid
}
