//! Which columns of a table are written down, and how: of a member's change those that rules name and those that
//! decide who reaches the row, of a session that no rule binds all of them.

use super::writer;
use crate::ffi::call;
use crate::ffi::row::Attribute;
use crate::ffi::scan::{self, Equal};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::{Column, Row};
use crate::guard::{self, Purpose, Sanction};
use crate::model::change::{self, Change};
use crate::model::digest;
use crate::model::value::Value;
use crate::visibility::Table;
use std::cell::RefCell;
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Whoever is named there reaches the row.
    Reach,
    ArchivedAt,
    Other,
}

struct Field {
    attribute: Attribute,
    name: Rc<str>,
    part: Part,
    owner: bool,
    /// Nobody who may read the audit learns more than who may read the row.
    clear: bool,
}

pub(crate) struct Watched {
    id: Option<Column>,
    organization: Option<Column>,
    /// In order of name, in which the digest of an audit row has them.
    fields: Vec<Field>,
    inserts: bool,
    /// The last organization named by key, and its id.
    named: RefCell<Option<(String, Option<i64>)>>,
}

/// What some of the fields say, by their place in the list; None for NULL.
#[derive(Default)]
pub(super) struct Texts(Vec<(usize, Option<String>)>);

/// Who owned a row and who does, as its column names them.
pub(super) struct Owners<'a> {
    pub before: Option<&'a str>,
    pub after: Option<&'a str>,
    pub keys: bool,
}

impl Watched {
    /// For changes by a member.
    pub(crate) fn of(table: &Table, row: &Row, fields: Option<&guard::Fields>) -> Watched {
        let guarded: Vec<i16> = fields.map_or(&[][..], guard::Fields::guarded).iter().map(|a| a.number).collect();
        Watched::new(table, row, !guarded.is_empty(), |attribute, part| {
            part != Part::Other
                || guarded.contains(&attribute.number)
                || Some(&attribute.name) == table.archived_by_column.as_ref()
        })
    }

    /// For changes by a session that no rule binds.
    pub(crate) fn all(table: &Table, row: &Row) -> Watched {
        Watched::new(table, row, true, |_, _| true)
    }

    fn new(table: &Table, row: &Row, inserts: bool, is_watched: impl Fn(&Attribute, Part) -> bool) -> Watched {
        if table.is_of_old_database() {
            let named = RefCell::default();
            return Watched { id: None, organization: None, fields: Vec::new(), inserts: false, named };
        }
        let closed = Closed::of(table);
        let is = |name: &str, column: &Option<String>| column.as_deref() == Some(name);
        let mut fields: Vec<Field> = row
            .attributes()
            .into_iter()
            .filter(|attribute| !attribute.generated)
            .map(|attribute| {
                let name = &attribute.name;
                let reach = [&table.owner_column, &table.territory_column, &table.team_column, &table.parent_column];
                let part = if reach.into_iter().any(|column| is(name, column)) {
                    Part::Reach
                } else if is(name, &table.archived_at_column) {
                    Part::ArchivedAt
                } else {
                    Part::Other
                };
                let mapped = part != Part::Other
                    || *name == table.id_column
                    || is(name, &table.creator_column)
                    || is(name, &table.organization_column)
                    || is(name, &table.archived_by_column);
                let owner = is(name, &table.owner_column);
                Field { clear: mapped || !closed.contains(name), part, owner, name: name.as_str().into(), attribute }
            })
            .filter(|field| is_watched(&field.attribute, field.part))
            .collect();
        fields.sort_by(|a, b| a.attribute.name.cmp(&b.attribute.name));
        Watched {
            id: row.column(&table.id_column),
            organization: table.organization_column.as_deref().and_then(|name| row.column(name)),
            fields,
            inserts,
            named: RefCell::default(),
        }
    }

    pub(super) fn notes_inserts(&self) -> bool {
        self.inserts
    }

    pub(crate) fn record(&self, row: &Row) -> String {
        self.id.map(|id| row.text(id)).unwrap_or_default()
    }

    /// The organization that a row belongs to; None for one that names none.
    pub(super) fn organization(&self, row: &Row, table: &Table) -> Option<i64> {
        let Some(column) = self.organization else { return Some(table.org_id) };
        let key = match row.value(column) {
            Value::Null => return None,
            Value::Int(id) => return Some(id),
            _ => row.text(column),
        };
        let held = self.named.borrow().clone();
        if let Some((of, id)) = held
            && of == key
        {
            return id;
        }
        let text = "SELECT id FROM leadguard.organization WHERE lower(key) = lower($1) ORDER BY key = $1 DESC LIMIT 1";
        let id = as_extension(|| sql::first_int(text, &[Param::Text(Some(&key))], Sees::Now));
        *self.named.borrow_mut() = Some((key, id));
        id
    }

    /// All watched values.
    pub(super) fn texts(&self, row: &Row) -> Texts {
        let values = row.values();
        Texts(self.fields.iter().map(|f| values.text(&f.attribute)).enumerate().collect())
    }

    /// Those that differ; None where none does.
    pub(super) fn differing(&self, old: &Row, new: &Row) -> Option<(Texts, Texts)> {
        if self.fields.is_empty() {
            return None;
        }
        let (old, new) = (old.values(), new.values());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (place, Field { attribute, .. }) in self.fields.iter().enumerate() {
            if !old.is_same(&new, attribute) {
                before.push((place, old.text(attribute)));
                after.push((place, new.text(attribute)));
            }
        }
        (!after.is_empty()).then_some((Texts(before), Texts(after)))
    }

