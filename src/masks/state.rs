//! What people ask about masks.

use super::shown::{is_unbound, shown_state};
use crate::arguments::required;
use crate::errors::failure;
use crate::ffi::scan::attribute_number;
use crate::ffi::sql::Sees;
use crate::fields;
use crate::model::value::{Kind, Value, parse_int, parse_uuid};
use crate::questions::record::{Column, Target, subject};
use crate::visibility;
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

/// 'clear', 'masked' or 'no access'; NULL for a record that the caller does not see. 22023: not a protected table,
/// 42703: no such column.
#[pg_extern(sql = false)]
fn col_state(target: Option<Oid>, record: Option<&str>, column_name: Option<&str>) -> Option<String> {
    let target = Target::find(target, Sees::Statement);
    let column = required(column_name, "the column");
    if attribute_number(target.table.target, column) <= 0 {
        failure("42703", format!("column \"{column}\" of {} does not exist", target.relation)).raise();
    }
    let row = target.read(required(record, "the record"), Sees::Statement)?;
    let kind = |column: &Option<Column>| column.as_ref().map(|c| c.kind);
    let kinds = [Some(target.id.kind), kind(&target.owner), kind(&target.territory)];
    let texts = [Some(row.id.as_str()), row.owner_text.as_deref(), row.territory_text.as_deref()];
    let value = |index: usize| value_of(texts[index], kinds[index]);
    let shown = shown_state(&subject(Sees::Statement), &target.table, column, [value(0), value(1), value(2)], kinds);
    Some(shown.name().to_owned())
}

/// The keys of a jsonb column that the asking member may not read.
#[pg_extern(sql = false)]
fn closed_keys(target: Oid, column_name: &str) -> Vec<String> {
    let subject = visibility::statement();
    let registered = subject.table(target);
    let Some(table) = registered.as_ref() else { return Vec::new() };
    let rules = fields::rules(table.target);
    let number = attribute_number(table.target, column_name);
    let mut keys = rules.keys(column_name);
    match &subject.member {
        Some(member) => keys.retain(|key| !rules.access(number, column_name, key, &member.roles).reads()),
        None if is_unbound(table) => keys.clear(),
        None => {}
    }
    keys
}

fn value_of(text: Option<&str>, kind: Option<Kind>) -> Value<'_> {
    match (text, kind) {
        (Some(text), Some(Kind::Text)) => Value::Text(text),
        (Some(text), Some(Kind::Uuid)) => parse_uuid(text).map_or(Value::Null, Value::Uuid),
        (Some(text), Some(_)) => parse_int(text).map_or(Value::Null, Value::Int),
        _ => Value::Null,
    }
}
