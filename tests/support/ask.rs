//! Short questions to a connection. Everything goes through the simple protocol, so a text may hold several
//! statements and every value comes back as Postgres prints it.

use postgres::error::DbError;
use postgres::{Client, SimpleQueryMessage};
use std::collections::BTreeSet;

/// How NULL is shown among the texts of `rows`.
const NULL: &str = "∅";

/// All rows of `sql`, every column as text, NULL as "∅".
#[track_caller]
pub fn rows(client: &mut Client, sql: &str) -> Vec<Vec<String>> {
    run(client, sql).unwrap_or_else(|e| panic!("{}\n{}", describe(&e), shown(sql))).0
}

/// The single value of `sql`.
#[track_caller]
pub fn scalar(client: &mut Client, sql: &str) -> String {
    let found = rows(client, sql);
    assert!(found.len() == 1 && found[0].len() == 1, "one value expected, got {found:?}\n{sql}");
    found[0][0].clone()
}

/// The first column of `sql` as a set; a value that comes twice is an error, because a visible row never does.
#[track_caller]
pub fn ids(client: &mut Client, sql: &str) -> BTreeSet<String> {
    let found = rows(client, sql);
    let set: BTreeSet<String> = found.iter().map(|row| row[0].clone()).collect();
    assert_eq!(set.len(), found.len(), "a value comes twice in {found:?}\n{sql}");
    set
}

/// The set that `ids` is compared with: `set("1 2 3")`.
pub fn set(values: &str) -> BTreeSet<String> {
    values.split_whitespace().map(str::to_string).collect()
}

/// "ok" or the SQLSTATE.
#[track_caller]
pub fn code(client: &mut Client, sql: &str) -> String {
    match run(client, sql) {
        Ok(_) => "ok".to_string(),
        Err(e) => match e.code() {
            Some(state) => state.code().to_string(),
            None => panic!("connection failed: {e}\n{sql}"),
        },
    }
}

/// Asserts that `sql` fails with `sqlstate` and returns the error for its message, detail and hint.
#[track_caller]
pub fn refused(client: &mut Client, sql: &str, sqlstate: &str) -> DbError {
    match run(client, sql) {
        Ok((found, count)) => panic!("{sqlstate} expected, but it succeeded: {count} rows affected, {found:?}\n{sql}"),
        Err(e) => {
            let Some(error) = e.as_db_error() else { panic!("connection failed: {e}\n{sql}") };
            assert_eq!(error.code().code(), sqlstate, "{}\n{sql}", describe(&e));
            error.clone()
        }
    }
}

/// Asserts that `sql` succeeds and returns the affected or returned rows of its last statement.
#[track_caller]
pub fn accepted(client: &mut Client, sql: &str) -> u64 {
    run(client, sql).unwrap_or_else(|e| panic!("{}\n{}", describe(&e), shown(sql))).1
}

/// Like `accepted`, inside a transaction that is rolled back: may this be done, without doing it?
#[track_caller]
pub fn allowed(client: &mut Client, sql: &str) -> u64 {
    accepted(client, "BEGIN");
    let count = run(client, sql);
    accepted(client, "ROLLBACK");
    count.unwrap_or_else(|e| panic!("{}\n{}", describe(&e), shown(sql))).1
}

fn run(client: &mut Client, sql: &str) -> Result<(Vec<Vec<String>>, u64), postgres::Error> {
    let mut found = Vec::new();
    let mut count = 0;
    for message in client.simple_query(sql)? {
        match message {
            SimpleQueryMessage::Row(row) => {
                found.push((0..row.len()).map(|i| row.get(i).unwrap_or(NULL).to_string()).collect())
            }
            SimpleQueryMessage::CommandComplete(n) => count = n,
            _ => {}
        }
    }
    Ok((found, count))
}

/// A failing fixture would otherwise print itself whole.
fn shown(sql: &str) -> &str {
    sql.char_indices().nth(800).map_or(sql, |(end, _)| &sql[..end])
}

fn describe(error: &postgres::Error) -> String {
    match error.as_db_error() {
        None => format!("{error:?}"),
        Some(e) => {
            let mut text = format!("{}: {}", e.code().code(), e.message());
            for (label, part) in [("DETAIL", e.detail()), ("HINT", e.hint()), ("WHERE", e.where_())] {
                if let Some(part) = part {
                    text.push_str(&format!("\n{label}: {part}"));
                }
            }
            text
        }
    }
}
