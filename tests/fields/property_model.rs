//! What the field rules allow, said once more and in another way than leadguard does: for each field of a row the old
//! and the new value as JSON, and a list of fields that are written.

use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

pub const COLUMNS: [&str; 7] = ["t1", "t2", "n1", "n2", "j1", "j2", "tags"];
pub const KEYS: [&str; 3] = ["k1", "k2", "k3"];

/// Texts by column; None is NULL.
pub type Row = BTreeMap<&'static str, Option<String>>;

#[derive(Debug, Default)]
pub struct Rules {
    /// Field, role, access.
    pub cells: Vec<(String, String, String)>,
    pub closed: bool,
    pub roles: Vec<String>,
    /// Of t1: from, to, role.
    pub transitions: Vec<(Option<String>, String, Option<String>)>,
    /// Of t2.
    pub valid: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Verdict {
    refused: bool,
    invalid: bool,
}

impl Rules {
    /// 0 no access, 1 read-only, 2 editor, 3 owner.
    fn access(&self, column: &str, key: Option<&str>) -> u8 {
        let of =
            |field: &str| -> Vec<&(String, String, String)> { self.cells.iter().filter(|c| c.0 == field).collect() };
        let mut cells = key.map(|key| of(&format!("{column}.{key}"))).unwrap_or_default();
        if cells.is_empty() {
            cells = of(column);
        }
        if cells.is_empty() {
            return if self.closed && column != "tags" { 0 } else { 2 };
        }
        let worth = |access: &str| {
            ["no access", "read-only", "editor", "owner"].iter().position(|a| *a == access).unwrap() as u8
        };
        cells.iter().filter(|c| self.roles.contains(&c.1)).map(|c| worth(&c.2)).max().unwrap_or(1)
    }

    fn listed(&self, column: &str) -> Vec<&'static str> {
        let has = |key: &str| self.cells.iter().any(|c| c.0 == format!("{column}.{key}"));
        KEYS.into_iter().filter(|key| has(key)).collect()
    }

    /// The keys of a value, if it is an object or nothing.
    fn keys(value: &Option<String>) -> Option<BTreeMap<String, Json>> {
        let Some(text) = value else { return Some(BTreeMap::new()) };
        match serde_json::from_str(text).unwrap() {
            Json::Object(object) => Some(object.into_iter().collect()),
            _ => None,
        }
    }

    /// Whether every part of the column that differs may be written, and none was given unseen by a statement that names
    /// the column.
    fn may_write(
        &self,
        column: &str,
        old: &Option<String>,
        new: &Option<String>,
        given: Option<&Option<String>>,
    ) -> bool {
        let whole = self.access(column, None);
        let listed = self.listed(column);
        if listed.is_empty() || !column.starts_with('j') {
            return whole >= 2 || (old == new && !(given.is_some() && whole == 0));
        }
        let (before, after) = (Rules::keys(old), Rules::keys(new));
        let mut parts: BTreeSet<Option<String>> = BTreeSet::new();
        if old != new {
            match (&before, &after) {
                (Some(before), Some(after)) => {
                    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                    parts.extend(all.into_iter().filter(|k| before.get(*k) != after.get(*k)).map(|k| Some(k.clone())));
                    if parts.is_empty() {
                        parts.insert(None);
                    }
                }
                _ => {
                    parts.insert(None);
                    parts.extend(listed.iter().map(|k| Some(k.to_string())));
                }
            }
        }
        let given = given.and_then(Rules::keys).unwrap_or_default();
        parts.extend(given.into_keys().filter(|key| self.access(column, Some(key)) == 0).map(Some));
        parts.iter().all(|key| self.access(column, key.as_deref()) >= 2)
    }

