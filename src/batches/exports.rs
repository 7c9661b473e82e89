//! COPY TO: only for those who may export, and written down (K18).
//!
//! The executor tells when the rows of a query go out by COPY, and which tables it names. Tables that functions of the
//! query read are met by the first call of their policies. Rows that went out cannot be called back: where the
//! transaction can write nothing, or what it has written does not last, a line in the server log says so.

use crate::audit::{self, Event};
use crate::errors::refused;
use crate::ffi::copy;
use crate::ffi::policies;
use crate::ffi::raise;
use crate::ffi::session::{self, Outcome};
use crate::ffi::snapshot;
use crate::ffi::versions;
use crate::visibility::{self, Subject, Table};
use pgrx::pg_sys::Oid;
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};

#[derive(Clone)]
struct Export {
    sub: u32,
    execution: usize,
    statement: i64,
    target: Oid,
    member: (i64, String),
    organization: i64,
    rows: Option<u64>,
    fingerprint: String,
    /// Names for the server log, which must not be looked up when the transaction has failed.
    table: Option<String>,
    role: Option<String>,
}

thread_local! {
    /// Executions whose rows go out, the innermost last.
    static OPEN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    /// How many they are: looked at by every first call of a policy.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static EXPORTS: RefCell<Vec<Export>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn begin(execution: usize) {
    OPEN.with_borrow_mut(|open| {
        open.push(execution);
        DEPTH.set(open.len());
    });
}

pub(crate) fn end(execution: usize) {
    OPEN.with(|open| {
        if let Ok(mut open) = open.try_borrow_mut() {
            open.retain(|held| *held != execution);
            DEPTH.set(open.len());
        }
    });
}

/// A query whose rows go out names this relation.
pub(crate) fn reads(relation: Oid) {
    // A preloaded library meets tables of databases where the extension is not.
    if !policies::is_row_secured(relation) || !versions::has_extension() {
        return;
    }
    let subject = visibility::statement();
    let table = subject.table(relation);
    if let Some(table) = table.as_ref() {
        note(&subject, table);
    }
}

/// A policy is asked about a table for the first time in an execution.
#[inline]
pub(crate) fn seen(subject: &Subject, table: &Option<Table>) {
    if (DEPTH.get() > 0 || copy::is_running())
        && let Some(table) = table
    {
        note(subject, table);
    }
}

/// 42501 for members who may not export; the others' exports are noted. Who is no member sees nothing, or is a superuser.
fn note(subject: &Subject, table: &Table) {
    let Some(member) = subject.member.as_ref().filter(|_| table.rules.switches.governed) else { return };
    if !subject.has_capability("export") && !subject.access(table).free_export {
        refused(format!("COPY TO of {} refused for \"{}\"", table.shown(), member.key))
            .detail("It takes the capability export.")
            .hint("A role with the capability gives it; so does the switch export of the table, set to free.")
            .raise();
    }
    if session::is_parallel_worker() {
        return;
    }
    let (execution, statement) =
        (OPEN.with_borrow(|open| open.last().copied().unwrap_or(0)), session::statement_time());
    // Planning may have asked before the execution began.
    let is_it = |held: &Export| {
        (held.statement, held.target) == (statement, table.target)
            && [execution, 0].contains(&held.execution)
            && held.rows.is_none()
    };
    let is_known = EXPORTS.with_borrow_mut(|exports| {
        exports.iter_mut().find(|held| is_it(held)).map(|held| held.execution = execution).is_some()
    });
    if is_known {
        return;
    }
    let made = Export {
        sub: session::subtransaction(),
        execution,
        statement,
        target: table.target,
        member: (member.id, member.key.clone()),
        organization: member.org_id,
        rows: None,
        fingerprint: super::log::fingerprint(),
        table: session::relation_name(table.concealed_by.unwrap_or(table.target)),
        role: session::role_name(session::session_role()),
    };
    EXPORTS.with_borrow_mut(|exports| exports.push(made));
}

/// All rows of an execution are out.
pub(crate) fn counted(execution: usize, rows: u64) {
    EXPORTS.with_borrow_mut(|exports| {
        for export in exports.iter_mut().filter(|export| export.execution == execution && export.rows.is_none()) {
            export.rows = Some(rows);
        }
    });
}

impl Export {
    fn detail(&self) -> Map<String, Value> {
        let mut detail = Map::new();
        detail.insert("operation".to_owned(), "export".into());
        detail.insert("records".to_owned(), self.rows.into());
        detail.insert("fingerprint".to_owned(), self.fingerprint.clone().into());
        detail
    }

    /// Says what became of the transaction, where it was not committed.
    fn log(&self, fate: Option<&str>) {
        let mut line = self.detail();
        let mut add = |name: &str, value: Value| line.insert(name.to_owned(), value);
        add("table", self.table.clone().into());
        add("member", self.member.1.clone().into());
        add("session_role", self.role.clone().into());
        if let Some(fate) = fate {
            add(fate, true.into());
        }
        raise::log(&format!("leadguard: export {}", Value::Object(line)));
    }

    fn write(&self) {
        let event = Event {
            target: Some(self.target),
            record: None,
            action: "batch",
            reason: None,
            approval: None,
            detail: Some(Value::Object(self.detail()).to_string()),
        };
        audit::event_by(&event, Some((self.member.0, self.member.1.as_str())), Some(self.organization));
    }
}

/// The transaction is about to end. The list stays until it has ended: writing may fail, and so may the commit.
pub(super) fn write(prepares: bool) {
    for export in &EXPORTS.with_borrow(Vec::clone) {
        if prepares {
            // Whoever rolls it back, in whatever session, is not heard of here.
            export.log(Some("prepared"));
        } else if copy::cannot_write() {
            export.log(None);
        }
        if !copy::cannot_write() {
            snapshot::with_latest(|| export.write());
        }
    }
}

fn take(is_gone: impl Fn(&Export) -> bool) -> Vec<Export> {
    EXPORTS.with(|exports| {
        exports.try_borrow_mut().map(|mut exports| exports.extract_if(.., |e| is_gone(e)).collect()).unwrap_or_default()
    })
}

/// What was written down before a commit that failed has gone with the transaction.
pub(super) fn ended(outcome: Outcome) {
    let exports = take(|_| true);
    if outcome == Outcome::Aborted {
        exports.iter().for_each(|export| export.log(Some("rolled_back")));
    }
    let _ = OPEN.with(|open| open.try_borrow_mut().map(|mut open| open.clear()));
    DEPTH.set(0);
}

pub(super) fn hand_over(sub: u32, parent: u32) {
    EXPORTS.with_borrow_mut(|exports| exports.iter_mut().filter(|e| e.sub == sub).for_each(|e| e.sub = parent));
}

pub(super) fn drop_of(sub: u32) {
    take(|export| export.sub == sub).iter().for_each(|export| export.log(Some("rolled_back")));
}
