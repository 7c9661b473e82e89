//! Work that is done and taken back: dry runs, and what may fail.

use pgrx::pg_sys;

/// Runs `body` and takes back everything that it did in the database.
pub(crate) fn rolled_back<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: reads backend variables.
    let (context, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    // SAFETY: ended below, whatever body does.
    unsafe { pg_sys::BeginInternalSubTransaction(core::ptr::null()) };
    // SAFETY: the context outlives the subtransaction.
    unsafe { pg_sys::MemoryContextSwitchTo(context) };
    // An error must not leave the subtransaction open: the server would take it for a savepoint of the client.
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    // SAFETY: ends the subtransaction begun above, and puts back what was there before.
    unsafe {
        pg_sys::RollbackAndReleaseCurrentSubTransaction();
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    match answer {
        Ok(value) => value,
        Err(raised) => std::panic::resume_unwind(raised),
    }
}

/// Runs `body` and keeps what it did; None, and nothing of it, when it fails. That the client cancels is no failure of
/// the body.
pub(crate) fn attempted<T>(body: impl FnOnce() -> T) -> Option<T> {
    // SAFETY: reads backend variables.
    let (context, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    // SAFETY: ended below, whatever body does.
    unsafe { pg_sys::BeginInternalSubTransaction(core::ptr::null()) };
    // SAFETY: the context outlives the subtransaction.
    unsafe { pg_sys::MemoryContextSwitchTo(context) };
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    // SAFETY: ends the subtransaction begun above, and puts back what was there before.
    unsafe {
        match answer {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    match answer {
        Ok(value) => Some(value),
        Err(raised) if ends_more(&raised) => std::panic::resume_unwind(raised),
        Err(_) => None,
    }
}

fn ends_more(raised: &Box<dyn std::any::Any + Send>) -> bool {
    use pgrx::PgSqlErrorCode as Code;
    use pgrx::pg_sys::panic::CaughtError;
    match raised.downcast_ref::<CaughtError>() {
        Some(CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)) => matches!(
            report.sql_error_code(),
            Code::ERRCODE_QUERY_CANCELED | Code::ERRCODE_ADMIN_SHUTDOWN | Code::ERRCODE_OUT_OF_MEMORY
        ),
        _ => true,
    }
}
