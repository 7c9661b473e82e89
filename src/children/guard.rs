//! The triggers of tables of notes and tags.

use super::{Child, Kind, find, organization};
use crate::audit::{self, Event};
use crate::errors::{self, refused};
use crate::ffi::call::{self, Call};
use crate::ffi::row::{Attribute, Values};
use crate::ffi::session;
use crate::ffi::sql::Sees;
use crate::ffi::trigger::{Column, Operation, Row, TriggerCall, When};
use crate::fields;
use crate::guard::{Purpose, Sanction, sanctioned};
use crate::model::rights::Rights;
use crate::model::value::Value;
use crate::names;
use crate::questions::paths::{self, Whose};
use crate::questions::record::Target;
use crate::visibility::Member;
use crate::visibility::{self, Subject};
use pgrx::pg_sys::{Datum, Oid};
use std::cell::RefCell;
use std::rc::Rc;

fn registered(relation: Oid) -> Child {
    find(relation).unwrap_or_else(|| {
        refused(format!("{} is not registered as a table of notes or tags", names::shown(relation)))
            .hint("Run leadguard.unprotect and leadguard.protect_notes or leadguard.protect_tags.")
            .raise()
    })
}

/// The registered column is not there any more.
pub(super) fn no_column(relation: Oid, name: &str) -> ! {
    refused(format!("{} has no column \"{name}\" any more, on which its protection relies", names::shown(relation)))
        .hint("Run leadguard.unprotect, and protect the table again with the new names.")
        .raise()
}

/// What the extension itself does to rows of the table just now. Triggers of the table run meanwhile: whatever else
/// they do goes by the rules of everybody.
fn purpose(relation: Oid, operation: Operation) -> Option<Sanction> {
    sanctioned(relation).filter(|s| {
        matches!((s.purpose, operation), (Purpose::Erase, Operation::Update) | (Purpose::Purge, Operation::Delete))
    })
}

fn append_only(operation: Operation, relation: Oid) -> ! {
    refused(format!("{} on {} refused: notes are append-only", operation.name(), names::shown(relation)))
        .detail("This holds for everybody, the author and superusers included.")
        .hint("Add another note. A data owner erases the content of one with leadguard.erase_note.")
        .raise()
}

/// Sessions that no rule binds: they add what they want, a restore does.
fn is_unbound(subject: &Subject) -> bool {
    subject.member.is_none() && session::bypasses_row_security(session::session_role())
}

/// BEFORE STATEMENT: also for a statement that meets no row.
pub(crate) fn statement(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::BeforeStatement);
    let (operation, relation) = (trigger.operation(), trigger.relation());
    let _judging = audit::denied::judging(relation, operation, None);
    if operation == Operation::Truncate {
        refused(format!("TRUNCATE of {} refused: it is a protected table", names::shown(relation)))
            .hint("leadguard.unprotect comes before emptying the table.")
            .raise();
    }
    if purpose(relation, operation).is_some() {
        return trigger.skip();
    }
    let child = registered(relation);
    // The foreign key of a record that is purged runs its action, for which nothing is left: row by row it is refused.
    if sanctioned(child.parent).is_some_and(|s| s.purpose == Purpose::Purge) {
        return trigger.skip();
    }
    // INSERT ... ON CONFLICT DO UPDATE fires the triggers of UPDATE too, whether a row is updated or not.
    if child.kind == Kind::Notes && operation != Operation::Insert {
        append_only(operation, relation);
    }
    let subject = visibility::statement();
    if is_unbound(&subject) {
        return trigger.skip();
    }
    subject.writer(operation.name(), &names::shown(relation));
    trigger.skip()
}

/// What a statement needs to know, found once.
struct Known {
    child: Child,
    parent: Attribute,
    content: Attribute,
    author: Option<Column>,
    time: Option<Attribute>,
    id: Option<Column>,
    /// The parent that was judged last: rows of one record come together.
    judged: RefCell<Option<(String, Rc<Rights>)>>,
}

