//! What rules and switches come to: for each role of a table, and for one member in every table.

use crate::errors::{bad_argument, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::access::{Access, Hidden, Who, resolve};
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::model::rules::EVERY;
use crate::names;
use crate::questions::asker::Asker;
use crate::questions::paths;
use crate::questions::record::Target;
use crate::questions::standing::Standing;
use crate::visibility::{self, Table};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};

type Cells = [String; 5];

type Matrix = TableIterator<
    'static,
    (
        name!(role, String),
        name!(path, String),
        name!(read, String),
        name!(update, String),
        name!(archive, String),
        name!(share, String),
        name!(reassign, String),
        name!(create, String),
    ),
>;

/// The effective rules of a table. For whoever may know them, as the view leadguard.rules; 42501, 22023.
#[pg_extern(sql = false)]
fn access_matrix(target: Option<Oid>) -> Matrix {
    let target = Target::find(target, Sees::Statement);
    let table = &target.table;
    require_privilege(table);
    let mut rows = Vec::new();
    for (name, capabilities, rank, cap) in roles(table) {
        let roles = if name == EVERY { Vec::new() } else { vec![name.clone()] };
        let who = Who { roles: &roles, capabilities: &capabilities, rank, level_cap: cap, ..Who::default() };
        let access = resolve(&table.rules, &who);
        rows.extend(
            lines(&access, &target)
                .map(|(path, [a, b, c, d, e], create)| (name.clone(), path.to_owned(), a, b, c, d, e, create)),
        );
    }
    TableIterator::new(rows)
}

fn require_privilege(table: &Table) {
    let shown = table.concealed_by.unwrap_or(table.target);
    let params = [
        Param::Oid(table.target),
        Param::Oid(table.concealed_by.unwrap_or(Oid::INVALID)),
        Param::Int(Some(table.org_id)),
        Param::Text(table.organization_column.as_deref()),
    ];
    let allowed = sql::first_text(
        "SELECT 'yes' WHERE leadguard.reads_rules($1::pg_catalog.regclass, NULLIF($2, 0::pg_catalog.oid)::pg_catalog.regclass, $3, $4::pg_catalog.name)",
        &params,
        Sees::Statement,
    );
    if allowed.is_none() {
        refused(format!("permission denied for table {}", names::shown(shown))).raise();
    }
}

/// One line for each path that gives something, and one for creating where that is all.
fn lines<'a>(access: &'a Access, target: &'a Target) -> impl Iterator<Item = (&'static str, Cells, String)> + 'a {
    let create = if access.create { "yes" } else { "no" };
    let paths = Path::ALL.into_iter().filter(|path| access.reads(*path) && paths::exists_in(*path, target));
    let some = paths.clone().next().is_some();
    let alone = (!some).then(|| (EVERY, [(); 5].map(|()| "no".to_owned()), create.to_owned()));
    paths.map(move |path| (path.name(), cells(access, path), create.to_owned())).chain(alone)
}

/// yes, no, or the statuses under which.
fn cells(access: &Access, path: Path) -> Cells {
    let on = access.on(path);
    Rights::EACH.map(|(_, right)| {
        let statuses = |list: &[(Rights, Vec<String>)]| {
            let mut named: Vec<String> = list
                .iter()
                .filter(|(rights, _)| rights.has(right))
                .flat_map(|(_, held)| held.iter().cloned())
                .collect();
            named.sort();
            named.dedup();
            named.join(", ")
        };
        let (under, denied) = (statuses(&on.under), statuses(&on.denied));
        let given = if on.always.has(right) { "yes".to_owned() } else { under };
        match (given.as_str(), denied.as_str()) {
            ("", _) => "no".to_owned(),
            (_, "") => given,
            _ => format!("{given}, not if {denied}"),
        }
    })
}

