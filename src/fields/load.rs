//! The queries behind the rules of a table, in the active snapshot.

use super::transition::{self, Transition};
use super::{Access, Mask, Namespace, Rules, Valid};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Row, Sees};
use crate::model::matrix::{Bound, Cell, Matrix};
use pgrx::pg_sys::Oid;

pub(super) fn rules(target: Oid) -> Rules {
    let mut rules = Rules::default();
    if !session::is_updated() {
        return rules;
    }
    let mut cells = Vec::new();
    as_extension(|| {
        each(include_str!("../../sql/query/field_table.sql"), target, &mut |row| {
            rules.closed_by_default = row.bool(0);
            rules.mapped = (1..8).filter_map(|column| row.text(column)).collect();
        });
        each(include_str!("../../sql/query/field_cells.sql"), target, &mut |row| {
            let access = row.text(4).as_deref().and_then(Access::parse).unwrap_or(Access::NoAccess);
            cells.push(Cell { column: bound(row), key: text(row, 2), role: text(row, 3), access });
        });
        each(include_str!("../../sql/query/field_values.sql"), target, &mut |row| {
            let (column, key, value) = (bound(row), text(row, 2), text(row, 3));
            match rules.values.last_mut() {
                Some(last) if last.column == column && last.key == key => last.values.push(value),
                _ => rules.values.push(Valid { column, key, values: vec![value] }),
            }
        });
        each(include_str!("../../sql/query/field_transitions.sql"), target, &mut |row| {
            rules.transitions.push(Transition {
                column: bound(row),
                from: row.text(2),
                to: text(row, 3),
                role: row.text(4),
                condition: transition::condition(&text(row, 5)),
            });
        });
        each(include_str!("../../sql/query/field_tags.sql"), target, &mut |row| rules.tags.push(bound(row)));
        each(include_str!("../../sql/query/field_namespaces.sql"), target, &mut |row| {
            rules.namespaces.push(Namespace { name: text(row, 0), role: text(row, 1) });
        });
        each(include_str!("../../sql/query/field_masks.sql"), target, &mut |row| {
            let clear_for = text(row, 2).split(',').map(str::to_owned).collect();
            rules.masks.push(Mask { column: bound(row), clear_for });
        });
    });
    rules.matrix = Matrix::new(cells);
    rules
}

fn each(query: &'static str, target: Oid, read: &mut dyn FnMut(&Row)) {
    sql::query(query, &[Param::Oid(target)], Sees::Statement, read);
}

/// Number and name of a column, which come first.
fn bound(row: &Row) -> Bound {
    Bound { number: row.text(0).and_then(|number| number.parse().ok()), name: text(row, 1) }
}

fn text(row: &Row, column: i32) -> String {
    row.text(column).unwrap_or_default()
}
