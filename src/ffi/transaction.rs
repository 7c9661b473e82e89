//! The transaction that runs, and who is told what becomes of it.

use pgrx::pg_sys;

/// Whether the transaction has changed anything.
pub(crate) fn has_written() -> bool {
    // SAFETY: looks at the transaction state.
    unsafe { pg_sys::GetTopTransactionIdIfAny() != pg_sys::InvalidTransactionId }
}

pub(crate) fn in_transaction_block() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::IsTransactionBlock() }
}

pub(crate) fn subtransaction() -> u32 {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
}

/// What happens to a (sub)transaction, for state that must not outlive it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Transaction {
    /// About to commit: may still write, and raise. The commit may fail afterwards: in another listener, or where
    /// Postgres finds that transactions cannot be put into an order.
    Committing,
    /// As before a commit.
    Preparing,
    Ended(Outcome),
    SubCommitted {
        sub: u32,
        parent: u32,
    },
    SubAborted {
        sub: u32,
    },
}

/// How a transaction has ended, for this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    Aborted,
    /// It is nobody's now: whoever comes commits it or rolls it back, and tells no listener.
    Prepared,
}

static LISTENER: std::sync::OnceLock<fn(Transaction)> = std::sync::OnceLock::new();

/// Registers the one listener of the extension; it must not raise except before a commit or while preparing.
pub(crate) fn on_transaction(listener: fn(Transaction)) {
    if LISTENER.set(listener).is_err() {
        return;
    }
    // SAFETY: registered once for the life of the backend, with functions that live as long.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_event), core::ptr::null_mut()) };
    // SAFETY: as above.
    unsafe { pg_sys::RegisterSubXactCallback(Some(subtransaction_event), core::ptr::null_mut()) };
}

fn tell(event: Transaction) {
    if let Some(listener) = LISTENER.get() {
        listener(event);
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn transaction_event(event: pg_sys::XactEvent::Type, _arg: *mut core::ffi::c_void) {
    use pg_sys::XactEvent as E;
    match event {
        E::XACT_EVENT_PRE_COMMIT => tell(Transaction::Committing),
        E::XACT_EVENT_PRE_PREPARE => tell(Transaction::Preparing),
        E::XACT_EVENT_COMMIT | E::XACT_EVENT_PARALLEL_COMMIT => tell(Transaction::Ended(Outcome::Committed)),
        E::XACT_EVENT_ABORT | E::XACT_EVENT_PARALLEL_ABORT => tell(Transaction::Ended(Outcome::Aborted)),
        E::XACT_EVENT_PREPARE => tell(Transaction::Ended(Outcome::Prepared)),
        _ => {}
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn subtransaction_event(
    event: pg_sys::SubXactEvent::Type,
    sub: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _arg: *mut core::ffi::c_void,
) {
    use pg_sys::SubXactEvent as E;
    match event {
        E::SUBXACT_EVENT_COMMIT_SUB => tell(Transaction::SubCommitted { sub, parent }),
        E::SUBXACT_EVENT_ABORT_SUB => tell(Transaction::SubAborted { sub }),
        _ => {}
    }
}
