//! One column under the rules: what of it is written, whether the member may, and who could.

use super::fields::{How, Resolved};
use super::write::Write;
use super::{tags, transitions, values};
use crate::approvals;
use crate::errors::refused;
use crate::ffi::row::{self, Attribute, Values};
use crate::ffi::trigger::Row;
use crate::fields::{Access, Rules};
use crate::masks::shown::{Paths, Shown};
use crate::model::keys::{self, Change};
use crate::names;
use crate::visibility::{Member, Part};
use pgrx::pg_sys::{Datum, Oid};
use std::cell::OnceCell;

/// A column that a rule concerns: not every value, or not by this member.
pub(super) struct Judged {
    pub(super) attribute: Attribute,
    /// The column's number in the protected table, whose partition may number it otherwise.
    pub(super) number: i16,
    /// Of the column as a whole.
    pub(super) access: Access,
    /// A rule was made for another column, or for another type.
    broken: bool,
    /// Of a jsonb column: those that rules name.
    pub(super) keys: Vec<String>,
    /// Of these: those that the member cannot read.
    hidden: Vec<String>,
    /// What decides on which rows the column is masked for the member; of concealed tables.
    mask: Option<OnceCell<Paths>>,
}

impl Judged {
    /// None where the member may write the column as he likes.
    pub(super) fn of(
        rules: &Rules,
        member: &Member,
        target: Oid,
        concealed: bool,
        attribute: &Attribute,
    ) -> Option<Judged> {
        let name = attribute.name.as_str();
        // Postgres computes the one; the protection's own guards watch over the others.
        if attribute.generated || (rules.is_mapped(name) && !rules.names(name)) {
            return None;
        }
        let number = attribute.number_in(target).unwrap_or_default();
        let broken = !rules.is_mapped(name) && (rules.is_broken_by(number, name) || rules.is_retyped(attribute));
        let access = if broken { Access::NoAccess } else { rules.access(number, name, "", &member.roles) };
        let keys = if attribute.is_jsonb() { rules.keys(name) } else { Vec::new() };
        let is_hidden = |key: &&String| !rules.access(number, name, key, &member.roles).reads();
        let hidden = keys.iter().filter(is_hidden).cloned().collect();
        let mask = concealed.then(OnceCell::new);
        let judged = Judged { attribute: attribute.clone(), number, access, broken, keys, hidden, mask };
        (!access.writes() || judged.limits_values(rules)).then_some(judged)
    }

    fn limits_values(&self, rules: &Rules) -> bool {
        let name = self.attribute.name.as_str();
        !self.keys.is_empty()
            || rules.valid(name, "").is_some()
            || rules.has_tags(name)
            || rules.transitions.iter().any(|transition| transition.column.name == name)
    }

    /// The fields, of those that are written, that the member may not write; the empty key means the column.
    pub(super) fn denied(
        &self,
        resolved: &Resolved,
        write: &Write,
        row: &Row,
        old: &Values,
        new: &Values,
        how: How,
    ) -> Vec<String> {
        let is_same = old.is_same(new, &self.attribute);
        if self.keys.is_empty() || self.broken {
            if self.access.writes() {
                return Vec::new();
            }
            let written = !is_same || (how == How::Update && self.is_named(write) && self.is_unreadable(write, row));
            return if written { vec![String::new()] } else { Vec::new() };
        }
        if is_same {
            return Vec::new();
        }
        let (before, after) = (old.text(&self.attribute), new.text(&self.attribute));
        let mut written = self.written(before.as_deref(), after.as_deref());
        written.retain(|key| !self.access_to(resolved, key).writes());
        written
    }

    /// Whether the member cannot read the column in clear in this row.
    pub(super) fn is_unreadable(&self, write: &Write, row: &Row) -> bool {
        !self.access.reads() || self.is_masked(write, row)
    }

    fn is_masked(&self, write: &Write, row: &Row) -> bool {
        self.mask.as_ref().is_some_and(|paths| is_masked(write, row, &self.attribute.name, paths))
    }

    pub(super) fn is_named(&self, write: &Write) -> bool {
        write.before && write.trigger.names_column(self.attribute.number)
    }

    /// Keys that the member cannot read and that the statement gives all the same: guesses, right or wrong.
    pub(super) fn guessed(&self, resolved: &Resolved, write: &Write, old: &Row, given: &Values) -> Vec<String> {
        if self.keys.is_empty() || self.broken || self.is_open() || !self.is_named(write) {
            return Vec::new();
        }
        let mut given = keys::names(given.text(&self.attribute).as_deref());
        let masked = self.is_masked(write, old);
        given.retain(|key| {
            let access = self.access_to(resolved, key);
            !access.reads() || (masked && !access.writes())
        });
        given
    }

    /// Keys that the member cannot read are not his to leave out: the value that the statement gives, with those that
    /// the row has. So neither what they hold nor that they are there makes a difference. None where the given value
    /// is stored as it is; Some(None) for NULL.
    pub(super) fn restored(
        &self,
        resolved: &Resolved,
        write: &Write,
        old: &Values,
        new: &Values,
    ) -> Option<Option<Datum>> {
        let sees_all = self.access.reads() && self.hidden.is_empty();
        if self.keys.is_empty() || self.broken || sees_all || !self.is_named(write) {
            return None;
        }
        let (before, after) = (old.text(&self.attribute), new.text(&self.attribute));
        let is_hidden = |key: &str| !self.access_to(resolved, key).reads();
        let text = keys::restored(before.as_deref(), after.as_deref(), is_hidden)?;
        Some(text.map(|text| row::parse(self.attribute.type_oid, -1, &text)))
    }

