//! The triggers of protected tables.
//!
//! Policies decide which rows a statement meets; these triggers decide what may be done to them and say so
//! with a clear error. They are ENABLE ALWAYS and run on every write: statement refuses sessions that never
//! write, row judges each change and fills defaults, stored judges the row again after all other triggers.

mod archive;
mod defaults;
mod fields;
mod judged;
mod moving;
pub(crate) mod rules;
mod sanction;
mod tags;
mod transitions;
mod unbound;
mod values;
mod write;

pub(crate) use archive::demand_approval;
pub(crate) use fields::Fields;
pub(crate) use moving::{finish, on_transaction};
pub(crate) use sanction::{Purpose, Sanction, carried_out_on, exempts, is_sanctioned, sanction, sanctioned};
pub(crate) use tags::namespace;

use crate::assignment::Inserts;
use crate::audit::{self, Watched};

use crate::errors::{self, refused};
use crate::ffi::call::{self, Call};
use crate::ffi::session;
use crate::ffi::trigger::{Column, Mark, Operation, Row, TriggerCall, When};
use crate::model::level::Level;
use crate::model::rights::Rights;
use crate::names;
use crate::visibility;
use crate::visibility::{Mapped, Member, Part, Subject, Table};
use pgrx::pg_sys::{Datum, Oid};
use std::cell::OnceCell;
use write::Write;

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
    let trigger = TriggerCall::fired(call, When::BeforeStatement);
    let operation = trigger.operation().name();
    let relation = trigger.relation();
    let _judging = audit::denied::judging(relation, trigger.operation(), None);
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
    // A partition that was detached keeps this trigger and the policies, and loses the guards of its rows.
    let Some(registered) = table.as_ref() else { unregistered(relation) };
    if subject.mode == Some(crate::identity::Mode::Analyst) {
        errors::read_only_login(operation, &names::shown(relation));
    }
    if member.level_cap == Some(Level::Read) {
        errors::view_only(operation, &names::shown(relation), &member.key);
    }
    if sanctioned(registered.target).is_none() {
        refuse_without_any_right(&trigger, &subject, registered, member);
    }
    trigger.skip()
}

/// A member whose roles give him on no path what the statement takes.
fn refuse_without_any_right(trigger: &TriggerCall, subject: &Subject, table: &Table, member: &Member) {
    let access = subject.access(table);
    let (has, what) = match trigger.operation() {
        Operation::Insert => (access.create, "create"),
        Operation::Update => (access.at_most().has(Rights::UPDATE), "update"),
        Operation::Delete | Operation::Truncate => (access.at_most().has(Rights::ARCHIVE), "archive"),
    };
    if !has && !session::is_following_a_foreign_key() {
        errors::no_rule(trigger.operation().name(), &names::shown(trigger.relation()), &member.key, what);
    }
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
    /// The others that rules look at.
    others: Vec<(Part, Column)>,
    sensitive: Option<Mark>,
    archived: Option<archive::Archived>,
    /// None where no rule about fields concerns the member.
    fields: Option<fields::Fields>,
    /// What of a change is written down; found when the first change is.
    watched: OnceCell<Watched>,
    /// The rules by which new rows get an owner; found when the first row without one is.
    inserts: OnceCell<Option<Inserts>>,
}

impl Columns {
    fn find(row: &Row, table: &Table, subject: &Subject) -> Columns {
        visibility::mapping::require(table);
        let optional = |name: &Option<String>| name.as_deref().map(|name| required(row, name, table));
        Columns {
            id: required(row, &table.id_column, table),
            owner: optional(&table.owner_column),
            creator: optional(&table.creator_column),
            territory: optional(&table.territory_column),
            organization: optional(&table.organization_column),
            others: [Part::Segment, Part::Team, Part::Parent, Part::Stage, Part::Status]
                .into_iter()
                .filter_map(|part| Some((part, required(row, table.column(part)?, table))))
                .collect(),
            sensitive: table.column(Part::Sensitive).map(|name| required_mark(row, name, table)),
            archived: archive::Archived::find(row, table),
            fields: fields::Fields::of(subject, table, row),
            watched: OnceCell::new(),
            inserts: OnceCell::new(),
        }
    }

    fn watched(&self, table: &Table, row: &Row) -> &Watched {
        self.watched.get_or_init(|| Watched::of(table, row, self.fields.as_ref()))
    }

    fn map<'a>(&self, row: &'a Row) -> Mapped<'a> {
        let mut mapped = Mapped::new();
        let named = [
            (Part::Id, Some(self.id)),
            (Part::Owner, self.owner),
            (Part::Creator, self.creator),
            (Part::Territory, self.territory),
            (Part::Organization, self.organization),
        ];
        let named = named.into_iter().filter_map(|(part, column)| Some((part, column?)));
        for (part, column) in named.chain(self.others.iter().copied()) {
            mapped.put(part, row.value(column), Some(column.kind));
        }
        mapped.sensitive = self.sensitive.is_some_and(|mark| row.is_marked(mark));
        mapped
    }

    fn other(&self, part: Part) -> Option<Column> {
        self.others.iter().find(|(held, _)| *held == part).map(|(_, column)| *column)
    }
}

/// A renamed or retyped column fails closed.
fn required(row: &Row, name: &str, table: &Table) -> Column {
    row.column(name).unwrap_or_else(|| unusable(name, table))
}

fn required_mark(row: &Row, name: &str, table: &Table) -> Mark {
    row.mark(name).unwrap_or_else(|| unusable(name, table))
}

fn unusable(name: &str, table: &Table) -> ! {
    refused(format!(
        "{} has no usable column \"{name}\" any more, on which its protection relies",
        names::shown(table.target)
    ))
    .hint("Run leadguard.unprotect and leadguard.protect with the new column names.")
    .raise()
}

/// BEFORE ROW: fills defaults of an INSERT and judges the change.
pub(crate) fn row(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::BeforeRow);
    judge(call, &trigger, true)
}

/// AFTER ROW: judges the stored row, which other triggers may have changed since.
pub(crate) fn stored(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::AfterRow);
    judge(call, &trigger, false)
}

fn judge(call: &Call, trigger: &TriggerCall, before: bool) -> Datum {
    let subject = visibility::statement();
    let table = subject.table(trigger.relation());
    if passes(&subject, table.as_ref().as_ref()) {
        return unbound::write(call, trigger, table.as_ref().as_ref(), before);
    }
    let operation = trigger.operation();
    let Some(table) = table.as_ref() else { unregistered(trigger.relation()) };
    let Some(member) = &subject.member else { errors::no_identity(operation.name(), &names::shown(table.target)) };
    let _judging = audit::denied::judging(table.target, operation, None);
    let reference = if operation == Operation::Insert { trigger.new_row() } else { trigger.old() };
    let columns = call::borrow(call.state(|| Columns::find(&reference, table, &subject)));
    let _judging = audit::denied::judging(table.target, operation, Some((reference, columns.id)));
    let write = Write { trigger, subject: &subject, table, member, columns, before, latest: OnceCell::new() };
    match operation {
        Operation::Insert => write.insert(),
        Operation::Update => write.update(),
        Operation::Delete | Operation::Truncate if before => write.delete(),
        Operation::Delete | Operation::Truncate => write.deleted(),
    }
}
