//! The seals in a database that was restored from a dump: transactions have other numbers there.

use crate::audited_by_months;
use crate::seals::{holds, problems, seal};
use leadguard_tests::*;
use std::process::Command;

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !errors.contains("ERROR"), "{command:?}\n{errors}");
}

fn restored(db: &Db, name: &str) -> Db {
    let file = std::env::temp_dir().join(format!("{}.dump", db.name()));
    run(db.tool("pg_dump", "postgres").args(["-d", db.name(), "-F", "c", "-f"]).arg(&file));
    let copy = Db::bare(name);
    run(copy.tool("pg_restore", "postgres").args(["-d", copy.name()]).arg(&file));
    let _ = std::fs::remove_file(&file);
    copy
}

fn change(admin: &mut Client, name: &str) {
    accepted(admin, &format!("UPDATE crm.lead SET name = '{name}' WHERE id < 4"));
}

#[test]
fn k48_a_restored_chain_verifies_and_goes_on() {
    for months in [0, 1] {
        let db = audited_by_months("au_seal_dump", months);
        let mut admin = db.admin();
        seal(&mut admin);
        change(&mut admin, "a");
        seal(&mut admin);
        change(&mut admin, "not sealed");
        let copy = restored(&db, "au_seal_copy");
        let mut there = copy.admin();
        holds(&mut there);
        change(&mut there, "there");
        holds(&mut there);
        // What the dump had not sealed comes into the first seal of the new life.
        assert_eq!(seal(&mut there), 6);
        holds(&mut there);
        change(&mut there, "on");
        assert_eq!(seal(&mut there), 3);
        assert_eq!(seal(&mut there), 0);
        holds(&mut there);
        assert_eq!(scalar(&mut there, "SELECT count(DISTINCT life) FROM leadguard.audit_seal"), "2");
        // The first one goes its own way.
        change(&mut admin, "here");
        assert_eq!(seal(&mut admin), 6);
        holds(&mut admin);
        // Restored again, which is a third life.
        change(&mut there, "tail");
        let third = restored(&copy, "au_seal_third");
        let mut third = third.admin();
        assert_eq!(seal(&mut third), 3);
        holds(&mut third);
        for (number, sql) in [
            (1, "SELECT min(id) FROM leadguard.audit_log WHERE action = 'update'"),
            (5, "SELECT max(id) FROM leadguard.audit_log"),
        ] {
            let text = "ALTER TABLE leadguard.audit_entry_value DISABLE TRIGGER ALL;";
            let open = format!("BEGIN; SET LOCAL row_security = off; {text} ALTER TABLE leadguard.audit_entry DISABLE TRIGGER ALL; DO $$
                DECLARE part regclass; BEGIN FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'leadguard.audit_entry'::regclass LOOP
                EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', part); END LOOP; END $$;
                CREATE TEMP TABLE gone ON COMMIT DROP AS {sql};");
            accepted(
                &mut third,
                &format!(
                    "{open} DELETE FROM leadguard.audit_entry_value WHERE audit_id IN (TABLE gone); DELETE FROM leadguard.audit_entry WHERE id IN (TABLE gone)"
                ),
            );
            let found = problems(&mut third);
            accepted(&mut third, "ROLLBACK");
            assert_eq!(found.len(), 1, "{number}: {found:?}");
            assert!(found[0].starts_with("the row is missing"), "{found:?}");
        }
        holds(&mut third);
    }
}

// A copy of the files has the same numbers of transactions, and the same life.
#[test]
fn k48_a_copied_database_goes_on_with_the_same_life() {
    let db = audited_by_months("au_seal_files", 0);
    let mut admin = db.admin();
    seal(&mut admin);
    change(&mut admin, "a");
    drop(admin);
    let copy = Db::bare("au_seal_filecopy");
    let mut postgres = server().connect("postgres", "postgres");
    accepted(&mut postgres, &format!("DROP DATABASE {}", copy.name()));
    accepted(&mut postgres, &format!("CREATE DATABASE {} TEMPLATE {}", copy.name(), db.name()));
    for name in [db.name(), copy.name()] {
        let mut there = server().connect("postgres", name);
        change(&mut there, "b");
        assert_eq!(seal(&mut there), 6);
        holds(&mut there);
        assert_eq!(scalar(&mut there, "SELECT count(DISTINCT life) FROM leadguard.audit_seal"), "1");
    }
}

// Somebody has a transaction open in the database into which a dump is restored, since before it was taken.
#[test]
fn k48_who_is_connected_while_it_is_restored_changes_nothing() {
    let copy = Db::bare("au_seal_guest");
    let mut guest = copy.admin();
    accepted(&mut guest, "BEGIN; SELECT 1");
    let db = audited_by_months("au_seal_host", 0);
    let mut admin = db.admin();
    change(&mut admin, "a");
    seal(&mut admin);
    change(&mut admin, "b");
    let file = std::env::temp_dir().join(format!("{}.dump", db.name()));
    run(db.tool("pg_dump", "postgres").args(["-d", db.name(), "-F", "c", "-f"]).arg(&file));
    run(copy.tool("pg_restore", "postgres").args(["-1", "-d", copy.name()]).arg(&file));
    let _ = std::fs::remove_file(&file);
    let mut there = copy.admin();
    assert_eq!(
        scalar(
            &mut there,
            "SELECT since > xact_start FROM leadguard.audit_life, pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        ),
        "t"
    );
    holds(&mut there);
    assert_eq!(seal(&mut there), 3);
    holds(&mut there);
}