    /// Keys that the member cannot see stay where a statement names their column and leaves them out. To him nothing and
    /// an object without keys are the same.
    pub fn kept(&self, old: &Row, new: &Row, named: &[&'static str]) -> Row {
        let mut row = new.clone();
        for column in named.iter().filter(|c| c.starts_with('j') && !self.listed(c).is_empty()) {
            let (Some(before), Some(mut after)) = (Rules::keys(&old[column]), Rules::keys(&new[column])) else {
                continue;
            };
            let missing: Vec<_> = before
                .into_iter()
                .filter(|(k, _)| self.access(column, Some(k)) == 0 && !after.contains_key(k))
                .collect();
            let hides =
                self.access(column, None) == 0 || self.listed(column).iter().any(|k| self.access(column, Some(k)) == 0);
            if hides && after.is_empty() && old[column].as_deref().is_none_or(|old| old == "{}") {
                row.insert(column, old[column].clone());
            } else if !missing.is_empty() || (hides && new[column].is_none()) {
                after.extend(missing);
                let parts: Vec<String> = after.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
                *row.get_mut(column).unwrap() = Some(format!("{{{}}}", parts.join(", ")));
            }
        }
        row
    }

    /// A new row with the defaults of the columns that are empty and not the member's to leave so.
    pub fn filled(&self, defaults: &Row, new: &Row) -> Row {
        let mut row = new.clone();
        for column in COLUMNS.iter().filter(|c| new[**c].is_none()) {
            if !self.may_write(column, &defaults[column], &None, None) {
                row.insert(column, defaults[column].clone());
            }
        }
        row
    }

    fn may_tag(&self, old: &Option<String>, new: &Option<String>) -> bool {
        let set = |tags: &Option<String>| -> BTreeSet<String> {
            let text = tags.as_deref().unwrap_or("{}").trim_matches(['{', '}']).to_string();
            text.split(',').filter(|t| !t.is_empty()).map(str::to_string).collect()
        };
        let (old, new) = (set(old), set(new));
        old.symmetric_difference(&new).all(|tag| match &tag[..2] {
            "m:" => self.roles.contains(&"marketing".to_string()),
            "s:" => self.roles.contains(&"sales".to_string()),
            _ => false,
        })
    }

    fn may_go(&self, from: &Option<String>, to: &Option<String>) -> bool {
        self.transitions.is_empty()
            || self.transitions.iter().any(|(f, t, role)| {
                f == from && Some(t) == to.as_ref() && role.as_ref().is_none_or(|role| self.roles.contains(role))
            })
    }

    fn is_valid(&self, value: &Option<String>) -> bool {
        self.valid.is_empty() || value.as_ref().is_none_or(|value| self.valid.contains(value))
    }
}

impl Verdict {
    pub fn update(&mut self, rules: &Rules, old: &Row, new: &Row, given: &Row, named: &[&str]) {
        for column in COLUMNS {
            let (before, after) = (&old[column], &new[column]);
            self.refused |=
                !rules.may_write(column, before, after, given.get(column).filter(|_| named.contains(&column)));
            self.refused |= column == "tags" && !rules.may_tag(before, after);
            self.refused |= column == "t1" && before != after && !rules.may_go(before, after);
            self.invalid |= column == "t2" && before != after && !rules.is_valid(after);
        }
    }

    /// A new row: defaults are nobody's, and a column that stays empty has no value to be judged.
    pub fn insert(&mut self, rules: &Rules, defaults: &Row, new: &Row) {
        for column in COLUMNS {
            let (default, after) = (&defaults[column], &new[column]);
            self.refused |= !rules.may_write(column, default, after, None);
            if after.is_none() {
                continue;
            }
            self.refused |= column == "tags" && !rules.may_tag(default, after);
            self.refused |= column == "t1" && default != after && !rules.may_go(&None, after);
            self.invalid |= column == "t2" && !rules.is_valid(after);
        }
    }

    pub fn accepts(&self, sqlstate: &str) -> bool {
        match sqlstate {
            "42501" => self.refused,
            "23514" => self.invalid,
            other => other == "ok" && !self.refused && !self.invalid,
        }
    }
}
