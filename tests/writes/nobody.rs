//! Without identity: reads are empty and silent, writes are refused, also those that match nothing.

use leadguard_tests::*;

const WRITES: [&str; 11] = [
    "INSERT INTO crm.lead (name) VALUES ('x')",
    "INSERT INTO crm.lead (name) SELECT 'x' WHERE false",
    "UPDATE crm.lead SET name = 'x'",
    "UPDATE crm.lead SET name = 'x' WHERE false",
    "DELETE FROM crm.lead",
    "DELETE FROM crm.lead WHERE id = -1",
    "MERGE INTO crm.lead AS l USING (VALUES (-1)) AS v (id) ON l.id = v.id WHEN MATCHED THEN DELETE",
    "MERGE INTO crm.lead AS l USING (VALUES (1)) AS v (id) ON l.id = v.id WHEN MATCHED THEN UPDATE SET name = 'x'",
    "MERGE INTO crm.lead AS l USING (VALUES (-1)) AS v (id) ON l.id = v.id WHEN NOT MATCHED THEN INSERT (name) VALUES ('x')",
    "TRUNCATE crm.lead",
    "WITH w AS (DELETE FROM crm.lead WHERE false RETURNING 1) SELECT count(*) FROM w",
];

fn granted(db: &Db, short: &str) {
    let role = db.create_role(short);
    accepted(
        &mut db.admin(),
        &format!(
            "GRANT ALL ON SCHEMA crm TO \"{role}\"; GRANT ALL ON ALL TABLES IN SCHEMA crm TO \"{role}\";
             GRANT ALL ON ALL SEQUENCES IN SCHEMA crm TO \"{role}\""
        ),
    );
}

#[test]
fn an_unregistered_role_reads_nothing_and_writes_nothing() {
    let db = Db::new("nobody");
    org(&db);
    granted(&db, "stranger");
    let mut stranger = db.connect("stranger");
    for read in [
        "SELECT id FROM crm.lead",
        "SELECT id FROM crm.lead WHERE id = 1",
        "SELECT a.id FROM crm.lead AS a JOIN crm.lead AS b USING (id)",
        "SELECT id FROM crm.lead FOR UPDATE",
        "TABLE crm.lead",
    ] {
        assert!(rows(&mut stranger, read).is_empty(), "{read}");
    }
    assert_eq!(scalar(&mut stranger, "SELECT count(*) FROM crm.lead"), "0");
    for write in WRITES {
        refused(&mut stranger, write, "42501");
    }
    // The same role, registered.
    let role = db.role("stranger");
    accepted(&mut db.admin(), &format!("UPDATE leadguard.member SET db_role = '{role}' WHERE key = 'alice'"));
    assert_eq!(ids(&mut stranger, "SELECT id FROM crm.lead"), set("1 2 3 4 5"));
    for write in WRITES.iter().filter(|w| !w.starts_with("TRUNCATE")) {
        allowed(&mut stranger, write);
    }
}

#[test]
fn a_trusted_connector_without_act_as_is_nobody() {
    let db = Db::new("nobody_app");
    org(&db);
    let app = db.create_role("app");
    accepted(&mut db.admin(), &format!("SELECT leadguard.connector('{app}', 'trusted')"));
    let mut session = db.connect("app");
    assert_eq!(ids(&mut session, "SELECT id FROM crm.lead"), set(""));
    for write in WRITES {
        refused(&mut session, write, "42501");
    }
    accepted(&mut session, "BEGIN; SELECT leadguard.act_as('alice')");
    assert_eq!(ids(&mut session, "SELECT id FROM crm.lead"), set("1 2 3 4 5"));
    assert_eq!(accepted(&mut session, "UPDATE crm.lead SET name = 'x'"), 5);
    assert_eq!(
        scalar(&mut session, "INSERT INTO crm.lead (name) VALUES ('n') RETURNING owner_id"),
        member(&mut db.admin(), "alice").to_string()
    );
    accepted(&mut session, "COMMIT");
    assert_eq!(ids(&mut session, "SELECT id FROM crm.lead"), set(""));
    refused(&mut session, "UPDATE crm.lead SET name = 'y' WHERE false", "42501");
    assert_eq!(leads(&db, "alice"), set("1 2 3 4 5 101"));
}

#[test]
fn truncate_is_refused_for_everybody() {
    let db = Db::new("nobody_truncate");
    org(&db);
    let mut admin = db.admin();
    for who in ["alice", "admin"] {
        let role = db.role(who);
        accepted(&mut admin, &format!("GRANT TRUNCATE ON crm.lead TO \"{role}\""));
        refused(&mut db.connect(who), "TRUNCATE crm.lead", "42501");
    }
    let error = refused(&mut admin, "TRUNCATE crm.lead", "42501");
    assert!(error.hint().is_some_and(|h| h.contains("unprotect")), "{error:?}");
    accepted(&mut admin, "BEGIN; SELECT leadguard.unprotect('crm.lead'); TRUNCATE crm.lead; ROLLBACK");
    assert_eq!(leads(&db, "alice"), set("1 2 3 4 5"));
}

#[test]
fn replica_mode_of_a_superuser_is_the_only_thing_that_silences_ordinary_triggers() {
    let db = Db::new("nobody_replica");
    org(&db);
    granted(&db, "stranger");
    // The guards fire always, so a session role of a replication tool gains nothing without being a superuser.
    let modes = rows(
        &mut db.admin(),
        "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'crm.lead'::regclass AND NOT tgisinternal",
    );
    assert!(!modes.is_empty() && modes.iter().all(|row| row[1] == "A"), "{modes:?}");
    refused(&mut db.connect("stranger"), "SET session_replication_role = replica", "42501");
}
