//! Import sessions: rows are staged, checked, approved, and inserted in one transaction.

/// A request for an import was decided, in the transaction of whoever decided.
#[allow(dead_code)]
pub(crate) fn decided(_approval: i64, _granted: bool) {}