impl Known {
    fn find(row: &Row, relation: Oid) -> Known {
        let child = registered(relation);
        let attributes = row.attributes();
        let gone = |name: &str| -> ! { no_column(relation, name) };
        let attribute =
            |name: &String| attributes.iter().find(|a| a.name == *name).cloned().unwrap_or_else(|| gone(name));
        let column = |name: &String| row.column(name).unwrap_or_else(|| gone(name));
        Known {
            parent: attribute(&child.parent_column),
            content: attribute(&child.content),
            author: child.author.as_ref().map(column),
            time: child.time.as_ref().map(attribute),
            id: child.id.as_ref().map(column),
            judged: RefCell::new(None),
            child,
        }
    }

    /// 42501 unless the member has level edit on the record that a row belongs to, in the newest state. One that is
    /// not visible answers like one that is not there.
    fn demand_edit(&self, member: &Member, values: &Values, operation: Operation) {
        let Some(record) = values.text(&self.parent) else {
            refused(format!("a row of {} belongs to a record", names::shown(self.child.target)))
                .hint(format!("Give column \"{}\" the id of one.", self.parent.name))
                .raise()
        };
        let held = self.judged.borrow().as_ref().filter(|(of, _)| *of == record).map(|(_, rights)| Rc::clone(rights));
        let rights = held.unwrap_or_else(|| {
            let target = Target::find(Some(self.child.parent), Sees::Now);
            let rights = target
                .read(&record, Sees::Now)
                .filter(|found| !found.archived)
                .map_or(Rights::NONE, |found| paths::rights_of(&target, &found, Whose::Member(member.id), Sees::Now));
            let rights = Rc::new(rights);
            self.judged.replace(Some((record.clone(), Rc::clone(&rights))));
            rights
        });
        let parent = names::shown(self.child.parent);
        if rights.is_empty() {
            errors::no_such_record(&parent, &record);
        }
        if !rights.has(Rights::UPDATE) {
            refused(format!(
                "{} on {} refused for \"{}\"",
                operation.name(),
                names::shown(self.child.target),
                member.key
            ))
            .detail(format!("The level on record {record} of {parent} is {}; edit is needed.", rights.shown()))
            .hint(format!(
                "leadguard.explain_access({}, {}) tells why.",
                names::literal(&parent),
                names::literal(&record)
            ))
            .raise();
        }
    }

    /// 42501 unless the namespace of the row's tag belongs to a role of the member.
    fn demand_namespace(&self, member: &Member, values: &Values, verb: &str) {
        let tag = values.text(&self.content).unwrap_or_default();
        let space = tag.split_once(':').filter(|(space, rest)| !space.is_empty() && !rest.is_empty());
        let table = names::shown(self.child.target);
        let Some((space, _)) = space else {
            refused(format!("\"{tag}\" is no tag of {table}"))
                .hint("A tag has the form namespace:tag, in a namespace that is known for the parent table.")
                .raise()
        };
        let rules = fields::rules(self.child.parent);
        let found = rules.namespace(space);
        if found.is_some_and(|found| member.roles.contains(&found.role)) {
            return;
        }
        let refusal = refused(format!("tag \"{tag}\" of {table} may not be {verb} by \"{}\"", member.key));
        match found {
            Some(found) => refusal.hint(format!("A member with the role \"{}\" adds and removes them.", found.role)),
            None => refusal
                .detail(format!("The namespace \"{space}\" is not known."))
                .hint("A member with the capability manage_fields adds namespaces with leadguard.tag_namespace."),
        }
        .raise()
    }

    fn me<'a>(&self, member: &'a Member) -> Option<(Column, Value<'a>)> {
        self.author.map(|column| (column, member.named(column.kind)))
    }

    /// Whether the change is the one that the extension makes just now: the content of the note that is being erased
    /// becomes empty and nothing registered changes with it, or a row of the purged record goes.
    fn is_purpose(&self, trigger: &TriggerCall) -> bool {
        let Some(sanction) = purpose(self.child.target, trigger.operation()) else { return false };
        let old = trigger.old();
        let before = old.values();
        if sanction.purpose == Purpose::Purge {
            return before.text(&self.parent).is_some_and(|parent| sanction.covers(&parent));
        }
        let new = trigger.new_row();
        let after = new.values();
        sanction.covers(&self.record(&old))
            && self.id.into_iter().chain(self.author).all(|column| new.value(column) == old.value(column))
            && [Some(&self.parent), self.time.as_ref()].into_iter().flatten().all(|a| after.is_same(&before, a))
            && after.text(&self.content).is_none_or(|text| text.is_empty())
    }

    fn record(&self, row: &Row) -> String {
        self.id.map(|id| row.text(id)).unwrap_or_default()
    }
}

