//! Which state of the database a statement sees.
//!
//! A fingerprint names that state: within one transaction of one backend, and as long as no sub-transaction
//! was rolled back in between, equal fingerprints mean equal states. For a fixed xmax the set of running
//! transactions can only shrink, so the counts identify it.

use pgrx::pg_sys;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fingerprint {
    xmin: u32,
    xmax: u32,
    running: u32,
    running_sub: i32,
    command: u32,
}

impl Fingerprint {
    /// The command of the transaction that the state belongs to.
    pub(crate) fn command(&self) -> u32 {
        self.command
    }
}

/// The command that the running statement is, within the transaction.
pub(crate) fn command() -> u32 {
    active().map_or(0, |state| state.command())
}

/// The command that what is written next belongs to.
pub(crate) fn next_command() -> u32 {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::GetCurrentCommandId(false) }
}

fn fingerprint(snapshot: *const pg_sys::SnapshotData) -> Fingerprint {
    // SAFETY: callers pass the active or latest snapshot, which is a valid MVCC snapshot.
    let s = unsafe { &*snapshot };
    Fingerprint { xmin: xid(s.xmin), xmax: xid(s.xmax), running: s.xcnt, running_sub: s.subxcnt, command: s.curcid }
}

fn xid(id: pg_sys::TransactionId) -> u32 {
    id.into_inner()
}

/// The same functions without pgrx's guard, which costs more than they do: neither can raise.
mod bare {
    use pgrx::pg_sys;
    unsafe extern "C-unwind" {
        pub(super) fn ActiveSnapshotSet() -> bool;
        pub(super) fn GetActiveSnapshot() -> *const pg_sys::SnapshotData;
    }
}

/// Whether the running statement sees this state. For calls of every row.
#[inline]
pub(crate) fn is_active(state: &Fingerprint) -> bool {
    // SAFETY: reads the snapshot stack.
    if !unsafe { bare::ActiveSnapshotSet() } {
        return false;
    }
    // SAFETY: a snapshot is active.
    fingerprint(unsafe { bare::GetActiveSnapshot() }) == *state
}

/// A state made of committed transactions only. Equal at any two moments of a backend exactly if no transaction
/// ended in between: one that ends raises xmax or leaves the running ones, and none joins these for a given xmax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committed(Fingerprint);

/// The state that the running statement sees if this transaction has written nothing; else None. A serializable
/// transaction reads everything itself: its reads are what conflicts are found by.
pub(crate) fn committed() -> Option<Committed> {
    // SAFETY: reads a backend variable.
    let level = unsafe { pg_sys::XactIsoLevel };
    // While a transaction is being prepared it counts twice among the running ones.
    let countable = !super::session::may_prepare_transactions();
    if super::session::has_written() || level >= pg_sys::XACT_SERIALIZABLE as i32 || !countable {
        return None;
    }
    active().map(|state| Committed(Fingerprint { command: 0, ..state }))
}

/// Whether statements of this transaction keep seeing the state of its first one.
pub(crate) fn is_fixed() -> bool {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// The state that the running statement sees, or None where no statement runs.
pub(crate) fn active() -> Option<Fingerprint> {
    // SAFETY: reads the snapshot stack.
    if !unsafe { pg_sys::ActiveSnapshotSet() } {
        return None;
    }
    // SAFETY: a snapshot is active.
    Some(fingerprint(unsafe { pg_sys::GetActiveSnapshot() }))
}

/// The newest committed state, at every isolation level: a member who lost access meanwhile writes nothing,
/// however old the snapshot is from which his transaction reads.
pub(crate) fn latest() -> Option<Fingerprint> {
    // SAFETY: GetLatestSnapshot returns a static snapshot, valid until the next call.
    Some(fingerprint(unsafe { pg_sys::GetLatestSnapshot() }))
}

/// Runs `body` with the newest state as the active snapshot.
pub(crate) fn with_latest<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: pushes a copy; popped below, and by the (sub)transaction's abort when body raises.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
    let value = body();
    // SAFETY: pops the snapshot pushed above.
    unsafe { pg_sys::PopActiveSnapshot() };
    value
}

/// Whether what the newest state has is found in that from which this transaction reads, too: a foreign key looks there.
pub(crate) fn knows<T>(find: impl FnOnce() -> Option<T>) -> bool {
    !is_fixed() || with_first(find).is_some()
}

/// Runs `body` with the state from which this transaction reads as the active snapshot.
fn with_first<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: pushes a copy; popped below, and by the (sub)transaction's abort when body raises.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
    let value = body();
    // SAFETY: pops the snapshot pushed above.
    unsafe { pg_sys::PopActiveSnapshot() };
    value
}

/// Whether the newest state may be another one than that from which this transaction reads, and can be read.
pub(crate) fn may_see_newer() -> bool {
    // SAFETY: reads a backend variable; workers take no snapshot.
    is_fixed() && !unsafe { pg_sys::IsInParallelMode() }
}

/// The newest snapshot, static until the next call, and the one from which the transaction reads.
pub(super) fn latest_and_first() -> (pg_sys::Snapshot, pg_sys::Snapshot) {
    // SAFETY: called in a transaction, not in a worker; both live as long as the transaction takes no other one.
    unsafe { (pg_sys::GetLatestSnapshot(), pg_sys::GetTransactionSnapshot()) }
}
