//! What a table says about imports: its columns, and by what a row is the same as another one.

use crate::errors::{bad_argument, failure};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::names::{self, quote};
use crate::visibility::{Part, Table};
use pgrx::pg_sys::{self, Oid};
use std::cell::RefCell;

/// A column that rows may be loaded for.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub name: String,
    pub number: i16,
    pub type_oid: Oid,
    pub modifier: i32,
    /// For people: which type SQL takes it for depends on the search path.
    pub type_name: String,
    /// NOT NULL, and nothing fills it.
    pub must: bool,
}

impl Field {
    /// Every text is a value of it, and stays as it is.
    pub(super) fn takes_any(&self) -> bool {
        self.type_oid == pg_sys::TEXTOID || (self.type_oid == pg_sys::VARCHAROID && self.modifier < 0)
    }

    /// Whether the column holds a list of texts, as tags need it.
    pub(super) fn is_texts(&self) -> bool {
        self.type_oid == pg_sys::TEXTARRAYOID || self.type_oid == pg_sys::VARCHARARRAYOID
    }
}

/// How values are made alike before they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Exact,
    Trim,
    Lower,
    Digits,
    Phone,
    Email,
}

const STEPS: &str = "exact, trim, lower, digits, phone and email";

impl Step {
    fn parse(text: &str) -> Option<Step> {
        Some(match text {
            "exact" => Step::Exact,
            "trim" => Step::Trim,
            "lower" => Step::Lower,
            "digits" => Step::Digits,
            "phone" => Step::Phone,
            "email" => Step::Email,
            _ => return None,
        })
    }

    fn apply(self, value: &str) -> String {
        let digits = || value.chars().filter(char::is_ascii_digit).collect::<String>();
        match self {
            Step::Exact => value.to_owned(),
            Step::Trim => value.trim().to_owned(),
            Step::Lower => value.to_lowercase(),
            Step::Digits => digits(),
            // +49 30 1234 and 0049 30 1234
            Step::Phone => digits().trim_start_matches('0').to_owned(),
            Step::Email => value.trim().to_lowercase(),
        }
    }
}

/// Columns by which a row is the same as another one.
#[derive(Debug, Clone)]
pub(super) struct MatchKey {
    /// As it was given: the names of the columns.
    pub name: String,
    pub columns: Vec<String>,
    steps: Vec<Step>,
}

/// What no value holds.
const BETWEEN: &str = "\u{1f}";

impl MatchKey {
    /// 22023 for what is no match key.
    pub(super) fn parse(name: &str, steps: &str) -> MatchKey {
        let columns: Vec<String> =
            name.split(',').map(|column| column.trim().to_owned()).filter(|column| !column.is_empty()).collect();
        if columns.is_empty() {
            bad_argument("a match key names no column").raise();
        }
        let parsed: Option<Vec<Step>> = steps.split('|').map(|step| Step::parse(step.trim())).collect();
        let Some(steps) = parsed else {
            bad_argument(format!("the match key \"{name}\" has an unknown normalisation"))
                .hint(format!("Normalisations are {STEPS}; | between two of them applies one after the other."))
                .raise()
        };
        MatchKey { name: columns.join(","), columns, steps }
    }

    /// What is compared, by what the columns of the key say; None where one says nothing, which is like nothing else.
    pub(super) fn of<'a>(&self, said: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
        let mut parts = Vec::with_capacity(self.columns.len());
        for given in said {
            let given = given?;
            let alike = self.steps.iter().fold(given.to_owned(), |text, step| step.apply(&text));
            if alike.is_empty() {
                return None;
            }
            parts.push(alike);
        }
        Some(parts.join(BETWEEN))
    }
}

pub(super) struct ImportTarget {
    pub table: Table,
    pub fields: Vec<Field>,
    pub keys: Vec<MatchKey>,
    pub required: Vec<String>,
    pub disqualified: Vec<String>,
}

/// The columns that rows may be loaded for: those that Postgres or leadguard alone writes are none.
pub(super) fn fields(table: &Table) -> Vec<Field> {
    let own: Vec<String> =
        [&table.archived_at_column, &table.archived_by_column].into_iter().flatten().cloned().collect();
    let filled = [&table.owner_column, &table.creator_column, &table.organization_column];
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(
            include_str!("../../sql/query/import_fields.sql"),
            &[Param::Oid(table.target), Param::Texts(&own)],
            Sees::Now,
            &mut |row| {
                let (Some(name), Some(type_oid), Some(type_name)) = (row.text(0), row.oid(1), row.text(3)) else {
                    return;
                };
                let number = |column| row.int(column).and_then(|number| i32::try_from(number).ok());
                let is_filled = filled.iter().any(|column| column.as_deref() == Some(name.as_str()));
                found.push(Field {
                    number: number(4).and_then(|number| i16::try_from(number).ok()).unwrap_or_default(),
                    type_oid,
                    modifier: number(2).unwrap_or(-1),
                    type_name,
                    must: row.bool(5) && !is_filled,
                    name,
                });
            },
        )
    });
    found
}

impl ImportTarget {
    /// 55000 for a table that is not prepared.
    pub(super) fn find(table: Table) -> ImportTarget {
        let keys: RefCell<Vec<MatchKey>> = RefCell::default();
        let (mut required, mut disqualified, mut found) = (Vec::new(), Vec::new(), false);
        as_extension(|| {
            sql::query(
                include_str!("../../sql/query/import_target.sql"),
                &[Param::Oid(table.target)],
                Sees::Now,
                &mut |row| {
                    found = true;
                    match (row.text(0).as_deref(), row.text(1), row.text(2)) {
                        (Some("key"), Some(name), Some(steps)) => {
                            keys.borrow_mut().push(MatchKey::parse(&name, &steps))
                        }
                        (Some("required"), Some(name), _) => required.push(name),
                        (Some("disqualified"), Some(value), _) => disqualified.push(value),
                        _ => {}
                    }
                },
            )
        });
        if !found {
            failure("55000", format!("{} is not prepared for imports", table.shown()))
                .hint("The table's owner calls leadguard.prepare_imports.")
                .raise();
        }
        let fields = fields(&table);
        let mut keys = keys.into_inner();
        // Ids are unique, whatever the match keys say.
        if !keys.iter().any(|key| key.columns == [table.id_column.clone()]) {
            keys.insert(0, MatchKey::parse(&table.id_column, "exact"));
        }
        let target = ImportTarget { table, fields, keys, required, disqualified };
        for column in target.keys.iter().flat_map(|key| &key.columns) {
            if !target.has(column) && *column != target.table.id_column {
                failure("55000", format!("{} has lost column \"{column}\", which a match key names", target.shown()))
                    .hint("The table's owner calls leadguard.prepare_imports again.")
                    .raise();
            }
        }
        target
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.fields.iter().any(|field| field.name == column)
    }

    pub(super) fn place(&self, column: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == column)
    }

    pub(super) fn mapped(&self, part: Part) -> Option<usize> {
        self.table.column(part).and_then(|column| self.place(column))
    }

    pub(super) fn shown(&self) -> String {
        self.table.shown()
    }

    /// The table itself, as SQL.
    pub(super) fn base(&self) -> String {
        names::shown(self.table.target)
    }

    pub(super) fn quoted(&self, place: usize) -> String {
        quote(&self.fields[place].name)
    }
}
