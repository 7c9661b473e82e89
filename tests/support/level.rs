//! What the server really lets a connection see and do, found out by trying.

use crate::Db;
use crate::ask::{accepted, code, ids, rows, scalar};
use postgres::Client;
use std::collections::BTreeSet;

/// The leads that `who` sees in `crm.lead`, over a connection of its own.
#[track_caller]
pub fn leads(db: &Db, who: &str) -> BTreeSet<String> {
    ids(&mut db.connect(who), "SELECT id FROM crm.lead")
}

/// `level_in` for `crm.lead`, over a connection of its own.
#[track_caller]
pub fn level(db: &Db, who: &str, id: &str) -> &'static str {
    level_in(&mut db.connect(who), "crm.lead", id)
}

/// The level this connection has on a record of a table with columns `id` and `name`: "none", "read", "edit" or
/// "full". Every write is tried and rolled back; `can` must say the same.
#[track_caller]
pub fn level_in(client: &mut Client, table: &str, id: &str) -> &'static str {
    let found = if rows(client, &format!("SELECT 1 FROM {table} WHERE id = '{id}'")).is_empty() {
        "none"
    } else {
        let edit = may(client, &format!("UPDATE {table} SET name = name WHERE id = '{id}'"));
        let own = "(SELECT key FROM leadguard.whoami())";
        let full = may(client, &format!("PERFORM leadguard.share('{table}', '{id}', {own})"));
        match (edit, full) {
            (false, false) => "read",
            (true, false) => "edit",
            (true, true) => "full",
            (false, true) => panic!("record {id} of {table} may be shared but not updated"),
        }
    };
    let told = rows(
        client,
        &format!(
            "SELECT leadguard.can('read', '{table}', '{id}'), leadguard.can('update', '{table}', '{id}'),
                    leadguard.can('share', '{table}', '{id}')"
        ),
    );
    let expected = match found {
        "none" => ["f", "f", "f"],
        "read" => ["t", "f", "f"],
        "edit" => ["t", "t", "f"],
        _ => ["t", "t", "t"],
    };
    assert_eq!(
        told,
        vec![expected.map(str::to_string).to_vec()],
        "can() differs from what was possible ({found}) on {table} {id}"
    );
    found
}

/// A visible record is either changed or refused with 42501, never silently skipped.
#[track_caller]
fn may(client: &mut Client, sql: &str) -> bool {
    accepted(client, "BEGIN");
    let state = code(client, &format!("DO $do$ BEGIN {sql}; IF NOT FOUND THEN RAISE no_data_found; END IF; END $do$"));
    accepted(client, "ROLLBACK");
    match state.as_str() {
        "ok" => true,
        "42501" => false,
        other => panic!("42501 or success expected, got {other}\n{sql}"),
    }
}

/// A picture of the stored leads that changes with any write to them, even one that changes no value.
#[track_caller]
pub fn stored(admin: &mut Client, table: &str) -> String {
    scalar(
        admin,
        &format!("SELECT md5(string_agg(format('%s %s %s', ctid, xmin, xmax), ',' ORDER BY ctid)) FROM {table}"),
    )
}
