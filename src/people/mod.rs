//! People who come, change and go.

/// A request for more access was decided, in the transaction of whoever decided.
#[allow(dead_code)]
pub(crate) fn decided(_approval: i64, _granted: bool) {}
