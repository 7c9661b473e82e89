//! Ghost leads (K54): who works on records that somebody else owns, and records without an owner.

use crate::arguments::required;
use crate::children;
use crate::errors::bad_argument;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::names;
use crate::questions::asker::Asker;
use crate::questions::record::{Column, Target, as_caller};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::{name, pg_extern};
use std::collections::BTreeMap;

/// Records are asked for in groups of this many.
const GROUP: usize = 5_000;

fn days(given: Option<i32>) -> i64 {
    let days = given.unwrap_or(30);
    if !(1..=3650).contains(&days) {
        bad_argument("days is a number from 1 to 3650").raise();
    }
    days.into()
}

/// What one member did to a record.
#[derive(Clone)]
struct Work {
    record: String,
    member: i64,
    what: String,
    last: i64,
    times: i64,
}

/// From the audit, the claims and the handoffs.
fn logged(target: Oid, record: Option<&str>, organization: Option<i64>, days: i64) -> Vec<Work> {
    let mut found = Vec::new();
    let params = [Param::Oid(target), Param::Text(record), Param::Int(organization), Param::Int(Some(days))];
    as_extension(|| {
        sql::query(include_str!("../../sql/query/worked_on.sql"), &params, Sees::Statement, &mut |row| {
            if let (Some(record), Some(member), Some(what), Some(last)) =
                (row.text(0), row.int(1), row.text(2), row.int(3))
            {
                found.push(Work { record, member, what, last, times: row.int(4).unwrap_or(1) });
            }
        })
    });
    found
}

/// From the notes that the caller reads.
fn noted(target: Oid, record: Option<&str>, days: i64) -> Vec<Work> {
    let mut found = Vec::new();
    let notes = children::of(target).into_iter().filter(|child| child.kind == children::Kind::Notes);
    // A table of notes that is not what it was, or a stranger's, is not read: its code would run as whoever asks.
    let notes = notes.filter(children::is_trusted);
    for child in notes {
        let (Some(author), Some(time)) = (&child.author, &child.time) else { continue };
        let Some(column) = Column::of(child.target, author) else { continue };
        if ![pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPOID, pg_sys::DATEOID]
            .contains(&session::column_type(child.target, time))
        {
            continue;
        }
        let Some(parent) = Column::of(child.target, &child.parent_column) else { continue };
        let (condition, value) = match record {
            Some(record) => parent.is(1, record),
            None => ("true OR $1::pg_catalog.text IS NULL".to_owned(), Param::Text(None)),
        };
        let text = format!(
            "SELECT {parent}::pg_catalog.text, {author}::pg_catalog.text, pg_catalog.max({time})::timestamptz, pg_catalog.count(*) \
             FROM {table} WHERE ({condition}) AND {author} IS NOT NULL \
             AND {time} OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.make_interval(days => $2)) \
             GROUP BY 1, 2",
            parent = parent.quoted,
            author = column.quoted,
            time = names::quote(time),
            table = names::shown(child.target),
        );
        let params = [value, Param::Typed(pgrx::pg_sys::INT4OID, Some(pgrx::pg_sys::Datum::from(days as i32)))];
        let mut rows = Vec::new();
        as_caller(|| {
            sql::query_once(&text, &params, Sees::Statement, &mut |row| {
                if let (Some(record), Some(author), Some(last)) = (row.text(0), row.text(1), row.int(2)) {
                    rows.push((record, author, last, row.int(3).unwrap_or(1)));
                }
            })
        });
        for (record, author, last, times) in rows {
            let member = if column.kind.is_int() { author.parse().ok() } else { member_of(&author) };
            if let Some(member) = member {
                found.push(Work { record, member, what: "note".to_owned(), last, times });
            }
        }
    }
    found
}

fn member_of(key: &str) -> Option<i64> {
    let text = "SELECT id FROM leadguard.member WHERE key = $1 OR lower(key) = $1 ORDER BY key = $1 DESC LIMIT 1";
    as_extension(|| sql::first_int(text, &[Param::Text(Some(key))], Sees::Statement))
}

/// The keys of members whom the caller may list, by id.
fn listed(asker: &Asker, ids: &[i64]) -> BTreeMap<i64, String> {
    let mut found = BTreeMap::new();
    let member = asker.member.as_ref();
    let params =
        [Param::Ints(ids), Param::Int(member.map(|m| m.org_id)), Param::Int(member.filter(|m| m.guest).map(|m| m.id))];
    as_extension(|| {
        sql::query(
            "SELECT id, key FROM leadguard.member WHERE id = ANY ($1) AND ($2::bigint IS NULL OR org_id = $2) \
             AND ($3::bigint IS NULL OR id = $3)",
            &params,
            Sees::Statement,
            &mut |row| {
                if let (Some(id), Some(key)) = (row.int(0), row.text(1)) {
                    found.insert(id, key);
                }
            },
        )
    });
    found
}

fn time(at: i64) -> Option<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(at).ok()
}

type Worked = TableIterator<
    'static,
    (
        name!(member, String),
        name!(what, String),
        name!(times, i64),
        name!(last_at, Option<TimestampWithTimeZone>),
        name!(owner, bool),
    ),
>;

