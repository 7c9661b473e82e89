//! The field matrix: what a role may do with a column, or with one key of a jsonb column.
//!
//! The best of the member's roles counts. A column is meant by its number and its name together: where only one of
//! the two matches, the column is not the one that the rule was made for, and is closed to everybody.

use std::collections::{BTreeMap, BTreeSet};

/// What a role may do with a field, in the words of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::enum_variant_names)]
pub enum Access {
    NoAccess,
    ReadOnly,
    Editor,
    Owner,
}

impl Access {
    pub fn parse(text: &str) -> Option<Access> {
        match text {
            "no access" => Some(Access::NoAccess),
            "read-only" => Some(Access::ReadOnly),
            "editor" => Some(Access::Editor),
            "owner" => Some(Access::Owner),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Access::NoAccess => "no access",
            Access::ReadOnly => "read-only",
            Access::Editor => "editor",
            Access::Owner => "owner",
        }
    }

    pub fn reads(self) -> bool {
        self > Access::NoAccess
    }

    pub fn writes(self) -> bool {
        self >= Access::Editor
    }
}

/// A column as a rule means it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound {
    /// None matches no column.
    pub number: Option<i16>,
    pub name: String,
}

impl Bound {
    /// Whether the rule was made for another column than the one that now has its number or its name.
    pub fn is_broken_by(&self, number: i16, name: &str) -> bool {
        (self.number == Some(number)) != (self.name == name)
    }
}

/// One cell; an empty key means the column.
#[derive(Debug, Clone)]
pub struct Cell {
    pub column: Bound,
    pub key: String,
    pub role: String,
    pub access: Access,
}

#[derive(Debug, Default)]
pub struct Matrix {
    /// By column and key.
    cells: BTreeMap<String, BTreeMap<String, Vec<(String, Access)>>>,
    bounds: BTreeSet<Bound>,
}

impl Matrix {
    pub fn new(cells: impl IntoIterator<Item = Cell>) -> Matrix {
        let mut matrix = Matrix::default();
        for Cell { column, key, role, access } in cells {
            matrix.cells.entry(column.name.clone()).or_default().entry(key).or_default().push((role, access));
            matrix.bounds.insert(column);
        }
        matrix
    }

    pub fn lists(&self, column: &str) -> bool {
        self.cells.contains_key(column)
    }

    /// Whether the column, or a key of it, is closed to some role.
    pub fn closes(&self, column: &str) -> bool {
        let cells = self.cells.get(column).into_iter().flat_map(BTreeMap::values).flatten();
        cells.into_iter().any(|(_, access)| !access.reads())
    }

