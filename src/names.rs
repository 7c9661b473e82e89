//! Identifiers and literals in generated SQL, and names of things for people.

use crate::ffi::session;
use crate::ffi::sql::{self, Param, Sees};
use pgrx::pg_sys::Oid;

/// An identifier as SQL text, quoted where it must be.
pub(crate) fn quote(identifier: &str) -> String {
    session::quoted(identifier)
}

/// A string literal as SQL text.
pub(crate) fn literal(text: &str) -> String {
    let body = text.replace('\'', "''");
    if body.contains('\\') { format!("E'{}'", body.replace('\\', "\\\\")) } else { format!("'{body}'") }
}

/// Schema-qualified name of a relation, quoted where needed; None when it does not exist.
pub(crate) fn relation(oid: Oid) -> Option<String> {
    let mut found = None;
    sql::query(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE c.oid OPERATOR(pg_catalog.=) $1",
        &[Param::Oid(oid)],
        Sees::Statement,
        &mut |row| found = row.text(0).zip(row.text(1)),
    );
    found.map(|(schema, name)| format!("{}.{}", quote(&schema), quote(&name)))
}

/// A table that a caller names, for messages before anything is known of it.
pub(crate) fn shown_argument(target: Option<Oid>) -> String {
    target.map_or_else(|| "NULL".to_owned(), shown)
}

/// The same for messages, where a relation that is gone must not be a second error.
pub(crate) fn shown(oid: Oid) -> String {
    relation(oid).unwrap_or_else(|| format!("relation {}", oid.to_u32()))
}
