//! One statement of protect or unprotect, with its reason.
//!
//! A DBA can run the statements by hand, in order, with the same result. Statements on the user's table run
//! as the caller: his event triggers and his privileges count, not those of the extension.

use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Sees};
use crate::schema_changes;
use pgrx::iter::TableIterator;
use pgrx::name;
use pgrx::pg_sys::Oid;

/// In whose name a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Caller,
    /// For leadguard's own tables, and for catalog changes that run no code of a user.
    Extension,
}

#[derive(Debug, Clone)]
pub(super) struct Step {
    pub kind: &'static str,
    pub statement: String,
    pub reason: String,
    pub by: By,
    /// What a dry run prints instead, where a migration can do better than one transaction.
    pub by_hand: Option<String>,
}

impl Step {
    pub(super) fn new(kind: &'static str, statement: impl Into<String>, reason: impl Into<String>) -> Step {
        Step { kind, statement: statement.into(), reason: reason.into(), by: By::Caller, by_hand: None }
    }

    pub(super) fn by_extension(mut self) -> Step {
        self.by = By::Extension;
        self
    }

    pub(super) fn by_hand(mut self, statement: impl Into<String>) -> Step {
        self.by_hand = Some(statement.into());
        self
    }

    fn run(&self) {
        let execute = || schema_changes::at_work(|| sql::query_once(&self.statement, &[], Sees::Now, &mut |_| {}));
        match self.by {
            By::Caller => execute(),
            By::Extension => as_extension(execute),
        };
    }
}

pub(super) fn run(steps: &[Step]) {
    run_each(steps);
    schema_changes::settle();
}

/// The same on a table that is known: what changed about it before is not taken for the work of these steps.
pub(super) fn run_on(target: Oid, steps: &[Step]) {
    schema_changes::look(target);
    run(steps);
}

/// The same within a command of somebody else, which brought the partition.
pub(super) fn run_within(steps: &[Step]) {
    run_each(steps);
    schema_changes::leave();
}

fn run_each(steps: &[Step]) {
    schema_changes::begin();
    for step in steps {
        step.run();
    }
}

pub(super) type Steps =
    TableIterator<'static, (name!(step, i32), name!(kind, String), name!(statement, String), name!(reason, String))>;

/// The steps as the result of protect or unprotect.
pub(super) fn listed(steps: Vec<Step>, dry_run: bool) -> Steps {
    let rows: Vec<_> = (1..)
        .zip(steps)
        .map(|(number, step)| {
            let statement = match step.by_hand {
                Some(by_hand) if dry_run => by_hand,
                _ => step.statement,
            };
            (number, step.kind.to_owned(), statement, step.reason)
        })
        .collect();
    TableIterator::new(rows)
}
