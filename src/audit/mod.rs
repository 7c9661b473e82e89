//! Who changed what: one row for each change of a protected record, and for each decision about records and rules.
//!
//! A change is noted when the row has passed all triggers, and written with the others of its statement:
//! watched  which columns of a table are written down, and how
//! buffer   what was noted and is not written yet
//! writer   audit_entry and audit_entry_value, which the views audit_log and audit_value show
//! bulk     records that a statement changed together, stored as one row
//! erased   whose values this transaction has taken out
//! history  what happened to one record
//! verify   whether they still agree with their digests
//! chain    the seals, which show that rows are missing
//! seals    making one
//! sealed   whether the rows are those that were sealed
//! retire   months that go, and what stays of them
//! denied   refusals, which leave a line in the server log: that one survives the rollback
//!
//! Invariants: a change and its row commit or vanish together; no value that somebody may not read is written down
//! in clear. Tests: tests/audit.

mod buffer;
mod bulk;
mod chain;
pub(crate) mod denied;
mod erased;
mod history;
mod retire;
mod sealed;
pub(crate) mod seals;
mod verify;
mod watched;
mod writer;

use crate::arguments::given;
use crate::assignment;
use crate::errors::refused;
use crate::ffi::call::Call;
use crate::ffi::session::{self, Transaction};
use crate::ffi::snapshot;
use crate::ffi::trigger::{Operation, Row, TriggerCall, When};
use crate::guard::{Purpose, Sanction};
use crate::model::change::Change;
use crate::names;
use crate::visibility::Member;
use crate::visibility::{self, Table};
use buffer::{About, Head};
use pgrx::pg_sys::{Datum, Oid};
use std::borrow::Cow;
use std::collections::HashSet;
pub(crate) use verify::auditor;
use watched::Texts;
pub(crate) use watched::{Closed, Watched};

/// A row was inserted and passed all triggers.
pub(crate) fn inserted(table: &Table, member: Option<&Member>, new: &Row, watched: &Watched) {
    if watched.notes_inserts() {
        let record = watched.record(new);
        let change = watched.change(Texts::default(), watched.texts(new), &record);
        note(table, member, watched, (new, record), "create", None, change);
    }
}

/// A row was updated and passed all triggers. Without a change that matters nothing is noted.
pub(crate) fn updated(
    table: &Table,
    member: Option<&Member>,
    old: &Row,
    new: &Row,
    watched: &Watched,
    sanction: Option<&Sanction>,
) {
    if let Some((old, new_texts)) = watched.differing(old, new) {
        let record = watched.record(new);
        let action = watched.action(&old, &new_texts, sanction);
        tell_owners(table, member, watched, (new, &record), (&old, &new_texts));
        let change = watched.change(old, new_texts, &record);
        note(table, member, watched, (new, record), action, sanction, change);
    }
}

/// A row was deleted for good. A purge says so itself, when all that belongs to it is gone.
pub(crate) fn deleted(
    table: &Table,
    member: Option<&Member>,
    old: &Row,
    watched: &Watched,
    sanction: Option<&Sanction>,
) {
    if table.is_of_old_database() {
        return;
    }
    if sanction.is_some_and(|s| s.purpose == Purpose::Purge) {
        return;
    }
    let record = watched.record(old);
    let change = watched.change(watched.texts(old), Texts::default(), &record);
    note(table, member, watched, (old, record), "delete", sanction, change);
}

/// The first half of an UPDATE that moves a row to another partition.
pub(crate) fn departed(table: &Table, old: &Row, watched: &Watched) {
    if table.is_of_old_database() {
        return;
    }
    buffer::depart(table.target, watched.record(old), watched.texts(old));
}

