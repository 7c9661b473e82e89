//! Memory that all sessions share, where the server has preloaded the library. Nothing that decides access lies here,
//! but for windows of batches, which are off by default.
//!
//! Counters are found without a lock: a slot is taken once and never given back. The windows have a lock.

use super::compat;
use crate::model::window::Window;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering};

const NAME: &CStr = c"leadguard";

/// So many places are looked at for a member, and for a window.
const NEAR: usize = 64;

/// The counters of one member of one database.
pub(crate) struct Slot {
    state: AtomicU32,
    database: AtomicU32,
    member: AtomicI64,
    pub since: AtomicI64,
    pub statements: AtomicU64,
    pub rows: AtomicU64,
    pub exports: AtomicU64,
    pub refusals: AtomicU64,
}

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const READY: u32 = 2;

#[repr(C)]
struct Shared {
    lock: *mut pg_sys::LWLock,
    members: usize,
}

static SHARED: AtomicPtr<Shared> = AtomicPtr::new(core::ptr::null_mut());
static mut NEXT_STARTUP: pg_sys::shmem_startup_hook_type = None;

/// Whether the postmaster loads the library just now. Its settings can be read, tables cannot.
pub(crate) fn is_preloading() -> bool {
    // SAFETY: a plain variable of the process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Called once, when the library is loaded, after the settings are defined.
pub(crate) fn install() {
    if !is_preloading() {
        return;
    }
    compat::request_shared(request);
    // SAFETY: plain variables of the postmaster, written by its one thread.
    unsafe {
        NEXT_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(startup);
    }
}

fn size(members: usize) -> usize {
    size_of::<Shared>() + members * (size_of::<Slot>() + size_of::<Window>())
}

fn request() {
    // SAFETY: called where the postmaster asks for it.
    unsafe {
        pg_sys::RequestAddinShmemSpace(size(crate::guc::max_tracked_members()));
        pg_sys::RequestNamedLWLockTranche(NAME.as_ptr(), 1);
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn startup() {
    // SAFETY: what Postgres would have called; written by install only.
    if let Some(next) = unsafe { NEXT_STARTUP } {
        // SAFETY: as above.
        unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| next()) };
    }
    let members = crate::guc::max_tracked_members();
    let mut found = false;
    // SAFETY: the space was requested under this name; only the postmaster runs this, before any other process.
    let shared = unsafe { pg_sys::ShmemInitStruct(NAME.as_ptr(), size(members), &mut found) }.cast::<Shared>();
    if !found {
        // SAFETY: so many bytes are ours; zeros are free slots and empty windows.
        unsafe {
            core::ptr::write_bytes(shared.cast::<u8>(), 0, size(members));
            (*shared).lock = &raw mut (*pg_sys::GetNamedLWLockTranche(NAME.as_ptr())).lock;
            (*shared).members = members;
        }
    }
    SHARED.store(shared, Ordering::Release);
}

/// Whether there is shared memory.
#[inline]
pub(crate) fn is_there() -> bool {
    !SHARED.load(Ordering::Relaxed).is_null()
}

fn slots() -> &'static [Slot] {
    let shared = SHARED.load(Ordering::Acquire);
    if shared.is_null() {
        return &[];
    }
    // SAFETY: the slots follow the head and live as long as the server; all their fields are atomic.
    unsafe { std::slice::from_raw_parts(shared.add(1).cast::<Slot>(), (*shared).members) }
}

/// Spreads what identifies a slot.
fn place(parts: [u64; 2], of: usize) -> usize {
    let mut hash = parts[0].wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ parts[1];
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^= hash >> 32;
    usize::try_from(hash).unwrap_or_default() % of.max(1)
}

fn database() -> u32 {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}

thread_local! {
    static LAST: Cell<Option<(i64, &'static Slot)>> = const { Cell::new(None) };
    /// Where the window that was added to last was: mostly it is the next one too.
    static LAST_WINDOW: Cell<usize> = const { Cell::new(0) };
}

/// The counters of a member of this database; None without shared memory, or where all places near are taken.
pub(crate) fn slot(member: i64, now: i64) -> Option<&'static Slot> {
    if let Some((_, slot)) = LAST.get().filter(|(of, _)| *of == member) {
        return Some(slot);
    }
    let slots = slots();
    let (database, count) = (database(), slots.len());
    let first = place([u64::from(database), member.cast_unsigned()], count);
    let found = (0..NEAR.min(count)).map(|step| &slots[(first + step) % count]).find(|slot| {
        let taken = slot.state.compare_exchange(FREE, TAKEN, Ordering::AcqRel, Ordering::Acquire);
        if taken.is_ok() {
            slot.database.store(database, Ordering::Relaxed);
            slot.member.store(member, Ordering::Relaxed);
            slot.since.store(now, Ordering::Relaxed);
            slot.state.store(READY, Ordering::Release);
            return true;
        }
        // Somebody else is writing these few fields.
        for _ in 0..100_000 {
            if slot.state.load(Ordering::Acquire) == READY {
                break;
            }
            std::hint::spin_loop();
        }
        slot.is_of(database, member)
    });
    if let Some(slot) = found {
        LAST.set(Some((member, slot)));
    }
    found
}

impl Slot {
    fn is_of(&self, database: u32, member: i64) -> bool {
        self.state.load(Ordering::Acquire) == READY
            && self.database.load(Ordering::Relaxed) == database
            && self.member.load(Ordering::Relaxed) == member
    }

    pub(crate) fn member(&self) -> i64 {
        self.member.load(Ordering::Relaxed)
    }
}

/// The slots of this database.
pub(crate) fn own_slots() -> Vec<&'static Slot> {
    let database = database();
    let is_own =
        |slot: &&Slot| slot.state.load(Ordering::Acquire) == READY && slot.database.load(Ordering::Relaxed) == database;
    slots().iter().filter(is_own).collect()
}

/// Adds to the window of `key` in this database, and answers what it holds then. None without shared memory.
pub(crate) fn window_add(key: [u64; 2], rows: i64, seconds: i64, now: i64) -> Option<i64> {
    let shared = SHARED.load(Ordering::Acquire);
    if shared.is_null() {
        return None;
    }
    let key = [key[0] ^ (u64::from(database()) << 32), key[1]];
    // SAFETY: the lock lives as long as the server.
    let (lock, members) = unsafe { ((*shared).lock, (*shared).members) };
    // SAFETY: as above; nothing until the release can raise.
    unsafe { pg_sys::LWLockAcquire(lock, pg_sys::LWLockMode::LW_EXCLUSIVE) };
    // SAFETY: the windows follow the slots; nobody else has the lock.
    let windows = unsafe {
        let first = shared.add(1).cast::<Slot>().add(members).cast::<Window>();
        std::slice::from_raw_parts_mut(first, members)
    };
    let first = place(key, members);
    let near = (0..NEAR.min(members)).map(|step| (first + step) % members);
    let last = Some(LAST_WINDOW.get()).filter(|at| *at < members);
    let found = last.into_iter().chain(near.clone()).find(|at| windows[*at].is_of(key, seconds));
    // Else the one that was quiet for the longest time: a free one, if there is one.
    let at = found.or_else(|| near.min_by_key(|at| windows[*at].touched()));
    let sum = at.map(|at| {
        LAST_WINDOW.set(at);
        windows[at].add(key, seconds, now, rows)
    });
    // SAFETY: acquired above.
    unsafe { pg_sys::LWLockRelease(lock) };
    sum
}