    /// The owner before and after, if it is another one.
    pub(super) fn owners<'a>(&self, old: &'a Texts, new: &'a Texts) -> Option<Owners<'a>> {
        let (place, after) = new.0.iter().find(|(place, _)| self.fields[*place].owner)?;
        let kind = call::kind_of(self.fields[*place].attribute.type_oid)?;
        Some(Owners { before: old.get(*place), after: after.as_deref(), keys: !kind.is_int() })
    }

    pub(super) fn action(&self, old: &Texts, new: &Texts, sanction: Option<&Sanction>) -> &'static str {
        match sanction.map(|s| s.purpose) {
            Some(Purpose::Archive) => return "archive",
            Some(Purpose::Restore) => return "restore",
            Some(Purpose::Erase) => return "erase",
            Some(Purpose::Reassign) => return "reassign",
            Some(Purpose::Mark) => return "mark_sensitive",
            Some(Purpose::Purge) | None => {}
        }
        let touched = |part| new.0.iter().find(|(place, _)| self.fields[*place].part == part);
        if let Some((place, value)) = touched(Part::ArchivedAt) {
            match (old.get(*place), value) {
                (None, Some(_)) => return "archive",
                (Some(_), None) => return "restore",
                _ => {}
            }
        }
        if touched(Part::Reach).is_some() { "reassign" } else { "update" }
    }

    /// The change from `old` to `new`: of a row that comes or goes, what is not NULL.
    pub(super) fn change(&self, old: Texts, new: Texts, record: &str) -> Change {
        let key = writer::with_key(|key| key.digest("value").text(record));
        let mut fields = Vec::with_capacity(old.0.len().max(new.0.len()));
        let mut room = change::Room::default();
        let (mut old, mut new) = (old.0.into_iter().peekable(), new.0.into_iter().peekable());
        while let Some(place) = [old.peek(), new.peek()].into_iter().flatten().map(|(place, _)| *place).min() {
            let side = |next: Option<(usize, Option<String>)>| next.and_then(|(_, value)| value);
            let values = [side(old.next_if(|(at, _)| *at == place)), side(new.next_if(|(at, _)| *at == place))];
            if values.iter().all(Option::is_none) {
                continue;
            }
            let field = &self.fields[place];
            let name = Rc::clone(&field.name);
            let digests = values.each_ref().map(|v| v.as_ref().map(|v| digest::of_value(&key, &name, v)));
            let is_kept = field.clear && room.takes(&values);
            fields.push(change::Field { name, digests, values: if is_kept { values } else { [None, None] } });
        }
        Change(fields)
    }
}

impl Texts {
    fn get(&self, place: usize) -> Option<&str> {
        let at = self.0.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        self.0[at].1.as_deref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left of two complete lists when the equal ones are taken out.
    pub(super) fn differing(self, other: Texts) -> (Texts, Texts) {
        let (old, new) = self.0.into_iter().zip(other.0).filter(|((_, old), (_, new))| old != new).unzip();
        (Texts(old), Texts(new))
    }
}

/// The two sides of a field as they are read back.
#[derive(serde::Deserialize)]
pub(super) struct Sides {
    pub old: Option<String>,
    pub new: Option<String>,
}

pub(super) type Fields = std::collections::BTreeMap<String, Sides>;

/// Fields that were read back, in the form in which they were written and their digest was made.
pub(super) fn render(fields: &Fields) -> String {
    change::json(fields.iter().map(|(name, sides)| (name.as_str(), sides.old.as_deref(), sides.new.as_deref())))
}

/// Columns whose values are not for everybody who reads the row: masked, or closed to some role.
pub(crate) struct Closed {
    names: Vec<String>,
    /// Where what no cell lists is closed to all: what is listed.
    listed: Option<Vec<String>>,
}

impl Closed {
    pub(crate) fn of(table: &Table) -> Closed {
        let mut closed = Closed { names: Vec::new(), listed: table.closed_by_default.then(Vec::new) };
        let masks = scan::Table::open(c"column_mask");
        let (target, name) = (masks.column(c"target"), masks.column(c"column_name"));
        masks.scan(Some(c"column_mask_pkey"), &[(target, Equal::Oid(table.target))], |row| {
            closed.names.extend(row.name(name));
            true
        });
        let versions = scan::Table::open(c"field_version");
        let (target, id) = (versions.column(c"target"), versions.column(c"id"));
        let mut active = None;
        versions.scan(Some(c"field_version_one_active"), &[(target, Equal::Oid(table.target))], |row| {
            active = row.int(id);
            false
        });
        let Some(active) = active else { return closed };
        let rules = scan::Table::open(c"field_rule");
        let (version, name, access) =
            (rules.column(c"version_id"), rules.column(c"column_name"), rules.column(c"access"));
        rules.scan(Some(c"field_rule_pkey"), &[(version, Equal::Int(active))], |row| {
            if row.text(access).as_deref() == Some("no access") {
                closed.names.extend(row.name(name));
            }
            if let Some(listed) = &mut closed.listed {
                listed.extend(row.name(name));
            }
            true
        });
        closed
    }

    pub(crate) fn contains(&self, name: &String) -> bool {
        self.names.contains(name) || self.listed.as_ref().is_some_and(|listed| !listed.contains(name))
    }
}
