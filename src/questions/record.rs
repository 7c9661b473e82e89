//! One record of a protected table: how the caller names it, and what it says of owner, territory and
//! organization.
//!
//! The table is always read as the caller and under row security, never as the extension's owner: planning a
//! query evaluates immutable functions in index predicates and constraints, and as a superuser that would run
//! code of the table's owner with all rights. A record that row security hides is thereby one that is not there.

use crate::arguments::required;
use crate::errors::{bad_argument, refused};
use crate::ffi::call::kind_of;
use crate::ffi::owner::as_owner_of;
use crate::ffi::session::{self, as_extension, set_local, with_pinned_path};
use crate::ffi::sql::{self, Param, Sees};
use crate::masks;
use crate::model::value::{Kind, parse_int, parse_uuid};
use crate::names;
use crate::visibility::{self, Part, Subject, Table};
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// A mapped column as it is named in generated SQL.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub quoted: String,
    pub kind: Kind,
}

impl Column {
    /// A column of a relation; None when there is none of the name, or its type cannot be mapped.
    pub(crate) fn of(relation: Oid, name: &str) -> Option<Column> {
        let (_, kind) = kinds(relation).into_iter().find(|(held, _)| held == name)?;
        Some(Column { quoted: names::quote(name), kind: kind? })
    }

    /// The text form of a value; None for a text that no value of the column has.
    pub(crate) fn canonical(&self, value: &str) -> Option<String> {
        match self.kind {
            Kind::Text => Some(value.to_owned()),
            Kind::Uuid => {
                let bare = value.strip_prefix('{').and_then(|r| r.strip_suffix('}')).unwrap_or(value);
                parse_uuid(bare).map(|bytes| uuid::Uuid::from_bytes(bytes).to_string())
            }
            kind => parse_int(value).filter(|id| kind.fits(*id)).map(|id| id.to_string()),
        }
    }

    /// The column compared with parameter `number`, so that an index on it serves, and the parameter.
    pub(crate) fn is<'a>(&self, number: usize, canonical: &'a str) -> (String, Param<'a>) {
        let cast = if self.kind == Kind::Uuid { "::pg_catalog.uuid" } else { "" };
        let condition = format!("{} OPERATOR(pg_catalog.=) ${number}{cast}", self.quoted);
        let param = if self.kind.is_int() { Param::Int(parse_int(canonical)) } else { Param::Text(Some(canonical)) };
        (condition, param)
    }
}

/// A protected table with what is needed to ask about its records.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub table: Table,
    /// Qualified and quoted: the table, or the view that took its name.
    pub relation: String,
    pub id: Column,
    pub owner: Option<Column>,
    pub territory: Option<Column>,
    pub organization: Option<Column>,
    /// All of them, in the order in which rows are read.
    columns: Vec<(Part, Column)>,
    /// SQL for whether a row is marked as sensitive.
    sensitive: String,
}

/// What a record says; the resolved ids are None where the column is empty or names nobody.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// The canonical text form of its id, as grants name it.
    pub id: String,
    pub owner: Option<i64>,
    pub creator: Option<i64>,
    pub territory: Option<i64>,
    pub organization: Option<i64>,
    pub team: Option<i64>,
    pub owner_text: Option<String>,
    pub territory_text: Option<String>,
    pub organization_text: Option<String>,
    pub segment: Option<String>,
    pub parent: Option<String>,
    /// Whether the table maps a stage, which a row may lack.
    pub has_stage: bool,
    pub stage: Option<String>,
    pub status: Option<String>,
    pub sensitive: bool,
    pub archived: bool,
}

/// The asking member and the registered tables in the state that `sees` stands for.
pub(crate) fn subject(sees: Sees) -> Rc<Subject> {
    match sees {
        Sees::Statement => visibility::statement(),
        Sees::Now => visibility::now(),
    }
}

/// Runs a query on a protected table as the caller, with row security that a setting cannot turn into an error.
pub(crate) fn as_caller<T>(body: impl FnOnce() -> T) -> T {
    with_pinned_path(|| {
        set_local(c"row_security", c"on");
        body()
    })
}

