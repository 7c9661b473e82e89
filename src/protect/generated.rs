//! Generated columns: what they show of the columns that they are computed from.
//!
//! The view masks and closes a column by its name. One that is computed from it says the same, and goes on saying it
//! to everybody. Looked at whenever the view is made: for masks, signed rules, the table's default and new columns.

use super::conceal::NOT_READY;
use super::view::{Change, Column};
use crate::errors::failure;

/// 55000 where a generated column would show what the column hides that it is computed from.
pub(super) fn refuse_telling(base: &str, columns: &[Column], change: Change) {
    for column in columns.iter().filter(|column| !column.sources.is_empty()) {
        for source in columns.iter().filter(|source| column.sources.contains(&source.number)) {
            let masked = match change {
                Some((name, mask)) if name == source.name => mask.is_some(),
                _ => source.mask.is_some(),
            };
            if !tells(column, source, masked) {
                continue;
            }
            failure(
                NOT_READY,
                format!(
                    "generated column \"{}\" of {base} would show what column \"{}\" hides",
                    column.name, source.name
                ),
            )
            .detail("It is computed from that column, and no mask or field rule is for generated columns.")
            .hint("Drop it, or make it an ordinary column (ALTER COLUMN ... DROP EXPRESSION), and mask or rule that.")
            .raise();
        }
    }
}

/// Whether somebody may read the generated column who may not read what it is computed from. No field rule names a
/// generated column: it is closed to all by the table's default, or to none.
fn tells(column: &Column, source: &Column, masked: bool) -> bool {
    let is_open = column.mapped || !column.shut;
    is_open && !source.mapped && (masked || source.closed || source.closed_keys)
}