    fn written(&self, before: Option<&str>, after: Option<&str>) -> Vec<String> {
        match keys::changed(before, after) {
            Change::Keys(keys) if keys.is_empty() => vec![String::new()],
            Change::Keys(keys) => keys,
            Change::Whole => std::iter::once(String::new()).chain(self.keys.iter().cloned()).collect(),
        }
    }

    fn access_to(&self, resolved: &Resolved, key: &str) -> Access {
        resolved.rules.access(self.number, &self.attribute.name, key, &resolved.member.roles)
    }

    /// Whether the member writes the column as a whole, so that only its values are limited.
    pub(super) fn is_writable(&self) -> bool {
        self.access.writes() && self.keys.is_empty()
    }

    /// Whether an UPDATE that leaves the column as it is needs no look at it.
    pub(super) fn is_open(&self) -> bool {
        self.access.reads() && self.hidden.is_empty() && self.mask.is_none()
    }

    /// What a new value itself must be, once it may be written.
    pub(super) fn check(
        &self,
        resolved: &Resolved,
        write: &Write,
        row: &Row,
        (old, new): (&Values, &Values),
        how: How,
    ) {
        tags::check(self, resolved, write, row, (old, new), how);
        transitions::check(self, resolved, write, row, (old, new), how);
        values::check(self, resolved, write, old, new, how);
    }

    /// Refuses, unless somebody approved of each of the fields for this record.
    pub(super) fn refuse(&self, resolved: &Resolved, write: &Write, row: &Row, how: How, denied: &[String]) {
        let record = row.text(write.columns.id);
        for key in denied {
            let approved = !self.broken
                && how != How::Insert
                && approvals::take(write.member, "field", write.table, &record, Some(&self.field(key))).is_some();
            if !approved {
                self.refuse_field(resolved, write, &record, how, key);
            }
        }
    }

    /// As the functions about fields name it.
    fn field(&self, key: &str) -> String {
        if key.is_empty() { self.attribute.name.clone() } else { format!("{}.{key}", self.attribute.name) }
    }

    /// As a message names it.
    pub(super) fn shown(&self, write: &Write, key: &str) -> String {
        let column = format!("column \"{}\" of {}", self.attribute.name, write.table.shown());
        if key.is_empty() { column } else { format!("key \"{key}\" of {column}") }
    }

    fn refuse_field(&self, resolved: &Resolved, write: &Write, record: &str, how: How, key: &str) -> ! {
        let (member, matrix, name) = (&resolved.member, &resolved.rules.matrix, self.attribute.name.as_str());
        let message = format!("{} may not be written by \"{}\"", self.shown(write, key), member.key);
        if self.broken {
            refused(format!("{}: its rule no longer matches", self.shown(write, "") + " may not be written"))
                .detail("The column was renamed, dropped or given another type since the rule was made.")
                .hint("A member with the capability manage_fields sets the rules of the column anew.")
                .raise();
        }
        let has = roles(&member.roles, &member.key);
        let owner = matrix.owner(name, key);
        let detail = match owner {
            Some(owner) => format!("The field is owned by the role \"{owner}\"; {has}."),
            None if matrix.access(name, key, &[]).is_none() => {
                format!("The field matrix does not list the field, and what it does not list is closed; {has}.")
            }
            None => format!("No role owns the field; {has}."),
        };
        let hint = match matrix.writers(name, key).first() {
            Some(&"system") if how != How::Insert => format!(
                "leadguard.request_approval('field', {}, {}, {}, …) asks somebody with the capability approve.",
                names::literal(&write.table.shown()),
                names::literal(record),
                names::literal(&self.field(key)),
            ),
            Some(role) => format!("A member with the role \"{role}\" writes it."),
            None => "A member with the capability manage_fields can propose another matrix.".to_owned(),
        };
        refused(message).detail(detail).hint(hint).raise()
    }
}

/// Whether the paths that clear a mask leave the column masked in this row. They are found when the first row asks.
fn is_masked(write: &Write, row: &Row, column: &str, paths: &OnceCell<Paths>) -> bool {
    let mapped = write.columns.map(row);
    let deciding = [Part::Id, Part::Owner, Part::Territory];
    let kinds = deciding.map(|part| mapped.get(part).1);
    let paths = paths.get_or_init(|| Paths::find(write.subject, &Some(write.table.clone()), column, kinds));
    paths.of(deciding.map(|part| mapped.value(part)), kinds) != Shown::Clear
}

/// Whether the member cannot read some other column of this row in clear, or a key of it. For refusals.
pub(super) fn hides(resolved: &Resolved, write: &Write, row: &Row, column: &str) -> bool {
    let Some(attribute) = write.columns.fields.as_ref().and_then(|fields| fields.attribute(column)) else {
        return false;
    };
    let number = attribute.number_in(write.table.target).unwrap_or_default();
    let (rules, roles) = (&resolved.rules, &resolved.member.roles);
    let is_closed = |key: &str| !rules.access(number, column, key, roles).reads();
    is_closed("")
        || rules.keys(column).iter().any(|key| is_closed(key))
        || (write.table.concealed_by.is_some() && is_masked(write, row, column, &OnceCell::new()))
}

/// What a message says about the roles of a member.
pub(super) fn roles(roles: &[String], member: &str) -> String {
    match roles {
        [] => format!("\"{member}\" has no role"),
        [role] => format!("\"{member}\" has the role \"{role}\""),
        roles => {
            let names: Vec<String> = roles.iter().map(|role| format!("\"{role}\"")).collect();
            format!("\"{member}\" has the roles {}", names.join(", "))
        }
    }
}
