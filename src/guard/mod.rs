//! The triggers of protected tables.
//!
//! Policies decide which rows a statement meets; these triggers decide what may be done to them and say so
//! with a clear error. They are ENABLE ALWAYS and run on every write: statement refuses sessions that never
//! write, row judges each change and fills defaults, stored judges the row again after all other triggers.

mod moving;
pub(crate) mod rules;

use crate::errors::{self, refused};
use crate::ffi::call::{self, Call};
use crate::ffi::session;
use crate::ffi::snapshot;
use crate::ffi::trigger::{Column, Operation, Row, TriggerCall};
use crate::model::level::Level;
use crate::model::value::{Kind, Value};
use crate::names;
use crate::visibility;
use crate::visibility::subject::{Mapped, Member, Subject, Table};
use pgrx::pg_sys::{Datum, Oid};
use rules::{Changed, named};
use std::cell::RefCell;

thread_local! {
    static SANCTIONED: RefCell<Option<(Oid, String)>> = const { RefCell::new(None) };
}

/// Runs `body` (the UPDATE of reassign) with one record exempt from the ownership rules, which the caller of
/// this function has checked.
pub(crate) fn sanction<T>(target: Oid, record: &str, body: impl FnOnce() -> T) -> T {
    struct Restore(Option<(Oid, String)>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SANCTIONED.set(self.0.take());
        }
    }
    let _restore = Restore(SANCTIONED.replace(Some((target, record.to_owned()))));
    body()
}

/// The record of the table that is exempt just now.
pub(crate) fn sanctioned(target: Oid) -> Option<String> {
    SANCTIONED.with_borrow(|held| held.as_ref().filter(|(table, _)| *table == target).map(|(_, record)| record.clone()))
}

pub(crate) fn is_sanctioned(target: Oid, id: &Value) -> bool {
    SANCTIONED.with_borrow(|held| {
        held.as_ref().is_some_and(|(table, record)| *table == target && id.to_text().as_deref() == Some(record))
    })
}

/// A session that passes: superuser or BYPASSRLS, or the owner of a table without force, and no member.
fn passes(subject: &Subject, table: Option<&Table>) -> bool {
    if subject.member.is_some() {
        return false;
    }
    let role = session::session_role();
    session::bypasses_row_security(role) || table.is_some_and(|t| !t.force && session::owns_relation(t.target, role))
}

/// BEFORE STATEMENT: refuses even a statement that meets no row.
pub(crate) fn statement(call: &Call) -> Datum {
    let trigger = TriggerCall::of(call);
    let operation = trigger.operation().name();
    let relation = trigger.relation();
    if trigger.operation() == Operation::Truncate {
        refused(format!("TRUNCATE of {} refused: it is a protected table", names::shown(relation)))
            .hint("DELETE checks every row; leadguard.unprotect comes before emptying the table.")
            .raise();
    }
    let subject = visibility::statement();
    let table = subject.table(relation);
    if passes(&subject, table.as_ref().as_ref()) {
        return trigger.skip();
    }
    let Some(member) = &subject.member else { errors::no_identity(operation, &names::shown(relation)) };
    if table.is_none() {
        // A partition that was detached keeps this trigger and the policies, and loses the guards of its rows.
        unregistered(relation);
    }
    if subject.mode == Some(crate::identity::Mode::Analyst) {
        errors::read_only_login(operation, &names::shown(relation));
    }
    if member.level_cap == Some(Level::Read) {
        errors::view_only(operation, &names::shown(relation), &member.key);
    }
    trigger.skip()
}

fn unregistered(relation: Oid) -> ! {
    refused(format!("{} is not registered as a protected table", names::shown(relation)))
        .hint("Run leadguard.unprotect and leadguard.protect.")
        .raise()
}

/// The mapped columns of the relation whose trigger runs.
struct Columns {
    id: Column,
    owner: Option<Column>,
    creator: Option<Column>,
    territory: Option<Column>,
    organization: Option<Column>,
}

