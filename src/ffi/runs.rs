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
