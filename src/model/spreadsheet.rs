//! A field matrix as people see it: fields as rows, roles as columns, one of four words in a cell.

use std::collections::{BTreeMap, BTreeSet};

/// What a cell may say.
pub const ACCESS: [&str; 4] = ["owner", "editor", "read-only", "no access"];

/// The head of the first column of a CSV.
const FIELD: &str = "field";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A word that is none of the four.
    UnknownAccess { field: String, role: String, access: String },
    /// Two roles would own one field.
    TwoOwners { field: String, first: String, second: String },
    /// The text is no matrix at all.
    Malformed(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    rows: BTreeMap<String, BTreeMap<String, &'static str>>,
}

impl Sheet {
    pub fn set(&mut self, field: &str, role: &str, access: &str) -> Result<(), Problem> {
        let Some(access) = ACCESS.iter().find(|known| **known == access) else {
            let (field, role, access) = (field.to_owned(), role.to_owned(), access.to_owned());
            return Err(Problem::UnknownAccess { field, role, access });
        };
        let row = self.rows.entry(field.to_owned()).or_default();
        let owner = row.iter().find(|(other, held)| **held == "owner" && other.as_str() != role);
        if let (Some((other, _)), "owner") = (owner, *access) {
            let (field, first, second) = (field.to_owned(), other.clone(), role.to_owned());
            return Err(Problem::TwoOwners { field, first, second });
        }
        row.insert(role.to_owned(), access);
        Ok(())
    }

    /// Field, role and access of every cell.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &str, &'static str)> {
        self.rows
            .iter()
            .flat_map(|(field, row)| row.iter().map(move |(role, access)| (field.as_str(), role.as_str(), *access)))
    }

    pub fn rows(&self) -> &BTreeMap<String, BTreeMap<String, &'static str>> {
        &self.rows
    }

    fn roles(&self) -> BTreeSet<&str> {
        self.cells().map(|(_, role, _)| role).collect()
    }

    /// Reads a CSV whose first line is `field,role,role,...`; an empty cell says nothing.
    pub fn from_csv(text: &str) -> Result<Sheet, Problem> {
        let malformed = |what: String| Problem::Malformed(what);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let head = reader.headers().map_err(|e| malformed(e.to_string()))?.clone();
        if head.get(0) != Some(FIELD) {
            return Err(malformed(format!("the first column must be called \"{FIELD}\"")));
        }
        let roles: Vec<&str> = head.iter().skip(1).map(str::trim).collect();
        let distinct: BTreeSet<&&str> = roles.iter().collect();
        if distinct.len() != roles.len() {
            return Err(malformed("a role has two columns".to_owned()));
        }
        let mut sheet = Sheet::default();
        let mut seen = BTreeSet::new();
        for record in reader.records() {
            let record = record.map_err(|e| malformed(e.to_string()))?;
            let field = record.get(0).unwrap_or_default();
            if !seen.insert(field.to_owned()) {
                return Err(malformed(format!("field \"{field}\" has two lines")));
            }
            for (role, access) in roles.iter().zip(record.iter().skip(1)) {
                if !access.trim().is_empty() {
                    sheet.set(field, role, access.trim())?;
                }
            }
        }
        Ok(sheet)
    }

    /// The same text that `from_csv` reads.
    pub fn to_csv(&self) -> String {
        let roles = self.roles();
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory does not fail, and every record has one entry for each column.
        let _ = writer.write_record(std::iter::once(FIELD).chain(roles.iter().copied()));
        for (field, row) in &self.rows {
            let cells = roles.iter().map(|role| row.get(*role).copied().unwrap_or_default());
            let _ = writer.write_record(std::iter::once(field.as_str()).chain(cells));
        }
        writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_comes_back() {
        let mut sheet = Sheet::default();
        for (field, role, access) in [
            ("source", "marketing", "owner"),
            ("source", "sales", "read-only"),
            ("attrs.a,b\"c\nd", "sales", "editor"),
            ("ünï", "a,role", "no access"),
        ] {
            sheet.set(field, role, access).unwrap();
        }
        assert_eq!(Sheet::from_csv(&sheet.to_csv()), Ok(sheet));
    }

    #[test]
    fn one_owner_for_each_field() {
        let mut sheet = Sheet::default();
        sheet.set("f", "a", "owner").unwrap();
        sheet.set("f", "a", "owner").unwrap();
        assert!(matches!(sheet.set("f", "b", "owner"), Err(Problem::TwoOwners { .. })));
        sheet.set("g", "b", "owner").unwrap();
        sheet.set("f", "a", "editor").unwrap();
        sheet.set("f", "b", "owner").unwrap();
    }

    #[test]
    fn what_is_no_matrix() {
        for text in
            ["", "role,field\n", "field,a,a\nx,owner,owner\n", "field,a\nx,owner\nx,editor\n", "field,a\nx,owner,b\n"]
        {
            assert!(matches!(Sheet::from_csv(text), Err(Problem::Malformed(_))), "{text}");
        }
        assert!(matches!(Sheet::from_csv("field,a\nx,Owner\n"), Err(Problem::UnknownAccess { .. })));
        assert_eq!(Sheet::from_csv("\u{feff}field,a\nx,\n"), Ok(Sheet::default()));
    }
}
