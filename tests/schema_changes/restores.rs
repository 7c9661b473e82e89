//! Dumps, restores and the end of the extension.

use crate::lab::*;
use leadguard_tests::*;
use std::process::Command;

fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn restored(db: &Db, target: &Db, options: &[&str]) {
    let file = std::env::temp_dir().join(format!("{}.dump", db.name()));
    let file = file.to_str().expect("a path of text");
    run(db.tool("pg_dump", "postgres").args(["-Fc", "-f", file, "-d", db.name()]));
    run(target.tool("pg_restore", "postgres").args(["-d", target.name(), "--exit-on-error"]).args(options).arg(file));
    std::fs::remove_file(file).expect("the dump goes");
}

#[test]
fn k50_a_restore_brings_the_changelog_and_is_no_change() {
    let db = lab("dumped");
    accepted(&mut db.connect("dba"), "ALTER TABLE crm.lead ADD COLUMN score integer");
    accepted(&mut db.connect("olga"), "SELECT leadguard.accept_schema_change(1, 'fine')");
    accepted(
        &mut db.connect("dba"),
        "SELECT leadguard.tag_column('crm.lead', 'tags', true); SELECT leadguard.tag_namespace('crm.lead', 'source', 'sales')",
    );
    refuse(&db);
    for options in [&[][..], &["--single-transaction"]] {
        let target = Db::bare("restored");
        restored(&db, &target, options);
        let before = log(&target);
        assert_eq!(before, ["accepted add column score", "violation tag namespace source"], "{options:?}");
        refused(&mut target.admin(), "ALTER TABLE crm.lead ADD COLUMN other integer", "LG004");
        accepted(&mut target.admin(), "SELECT leadguard.reset_switch('crm.lead', 'schema_changes')");
        accepted(&mut target.admin(), "ALTER TABLE crm.lead ADD COLUMN other integer");
        assert_eq!(log(&target).split_off(2), ["violation add column other"], "{options:?}");
    }
}

#[test]
fn k49_dropping_the_extension_works() {
    let db = lab("dropped");
    accepted(&mut db.admin(), "DROP EXTENSION leadguard CASCADE");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead ADD COLUMN a integer; DROP TABLE crm.lead");
    accepted(&mut db.admin(), "CREATE EXTENSION leadguard");
}

#[test]
fn k49_scripts_of_other_extensions_are_watched_and_work() {
    let db = lab("extension");
    accepted(&mut db.admin(), "CREATE EXTENSION IF NOT EXISTS plpgsql; CREATE SCHEMA x; DROP SCHEMA x");
    accepted(&mut db.connect("dba"), "DROP SCHEMA crm CASCADE");
    assert_eq!(log(&db), ["violation drop table"]);
}
