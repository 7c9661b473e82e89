//! Putting the protection on a table and taking it off.
//!
//! arguments         what the caller asks for
//! check             what can be secured, and by whom
//! grants_on_tables  privileges of registered login roles
//! inspect           what the catalogs say
//! partitions        partitions that come later
//! plan              the steps of protect and unprotect
//! registry          the row of leadguard.protected_table
//! render            policies, triggers and flags as SQL
//! step              one statement and its reason
//! undo              how the table was, and the way back
//!
//! Must never leave a table half secured: everything happens in the transaction of the call, and an error
//! anywhere takes all of it back. Invariant tests: tests/writes.

mod arguments;
mod check;
mod grants_on_tables;
mod inspect;
mod partitions;
mod plan;
mod registry;
mod render;
mod step;
mod undo;

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
        ("archived_at", archived_at.is_some()),
        ("archived_by", archived_by.is_some()),
        ("team", team.is_some()),
        ("parent", parent.is_some()),
        ("parent_column", parent_column.is_some()),
    ]);
    let request = Request {
        target: arguments::required("target", target),
        preset: arguments::preset(preset),
        names: Names { id, owner, creator, territory, organization },
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
fn unprotect(target: Option<Oid>, dry_run: Option<bool>) -> Steps {
    let target = arguments::required("target", target);
    let dry_run = arguments::required("dry_run", dry_run);
    let steps = plan::pinned(|| plan::release(target, dry_run));
    step::listed(steps, dry_run)
}

/// What a write of a visible row does that the member's level does not allow. The table's owner or a
/// superuser, else 42501; 22023 for an unknown action, 42704 when the table is not protected.
#[pgrx::pg_extern(sql = false)]
fn on_denied(target: Option<Oid>, action: Option<&str>) {
    let target = arguments::required("target", target);
    match action {
        Some(action @ ("error" | "skip")) => plan::pinned(|| plan::set_on_denied(target, action)),
        other => arguments::unknown("action", other, "error, skip"),
    }
}