/// BEFORE ROW.
pub(crate) fn row(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::BeforeRow);
    let (operation, relation) = (trigger.operation(), trigger.relation());
    let row = if operation == Operation::Insert { trigger.new_row() } else { trigger.old() };
    let known = call::borrow(call.state(|| Known::find(&row, relation)));
    let _judging = audit::denied::judging(relation, operation, known.id.map(|id| (row, id)));
    if known.is_purpose(&trigger) {
        return trigger.pass();
    }
    if known.child.kind == Kind::Notes && operation != Operation::Insert {
        append_only(operation, relation);
    }
    let subject = visibility::statement();
    if is_unbound(&subject) {
        return trigger.pass();
    }
    let Some(member) = &subject.member else { errors::no_identity(operation.name(), &names::shown(relation)) };
    judge(known, member, &trigger);
    if known.child.kind == Kind::Tags {
        return trigger.pass();
    }
    // Author and time are the server's to say.
    let new = trigger.new_row();
    let signed = match known.me(member) {
        Some(author) => new.with(&[author]).unwrap_or_else(|| {
            errors::failure("22003", "the member does not fit the type of the author column").raise()
        }),
        None => new,
    };
    let dated = match &known.time {
        Some(time) => signed.with_values(&[(time, Some(Datum::from(session::statement_time())))]),
        None => signed,
    };
    dated.into_datum()
}

fn judge(known: &Known, member: &Member, trigger: &TriggerCall) {
    let operation = trigger.operation();
    let mut sides = Vec::new();
    if operation != Operation::Insert {
        sides.push((trigger.old(), "removed"));
    }
    if operation != Operation::Delete {
        sides.push((trigger.new_row(), "added"));
    }
    for (row, verb) in sides {
        let values = row.values();
        known.demand_edit(member, &values, operation);
        if known.child.kind == Kind::Tags {
            known.demand_namespace(member, &values, verb);
        }
    }
}

/// AFTER ROW.
pub(crate) fn stored(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::AfterRow);
    let (operation, relation) = (trigger.operation(), trigger.relation());
    let row = if operation == Operation::Delete { trigger.old() } else { trigger.new_row() };
    let known = call::borrow(call.state(|| Known::find(&row, relation)));
    if known.is_purpose(&trigger) {
        return trigger.pass();
    }
    if known.child.kind == Kind::Notes && operation != Operation::Insert {
        append_only(operation, relation);
    }
    let subject = visibility::statement();
    let values = row.values();
    if let Some(member) = &subject.member {
        let _judging = audit::denied::judging(relation, operation, known.id.map(|id| (row, id)));
        judge(known, member, &trigger);
        let forged = known.child.kind == Kind::Notes
            && (known.me(member).is_some_and(|(column, me)| row.value(column) != me)
                || known.time.as_ref().is_some_and(|time| {
                    values.is_null(time) || values.datum(time).value() as i64 != session::statement_time()
                }));
        if forged {
            refused(format!("author and time of a note of {} are set by the server", names::shown(relation)))
                .detail("A trigger of the table changed them.")
                .raise();
        }
    }
    let action = match (known.child.kind, operation) {
        (Kind::Notes, _) => "note",
        (Kind::Tags, Operation::Delete) => "untag",
        (Kind::Tags, _) => "tag",
    };
    let record = known.record(&row);
    let detail =
        values.text(&known.parent).map(|parent| format!("record {parent} of {}", names::shown(known.child.parent)));
    let event = Event { target: Some(relation), record: Some(&record), action, reason: None, approval: None, detail };
    audit::event_of(&event, organization(&subject, &known.child));
    trigger.pass()
}
