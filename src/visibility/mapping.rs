//! Which columns the policies of a table name, and whether those are still the registered ones.
//!
//! Policies follow a renamed column, names in a table do not: after a rename another column could take the
//! name. The policy's own text says which columns it reads under which names now; it must be the registered
//! ones. Test: tests/paths/names.rs.

use super::table::{Part, Table};
use crate::errors::refused;
use crate::ffi::policies;
use crate::ffi::session::with_pinned_path;
use crate::ffi::sql::{self, Param, Sees};
use crate::names;
use pgrx::pg_sys::Oid;

/// The columns as the functions of the policies take them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// What the columns are; None for tables that map nothing but the four of leadguard.visible.
    pub parts: Option<String>,
    pub columns: Vec<Option<String>>,
}

const PLAIN: [Part; 4] = [Part::Id, Part::Owner, Part::Territory, Part::Organization];

impl Form {
    /// A creator is among them only where rules ask for him: without an index on him, the others would be of no use.
    pub(crate) fn of(column: impl Fn(Part) -> Option<String>, uses_creator: bool) -> Form {
        let is_named = |part: &Part| *part != Part::Creator || uses_creator;
        let mapped: Vec<(Part, String)> =
            Part::ALL.into_iter().filter(is_named).filter_map(|part| Some((part, column(part)?))).collect();
        if mapped.iter().all(|(part, _)| PLAIN.contains(part)) {
            return Form { parts: None, columns: PLAIN.map(column).to_vec() };
        }
        let parts: Vec<&str> = mapped.iter().map(|(part, _)| part.name()).collect();
        Form { parts: Some(parts.join(" ")), columns: mapped.iter().map(|(_, column)| Some(column.clone())).collect() }
    }

    /// The columns whose indexes queries use, beside the id's.
    pub(crate) fn searched(&self) -> Vec<&str> {
        let names: Vec<&str> = self.parts.as_deref().map_or(PLAIN.map(Part::name).to_vec(), |parts| parts.split(' ').collect());
        let searched = [Part::Owner, Part::Creator, Part::Territory, Part::Segment, Part::Team, Part::Parent].map(Part::name);
        let columns = names.iter().zip(&self.columns).filter(|(name, _)| searched.contains(name));
        columns.filter_map(|(_, column)| column.as_deref()).collect()
    }

    /// The arguments after the table, as a policy's text has them.
    pub(crate) fn arguments(&self) -> String {
        let columns = self.columns.iter().map(|column| column.as_deref().map_or("NULL::bigint".to_owned(), names::quote));
        let parts = self.parts.iter().map(|parts| format!("{}::text", names::literal(parts)));
        parts.chain(columns).collect::<Vec<_>>().join(", ")
    }
}

/// Refuses with 42501 when the mapping is stale: writes and questions fail closed, reads go by the policy.
pub(crate) fn require(table: &Table) {
    let form = |uses_creator| Form::of(|part| table.column(part).map(str::to_owned), uses_creator);
    let forms = [form(false), form(true)];
    let is_one = |form: &Form| {
        let columns: Vec<Option<&str>> = form.columns.iter().map(Option::as_deref).collect();
        policies::reads_columns(table.target, c"leadguard_select", form.parts.as_deref(), &columns)
    };
    let holds = forms.iter().map(is_one).reduce(|a, b| Some(a? || b?)).flatten().unwrap_or_else(|| {
        text_of_policy(table.target).is_some_and(|text| {
            forms.iter().any(|form| text.contains(&format!("::regclass, {})", form.arguments())))
        })
    });
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
