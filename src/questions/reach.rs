//! What one member reaches in a table: his sets are asked, as policies ask them, one query fetches the rows that any of
//! them touches, and each row is judged in memory. Nothing is asked per record.

use super::asker::{About, Asker};
use super::record::{Column, Target, as_caller};
use crate::ffi::owner::as_owner_of;
use crate::ffi::sql::{self, Param, Row, Sees};
use crate::identity::Mode;
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::model::value::{Kind, Value, ValueSet, parse_int, parse_uuid};
use crate::names;
use crate::visibility::{Mapped, Part, Subject, subject};
use std::cmp::Reverse;
use std::rc::Rc;

/// A record with what may be done to it, and the strongest way to it.
pub(crate) struct Found {
    pub record: String,
    pub rights: Rights,
    pub path: Path,
    pub archived: bool,
}

/// The mapped values of one row as text.
pub(super) struct Fetched {
    values: Vec<(Part, Option<Kind>, Option<String>)>,
    sensitive: bool,
    archived: bool,
}

impl Fetched {
    pub(super) fn of(target: &Target, row: &Row) -> Fetched {
        let parts = target.parts();
        let text = |index: usize| row.text(index as i32);
        let values = parts.iter().enumerate().map(|(index, (part, kind))| (*part, *kind, text(index))).collect();
        Fetched {
            values,
            sensitive: text(parts.len()).as_deref() == Some("t"),
            archived: text(parts.len() + 1).is_some(),
        }
    }

    pub(super) fn text(&self, part: Part) -> Option<&str> {
        self.values.iter().find(|(held, ..)| *held == part).and_then(|(.., text)| text.as_deref())
    }

    pub(super) fn mapped(&self) -> Mapped<'_> {
        let mut row = Mapped::new();
        for (part, kind, text) in &self.values {
            let value = match (text, kind) {
                (Some(text), Some(Kind::Text)) => Value::Text(text),
                (Some(text), Some(Kind::Uuid)) => parse_uuid(text).map_or(Value::Null, Value::Uuid),
                (Some(text), Some(_)) => parse_int(text).map_or(Value::Null, Value::Int),
                _ => Value::Null,
            };
            row.put(*part, value, *kind);
        }
        row.sensitive = self.sensitive;
        row
    }
}

/// Values for `column = ANY (parameter)`.
enum Values {
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

impl Values {
    fn of(set: &ValueSet, kind: Kind) -> Values {
        let texts = set.values().filter_map(|value| value.to_text());
        if kind.is_int() {
            Values::Ints(texts.filter_map(|text| parse_int(&text)).collect())
        } else {
            Values::Texts(texts.collect())
        }
    }

    fn param(&self) -> Param<'_> {
        match self {
            Values::Ints(values) => Param::Ints(values),
            Values::Texts(values) => Param::Texts(values),
        }
    }
}

fn is_any(column: &Column, number: usize) -> String {
    let cast = if column.kind == Kind::Uuid { "::pg_catalog.uuid[]" } else { "" };
    format!("{} OPERATOR(pg_catalog.=) ANY (${number}{cast})", column.quoted)
}

fn asked(about: &About, target: &Target) -> Rc<Subject> {
    let mode = if about.analyst { Mode::Analyst } else { Mode::Person };
    other(about.id, mode, about.personal, target)
}

/// Somebody about whom a question is, with what he reads of the tables above this one.
pub(super) fn other(member: i64, mode: Mode, personal: bool, target: &Target) -> Rc<Subject> {
    let subject = subject::other(member, mode, personal);
    read_parents(&subject, target);
    Rc::new(subject)
}

/// The policy of a parent answers about who asks; for anybody else its rows are judged here.
fn read_parents(subject: &Subject, target: &Target) {
    let Some(parent) = target.table.parent else { return };
    if !subject.access(&target.table).reads(Path::Parent) || subject.table(parent).is_none() {
        return;
    }
    let parent = Target::find(Some(parent), Sees::Statement);
    read_parents(subject, &parent);
    let whole = names::shown(parent.table.target);
    let rows = touched(subject, &parent, &whole, |read| as_owner_of(parent.table.target, read));
    let sees_archived = subject.has_capability("see_archived");
    let read =
        rows.iter().filter(|row| subject.reads(&parent.table, &row.mapped()) && (!row.archived || sees_archived));
    let ids = ValueSet::of_records(read.filter_map(|row| row.text(Part::Id)), parent.id.kind);
    subject.keep_parents(parent.table.target, parent.id.kind, ids);
}