/// Roles that the rules of the table name, with what they carry; `*` is every member.
fn roles(table: &Table) -> Vec<(String, Vec<String>, i64, Option<crate::model::level::Level>)> {
    let mut named: Vec<String> =
        table.rules.rules.iter().map(|rule| rule.role.clone().unwrap_or_else(|| EVERY.to_owned())).collect();
    named.extend(table.rules.switches.roles.keys().cloned());
    named.sort();
    named.dedup();
    // In a table of several organizations, a member knows the roles of his own.
    let own = visibility::statement().member.as_ref().map(|member| member.org_id);
    let mut found: Vec<_> =
        named.contains(&EVERY.to_owned()).then(|| (EVERY.to_owned(), Vec::new(), 0, None)).into_iter().collect();
    as_extension(|| {
        sql::query(
            "SELECT DISTINCT ON (r.name) r.name, array_to_string(r.capabilities, ' '), r.rank::bigint, r.level_cap \
             FROM leadguard.role r \
             WHERE (r.org_id IS NULL OR r.org_id = $2) AND (r.name = ANY ($1) OR 'all_records' = ANY (r.capabilities)) \
             ORDER BY r.name, r.org_id NULLS LAST",
            &[Param::Texts(&named), Param::Int(Some(own.unwrap_or(table.org_id)))],
            Sees::Statement,
            &mut |row| {
                let Some(name) = row.text(0) else { return };
                let capabilities = row.text(1).unwrap_or_default();
                let capabilities = capabilities.split_ascii_whitespace().map(str::to_owned).collect();
                let cap = row.text(3).as_deref().and_then(crate::model::level::Level::parse);
                found.push((name, capabilities, row.int(2).unwrap_or_default(), cap));
            },
        )
    });
    found
}

type Rows = TableIterator<
    'static,
    (
        name!(target, Oid),
        name!(path, String),
        name!(read, String),
        name!(update, String),
        name!(archive, String),
        name!(share, String),
        name!(reassign, String),
        name!(create, String),
        name!(hidden, Option<String>),
    ),
>;

/// What a member may do in every protected table. Who may ask and errors: as can.
#[pg_extern(sql = false)]
fn member_rights(member: Option<&str>) -> Rows {
    TableIterator::new(rights_in(member, &protected()))
}

/// What a member may do in one protected table. Who may ask and errors: as can.
#[pg_extern(sql = false)]
fn member_rights_in(member: Option<&str>, target: Option<Oid>) -> Rows {
    let table = Target::find(target, Sees::Statement).table.target;
    TableIterator::new(rights_in(member, &[table]))
}

type Line = (Oid, String, String, String, String, String, String, String, Option<String>);

fn rights_in(member: Option<&str>, tables: &[Oid]) -> Vec<Line> {
    let asker = Asker::find();
    let Some(about) = asker.about(member) else {
        bad_argument("the member is missing")
            .hint("A superuser who is no member names the member that the question is about.")
            .raise()
    };
    let mut rows = Vec::new();
    for &table in tables {
        let target = Target::find(Some(table), Sees::Statement);
        let is_elsewhere = target.table.organization_column.is_none() && target.table.org_id != about.org_id;
        if !about.active || is_elsewhere {
            continue;
        }
        let standing = Standing::about(&target.table, &about);
        let access = &standing.access;
        let hidden = hidden(&access.hidden, &target.table);
        let shown = target.table.concealed_by.unwrap_or(table);
        rows.extend(
            lines(access, &target)
                .map(|(path, [a, b, c, d, e], create)| (shown, path.to_owned(), a, b, c, d, e, create, hidden.clone())),
        );
    }
    rows
}

fn hidden(hidden: &Hidden, table: &Table) -> Option<String> {
    let stages = hidden.stages.as_ref().filter(|_| table.stage_column.is_some()).map(|stages| {
        let seen: Vec<&str> = stages.iter().map(String::as_str).collect();
        format!("stages other than {}", seen.join(", "))
    });
    let sensitive = (hidden.sensitive && table.sensitive_column.is_some()).then(|| {
        let own = if hidden.except_own { ", but for own ones" } else { "" };
        format!("sensitive records{own}")
    });
    let all: Vec<String> = [stages, sensitive].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// The protected tables that the caller may read.
fn protected() -> Vec<Oid> {
    let mut found = Vec::new();
    sql::query("SELECT target::oid FROM leadguard.protected ORDER BY target::text", &[], Sees::Statement, &mut |row| {
        found.extend(row.oid(0))
    });
    let subject = visibility::statement();
    found.into_iter().filter_map(|shown| subject.table(shown).as_ref().as_ref().map(|table| table.target)).collect()
}
