//! The policies of a table as the server has them at hand.

use super::expr::Expr;
use pgrx::{pg_sys, pg_sys::Oid};
use std::ffi::CStr;

/// The names that the columns have now which a policy passes to its function after the first argument; None for
/// a NULL in their place.
pub(crate) type Columns = Vec<Option<String>>;

/// How a table is described where row security is enabled on it. None elsewhere; the inner one is None without
/// such a policy, or where it is not a call of a function with plain columns.
pub(crate) fn columns_of_policy(table: Oid, policy: &CStr) -> Option<Option<Columns>> {
    // SAFETY: null for an unknown relation.
    let relation = unsafe { pg_sys::RelationIdGetRelation(table) };
    if relation.is_null() {
        return None;
    }
    // SAFETY: an open relation.
    let columns = unsafe { (*relation).rd_rsdesc.as_ref() }.map(|security| {
        // SAFETY: a list of RowSecurityPolicy.
        let policies = unsafe { pgrx::PgList::<pg_sys::RowSecurityPolicy>::from_pg(security.policies) };
        policies
            .iter_ptr()
            // SAFETY: an item of the list, with a terminated name.
            .find(|p| unsafe { CStr::from_ptr((**p).policy_name) } == policy)
            // SAFETY: as above.
            .and_then(|p| unsafe { columns(relation, (*p).qual) })
    });
    // SAFETY: opened above.
    unsafe { pg_sys::RelationClose(relation) };
    columns
}

/// # Safety
/// The expression must be null or a policy of the open relation.
unsafe fn columns(relation: pg_sys::Relation, qual: *mut pg_sys::Expr) -> Option<Columns> {
    let call = Expr::new(qual.cast()).as_call()?;
    call.into_iter()
        .skip(1)
        .map(|argument| {
            if argument.is_null_constant() {
                return Some(None);
            }
            let column = argument.as_column()?;
            // SAFETY: a policy names existing columns; the name is terminated.
            let name = unsafe { CStr::from_ptr(pg_sys::SPI_fname((*relation).rd_att, i32::from(column.varattno))) };
            Some(Some(name.to_string_lossy().into_owned()))
        })
        .collect()
}
