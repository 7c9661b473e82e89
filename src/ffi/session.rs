//! Users, names and the switch to the extension's owner.

use super::compat;
use super::plain;
pub(crate) use super::transaction::{Outcome, Transaction, has_written, in_transaction_block, subtransaction};
pub(crate) use super::versions::{is_governed, is_updated};
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

pub(crate) fn session_role() -> pg_sys::Oid {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::GetSessionUserId() }
}

/// The role that SET ROLE chose, or the login; definer functions do not change it.
pub(crate) fn outer_role() -> pg_sys::Oid {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::GetOuterUserId() }
}

/// The setting row_security, which a restore turns off.
pub(crate) fn demands_no_row_security() -> bool {
    // SAFETY: reads a backend variable.
    !unsafe { pg_sys::row_security }
}

/// Schema and name of a relation, from the caches; None for one that is gone.
pub(crate) fn relation_name(relation: pg_sys::Oid) -> Option<String> {
    // SAFETY: a catalog look-up; null for what does not exist.
    let name = unsafe { pg_sys::get_rel_name(relation) };
    if name.is_null() {
        return None;
    }
    // SAFETY: a catalog look-up of a relation that exists.
    let schema = unsafe { pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation)) };
    if schema.is_null() {
        return None;
    }
    // SAFETY: a terminated string in the current memory context.
    let name = unsafe { CStr::from_ptr(name) };
    // SAFETY: as above.
    let schema = unsafe { CStr::from_ptr(schema) };
    Some(format!("{}.{}", quoted(&schema.to_string_lossy()), quoted(&name.to_string_lossy())))
}

/// The number of the running transaction, which gets one if it has none.
pub(crate) fn transaction() -> u64 {
    // SAFETY: not called in parallel mode, which writes nothing.
    unsafe { pg_sys::GetTopFullTransactionId() }.value
}

/// The next value of a sequence of the extension. Needs the rights on it.
pub(crate) fn next_value(sequence: pg_sys::Oid) -> Option<i64> {
    use pgrx::IntoDatum;
    // SAFETY: the function takes one regclass.
    unsafe { pgrx::direct_function_call(pg_sys::nextval_oid, &[sequence.into_datum()]) }
}

/// The relation of this name in the extension's schema.
pub(crate) fn own_relation(name: &CStr) -> pg_sys::Oid {
    // SAFETY: catalog look-ups by terminated names.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), pg_sys::get_namespace_oid(c"leadguard".as_ptr(), false)) }
}

/// Microseconds since 2000-01-01, now.
pub(crate) fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

pub(crate) fn current_role() -> pg_sys::Oid {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::GetUserId() }
}

/// Whether a SECURITY DEFINER function or the like has put its owner in the caller's place.
pub(crate) fn is_switched() -> bool {
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: both out-pointers are valid.
    unsafe { pg_sys::GetUserIdAndSecContext(&mut user, &mut context) };
    context != 0 || user != session_role()
}

