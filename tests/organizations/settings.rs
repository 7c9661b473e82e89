//! The settings of an organization, and who changes them.

use crate::lab::companies;
use leadguard_tests::{accepted, allowed, refused, rows, scalar};

#[test]
fn p2_p4_the_owner_renames_others_set_the_view() {
    let db = companies("settings");
    let mut admin = db.admin();
    let view = "UPDATE leadguard.organization SET organization_view = NOT organization_view WHERE key = 'globex'";
    let name = "UPDATE leadguard.organization SET name = 'Globex & Sons' WHERE key = 'globex'";
    let key = "UPDATE leadguard.organization SET key = 'globex2' WHERE key = 'globex'";
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.shared')");
    for statement in [view, name, key] {
        assert_eq!(allowed(&mut db.connect("gina"), statement), 1, "{statement}");
        refused(&mut db.connect("gus"), statement, "42501");
        // Of another organization nothing is found.
        assert_eq!(allowed(&mut db.connect("owner"), statement), 0, "{statement}");
    }
    assert_eq!(allowed(&mut db.connect("gabi"), view), 1);
    for statement in [name, key] {
        refused(&mut db.connect("gabi"), statement, "42501");
    }
    // An Admin of the shipped organization, whose key stays.
    let ours = "UPDATE leadguard.organization SET organization_view = true WHERE key = 'default'";
    assert_eq!(allowed(&mut db.connect("adm"), ours), 1);
    refused(&mut db.connect("adm"), "UPDATE leadguard.organization SET name = 'x' WHERE key = 'default'", "42501");
    assert_eq!(
        allowed(&mut db.connect("owner"), "UPDATE leadguard.organization SET name = 'x' WHERE key = 'default'"),
        1
    );
    refused(&mut db.connect("owner"), "UPDATE leadguard.organization SET key = 'x' WHERE key = 'default'", "42501");
    // Nothing else.
    for who in ["gina", "gabi", "owner"] {
        for statement in [
            "UPDATE leadguard.organization SET archived_at = now()",
            "UPDATE leadguard.organization SET id = 77",
            "UPDATE leadguard.organization SET merged_into = 1",
            "DELETE FROM leadguard.organization",
            "INSERT INTO leadguard.organization (key) VALUES ('new')",
        ] {
            refused(&mut db.connect(who), statement, "42501");
        }
    }
}

#[test]
fn p2_a_key_that_records_hold_stays() {
    let db = companies("settings_key");
    let key = "UPDATE leadguard.organization SET key = 'globex2' WHERE key = 'globex'";
    for who in ["gina", "postgres"] {
        let error = refused(&mut db.connect(who), key, "42501");
        assert_eq!(error.detail(), Some("The protected table crm.shared maps organizations by key."));
    }
    accepted(&mut db.admin(), "SELECT leadguard.unprotect('crm.shared')");
    assert_eq!(allowed(&mut db.connect("gina"), key), 1);
}

// What was set in the shipped organization survives a dump, although the row is there before the restore.
#[test]
fn p6_settings_survive_a_dump() {
    let db = companies("settings_dump");
    accepted(
        &mut db.connect("owner"),
        "UPDATE leadguard.organization SET organization_view = true, name = 'Acme' WHERE key = 'default'",
    );
    accepted(&mut db.connect("mem"), "INSERT INTO leadguard.member_setting (name, value) VALUES ('theme', 'dark')");
    let copy = leadguard_tests::Db::bare("settings_copy");
    let file = std::env::temp_dir().join(format!("{}.sql", copy.name()));
    let dumped = db.tool("pg_dump", "postgres").arg("-f").arg(&file).arg(db.name()).output().expect("pg_dump runs");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let restored = copy
        .tool("psql", "postgres")
        .args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", copy.name(), "-f"])
        .arg(&file)
        .output()
        .expect("psql runs");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    std::fs::remove_file(&file).expect("the dump goes");
    for sql in [
        "SELECT o::text FROM leadguard.organization o ORDER BY 1",
        "SELECT s::text FROM leadguard.member_setting s ORDER BY 1",
        "SELECT m.member_id || m.role FROM leadguard.member_role m ORDER BY 1",
    ] {
        assert_eq!(rows(&mut copy.admin(), sql), rows(&mut db.admin(), sql), "{sql}");
    }
    assert_eq!(scalar(&mut copy.admin(), "SELECT name FROM leadguard.organization WHERE id = 1"), "Acme");
}
