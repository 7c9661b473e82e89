//! Writes of sessions that no rule binds: superusers, BYPASSRLS roles and owners of tables without force, without a
//! member. They may do everything but lose something: DELETE archives all the same, and each change is written down.

use super::sanction::{self, Sanction};
use super::{archive, moving};
use crate::audit::{self, Watched};
use crate::batches;
use crate::ffi::call::{self, Call};
use crate::ffi::trigger::{Operation, Row, TriggerCall};
use crate::model::batch::Operation as Batch;
use crate::visibility::{self, Mapped, Part, Table};
use pgrx::pg_sys::Datum;

pub(super) fn write(call: &Call, trigger: &TriggerCall, table: Option<&Table>, before: bool) -> Datum {
    let Some(table) = table else { return trigger.pass() };
    if before {
        if !follow(trigger, table) && trigger.operation() == Operation::Delete {
            return archive::delete_unbound(trigger, table, &trigger.old());
        }
    } else {
        note(call, trigger, table);
    }
    trigger.pass()
}

/// Before the change: a row that moves between partitions is told from one that is deleted. Whether it is.
fn follow(trigger: &TriggerCall, table: &Table) -> bool {
    let relation = trigger.relation();
    if relation == table.target {
        note_deletion(trigger, table);
        return false;
    }
    match trigger.operation() {
        Operation::Insert => moving::arrives(table.target, &signature(table, &trigger.new_row()), true).is_some(),
        Operation::Update => {
            let signature = signature(table, &trigger.new_row());
            moving::may_follow(table.target, moving::origin(trigger, &trigger.old()), signature, Vec::new());
            false
        }
        Operation::Delete | Operation::Truncate => {
            let old = trigger.old();
            let leaves = moving::leaves(moving::origin(trigger, &old), table.has_old_shape());
            if leaves && table.has_old_shape() {
                audit::departed(table, &old, &Watched::all(table, &old));
            } else if !leaves {
                note_deletion(trigger, table);
            }
            leaves
        }
    }
}

/// Tables of 0.2.0 have no trigger that runs after a DELETE.
fn note_deletion(trigger: &TriggerCall, table: &Table) {
    if table.has_old_shape() && trigger.operation() == Operation::Delete {
        let old = trigger.old();
        let watched = Watched::all(table, &old);
        let sanction = sanction_of(table, &watched, &old);
        audit::deleted(table, None, &old, &watched, sanction.as_ref());
        count(table, Batch::Delete);
    }
}

fn count(table: &Table, operation: Batch) {
    batches::count(&visibility::statement(), table, None, operation, String::new);
}

/// After the change.
fn note(call: &Call, trigger: &TriggerCall, table: &Table) {
    let operation = trigger.operation();
    let row = if operation == Operation::Insert { trigger.new_row() } else { trigger.old() };
    let watched = call::borrow(call.state(|| Watched::all(table, &row)));
    let is_partition = trigger.relation() != table.target;
    let sanction = sanction_of(table, watched, &row);
    let purpose = sanction.as_ref().map(|s| s.purpose);
    match operation {
        Operation::Insert
            if is_partition && moving::arrives(table.target, &signature(table, &row), false).is_some() =>
        {
            delegations_follow(table, None, &row, false);
            audit::arrived(table, None, &row, watched);
            count(table, sanction::batch(purpose));
        }
        Operation::Insert => {
            delegations_follow(table, None, &row, true);
            audit::inserted(table, None, &row, watched);
            count(table, Batch::Insert);
        }
        Operation::Update => {
            delegations_follow(table, Some(&row), &trigger.new_row(), false);
            audit::updated(table, None, &row, &trigger.new_row(), watched, sanction.as_ref());
            count(table, sanction::batch(purpose));
        }
        Operation::Delete | Operation::Truncate => {
            if is_partition && moving::left(trigger.relation(), row.place()) {
                audit::departed(table, &row, watched);
            } else {
                audit::deleted(table, None, &row, watched, sanction.as_ref());
                count(table, Batch::Delete);
            }
        }
    }
}

/// Delegations belong to the owner, whoever made him one. A row from another partition may have got another owner.
fn delegations_follow(table: &Table, old: Option<&Row>, new: &Row, is_new: bool) {
    let column = |part: Part| table.column(part).and_then(|name| new.column(name));
    let Some(owner) = column(Part::Owner) else { return };
    if old.is_some_and(|old| old.value(owner) == new.value(owner)) {
        return;
    }
    let mut mapped = Mapped::new();
    for (part, column) in
        [Part::Id, Part::Owner, Part::Status, Part::Organization].into_iter().filter_map(|p| Some((p, column(p)?)))
    {
        mapped.put(part, new.value(column), Some(column.kind));
    }
    crate::people::owned_anew(table, &mapped, is_new);
}

/// Most writes have none, and their records need not be named.
fn sanction_of(table: &Table, watched: &Watched, row: &Row) -> Option<Sanction> {
    sanction::sanctioned(table.target).and_then(|_| sanction::carried_out_on(table.target, &watched.record(row)))
}

/// The mapped values of a row, to tell it from others of the same id.
fn signature(table: &Table, row: &Row) -> Vec<String> {
    let names = [
        Some(&table.id_column),
        table.owner_column.as_ref(),
        table.territory_column.as_ref(),
        table.organization_column.as_ref(),
    ];
    names.into_iter().flatten().filter_map(|name| row.column(name)).map(|column| row.text(column)).collect()
}
