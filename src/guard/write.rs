//! One row being written by a member.

use super::moving::{self, origin};
use super::rules::{self, Changed};
use super::sanction::Purpose;
use super::{Columns, archive, sanction};
use crate::assignment::{self, Answer, Inserts};
use crate::audit;
use crate::batches;
use crate::directory;
use crate::errors::{self, refused};
use crate::ffi::session;
use crate::ffi::snapshot::{self, Fingerprint};
use crate::ffi::trigger::{Column, Row, TriggerCall};
use crate::grants::lasting;
use crate::model::batch::Operation;
use crate::model::rights::Rights;
use crate::model::value::{Kind, Value};
use crate::names;
use crate::visibility;
use crate::visibility::member::named;
use crate::visibility::{Mapped, Member, Part, Subject, Table};
use pgrx::pg_sys::Datum;
use std::cell::OnceCell;

/// A record never ends without an owner, where owners stay.
fn refuse_without_owner(table: &Table, record: &str) {
    if session::is_governed() && directory::owners_stay(table.target) {
        refused(format!("record {record} of {} would be without an owner", table.shown()))
            .hint("leadguard.reassign names another one; the switch owners_stay lets records be without.")
            .raise();
    }
}

pub(super) struct Write<'a> {
    pub(super) trigger: &'a TriggerCall,
    pub(super) subject: &'a Subject,
    pub(super) table: &'a Table,
    pub(super) member: &'a Member,
    pub(super) columns: &'a Columns,
    pub(super) before: bool,
    /// The newest state, once something asked for it.
    pub(super) latest: OnceCell<Option<Fingerprint>>,
}

