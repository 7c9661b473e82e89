//! Putting the protection on a table and taking it off.
//!
//! archive           the columns of the archive, and what becomes of archived rows
//! arguments         what the caller asks for
//! conceal           a view in the place of the table
//! child             tables of notes and tags
//! check             what can be secured, and by whom
//! grants_on_tables  privileges of registered login roles
//! inspect           what the catalogs say
//! mask              which columns that view masks
//! partitions        partitions that come later
//! plan              the steps of protect and unprotect
//! ready             what must hold before that view takes the name
//! purge             archived rows that go with the protection
//! registry          the row of leadguard.protected_table
//! render            policies, triggers and flags as SQL
//! step              one statement and its reason
//! undo              how the table was, and the way back
//! view              that view as SQL
//!
//! Must never leave a table half secured: everything happens in the transaction of the call, and an error
//! anywhere takes all of it back. Invariant tests: tests/writes.

mod archive;
mod arguments;
mod check;
mod child;
mod conceal;
mod grants_on_tables;
mod inspect;
mod mask;
mod partitions;
mod plan;
mod purge;
mod ready;
mod registry;
mod render;
mod step;
mod undo;
mod view;

use crate::errors::failure;
use crate::ffi::session;
use arguments::{Names, Request};
use pgrx::pg_sys::Oid;
use step::Steps;

/// Secures a table. Its owner or a superuser; 42501 for others, 22023 and 0A000 for arguments, 42809 for what
/// is no table, 42703 for a missing column, 55000 for policies or indexes in the way, 42710 when it is protected.
#[allow(clippy::too_many_arguments)] // The argument list is public surface.
#[pgrx::pg_extern(sql = false)]
fn protect(
    target: Option<Oid>,
    preset: Option<String>,
    id: Option<String>,
    owner: Option<String>,
    creator: Option<String>,
    territory: Option<String>,
    organization: Option<String>,
    stage: Option<String>,
    status: Option<String>,
    sensitive: Option<String>,
    segment: Option<String>,
    archived_at: Option<String>,
    archived_by: Option<String>,
    team: Option<String>,
    parent: Option<Oid>,
    parent_column: Option<String>,
    org_key: Option<String>,
    existing: Option<String>,
    indexes: Option<String>,
    force: Option<bool>,
    dry_run: Option<bool>,
) -> Steps {
    arguments::refuse_unpatched_server();
    arguments::refuse_later(&[
        ("stage", stage.is_some()),
        ("status", status.is_some()),
        ("sensitive", sensitive.is_some()),
        ("segment", segment.is_some()),
        ("team", team.is_some()),
        ("parent", parent.is_some()),
        ("parent_column", parent_column.is_some()),
    ]);
    if archived_at.is_some() && !session::is_updated() {
        failure("55000", "the extension in this database is older than its library, and knows no archive".to_owned())
            .hint("Run ALTER EXTENSION leadguard UPDATE first.")
            .raise();
    }
    let request = Request {
        target: arguments::required("target", target),
        preset: arguments::preset(preset),
        names: Names { id, owner, creator, territory, organization, archived_at, archived_by },
        org_key: arguments::required("org_key", org_key),
        existing: arguments::existing(existing.as_deref()),
        indexes: arguments::indexes(indexes.as_deref()),
        force: arguments::required("force", force),
        dry_run: arguments::required("dry_run", dry_run),
    };
    let steps = plan::pinned(|| plan::secure(&request));
    step::listed(steps, request.dry_run)
}

/// Leaves the table as it was before protect. Its owner or a superuser, else 42501; 42704 when it is not
/// protected.
#[pgrx::pg_extern(sql = false)]
fn unprotect_with(target: Option<Oid>, dry_run: Option<bool>, archived: Option<&str>) -> Steps {
    let target = arguments::required("target", target);
    let dry_run = arguments::required("dry_run", dry_run);
    let archived = archive::Archived::of(archived);
    let steps = plan::pinned(|| {
        if let Some(steps) = child::release(target, dry_run) {
            return steps;
        }
        let target = conceal::resolved(target);
        let mut steps = conceal::reveal_for_good(target, dry_run);
        steps.extend(plan::release(target, archived, dry_run));
        steps
    });
    step::listed(steps, dry_run)
}

