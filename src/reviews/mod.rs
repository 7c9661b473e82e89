//! Reviews of who may do what, with findings that stay until they are solved.
//!
//! The questions are SQL over leadguard's own tables (sql/install/86_review_checks.sql). Only records without an owner
//! are in tables of users: those are counted here, with the rights of whoever holds the review. Tests: tests/reviews.

use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::names::{self, quote};
use crate::questions::record::as_caller;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};

/// A protected table with an owner column, as the caller reads it.
struct Owned {
    target: Oid,
    shown: Oid,
    owner: String,
    owner_by_id: bool,
    archived_at: Option<String>,
    organization: Option<String>,
    organization_by_id: bool,
}

/// Holds a review, of each organization that the caller may review and asks for; returns their numbers. Members with the
/// capability audit and superusers, else 42501; 22023 for arguments.
#[pg_extern(sql = false)]
fn hold_review(
    kind: Option<&str>,
    subject: Option<&str>,
    since: Option<TimestampWithTimeZone>,
    organization: Option<&str>,
) -> Vec<i64> {
    let since = since.map(pg_sys::TimestampTz::from);
    let params = [Param::Text(kind), Param::Text(subject), Param::Timestamp(since), Param::Text(organization)];
    let mut organizations = Vec::new();
    as_extension(|| {
        sql::query(
            "SELECT o FROM leadguard.review_organizations($1, $2, $3, $4) o",
            &params,
            Sees::Now,
            &mut |row| organizations.extend(row.int(0)),
        )
    });
    let mut held = Vec::new();
    for organization in organizations {
        let owners = if kind == Some("incident") { "[]".to_owned() } else { without_owner(organization) };
        let params = [
            Param::Int(Some(organization)),
            Param::Text(kind),
            Param::Text(subject),
            Param::Timestamp(since),
            Param::Text(Some(&owners)),
        ];
        held.extend(as_extension(|| {
            sql::first_int("SELECT leadguard.run_review($1, $2, $3, $4, $5::jsonb)", &params, Sees::Now)
        }));
    }
    held
}

/// How many records of each table have no owner, or one who is no active member, as JSON.
fn without_owner(organization: i64) -> String {
    let counts: Vec<String> = owned(organization)
        .iter()
        .map(|table| {
            let (without, unknown) = as_caller(|| count(table, organization)).unwrap_or_default();
            let readable = as_caller(|| is_readable(table.shown));
            let target = table.target.to_u32();
            format!(
                "{{\"target\": {target}, \"without\": {without}, \"unknown\": {unknown}, \"readable\": {readable}}}"
            )
        })
        .collect();
    format!("[{}]", counts.join(", "))
}

fn owned(organization: i64) -> Vec<Owned> {
    // Whom row security does not bind reads the table itself: the view in its place shows what a member may see.
    let behind = session::bypasses_row_security(session::current_role());
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(
            "SELECT p.target::oid, CASE WHEN $2 THEN p.target ELSE coalesce(p.concealed_by, p.target) END::oid, \
                    p.owner_column::text, o.atttypid IN (20, 21, 23), p.archived_at_column::text, \
                    p.organization_column::text, g.atttypid IN (20, 21, 23) \
             FROM leadguard.protected_table p \
             JOIN pg_attribute o ON o.attrelid = p.target AND o.attname = p.owner_column AND NOT o.attisdropped \
             LEFT JOIN pg_attribute g ON g.attrelid = p.target AND g.attname = p.organization_column AND NOT g.attisdropped \
             WHERE p.organization_column IS NOT NULL OR p.org_id = $1 ORDER BY p.target::text",
            &[Param::Int(Some(organization)), Param::Bool(behind)],
            Sees::Now,
            &mut |row| {
                if let (Some(target), Some(shown), Some(owner)) = (row.oid(0), row.oid(1), row.text(2)) {
                    found.push(Owned {
                        target,
                        shown,
                        owner,
                        owner_by_id: row.bool(3),
                        archived_at: row.text(4),
                        organization: row.text(5),
                        organization_by_id: row.bool(6),
                    });
                }
            },
        )
    });
    found
}

fn is_readable(relation: Oid) -> bool {
    let mut readable = false;
    sql::query(
        "SELECT has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.relnamespace, 'USAGE') \
         FROM pg_class c WHERE c.oid = $1",
        &[Param::Oid(relation)],
        Sees::Now,
        &mut |row| readable = row.bool(0),
    );
    readable
}

/// As the caller: None for a table that he may not read.
fn count(table: &Owned, organization: i64) -> Option<(i64, i64)> {
    let name = names::relation(table.shown).filter(|_| is_readable(table.shown))?;
    let owner = quote(&table.owner);
    let mut terms = vec!["true".to_owned()];
    terms.extend(table.archived_at.as_ref().map(|at| format!("t.{} IS NULL", quote(at))));
    terms.extend(table.organization.as_ref().map(|column| {
        let own = if table.organization_by_id { "id" } else { "key" };
        format!("t.{}::text = (SELECT o.{own}::text FROM leadguard.organization o WHERE o.id = $1)", quote(column))
    }));
    let by = if table.owner_by_id { "id" } else { "key" };
    let text = format!(
        "SELECT coalesce(sum(n.count) FILTER (WHERE n.owner IS NULL), 0)::bigint, \
                coalesce(sum(n.count) FILTER (WHERE n.owner IS NOT NULL AND NOT EXISTS ( \
                    SELECT FROM leadguard.member m WHERE m.active AND m.org_id = $1 AND m.{by}::text = n.owner)), 0)::bigint \
         FROM (SELECT t.{owner}::text AS owner, count(*) AS count FROM {name} t WHERE {} GROUP BY 1) n",
        terms.join(" AND ")
    );
    let mut counted = None;
    sql::query_once(&text, &[Param::Int(Some(organization))], Sees::Now, &mut |row| {
        counted = row.int(0).zip(row.int(1));
    });
    counted
}
