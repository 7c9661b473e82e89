//! archive, restore, purge.

use super::because;
use crate::approvals;
use crate::arguments::required;
use crate::assignment;
use crate::audit::{self, Event};
use crate::children;
use crate::contacts;
use crate::directory;
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::raise;
use crate::ffi::session::{self, as_extension, set_local};
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::Right;
use crate::grants::reassign::{self, Change, Move};
use crate::guard::{self, Purpose, Sanction};
use crate::model::rights::Rights;
use crate::names;
use crate::questions::record::{Target, as_caller};
use crate::visibility::{self, Table};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

/// The archive columns as they are named in SQL: when, and by whom.
fn columns(table: &Table) -> (String, Option<String>) {
    match &table.archived_at_column {
        Some(at) => (names::quote(at), table.archived_by_column.as_deref().map(names::quote)),
        None => bad_argument(format!("{} archives nothing", names::shown(table.target)))
            .hint("The table's owner gives it an archive with leadguard.set_archive.")
            .raise(),
    }
}

/// A member's right on a record, archived or not: level full, and sight of archived rows.
fn right(operation: &'static str, target: Option<Oid>, record: Option<&str>) -> Right {
    // Who may see archived rows can restore them, whatever his session shows just now.
    as_caller(|| {
        set_local(c"leadguard.show_archived", c"on");
        Right::find(operation, target, record, Rights::ARCHIVE)
    })
}

fn is_archived(right: &Right, at: &str) -> bool {
    let target = &right.target;
    let (condition, id) = target.is_record(1, &right.record.id);
    let text = format!("SELECT {at} IS NOT NULL FROM {} WHERE {condition}", target.relation);
    let mut found = false;
    as_caller(|| {
        set_local(c"leadguard.show_archived", c"on");
        sql::query_once(&text, &[id], Sees::Now, &mut |row| found = row.bool(0))
    });
    found
}

/// 42501 where the record is in the other state.
fn demand(right: &Right, at: &str, archived: bool) {
    if is_archived(right, at) != archived {
        let what = if archived { "not archived" } else { "archived already" };
        failure(
            "55000",
            format!("record {} of {} is {what}", right.record.id, names::shown(right.target.table.target)),
        )
        .raise();
    }
}

/// For members of kind system: an approval that names a person.
fn approval(right: &Right, kind: &'static str) -> Option<i64> {
    let subject = visibility::now();
    let member = subject.member.as_ref()?;
    guard::demand_approval(member, &right.target.table, kind, &right.record.id)
}

/// Archives a record, as DELETE does, and keeps the reason. Level full on it, or a superuser; 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn archive(target: Option<Oid>, record: Option<&str>, reason: Option<&str>) {
    let right = right("archive", target, record);
    let (at, _) = columns(&right.target.table);
    demand(&right, &at, false);
    let target = &right.target;
    let (condition, id) = target.is_record(1, &right.record.id);
    let text = format!("DELETE FROM {} WHERE {condition}", target.relation);
    if because(reason, || sql::query_once(&text, &[id], Sees::Now, &mut |_| {})) == 0 {
        errors::no_such_record(&names::shown(target.table.target), &right.record.id);
    }
}

/// Takes an archived record back. Level full on it and the capability see_archived, or a superuser.
#[pg_extern(sql = false)]
fn restore(target: Option<Oid>, record: Option<&str>, reason: Option<&str>) {
    let right = right("restore", target, record);
    let (at, by) = columns(&right.target.table);
    demand(&right, &at, true);
    let target = &right.target;
    let (condition, id) = target.is_record(1, &right.record.id);
    let by = by.map(|by| format!(", {by} = NULL")).unwrap_or_default();
    let text = format!("UPDATE {} SET {at} = NULL{by} WHERE {condition} AND {at} IS NOT NULL", target.relation);
    let approval = approval(&right, "restore");
    let sanction =
        Sanction { approval, ..Sanction::of(target.table.target, &right.record.id, Purpose::Restore, reason) };
    if guard::sanction(sanction, || sql::query_once(&text, &[id], Sees::Now, &mut |_| {})) == 0 {
        errors::no_such_record(&names::shown(target.table.target), &right.record.id);
    }
    adopt(&right, reason);
}

/// A restored record whose owner is gone becomes that of whoever restored it: nothing is without an owner, where owners
/// stay. While it was archived nobody could hand it over.
fn adopt(right: &Right, reason: Option<&str>) {
    let record = &right.record;
    if record.owner_text.is_none() || !session::is_governed() || !directory::owners_stay(right.target.table.target) {
        return;
    }
    let text = "SELECT id FROM leadguard.member WHERE id = $1 AND active FOR SHARE";
    if as_extension(|| sql::first_int(text, &[Param::Int(record.owner)], Sees::Now)).is_some() {
        return;
    }
    let table = names::shown(right.target.table.target);
    let subject = visibility::now();
    let Some(member) = &subject.member else {
        raise::notice(&format!("the owner of record {} of {table} is no active member", record.id));
        return;
    };
    let gone = || failure("55000", format!("the owner of record {} of {table} is no active member", record.id));
    if right.guest {
        gone().hint("A member who can own it restores it.").raise();
    }
    let owner = Move::checked(right.target.owner.as_ref(), "owner", member.id, &member.key);
    let change = Change { owner: Some(&owner), territory: None, more: &[], reason };
    if !reassign::update(right, &change) {
        gone().hint("It changed meanwhile; try again.").raise();
    }
    raise::notice(&format!("record {} of {table} is yours now: its owner is no active member", record.id));
}

