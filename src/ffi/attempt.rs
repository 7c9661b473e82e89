//! Something that may fail without ending the statement, as a block with EXCEPTION in PL/pgSQL.

use super::raise::sqlstate;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgMemoryContexts, PgTryBuilder, pg_sys};
use std::panic::AssertUnwindSafe;

/// Errors that are not about what was tried: the transaction, the server's resources, the operator, the server itself.
const GRAVE: [&str; 5] = ["40000", "53000", "57000", "58000", "XX000"];

/// Nor is this one, whose class is about other things: somebody else holds a lock for longer than one waits for it.
const LOCKED: &str = "55P03";

/// The first two characters of a SQLSTATE are its twelve lowest bits.
const CLASS: i32 = 0xfff;

/// What code of a user cannot bring about by naming an error so: as PL/pgSQL has it, only that somebody cancels.
const CANCELED: [&str; 1] = ["57000"];

fn code(cause: &CaughtError) -> Option<i32> {
    match cause {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => Some(report.sql_error_code() as i32),
        CaughtError::RustPanic { .. } => None,
    }
}

fn is_one_of(code: i32, grave: &[&str]) -> bool {
    grave.iter().any(|held| sqlstate(held) & CLASS == code & CLASS)
}

/// Postgres has forgotten an error that was caught, and could not go on with it: it is raised anew.
fn again(cause: CaughtError) -> CaughtError {
    match cause {
        CaughtError::PostgresError(report) => CaughtError::ErrorReport(report),
        other => other,
    }
}

/// As `attempt`, for code of others, who may give an error any name; only the operator's goes on.
pub(crate) fn attempt_of_others<T>(body: impl FnOnce() -> T) -> Option<T> {
    attempt_unless(|code| is_one_of(code, &CANCELED), body)
}

/// Runs `body` in a sub-transaction of its own and in memory that is given back; None when it raises an error, unless
/// that is a grave one, which goes on.
pub(crate) fn attempt<T>(body: impl FnOnce() -> T) -> Option<T> {
    attempt_unless(|code| is_one_of(code, &GRAVE) || code == sqlstate(LOCKED), body)
}

fn attempt_unless<T>(is_grave: impl Fn(i32) -> bool, body: impl FnOnce() -> T) -> Option<T> {
    let memory = PgMemoryContexts::new("leadguard attempt");
    // SAFETY: reads two backend variables, which are put back below.
    let (context, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    // SAFETY: ended below, whatever becomes of the body.
    unsafe { pg_sys::BeginInternalSubTransaction(core::ptr::null()) };
    // SAFETY: the context lives until the end of this function.
    unsafe { pg_sys::MemoryContextSwitchTo(memory.value()) };
    let caught = |cause| Err(Box::new(cause));
    let tried: Result<T, Box<CaughtError>> =
        PgTryBuilder::new(AssertUnwindSafe(|| Ok(body()))).catch_others(caught).catch_rust_panic(caught).execute();
    // SAFETY: the context that was current before; the sub-transaction begun above is the current one.
    unsafe {
        pg_sys::MemoryContextSwitchTo(context);
        match &tried {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    match tried {
        Ok(value) => Some(value),
        Err(cause) if code(&cause).is_none_or(is_grave) => again(*cause).rethrow(),
        Err(_) => None,
    }
}
