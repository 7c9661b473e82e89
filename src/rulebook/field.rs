//! Names of fields: `column`, or `column.key` for a key at the top of a jsonb column. A column whose name is the whole
//! text comes first; keys may hold dots.

use crate::arguments::limited;
use crate::errors::{bad_argument, failure};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::names;
use crate::questions::record::as_caller;
use crate::visibility::Table;
use pgrx::pg_sys::{self, Oid};

const MOST_BYTES: usize = 500;

/// A field of a protected table that rules may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub column: String,
    /// Empty for the column as a whole.
    pub key: String,
    type_name: String,
    type_oid: Oid,
}

pub(crate) struct Columns<'a> {
    table: &'a Table,
    found: Vec<Column>,
}

struct Column {
    name: String,
    type_oid: Oid,
    type_name: String,
    generated: bool,
}

impl Columns<'_> {
    pub(crate) fn of(table: &Table) -> Columns<'_> {
        let mut found = Vec::new();
        as_extension(|| {
            sql::query(
                include_str!("../../sql/query/rulebook_columns.sql"),
                &[Param::Oid(table.target)],
                Sees::Now,
                &mut |row| {
                    if let (Some(name), Some(type_oid), Some(type_name)) = (row.text(0), row.oid(1), row.text(2)) {
                        found.push(Column { name, type_oid, type_name, generated: row.bool(3) });
                    }
                },
            )
        });
        Columns { table, found }
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.found.iter().any(|c| c.name == column)
    }

    fn named(&self, column: &str) -> Option<&Column> {
        self.found.iter().find(|c| c.name == column)
    }

    fn split<'a>(&self, text: &'a str) -> Option<(&Column, &'a str)> {
        if let Some(column) = self.named(text) {
            return Some((column, ""));
        }
        text.match_indices('.').find_map(|(at, _)| self.named(&text[..at]).map(|column| (column, &text[at + 1..])))
    }

    /// 42703 for a column that is not there, 22023 for one that rules cannot name.
    pub(crate) fn field(&self, text: &str) -> Field {
        limited(text, "the name of the field", MOST_BYTES);
        let shown = names::shown(self.table.target);
        let Some((column, key)) = self.split(text) else {
            failure("42703", format!("{shown} has no column for field \"{text}\""))
                .hint("A field is a column, or column.key for a key of a jsonb column.")
                .raise()
        };
        if text.len() > column.name.len() {
            if column.type_oid != pg_sys::JSONBOID {
                bad_argument(format!("column \"{}\" of {shown} is not jsonb and has no keys", column.name))
                    .detail(format!("Its type is {}.", column.type_name))
                    .hint("Name the column alone.")
                    .raise();
            }
            if key.is_empty() {
                bad_argument(format!("the key of field \"{text}\" is empty")).raise();
            }
        }
        if self.mapped().any(|mapped| mapped == column.name) {
            bad_argument(format!("column \"{}\" of {shown} is written by rules of its own", column.name))
                .hint("Columns that protect maps are no fields of the matrix; leadguard.reassign changes owner and territory.")
                .raise();
        }
        if column.generated {
            bad_argument(format!("column \"{}\" of {shown} is generated", column.name))
                .hint("Rule the columns that it is computed from.")
                .raise();
        }
        Field {
            column: column.name.clone(),
            key: key.to_owned(),
            type_name: column.type_name.clone(),
            type_oid: column.type_oid,
        }
    }

    fn mapped(&self) -> impl Iterator<Item = &str> {
        let t = self.table;
        [
            Some(&t.id_column),
            t.owner_column.as_ref(),
            t.creator_column.as_ref(),
            t.territory_column.as_ref(),
            t.organization_column.as_ref(),
            t.archived_at_column.as_ref(),
            t.archived_by_column.as_ref(),
        ]
        .into_iter()
        .flatten()
        .map(String::as_str)
    }
}

impl Field {
    /// As matrices, approvals and messages name it.
    pub(crate) fn name(&self) -> String {
        if self.key.is_empty() { self.column.clone() } else { format!("{}.{}", self.column, self.key) }
    }

    pub(super) fn is_text_array(&self) -> bool {
        self.key.is_empty() && self.type_oid == pg_sys::TEXTARRAYOID
    }

    pub(super) fn type_name(&self) -> &str {
        &self.type_name
    }

    /// A value as the column's type writes it; raises what the type raises. As the caller: a domain may check it with
    /// code of its owner.
    pub(super) fn canonical(&self, value: &str) -> String {
        limited(value, "a value", 1000);
        if !self.key.is_empty() || self.type_oid == pg_sys::TEXTOID {
            return value.to_owned();
        }
        let text = format!("SELECT pg_catalog.format('%s', $1::{})", self.type_name);
        let mut found = None;
        as_caller(|| {
            sql::query_once(&text, &[Param::Text(Some(value))], Sees::Now, &mut |row| found = row.text(0));
        });
        found.unwrap_or_else(|| value.to_owned())
    }
}
