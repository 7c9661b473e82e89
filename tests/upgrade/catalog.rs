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

/// The extension's tables with their columns.
pub fn columns(admin: &mut Client) -> Vec<Vec<String>> {
    rows(
        admin,
        "SELECT c.oid::regclass::text, string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_class c \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relnamespace = 'leadguard'::regnamespace AND c.relkind = 'r' GROUP BY 1",
    )
}

/// What the extension's tables hold.
pub fn contents(admin: &mut Client) -> BTreeSet<String> {
    let all = columns(admin);
    contents_of(admin, &all)
}

/// What some columns of them hold. Keys and lives are random, and revisions only count.
pub fn contents_of(admin: &mut Client, columns: &[Vec<String>]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for table in columns {
        let list = match table[0].as_str() {
            "leadguard.secret" => "t.name",
            "leadguard.hierarchy_revision" => "t.hierarchy",
            "leadguard.audit_life" => "1",
            _ => &table[1],
        };
        for row in rows(admin, &format!("SELECT ROW({list})::text FROM {} AS t", table[0])) {
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
