//! Reading contacts: for whoever reads the record, and without rows for anybody else.

use crate::arguments::required;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Row, Sees};
use crate::questions::asker::Asker;
use crate::questions::record::Target;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};

/// Runs a query about the contacts of a record if the caller reads it.
fn of_record(target: Option<Oid>, record: Option<&str>, text: &'static str, each: &mut dyn FnMut(&Row)) {
    let asker = Asker::find();
    let target = Target::find(target, Sees::Statement);
    let Some(found) = asker.read(&target, required(record, "the record")) else { return };
    let guest = asker.member.as_ref().is_none_or(|member| member.guest);
    let params = [
        Param::Oid(target.table.target),
        Param::Text(Some(&found.id)),
        Param::Int(found.organization),
        Param::Bool(asker.superuser),
        Param::Bool(!guest),
        Param::Int(asker.id()),
    ];
    as_extension(|| sql::query(text, &params, Sees::Statement, each));
}

fn time(row: &Row, column: i32) -> Option<TimestampWithTimeZone> {
    row.int(column).and_then(|at| TimestampWithTimeZone::try_from(at).ok())
}

type Contacts = TableIterator<
    'static,
    (
        name!(contact, i64),
        name!(side, Option<String>),
        name!(member, Option<String>),
        name!(name, Option<String>),
        name!(email, Option<String>),
        name!(types, Vec<String>),
        name!(added_at, Option<TimestampWithTimeZone>),
    ),
>;

/// The contacts of a record and their present types. Errors: 42501 no identity, 22023.
#[pg_extern(sql = false)]
fn contacts(target: Option<Oid>, record: Option<&str>) -> Contacts {
    let mut found = Vec::new();
    of_record(target, record, include_str!("../../sql/query/contacts.sql"), &mut |row| {
        if let Some(id) = row.int(0) {
            let types = row.text(5).map(|types| types.split(',').map(str::to_owned).collect()).unwrap_or_default();
            found.push((id, row.text(1), row.text(2), row.text(3), row.text(4), types, time(row, 6)));
        }
    });
    TableIterator::new(found)
}

type History = TableIterator<
    'static,
    (
        name!(contact, i64),
        name!(side, Option<String>),
        name!(member, Option<String>),
        name!(name, Option<String>),
        name!(email, Option<String>),
        name!(kind, Option<String>),
        name!(since, Option<TimestampWithTimeZone>),
        name!(until, Option<TimestampWithTimeZone>),
        name!(added_at, Option<TimestampWithTimeZone>),
        name!(added_by, Option<String>),
        name!(removed_at, Option<TimestampWithTimeZone>),
        name!(removed_by, Option<String>),
        name!(reason, Option<String>),
    ),
>;

/// Contacts as they are and were. Who may ask and errors: as contacts.
#[pg_extern(sql = false)]
fn contact_history(target: Option<Oid>, record: Option<&str>) -> History {
    let mut found = Vec::new();
    of_record(target, record, include_str!("../../sql/query/contact_history.sql"), &mut |row| {
        if let Some(id) = row.int(0) {
            let text = |column| row.text(column);
            found.push((
                id,
                text(1),
                text(2),
                text(3),
                text(4),
                text(5),
                time(row, 6),
                time(row, 7),
                time(row, 8),
                text(9),
                time(row, 10),
                text(11),
                text(12),
            ));
        }
    });
    TableIterator::new(found)
}
