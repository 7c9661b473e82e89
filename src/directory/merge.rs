//! Two organizations become one. Members, territories, teams and roles move in one statement, so that at its end nothing
//! connects two organizations; the hierarchies stand side by side, as two trees. Records of shared tables get the new
//! organization by an UPDATE of the caller's, through all triggers, so that each is audited.

use super::organizations::{self, lock};
use crate::arguments::required;
use crate::assignment;
use crate::audit::{self, Event};
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity;
use crate::imports;
use crate::model::value::{Kind, parse_uuid};
use crate::names;
use crate::visibility;
use pgrx::pg_extern;

/// How many clashes are listed.
const LISTED: usize = 20;

struct Organization<'a> {
    id: i64,
    key: &'a str,
}

impl Organization<'_> {
    /// As a column of the kind names it; None when it cannot.
    fn param(&self, kind: Kind) -> Option<Param<'_>> {
        if kind.is_int() {
            return kind.fits(self.id).then_some(Param::Int(Some(self.id)));
        }
        (kind == Kind::Text || parse_uuid(self.key).is_some()).then_some(Param::Text(Some(self.key)))
    }
}

/// Moves everything of one organization into another and archives it. Errors: 42501, 23505 with the list of clashing
/// keys, 22023.
#[pg_extern(sql = false)]
fn merge_organization(source_key: Option<&str>, into_key: Option<&str>, reason: Option<&str>) {
    // A session that is a member would write the records as that member, within what he may.
    if !identity::is_superuser() || visibility::now().member.is_some() {
        refused("merge_organization refused")
            .hint("A superuser or the owner of the extension merges organizations.")
            .raise();
    }
    let (source_key, into_key) =
        (required(source_key, "the source"), required(into_key, "the organization to merge into"));
    let reason = super::reason(reason, "merge_organization");
    let (source, into) = as_extension(|| {
        lock();
        let (source, into) = (find(source_key), find(into_key));
        if source.id == into.id {
            bad_argument("an organization cannot be merged into itself").raise();
        }
        refuse_clashes(&source, &into);
        (source, into)
    });
    let event = Event {
        target: None,
        record: None,
        action: "merge_organization",
        reason: Some(reason),
        approval: None,
        detail: Some(format!("organization {} into {}", source.key, into.key)),
    };
    for organization in [&source, &into] {
        audit::event_of(&event, Some(organization.id));
    }
    move_records(&source, &into);
    as_extension(|| {
        let params = [Param::Int(Some(source.id)), Param::Int(Some(into.id))];
        let governed = session::is_governed();
        for (text, is_new) in [
            (
                "UPDATE leadguard.organization SET archived_at = statement_timestamp(), merged_into = $2 WHERE id = $1",
                false,
            ),
            (include_str!("../../sql/query/merge_jobs.sql"), true),
            (include_str!("../../sql/query/merge_directory.sql"), false),
            (include_str!("../../sql/query/merge_people.sql"), true),
            (include_str!("../../sql/query/merge_domains.sql"), false),
            ("UPDATE leadguard.protected_table SET org_id = $2 WHERE org_id = $1", false),
            ("UPDATE leadguard.approval SET org_id = $2 WHERE org_id = $1", false),
            (include_str!("../../sql/query/merge_governance.sql"), true),
        ] {
            // A database that is not updated has nothing of what 0.5.0 brought.
            if governed || !is_new {
                sql::query(text, &params, Sees::Now, &mut |_| {});
            }
        }
        imports::merge(source.id, into.id);
        if session::is_governed() {
            assignment::merge(&params);
        }
    });
    move_proofs(&source, &into);
}

/// Who purged and erased what is for the auditors of the organization that goes on. The rows stay what they are; whose they
/// are is no part of what they prove. Those of the audit are sealed as they are, and stay.
fn move_proofs(source: &Organization, into: &Organization) {
    let params = [Param::Int(Some(source.id)), Param::Int(Some(into.id))];
    audit::passing_on_proofs(|| {
        for text in [
            "UPDATE leadguard.tombstone SET org_id = $2 WHERE org_id = $1",
            "UPDATE leadguard.erasure SET org_id = $2 WHERE org_id = $1",
        ] {
            sql::query(text, &params, Sees::Now, &mut |_| {});
        }
    });
}

fn find(key: &str) -> Organization<'_> {
    let id = sql::first_int(
        "SELECT id FROM leadguard.organization WHERE key = $1 AND archived_at IS NULL FOR UPDATE",
        &[Param::Text(Some(key))],
        Sees::Now,
    );
    match id {
        Some(id) => Organization { id, key },
        None => bad_argument(format!("there is no organization \"{key}\" that is not archived")).raise(),
    }
}

fn refuse_clashes(source: &Organization, into: &Organization) {
    let mut found = Vec::new();
    let params = [Param::Int(Some(source.id)), Param::Int(Some(into.id))];
    let templates = session::is_governed().then_some(include_str!("../../sql/query/merge_clashes_templates.sql"));
    for text in [include_str!("../../sql/query/merge_clashes.sql")].into_iter().chain(templates) {
        sql::query(text, &params, Sees::Now, &mut |row| found.extend(row.text(0)));
    }
    if found.is_empty() {
        return;
    }
    let more = found.len().saturating_sub(LISTED);
    found.truncate(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    failure("23505", format!("organizations \"{}\" and \"{}\" use the same names", source.key, into.key))
        .detail(format!("Both have {}{more}.", found.join(", ")))
        .hint("Rename them in one of the two, or remove them.")
        .raise()
}

fn move_records(source: &Organization, into: &Organization) {
    for (table, column) in as_extension(|| organizations::tables(source.id)) {
        let Some(column) = column else { continue };
        let relation = names::shown(table.target);
        let kind = session::column_kind(table.target, &column);
        let (Some(kind), Some(old)) = (kind, kind.and_then(|kind| source.param(kind))) else {
            // No row can name it.
            continue;
        };
        let Some(new) = into.param(kind) else {
            bad_argument(format!("column \"{column}\" of {relation} cannot hold \"{}\"", into.key)).raise();
        };
        let cast = if kind == Kind::Uuid { "::pg_catalog.uuid" } else { "" };
        let quoted = names::quote(&column);
        let text = format!("UPDATE {relation} SET {quoted} = $2{cast} WHERE {quoted} OPERATOR(pg_catalog.=) $1{cast}");
        // With the caller's search path, on which triggers of the table may rely: the text itself needs none.
        sql::query_once(&text, &[old, new], Sees::Now, &mut |_| {});
    }
}