impl Target {
    /// 22023 for a table that is not protected, 42501 for one that lost a mapped column.
    pub(crate) fn find(target: Option<Oid>, sees: Sees) -> Target {
        let target = required(target, "the table");
        let registered = subject(sees).table(target);
        let Some(table) = registered.as_ref().as_ref() else {
            bad_argument(format!("{} is not a protected table", names::shown(target)))
                .hint("leadguard.protect secures a table; the view leadguard.protected lists those that are.")
                .raise()
        };
        masks::require_view(table);
        visibility::mapping::require(table);
        let kinds = kinds(table.target);
        let unusable = |name: &str| -> ! {
            refused(format!(
                "{} has no usable column \"{name}\" any more, on which its protection relies",
                names::shown(table.target)
            ))
            .hint("Run leadguard.unprotect and leadguard.protect with the new column names.")
            .raise()
        };
        let column = |name: &str| match kinds.iter().find(|(held, _)| held == name) {
            Some((_, Some(kind))) => Column { quoted: names::quote(name), kind: *kind },
            _ => unusable(name),
        };
        let mapped = |part: Part| table.column(part).filter(|_| part != Part::Sensitive).map(column);
        let sensitive = table.column(Part::Sensitive).map_or("false".to_owned(), |name| {
            let quoted = names::quote(name);
            match kinds.iter().find(|(held, _)| held == name) {
                Some((_, None)) => format!("coalesce({quoted}, false)"),
                Some((_, Some(_))) => format!("coalesce({quoted} OPERATOR(pg_catalog.<>) '', false)"),
                None => unusable(name),
            }
        });
        Target {
            relation: names::shown(readable(table, subject(sees).member.is_some())),
            id: column(&table.id_column),
            owner: mapped(Part::Owner),
            territory: mapped(Part::Territory),
            organization: mapped(Part::Organization),
            columns: Part::ALL.into_iter().filter_map(|part| Some((part, mapped(part)?))).collect(),
            sensitive,
            table: table.clone(),
        }
    }

    pub(crate) fn column(&self, part: Part) -> Option<&Column> {
        self.columns.iter().find(|(held, _)| *held == part).map(|(_, column)| column)
    }

    /// What the columns of the select list are, before the two that follow: whether the row is marked as sensitive, and
    /// when it was archived.
    pub(crate) fn parts(&self) -> Vec<(Part, Option<Kind>)> {
        self.columns.iter().map(|(part, column)| (*part, Some(column.kind))).collect()
    }

    /// The form in which grants and results name a record; None for a text that no record of the table has.
    pub(crate) fn canonical(&self, record: &str) -> Option<String> {
        self.id.canonical(record)
    }

    /// The mapped columns, the id first, whether it is sensitive, and when it was archived.
    pub(crate) fn select_list(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(_, column)| column.quoted.as_str()).collect();
        let at = self.table.archived_at_column.as_deref().map_or_else(|| "NULL".to_owned(), names::quote);
        format!("{}, {}, {at}", columns.join(", "), self.sensitive)
    }

    /// The id column compared with parameter `number`, and the parameter.
    pub(crate) fn is_record<'a>(&self, number: usize, canonical: &'a str) -> (String, Param<'a>) {
        self.id.is(number, canonical)
    }

    /// The record as the caller can read it.
    pub(crate) fn read(&self, record: &str, sees: Sees) -> Option<Record> {
        self.read_as(record, sees, &self.relation, |read| as_caller(read))
    }

    /// The record whether the caller can read it or not: for what follows from it for another record. As the owner of the
    /// table, whose code its planner may run; where row security binds him, only what the caller reads.
    pub(crate) fn read_whole(&self, record: &str, sees: Sees) -> Option<Record> {
        let table = names::shown(self.table.target);
        self.read_as(record, sees, &table, |read| as_owner_of(self.table.target, read))
    }

    fn read_as(&self, record: &str, sees: Sees, relation: &str, run: impl FnOnce(&mut dyn FnMut())) -> Option<Record> {
        let canonical = self.canonical(record)?;
        let (condition, param) = self.is_record(1, &canonical);
        let text = format!("SELECT {} FROM {relation} WHERE {condition}", self.select_list());
        let mut found: Option<Vec<Option<String>>> = None;
        let (params, last) = ([param], self.columns.len() as i32 + 1);
        run(&mut || {
            sql::query_once(&text, &params, sees, &mut |row| {
                // A collation may call two different texts equal; grants and policies do not.
                if row.text(0).as_deref() == Some(canonical.as_str()) {
                    found = Some((0..=last).map(|column| row.text(column)).collect());
                }
            });
        });
        let mut values = found?;
        let archived = values.pop().flatten().is_some();
        let sensitive = values.pop().flatten().as_deref() == Some("t");
        let text = |part: Part| {
            let index = self.columns.iter().position(|(held, _)| *held == part)?;
            values[index].clone()
        };
        let resolved = |part: Part, organization: Option<i64>, keyed: &Keyed| {
            self.column(part).and_then(|column| resolve(text(part).as_deref(), column.kind, organization, keyed, sees))
        };
        let organization = match &self.organization {
            None => Some(self.table.org_id),
            Some(_) => resolved(Part::Organization, None, &ORGANIZATIONS),
        };
        Some(Record {
            owner: resolved(Part::Owner, None, &MEMBERS),
            creator: resolved(Part::Creator, None, &MEMBERS),
            territory: resolved(Part::Territory, organization, &TERRITORIES),
            team: resolved(Part::Team, organization, &TEAMS),
            organization,
            owner_text: text(Part::Owner),
            territory_text: text(Part::Territory),
            organization_text: text(Part::Organization),
            segment: text(Part::Segment),
            parent: text(Part::Parent),
            has_stage: self.column(Part::Stage).is_some(),
            stage: text(Part::Stage),
            status: text(Part::Status),
            sensitive,
            archived,
            id: canonical,
        })
    }
}

