//! Differences between the server versions, under the newest name.

use pgrx::pg_sys;

#[cfg(any(feature = "pg14", feature = "pg15"))]
pub(super) fn owns_relation(relation: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up by OID; raises for an unknown relation.
    unsafe { pg_sys::pg_class_ownercheck(relation, role) }
}

#[cfg(not(any(feature = "pg14", feature = "pg15")))]
pub(super) fn owns_relation(relation: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up by OID; raises for an unknown relation.
    unsafe { pg_sys::object_ownercheck(pg_sys::RelationRelationId, relation, role) }
}

/// Unknown settings under the prefix become errors where the server can do it (15 and later).
pub(super) fn reserve_prefix(prefix: &core::ffi::CStr) {
    #[cfg(not(feature = "pg14"))]
    // SAFETY: the name is a static string; called once from _PG_init.
    unsafe {
        pg_sys::MarkGUCPrefixReserved(prefix.as_ptr())
    };
    #[cfg(feature = "pg14")]
    // SAFETY: as above; 14 knows only the warning.
    unsafe {
        pg_sys::EmitWarningsOnPlaceholders(prefix.as_ptr())
    };
}

/// Has `request` called where the postmaster takes requests for shared memory.
pub(super) fn request_shared(request: fn()) {
    #[cfg(feature = "pg14")]
    request();
    #[cfg(not(feature = "pg14"))]
    shared::install(request);
}

#[cfg(not(feature = "pg14"))]
mod shared {
    use pgrx::pg_sys;
    use std::sync::OnceLock;

    static REQUEST: OnceLock<fn()> = OnceLock::new();
    static mut NEXT: pg_sys::shmem_request_hook_type = None;

    pub(super) fn install(request: fn()) {
        if REQUEST.set(request).is_err() {
            return;
        }
        // SAFETY: plain variables of the postmaster, written by its one thread.
        unsafe {
            NEXT = pg_sys::shmem_request_hook;
            pg_sys::shmem_request_hook = Some(hook);
        }
    }

    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn hook() {
        // SAFETY: what Postgres would have called; written by install only.
        if let Some(next) = unsafe { NEXT } {
            // SAFETY: as above.
            unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| next()) };
        }
        if let Some(request) = REQUEST.get() {
            request();
        }
    }
}

/// A scan of an index with one key.
///
/// # Safety
/// Both relations must be open, and the snapshot valid until the scan ends.
pub(super) unsafe fn begin_index_scan(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
) -> pg_sys::IndexScanDesc {
    #[cfg(not(feature = "pg18"))]
    // SAFETY: as the caller promises.
    let scan = unsafe { pg_sys::index_beginscan(table, index, snapshot, 1, 0) };
    #[cfg(feature = "pg18")]
    // SAFETY: as the caller promises; null keeps no statistics.
    let scan = unsafe { pg_sys::index_beginscan(table, index, snapshot, core::ptr::null_mut(), 1, 0) };
    scan
}

/// The planner's cost functions of index access methods.
pub(super) type CostEstimate = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannerInfo,
    *mut pg_sys::IndexPath,
    f64,
    *mut pg_sys::Cost,
    *mut pg_sys::Cost,
    *mut pg_sys::Selectivity,
    *mut f64,
    *mut f64,
);

/// As IndexOptInfo holds one: up to 15 as a function of nothing.
#[cfg(any(feature = "pg14", feature = "pg15"))]
pub(super) fn held(estimate: CostEstimate) -> unsafe extern "C-unwind" fn() {
    // SAFETY: function pointers have one form; whoever calls it casts it back, as Postgres does.
    unsafe { std::mem::transmute::<CostEstimate, unsafe extern "C-unwind" fn()>(estimate) }
}

#[cfg(not(any(feature = "pg14", feature = "pg15")))]
pub(super) fn held(estimate: CostEstimate) -> CostEstimate {
    estimate
}
