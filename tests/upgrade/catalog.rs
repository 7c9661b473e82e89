//! What the extension declares in a database, as lines.

use leadguard_tests::*;
use std::collections::BTreeSet;

/// Everything in the catalog that is the extension's: one line for each fact.
pub fn catalog(admin: &mut Client) -> BTreeSet<String> {
    if rows(
        admin,
        "SELECT to_regprocedure('pg_temp.owner(oid)') WHERE to_regprocedure('pg_temp.owner(oid)') IS NOT NULL",
    )
    .is_empty()
    {
        accepted(admin, include_str!("catalog_helpers.sql"));
    }
    rows(admin, include_str!("catalog.sql")).into_iter().map(|line| line.join(": ")).collect()
}

/// What the extension's tables hold.
pub fn contents(admin: &mut Client) -> BTreeSet<String> {
    let tables = rows(
        admin,
        "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'leadguard'::regnamespace AND relkind = 'r'",
    );
    let mut found = BTreeSet::new();
    for table in tables {
        for row in rows(admin, &format!("SELECT t::text FROM {} AS t", table[0])) {
            found.insert(format!("{}: {}", table[0], row[0]));
        }
    }
    found
}

/// Asserts that two sets of lines are one.
#[track_caller]
pub fn equal(found: &BTreeSet<String>, expected: &BTreeSet<String>, what: &str) {
    let lines = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>().join("\n  ");
    assert!(
        found == expected,
        "{what}\nonly here:\n  {}\nmissing:\n  {}",
        lines(found, expected),
        lines(expected, found)
    );
}
