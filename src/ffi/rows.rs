//! Rows of a query as the result of a set-returning function, the query planned for this one call.

use super::call::Call;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CString;

thread_local! {
    /// The query that is being planned for this one execution.
    static PLANNED_ONCE: Cell<*mut pg_sys::Query> = const { Cell::new(core::ptr::null_mut()) };
}

static mut NEXT_PLANNER: pg_sys::planner_hook_type = None;

/// Whether a part of a query belongs to one that is planned, run and forgotten in one state of the database, by
/// the member who is asking. Queries of functions that are called meanwhile do not.
///
/// # Safety
/// `root` must be null or a query that is being planned.
pub(super) unsafe fn is_planned_once(root: *mut pg_sys::PlannerInfo) -> bool {
    let query = PLANNED_ONCE.get();
    if query.is_null() || root.is_null() {
        return false;
    }
    let mut top = root;
    // SAFETY: parents of a query that is being planned are being planned too.
    while let Some(parent) = unsafe { (*top).parent_root.as_mut() } {
        top = parent;
    }
    // SAFETY: as above.
    unsafe { (*top).parse == query }
}

/// Stands in for the planner for exactly one query: the next one, which is the one being opened below.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn plan_once(
    query: *mut pg_sys::Query,
    text: *const core::ffi::c_char,
    options: core::ffi::c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: plain variables of the backend, read and written by its one thread.
    let next = unsafe {
        pg_sys::planner_hook = NEXT_PLANNER;
        NEXT_PLANNER
    };
    PLANNED_ONCE.set(query);
    let plan = match next {
        // SAFETY: what Postgres would have called.
        Some(next) => unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| next(query, text, options, parameters)) },
        // SAFETY: as above.
        None => unsafe { pg_sys::standard_planner(query, text, options, parameters) },
    };
    PLANNED_ONCE.set(core::ptr::null_mut());
    plan
}

/// Puts everything back, also after an error.
struct Once;

impl Once {
    fn begin() -> Once {
        // SAFETY: plain variables of the backend, read and written by its one thread.
        unsafe {
            NEXT_PLANNER = pg_sys::planner_hook;
            pg_sys::planner_hook = Some(plan_once);
        }
        Once
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        PLANNED_ONCE.set(core::ptr::null_mut());
        // SAFETY: as in begin.
        unsafe { pg_sys::planner_hook = NEXT_PLANNER };
    }
}

/// How many rows are held beside the result while it is built.
const BATCH: core::ffi::c_long = 1000;

/// Runs a query of one column, a table's row type, as the caller and in the caller's state, and returns its rows
/// as the rows of the function.
pub(crate) fn of_query(call: &Call, query: &str) -> pg_sys::Datum {
    // SAFETY: the executor passes a ReturnSetInfo to a function that returns a set.
    let info = unsafe { (*call.fcinfo()).resultinfo }.cast::<pg_sys::ReturnSetInfo>();
    // SAFETY: null where the function is called in a place that takes no set.
    let Some(info) = (unsafe { info.as_mut() }) else { crate::errors::bug("a set where none is taken") };
    if info.allowedModes & pg_sys::SetFunctionReturnMode::SFRM_Materialize as i32 == 0 {
        crate::errors::bug("a set where none can be stored");
    }
    // SAFETY: the row type of the first argument.
    let descriptor = unsafe {
        let previous = pg_sys::MemoryContextSwitchTo((*info.econtext).ecxt_per_query_memory);
        let row_type = pg_sys::get_fn_expr_argtype((*call.fcinfo()).flinfo, 0);
        info.setDesc = pg_sys::lookup_rowtype_tupdesc_copy(row_type, -1);
        info.setResult = pg_sys::tuplestore_begin_heap(true, false, pg_sys::work_mem);
        info.returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
        pg_sys::MemoryContextSwitchTo(previous);
        info.setDesc
    };
    debug_assert!(!descriptor.is_null());
    let source = CString::new(query).unwrap_or_default();
    // SAFETY: paired with SPI_finish below; after an error the (sub)transaction's abort cleans up.
    if unsafe { pg_sys::SPI_connect() } != pg_sys::SPI_OK_CONNECT as i32 {
        crate::errors::bug("no SPI connection");
    }
    let once = Once::begin();
    // SAFETY: a terminated text without parameters; read-only, so that it sees what the caller's statement sees.
    let portal = unsafe {
        pg_sys::SPI_cursor_open_with_args(
            core::ptr::null(),
            source.as_ptr(),
            0,
            core::ptr::null_mut(),
            core::ptr::null_mut(),
            core::ptr::null(),
            true,
            0,
        )
    };
    drop(once);
    loop {
        // SAFETY: the portal is open.
        unsafe { pg_sys::SPI_cursor_fetch(portal, true, BATCH) };
        // SAFETY: globals that SPI sets for the fetch just done.
        let (table, count) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed) };
        for index in 0..count as usize {
            // SAFETY: index is below the number of rows.
            unsafe { store(*(*table).vals.add(index), (*table).tupdesc, info.setResult) };
        }
        // SAFETY: nothing points into the table any more.
        unsafe { pg_sys::SPI_freetuptable(table) };
        if count == 0 {
            break;
        }
    }
    // SAFETY: ends what was opened above.
    unsafe {
        pg_sys::SPI_cursor_close(portal);
        pg_sys::SPI_finish();
    }
    call.null()
}

/// # Safety
/// The row must be one of a single column of a composite type.
unsafe fn store(row: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc, into: *mut pg_sys::Tuplestorestate) {
    let mut is_null = false;
    // SAFETY: the first column of a live row.
    let datum = unsafe { pg_sys::SPI_getbinval(row, descriptor, 1, &mut is_null) };
    if is_null {
        return;
    }
    // SAFETY: a composite datum is a varlena that holds a tuple.
    let header = unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) };
    // SAFETY: detoasted above.
    let length = unsafe { pgrx::varsize(header) } as u32;
    let mut tuple = pg_sys::HeapTupleData { t_len: length, t_data: header.cast(), ..Default::default() };
    // SAFETY: the store copies the tuple, which has the row type of the result.
    unsafe { pg_sys::tuplestore_puttuple(into, &mut tuple) };
}
