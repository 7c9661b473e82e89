//! The view of a concealed table made again, when somebody has dropped it.
//!
//! Until then the table is out of reach, and functions that take it say so (masks::require_view). What the owner had
//! granted on the view went with it; registered login roles get what they need.

use super::conceal::{self, Concealable, NOT_READY};
use super::grants_on_tables::{self, Roles};
use super::plan::patience;
use super::ready;
use super::step::Step;
use super::view_grants;
use crate::errors::{failure, refused};
use crate::ffi::raise::notice;
use crate::ffi::session;
use crate::ffi::sql::{self, Param, Sees};
use crate::names::quote;
use crate::schema_changes;

/// More roles than this have privileges through a common role: all of them would not fit into the list of the view.
const MOST_ROLES: usize = 300;

pub(super) fn conceal(mut table: Concealable, dry_run: bool) -> Vec<Step> {
    let target = table.relation.oid;
    let schema = public_schema(&table);
    table.public = format!("{}.{}", quote(&schema), quote(&table.relation.plain_name));
    ready::require(&table.relation, table.owner_oid, &table.base_schema);
    let left = view_grants::writing(&view_grants::privileges(target, table.owner_oid));
    let mut steps = patience();
    steps.extend(table.view(None));
    steps.extend(view_grants::granted(&table.public, &left, "Writes of the table were left.", true));
    steps.extend(conceal::comments(target, &table.public));
    steps.push(table.register());
    let mut steps = conceal::finish(steps, dry_run);
    if !dry_run {
        schema_changes::know_again(target);
        if Roles::registered().count() <= MOST_ROLES {
            steps.extend(grants_on_tables::grant_again(target));
        }
        notice(&format!(
            "privileges that were granted on {} are gone but for those of registered login roles: a superuser grants them again",
            table.public
        ));
    }
    steps
}

/// Where the view stood. Whoever owns the table chooses the name of its schema, and must not place views elsewhere.
fn public_schema(table: &Concealable) -> String {
    let Some(schema) = table.base_schema.strip_suffix("_base").filter(|name| !name.is_empty()) else {
        failure(NOT_READY, format!("where the view of {} stood is not known", table.base))
            .hint("Move the table into a schema whose name ends with _base: the view belongs into the one without it.")
            .raise()
    };
    let mut found = None;
    sql::query(
        "SELECT has_schema_privilege($2, n.oid, 'CREATE') FROM pg_namespace n WHERE n.nspname = $1",
        &[Param::Text(Some(schema)), Param::Oid(table.owner_oid)],
        Sees::Now,
        &mut |row| found = Some(row.bool(0)),
    );
    match found {
        None => {
            failure(NOT_READY, format!("schema {}, where the view of {} stood, is gone", quote(schema), table.base))
                .hint(format!("CREATE SCHEMA {} first.", quote(schema)))
                .raise()
        }
        Some(false) if !session::is_superuser(session::current_role()) => {
            refused(format!("permission denied for schema {}", quote(schema)))
                .detail(format!("The owner of {} may not create a view there.", table.base))
                .hint("A superuser conceals the table.")
                .raise()
        }
        Some(_) => schema.to_owned(),
    }
}
