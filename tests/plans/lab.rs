//! The book of business that the planner is asked about, and short questions about plans.

use leadguard_tests::{Client, Db, accepted, rows, scalar};
use postgres::SimpleQueryMessage;

/// Members of `book.sql` with a login of their own, from narrow to wide.
pub const LOGINS: [&str; 8] = ["guest1", "rep1", "rep2", "scout", "mgr1", "dir1", "top", "root"];

/// A fresh database with `book.sql` and a trusted connector `app`.
pub fn book(name: &str) -> Db {
    let db = Db::new(name);
    for key in LOGINS {
        db.create_role(key);
    }
    let app = db.create_role("app");
    let mut admin = db.admin();
    accepted(&mut admin, include_str!("book.sql"));
    accepted(&mut admin, &format!("SELECT leadguard.connector('{app}', 'trusted')"));
    accepted(&mut admin, "VACUUM ANALYZE crm.lead");
    db
}

/// The plan as EXPLAIN (COSTS OFF) prints it.
#[track_caller]
pub fn plan(c: &mut Client, sql: &str) -> String {
    lines(c, &format!("EXPLAIN (COSTS OFF) {sql}"))
}

/// The output of an EXPLAIN.
#[track_caller]
pub fn lines(c: &mut Client, sql: &str) -> String {
    rows(c, sql).into_iter().map(|row| row[0].clone()).collect::<Vec<_>>().join("\n")
}

/// The nodes of a plan with their tables and indexes, without conditions: equal for two plans of the same shape.
#[track_caller]
pub fn nodes(c: &mut Client, sql: &str) -> Vec<String> {
    let is_detail = |line: &str| {
        let text = line.trim_start();
        !text.starts_with("->") && line.starts_with(' ')
    };
    plan(c, sql)
        .lines()
        .filter(|l| !is_detail(l))
        .map(|l| l.trim_start().trim_start_matches("->").trim().into())
        .collect()
}

/// Asserts that a plan contains all of `wanted` and nothing of `unwanted`.
#[track_caller]
pub fn assert_plan(c: &mut Client, sql: &str, wanted: &[&str], unwanted: &[&str]) {
    let plan = plan(c, sql);
    for text in wanted {
        assert!(plan.contains(text), "{text:?} expected\n{sql}\n{plan}");
    }
    for text in unwanted {
        assert!(!plan.contains(text), "{text:?} not expected\n{sql}\n{plan}");
    }
}

/// How many rows of `table` a superuser finds that the policy should let `key` see: own, those below, those of the
/// territories that the member or anyone below owns or belongs to. No grants, no privileges.
#[track_caller]
pub fn reached(db: &Db, key: &str, table: &str) -> String {
    let mut admin = db.admin();
    accepted(&mut admin, "SET jit = off"); // which the guessed cost of recursion would call for
    scalar(&mut admin, &format!("SELECT count(*) FROM {table} WHERE {}", reach(key)))
}

/// That rule as a condition of SQL on `owner_id` and `territory_id`, from the edges alone.
pub fn reach(key: &str) -> String {
    format!(
        "(owner_id IN ({below}) OR territory_id IN (
            WITH RECURSIVE held AS (
                SELECT id FROM leadguard.territory WHERE owner_id IN ({below})
                UNION SELECT territory_id FROM leadguard.territory_member WHERE member_id IN ({below})
                UNION SELECT t.id FROM leadguard.territory AS t JOIN held AS h ON t.parent_id = h.id)
            SELECT id FROM held))",
        below = below(key)
    )
}

/// The member and everyone below, from the edges alone.
pub fn below(key: &str) -> String {
    format!(
        "WITH RECURSIVE below AS (
            SELECT id FROM leadguard.member WHERE key = '{key}' AND active
            UNION SELECT m.id FROM leadguard.member AS m JOIN below AS b ON m.manager_id = b.id)
         SELECT id FROM below"
    )
}

/// Opens a transaction of a connector as a member.
#[track_caller]
pub fn begin_as(c: &mut Client, key: &str) {
    accepted(c, &format!("BEGIN; SELECT leadguard.act_as('{key}')"));
}

/// One value, asked as a member in a transaction of its own.
#[track_caller]
pub fn as_member(c: &mut Client, key: &str, sql: &str) -> String {
    begin_as(c, key);
    let value = scalar(c, sql);
    accepted(c, "COMMIT");
    value
}

/// The last value that a string of several statements returns (empty without any row).
#[track_caller]
pub fn last(c: &mut Client, sql: &str) -> String {
    let messages = c.simple_query(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let mut value = String::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            value = row.get(0).unwrap_or("∅").to_string();
        }
    }
    value
}
