//! What is ruled about the fields of a protected table: the active matrix, valid values, transitions, tags, masks.
//!
//! Rules are those of a table, not of a member. They are read once and kept until the revision of what is
//! registered changes; `guard::fields` puts them to the roles of the member who writes.

mod load;
pub(crate) mod transition;

use crate::ffi::row::Attribute;
pub(crate) use crate::model::matrix::Access;
use crate::model::matrix::{Bound, Matrix};
use crate::visibility::state;
use pgrx::pg_sys::Oid;
use std::rc::Rc;
use transition::Transition;

/// The values that a field, or one key of a jsonb column, may have.
pub(crate) struct Valid {
    pub column: Bound,
    pub key: String,
    pub values: Vec<String>,
}

/// A namespace of tags and the role that adds and removes its tags.
pub(crate) struct Namespace {
    pub name: String,
    pub role: String,
}

/// A mask of a column, and the paths on which the column is shown in clear all the same.
pub(crate) struct Mask {
    pub column: Bound,
    pub clear_for: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Rules {
    pub matrix: Matrix,
    pub values: Vec<Valid>,
    pub transitions: Vec<Transition>,
    pub tags: Vec<Bound>,
    pub namespaces: Vec<Namespace>,
    pub masks: Vec<Mask>,
    /// Columns that the protection itself relies on have rules of their own.
    mapped: Vec<String>,
    closed_by_default: bool,
}

/// The rules of a protected table in the state that the running statement sees.
pub(crate) fn rules(target: Oid) -> Rc<Rules> {
    state::rules(target, || load::rules(target))
}

impl Rules {
    /// What the roles may do with a column, or with a key of it. The number is the one that the column has in the
    /// protected table itself, which may differ from its number in a partition.
    pub(crate) fn access(&self, number: i16, name: &str, key: &str, roles: &[String]) -> Access {
        if self.is_mapped(name) {
            return Access::Editor;
        }
        if self.is_broken_by(number, name) {
            return Access::NoAccess;
        }
        self.matrix.access(name, key, roles).unwrap_or_else(|| self.unlisted(name))
    }

    /// Fields that the matrix does not list follow the table's default. Tags are always ruled by their namespaces.
    fn unlisted(&self, name: &str) -> Access {
        let is_tags = self.tags.iter().any(|column| column.name == name);
        if self.closed_by_default && !is_tags { Access::NoAccess } else { Access::Editor }
    }

    pub(crate) fn is_mapped(&self, name: &str) -> bool {
        self.mapped.iter().any(|column| column == name)
    }

    /// Whether some rule was made for another column than the one that now has its number or its name.
    pub(crate) fn is_broken_by(&self, number: i16, name: &str) -> bool {
        self.matrix.is_broken_by(number, name)
            || self.values.iter().any(|valid| valid.column.is_broken_by(number, name))
            || self.transitions.iter().any(|transition| transition.column.is_broken_by(number, name))
            || self.tags.iter().any(|column| column.is_broken_by(number, name))
    }

    /// Whether a rule needs the column to be of another type than it is: keys need jsonb, tags text[].
    pub(crate) fn is_retyped(&self, attribute: &Attribute) -> bool {
        let name = attribute.name.as_str();
        let has_keys = self.matrix.keys(name).next().is_some()
            || self.values.iter().any(|valid| valid.column.name == name && !valid.key.is_empty());
        (has_keys && !attribute.is_jsonb()) || (self.has_tags(name) && !attribute.is_text_array())
    }

    pub(crate) fn has_tags(&self, name: &str) -> bool {
        self.tags.iter().any(|column| column.name == name)
    }

    /// Whether some rule names the column.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.matrix.lists(name)
            || self.values.iter().any(|valid| valid.column.name == name)
            || self.transitions.iter().any(|transition| transition.column.name == name)
            || self.has_tags(name)
    }

    /// The valid values of a field; None where every value is.
    pub(crate) fn valid(&self, name: &str, key: &str) -> Option<&[String]> {
        let valid = self.values.iter().find(|valid| valid.column.name == name && valid.key == key)?;
        Some(&valid.values)
    }

    /// Keys of a jsonb column that some rule names.
    pub(crate) fn keys(&self, name: &str) -> Vec<String> {
        let mut keys: Vec<String> = self.matrix.keys(name).map(str::to_owned).collect();
        let valued = self.values.iter().filter(|valid| valid.column.name == name && !valid.key.is_empty());
        keys.extend(valued.map(|valid| valid.key.clone()));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.iter().find(|namespace| namespace.name == name)
    }
}
