//! Records that a statement changed together, stored as few rows: what writing them costs is mostly the number of rows
//! and index entries.

use super::buffer::{Entry, Head};
use super::writer::{self, digest_of_head};
use crate::ffi::append;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::Operation;
use crate::model::bulk::{self, Bulk};
use crate::model::digest::{Digest, LENGTH};
use crate::model::text_array::text_array;
use pgrx::pg_sys::{self, Oid};

/// Fewer are stored one by one.
pub(super) const FROM: usize = 32;

/// What a row may take so that a page holds it; the least that is left for its records, whatever the reason says.
const PAGE: usize = 7_700;
const LEAST: usize = 2_000;

/// The purpose of their digests.
pub(super) const PURPOSE: &str = "rows";

/// The digest over a row of many records.
pub(super) fn digest_of_rows<R: AsRef<str>, F: AsRef<str>>(
    head: &Digest,
    id: i64,
    (records, fields): (&[R], &[F]),
    digests: &[u8],
    has_values: bool,
) -> [u8; LENGTH] {
    let mut digest = head.clone().number(Some(id));
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    digest.add_number(count(records.len()));
    records.iter().for_each(|record| digest.add(record.as_ref().as_bytes()));
    digest.add_number(count(fields.len()));
    fields.iter().for_each(|field| digest.add(field.as_ref().as_bytes()));
    digest.add(digests);
    digest.number(Some(i64::from(has_values))).bytes()
}

/// How much of a row is left for its records.
fn room(head: &Head) -> usize {
    let texts = [&head.member_key, &head.target_name, &head.reason, &head.detail].into_iter().flatten();
    let names = head.session_role.len() + head.outer_role.len() + head.action.len();
    PAGE.saturating_sub(names + texts.map(String::len).sum::<usize>()).max(LEAST)
}

/// One row, in the form of its columns.
struct Stored {
    id: i64,
    mac: [u8; LENGTH],
    records: Vec<u8>,
    fields: Vec<u8>,
    digests: Vec<u8>,
    values: Option<[Vec<u8>; 2]>,
}

fn changes(entries: &[Entry]) -> impl Iterator<Item = (&str, &crate::model::change::Change)> + Clone {
    entries.iter().map(|entry| (entry.record.as_str(), &entry.change))
}

/// Takes as many entries as make one row.
fn take(entries: &mut &[Entry], room: usize, digest: &Digest, sequence: Oid) -> Stored {
    let (taken, left) = entries.split_at(bulk::fitting(changes(entries), room));
    *entries = left;
    let bulk = Bulk::new(changes(taken));
    let id = writer::next(sequence);
    let array = |texts: &[Option<&str>]| text_array(texts.iter().copied());
    Stored {
        id,
        mac: digest_of_rows(digest, id, (&bulk.records, &bulk.fields), &bulk.digests, bulk.values.is_some()),
        records: text_array(bulk.records.iter().copied().map(Some)),
        fields: text_array(bulk.fields.iter().map(|name| Some(&**name))),
        values: bulk.values.as_ref().map(|[old, new]| [array(old), array(new)]),
        digests: bulk.digests,
    }
}

/// Writes entries of one statement down.
pub(super) fn write(entries: &[Entry]) {
    as_extension(|| write_rows(entries));
}

/// Rows of one statement have one time, and so one partition. The first one finds it.
fn write_rows(mut entries: &[Entry]) {
    let Some(head) = entries.first().map(|entry| &entry.head) else { return };
    let (sequence, transaction) = (writer::sequence(), session::transaction());
    let digest = writer::with_key(|key| digest_of_head(key, PURPOSE, head, &transaction.to_string()));
    let room = room(head);
    let mut next = || (!entries.is_empty()).then(|| take(&mut entries, room, &digest, sequence));
    let Some(first) = next() else { return };
    let partition = write_first(head, &first);
    match partition.and_then(append::Table::open) {
        Some(table) => append_all(head, table, next),
        None => {
            while let Some(row) = next() {
                write_first(head, &row);
            }
        }
    }
}

fn write_first(head: &Head, row: &Stored) -> Option<Oid> {
    let transaction = session::transaction().to_string();
    let array = |stored: &[u8]| append::whole(pg_sys::TEXTARRAYOID, stored);
    let bytes = |stored: &[u8]| append::whole(pg_sys::BYTEAOID, stored);
    let none = || Param::Typed(pg_sys::TEXTARRAYOID, None);
    let [old, new] = match &row.values {
        Some(values) => values.each_ref().map(|side| array(side)),
        None => [none(), none()],
    };
    let own = [
        Param::Int(Some(row.id)),
        Param::Bool(row.values.is_some()),
        bytes(&row.mac),
        array(&row.records),
        array(&row.fields),
        bytes(&row.digests),
        old,
        new,
    ];
    let params = [writer::head_params(head, &transaction).as_slice(), &own].concat();
    let mut partition = None;
    writer::writing(Operation::Insert, || {
        sql::query(include_str!("../../sql/query/audit_write_bulk.sql"), &params, Sees::Now, &mut |row| {
            partition = row.oid(0);
        });
    });
    partition
}

fn append_all(head: &Head, mut table: append::Table, mut next: impl FnMut() -> Option<Stored>) {
    writer::fill(&mut table, head, session::transaction());
    let [id, changes, has_values, mac] = [c"id", c"changes", c"has_values", c"mac"].map(|name| table.column(name));
    let [records, fields, digests, old, new] =
        [c"records", c"fields", c"digests", c"old_values", c"new_values"].map(|name| table.column(name));
    append::in_batches(|| {
        let mut goes_on = false;
        table.json(changes, "{}");
        while let Some(row) = next() {
            table.int(id, Some(row.id));
            table.bool(has_values, row.values.is_some());
            table.bytes(mac, Some(&row.mac));
            table.bytes(records, Some(&row.records));
            table.bytes(fields, Some(&row.fields));
            table.bytes(digests, Some(&row.digests));
            table.bytes(old, row.values.as_ref().map(|[old, _]| old.as_slice()));
            table.bytes(new, row.values.as_ref().map(|[_, new]| new.as_slice()));
            goes_on = table.append();
            if goes_on {
                break;
            }
        }
        table.store();
        goes_on
    });
    table.finish();
}
