//! Refusals, in the server log: a row in a table would go with the refused statement.
//!
//! One line for each, also for one that a block of PL/pgSQL catches: "leadguard: denied" and an object with what is
//! known, never a value of a row.

use crate::ffi::raise;
use crate::ffi::session;
use crate::ffi::trigger::{Column, Operation, Row};
use crate::visibility::subject;
use pgrx::pg_sys::Oid;
use std::cell::Cell;

/// What a guard judges just now. The row lives as long as the guard runs.
#[derive(Clone, Copy)]
struct Judged {
    relation: Oid,
    operation: Operation,
    record: Option<(Row, Column)>,
}

thread_local! {
    static JUDGED: Cell<Option<Judged>> = const { Cell::new(None) };
}

/// As long as it lives, refusals are about this table (and record).
pub(crate) struct Judging(Option<Judged>);

impl Drop for Judging {
    fn drop(&mut self) {
        JUDGED.set(self.0);
    }
}

pub(crate) fn judging(relation: Oid, operation: Operation, record: Option<(Row, Column)>) -> Judging {
    Judging(JUDGED.replace(Some(Judged { relation, operation, record })))
}

/// Called right before the refusal is raised.
pub(crate) fn log(code: &str, message: &str) {
    // Taken: should writing the line fail, that error is not about this record.
    let judged = JUDGED.take();
    let mut line = serde_json::Map::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line.insert(name.to_owned(), value.into());
        }
    };
    add("sqlstate", Some(code.to_owned()));
    add("session_role", session::role_name(session::session_role()));
    add("member", subject::known_key());
    if let Some(judged) = judged {
        add("table", session::relation_name(judged.relation));
        add("operation", Some(judged.operation.name().to_owned()));
        add("record", judged.record.map(|(row, id)| row.text(id)));
    }
    add("message", Some(message.to_owned()));
    raise::log(&format!("leadguard: denied {}", serde_json::Value::Object(line)));
    JUDGED.set(judged);
}
