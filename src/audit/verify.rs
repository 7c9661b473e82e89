//! Whether the audit still says what was written.

use super::buffer::Head;
use super::bulk;
use super::watched::{Fields, render};
use super::writer;
use crate::arguments::given;
use crate::errors::refused;
use crate::ffi::append::Memory;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity;
use crate::model::bulk::sides;
use crate::model::digest;
use crate::visibility;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;
use pgrx::pg_sys;

/// As many rows are looked at together.
const PAGE: i64 = 1_000;

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
    /// Of a row with many.
    pub record: Option<String>,
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
            .hint("A member with the capability audit, or a superuser, can.")
            .raise(),
    }
}

pub(super) fn since(since: Option<TimestampWithTimeZone>) -> i64 {
    let since = given(since, "since");
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
    // A row may hold values of many megabytes.
    let mut memory = Memory::new();
    while let Some((at, id)) = last.take() {
        let params =
            [Param::Timestamp(Some(at)), Param::Int(Some(id)), Param::Int(organization), Param::Int(Some(PAGE))];
        let mut count = 0;
        let page = if session::is_governed() {
            include_str!("../../sql/query/audit_page.sql")
        } else {
            include_str!("../../sql/query/audit_page_before_bulk.sql")
        };
        sql::query(page, &params, Sees::Statement, &mut |row| {
            count += 1;
            last = Some((row.int(1).unwrap_or_default(), row.int(0).unwrap_or_default()));
            memory.run(|| each(row));
        });
        if count < PAGE {
            last = None;
        }
    }
}

/// Values that no row has.
pub(super) fn orphans(since: i64, organization: Option<i64>, found: &mut Vec<Found>) {
    let params = [Param::Timestamp(Some(since)), Param::Int(organization)];
    let text = if session::is_governed() {
        include_str!("../../sql/query/audit_orphans.sql")
    } else {
        include_str!("../../sql/query/audit_orphans_before_bulk.sql")
    };
    sql::query(text, &params, Sees::Statement, &mut |row| {
        found.push(Found {
            id: row.int(0).unwrap_or_default(),
            at: row.int(1).unwrap_or_default(),
            record: None,
            field: None,
            problem: "values that no audit row has",
        });
    });
}

/// Whether a row says what it was written with.
pub(super) fn check(row: &sql::Row, found: &mut Vec<Found>) {
    let head = Head::read(row);
    let mut report = Report { id: row.int(0).unwrap_or_default(), at: head.at, found };
    match row.texts(18) {
        Some(records) => check_many(row, &head, &records, &mut report),
        None => check_one(row, &head, &mut report),
    }
}

struct Report<'a> {
    id: i64,
    at: i64,
    found: &'a mut Vec<Found>,
}

impl Report<'_> {
    fn add(&mut self, record: Option<&str>, field: Option<&str>, problem: &'static str) {
        let (record, field) = (record.map(str::to_owned), field.map(str::to_owned));
        self.found.push(Found { id: self.id, at: self.at, record, field, problem });
    }
}

const CHANGED: &str = "the row is not as it was written";
const NOT_WRITTEN: &str = "values that were not written with the row";
const DIFFERS: &str = "the value does not agree with its digest";

fn check_one(row: &sql::Row, head: &Head, report: &mut Report) {
    let parse = |text: Option<String>| -> Option<Fields> { serde_json::from_str(&text?).ok() };
    let record = row.text(9);
    let has_values = row.bool(15);
    let changes = parse(row.text(14));
    let text = changes.as_ref().map(render).unwrap_or_default();
    let (of_row, of_values) = writer::with_key(|key| {
        let of_head = writer::digest_of_head(key, writer::PURPOSE, head, &row.text(2).unwrap_or_default());
        let of_row = writer::digest_of_row(&of_head, report.id, record.as_deref(), &text, has_values);
        (of_row, key.digest("value").text(record.as_deref().unwrap_or_default()))
    });
    if !is_mac(row, &of_row) {
        report.add(None, None, CHANGED);
    }
    let Some(values) = row.text(17) else { return };
    let values = parse(Some(values));
    let Some((values, changes)) = values.zip(changes) else {
        report.add(None, None, "the values cannot be read");
        return;
    };
    if !has_values {
        report.add(None, None, NOT_WRITTEN);
    }
    let expected = |field: &str, value: &Option<String>| {
        value.as_ref().map(|value| hexadecimal(&digest::of_value(&of_values, field, value)))
    };
    for (field, pair) in &values {
        let agrees = changes
            .get(field)
            .is_some_and(|c| c.old == expected(field, &pair.old) && c.new == expected(field, &pair.new));
        if !agrees {
            report.add(None, Some(field), DIFFERS);
        }
    }
}

/// A row of many records.
fn check_many(row: &sql::Row, head: &Head, records: &[Option<String>], report: &mut Report) {
    let texts = |of: Vec<Option<String>>| of.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
    let (records, fields) = (texts(records.to_vec()), texts(row.texts(19).unwrap_or_default()));
    let digests = row.with_bytes(20, <[u8]>::to_vec).unwrap_or_default();
    let values = [21, 22].map(|column| row.texts(column));
    let has_values = row.bool(15);
    let is_mac = writer::with_key(|key| {
        let of_head = writer::digest_of_head(key, bulk::PURPOSE, head, &row.text(2).unwrap_or_default());
        is_mac(row, &bulk::digest_of_rows(&of_head, report.id, (&records, &fields), &digests, has_values))
    });
    // What the view shows of a row comes from these alone.
    if !is_mac || row.text(9).is_some() || row.text(14).as_deref() != Some("{}") {
        report.add(None, None, CHANGED);
    }
    if values.iter().flatten().flatten().any(Option::is_some) && !has_values {
        report.add(None, None, NOT_WRITTEN);
    }
    let width = fields.len();
    let cells = records.len() * width;
    if values.iter().flatten().any(|side| side.len() != cells) || digests.len() != cells * 2 * digest::LENGTH {
        report.add(None, None, "the values cannot be read");
        return;
    }
    for (number, record) in records.iter().enumerate() {
        let key = writer::with_key(|key| key.digest("value").text(record));
        let own = &digests[number * width * 2 * digest::LENGTH..];
        for ((place, field), digests) in (number * width..).zip(&fields).zip(sides(own, width)) {
            let kept = values.each_ref().map(|side| side.as_ref().and_then(|side| side[place].as_deref()));
            // What is not kept is no difference: a side alone is NULL where its digest is.
            let agrees = kept.iter().all(Option::is_none)
                || kept.iter().zip(digests).all(|(value, digest)| {
                    value.map(|value| digest::of_value(&key, field, value)).as_ref().map(|d| &d[..]) == digest
                });
            if !agrees {
                report.add(Some(record), Some(field), DIFFERS);
            }
        }
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    let mut text = String::new();
    digest::hex(digest, &mut text);
    text
}

fn is_mac(row: &sql::Row, expected: &[u8]) -> bool {
    row.text(16).as_deref() == Some(hexadecimal(expected).as_str())
}
