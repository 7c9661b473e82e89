//! Whether the audit still says what was written.

use super::buffer::Head;
use super::watched::{Fields, render};
use super::writer;
use crate::errors::{bad_argument, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::identity;
use crate::model::digest;
use crate::visibility;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;
use pgrx::pg_sys;

/// As many rows are looked at together.
const PAGE: i64 = 5_000;

type Differences = TableIterator<
    'static,
    (
        pgrx::name!(audit_id, i64),
        pgrx::name!(at, Option<TimestampWithTimeZone>),
        pgrx::name!(field, Option<String>),
        pgrx::name!(problem, String),
    ),
>;

pub(super) struct Found {
    pub id: i64,
    pub at: i64,
    pub field: Option<String>,
    pub problem: &'static str,
}

/// The organization whose audit the caller may look at, None for all; else 42501.
pub(crate) fn auditor(function: &str) -> Option<i64> {
    let subject = visibility::statement();
    match &subject.member {
        Some(member) if subject.has_capability("audit") => Some(member.org_id),
        None if identity::is_superuser() => None,
        _ => refused(format!("{function} refused"))
            .hint("A member with the capability audit or a superuser verifies the audit.")
            .raise(),
    }
}

pub(super) fn since(since: Option<TimestampWithTimeZone>) -> i64 {
    let Some(since) = since else { bad_argument("argument \"since\" must not be NULL").raise() };
    pg_sys::TimestampTz::from(since)
}

/// What of the audit does not agree with its digests. Members with the capability audit (their organization's rows)
/// and superusers, else 42501; 22023 without a time.
#[pgrx::pg_extern(sql = false)]
fn audit_verify(since: Option<TimestampWithTimeZone>) -> Differences {
    let organization = auditor("audit_verify");
    let since = self::since(since);
    let mut found = Vec::new();
    as_extension(|| {
        each_row(since, organization, &mut |row| check(row, &mut found));
        orphans(since, organization, &mut found);
    });
    TableIterator::new(
        found.into_iter().map(|f| (f.id, TimestampWithTimeZone::try_from(f.at).ok(), f.field, f.problem.to_owned())),
    )
}

/// All rows from a time on, in the order of time and id.
pub(super) fn each_row(since: i64, organization: Option<i64>, each: &mut dyn FnMut(&sql::Row)) {
    let mut last = Some((since, i64::MIN));
    while let Some((at, id)) = last.take() {
        let params =
            [Param::Timestamp(Some(at)), Param::Int(Some(id)), Param::Int(organization), Param::Int(Some(PAGE))];
        let mut count = 0;
        let page = include_str!("../../sql/query/audit_page.sql");
        sql::query(page, &params, Sees::Statement, &mut |row| {
            count += 1;
            last = Some((row.int(1).unwrap_or_default(), row.int(0).unwrap_or_default()));
            each(row);
        });
        if count < PAGE {
            last = None;
        }
    }
}

/// Values that no row has.
pub(super) fn orphans(since: i64, organization: Option<i64>, found: &mut Vec<Found>) {
    let params = [Param::Timestamp(Some(since)), Param::Int(organization)];
    sql::query(include_str!("../../sql/query/audit_orphans.sql"), &params, Sees::Statement, &mut |row| {
        found.push(Found {
            id: row.int(0).unwrap_or_default(),
            at: row.int(1).unwrap_or_default(),
            field: None,
            problem: "values that no audit row has",
        });
    });
}

/// Whether a row says what it was written with.
pub(super) fn check(row: &sql::Row, found: &mut Vec<Found>) {
    let head = Head::read(row);
    let id = row.int(0).unwrap_or_default();
    let mut report = |field: Option<String>, problem| found.push(Found { id, at: head.at, field, problem });
    let parse = |text: Option<String>| -> Option<Fields> { serde_json::from_str(&text?).ok() };
    let record = row.text(9);
    let has_values = row.bool(15);
    let changes = parse(row.text(14));
    let text = changes.as_ref().map(render).unwrap_or_default();
    let (of_row, of_values) = writer::with_key(|key| {
        let of_head = writer::digest_of_head(key, &head, &row.text(2).unwrap_or_default());
        let of_row = writer::digest_of_row(&of_head, id, record.as_deref(), &text, has_values);
        (of_row, key.digest("value").text(record.as_deref().unwrap_or_default()))
    });
    let mut mac = String::new();
    digest::hex(&of_row, &mut mac);
    if row.text(16).as_deref() != Some(mac.as_str()) {
        report(None, "the row is not as it was written");
    }
    let Some(values) = row.text(17) else { return };
    let values = parse(Some(values));
    let Some((values, changes)) = values.zip(changes) else {
        report(None, "the values cannot be read");
        return;
    };
    if !has_values {
        report(None, "values that were not written with the row");
    }
    let expected = |field: &str, value: &Option<String>| {
        value.as_ref().map(|value| {
            let mut text = String::new();
            digest::hex(&digest::of_value(&of_values, field, value), &mut text);
            text
        })
    };
    for (field, pair) in &values {
        let agrees = changes
            .get(field)
            .is_some_and(|c| c.old == expected(field, &pair.old) && c.new == expected(field, &pair.new));
        if !agrees {
            report(Some(field.clone()), "the value does not agree with its digest");
        }
    }
}