impl Columns {
    fn find(row: &Row, table: &Table) -> Columns {
        visibility::mapping::require(table);
        let optional = |name: &Option<String>| name.as_deref().map(|name| required(row, name, table));
        Columns {
            id: required(row, &table.id_column, table),
            owner: optional(&table.owner_column),
            creator: optional(&table.creator_column),
            territory: optional(&table.territory_column),
            organization: optional(&table.organization_column),
        }
    }

    fn map<'a>(&self, row: &'a Row) -> Mapped<'a> {
        let pair = |column: Option<Column>| match column {
            Some(column) => (row.value(column), Some(column.kind)),
            None => (Value::Null, None),
        };
        Mapped {
            id: pair(Some(self.id)),
            owner: pair(self.owner),
            territory: pair(self.territory),
            organization: pair(self.organization).0,
        }
    }
}

/// A renamed or retyped column fails closed.
fn required(row: &Row, name: &str, table: &Table) -> Column {
    row.column(name).unwrap_or_else(|| {
        refused(format!(
            "{} has no usable column \"{name}\" any more, on which its protection relies",
            names::shown(table.target)
        ))
        .hint("Run leadguard.unprotect and leadguard.protect with the new column names.")
        .raise()
    })
}

/// BEFORE ROW: fills defaults of an INSERT and judges the change.
pub(crate) fn row(call: &Call) -> Datum {
    let trigger = TriggerCall::of(call);
    judge(call, &trigger, true)
}

/// AFTER ROW: judges the stored row, which other triggers may have changed since.
pub(crate) fn stored(call: &Call) -> Datum {
    let trigger = TriggerCall::of(call);
    judge(call, &trigger, false)
}

fn judge(call: &Call, trigger: &TriggerCall, before: bool) -> Datum {
    let subject = visibility::statement();
    let table = subject.table(trigger.relation());
    if passes(&subject, table.as_ref().as_ref()) {
        return trigger.pass();
    }
    let operation = trigger.operation();
    let Some(table) = table.as_ref() else { unregistered(trigger.relation()) };
    let Some(member) = &subject.member else { errors::no_identity(operation.name(), &names::shown(table.target)) };
    let reference = if operation == Operation::Insert { trigger.new_row() } else { trigger.old() };
    let columns = call::borrow(call.state(|| Columns::find(&reference, table)));
    let write = Write { trigger, subject: &subject, table, member, columns, before };
    match operation {
        Operation::Insert => write.insert(),
        Operation::Update => write.update(),
        Operation::Delete | Operation::Truncate => write.delete(),
    }
}

/// One row being written by a member.
struct Write<'a> {
    trigger: &'a TriggerCall,
    subject: &'a Subject,
    table: &'a Table,
    member: &'a Member,
    columns: &'a Columns,
    before: bool,
}

