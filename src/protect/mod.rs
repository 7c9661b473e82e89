//! Putting the protection on a table and taking it off.
//!
//! archive           the columns of the archive, and what becomes of archived rows
//! arguments         what the caller asks for
//! conceal           a view in the place of the table
//! again             that view made anew, when somebody has dropped it
//! child             tables of notes and tags
//! check             what can be secured, and by whom
//! generated         what generated columns would tell of hidden ones
//! grants_on_tables  privileges of registered login roles
//! inspect           what the catalogs say
//! mask              which columns that view masks
//! mend              partitions that bring a protection along
//! parent            the table that it belongs to
//! partitions        partitions that come later
//! plan              the steps of protect and unprotect
//! policies          columns that rules begin or cease to ask for
//! ready             what must hold before that view takes the name
//! purge             archived rows that go with the protection
//! registry          the row of leadguard.protected_table
//! render            policies, triggers and flags as SQL
//! step              one statement and its reason
//! undo              how the table was, and the way back
//! view              that view as SQL
//! view_grants       privileges on the view and on the table behind it
//!
//! Must never leave a table half secured: everything happens in the transaction of the call, and an error
//! anywhere takes all of it back. Invariant tests: tests/writes.

mod again;
mod archive;
pub(crate) mod arguments;
mod check;
mod child;
mod conceal;
mod generated;
mod grants_on_tables;
mod inspect;
mod mask;
mod mend;
mod parent;
mod partitions;
mod plan;
mod policies;
mod purge;
mod ready;
mod registry;
mod render;
mod step;
mod undo;
mod view;
mod view_grants;

use crate::arguments::given;
use crate::audit::{self, Event};
use crate::ffi::session;
use crate::rules;
use crate::schema_changes;
use crate::visibility;
use arguments::{Names, Request};
use pgrx::pg_sys::Oid;
pub(crate) use policies::{follow_rules, owned_table};
use step::Steps;

/// Writes down that a table will be secured in another way; a refusal takes it back. Before the change: the table has
/// the name now that everybody knows.
fn changing(target: Oid, action: &'static str, detail: Option<String>, dry_run: bool) {
    if !dry_run {
        audit::event(&about(conceal::resolved(target), action, detail));
    }
}