impl Write<'_> {
    pub(super) fn insert(&self) -> Datum {
        let new = self.trigger.new_row();
        if self.is_partition()
            && let Some(held) = moving::arrives(self.table.target, &self.signature(&new), self.before)
        {
            archive::check_insert(self, &new);
            if !self.before {
                if let Some(fields) = &self.columns.fields {
                    fields.arrived(self, &held, &new);
                }
                crate::people::owned_anew(self.table, &self.columns.map(&new), false);
                audit::arrived(self.table, Some(self.member), &new, self.columns.watched(self.table, &new));
                let purpose = sanction::carried_out(self.table.target, &new.value(self.columns.id)).map(|s| s.purpose);
                self.count(sanction::batch(purpose), &new);
            }
            return self.trigger.pass();
        }
        let mut filled = if self.before { self.with_defaults(&new) } else { None };
        if let Some(fields) = &self.columns.fields {
            filled = fields.insert(self, filled.as_ref().unwrap_or(&new)).or(filled);
        }
        let row = filled.as_ref().unwrap_or(&new);
        if let Some(creator) = self.columns.creator
            && row.value(creator) != Value::Null
            && !self.is_self(&row.value(creator), creator.kind)
            && !self.subject.has_capability("assign")
        {
            refused(format!("the creator of a row of {} is the inserting member", self.table.shown()))
                .hint("Leave the creator empty; it is filled in.")
                .raise();
        }
        archive::check_insert(self, row);
        if let Err(failure) = rules::insert(self.subject, self.table, &self.columns.map(row)) {
            failure.raise();
        }
        if !self.before {
            crate::people::owned_anew(self.table, &self.columns.map(&new), true);
            audit::inserted(self.table, Some(self.member), &new, self.columns.watched(self.table, &new));
            self.count(Operation::Insert, &new);
            assignment::stored(self.table, self.member, &self.columns.map(&new));
        }
        filled.map_or_else(|| self.trigger.pass(), Row::into_datum)
    }

    /// Owner, creator and organization default to the inserting member's, the owner to whom a rule chooses.
    fn with_defaults(&self, new: &Row) -> Option<Row> {
        let mut changes = Vec::new();
        let routed = self.routed(new);
        let routed = routed.as_ref();
        if let Some(column) = self.columns.owner
            && new.value(column) == Value::Null
        {
            let owner = routed.and_then(|answer| answer.owner(column.kind));
            changes.push((column, owner.unwrap_or_else(|| self.member.named(column.kind))));
        }
        if let Some(column) = self.columns.territory
            && new.value(column) == Value::Null
            && let Some(territory) = routed.and_then(|answer| answer.territory(column.kind))
        {
            changes.push((column, territory));
        }
        if let Some(column) = self.columns.creator
            && new.value(column) == Value::Null
        {
            changes.push((column, self.member.named(column.kind)));
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
        if let (Some(row), Some(answer)) = (&filled, routed) {
            let text = |column: Option<Column>| column.and_then(|column| row.value(column).to_text());
            let (owner, territory) = (text(self.columns.owner), text(self.columns.territory));
            answer.expected(self.table.target, row.text(self.columns.id), owner, territory);
        }
        if filled.is_none() {
            errors::failure("22003", "the inserting member does not fit the type of the owner column")
                .hint("Map a wider column, or one of the type of the member keys.")
                .raise();
        }
        filled
    }

    /// To whom a rule gives a new row without owner. One that has no id yet would not be known again.
    fn routed(&self, new: &Row) -> Option<Answer> {
        if new.value(self.columns.owner?) != Value::Null || new.value(self.columns.id) == Value::Null {
            return None;
        }
        let find = || Inserts::of(self.table, self.member, &new.attributes());
        let inserts = self.columns.inserts.get_or_init(find).as_ref()?;
        // What is there already will not be inserted, and nobody's turn.
        if directory::is_there(self.table, &new.value(self.columns.id)) {
            return None;
        }
        inserts.route(new)
    }

    fn is_self(&self, value: &Value, kind: Kind) -> bool {
        *value == self.member.named(kind)
    }

    pub(super) fn update(&self) -> Datum {
        let (old, new) = (self.trigger.old(), self.trigger.new_row());
        let rights = self.rights(&old);
        let differs = |column: Option<Column>| column.is_some_and(|c| old.value(c) != new.value(c));
        let changed = Changed {
            fixed: differs(Some(self.columns.id))
                || differs(self.columns.creator)
                || differs(self.columns.organization),
            owner: differs(self.columns.owner),
            territory: differs(self.columns.territory),
            team: differs(self.columns.other(Part::Team)),
            parent: differs(self.columns.other(Part::Parent)),
            segment: differs(self.columns.other(Part::Segment)),
        };
        let id = old.value(self.columns.id);
        let sanction = sanction::carried_out(self.table.target, &id).filter(|_| !changed.fixed);
        archive::check_update(self, &old, &new, sanction.as_ref());
        let purpose = sanction.as_ref().map(|s| s.purpose);
        let needed = if purpose == Some(Purpose::Restore) { Rights::ARCHIVE } else { Rights::UPDATE };
        if matches!(purpose, None | Some(Purpose::Restore | Purpose::Mark)) && !rights.has(needed) {
            return self.denied(&old, rights, needed);
        }
        let may_hide = purpose == Some(Purpose::Mark);
        if purpose != Some(Purpose::Reassign)
            && let Err(failure) =
                rules::update(self.subject, self.table, rights, changed, &self.columns.map(&new), may_hide)
        {
            failure.raise();
        }
        if self.before && purpose.is_none() && changed.moves(self.table) {
            let record = old.text(self.columns.id);
            if changed.owner && self.columns.owner.is_some_and(|column| new.value(column) == Value::Null) {
                refuse_without_owner(self.table, &record);
            }
            lasting::demand_move(self.table.target, &record);
        }
        // Handing a record over or archiving it is no way around the rules about its fields, for other triggers.
        let fields = self.columns.fields.as_ref();
        let filled = fields.and_then(|fields| fields.update(self, &old, &new));
        if !self.before {
            if changed.owner {
                crate::people::owned_anew(self.table, &self.columns.map(&new), false);
            }
            audit::updated(
                self.table,
                Some(self.member),
                &old,
                &new,
                self.columns.watched(self.table, &new),
                sanction.as_ref(),
            );
            let is_handed_over = purpose.is_none() && changed.owner;
            self.count(if is_handed_over { Operation::Reassign } else { sanction::batch(purpose) }, &new);
        }
        if self.before && self.is_partition() {
            let held = self.columns.fields.as_ref().map_or_else(Vec::new, |fields| fields.keep(self, &old));
            moving::may_follow(self.table.target, origin(self.trigger, &old), self.signature(&new), held);
        }
        filled.map_or_else(|| self.trigger.pass(), Row::into_datum)
    }

    pub(super) fn delete(&self) -> Datum {
        let old = self.trigger.old();
        if self.is_partition() && moving::leaves(origin(self.trigger, &old), self.table.has_old_shape()) {
            if self.table.has_old_shape() {
                audit::departed(self.table, &old, self.columns.watched(self.table, &old));
            }
            return self.trigger.pass();
        }
        let rights = self.rights(&old);
        if !rights.has(Rights::ARCHIVE) {
            return self.denied(&old, rights, Rights::ARCHIVE);
        }
        let answer = archive::delete(self, &old);
        if self.table.has_old_shape() && answer.value() != 0 {
            self.note_deleted(&old);
        }
        answer
    }

    /// AFTER DELETE: the row is gone.
    pub(super) fn deleted(&self) -> Datum {
        let old = self.trigger.old();
        let watched = self.columns.watched(self.table, &old);
        if self.is_partition() && moving::left(self.trigger.relation(), old.place()) {
            audit::departed(self.table, &old, watched);
        } else {
            self.note_deleted(&old);
        }
        self.trigger.pass()
    }

    fn note_deleted(&self, old: &Row) {
        let watched = self.columns.watched(self.table, old);
        let sanction = sanction::carried_out(self.table.target, &old.value(self.columns.id));
        audit::deleted(self.table, Some(self.member), old, watched, sanction.as_ref());
        self.count(Operation::Delete, old);
    }

    /// The row is stored, or gone.
    fn count(&self, operation: Operation, row: &Row) {
        batches::count(self.subject, self.table, Some(self.member), operation, || row.text(self.columns.id));
    }

    /// A row the member can see but not write; one he cannot see (a cascade) is as good as absent.
    pub(super) fn denied(&self, row: &Row, rights: Rights, needed: Rights) -> Datum {
        // A foreign key takes for granted that what it asks for is done.
        if self.table.skip_denied && self.before && !session::is_following_a_foreign_key() {
            return self.trigger.skip();
        }
        let table = self.table.shown();
        if rights.is_empty() {
            refused(format!("{} on {table} meets a row that is not visible", self.trigger.operation().name())).raise();
        }
        let record = row.text(self.columns.id);
        refused(format!(
            "{} of record {record} of {table} refused for \"{}\"",
            self.trigger.operation().name(),
            self.member.key
        ))
        .detail(rights.lacks(needed))
        .hint(format!(
            "leadguard.explain_access({}, {}) tells why; {}",
            names::literal(&table),
            names::literal(&record),
            errors::asks_for_access(&table, &record, needed.level_that_has())
        ))
        .raise()
    }

    /// The rights in the state that the statement sees, as far as they hold in the newest one: a statement that
    /// waited, or an old transaction, must not write with rights that are gone.
    pub(super) fn rights(&self, row: &Row) -> Rights {
        let mapped = self.columns.map(row);
        let rights = self.subject.rights(self.table, &mapped);
        if rights.is_empty() || self.newer().is_none() {
            return rights;
        }
        rights & self.newest_rights(&mapped)
    }

    /// By the rules of now, too.
    fn newest_rights(&self, row: &Mapped) -> Rights {
        let now = visibility::now();
        match now.table(self.table.target).as_ref() {
            Some(table) => now.rights(table, row),
            None => Rights::NONE,
        }
    }

    /// The newest state, where it is another than the statement's.
    pub(super) fn newer(&self) -> Option<Fingerprint> {
        *self.latest.get_or_init(|| snapshot::latest().filter(|latest| Some(*latest) != snapshot::active()))
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
