//! One row of the audit for each batch, written before the transaction commits, when it is known how many rows it has.

use super::counter::{self, Done};
use crate::audit::{self, Event};
use crate::ffi::copy;
use crate::ffi::snapshot;
use crate::model::fingerprint;
use serde_json::{Map, Value};

/// That of the statement which the client sent.
pub(super) fn fingerprint() -> String {
    fingerprint::of(&copy::statement_text(fingerprint::MOST))
}

pub(super) fn write() {
    for done in counter::batches() {
        // Nothing runs any more, so that there is no snapshot to write under.
        snapshot::with_latest(|| note(&done));
    }
}

fn note(done: &Done) {
    let mut detail = Map::new();
    let mut add = |name: &str, value: Value| detail.insert(name.to_owned(), value);
    add("operation", done.key.operation.name().into());
    add("records", done.rows.into());
    add("template", done.template.into());
    add("self_approved", done.self_approved.into());
    add("fingerprint", done.fingerprint.clone().into());
    add("statements", done.statements.into());
    let event = Event {
        target: Some(done.key.target),
        record: None,
        action: "batch",
        reason: done.reason.as_deref(),
        approval: done.approval,
        detail: Some(Value::Object(detail).to_string()),
    };
    audit::event_by(&event, done.key.member.zip(done.member.as_deref()), done.organization);
}
