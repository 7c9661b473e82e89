//! Changing the rules about fields: the matrix and its versions, valid values, transitions, tags.
//!
//! right     who may change the rules of a table
//! field     what `column` and `column.key` mean
//! sheet     the matrix as jsonb, as CSV and as a table
//! versions  drafts
//! signing   proposals and signatures
//! values    valid values, transitions, tags
//!
//! A matrix counts when all its signers have signed; valid values, transitions and tags count at once. How the rules
//! are kept is decided by the guards of the table, not here. Tests: tests/fields (manage_*).

pub(crate) mod field;
pub(crate) mod right;
pub(crate) mod sheet;
mod signing;
mod values;
mod versions;

use crate::audit::{self, Event};
use pgrx::pg_sys::Oid;

/// The code of Postgres for what the state of an object does not allow.
const NOT_IN_THIS_STATE: &str = "55000";

/// A text of the caller as messages repeat it.
fn shortened(text: &str) -> String {
    text.char_indices().nth(100).map_or_else(|| text.to_owned(), |(end, _)| format!("{}...", &text[..end]))
}

/// Writes down that the rules of a table changed.
fn changed(target: Oid, action: &'static str, detail: String) {
    audit::event(&Event {
        target: Some(target),
        record: None,
        action,
        reason: None,
        approval: None,
        detail: Some(detail),
    });
}