/// The same as 0.1 and 0.2 declare it.
#[pgrx::pg_extern(sql = false)]
fn unprotect(target: Option<Oid>, dry_run: Option<bool>) -> Steps {
    unprotect_with(target, dry_run, Some("refuse"))
}

/// Gives a protected table an archive, and puts its protection in order. Its owner or a superuser, else 42501; 42704
/// when it is not protected, 22023 and 42703 for the columns.
#[pgrx::pg_extern(sql = false)]
fn set_archive(
    target: Option<Oid>,
    archived_at: Option<String>,
    archived_by: Option<String>,
    attribution: Option<Vec<String>>,
    dry_run: Option<bool>,
) -> Steps {
    let target = arguments::required("target", target);
    let dry_run = arguments::required("dry_run", dry_run);
    let names = (arguments::required("archived_at", archived_at), archived_by);
    let attribution = arguments::required("attribution", attribution);
    step::listed(plan::pinned(|| archive::set(conceal::resolved(target), names, &attribution, dry_run)), dry_run)
}

/// What a write of a visible row does that the member's level does not allow. The table's owner or a
/// superuser, else 42501; 22023 for an unknown action, 42704 when the table is not protected.
#[pgrx::pg_extern(sql = false)]
fn on_denied(target: Option<Oid>, action: Option<&str>) {
    let target = arguments::required("target", target);
    match action {
        Some(action @ ("error" | "skip")) => plan::pinned(|| plan::set_on_denied(conceal::resolved(target), action)),
        other => arguments::unknown("action", other, "error, skip"),
    }
}

/// Moves a protected table out of reach and puts a view in its place. The table's owner or a superuser, else 42501;
/// 42704 when it is not protected, 42710 when it is concealed, 55000 for what stands in the way.
#[pgrx::pg_extern(sql = false)]
fn conceal(target: Option<Oid>, dry_run: Option<bool>) -> Steps {
    let (target, dry_run) = (arguments::required("target", target), arguments::required("dry_run", dry_run));
    step::listed(plan::pinned(|| conceal::conceal(target, dry_run)), dry_run)
}

/// The way back. Who may call and errors: as conceal; 55000 while columns are masked or closed.
#[pgrx::pg_extern(sql = false)]
fn reveal(target: Option<Oid>, dry_run: Option<bool>) -> Steps {
    let (target, dry_run) = (arguments::required("target", target), arguments::required("dry_run", dry_run));
    step::listed(plan::pinned(|| conceal::reveal(target, dry_run)), dry_run)
}

/// Masks a column, and conceals the table if it is not yet. Who may call and errors: as conceal; 22023 for a mask that
/// does not exist or fit, 42703 for a missing column.
#[pgrx::pg_extern(sql = false)]
fn mask(
    target: Option<Oid>,
    column_name: Option<&str>,
    mask: Option<String>,
    clear_for: Option<Vec<String>>,
    keep: Option<i32>,
    dry_run: Option<bool>,
) -> Steps {
    let (target, dry_run) = (arguments::required("target", target), arguments::required("dry_run", dry_run));
    let column = arguments::required("column_name", column_name);
    let mask =
        view::Mask { name: arguments::required("mask", mask), keep: i64::from(arguments::required("keep", keep)) };
    let clear_for = arguments::required("clear_for", clear_for);
    step::listed(plan::pinned(|| mask::mask(target, column, &mask, &clear_for, dry_run)), dry_run)
}

/// Shows a column in clear again. Who may call and errors: as mask.
#[pgrx::pg_extern(sql = false)]
fn unmask(target: Option<Oid>, column_name: Option<&str>, dry_run: Option<bool>) -> Steps {
    let (target, dry_run) = (arguments::required("target", target), arguments::required("dry_run", dry_run));
    let column = arguments::required("column_name", column_name);
    step::listed(plan::pinned(|| mask::unmask(target, column, dry_run)), dry_run)
}

/// Whether the view of a table may be read; 42501 where it may not.
#[pgrx::pg_extern(sql = false)]
fn concealed(target: Oid) -> bool {
    view::is_sound(target)
}

/// Makes the view of a concealed table anew. For the extension.
#[pgrx::pg_extern(sql = false)]
pub(crate) fn refresh_view(target: Oid) {
    view::refresh(target);
}