/// The second half: together they are one change.
pub(crate) fn arrived(table: &Table, member: Option<&Member>, new: &Row, watched: &Watched) {
    if table.is_of_old_database() {
        return;
    }
    let record = watched.record(new);
    let sanction = crate::guard::carried_out_on(table.target, &record);
    let (old, texts) = match buffer::arrive(table.target, &record) {
        Some(old) => old.differing(watched.texts(new)),
        // Nobody saw it leave: better half of the story than none.
        None => (Texts::default(), watched.texts(new)),
    };
    if !texts.is_empty() {
        let action = watched.action(&old, &texts, sanction.as_ref());
        tell_owners(table, member, watched, (new, &record), (&old, &texts));
        let change = watched.change(old, texts, &record);
        note(table, member, watched, (new, record), action, sanction.as_ref(), change);
    }
}

/// Whoever owned the row, and whoever does now, hears about it when the statement ends.
fn tell_owners(
    table: &Table,
    member: Option<&Member>,
    watched: &Watched,
    (row, record): (&Row, &str),
    (old, new): (&Texts, &Texts),
) {
    if let Some(owners) = watched.owners(old, new)
        && session::is_governed()
    {
        let organization = member.map(|member| member.org_id).or_else(|| watched.organization(row, table));
        assignment::owner_changed(table.target, organization, record, (owners.before, owners.after), owners.keys);
    }
}

fn note(
    table: &Table,
    member: Option<&Member>,
    watched: &Watched,
    (row, record): (&Row, String),
    action: &'static str,
    sanction: Option<&Sanction>,
    mut change: Change,
) {
    if erased::contains(table.target, &record, row) {
        change.forget_values();
    }
    let organization = match member {
        Some(member) => Some(member.org_id),
        None => watched.organization(row, table),
    };
    let about = About {
        target: Some(table.target),
        member: member.map(|m| (m.id, Cow::Borrowed(m.key.as_str()))),
        organization,
        action,
        reason: sanction.and_then(|s| s.reason.as_deref()),
        approval: sanction.and_then(|s| s.approval),
        detail: None,
    };
    if buffer::add(&about, record, change) {
        flush();
    }
}

/// Something that happened to a record, or to the rules, outside of the triggers of a protected table.
pub(crate) struct Event<'a> {
    pub target: Option<Oid>,
    pub record: Option<&'a str>,
    pub action: &'a str,
    pub reason: Option<&'a str>,
    pub approval: Option<i64>,
    /// What is worth knowing about it, values of the record never.
    pub detail: Option<String>,
}

impl Event<'_> {
    fn about<'a>(&'a self, member: Option<&'a Member>, organization: Option<i64>) -> About<'a> {
        About {
            target: self.target,
            member: member.map(|m| (m.id, Cow::Borrowed(m.key.as_str()))),
            organization,
            action: self.action,
            reason: self.reason,
            approval: self.approval,
            detail: self.detail.as_deref(),
        }
    }
}

/// Writes an event down at once, in the running transaction.
pub(crate) fn event(event: &Event) {
    let subject = visibility::statement();
    let organization = subject.member.as_ref().map(|m| m.org_id).or_else(|| {
        let table = subject.table(event.target?);
        // Where each record says to which organization it belongs, its auditors must not read of other ones.
        Option::as_ref(&table).filter(|t| t.organization_column.is_none()).map(|t| t.org_id)
    });
    event_of(event, organization);
}

/// The same where the caller knows the organization of the record.
pub(crate) fn event_of(event: &Event, organization: Option<i64>) {
    if !session::is_updated() {
        return;
    }
    let subject = visibility::statement();
    writer::write_event(Head::new(&event.about(subject.member.as_deref(), organization)), event.record);
}

/// The same for what a member did whom the session may work for no longer.
pub(crate) fn event_by(event: &Event, member: Option<(i64, &str)>, organization: Option<i64>) {
    let member = member.map(|(id, key)| (id, Cow::Borrowed(key)));
    writer::write_event(Head::new(&About { member, ..event.about(None, organization) }), event.record);
}

