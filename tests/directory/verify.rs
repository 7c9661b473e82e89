//! `verify_closure` finds what a superuser broke behind the triggers' back; `rebuild_closure` repairs it.

use crate::tree::BOTH;
use leadguard_tests::*;

#[test]
fn a_sound_closure_has_no_differences() {
    let db = Db::new("verify_sound");
    let mut admin = db.admin();
    assert!(rows(&mut admin, "SELECT * FROM leadguard.verify_closure()").is_empty(), "an empty directory");
    org(&db);
    assert!(rows(&mut admin, "SELECT * FROM leadguard.verify_closure()").is_empty());
    accepted(&mut admin, "SELECT leadguard.rebuild_closure()");
    for tree in BOTH {
        tree.sound(&mut admin);
    }
}

#[test]
fn tampering_is_found_and_repaired() {
    let db = Db::new("verify_tamper");
    org(&db);
    let mut admin = db.admin();
    for tree in BOTH {
        let closure = tree.closure;
        let tampering = [
            format!(
                "DELETE FROM {closure} WHERE (ancestor_id, descendant_id) = (SELECT ancestor_id, descendant_id FROM {closure} WHERE depth = 2 LIMIT 1)"
            ),
            format!("DELETE FROM {closure} WHERE depth = 0"),
            format!("DELETE FROM {closure}"),
            format!(
                "INSERT INTO {closure} (ancestor_id, descendant_id, depth)
                 SELECT a.id, d.id, 1 FROM {t} AS a, {t} AS d WHERE NOT EXISTS (
                     SELECT 1 FROM {closure} AS c WHERE (c.ancestor_id, c.descendant_id) = (a.id, d.id)) LIMIT 1",
                t = tree.table
            ),
            format!("UPDATE {closure} SET depth = depth + 1 WHERE depth = 2"),
        ];
        for broken in tampering {
            accepted(&mut admin, "SET session_replication_role = replica");
            accepted(&mut admin, &format!("ALTER TABLE {closure} DISABLE TRIGGER ALL"));
            assert!(accepted(&mut admin, &broken) > 0, "{broken}");
            accepted(&mut admin, &format!("ALTER TABLE {closure} ENABLE TRIGGER ALL"));
            accepted(&mut admin, "RESET session_replication_role");
            assert!(!rows(&mut admin, "SELECT * FROM leadguard.verify_closure()").is_empty(), "not found: {broken}");
            accepted(&mut admin, "SELECT leadguard.rebuild_closure()");
            tree.sound(&mut admin);
        }
    }
    assert_eq!(leads(&db, "mona"), set("1 2 3 4 5 6 7 8"));
    assert_eq!(leads(&db, "tina"), set("11 12"));
}

#[test]
fn a_directory_changed_without_triggers_is_found_and_repaired() {
    let db = Db::new("verify_source");
    org(&db);
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &format!("ALTER TABLE {} DISABLE TRIGGER USER", tree.table));
        let key = if tree.table.ends_with("member") { "mona" } else { "dach" };
        accepted(&mut admin, &format!("UPDATE {} SET {} = NULL WHERE key = '{key}'", tree.table, tree.parent));
        accepted(&mut admin, &format!("ALTER TABLE {} ENABLE TRIGGER USER", tree.table));
        assert!(!rows(&mut admin, "SELECT * FROM leadguard.verify_closure()").is_empty());
        accepted(&mut admin, "SELECT leadguard.rebuild_closure()");
        tree.sound(&mut admin);
    }
    // An open session follows the repair.
    assert_eq!(leads(&db, "vp"), set(""));
    assert_eq!(leads(&db, "mona"), set("1 2 3 4 5 6 7 8"));
}

#[test]
fn replica_mode_does_not_bypass_the_closure() {
    let db = Db::new("verify_replica");
    org(&db);
    let mut admin = db.admin();
    accepted(&mut admin, "SET session_replication_role = replica");
    for tree in BOTH {
        let key = if tree.table.ends_with("member") { "mona" } else { "dach" };
        accepted(&mut admin, &format!("UPDATE {} SET {} = NULL WHERE key = '{key}'", tree.table, tree.parent));
        tree.sound(&mut admin);
    }
    assert_eq!(leads(&db, "vp"), set(""));
}

#[test]
fn only_administrators_verify_and_rebuild() {
    let db = Db::new("verify_who");
    org(&db);
    for call in ["SELECT * FROM leadguard.verify_closure()", "SELECT leadguard.rebuild_closure()"] {
        for who in ["alice", "ceo", "viewer"] {
            refused(&mut db.connect(who), call, "42501");
        }
        accepted(&mut db.connect("admin"), call);
    }
}
