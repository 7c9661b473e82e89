//! The cast of most tests and small ways to change it.

use crate::Db;
use crate::ask::{accepted, scalar};
use postgres::Client;
use std::path::PathBuf;

/// Keys of everybody in `org.sql`.
const CAST: [&str; 17] = [
    "ceo", "vp", "vp2", "mona", "alice", "anton", "viewer", "bob", "carl", "tina", "tom", "ted", "tess", "bea", "amy",
    "loner", "admin",
];

/// Members, login roles and territories of `org.sql`, no table yet.
pub fn people(db: &Db) {
    for key in CAST {
        db.create_role(key);
    }
    let mut admin = db.admin();
    accepted(&mut admin, include_str!("org.sql"));
}

/// The whole cast and the table `crm.lead` of `leads.sql`, not protected yet.
pub fn lead_table(db: &Db) {
    people(db);
    accepted(&mut db.admin(), include_str!("leads.sql"));
}

/// The same, protected: the rules of sales_hierarchy over owner and territory, with an archive.
pub fn org(db: &Db) {
    lead_table(db);
    accepted(
        &mut db.admin(),
        "SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id',
             archived_at => 'archived_at', archived_by => 'archived_by')",
    );
}

/// Adds a member with a login role of the same short name, below `manager` unless that is empty.
pub fn enlist(db: &Db, key: &str, manager: &str) {
    let role = db.create_role(key);
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.member (key, name, manager_id, db_role)
             VALUES ('{key}', initcap('{key}'), (SELECT id FROM leadguard.member WHERE key = '{manager}'), '{role}')"
        ),
    );
}

/// Moves member `key` below `manager`; with an empty `manager`, to the top.
pub fn place(admin: &mut Client, key: &str, manager: &str) {
    accepted(
        admin,
        &format!(
            "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = '{manager}') WHERE key = '{key}'"
        ),
    );
}

/// Id of the member with this key, seen by a superuser.
pub fn member(admin: &mut Client, key: &str) -> i64 {
    id(admin, "member", key)
}

/// Id of the territory with this key.
pub fn territory(admin: &mut Client, key: &str) -> i64 {
    id(admin, "territory", key)
}

fn id(admin: &mut Client, table: &str, key: &str) -> i64 {
    scalar(admin, &format!("SELECT id FROM leadguard.{table} WHERE key = '{key}'")).parse().expect("an id is a number")
}

/// The folder with the CSV files of real companies: `LEADGUARD_DATA`, or `../shared/data` beside the repository.
/// Without it the tests on real input skip, and say so.
pub fn shared_data() -> Option<PathBuf> {
    let path = std::env::var_os("LEADGUARD_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    println!(
        "skipped: no real data in {} (set LEADGUARD_DATA to the folder with maven-crm and olist-funnel)",
        path.display()
    );
    None
}
