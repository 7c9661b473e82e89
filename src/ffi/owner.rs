//! Working as the owner of a table.

use super::session::set_local;
use pgrx::pg_sys;

struct Switched {
    user: pg_sys::Oid,
    context: i32,
    nest_level: i32,
}

impl Drop for Switched {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: ends the level opened in as_owner_of; after an error the abort does it.
            unsafe { pg_sys::AtEOXact_GUC(true, self.nest_level) };
        }
        // SAFETY: puts back what GetUserIdAndSecContext gave.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) };
    }
}

/// Runs `body` as the owner of a relation, as the server itself runs code of tables: what the owner wrote has the rights
/// that the owner has, and cannot change the session.
pub(crate) fn as_owner_of<T>(relation: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    let Some(owner) = owner(relation) else {
        crate::errors::bug("a relation without an owner");
    };
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: both out-pointers are valid.
    unsafe { pg_sys::GetUserIdAndSecContext(&mut user, &mut context) };
    // SAFETY: opens a nesting level that Switched closes.
    let nest_level = unsafe { pg_sys::NewGUCNestLevel() };
    let switched = Switched { user, context, nest_level };
    let restricted =
        context | (pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION) as i32;
    // SAFETY: undone when Switched is dropped.
    unsafe { pg_sys::SetUserIdAndSecContext(owner, restricted) };
    set_local(c"search_path", c"pg_catalog, pg_temp");
    set_local(c"row_security", c"on");
    let value = body();
    drop(switched);
    value
}

fn owner(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: a catalog look-up; null where there is no such relation.
    let tuple = unsafe {
        pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, pg_sys::Datum::from(relation))
    };
    if tuple.is_null() {
        return None;
    }
    // SAFETY: the tuple is one of pg_class, held until it is released.
    let owner = unsafe { (*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_class>(tuple)).relowner };
    // SAFETY: found above.
    unsafe { pg_sys::ReleaseSysCache(tuple) };
    Some(owner)
}
