//! Rows of a query as the result of a set-returning function, the query planned for this one call.

use super::call::Call;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::{CStr, CString};

thread_local! {
    /// The query that is being planned for this one execution.
    static PLANNED_ONCE: Cell<*mut pg_sys::Query> = const { Cell::new(core::ptr::null_mut()) };
}

static mut NEXT_PLANNER: pg_sys::planner_hook_type = None;

/// Marks the query on its way to the planner, among the options of its cursor. Postgres uses the lowest bits;
/// SQL can set none.
const ONCE: core::ffi::c_int = 1 << 30;

/// Called once, when the library is loaded.
pub(crate) fn install() {
    // SAFETY: plain variables of the backend, read and written by its one thread.
    unsafe {
        NEXT_PLANNER = pg_sys::planner_hook;
        pg_sys::planner_hook = Some(planner);
    }
}

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

/// The same function without pgrx's guard: the frame below holds nothing that an error could leave behind.
mod bare {
    use pgrx::pg_sys;
    unsafe extern "C-unwind" {
        pub(super) fn standard_planner(
            query: *mut pg_sys::Query,
            text: *const core::ffi::c_char,
            options: core::ffi::c_int,
            parameters: pg_sys::ParamListInfo,
        ) -> *mut pg_sys::PlannedStmt;
    }
}

