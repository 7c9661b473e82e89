//! Dumps of updated databases, and of databases that are updated by dump and restore.

use crate::catalog::{catalog, equal};
use crate::company::{WHO, found, picture, rules_hold, tables};
use crate::released::{current, installed, old, update, versions};
use leadguard_tests::*;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// A file that goes when the test ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !errors.contains("ERROR"), "{command:?}\n{errors}");
}

#[track_caller]
fn dump(db: &Db) -> Scratch {
    let file = Scratch(std::env::temp_dir().join(format!("{}.dump", db.name())));
    run(db.tool("pg_dump", "postgres").args(["-d", db.name(), "-f"]).arg(&file.0));
    file
}

/// Restores into a new database, whose logins are those of `db`.
#[track_caller]
fn comes_back(db: &Db) -> Db {
    let file = dump(db);
    let copy = Db::bare("upgrade_copy");
    run(copy.tool("psql", "postgres").args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", copy.name(), "-f"]).arg(&file.0));
    let mut admin = copy.admin();
    assert_eq!(installed(&mut admin), current(&mut admin));
    for who in WHO {
        for (name, sql) in tables(who) {
            let seen = |database: &str| ids(&mut server().connect(&db.role(who), database), &sql);
            assert_eq!(seen(copy.name()), seen(db.name()), "{name}");
        }
    }
    copy
}

/// What a dump says, apart from the order of rows, random keys, and the random mark of newer versions.
fn lines(file: &Scratch) -> BTreeSet<String> {
    let text = std::fs::read_to_string(&file.0).expect("the dump is text");
    text.lines()
        .filter(|l| !l.starts_with("\\restrict") && !l.starts_with("\\unrestrict"))
        .map(|l| l.split_once("\t\\\\x").map_or(l, |(name, _)| name).to_string())
        .collect()
}

#[test]
fn an_updated_database_is_dumped_and_restored() {
    for version in versions() {
        let db = old("upgrade_dump", version);
        found(&db);
        let expected = picture(&db);
        update(&mut db.admin());
        let copy = comes_back(&db);
        equal(&lines(&dump(&copy)), &lines(&dump(&db)), version);
        assert_eq!(picture(&db), expected);
        rules_hold(&db);
    }
}

// The other way to the current version: what the old one dumped is restored on a server that has only the current.
#[test]
fn an_old_dump_is_restored_into_the_current_version() {
    let fresh = catalog(&mut Db::new("upgrade_fresh").admin());
    for version in versions() {
        let db = old("upgrade_old_dump", version);
        found(&db);
        let copy = comes_back(&db);
        equal(&catalog(&mut copy.admin()), &fresh, version);
        update(&mut db.admin());
        equal(&lines(&dump(&copy)), &lines(&dump(&db)), version);
    }
}

// Months of the audit: what they were attached to is a view now. The restore says so and goes on, and audit_partitions
// attaches them.
#[test]
fn months_of_an_old_dump_become_partitions() {
    let db = old("upgrade_months", "0.4.0");
    let mut admin = db.admin();
    accepted(&mut admin, "SELECT leadguard.audit_partitions(1)");
    found(&db);
    let log = "SELECT string_agg(concat_ws(' ', id, at, transaction, record, action, changes, encode(mac, 'hex')), ' ' ORDER BY at, id) FROM leadguard.audit_log";
    let before = scalar(&mut admin, log);
    assert_ne!(before, "∅");
    let file = dump(&db);
    let copy = Db::bare("upgrade_months_copy");
    let output =
        copy.tool("psql", "postgres").args(["-Xq", "-d", copy.name(), "-f"]).arg(&file.0).output().expect("psql runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<&str> = errors.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors.iter().all(|e| e.contains("ALTER action ATTACH PARTITION cannot be performed")
            || e.contains("audit_log\" is not a table")),
        "{errors:?}"
    );
    let mut there = copy.admin();
    let made = rows(&mut there, "SELECT count(*) FROM leadguard.audit_partitions(1) WHERE made");
    assert_eq!(made, [["2"]]);
    assert_eq!(scalar(&mut there, log), before);
    let sound =
        "SELECT (SELECT count(*) FROM leadguard.audit_verify()) + (SELECT count(*) FROM leadguard.verify_audit())";
    assert_eq!(scalar(&mut there, sound), "0");
    assert_eq!(rows(&mut there, "SELECT count(*) FROM leadguard.audit_partitions(1) WHERE made"), [["0"]]);
    assert_ne!(scalar(&mut there, "SELECT count(*) FROM leadguard.seal_audit()"), "0");
    assert_eq!(scalar(&mut there, sound), "0");
}
