//! Which state of the database a statement sees.
//!
//! A fingerprint names that state: within one transaction of one backend, and as long as no sub-transaction
//! was rolled back in between, equal fingerprints mean equal states. For a fixed xmax the set of running
//! transactions can only shrink, so the counts identify it.

use pgrx::pg_sys;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

fn fingerprint(snapshot: *const pg_sys::SnapshotData) -> Fingerprint {
    // SAFETY: callers pass the active or latest snapshot, which is a valid MVCC snapshot.
    let s = unsafe { &*snapshot };
    Fingerprint { xmin: xid(s.xmin), xmax: xid(s.xmax), running: s.xcnt, running_sub: s.subxcnt, command: s.curcid }
}

fn xid(id: pg_sys::TransactionId) -> u32 {
    id.into_inner()
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