unsafe extern "C-unwind" fn planner(
    query: *mut pg_sys::Query,
    text: *const core::ffi::c_char,
    options: core::ffi::c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    if options & ONCE != 0 {
        // SAFETY: the arguments are those of Postgres.
        return unsafe { plan_once(query, text, options & !ONCE, parameters) };
    }
    // SAFETY: what Postgres would have called; written by install only.
    unsafe {
        match NEXT_PLANNER {
            Some(next) => next(query, text, options, parameters),
            None => bare::standard_planner(query, text, options, parameters),
        }
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn plan_once(
    query: *mut pg_sys::Query,
    text: *const core::ffi::c_char,
    options: core::ffi::c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    struct Restore(*mut pg_sys::Query);
    impl Drop for Restore {
        fn drop(&mut self) {
            PLANNED_ONCE.set(self.0);
        }
    }
    let _restore = Restore(PLANNED_ONCE.replace(query));
    // SAFETY: what Postgres would have called; written by install only.
    unsafe {
        match NEXT_PLANNER {
            Some(next) => pg_sys::ffi::pg_guard_ffi_boundary(|| next(query, text, options, parameters)),
            None => pg_sys::standard_planner(query, text, options, parameters),
        }
    }
}

/// How many rows are held beside the result while it is built.
const BATCH: core::ffi::c_long = 1000;

/// Runs a query of one column, a table's row type, as the caller and in the caller's state, and returns its rows
/// as the rows of the function.
pub(crate) fn of_query(call: &Call, query: &str) -> pg_sys::Datum {
    let info = result_info(call);
    // SAFETY: flinfo is live.
    let row_type = unsafe { pg_sys::get_fn_expr_argtype((*call.fcinfo()).flinfo, 0) };
    // SAFETY: the result lives in the context that the executor keeps for it.
    unsafe {
        let previous = pg_sys::MemoryContextSwitchTo((*info.econtext).ecxt_per_query_memory);
        info.setDesc = pg_sys::lookup_rowtype_tupdesc_copy(row_type, -1);
        info.setResult = pg_sys::tuplestore_begin_heap(true, false, pg_sys::work_mem);
        info.returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
        pg_sys::MemoryContextSwitchTo(previous);
    }
    let source = CString::new(query).unwrap_or_default();
    // SAFETY: paired with SPI_finish below; after an error the (sub)transaction's abort cleans up.
    if unsafe { pg_sys::SPI_connect() } != pg_sys::SPI_OK_CONNECT as i32 {
        crate::errors::bug("no SPI connection");
    }
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
            ONCE,
        )
    };
    // SAFETY: the portal is open; its first column is the only one.
    if unsafe { pg_sys::SPI_gettypeid((*portal).tupDesc, 1) } != row_type {
        crate::errors::bug("a query of rows that gives something else");
    }
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
/// The row must be one of a single column of the store's row type.
unsafe fn store(row: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc, into: *mut pg_sys::Tuplestorestate) {
    let mut is_null = false;
    // SAFETY: the first column of a live row.
    let datum = unsafe { pg_sys::SPI_getbinval(row, descriptor, 1, &mut is_null) };
    if is_null {
        return;
    }
    let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: a composite datum is a varlena that holds a tuple.
    let header = unsafe { pg_sys::pg_detoast_datum(stored) };
    // SAFETY: detoasted above.
    let length = unsafe { pgrx::varsize(header) } as u32;
    let mut tuple = pg_sys::HeapTupleData { t_len: length, t_data: header.cast(), ..Default::default() };
    // SAFETY: the store copies the tuple, which has the row type of the result.
    unsafe { pg_sys::tuplestore_puttuple(into, &mut tuple) };
    if header != stored {
        // SAFETY: a copy made by pg_detoast_datum, used up.
        unsafe { pg_sys::pfree(header.cast()) };
    }
}

/// Names and types of the columns that the caller's column definition list asks for; None without one.
pub(crate) fn asked_columns(call: &Call) -> Option<Vec<(String, pg_sys::Oid)>> {
    let descriptor = result_info(call).expectedDesc;
    if descriptor.is_null() {
        return None;
    }
    // SAFETY: the descriptor belongs to the running query.
    let count = unsafe { (*descriptor).natts };
    let columns = (1..=count).map(|number| {
        // SAFETY: number is that of a column; the name is a new terminated string.
        let name = unsafe { CStr::from_ptr(pg_sys::SPI_fname(descriptor, number)) }.to_string_lossy().into_owned();
        // SAFETY: number is that of a column.
        (name, unsafe { pg_sys::SPI_gettypeid(descriptor, number) })
    });
    Some(columns.collect())
}

/// Rows of texts as the rows of the function, whose asked columns are all of type text.
pub(crate) fn of_texts(call: &Call, lines: &[Vec<Option<&str>>]) -> pg_sys::Datum {
    use pgrx::IntoDatum;
    let info = result_info(call);
    // SAFETY: the result lives in the context that the executor keeps for it.
    unsafe {
        let previous = pg_sys::MemoryContextSwitchTo((*info.econtext).ecxt_per_query_memory);
        info.setDesc = pg_sys::CreateTupleDescCopy(info.expectedDesc);
        info.setResult = pg_sys::tuplestore_begin_heap(true, false, pg_sys::work_mem);
        info.returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
        pg_sys::MemoryContextSwitchTo(previous);
    }
    // SAFETY: made above.
    let width = unsafe { (*info.setDesc).natts } as usize;
    for line in lines.iter().filter(|line| line.len() == width) {
        let mut nulls: Vec<bool> = line.iter().map(Option::is_none).collect();
        let mut values: Vec<pg_sys::Datum> =
            line.iter().map(|text| text.into_datum().unwrap_or(pg_sys::Datum::from(0usize))).collect();
        // SAFETY: both arrays have an entry for each column; the store copies the values.
        unsafe { pg_sys::tuplestore_putvalues(info.setResult, info.setDesc, values.as_mut_ptr(), nulls.as_mut_ptr()) };
    }
    call.null()
}

/// What the executor expects of a function that returns a set, which it must be able to store.
fn result_info<'a>(call: &Call) -> &'a mut pg_sys::ReturnSetInfo {
    // SAFETY: fcinfo is live.
    let info = unsafe { (*call.fcinfo()).resultinfo };
    // SAFETY: null, or a node, which begins with its tag.
    if info.is_null() || unsafe { (*info).type_ } != pg_sys::NodeTag::T_ReturnSetInfo {
        crate::errors::bug("a set where none is taken");
    }
    // SAFETY: the tag says what it is; it lives as long as the call.
    let info = unsafe { &mut *info.cast::<pg_sys::ReturnSetInfo>() };
    if info.allowedModes & pg_sys::SetFunctionReturnMode::SFRM_Materialize as i32 == 0 {
        crate::errors::bug("a set where none can be stored");
    }
    info
}