/// Deletes an archived record for good and leaves a tombstone. The capability hard_delete and level full on it, or a
/// superuser; a reason is necessary. 42501, 22023, 55000 for a record that is not archived.
#[pg_extern(sql = false)]
fn purge(target: Option<Oid>, record: Option<&str>, reason: Option<&str>) {
    let reason = required(reason.filter(|reason| !reason.trim().is_empty()), "the reason");
    let right = right("purge", target, record);
    let (at, _) = columns(&right.target.table);
    let (target, record) = (&right.target, &right.record);
    let subject = visibility::now();
    if subject.member.is_some() && !subject.hard_deletes(&target.table) {
        refused(format!("purge of record {} of {} refused", record.id, names::shown(target.table.target)))
            .detail("It takes the capability hard_delete.")
            .hint("A data owner can do it.")
            .raise();
    }
    demand(&right, &at, true);
    let approval = approval(&right, "purge");
    let kept = attribution(target, &record.id);
    // What belongs to the record goes first: foreign keys would be in the way. Ids of partitions need not differ.
    as_caller(|| {
        set_local(c"leadguard.show_archived", c"on");
        children::purge(target.table.target, &record.id);
    });
    let (condition, id) = target.is_record(1, &record.id);
    let text = format!("DELETE FROM {} WHERE {condition} AND {at} IS NOT NULL", target.relation);
    let sanction = Sanction { approval, ..Sanction::of(target.table.target, &record.id, Purpose::Purge, Some(reason)) };
    if guard::sanction(sanction, || sql::query_once(&text, &[id], Sees::Now, &mut |_| {})) == 0 {
        errors::no_such_record(&names::shown(target.table.target), &record.id);
    }
    let params = [
        Param::Oid(target.table.target),
        Param::Text(Some(&record.id)),
        Param::Int(record.organization),
        Param::Int(right.member),
        Param::Text(Some(reason)),
        Param::Int(approval),
        Param::Text(Some(&kept)),
    ];
    audit::proving(|| {
        sql::query(include_str!("../../sql/query/tombstone.sql"), &params, Sees::Now, &mut |_| {});
    });
    as_extension(|| {
        // A record that gets the same id one day must not inherit its shares.
        sql::query(
            "DELETE FROM leadguard.record_grant WHERE target = $1 AND record = $2",
            &params[..2],
            Sees::Now,
            &mut |_| {},
        );
    });
    contacts::purge(target.table.target, &record.id);
    approvals::end(target.table.target, &record.id);
    assignment::forget(target.table.target, &record.id);
    audit::erase_values(target.table.target, &record.id);
    audit::event(&Event {
        target: Some(target.table.target),
        record: Some(&record.id),
        action: "purge",
        reason: Some(reason),
        approval,
        detail: None,
    });
}

/// A function takes so many arguments and no more.
const PAIRS: usize = 40;

/// What the tombstone keeps, as SQL for a text: the mapped columns, when and by whom it was archived, and the columns
/// of attribution. As in the audit, nothing of columns that are masked or closed to anybody: it is read by others than
/// whoever purges.
pub(crate) fn kept(table: &Table) -> String {
    let mapped = [
        &table.owner_column,
        &table.territory_column,
        &table.organization_column,
        &table.creator_column,
        &table.archived_at_column,
        &table.archived_by_column,
    ];
    let mapped: Vec<String> = mapped.into_iter().flatten().cloned().collect();
    let mut columns: Vec<String> = Vec::new();
    let closed = audit::Closed::of(table);
    as_extension(|| {
        sql::query(
            "SELECT a.attname FROM leadguard.protected_table p \
             JOIN pg_attribute a ON a.attrelid = p.target AND a.attnum > 0 AND NOT a.attisdropped \
             WHERE p.target = $1 AND (a.attname = ANY (p.attribution) OR a.attname::text = ANY ($2)) ORDER BY a.attnum",
            &[Param::Oid(table.target), Param::Texts(&mapped)],
            Sees::Now,
            &mut |row| columns.extend(row.text(0).filter(|name| mapped.contains(name) || !closed.contains(name))),
        )
    });
    let pairs: Vec<String> =
        columns.iter().map(|name| format!("{}, {}", names::literal(name), names::quote(name))).collect();
    let parts: Vec<String> =
        pairs.chunks(PAIRS).map(|part| format!("pg_catalog.jsonb_build_object({})", part.join(", "))).collect();
    format!("({})::pg_catalog.text", parts.join(" OPERATOR(pg_catalog.||) "))
}

/// What the tombstone of a record keeps.
fn attribution(target: &Target, record: &str) -> String {
    let (condition, id) = target.is_record(1, record);
    let text = format!("SELECT {} FROM {} WHERE {condition}", kept(&target.table), target.relation);
    let mut found = None;
    as_caller(|| {
        set_local(c"leadguard.show_archived", c"on");
        sql::query_once(&text, &[id], Sees::Now, &mut |row| found = row.text(0))
    });
    found.unwrap_or_else(|| "{}".to_owned())
}