    /// The keys of a jsonb column that have cells of their own.
    pub fn keys<'a>(&'a self, column: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.cells.get(column).into_iter().flat_map(BTreeMap::keys).map(String::as_str).filter(|key| !key.is_empty())
    }

    /// Whether a cell was made for another column than this one.
    pub fn is_broken_by(&self, number: i16, name: &str) -> bool {
        self.bounds.iter().any(|bound| bound.is_broken_by(number, name))
    }

    /// The cells that decide: those of the key where there are any, else those of the column.
    fn deciding(&self, column: &str, key: &str) -> Option<&[(String, Access)]> {
        let keys = self.cells.get(column)?;
        keys.get(key).or_else(|| keys.get("")).map(Vec::as_slice)
    }

    /// What the best of the roles may do; None where the matrix does not list the field.
    pub fn access(&self, column: &str, key: &str, roles: &[String]) -> Option<Access> {
        let cells = self.deciding(column, key)?;
        let held = cells.iter().filter(|(role, _)| roles.contains(role)).map(|(_, access)| *access);
        Some(held.max().unwrap_or(Access::ReadOnly))
    }

    /// The role that owns the field.
    pub fn owner(&self, column: &str, key: &str) -> Option<&str> {
        self.roles(column, key, |access| access == Access::Owner).next()
    }

    /// The roles that may write the field, its owner first.
    pub fn writers(&self, column: &str, key: &str) -> Vec<&str> {
        let mut writers: Vec<&str> = self.owner(column, key).into_iter().collect();
        writers.extend(self.roles(column, key, |access| access == Access::Editor));
        writers
    }

    fn roles(&self, column: &str, key: &str, which: fn(Access) -> bool) -> impl Iterator<Item = &str> {
        let cells = self.deciding(column, key).unwrap_or_default();
        cells.iter().filter(move |(_, access)| which(*access)).map(|(role, _)| role.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(number: i16, column: &str, key: &str, role: &str, access: Access) -> Cell {
        let column = Bound { number: Some(number), name: column.to_owned() };
        Cell { column, key: key.to_owned(), role: role.to_owned(), access }
    }

    fn roles(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    fn sample() -> Matrix {
        Matrix::new([
            cell(3, "source", "", "marketing", Access::Owner),
            cell(3, "source", "", "sales", Access::ReadOnly),
            cell(3, "source", "", "partner", Access::NoAccess),
            cell(7, "attrs", "", "sales", Access::Editor),
            cell(7, "attrs", "size", "marketing", Access::Owner),
        ])
    }

    #[test]
    fn the_best_role_counts() {
        let matrix = sample();
        let access = |names| matrix.access("source", "", &roles(names));
        assert_eq!(access("marketing"), Some(Access::Owner));
        assert_eq!(access("partner sales"), Some(Access::ReadOnly));
        assert_eq!(access("partner"), Some(Access::NoAccess));
        assert_eq!(access("partner other"), Some(Access::NoAccess));
    }

    #[test]
    fn a_role_without_a_cell_reads() {
        assert_eq!(sample().access("source", "", &roles("other")), Some(Access::ReadOnly));
        assert_eq!(sample().access("source", "", &[]), Some(Access::ReadOnly));
        assert_eq!(sample().access("email", "", &roles("marketing")), None);
    }

    #[test]
    fn a_key_without_cells_is_as_its_column() {
        let matrix = sample();
        assert_eq!(matrix.access("attrs", "size", &roles("sales")), Some(Access::ReadOnly));
        assert_eq!(matrix.access("attrs", "size", &roles("marketing")), Some(Access::Owner));
        assert_eq!(matrix.access("attrs", "colour", &roles("sales")), Some(Access::Editor));
        assert_eq!(matrix.keys("attrs").collect::<Vec<_>>(), ["size"]);
        let keys_only = Matrix::new([cell(7, "attrs", "size", "marketing", Access::Owner)]);
        assert_eq!(keys_only.access("attrs", "", &roles("sales")), None);
        assert_eq!(keys_only.access("attrs", "colour", &roles("sales")), None);
    }

    #[test]
    fn number_and_name_must_both_match() {
        let matrix = sample();
        assert!(!matrix.is_broken_by(3, "source"));
        assert!(!matrix.is_broken_by(9, "email"));
        assert!(matrix.is_broken_by(3, "origin"), "renamed");
        assert!(matrix.is_broken_by(9, "source"), "dropped and added again");
        let without_number =
            Cell { column: Bound { number: None, name: "x".into() }, ..cell(1, "x", "", "sales", Access::Owner) };
        assert!(Matrix::new([without_number]).is_broken_by(1, "x"));
    }

    #[test]
    fn writers_begin_with_the_owner() {
        let matrix = Matrix::new([
            cell(1, "stage", "", "sdr", Access::Editor),
            cell(1, "stage", "", "sales", Access::Owner),
            cell(1, "stage", "", "marketing", Access::ReadOnly),
        ]);
        assert_eq!(matrix.writers("stage", ""), ["sales", "sdr"]);
        assert_eq!(matrix.owner("stage", "x"), Some("sales"));
        assert!(matrix.writers("other", "").is_empty());
    }

    #[test]
    fn accesses_are_ordered_and_named() {
        assert!(Access::NoAccess < Access::ReadOnly && Access::ReadOnly < Access::Editor);
        for (text, reads, writes) in
            [("no access", false, false), ("read-only", true, false), ("editor", true, true), ("owner", true, true)]
        {
            let access = Access::parse(text).unwrap();
            assert_eq!((access.name(), access.reads(), access.writes()), (text, reads, writes));
        }
        assert_eq!(Access::parse("all"), None);
    }
}
