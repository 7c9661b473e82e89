//! Which columns a member may write, and with which values.
//!
//! A column counts as written when old and new row differ, however the difference came about: the guards compare
//! before the row is stored and again when all other triggers have run. A column that the member cannot read counts as
//! written as soon as the statement names it; else a refusal would tell whether a guess was right.

use super::defaults::{self, Defaults};
use super::judged::Judged;
use super::tags;
use super::write::Write;
use crate::ffi::row::{Attribute, Kept, Values};
use crate::ffi::snapshot::{self, Fingerprint};
use crate::ffi::trigger::Row;
use crate::fields::{self, Rules};
use crate::visibility;
use crate::visibility::Member;
use crate::visibility::{Subject, Table};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::rc::Rc;

/// How the rows come to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The old row holds the defaults.
    Insert,
    Update,
    /// Updated and moved to another partition.
    Moved,
}

/// The rules put to the roles of one member: the columns that need a look.
pub(super) struct Resolved {
    pub(super) rules: Rc<Rules>,
    pub(super) member: Rc<Member>,
    columns: Vec<Judged>,
}

impl Resolved {
    fn of(rules: Rc<Rules>, member: Rc<Member>, target: Oid, concealed: bool, attributes: &[Attribute]) -> Resolved {
        let columns = attributes.iter().filter_map(|a| Judged::of(&rules, &member, target, concealed, a)).collect();
        Resolved { rules, member, columns }
    }
}

/// The newest state that was looked at, and its rules where they are others.
type Newest = Option<(Fingerprint, Option<Rc<Resolved>>)>;

/// The rules about fields of one table for one member, resolved once for each statement.
pub(crate) struct Fields {
    guarded: Vec<Attribute>,
    attributes: Vec<Attribute>,
    target: Oid,
    concealed: bool,
    resolved: Rc<Resolved>,
    newest: RefCell<Newest>,
    defaults: RefCell<Vec<(i16, Rc<Defaults>)>>,
}

impl Fields {
    pub(super) fn of(subject: &Subject, table: &Table, row: &Row) -> Option<Fields> {
        let member = Rc::clone(subject.member.as_ref()?);
        let attributes = row.attributes();
        let rules = fields::rules(table.target);
        let guarded = attributes.iter().filter(|a| rules.names(&a.name)).cloned().collect();
        let resolved = Rc::new(Resolved::of(rules, member, table.target, table.concealed_by.is_some(), &attributes));
        Some(Fields {
            guarded,
            attributes,
            target: table.target,
            concealed: table.concealed_by.is_some(),
            resolved,
            newest: RefCell::default(),
            defaults: RefCell::default(),
        })
    }