impl Write<'_> {
    fn insert(&self) -> Datum {
        let new = self.trigger.new_row();
        if self.is_partition() && moving::arrives(self.table.target, &self.signature(&new), self.before) {
            return self.trigger.pass();
        }
        let filled = if self.before { self.with_defaults(&new) } else { None };
        let row = filled.as_ref().unwrap_or(&new);
        if let Some(creator) = self.columns.creator
            && row.value(creator) != Value::Null
            && !self.is_self(&row.value(creator), creator.kind)
            && !self.subject.has_capability("assign")
        {
            refused(format!("the creator of a row of {} is the inserting member", names::shown(self.table.target)))
                .hint("Leave the creator empty; it is filled in.")
                .raise();
        }
        if let Err(failure) = rules::insert(self.subject, self.table, &self.columns.map(row)) {
            failure.raise();
        }
        filled.map_or_else(|| self.trigger.pass(), Row::into_datum)
    }

    /// Owner, creator and organization default to the inserting member's.
    fn with_defaults(&self, new: &Row) -> Option<Row> {
        let mut changes = Vec::new();
        for column in [self.columns.owner, self.columns.creator].into_iter().flatten() {
            if new.value(column) == Value::Null {
                changes.push((column, self.me(column.kind)));
            }
        }
        if let Some(column) = self.columns.organization
            && new.value(column) == Value::Null
        {
            changes.push((column, named(self.member.org_id, &self.member.org_key, column.kind)));
        }
        if changes.is_empty() {
            return None;
        }
        let filled = new.with(&changes);
        if filled.is_none() {
            errors::failure("22003", "the inserting member does not fit the type of the owner column")
                .hint("Map a wider column, or one of the type of the member keys.")
                .raise();
        }
        filled
    }

    fn me(&self, kind: Kind) -> Value<'_> {
        named(self.member.id, &self.member.key, kind)
    }

    fn is_self(&self, value: &Value, kind: Kind) -> bool {
        *value == self.me(kind)
    }

    fn update(&self) -> Datum {
        let (old, new) = (self.trigger.old(), self.trigger.new_row());
        let level = self.level(&old);
        let differs = |column: Option<Column>| column.is_some_and(|c| old.value(c) != new.value(c));
        let changed = Changed {
            fixed: differs(Some(self.columns.id))
                || differs(self.columns.creator)
                || differs(self.columns.organization),
            owner: differs(self.columns.owner),
            territory: differs(self.columns.territory),
        };
        let sanctioned = !changed.fixed && is_sanctioned(self.table.target, &old.value(self.columns.id));
        if !sanctioned {
            if level < Level::Edit {
                return self.denied(&old, level, Level::Edit);
            }
            if let Err(failure) = rules::update(self.subject, self.table, level, changed, &self.columns.map(&new)) {
                failure.raise();
            }
        }
        if self.before && self.is_partition() {
            moving::may_follow(self.table.target, self.trigger.relation(), old.place(), self.signature(&new));
        }
        self.trigger.pass()
    }

    fn delete(&self) -> Datum {
        let old = self.trigger.old();
        if self.is_partition() && moving::leaves(self.trigger.relation(), old.place()) {
            return self.trigger.pass();
        }
        let level = self.level(&old);
        if level < Level::Full {
            return self.denied(&old, level, Level::Full);
        }
        self.trigger.pass()
    }

    /// A row the member can see but not write; one he cannot see (a cascade) is as good as absent.
    fn denied(&self, row: &Row, level: Level, needed: Level) -> Datum {
        if self.table.skip_denied && self.before {
            return self.trigger.skip();
        }
        let table = names::shown(self.table.target);
        if level == Level::None {
            refused(format!("{} on {table} meets a row that is not visible", self.trigger.operation().name())).raise();
        }
        let record = row.text(self.columns.id);
        refused(format!(
            "{} of record {record} of {table} refused for \"{}\"",
            self.trigger.operation().name(),
            self.member.key
        ))
        .detail(format!("The level on this record is {}; {} is needed.", level.name(), needed.name()))
        .hint(format!("leadguard.explain_access({}, {}) tells why.", names::literal(&table), names::literal(&record)))
        .raise()
    }

    /// The level in the state that the statement sees, or in the newest one if that is lower: a statement that
    /// waited, or an old transaction, must not write with rights that are gone.
    fn level(&self, row: &Row) -> Level {
        let mapped = self.columns.map(row);
        let level = self.subject.level(self.table, &mapped);
        if level == Level::None || snapshot::latest() == snapshot::active() {
            return level;
        }
        level.min(visibility::now().level(self.table, &mapped))
    }

    fn is_partition(&self) -> bool {
        self.trigger.relation() != self.table.target
    }

    /// The mapped values of a row, to tell it from others of the same id.
    fn signature(&self, row: &Row) -> Vec<String> {
        let columns = [Some(self.columns.id), self.columns.owner, self.columns.territory, self.columns.organization];
        columns.into_iter().flatten().map(|column| row.text(column)).collect()
    }
}