pub(crate) fn role_name(role: pg_sys::Oid) -> Option<String> {
    // SAFETY: with noerr the function returns null for an unknown role.
    let name = unsafe { pg_sys::GetUserNameFromId(role, true) };
    if name.is_null() {
        return None;
    }
    // SAFETY: a terminated string in the current memory context.
    Some(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}

/// An identifier as SQL text, quoted where it must be.
pub(crate) fn quoted(identifier: &str) -> String {
    let name = CString::new(identifier.replace('\0', "")).unwrap_or_default();
    // SAFETY: a terminated string; the result is one too, the same or a new one in the current memory context.
    let quoted = plain::written(|| unsafe { CStr::from_ptr(pg_sys::quote_identifier(name.as_ptr())) });
    quoted.to_string_lossy().into_owned()
}

pub(crate) fn is_superuser(role: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up.
    unsafe { pg_sys::superuser_arg(role) }
}

/// Whether row security does not apply to the role.
pub(crate) fn bypasses_row_security(role: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up; true for superusers too.
    unsafe { pg_sys::has_bypassrls_privilege(role) }
}

/// The role of this name; InvalidOid for none.
pub(crate) fn role_named(name: &CStr) -> pg_sys::Oid {
    // SAFETY: a catalog look-up by a terminated name.
    unsafe { pg_sys::get_role_oid(name.as_ptr(), true) }
}

pub(crate) fn owns_relation(relation: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    compat::owns_relation(relation, role)
}

pub(crate) fn reserve_prefix(prefix: &CStr) {
    compat::reserve_prefix(prefix);
}

pub(crate) fn server_version_num() -> u32 {
    // SAFETY: the setting exists in every server and holds digits.
    let text = unsafe { pg_sys::GetConfigOption(c"server_version_num".as_ptr(), false, false) };
    if text.is_null() {
        return 0;
    }
    // SAFETY: a terminated string owned by Postgres.
    unsafe { CStr::from_ptr(text) }.to_str().ok().and_then(|t| t.parse().ok()).unwrap_or(0)
}

/// Whether this server lets transactions be prepared.
pub(crate) fn may_prepare_transactions() -> bool {
    static MAY: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *MAY.get_or_init(|| {
        // SAFETY: the setting exists in every server and never changes while it runs.
        let text = unsafe { pg_sys::GetConfigOption(c"max_prepared_transactions".as_ptr(), true, false) };
        // SAFETY: null, or a terminated string.
        text.is_null() || unsafe { CStr::from_ptr(text) } != c"0"
    })
}

/// Whether something was begun that can be fetched from later: every open cursor is.
pub(crate) fn has_waiting_portals() -> bool {
    // SAFETY: looks at the portals of this backend.
    !unsafe { pg_sys::ThereAreNoReadyPortals() }
}

/// The root of the partition tree that a partition belongs to.
pub(crate) fn partition_root(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    use pgrx::IntoDatum;
    // SAFETY: a catalog look-up; false for what is no relation.
    if !unsafe { pg_sys::get_rel_relispartition(relation) } {
        return None;
    }
    // SAFETY: the function takes one regclass.
    unsafe { pgrx::direct_function_call(pg_sys::pg_partition_root, &[relation.into_datum()]) }
}

/// Whether the running statement is one by which Postgres carries a foreign key's action out.
pub(crate) fn is_following_a_foreign_key() -> bool {
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: both out-pointers are valid.
    unsafe { pg_sys::GetUserIdAndSecContext(&mut user, &mut context) };
    context & pg_sys::SECURITY_NOFORCE_RLS as i32 != 0
}

/// The kind of a relation's column, if it is one that can be mapped.
pub(crate) fn column_kind(relation: pg_sys::Oid, name: &str) -> Option<crate::model::value::Kind> {
    super::call::kind_of(column_type(relation, name))
}

/// The type of a relation's column; InvalidOid where there is none.
pub(crate) fn column_type(relation: pg_sys::Oid, name: &str) -> pg_sys::Oid {
    let number = super::scan::attribute_number(relation, name);
    // SAFETY: a catalog look-up; InvalidOid where there is none.
    unsafe { pg_sys::get_atttype(relation, number) }
}

/// Microseconds since 2000-01-01 at the start of the client's statement.
pub(crate) fn statement_time() -> i64 {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::GetCurrentStatementStartTimestamp() }
}

/// The extension's tables belong to a superuser; this is the one that always exists.
const OWNER: pg_sys::Oid = pg_sys::Oid::from_u32(10);

struct Switched {
    user: pg_sys::Oid,
    context: i32,
    nest_level: i32,
    _queries: plain::Queries,
}

impl Drop for Switched {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: ends the level opened in as_extension; after an error the abort does it.
            unsafe { pg_sys::AtEOXact_GUC(true, self.nest_level) };
        }
        // SAFETY: puts back what GetUserIdAndSecContext gave.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) };
    }
}

/// Runs `body` as the owner of the extension, with nothing on the search path that a user could write.
/// For queries of the extension's own tables only: never for code of the caller or of a table's owner.
pub(crate) fn as_extension<T>(body: impl FnOnce() -> T) -> T {
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: both out-pointers are valid.
    unsafe { pg_sys::GetUserIdAndSecContext(&mut user, &mut context) };
    // SAFETY: opens a nesting level that Switched closes.
    let nest_level = unsafe { pg_sys::NewGUCNestLevel() };
    let switched = Switched { user, context, nest_level, _queries: plain::Queries::plain() };
    let local = context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
    // SAFETY: the flag keeps SET ROLE and SET SESSION AUTHORIZATION out until Switched is dropped.
    unsafe { pg_sys::SetUserIdAndSecContext(OWNER, local) };
    set_local(c"search_path", c"pg_catalog, pg_temp");
    set_local(c"row_security", c"on");
    let value = body();
    drop(switched);
    value
}

/// Runs `body` as the caller, with a search path that resolves nothing of the caller's.
pub(crate) fn with_pinned_path<T>(body: impl FnOnce() -> T) -> T {
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    // SAFETY: both out-pointers are valid.
    unsafe { pg_sys::GetUserIdAndSecContext(&mut user, &mut context) };
    // SAFETY: opens a nesting level that Switched closes.
    let nest_level = unsafe { pg_sys::NewGUCNestLevel() };
    let switched = Switched { user, context, nest_level, _queries: plain::Queries::plain() };
    set_local(c"search_path", c"pg_catalog, pg_temp");
    let value = body();
    drop(switched);
    value
}

pub(crate) fn set_local(name: &CStr, value: &CStr) {
    // SAFETY: both strings are terminated; GUC_ACTION_SAVE is undone with the nesting level and is the one
    // action allowed in parallel mode.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        )
    };
}

/// Whether this process computes a part of a query for another one.
pub(crate) fn is_parallel_worker() -> bool {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::ParallelWorkerNumber >= 0 }
}

/// Microseconds since 2000-01-01 at the start of the connection.
pub(crate) fn started() -> i64 {
    // SAFETY: a plain read of a backend variable set at the start.
    unsafe { pg_sys::MyStartTimestamp }
}
