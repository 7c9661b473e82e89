//! Which columns a member may write, and with which values.

use super::write::Write;
use crate::ffi::row::Attribute;
use crate::ffi::trigger::Row;
use crate::visibility::{Subject, Table};

/// The rules about fields of one table for one member, resolved once for each statement.
pub(crate) struct Fields {
    guarded: Vec<Attribute>,
}

impl Fields {
    pub(super) fn of(_subject: &Subject, _table: &Table, _row: &Row) -> Option<Fields> {
        None
    }

    /// Columns that some rule names: their changes are written down.
    pub(crate) fn guarded(&self) -> &[Attribute] {
        &self.guarded
    }

    pub(super) fn insert(&self, _write: &Write, _new: &Row) {}

    pub(super) fn update(&self, _write: &Write, _old: &Row, _new: &Row) {}
}
