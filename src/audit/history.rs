//! What happened to one record, and rows of many records taken apart again.

use super::verify;
use crate::arguments::given;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::bulk::sides;
use crate::model::digest;
use pgrx::JsonB;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};
use serde_json::{Map, Value, json};

fn object(
    fields: &[Option<String>],
    mut sides: impl FnMut(usize) -> Option<[Option<String>; 2]>,
) -> Map<String, Value> {
    let named = fields.iter().enumerate().filter_map(|(at, name)| Some((name.clone()?, sides(at)?)));
    named.map(|(name, [old, new])| (name, json!({"old": old, "new": new}))).collect()
}

/// audit_log.changes of one record, from its part of the digests.
#[pg_extern(sql = false)]
fn audit_changes(fields: Vec<Option<String>>, digests: &[u8]) -> JsonB {
    let hexadecimal = |digest: &[u8]| {
        let mut text = String::with_capacity(2 * digest.len());
        digest::hex(digest, &mut text);
        text
    };
    let all: Vec<_> = sides(digests, fields.len()).map(|pair| pair.map(|side| side.map(hexadecimal))).collect();
    let changed = |at: usize| all.get(at).filter(|pair| pair.iter().any(Option::is_some)).cloned();
    JsonB(Value::Object(object(&fields, changed)))
}

/// audit_value.values of one record, from its part of the arrays; None when none is kept.
#[pg_extern(sql = false)]
fn audit_values(
    fields: Vec<Option<String>>,
    old_values: Vec<Option<String>>,
    new_values: Vec<Option<String>>,
) -> Option<JsonB> {
    let sides = |at: usize| {
        let pair = [&old_values, &new_values].map(|side| side.get(at).cloned().flatten());
        pair.iter().any(Option::is_some).then_some(pair)
    };
    let kept = object(&fields, sides);
    (!kept.is_empty()).then_some(JsonB(Value::Object(kept)))
}

type History = TableIterator<
    'static,
    (
        name!(audit_id, i64),
        name!(at, Option<TimestampWithTimeZone>),
        name!(member, Option<String>),
        name!(session_role, Option<String>),
        name!(action, Option<String>),
        name!(reason, Option<String>),
        name!(detail, Option<String>),
        name!(changes, Option<JsonB>),
        name!(values, Option<JsonB>),
    ),
>;

/// What the audit has of one record, oldest first. Members with the capability audit (their organization's rows) and
/// superusers, else 42501; 22023 for NULL.
#[pg_extern(sql = false)]
fn record_history(target: Option<Oid>, record: Option<&str>) -> History {
    let organization = verify::auditor("record_history");
    let target = given(target, "target");
    let record = given(record, "record");
    let params = [Param::Oid(target), Param::Text(Some(record)), Param::Int(organization)];
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(include_str!("../../sql/query/record_history.sql"), &params, Sees::Statement, &mut |row| {
            let object = |column| row.text(column).and_then(|text| serde_json::from_str(&text).ok()).map(JsonB);
            let at = row.int(1).and_then(|at| TimestampWithTimeZone::try_from(at).ok());
            let id = row.int(0).unwrap_or_default();
            let [member, login, action, reason, detail] = [2, 3, 4, 5, 6].map(|column| row.text(column));
            found.push((id, at, member, login, action, reason, detail, object(7), object(8)));
        })
    });
    TableIterator::new(found)
}
