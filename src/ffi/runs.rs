//! What queries give to their clients, counted where there is shared memory.

use super::{session, shared, sql};
use crate::activity::{self, Ran};
use pgrx::{PgList, pg_sys};

/// Called at the end of each run of a query.
///
/// # Safety
/// A query that was run just now.
pub(super) unsafe fn count(query: *mut pg_sys::QueryDesc, is_first: bool) {
    if shared::is_there() && !sql::is_own() && !session::is_parallel_worker() {
        // SAFETY: as the caller promises.
        unsafe { counted(query, is_first) };
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn counted(query: *mut pg_sys::QueryDesc, is_first: bool) {
    // SAFETY: a query that was run has a plan, a state and a receiver.
    let (query, plan, state, receiver) = unsafe {
        let query = &*query;
        (query, &*query.plannedstmt, &*query.estate, &*query.dest)
    };
    if plan.relationOids.is_null() {
        return;
    }
    let returns = query.operation == pg_sys::CmdType::CMD_SELECT || plan.hasReturning;
    let ran = Ran {
        rows: if returns { state.es_processed } else { 0 },
        is_first,
        is_export: receiver.mydest == pg_sys::CommandDest::DestCopyOut,
    };
    // SAFETY: a list of OIDs of the plan.
    let relations = unsafe { PgList::<pg_sys::Oid>::from_pg(plan.relationOids) };
    activity::ran(relations.iter_oid(), &ran);
}

/// Whether this database has the extension. A preloaded library is in databases too where somebody else may have made a
/// schema of its name.
pub(crate) fn has_extension() -> bool {
    // SAFETY: a catalog look-up by a terminated name; InvalidOid where there is none.
    unsafe { pg_sys::get_extension_oid(c"leadguard".as_ptr(), true) != pg_sys::InvalidOid }
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
