//! Which plans and cached facts hold no longer: telling Postgres, and being told.

use pgrx::pg_sys;
use std::cell::Cell;

/// How the plan cache knows a function.
pub(crate) fn plan_cache_hash(function: pg_sys::Oid) -> u32 {
    let none = pg_sys::Datum::from(0usize);
    // SAFETY: the keys are those of this cache.
    unsafe {
        pg_sys::GetSysCacheHashValue(
            pg_sys::SysCacheIdentifier::PROCOID as i32,
            pg_sys::Datum::from(function),
            none,
            none,
            none,
        )
    }
}

/// Has this backend's plans of queries that name the function made anew at their next use.
pub(crate) fn forget_plans(hash: u32) {
    // SAFETY: tells the registered caches, as a change of the function would; they only set flags.
    unsafe { pg_sys::CallSyscacheCallbacks(pg_sys::SysCacheIdentifier::PROCOID as i32, hash) };
}

/// Has every backend make plans over a table anew once this transaction is committed.
pub(crate) fn invalidate_relation(relation: pg_sys::Oid) {
    // SAFETY: a catalog look-up.
    if unsafe { pg_sys::get_rel_relkind(relation) } != 0 {
        // SAFETY: the relation exists; sends a message at commit.
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) };
    }
}

thread_local! {
    static CHANGES: Cell<u64> = const { Cell::new(1) };
}

/// How often functions of the database may have changed, and an aborted (sub)transaction may have taken a change back.
pub(crate) fn function_changes() -> u64 {
    CHANGES.get()
}

/// Called once, when the library is loaded.
pub(crate) fn watch_functions() {
    // SAFETY: registered once for the life of the backend, with a function that lives as long.
    unsafe {
        pg_sys::CacheRegisterSyscacheCallback(
            pg_sys::SysCacheIdentifier::PROCOID as i32,
            Some(function_changed),
            pg_sys::Datum::from(0usize),
        )
    };
}

/// Must not look at the catalog.
unsafe extern "C-unwind" fn function_changed(_arg: pg_sys::Datum, _cache: i32, _hash: u32) {
    CHANGES.set(CHANGES.get().wrapping_add(1));
}