/// Who changed, claimed, received or noted a record in the last days. For whoever reads it; no rows for anybody else.
/// Errors: 42501 no identity, 22023.
#[pg_extern(sql = false)]
fn worked_on(target: Option<Oid>, record: Option<&str>, within: Option<i32>) -> Worked {
    let asker = Asker::find();
    let days = days(within);
    let target = Target::find(target, Sees::Statement);
    let Some(found) = asker.read(&target, required(record, "the record")) else {
        return TableIterator::new(Vec::new());
    };
    let table = target.table.target;
    let mut work = logged(table, Some(&found.id), found.organization, days);
    work.extend(noted(table, Some(&found.id), days));
    let ids: Vec<i64> = work.iter().map(|w| w.member).collect();
    let keys = listed(&asker, &ids);
    let mut rows: Vec<_> = work
        .into_iter()
        .filter_map(|w| Some((keys.get(&w.member)?.clone(), w.what, w.times, w.last, found.owner == Some(w.member))))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.3));
    TableIterator::new(
        rows.into_iter()
            .map(|(key, what, times, last, owner)| (key, what, times, time(last), owner))
            .collect::<Vec<_>>(),
    )
}

type Ghosts = TableIterator<
    'static,
    (
        name!(record, String),
        name!(owner, Option<String>),
        name!(members, Vec<String>),
        name!(last_at, Option<TimestampWithTimeZone>),
    ),
>;

struct Ghost {
    record: String,
    owner: Option<i64>,
    others: Vec<i64>,
    last: Option<i64>,
}

/// Records that the caller reads and on which others than the owner worked in the last days, and those without an owner.
/// Errors: 42501 no identity, 22023.
#[pg_extern(sql = false)]
fn ghost_leads(target: Option<Oid>, within: Option<i32>) -> Ghosts {
    let asker = Asker::find();
    let days = days(within);
    let target = Target::find(target, Sees::Statement);
    if !session::is_governed() {
        return TableIterator::new(Vec::new());
    }
    let Some(owner) = target.owner.clone() else {
        bad_argument(format!("{} maps no owner column", names::shown(target.table.target)))
            .hint("Without owners there are no ghosts; leadguard.worked_on says who works on a record.")
            .raise()
    };
    let organization = asker.member.as_ref().map(|m| m.org_id);
    let mut work = logged(target.table.target, None, organization, days);
    work.extend(noted(target.table.target, None, days));
    let mut by_record: BTreeMap<String, Vec<Work>> = BTreeMap::new();
    for one in work {
        by_record.entry(one.record.clone()).or_default().push(one);
    }
    let records: Vec<String> = by_record.keys().cloned().collect();
    let owned = readable(&target, &owner, &records);
    let owner_id = |text: &Option<String>| {
        let text = text.as_ref()?;
        if owner.kind.is_int() { text.parse().ok() } else { member_of(text) }
    };
    let mut ids: Vec<i64> = Vec::new();
    let mut ghosts: Vec<Ghost> = Vec::new();
    for (record, text) in owned {
        let owner = owner_id(&text);
        let mut others: Vec<i64> = Vec::new();
        let mut last = None;
        for one in by_record.get(&record).into_iter().flatten().filter(|one| Some(one.member) != owner) {
            others.push(one.member);
            last = last.max(Some(one.last));
        }
        others.sort_unstable();
        others.dedup();
        if owner.is_none() || !others.is_empty() {
            ids.extend(owner.iter().chain(&others));
            ghosts.push(Ghost { record, owner, others, last });
        }
    }
    let keys = listed(&asker, &ids);
    let rows: Vec<_> = ghosts
        .into_iter()
        .filter_map(|Ghost { record, owner, others, last }| {
            let others: Vec<String> = others.iter().filter_map(|id| keys.get(id).cloned()).collect();
            // Names that the caller may not know are left out; that there is an owner is not.
            let is_ghost = owner.is_none() || !others.is_empty();
            is_ghost.then(|| (record, owner.and_then(|id| keys.get(&id).cloned()), others, last.and_then(time)))
        })
        .collect();
    TableIterator::new(rows)
}

/// Those of the records that the caller reads and that are not archived, and all without an owner, with their owners.
fn readable(target: &Target, owner: &Column, records: &[String]) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    let archive = target.table.archived_at_column.as_deref();
    let present = archive.map_or_else(|| "true".to_owned(), |at| format!("{} IS NULL", names::quote(at)));
    let select = format!(
        "SELECT {}::pg_catalog.text, {}::pg_catalog.text FROM {}",
        target.id.quoted, owner.quoted, target.relation
    );
    let mut run = |text: &str, params: &[Param]| {
        as_caller(|| {
            sql::query_once(text, params, Sees::Statement, &mut |row| {
                if let Some(record) = row.text(0) {
                    found.push((record, row.text(1)));
                }
            })
        });
    };
    for group in records.chunks(GROUP) {
        // The ids in the column's own type, so that its index serves.
        let ids: Vec<i64> = group.iter().filter_map(|id| id.parse().ok()).collect();
        let (condition, param) = match target.id.kind {
            kind if kind.is_int() => ("= ANY ($1)", Param::Ints(&ids)),
            crate::model::value::Kind::Uuid => ("= ANY ($1::pg_catalog.uuid[])", Param::Texts(group)),
            _ => ("= ANY ($1)", Param::Texts(group)),
        };
        let text =
            format!("{select} WHERE {} {condition} AND {} IS NOT NULL AND {present}", target.id.quoted, owner.quoted);
        run(&text, &[param]);
    }
    run(&format!("{select} WHERE {} IS NULL AND {present}", owner.quoted), &[]);
    found
}