/// The organization that a record names; by id or key, as the column does.
pub(crate) fn organization(value: Option<&str>, kind: Kind) -> Option<i64> {
    resolve(value, kind, None, &ORGANIZATIONS, Sees::Now)
}

/// What the caller reads: the view that took the table's name, unless row security does not bind him.
fn readable(table: &Table, is_member: bool) -> Oid {
    let free = !is_member && session::bypasses_row_security(session::session_role());
    table.concealed_by.filter(|_| !free).unwrap_or(table.target)
}

/// The columns of a relation by name, with the kind of those whose type a mapped column may have.
fn kinds(relation: Oid) -> Vec<(String, Option<Kind>)> {
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(
            "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped",
            &[Param::Oid(relation)],
            Sees::Statement,
            &mut |row| {
                if let (Some(name), Some(type_oid)) = (row.text(0), row.oid(1)) {
                    found.push((name, kind_of(type_oid)));
                }
            },
        )
    });
    found
}

/// How the rows of a directory table are found by key: as stored, and as a uuid column would show it.
struct Keyed {
    exact: &'static str,
    as_uuid: &'static str,
}

const MEMBERS: Keyed = Keyed {
    exact: "SELECT id FROM leadguard.member WHERE key = $1 AND $2::bigint IS NULL",
    as_uuid: "SELECT id FROM leadguard.member WHERE lower(key) = $1 AND $2::bigint IS NULL",
};
const TERRITORIES: Keyed = Keyed {
    exact: "SELECT id FROM leadguard.territory WHERE key = $1 AND org_id = $2",
    as_uuid: "SELECT id FROM leadguard.territory WHERE lower(key) = $1 AND org_id = $2",
};
const TEAMS: Keyed = Keyed {
    exact: "SELECT id FROM leadguard.team WHERE key = $1 AND org_id = $2",
    as_uuid: "SELECT id FROM leadguard.team WHERE lower(key) = $1 AND org_id = $2",
};
const ORGANIZATIONS: Keyed = Keyed {
    exact: "SELECT id FROM leadguard.organization WHERE key = $1 AND $2::bigint IS NULL",
    as_uuid: "SELECT id FROM leadguard.organization WHERE lower(key) = $1 AND $2::bigint IS NULL",
};

/// The id behind the value of a mapped column. Keys of territories are unique within an organization only.
fn resolve(value: Option<&str>, kind: Kind, organization: Option<i64>, keyed: &Keyed, sees: Sees) -> Option<i64> {
    let value = value?;
    if kind.is_int() {
        return parse_int(value);
    }
    let params = [Param::Text(Some(value)), Param::Int(organization)];
    as_extension(|| {
        sql::first_int(keyed.exact, &params, sees)
            .or_else(|| (kind == Kind::Uuid).then(|| sql::first_int(keyed.as_uuid, &params, sees)).flatten())
    })
}
