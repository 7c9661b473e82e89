//! Rows of a large query of the extension, a few in memory at a time, all of the state that is active.

use super::sql::{Param, Row, arguments};
use pgrx::pg_sys;
use std::ffi::CString;

/// How many rows are fetched together.
const BATCH: core::ffi::c_long = 1000;

/// Runs a query and gives its rows one by one. It must not write.
pub(crate) fn each(text: &str, params: &[Param], each: &mut dyn FnMut(&Row)) {
    let source = CString::new(text).unwrap_or_default();
    // SAFETY: paired with SPI_finish below; after an error the (sub)transaction's abort cleans up.
    if unsafe { pg_sys::SPI_connect() } != pg_sys::SPI_OK_CONNECT as i32 {
        crate::errors::bug("no SPI connection");
    }
    let (mut types, mut values, nulls) = arguments(params);
    // SAFETY: a terminated text; all three arrays have one entry for each parameter. Read-only, so that it sees the
    // active snapshot.
    let portal = unsafe {
        pg_sys::SPI_cursor_open_with_args(
            core::ptr::null(),
            source.as_ptr(),
            values.len() as i32,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            nulls.as_ptr().cast(),
            true,
            0,
        )
    };
    loop {
        // SAFETY: the portal is open.
        unsafe { pg_sys::SPI_cursor_fetch(portal, true, BATCH) };
        // SAFETY: globals that SPI sets for the fetch just done.
        let (table, count) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed) };
        for index in 0..count as usize {
            // SAFETY: index is below the number of rows.
            let (tuple, descriptor) = unsafe { (*(*table).vals.add(index), (*table).tupdesc) };
            each(&Row::new(tuple, descriptor));
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
}
