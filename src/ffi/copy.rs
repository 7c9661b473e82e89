//! COPY TO, as the executor sees it; and what the client has sent.

use super::expr::pointers;
use super::session;
use crate::batches::exports;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CStr;

/// Whether the rows of a query go out by COPY.
///
/// # Safety
/// A query that was started.
pub(super) unsafe fn goes_out(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: as the caller promises; null, or a receiver that lives as long.
    unsafe { (*query).dest.as_ref() }.is_some_and(|dest| dest.mydest == pg_sys::CommandDest::DestCopyOut)
}

/// Called before the first row.
#[pgrx::pg_guard]
pub(super) unsafe extern "C-unwind" fn started(query: *mut pg_sys::QueryDesc) {
    // SAFETY: a query that was started has both.
    let (statement, state) = unsafe { (&*(*query).plannedstmt, &*(*query).estate) };
    let execution = state.es_query_cxt;
    exports::begin(execution as usize);
    // SAFETY: the callback lives in the context whose end it waits for.
    unsafe {
        let callback = pg_sys::MemoryContextAlloc(execution, size_of::<pg_sys::MemoryContextCallback>())
            .cast::<pg_sys::MemoryContextCallback>();
        callback.write(pg_sys::MemoryContextCallback {
            func: Some(ended),
            arg: execution.cast(),
            next: core::ptr::null_mut(),
        });
        pg_sys::MemoryContextRegisterResetCallback(execution, callback);
    }
    for entry in pointers::<pg_sys::RangeTblEntry>(statement.rtable) {
        // SAFETY: entries of the running statement.
        let relation = unsafe { (*entry).relid };
        if relation != pg_sys::InvalidOid {
            exports::reads(relation);
        }
    }
}

/// Called when all rows are out.
#[pgrx::pg_guard]
pub(super) unsafe extern "C-unwind" fn ran(query: *mut pg_sys::QueryDesc) {
    // SAFETY: a query that is running.
    let state = unsafe { &*(*query).estate };
    exports::counted(state.es_query_cxt as usize, state.es_processed);
}

unsafe extern "C-unwind" fn ended(execution: *mut core::ffi::c_void) {
    exports::end(execution as usize);
}

thread_local! {
    /// When the client sent the COPY TO that had the library loaded.
    static LOADED_IN: Cell<Option<i64>> = const { Cell::new(None) };
}

/// Called once, when the library is loaded: cursors of functions that run now will hide the statement.
pub(crate) fn look_around() {
    if is_active() {
        LOADED_IN.set(Some(session::statement_time()));
    }
}

/// Whether the statement that runs is COPY TO: for the first one of a session, which began before the library was there.
pub(crate) fn is_running() -> bool {
    LOADED_IN.get().is_some_and(|time| time == session::statement_time()) || is_active()
}

fn is_active() -> bool {
    // SAFETY: null, or the portal that runs.
    let Some(portal) = (unsafe { pg_sys::ActivePortal.as_ref() }) else { return false };
    pointers::<pg_sys::PlannedStmt>(portal.stmts).any(|statement| {
        // SAFETY: a portal holds planned statements.
        let utility = unsafe { (*statement).utilityStmt };
        // SAFETY: null, or a node, which begins with its tag.
        let is_copy = !utility.is_null() && unsafe { (*utility).type_ } == pg_sys::NodeTag::T_CopyStmt;
        // SAFETY: the tag says what it is.
        is_copy && !unsafe { (*utility.cast::<pg_sys::CopyStmt>()).is_from }
    })
}

/// What the client has sent, so many bytes of it at most; empty where no client has.
pub(crate) fn statement_text(most: usize) -> String {
    // SAFETY: null, or a terminated string that lives as long as the statement.
    let text = unsafe { pg_sys::debug_query_string };
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) }.to_bytes();
    String::from_utf8_lossy(&text[..text.len().min(most)]).into_owned()
}

/// Whether the transaction can write nothing: it is READ ONLY, or the server is a standby.
pub(crate) fn cannot_write() -> bool {
    // SAFETY: reads backend variables.
    unsafe { pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() }
}
