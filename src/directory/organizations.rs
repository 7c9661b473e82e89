//! The end of an organization: it is archived, with everything it has, and its members reach nothing any more.

use super::owners::{self, Counted, Named};
use crate::arguments::required;
use crate::audit::{self, Event};
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::identity;
use crate::names;
use crate::visibility;
use pgrx::pg_extern;

/// Archives an organization. Errors: 42501, 23503 while it has other members or records, 22023.
#[pg_extern(sql = false)]
fn delete_organization(key: Option<&str>, reason: Option<&str>) {
    let key = required(key, "the organization");
    let subject = visibility::now();
    let superuser = identity::is_superuser();
    let own = subject.member.as_ref().filter(|m| m.org_key == key && subject.has_capability("own_organization"));
    if !superuser && own.is_none() {
        // The same whether or not there is one of this key.
        refused(format!("delete_organization of \"{key}\" refused"))
            .hint("A member of it with the capability own_organization (the Owner) or a superuser can.")
            .raise();
    }
    let reason = super::reason(reason, "delete_organization");
    let id = as_extension(|| {
        lock();
        let found = sql::first_int(
            "SELECT id FROM leadguard.organization WHERE key = $1 AND archived_at IS NULL FOR UPDATE",
            &[Param::Text(Some(key))],
            Sees::Now,
        );
        let Some(id) = found else { bad_argument(format!("there is no organization \"{key}\"")).raise() };
        let remaining = remaining(id, key, own.map(|m| m.id));
        if !remaining.is_empty() {
            failure("23503", format!("organization \"{key}\" still has members or records"))
                .detail(format!("There are {}.", remaining.join(", ")))
                .hint("Deactivate the other members, archive the records; what is archived stays as it is.")
                .raise();
        }
        id
    });
    let event = Event {
        target: None,
        record: None,
        action: "delete_organization",
        reason: Some(reason),
        approval: None,
        detail: Some(format!("organization {key}")),
    };
    audit::event_of(&event, Some(id));
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.organization SET archived_at = statement_timestamp() WHERE id = $1",
            &[Param::Int(Some(id))],
            Sees::Now,
            &mut |_| {},
        )
    });
}

/// Waits for other writers of the directory; from now on there are none until the transaction ends.
pub(super) fn lock() {
    let text = "SELECT revision FROM leadguard.hierarchy_revision ORDER BY hierarchy FOR UPDATE";
    sql::query(text, &[], Sees::Now, &mut |_| {});
}

/// What stands in the way, in words.
fn remaining(id: i64, key: &str, but: Option<i64>) -> Vec<String> {
    let members = sql::first_int(
        include_str!("../../sql/query/members_remaining.sql"),
        &[Param::Int(Some(id)), Param::Int(but)],
        Sees::Now,
    );
    let named = Named { ids: vec![id], keys: vec![key.to_owned()] };
    let mut found = Vec::new();
    if let Some(count) = members.filter(|count| *count > 0) {
        let other = if but.is_some() { "other active member" } else { "active member" };
        found.push(format!("{count} {other}{}", if count == 1 { "" } else { "s" }));
    }
    for (table, column) in tables(id) {
        let count = owners::unarchived(&table, column.as_deref(), &named);
        if count > 0 {
            found.push(owners::in_words(count, &format!("record of {}", names::shown(table.shown))));
        }
    }
    found
}

/// Tables that may hold records of the organization, with their organization column if they have one.
pub(super) fn tables(organization: i64) -> Vec<(Counted, Option<String>)> {
    let mut found = Vec::new();
    sql::query(
        "SELECT target::oid, coalesce(concealed_by, target)::oid, organization_column, archived_at_column \
         FROM leadguard.protected_table WHERE organization_column IS NOT NULL OR org_id = $1 \
         ORDER BY target::regclass::text",
        &[Param::Int(Some(organization))],
        Sees::Now,
        &mut |row| {
            if let (Some(target), Some(shown)) = (row.oid(0), row.oid(1)) {
                found.push((Counted { target, shown, archived_at: row.text(3) }, row.text(2)));
            }
        },
    );
    found
}
