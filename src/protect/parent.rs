//! The table that a protected table belongs to: who reads a row of it may read what belongs to it.

use super::arguments::Request;
use super::check::Mapping;
use super::inspect::{Column, Relation};
use crate::errors::{bad_argument, failure};
use crate::ffi::session;
use crate::masks;
use crate::names;
use crate::visibility;
use pgrx::pg_sys::Oid;

/// Refuses a parent that the policies cannot ask.
pub(super) fn require(request: &Request, relation: &Relation, columns: &[Column], mapping: &Mapping) {
    let Some(parent) = request.parent else { return };
    let Some(column) = &mapping.parent else {
        bad_argument("parent is given and parent_column is not")
            .hint("Pass parent_column => with the name of the column that holds the parent's id.")
            .raise()
    };
    let name = names::shown(parent);
    let subject = visibility::now();
    let registered = subject.table(parent);
    let Some(table) =
        registered.as_ref().as_ref().filter(|table| table.target == parent || table.concealed_by == Some(parent))
    else {
        failure("55000", format!("{name} is not a protected table"))
            .detail(format!("Whoever may read it would read all of {} through it.", relation.name))
            .hint("Protect the parent first.")
            .raise()
    };
    masks::require_view(table);
    if is_above(table.target, request.target) {
        bad_argument(format!("{} cannot belong to {name}, which belongs to it", relation.name))
            .detail("Who reads the one would depend on who reads the other.")
            .raise();
    }
    let kind = columns.iter().find(|held| held.name == *column).and_then(|held| held.kind);
    let id_kind = session::column_kind(table.target, &table.id_column);
    if kind.map(|kind| kind.family()) != id_kind.map(|kind| kind.family()) {
        bad_argument(format!("column \"{column}\" of {} does not hold ids of {name}", relation.name))
            .hint(format!("It must have the type of \"{}\" there.", table.id_column))
            .raise();
    }
}

/// Whether a table belongs to another, in however many steps.
fn is_above(table: Oid, other: Oid) -> bool {
    let subject = visibility::now();
    let mut at = Some(table);
    while let Some(table) = at {
        if table == other {
            return true;
        }
        at = subject.table(table).as_ref().as_ref().and_then(|table| table.parent);
    }
    false
}