/// The sets of one member as conditions on the columns; none for who reaches every row.
fn conditions(subject: &Subject, target: &Target) -> Option<Vec<(String, Values)>> {
    let mut found: Vec<(String, Values)> = Vec::new();
    if subject.access(&target.table).reads_everything() {
        return None;
    }
    for (part, decides) in Part::DECIDING {
        let Some(column) = target.column(part) else { continue };
        let set = subject.read_set(&target.table, decides, column.kind);
        if !set.is_empty() {
            let values = Values::of(&set, column.kind);
            found.push((is_any(column, found.len() + 1), values));
        }
    }
    let granted = subject.granted_records(&target.table, target.id.kind);
    if !granted.is_empty() {
        found.push((is_any(&target.id, found.len() + 1), Values::of(&granted, target.id.kind)));
    }
    Some(found)
}

/// The rows of a table that any of the member's sets touches, in order of the id.
fn touched(subject: &Subject, target: &Target, relation: &str, run: impl FnOnce(&mut dyn FnMut())) -> Vec<Fetched> {
    let conditions = match conditions(subject, target) {
        Some(conditions) if conditions.is_empty() => return Vec::new(),
        conditions => conditions.unwrap_or_default(),
    };
    let (arms, values): (Vec<String>, Vec<Values>) = conditions.into_iter().unzip();
    let condition = if arms.is_empty() { String::new() } else { format!(" WHERE {}", arms.join(" OR ")) };
    let text = format!("SELECT {} FROM {relation}{condition} ORDER BY 1", target.select_list());
    let params: Vec<Param> = values.iter().map(Values::param).collect();
    let mut fetched = Vec::new();
    run(&mut || {
        sql::query_once(&text, &params, Sees::Statement, &mut |row| fetched.push(Fetched::of(target, row)));
    });
    fetched
}

/// Every record of the table that `about` reaches and the asking one can read, in order of the id.
pub(crate) fn everything(asker: &Asker, about: &About, target: &Target) -> Vec<Found> {
    let subject = asked(about, target);
    // Row security answers for what the caller reads, except for roles to which it does not apply.
    let readable = match asker.id() {
        Some(id) if !asker.superuser && id != about.id => asker.about(None).map(|own| asked(&own, target)),
        _ => None,
    };
    let fetched = touched(&subject, target, &target.relation, |read| as_caller(read));
    let table = &target.table;
    let judge = |row: &Fetched| {
        let mapped = row.mapped();
        if readable.as_ref().is_some_and(|own| !own.reads(table, &mapped)) {
            return None;
        }
        let rights = subject.rights(table, &mapped);
        let strength = |(path, rights): &(Path, Rights)| (rights.level(), rights.count(), Reverse(*path));
        let (path, _) = subject.paths(table, &mapped).into_iter().max_by_key(strength)?;
        rights.has(Rights::READ).then(|| Found {
            record: row.text(Part::Id).unwrap_or_default().to_owned(),
            rights,
            path,
            archived: row.archived,
        })
    };
    fetched.iter().filter_map(judge).collect()
}

/// An unarchived record of one owner, as the caller reads it.
pub(crate) struct Owned {
    pub record: String,
    pub rights: Rights,
    pub territory: Option<String>,
    pub status: Option<String>,
}

/// The unarchived records of an owner that the caller reads, in the newest state, with what he may do with each; a
/// superuser who is no member may do everything. None for an owner whom the column cannot name.
pub(crate) fn owned_by(target: &Target, id: i64, key: &str) -> Vec<Owned> {
    let Some(column) = &target.owner else { return Vec::new() };
    let canonical = if column.kind.is_int() { column.canonical(&id.to_string()) } else { column.canonical(key) };
    let Some(canonical) = canonical else { return Vec::new() };
    let (condition, param) = column.is(1, &canonical);
    let text = format!("SELECT {} FROM {} WHERE {condition} ORDER BY 1", target.select_list(), target.relation);
    let mut fetched = Vec::new();
    as_caller(|| sql::query_once(&text, &[param], Sees::Now, &mut |row| fetched.push(Fetched::of(target, row))));
    let subject = subject::now();
    let owned = |row: &Fetched| Owned {
        record: row.text(Part::Id).unwrap_or_default().to_owned(),
        rights: subject.member.as_ref().map_or(Rights::ALL, |_| subject.rights(&target.table, &row.mapped())),
        territory: row.text(Part::Territory).map(str::to_owned),
        status: row.text(Part::Status).map(str::to_owned),
    };
    fetched.iter().filter(|row| !row.archived).map(owned).collect()
}
