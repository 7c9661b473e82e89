//! The policies of a table as the server has them at hand.

use super::expr::{Expr, pointers};
use pgrx::{pg_sys, pg_sys::Oid};
use std::ffi::CStr;

/// Whether a policy is a call of a function that takes, after the table, these columns by the names that they have
/// now (None stands for a NULL). None where row security is not enabled: only there the server has the policies at
/// hand.
pub(crate) fn reads_columns(table: Oid, policy: &CStr, parts: Option<&str>, expected: &[Option<&str>]) -> Option<bool> {
    // SAFETY: null for an unknown relation.
    let relation = unsafe { pg_sys::RelationIdGetRelation(table) };
    if relation.is_null() {
        return None;
    }
    // SAFETY: an open relation.
    let holds = unsafe { (*relation).rd_rsdesc.as_ref() }.map(|security| {
        pointers::<pg_sys::RowSecurityPolicy>(security.policies)
            // SAFETY: an item of the list, with a terminated name.
            .find(|p| unsafe { CStr::from_ptr((**p).policy_name) } == policy)
            // SAFETY: as above.
            .is_some_and(|p| unsafe { calls_with(relation, (*p).qual, parts, expected) })
    });
    // SAFETY: opened above.
    unsafe { pg_sys::RelationClose(relation) };
    holds
}

/// # Safety
/// The expression must be null or a policy of the open relation.
unsafe fn calls_with(
    relation: pg_sys::Relation,
    qual: *mut pg_sys::Expr,
    parts: Option<&str>,
    expected: &[Option<&str>],
) -> bool {
    // Beside the call there may be a condition about archived rows.
    let qual = Expr::new(qual.cast());
    let first = qual.conjuncts().next().unwrap_or(qual);
    let Some(arguments) = first.as_call() else { return false };
    let mut columns = arguments.skip(1);
    if parts.is_some() && columns.next().and_then(Expr::text).as_deref() != parts {
        return false;
    }
    let is_expected = |expected: &Option<&str>| {
        let Some(argument) = columns.next() else { return false };
        let Some(expected) = expected else { return argument.is_null_constant() };
        argument.as_column().is_some_and(|column| {
            // SAFETY: a policy names existing columns; the name is terminated.
            let name = unsafe { CStr::from_ptr(pg_sys::SPI_fname((*relation).rd_att, i32::from(column.varattno))) };
            name.to_bytes() == expected.as_bytes()
        })
    };
    expected.iter().all(is_expected) && columns.next().is_none()
}

/// Whether row security is on for a relation that is not one of the extension's.
pub(crate) fn is_row_secured(relation: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up; null where there is no such relation.
    let tuple =
        unsafe { pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, pg_sys::Datum::from(relation)) };
    if tuple.is_null() {
        return false;
    }
    // SAFETY: the tuple is one of pg_class, held until it is released.
    let form = unsafe { &*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_class>(tuple) };
    let (secured, schema) = (form.relrowsecurity, form.relnamespace);
    // SAFETY: found above.
    unsafe { pg_sys::ReleaseSysCache(tuple) };
    // SAFETY: a catalog look-up by a terminated name.
    secured && schema != unsafe { pg_sys::get_namespace_oid(c"leadguard".as_ptr(), true) }
}
