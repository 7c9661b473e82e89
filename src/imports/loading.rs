//! The triggers of staging views: what is inserted goes into the open import of the member.
//!
//! Rows are kept until enough have come together, or the statement ends. Each belongs to the subtransaction that it was
//! loaded in, and goes with it. Lines are numbered when they are written.

use super::sessions::importer;
use crate::errors::{failure, refused};
use crate::ffi::append;
use crate::ffi::call::{self, Call};
use crate::ffi::row::Attribute;
use crate::ffi::session::{self, Transaction, as_extension, own_relation};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::{Operation, Row, TriggerCall, When};
use crate::names;
use crate::rulebook::right::registered;
use crate::visibility;
use pgrx::pg_sys::{Datum, Oid};
use std::cell::RefCell;

/// As many rows are written together at most.
const TOGETHER: usize = 2_000;

/// More rows than this no import has.
const MOST_LINES: i64 = 1_000_000;

struct Loaded {
    sub: u32,
    import: i64,
    data: String,
}

thread_local! {
    static LOADED: RefCell<Vec<Loaded>> = const { RefCell::new(Vec::new()) };
}

/// What a statement loads, for as long as it runs.
struct Loading {
    import: i64,
    columns: Vec<Attribute>,
}

impl Loading {
    fn begin(trigger: &TriggerCall) -> Loading {
        let view = trigger.relation();
        let (subject, shown) = (visibility::now(), names::shown(view));
        let member = importer(&subject, "INSERT", &shown);
        let Some(target) = target_of(view) else {
            refused(format!("{shown} is no staging view"))
                .hint("leadguard.prepare_imports makes staging views; drop this one.")
                .raise()
        };
        let mut found = None;
        as_extension(|| {
            sql::query(
                "SELECT id FROM leadguard.import_session \
                 WHERE member_id = $1 AND target = $2 AND state IN ('open', 'checked') FOR NO KEY UPDATE",
                &[Param::Int(Some(member.id)), Param::Oid(target)],
                Sees::Now,
                &mut |row| found = row.int(0),
            )
        });
        let Some(import) = found else {
            failure("55000", format!("\"{}\" has no open import for {shown}", member.key))
                .hint(format!(
                    "SELECT leadguard.import_begin({}) opens one.",
                    names::literal(&registered(Some(target)).shown())
                ))
                .raise()
        };
        Loading { import, columns: trigger.new_row().attributes() }
    }

    /// A row as JSON, without what it leaves empty.
    fn json(&self, row: &Row) -> String {
        let values = row.values();
        let mut json = String::from("{");
        for column in &self.columns {
            let Some(text) = values.text(column).filter(|text| !text.is_empty()) else { continue };
            if json.len() > 1 {
                json.push(',');
            }
            for (part, end) in [(&column.name, ':'), (&text, ' ')] {
                json.push_str(&serde_json::to_string(part).unwrap_or_default());
                json.push(end);
            }
        }
        json.push('}');
        json
    }
}

fn target_of(view: Oid) -> Option<Oid> {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT target::oid FROM leadguard.import_target WHERE view = $1",
            &[Param::Oid(view)],
            Sees::Now,
            &mut |row| found = row.oid(0),
        )
    });
    found
}

/// INSTEAD OF INSERT, for each row.
pub(crate) fn stage(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::InsteadOfRow);
    if trigger.operation() != Operation::Insert {
        refused(format!("rows of {} are loaded only", names::shown(trigger.relation())))
            .hint("leadguard.import_cancel ends an import.")
            .raise();
    }
    let loading = call::borrow(call.state(|| Loading::begin(&trigger)));
    let loaded =
        Loaded { sub: session::subtransaction(), import: loading.import, data: loading.json(&trigger.new_row()) };
    let full = LOADED.with_borrow_mut(|rows| {
        rows.push(loaded);
        rows.len() >= TOGETHER
    });
    if full {
        write(take(Some(session::subtransaction())));
    }
    trigger.pass()
}

/// AFTER INSERT, for each statement.
pub(crate) fn staged(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::AfterStatement);
    write(take(Some(session::subtransaction())));
    trigger.skip()
}

/// The rows of one subtransaction, or all of them.
fn take(sub: Option<u32>) -> Vec<Loaded> {
    LOADED.with_borrow_mut(|rows| {
        let (taken, kept) = std::mem::take(rows).into_iter().partition(|row| sub.is_none_or(|sub| row.sub == sub));
        *rows = kept;
        taken
    })
}

/// The import is locked since its first row came.
fn write(rows: Vec<Loaded>) {
    for rows in rows.chunk_by(|a, b| a.import == b.import) {
        if let Some(first) = rows.first() {
            as_extension(|| append_all(first.import, rows));
        }
    }
}

/// Whether rows of an import wait to be written, by a statement that is still running.
pub(super) fn is_loading(import: i64) -> bool {
    LOADED.with_borrow(|rows| rows.iter().any(|row| row.import == import))
}

/// The import is not checked any more, whatever was said of it while the statement ran; and one that reads the rows
/// under an older snapshot meets a session that has changed since (40001).
fn reopen(import: i64) {
    let open = sql::first_int(
        "UPDATE leadguard.import_session SET state = 'open' WHERE id = $1 AND state IN ('open', 'checked') RETURNING id",
        &[Param::Int(Some(import))],
        Sees::Now,
    );
    if open.is_none() {
        failure("55000", format!("import {import} takes no more rows"))
            .detail("It was submitted, or has ended, while rows were loaded.")
            .hint("leadguard.import_begin opens a new one for them.")
            .raise();
    }
}

fn append_all(import: i64, rows: &[Loaded]) {
    reopen(import);
    let mut line = sql::first_int(
        "SELECT max(line) FROM leadguard.import_row WHERE import_id = $1",
        &[Param::Int(Some(import))],
        Sees::Now,
    )
    .unwrap_or_default();
    if line + i64::try_from(rows.len()).unwrap_or_default() > MOST_LINES {
        failure("54000", format!("import {import} has more than {MOST_LINES} rows"))
            .hint("Load the file in parts, each in an import of its own.")
            .raise();
    }
    let Some(mut table) = append::Table::open(own_relation(c"import_row")) else {
        crate::errors::bug("rows of imports cannot be appended");
    };
    let [import_id, number, data] = [c"import_id", c"line", c"data"].map(|name| table.column(name));
    table.int(import_id, Some(import));
    let mut rows = rows.iter();
    append::in_batches(|| {
        for row in rows.by_ref() {
            line += 1;
            table.int(number, Some(line));
            table.json(data, &row.data);
            if table.append() {
                break;
            }
        }
        table.store();
        rows.len() > 0
    });
    table.finish();
}

/// Rows go with the part of the transaction that loaded them; what no trigger wrote is written at the end.
pub(crate) fn on_transaction(event: Transaction) {
    let held = |body: &dyn Fn(&mut Vec<Loaded>)| {
        LOADED.with(|rows| {
            if let Ok(mut rows) = rows.try_borrow_mut() {
                body(&mut rows);
            }
        })
    };
    match event {
        Transaction::Committing | Transaction::Preparing => {
            if LOADED.with_borrow(|rows| !rows.is_empty()) {
                snapshot::with_latest(|| write(take(None)));
            }
        }
        Transaction::Ended(_) => held(&|rows| rows.clear()),
        Transaction::SubCommitted { sub, parent } => {
            held(&|rows| rows.iter_mut().filter(|row| row.sub == sub).for_each(|row| row.sub = parent));
        }
        Transaction::SubAborted { sub } => held(&|rows| rows.retain(|row| row.sub != sub)),
    }
}