/// For functions in SQL that the extension's owner runs: they have judged the caller.
#[pgrx::pg_extern(sql = false)]
fn note_event(
    action: Option<&str>,
    organization: Option<i64>,
    target: Option<Oid>,
    record: Option<&str>,
    reason: Option<&str>,
    detail: Option<&str>,
) {
    let action = given(action, "action");
    let event = Event { target, record, action, reason, approval: None, detail: detail.map(str::to_owned) };
    event_of(&event, organization);
}

/// An event of many records of one organization.
pub(crate) fn event_of_each(event: &Event, organization: Option<i64>, records: &[String]) {
    let subject = visibility::statement();
    let about = event.about(subject.member.as_deref(), organization);
    for record in records {
        if buffer::add(&about, record.clone(), Change::default()) {
            flush();
        }
    }
    flush();
}

/// The digest of a value, as rows of the audit hold it.
pub(crate) fn digest(record: &str, field: &str, value: &str) -> String {
    let key = writer::with_key(|key| key.digest("value").text(record));
    let mut text = String::new();
    crate::model::digest::hex(&crate::model::digest::of_value(&key, field, value), &mut text);
    text
}

/// Takes the values of a record out of the audit; the digests stay.
pub(crate) fn erase_values(target: Oid, record: &str) {
    erase_all_values(target, &[record.to_owned()]);
}

/// The same for many records.
pub(crate) fn erase_all_values(target: Oid, records: &[String]) {
    erased::add(target, records);
    let gone: HashSet<&str> = records.iter().map(String::as_str).collect();
    buffer::forget_values(target, |held| gone.contains(held));
    writer::erase(target, records);
}

/// Runs `body`, which adds to the proofs of what was purged or erased: tombstone and erasure are append-only too.
pub(crate) fn proving<T>(body: impl FnOnce() -> T) -> T {
    writer::writing(Operation::Insert, body)
}

/// Runs `body`, which says to which organization these proofs belong from now on.
pub(crate) fn passing_on_proofs<T>(body: impl FnOnce() -> T) -> T {
    writer::writing(Operation::Update, body)
}

/// AFTER STATEMENT of a protected table.
pub(crate) fn written(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::AfterStatement);
    crate::guard::finish();
    crate::archive::finish();
    assignment::finish();
    flush();
    crate::batches::finish();
    trigger.skip()
}

/// Writes what this (sub)transaction has noted. What an outer one noted must not be lost if this one is rolled back.
fn flush() {
    writer::write(&buffer::take(session::subtransaction()));
}

/// BEFORE STATEMENT of the audit tables, and of the proofs of what was purged or erased.
pub(crate) fn append_only(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::BeforeStatement);
    let operation = trigger.operation();
    let restores = operation == Operation::Insert
        && session::is_superuser(session::current_role())
        && session::demands_no_row_security();
    if writer::is_writing(operation) || restores {
        return trigger.skip();
    }
    refused(format!("{} on {} refused: it is append-only", operation.name(), names::shown(trigger.relation())))
        .hint("leadguard writes it. Values of a record go with leadguard.purge and leadguard.erase_note.")
        .raise()
}

/// Rows noted in a part that is rolled back go with it; at the end nothing may be left unwritten, whatever became of
/// the trigger (a replication worker runs no statement triggers, tables protected by 0.2.0 have none).
pub(crate) fn on_transaction(event: Transaction) {
    match event {
        Transaction::Committing | Transaction::Preparing => {
            while buffer::is_waiting() {
                // Nothing runs any more, so that there is no snapshot to write under.
                snapshot::with_latest(|| writer::write(&buffer::take_all()));
            }
        }
        Transaction::Ended(_) => {
            buffer::clear();
            writer::forget_key();
            erased::clear();
        }
        Transaction::SubCommitted { sub, parent } => {
            buffer::hand_over(sub, parent);
            erased::hand_over(sub, parent);
        }
        Transaction::SubAborted { sub } => {
            buffer::drop_of(sub);
            erased::drop_of(sub);
            writer::forget_key();
        }
    }
}
