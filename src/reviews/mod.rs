//! Reviews of who may do what, with findings that stay until they are solved.
//!
//! The questions are SQL over leadguard's own tables (sql/install/86_review_checks.sql). Only records without an owner
//! are in tables of users: those are counted here, with the rights of whoever holds the review. Tests: tests/reviews.

use crate::ffi::attempt::attempt_of_others;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::names::{self, quote};
use crate::questions::record::as_caller;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};
use std::collections::HashSet;

/// A protected table with an owner column, as the caller reads it.
struct Owned {
    target: Oid,
    shown: Oid,
    owner: String,
    owner_by_id: bool,
    archived_at: Option<String>,
    organization: Option<String>,
    /// What that column says of the organization under review.
    own: String,
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
        sql::query("SELECT o FROM leadguard.review_organizations($1, $2, $3, $4) o", &params, Sees::Now, &mut |row| {
            organizations.extend(row.int(0))
        })
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
            let target = table.target.to_u32();
            // A policy of the table's owner may raise an error: that must not keep everybody from reviewing.
            let tried = attempt_of_others(|| as_caller(|| owners(table)));
            let unread =
                |why| format!("{{\"target\": {target}, \"without\": 0, \"unknown\": 0, \"unread\": \"{why}\"}}");
            let Some(owners) = tried else { return unread("the table cannot be read") };
            let Some(owners) = owners else { return unread("whoever held the review may not read the table") };
            let named: Vec<String> = owners.iter().filter_map(|(owner, _)| owner.clone()).collect();
            let active = active(&named, table.owner_by_id, organization);
            let (mut without, mut unknown) = (0, 0);
            for (owner, count) in owners {
                match owner {
                    None => without += count,
                    Some(owner) if !active.contains(&owner) => unknown += count,
                    Some(_) => {}
                }
            }
            format!("{{\"target\": {target}, \"without\": {without}, \"unknown\": {unknown}}}")
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
                    p.organization_column::text, \
                    CASE WHEN g.atttypid IN (20, 21, 23) THEN r.id::text ELSE r.key END \
             FROM leadguard.protected_table p \
             JOIN leadguard.organization r ON r.id = $1 \
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
                        own: row.text(6).unwrap_or_default(),
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

/// Owners with the number of their records, as the caller reads them; None for a table that he may not read.
fn owners(table: &Owned) -> Option<Vec<(Option<String>, i64)>> {
    let name = names::relation(table.shown).filter(|_| is_readable(table.shown))?;
    let owner = quote(&table.owner);
    let mut terms = vec!["$1::text IS NOT NULL".to_owned()];
    terms.extend(table.archived_at.as_ref().map(|at| format!("t.{} IS NULL", quote(at))));
    terms.extend(table.organization.as_ref().map(|column| format!("t.{}::text = $1", quote(column))));
    let text = format!("SELECT t.{owner}::text, count(*) FROM {name} t WHERE {} GROUP BY 1", terms.join(" AND "));
    let mut found = Vec::new();
    sql::query_once(&text, &[Param::Text(Some(&table.own))], Sees::Now, &mut |row| {
        found.push((row.text(0), row.int(1).unwrap_or_default()));
    });
    Some(found)
}

/// Those of the names that are active members of the organization.
fn active(names: &[String], by_id: bool, organization: i64) -> HashSet<String> {
    let mut found = HashSet::new();
    let params = [Param::Texts(names), Param::Bool(by_id), Param::Int(Some(organization))];
    as_extension(|| {
        sql::query(
            "SELECT n FROM unnest($1::text[]) n JOIN leadguard.member m \
                 ON m.active AND m.org_id = $3 AND n = CASE WHEN $2 THEN m.id::text ELSE m.key END",
            &params,
            Sees::Now,
            &mut |row| found.extend(row.text(0)),
        )
    });
    found
}
