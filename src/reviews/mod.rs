//! Reviews of who may do what, with findings that stay until they are solved.
//!
//! The questions are SQL over leadguard's own tables (sql/install/86_review_checks.sql). Only records without an owner
//! are in tables of users: those are counted here by reading the rows, without a query. No policy, rule, view or cast of
//! a table's owner may run in the name of who holds a review. Tests: tests/reviews.

use crate::directory;
use crate::ffi::attempt::attempt_of_others;
use crate::ffi::count;
use crate::ffi::session::{self, as_extension};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::whole;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};
use std::collections::{HashMap, HashSet};

/// A protected table with an owner column.
struct Owned {
    target: Oid,
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
            // A table that cannot be read must not keep everybody from reviewing.
            let tried = attempt_of_others(|| owners(table));
            let unread =
                |why| format!("{{\"target\": {target}, \"without\": 0, \"unknown\": 0, \"unread\": \"{why}\"}}");
            let Some(owners) = tried else { return unread("the table cannot be read") };
            let Some(owners) = owners else { return unread("its owner has changed what its protection relies on") };
            let named: Vec<String> = owners.keys().flatten().cloned().collect();
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
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(
            "SELECT p.target::oid, p.owner_column::text, o.atttypid IN (20, 21, 23), p.archived_at_column::text, \
                    p.organization_column::text, \
                    CASE WHEN g.atttypid IN (20, 21, 23) THEN r.id::text ELSE r.key END \
             FROM leadguard.protected_table p \
             JOIN leadguard.organization r ON r.id = $1 \
             JOIN pg_attribute o ON o.attrelid = p.target AND o.attname = p.owner_column AND NOT o.attisdropped \
             LEFT JOIN pg_attribute g ON g.attrelid = p.target AND g.attname = p.organization_column AND NOT g.attisdropped \
             WHERE p.organization_column IS NOT NULL OR p.org_id = $1 ORDER BY p.target::text",
            &[Param::Int(Some(organization))],
            Sees::Now,
            &mut |row| {
                if let (Some(target), Some(owner)) = (row.oid(0), row.text(1)) {
                    found.push(Owned {
                        target,
                        owner,
                        owner_by_id: row.bool(2),
                        archived_at: row.text(3),
                        organization: row.text(4),
                        own: row.text(5).unwrap_or_default(),
                    });
                }
            },
        )
    });
    found
}

/// Owners with the number of their records; None for a table whose owner changed what its protection relies on.
fn owners(table: &Owned) -> Option<HashMap<Option<String>, i64>> {
    let mapped = [Some(&table.owner), table.organization.as_ref()].into_iter().flatten();
    if !count::is_table(table.target) || mapped.clone().any(|name| session::column_kind(table.target, name).is_none()) {
        return None;
    }
    let archived = table.archived_at.clone();
    let columns: Vec<String> = mapped.cloned().chain(archived.clone()).collect();
    let mut found = HashMap::new();
    let mut count = |row: &[Option<String>]| {
        let of_organization = table.organization.is_none() || row[1].as_deref() == Some(&table.own);
        let is_archived = archived.is_some() && row.last().is_some_and(Option::is_some);
        if of_organization && !is_archived {
            *found.entry(row[0].clone()).or_default() += 1;
        }
    };
    let leaves = as_extension(|| directory::leaves(table.target, Sees::Now));
    let read = snapshot::with_latest(|| leaves.iter().try_for_each(|leaf| whole::each(*leaf, &columns, &mut count)));
    read.ok().map(|()| found)
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
