//! One record of a protected table: how the caller names it, and what it says of owner, territory and
//! organization.
//!
//! The table is always read as the caller and under row security, never as the extension's owner: planning a
//! query evaluates immutable functions in index predicates and constraints, and as a superuser that would run
//! code of the table's owner with all rights. A record that row security hides is thereby one that is not there.

use crate::errors::{bad_argument, refused};
use crate::ffi::call::kind_of;
use crate::ffi::session::{self, as_extension, set_local, with_pinned_path};
use crate::ffi::sql::{self, Param, Sees};
use crate::model::value::{Kind, parse_int, parse_uuid};
use crate::names;
use crate::visibility::{self, Subject, Table};
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
}

/// What a record says; the resolved ids are None where the column is empty or names nobody.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// The canonical text form of its id, as grants name it.
    pub id: String,
    pub owner: Option<i64>,
    pub territory: Option<i64>,
    pub organization: Option<i64>,
    pub owner_text: Option<String>,
    pub territory_text: Option<String>,
    pub organization_text: Option<String>,
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
        let Some(target) = target else { bad_argument("the table is missing").raise() };
        let registered = subject(sees).table(target);
        let Some(table) = registered.as_ref().as_ref() else {
            bad_argument(format!("{} is not a protected table", names::shown(target)))
                .hint("leadguard.protect secures a table; the view leadguard.protected lists those that are.")
                .raise()
        };
        visibility::mapping::require(table);
        let kinds = kinds(table.target);
        let column = |name: &String| -> Column {
            match kinds.iter().find(|(held, _)| held == name) {
                Some((_, Some(kind))) => Column { quoted: names::quote(name), kind: *kind },
                _ => refused(format!(
                    "{} has no usable column \"{name}\" any more, on which its protection relies",
                    names::shown(table.target)
                ))
                .hint("Run leadguard.unprotect and leadguard.protect with the new column names.")
                .raise(),
            }
        };
        Target {
            relation: names::shown(readable(table, subject(sees).member.is_some())),
            id: column(&table.id_column),
            owner: table.owner_column.as_ref().map(column),
            territory: table.territory_column.as_ref().map(column),
            organization: table.organization_column.as_ref().map(column),
            table: table.clone(),
        }
    }

    /// The form in which grants and results name a record; None for a text that no record of the table has.
    pub(crate) fn canonical(&self, record: &str) -> Option<String> {
        self.id.canonical(record)
    }

    /// Id, owner, territory, organization and when it was archived for a select list, NULL for what is not mapped.
    pub(crate) fn select_list(&self) -> String {
        let or_null = |c: &Option<Column>| c.as_ref().map_or("NULL", |c| c.quoted.as_str()).to_owned();
        let at = self.table.archived_at_column.as_deref();
        format!(
            "{}, {}, {}, {}, {}",
            self.id.quoted,
            or_null(&self.owner),
            or_null(&self.territory),
            or_null(&self.organization),
            at.map_or_else(|| "NULL".to_owned(), names::quote)
        )
    }

    /// The id column compared with parameter `number`, and the parameter.
    pub(crate) fn is_record<'a>(&self, number: usize, canonical: &'a str) -> (String, Param<'a>) {
        self.id.is(number, canonical)
    }

    /// The record as the caller can read it.
    pub(crate) fn read(&self, record: &str, sees: Sees) -> Option<Record> {
        let canonical = self.canonical(record)?;
        let (condition, param) = self.is_record(1, &canonical);
        let text = format!("SELECT {} FROM {} WHERE {condition}", self.select_list(), self.relation);
        let mut found: Option<[Option<String>; 5]> = None;
        as_caller(|| {
            sql::query_once(&text, &[param], sees, &mut |row| {
                // A collation may call two different texts equal; grants and policies do not.
                if row.text(0).as_deref() == Some(canonical.as_str()) {
                    found = Some([0, 1, 2, 3, 4].map(|column| row.text(column)));
                }
            })
        });
        let [_, owner_text, territory_text, organization_text, archived_at] = found?;
        let organization = match &self.organization {
            None => Some(self.table.org_id),
            Some(column) => resolve(organization_text.as_deref(), column.kind, None, &ORGANIZATIONS, sees),
        };
        let owner = self.owner.as_ref().and_then(|c| resolve(owner_text.as_deref(), c.kind, None, &MEMBERS, sees));
        let territory = self
            .territory
            .as_ref()
            .and_then(|c| resolve(territory_text.as_deref(), c.kind, organization, &TERRITORIES, sees));
        Some(Record {
            id: canonical,
            owner,
            territory,
            organization,
            owner_text,
            territory_text,
            organization_text,
            archived: archived_at.is_some(),
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
