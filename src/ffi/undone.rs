//! Work that is done and taken back: dry runs.

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
