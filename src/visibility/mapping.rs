//! Whether the registered column names still mean what the policies compute with.
//!
//! Policies follow a renamed column, names in a table do not: after a rename another column could take the
//! name. The policy's own text says which columns it reads under which names now; it must be the registered
//! ones. Test: tests/paths/names.rs.

use super::subject::Table;
use crate::errors::refused;
use crate::ffi::session::with_pinned_path;
use crate::ffi::sql::{self, Param, Sees};
use crate::names;

/// The mapped columns as the policies name them after the table.
pub(crate) fn arguments(id: &str, others: [Option<&str>; 3]) -> String {
    let mut text = names::quote(id);
    for name in others {
        text.push_str(", ");
        match name {
            Some(name) => text.push_str(&names::quote(name)),
            None => text.push_str("NULL::bigint"),
        }
    }
    text
}

/// Refuses with 42501 when the mapping is stale: writes and questions fail closed, reads go by the policy.
pub(crate) fn require(table: &Table) {
    let expected = arguments(
        &table.id_column,
        [table.owner_column.as_deref(), table.territory_column.as_deref(), table.organization_column.as_deref()],
    );
    let policy = with_pinned_path(|| {
        sql::first_text(
            "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = $1 AND polname = 'leadguard_select'",
            &[Param::Oid(table.target)],
            Sees::Statement,
        )
    });
    if !policy.is_some_and(|text| text.ends_with(&format!("::regclass, {expected})"))) {
        refused(format!(
            "the mapped columns of {} are not those that its policies read any more",
            names::shown(table.target)
        ))
        .hint("A column was renamed or a policy replaced. Run leadguard.unprotect and leadguard.protect again.")
        .raise();
    }
}