fn about(target: Oid, action: &'static str, detail: Option<String>) -> Event<'static> {
    Event { target: Some(target), record: None, action, reason: None, approval: None, detail }
}

/// What a call names, for the audit: names of columns and masks, never a value.
fn named(parts: &[(&str, Option<&str>)]) -> Option<String> {
    let parts: Vec<String> = parts.iter().filter_map(|(part, name)| Some(format!("{part} {}", (*name)?))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Secures a table. Its owner or a superuser; 42501 for others, 22023 for arguments, 42809 for what is no table, 42703
/// for a missing column, 55000 for policies or indexes in the way, 42710 when it is protected.
#[allow(clippy::too_many_arguments)] // The argument list is public surface.
#[pgrx::pg_extern(sql = false)]
fn protect_as(
    target: Option<Oid>,
    preset: Option<&str>,
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
    object: Option<&str>,
) -> Steps {
    arguments::refuse_unpatched_server();
    if !rules::load::are_there() {
        arguments::refuse_unknown_to_database(&[
            ("preset", preset != Some(arguments::PRESET)),
            ("stage", stage.is_some()),
            ("status", status.is_some()),
            ("sensitive", sensitive.is_some()),
            ("segment", segment.is_some()),
            ("team", team.is_some()),
            ("parent", parent.is_some()),
            ("parent_column", parent_column.is_some()),
            ("archived_at", archived_at.is_some() && !session::is_updated()),
        ]);
    }
    let names = Names {
        id,
        owner,
        creator,
        territory,
        organization,
        segment,
        team,
        parent: parent_column,
        stage,
        status,
        sensitive,
        archived_at,
        archived_by,
    };
    let request = Request {
        target: given(target, "target"),
        preset: arguments::preset(preset),
        object: arguments::object(object),
        parent: parent.map(conceal::resolved),
        names,
        org_key: given(org_key, "org_key"),
        existing: arguments::existing(existing.as_deref()),
        indexes: arguments::indexes(indexes.as_deref()),
        force: given(force, "force"),
        dry_run: given(dry_run, "dry_run"),
    };
    let steps = plan::pinned(|| plan::secure(&request));
    if !request.dry_run {
        schema_changes::know();
        protected(&request);
    }
    step::listed(steps, request.dry_run)
}

/// The same as 0.1 to 0.3 declare it.
#[allow(clippy::too_many_arguments)]
#[pgrx::pg_extern(sql = false)]
fn protect(
    target: Option<Oid>,
    preset: Option<&str>,
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
    protect_as(
        target,
        preset,
        id,
        owner,
        creator,
        territory,
        organization,
        stage,
        status,
        sensitive,
        segment,
        archived_at,
        archived_by,
        team,
        parent,
        parent_column,
        org_key,
        existing,
        indexes,
        force,
        dry_run,
        Some("lead"),
    )
}

/// The same for a new table, which only now is one of an organization.
fn protected(request: &Request) {
    let names = &request.names;
    let detail = named(&[
        ("preset", Some(request.preset.as_str())),
        ("id", names.id.as_deref()),
        ("owner", names.owner.as_deref()),
        ("territory", names.territory.as_deref()),
        ("creator", names.creator.as_deref()),
        ("organization", names.organization.as_deref()),
        ("segment", names.segment.as_deref()),
        ("team", names.team.as_deref()),
        ("parent", names.parent.as_deref()),
        ("stage", names.stage.as_deref()),
        ("status", names.status.as_deref()),
        ("sensitive", names.sensitive.as_deref()),
        ("archived_at", names.archived_at.as_deref()),
        ("archived_by", names.archived_by.as_deref()),
    ]);
    let subject = visibility::now();
    let registered = subject.table(request.target);
    let of_table = registered.as_ref().as_ref().filter(|table| table.organization_column.is_none());
    let organization = subject.member.as_ref().map(|m| m.org_id).or_else(|| of_table.map(|table| table.org_id));
    audit::event_of(&about(request.target, "protect", detail), organization);
}

/// Leaves the table as it was before protect. Its owner or a superuser, else 42501; 42704 when it is not
/// protected.
#[pgrx::pg_extern(sql = false)]
fn unprotect_with(target: Option<Oid>, dry_run: Option<bool>, archived: Option<&str>) -> Steps {
    let target = given(target, "target");
    let dry_run = given(dry_run, "dry_run");
    let disposal = archive::Archived::of(archived);
    changing(target, "unprotect", named(&[("archived", archived)]), dry_run);
    let steps = plan::pinned(|| {
        if let Some(steps) = child::release(target, dry_run) {
            return steps;
        }
        let target = conceal::resolved(target);
        let mut steps = conceal::reveal_for_good(target, dry_run);
        steps.extend(plan::release(target, disposal, dry_run));
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
    attribution: Option<Vec<Option<String>>>,
    dry_run: Option<bool>,
) -> Steps {
    let target = given(target, "target");
    let dry_run = given(dry_run, "dry_run");
    let names = (given(archived_at, "archived_at"), archived_by);
    let attribution = arguments::names("attribution", attribution);
    let kept = Some(attribution.join(" ")).filter(|kept| !kept.is_empty());
    let detail = [("archived_at", Some(&names.0)), ("archived_by", names.1.as_ref()), ("attribution", kept.as_ref())];
    changing(target, "set_archive", named(&detail.map(|(part, name)| (part, name.map(String::as_str)))), dry_run);
    step::listed(plan::pinned(|| archive::set(conceal::present(target), names, &attribution, dry_run)), dry_run)
}

/// What a write of a visible row does that the member's level does not allow. The table's owner or a
/// superuser, else 42501; 22023 for an unknown action, 42704 when the table is not protected.
#[pgrx::pg_extern(sql = false)]
fn on_denied(target: Option<Oid>, action: Option<&str>) {
    let target = given(target, "target");
    match action {
        Some(action @ ("error" | "skip")) => {
            changing(target, "on_denied", Some(action.to_owned()), false);
            plan::pinned(|| plan::set_on_denied(conceal::present(target), action))
        }
        other => arguments::unknown("action", other, "error, skip"),
    }
}

/// Moves a protected table out of reach and puts a view in its place. The table's owner or a superuser, else 42501;
/// 42704 when it is not protected, 42710 when it is concealed, 55000 for what stands in the way.
#[pgrx::pg_extern(sql = false)]
fn conceal(target: Option<Oid>, dry_run: Option<bool>) -> Steps {
    let (target, dry_run) = (given(target, "target"), given(dry_run, "dry_run"));
    changing(target, "conceal", None, dry_run);
    step::listed(plan::pinned(|| conceal::conceal(target, dry_run)), dry_run)
}

/// The way back. Who may call and errors: as conceal; 55000 while columns are masked or closed.
#[pgrx::pg_extern(sql = false)]
fn reveal(target: Option<Oid>, dry_run: Option<bool>) -> Steps {
    let (target, dry_run) = (given(target, "target"), given(dry_run, "dry_run"));
    changing(target, "reveal", None, dry_run);
    step::listed(plan::pinned(|| conceal::reveal(target, dry_run)), dry_run)
}

/// Masks a column, and conceals the table if it is not yet. Who may call and errors: as conceal; 22023 for a mask that
/// does not exist or fit, 42703 for a missing column.
#[pgrx::pg_extern(sql = false)]
fn mask(
    target: Option<Oid>,
    column_name: Option<&str>,
    mask: Option<String>,
    clear_for: Option<Vec<Option<String>>>,
    keep: Option<i32>,
    dry_run: Option<bool>,
) -> Steps {
    let (target, dry_run) = (given(target, "target"), given(dry_run, "dry_run"));
    let column = given(column_name, "column_name");
    let mask = view::Mask { name: given(mask, "mask"), keep: i64::from(given(keep, "keep")) };
    let clear_for = arguments::names("clear_for", clear_for);
    let detail = format!("{column}: {}, clear for {}", mask.name, clear_for.join(" "));
    changing(target, "mask", Some(detail), dry_run);
    step::listed(plan::pinned(|| mask::mask(target, column, &mask, &clear_for, dry_run)), dry_run)
}

/// Shows a column in clear again. Who may call and errors: as mask.
#[pgrx::pg_extern(sql = false)]
fn unmask(target: Option<Oid>, column_name: Option<&str>, dry_run: Option<bool>) -> Steps {
    let (target, dry_run) = (given(target, "target"), given(dry_run, "dry_run"));
    let column = given(column_name, "column_name");
    changing(target, "unmask", Some(column.to_owned()), dry_run);
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
