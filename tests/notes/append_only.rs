//! What was written stays.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k27_nobody_changes_or_deletes_a_note() {
    let db = lab("notes_append");
    accepted(&mut db.connect("alice"), "INSERT INTO crm.note (id, lead_id, body) VALUES (500, 1, 'mine')");
    let before = stored(&mut db.admin(), "crm.note");
    for who in ["alice", "mona", "ceo", "admin", "dora", "postgres"] {
        let mut session = db.connect(who);
        for sql in [
            "UPDATE crm.note SET body = 'changed' WHERE id = 500",
            "UPDATE crm.note SET body = body",
            "UPDATE crm.note SET body = 'changed' WHERE false",
            "DELETE FROM crm.note WHERE id = 500",
            "DELETE FROM crm.note WHERE false",
            "INSERT INTO crm.note (id, lead_id, body) VALUES (500, 1, 'x') ON CONFLICT (id) DO UPDATE SET body = 'changed'",
            "WITH d AS (DELETE FROM crm.note RETURNING *) SELECT count(*) FROM d",
        ] {
            let error = refused(&mut session, sql, "42501");
            assert!(error.message().contains("append-only"), "{who}: {sql}: {error:?}");
        }
        refused(&mut session, "TRUNCATE crm.note", "42501");
        if scalar(&mut session, "SELECT current_setting('server_version_num')::int >= 150000") == "t" {
            let merge = "MERGE INTO crm.note n USING (VALUES (500::bigint)) v (id) ON v.id = n.id WHEN MATCHED THEN ";
            refused(&mut session, &format!("{merge} DELETE"), "42501");
            refused(&mut session, &format!("{merge} UPDATE SET body = 'x'"), "42501");
        }
    }
    assert_eq!(stored(&mut db.admin(), "crm.note"), before);
    // The twin: another note is always possible.
    accepted(&mut db.connect("alice"), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'correction')");
}

#[test]
fn k27_replica_mode_and_cascades_change_nothing() {
    let db = lab("notes_replica");
    let mut admin = db.admin();
    accepted(&mut admin, "SET session_replication_role = replica");
    refused(&mut admin, "DELETE FROM crm.note WHERE id = 1", "42501");
    refused(&mut admin, "UPDATE crm.note SET body = 'x' WHERE id = 1", "42501");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.topic (id bigint PRIMARY KEY); INSERT INTO crm.topic VALUES (1), (2);
         SELECT leadguard.unprotect('crm.note');
         ALTER TABLE crm.note ADD topic bigint REFERENCES crm.topic ON DELETE CASCADE; UPDATE crm.note SET topic = 1 WHERE id = 1;
         SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body')",
    );
    refused(&mut db.admin(), "DELETE FROM crm.topic WHERE id = 1", "42501");
    accepted(&mut db.admin(), "UPDATE crm.topic SET id = 3 WHERE id = 2");
}

#[test]
fn k27_a_note_does_not_move_and_does_not_open() {
    let db = lab("notes_end");
    let mut admin = db.admin();
    refused(&mut admin, "SELECT leadguard.unprotect('crm.lead')", "55000");
    refused(&mut db.connect("admin"), "SELECT leadguard.unprotect('crm.note')", "42501");
    refused(&mut admin, "SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body')", "42710");
    accepted(&mut admin, "DROP EXTENSION leadguard CASCADE");
    assert!(rows(&mut db.connect("ceo"), "SELECT 1 FROM crm.note").is_empty(), "closed, not open");
}

#[test]
fn unprotect_gives_back_what_was_there() {
    let db = lab("notes_undo");
    let picture = "SELECT c.relrowsecurity, c.relforcerowsecurity, c.relacl::text,
        (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid), (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal)
        FROM pg_class c WHERE c.oid = 'crm.call'::regclass";
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.call (id serial PRIMARY KEY, lead_id bigint, what text); GRANT SELECT ON crm.call TO PUBLIC",
    );
    let before = rows(&mut admin, picture);
    accepted(&mut admin, "SELECT leadguard.protect_notes('crm.call', 'crm.lead', 'lead_id', 'what', dry_run => true)");
    assert_eq!(rows(&mut admin, picture), before);
    accepted(&mut admin, "SELECT leadguard.protect_notes('crm.call', 'crm.lead', 'lead_id', 'what')");
    assert_ne!(rows(&mut admin, picture), before);
    assert_eq!(
        rows(&mut admin, "SELECT kind FROM leadguard.protected_children WHERE target = 'crm.call'::regclass"),
        [["notes"]]
    );
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.call')");
    assert_eq!(rows(&mut admin, picture), before);
    accepted(
        &mut admin,
        "SELECT leadguard.protect_notes('crm.call', 'crm.lead', 'lead_id', 'what'); DROP TABLE crm.call",
    );
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.protected_child"), "2");
}
