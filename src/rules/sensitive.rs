//! Marking a record as sensitive, and taking the mark away: with a reason, and by whoever may update it, even if he loses
//! sight of it.

use crate::arguments::required;
use crate::audit::{self, Event};
use crate::errors::{self, bad_argument};
use crate::ffi::session;
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::Right;
use crate::guard::{self, Purpose, Sanction};
use crate::model::rights::Rights;
use crate::names;
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

/// Marks a record. Needs the right to update it; 42501, 22023 without a reason or a column for the mark.
#[pg_extern(sql = false)]
fn mark_sensitive(target: Option<Oid>, record: Option<&str>, reason: Option<&str>) {
    mark("mark_sensitive", target, record, reason, true);
}

/// Takes the mark away. Needs sight of the record, and the right to update it; 42501, 22023.
#[pg_extern(sql = false)]
fn unmark_sensitive(target: Option<Oid>, record: Option<&str>, reason: Option<&str>) {
    mark("unmark_sensitive", target, record, reason, false);
}

fn mark(action: &'static str, target: Option<Oid>, record: Option<&str>, reason: Option<&str>, sensitive: bool) {
    let right = Right::find(action, target, record, Rights::UPDATE);
    let reason = required(reason, "the reason").trim();
    if reason.is_empty() {
        bad_argument("the reason is empty").hint("Say why the record is, or is no longer, sensitive.").raise();
    }
    let table = &right.target.table;
    let Some(column) = &table.sensitive_column else {
        bad_argument(format!("{} maps no column that marks sensitive records", table.shown()))
            .hint("leadguard.protect(..., sensitive => 'column').")
            .raise()
    };
    // A text column holds the reason itself.
    let is_text = session::column_kind(table.target, column).is_some();
    let value = match (sensitive, is_text) {
        (true, true) => "$2".to_owned(),
        (false, true) => "NULL".to_owned(),
        (mark, false) => mark.to_string(),
    };
    let (condition, id) = right.target.is_record(1, &right.record.id);
    let text = format!(
        "UPDATE {} SET {} = {value} WHERE {condition} AND $2::pg_catalog.text IS NOT NULL",
        right.target.relation,
        names::quote(column)
    );
    let sanction = Sanction::of(table.target, &right.record.id, Purpose::Mark, Some(reason));
    let params = [id, Param::Text(Some(reason))];
    if guard::sanction(sanction, || sql::query_once(&text, &params, Sees::Now, &mut |_| {})) == 0 {
        errors::no_such_record(&names::shown(table.target), &right.record.id);
    }
    audit::event_of(
        &Event {
            target: Some(table.target),
            record: Some(&right.record.id),
            action,
            reason: Some(reason),
            approval: None,
            detail: None,
        },
        right.record.organization,
    );
}
