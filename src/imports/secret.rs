//! Match keys over columns that are masked or closed. Whoever guesses values, and reads what a check says about them,
//! must not learn whose they are; nor that they are there, where the column is closed to him.

use super::target::{ImportTarget, MatchKey};
use crate::ffi::scan::attribute_number;
use crate::fields::{self, Rules};
use crate::visibility::{Member, Table};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Secrecy {
    Open,
    /// Masked for anybody: which record it is, is told to nobody.
    Masked,
    /// Closed to the member: compared by the commit only, which says no more than that there is one.
    Closed,
}

/// For each match key, for the member.
pub(super) fn of_keys(target: &ImportTarget, member: &Member) -> Vec<Secrecy> {
    let rules = fields::rules(target.table.target);
    let of =
        |key: &MatchKey| key.columns.iter().map(|column| of_column(&target.table, &rules, column, &member.roles)).max();
    target.keys.iter().map(|key| of(key).unwrap_or(Secrecy::Open)).collect()
}

fn of_column(table: &Table, rules: &Rules, column: &str, roles: &[String]) -> Secrecy {
    let number = attribute_number(table.target, column);
    let reads = |key: &str| rules.access(number, column, key, roles).reads();
    let is_broken = rules.masks.iter().any(|mask| mask.column.is_broken_by(number, column));
    if number <= 0 || is_broken || !reads("") || !rules.keys(column).iter().all(|key| reads(key)) {
        Secrecy::Closed
    } else if rules.masks.iter().any(|mask| mask.column.name == column) {
        Secrecy::Masked
    } else {
        Secrecy::Open
    }
}

/// The columns that are masked, or not for every role.
pub(super) fn secret_columns<'a>(table: &Table, columns: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let rules = fields::rules(table.target);
    let is_secret =
        |column: &&String| rules.matrix.closes(column) || of_column(table, &rules, column, &[]) > Secrecy::Open;
    let mut found: Vec<&str> = columns.filter(is_secret).map(String::as_str).collect();
    found.sort_unstable();
    found.dedup();
    found
}
