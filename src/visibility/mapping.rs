//! Whether the registered column names still mean what the policies compute with.
//!
//! Policies follow a renamed column, names in a table do not: after a rename another column could take the
//! name. The policy's own text says which columns it reads under which names now; it must be the registered
//! ones. Test: tests/paths/names.rs.

use super::subject::Table;
use crate::errors::refused;
use crate::ffi::policies;
use crate::ffi::session::with_pinned_path;
use crate::ffi::sql::{self, Param, Sees};
use crate::names;
use pgrx::pg_sys::Oid;

/// Refuses with 42501 when the mapping is stale: writes and questions fail closed, reads go by the policy.
pub(crate) fn require(table: &Table) {
    let expected = [
        Some(table.id_column.as_str()),
        table.owner_column.as_deref(),
        table.territory_column.as_deref(),
        table.organization_column.as_deref(),
    ];
    let holds = policies::reads_columns(table.target, c"leadguard_select", &expected)
        .unwrap_or_else(|| text_of_policy(table.target).is_some_and(|text| text.contains(&arguments(expected))));
    if !holds {
        refused(format!(
            "the mapped columns of {} are not those that its policies read any more",
            names::shown(table.target)
        ))
        .hint("A column was renamed or a policy replaced. Run leadguard.unprotect and leadguard.protect again.")
        .raise();
    }
}

/// Where somebody switched row security off, the server has no policies at hand; the catalog has.
fn text_of_policy(target: Oid) -> Option<String> {
    with_pinned_path(|| {
        sql::first_text(
            "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = $1 AND polname = 'leadguard_select'",
            &[Param::Oid(target)],
            Sees::Statement,
        )
    })
}

/// The mapped columns as a policy's text names them after the table.
fn arguments(columns: [Option<&str>; 4]) -> String {
    let names = columns.map(|column| column.map_or_else(|| "NULL::bigint".to_owned(), names::quote));
    format!("::regclass, {})", names.join(", "))
}