    /// Columns that some rule names: their changes are written down.
    pub(crate) fn guarded(&self) -> &[Attribute] {
        &self.guarded
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// Judges a new row; answers the row with defaults in place of what came, where that was necessary. Clients that
    /// name every column send NULL for those that they leave empty: it is no claim, and the column gets its default,
    /// as it does through the view of a concealed table.
    pub(super) fn insert(&self, write: &Write, new: &Row) -> Option<Row> {
        let newest = self.newest(write);
        let mut changes: Vec<(&Attribute, Kept)> = Vec::new();
        for resolved in [Some(&self.resolved), newest.as_ref()].into_iter().flatten() {
            let values = new.values();
            let mut old = Values::nulls_of(new);
            for column in &resolved.columns {
                let attribute = &column.attribute;
                let is_empty = values.is_null(attribute);
                if (is_empty && column.is_writable())
                    || changes.iter().any(|(changed, _)| changed.number == attribute.number)
                {
                    continue;
                }
                let defaults = self.defaults(write, column);
                let same = defaults.stable.iter().find(|kept| **kept == values.keep(attribute));
                if let Some(kept) = same.or(defaults.fixed()) {
                    old.put(attribute, kept);
                }
                let mut denied = column.denied(resolved, write, new, &old, &values, How::Insert);
                if is_empty && !column.access.writes() && defaults.stable.is_empty() {
                    denied = vec![String::new()];
                }
                if !denied.is_empty() {
                    if write.before
                        && let Some(value) = defaults.compute(attribute)
                    {
                        defaults::issue(self.target, &attribute.name, value.clone());
                        changes.push((attribute, value));
                        continue;
                    }
                    if !write.before && defaults::was_issued(self.target, &attribute.name, values.keep(attribute)) {
                        changes.push((attribute, Kept::Null));
                        continue;
                    }
                    if is_empty
                        && write.before
                        && let Some(value) = defaults.fixed()
                    {
                        changes.push((attribute, value.clone()));
                        continue;
                    }
                    column.refuse(resolved, write, new, How::Insert, &denied);
                }
                if !is_empty {
                    column.check(resolved, write, new, (&old, &values), How::Insert);
                }
            }
        }
        if changes.is_empty() || !write.before {
            return None;
        }
        let changes: Vec<_> = changes.iter().map(|(attribute, kept)| (*attribute, kept.value())).collect();
        Some(new.with_values(&changes))
    }

    /// Judges a changed row; answers the row with what the member cannot read put back, where the statement left it
    /// out.
    pub(super) fn update(&self, write: &Write, old: &Row, new: &Row) -> Option<Row> {
        let newest = self.newest(write);
        if self.resolved.columns.is_empty() && newest.is_none() {
            return None;
        }
        let old_values = old.values();
        let given = new.values();
        let (mut row, mut changed_values) = (None, None);
        for resolved in [Some(&self.resolved), newest.as_ref()].into_iter().flatten() {
            for column in resolved.columns.iter().filter(|column| !column.is_open()) {
                let guessed = column.guessed(resolved, write, old, &given);
                if !guessed.is_empty() {
                    column.refuse(resolved, write, old, How::Update, &guessed);
                }
            }
            let restored = |column: &'_ Judged| column.restored(resolved, write, &old_values, &given);
            let hiding = resolved.columns.iter().filter(|column| !column.is_open());
            let changes: Vec<_> = hiding.filter_map(|column| Some((&column.attribute, restored(column)?))).collect();
            if !changes.is_empty() {
                let changed: Row = row.as_ref().unwrap_or(new).with_values(&changes);
                changed_values = Some(changed.values());
                row = Some(changed);
            }
            judge(resolved, write, old, &old_values, changed_values.as_ref().unwrap_or(&given), How::Update);
        }
        row
    }

    /// What must be known of a row when it arrives in another partition.
    pub(super) fn keep(&self, write: &Write, old: &Row) -> Vec<(String, Kept)> {
        let newest = self.newest(write);
        if self.resolved.columns.is_empty() && newest.is_none() {
            return Vec::new();
        }
        let values = old.values();
        self.attributes.iter().map(|a| (a.name.clone(), values.keep(a))).collect()
    }

    /// A row that arrived from another partition, with what it held there.
    pub(super) fn arrived(&self, write: &Write, held: &[(String, Kept)], new: &Row) {
        let newest = self.newest(write);
        let new_values = new.values();
        let mut old_values = Values::nulls_of(new);
        for attribute in &self.attributes {
            if let Some((_, kept)) = held.iter().find(|(name, _)| *name == attribute.name) {
                old_values.put(attribute, kept);
            }
        }
        for resolved in [Some(&self.resolved), newest.as_ref()].into_iter().flatten() {
            judge(resolved, write, new, &old_values, &new_values, How::Moved);
        }
    }

    /// The rules of the newest state, where they are not those of the statement: one that waited, or an old
    /// transaction, must not write with roles that are gone.
    fn newest(&self, write: &Write) -> Option<Rc<Resolved>> {
        let latest = write.newer()?;
        let held = self.newest.borrow().as_ref().filter(|(state, _)| *state == latest).map(|(_, r)| r.clone());
        if let Some(resolved) = held {
            return resolved;
        }
        let resolved = visibility::now().member.clone().and_then(|member| {
            let rules = snapshot::with_latest(|| fields::rules(self.target));
            let same = Rc::ptr_eq(&rules, &self.resolved.rules) && Rc::ptr_eq(&member, &self.resolved.member);
            (!same).then(|| Rc::new(Resolved::of(rules, member, self.target, self.concealed, &self.attributes)))
        });
        self.newest.replace(Some((latest, resolved.clone())));
        resolved
    }

    fn defaults(&self, write: &Write, column: &Judged) -> Rc<Defaults> {
        let number = column.attribute.number;
        let held = self.defaults.borrow().iter().find(|(n, _)| *n == number).map(|(_, d)| Rc::clone(d));
        held.unwrap_or_else(|| {
            let relation = write.trigger.relation();
            let mut places = vec![(relation, number)];
            if relation != self.target {
                places.push((self.target, column.number));
            }
            let defaults = Rc::new(Defaults::of(&column.attribute, &places));
            self.defaults.borrow_mut().push((number, Rc::clone(&defaults)));
            defaults
        })
    }
}

fn judge(resolved: &Resolved, write: &Write, row: &Row, old: &Values, new: &Values, how: How) {
    for column in &resolved.columns {
        let is_same = old.is_same(new, &column.attribute);
        if is_same && column.is_open() {
            continue;
        }
        let denied = column.denied(resolved, write, row, old, new, how);
        if !denied.is_empty() {
            column.refuse(resolved, write, row, how, &denied);
        }
        tags::require_sight(column, resolved, write, row);
        if !is_same {
            column.check(resolved, write, row, (old, new), how);
        }
    }
}
