//! DELETE sets a date instead: which rows, and who may.
//!
//! The row is judged here and archived at the end of its statement, with the others (crate::archive): a DELETE that
//! meets a row twice through a join must find it unchanged.

use super::sanction::{self, Purpose, Sanction};
use super::write::Write;
use crate::approvals;
use crate::archive::{self, Row as Archiving};
use crate::errors::{NEEDS_APPROVAL, failure, refused};
use crate::ffi::delete;
use crate::ffi::row::Attribute;
use crate::ffi::session;
use crate::ffi::trigger::{Row, TriggerCall};
use crate::names;
use crate::visibility::Table;
use crate::visibility::Member;
use pgrx::pg_sys::Datum;

/// The columns that say that a row is archived, in the relation whose trigger runs.
pub(super) struct Archived {
    at: Attribute,
    by: Option<Attribute>,
}

impl Archived {
    /// None for a table that archives nothing. A column that is gone or bears another name fails closed.
    pub(super) fn find(row: &Row, table: &Table) -> Option<Archived> {
        let attributes = row.attributes();
        let find = |name: &String| {
            attributes.iter().find(|a| a.name == *name).cloned().unwrap_or_else(|| {
                refused(format!("{} has no column \"{name}\" any more, on which its archive relies", table.shown()))
                    .hint("Run leadguard.set_archive with the new column names.")
                    .raise()
            })
        };
        let at = table.archived_at_column.as_ref().map(find)?;
        Some(Archived { at, by: table.archived_by_column.as_ref().map(find) })
    }

    fn holds(&self, row: &Row) -> bool {
        row.has(self.at.number)
    }

    fn differs(&self, old: &Row, new: &Row) -> bool {
        let (old, new) = (old.values(), new.values());
        [Some(&self.at), self.by.as_ref()].into_iter().flatten().any(|a| !old.is_same(&new, a))
    }
}

/// A DELETE by a member with level full.
pub(super) fn delete(write: &Write, old: &Row) -> Datum {
    let record = old.text(write.columns.id);
    if is_purged(write.table, &record) {
        return write.trigger.pass();
    }
    refuse_cascade(write.table, &record);
    let Some(archived) = &write.columns.archived else {
        if write.table.is_of_old_database() || write.subject.hard_deletes(write.table) {
            demand_approval(write.member, write.table, "delete", &record);
            return write.trigger.pass();
        }
        refused(format!(
            "DELETE of record {record} of {} refused for \"{}\"",
            write.table.shown(),
            write.member.key
        ))
        .detail("The table has no archive, so the row would be gone.")
        .hint("The table's owner gives it one with leadguard.set_archive; members with the capability hard_delete delete for good.")
        .raise()
    };
    if archived.holds(old) {
        return write.trigger.skip();
    }
    let approval = demand_approval(write.member, write.table, "delete", &record);
    archive_row(write.trigger, write.table, Some(write.member), record, approval, old)
}

/// The same by a session that no rule binds.
pub(super) fn delete_unbound(trigger: &TriggerCall, table: &Table, old: &Row) -> Datum {
    let Some(id) = old.column(&table.id_column) else { return trigger.pass() };
    let record = old.text(id);
    if table.archived_at_column.is_none() || is_purged(table, &record) {
        return trigger.pass();
    }
    refuse_cascade(table, &record);
    match Archived::find(old, table) {
        Some(archived) if archived.holds(old) => trigger.skip(),
        _ => archive_row(trigger, table, None, record, None, old),
    }
}

/// The foreign key expects the row to be gone, and it would stay.
fn refuse_cascade(table: &Table, record: &str) {
    if session::is_following_a_foreign_key() && !table.is_of_old_database() {
        refused(format!("a foreign key would delete record {record} of {}", table.shown()))
            .detail("Rows of a protected table do not go with what they refer to.")
            .hint("Purge the record first, or have it refer to something else.")
            .raise();
    }
}

fn is_purged(table: &Table, record: &str) -> bool {
    sanction::carried_out_on(table.target, record).is_some_and(|s| s.purpose == Purpose::Purge)
}

/// Nobody in person stands behind a system or a shared login: somebody must have agreed (K58).
pub(crate) fn demand_approval(member: &Member, table: &Table, kind: &'static str, record: &str) -> Option<i64> {
    if !member.system {
        return None;
    }
    let approval = approvals::take(member, kind, table, record, None);
    if approval.is_none() {
        let table = names::shown(table.target);
        failure(NEEDS_APPROVAL, format!("{kind} of record {record} of {table} by a system needs an approval"))
            .detail(format!("\"{}\" is a member of kind system; a person must answer for what is removed.", member.key))
            .hint(format!(
                "leadguard.request_approval({}, {}, {}, ...), then somebody with the capability approve decides.",
                names::literal(kind),
                names::literal(&table),
                names::literal(record)
            ))
            .raise();
    }
    approval
}

fn archive_row(
    trigger: &TriggerCall,
    table: &Table,
    member: Option<&Member>,
    record: String,
    approval: Option<i64>,
    old: &Row,
) -> Datum {
    let row = Archiving::new(table, trigger.relation(), old.place(), record, member, approval);
    if let Some(part) = delete::taken_over(trigger.part()) {
        archive::propose(part, row);
        return trigger.pass();
    }
    if archive::accept(row) {
        delete::uncounted(trigger.part());
    }
    trigger.skip()
}

/// The columns that say that a row is archived are written by the extension only, and an archived row by nobody else.
pub(super) fn check_update(write: &Write, old: &Row, new: &Row, sanction: Option<&Sanction>) {
    let Some(archived) = &write.columns.archived else { return };
    let intended = match sanction.map(|s| s.purpose) {
        Some(Purpose::Archive) => Some(true),
        Some(Purpose::Restore) => Some(false),
        _ => None,
    };
    if let Some(intended) = intended {
        if archived.holds(new) != intended {
            refused(format!("a trigger of {} keeps a record from being archived or restored", write.table.shown()))
                .hint(format!("It must leave column \"{}\" as it is.", archived.at.name))
                .raise();
        }
        return;
    }
    if archived.holds(old) {
        let (table, record) = (write.table.shown(), old.text(write.columns.id));
        refused(format!("record {record} of {table} is archived"))
            .hint(format!("leadguard.restore({}, {}) takes it back.", names::literal(&table), names::literal(&record)))
            .raise();
    }
    if archived.differs(old, new) {
        refused(format!("column \"{}\" of {} is written by leadguard only", archived.at.name, write.table.shown()))
            .hint("DELETE archives a record, leadguard.restore takes it back.")
            .raise();
    }
}

pub(super) fn check_insert(write: &Write, new: &Row) {
    let Some(archived) = &write.columns.archived else { return };
    if archived.holds(new) || archived.by.as_ref().is_some_and(|by| new.has(by.number)) {
        refused(format!("a new row of {} cannot be archived already", write.table.shown()))
            .hint(format!("Leave \"{}\" empty.", archived.at.name))
            .raise();
    }
}
