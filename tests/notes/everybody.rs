//! Append-only for the owner of the table too, and by every road.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k27_the_owner_of_the_table_changes_nothing_either() {
    let db = lab("notes_owner");
    let keeper = db.create_role("keeper");
    accepted(
        &mut db.admin(),
        &format!("GRANT USAGE, CREATE ON SCHEMA crm TO \"{keeper}\"; ALTER TABLE crm.note OWNER TO \"{keeper}\""),
    );
    let mut owner = db.connect("keeper");
    for sql in [
        "UPDATE crm.note SET body = 'x'",
        "DELETE FROM crm.note",
        "TRUNCATE crm.note",
        "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')",
    ] {
        refused(&mut owner, sql, "42501");
    }
    refused(&mut owner, "SELECT 1 FROM crm.note", "42501");
    accepted(&mut db.admin(), &format!("GRANT SELECT ON crm.lead TO \"{keeper}\""));
    assert!(rows(&mut owner, "SELECT 1 FROM crm.note").is_empty(), "no member, nothing to read");
    // An owner who is a member is one among others.
    accepted(
        &mut db.admin(),
        &format!("ALTER TABLE crm.note OWNER TO \"{0}\"; GRANT CREATE ON SCHEMA crm TO \"{0}\"", db.role("alice")),
    );
    let mut alice = db.connect("alice");
    for sql in ["UPDATE crm.note SET body = 'x'", "DELETE FROM crm.note WHERE id = 1", "TRUNCATE crm.note"] {
        refused(&mut alice, sql, "42501");
    }
    assert_eq!(ids(&mut alice, "SELECT id FROM crm.note"), set("1 2 3 4 5"));
    accepted(&mut alice, "INSERT INTO crm.note (lead_id, body) VALUES (1, 'mine')");
    refused(&mut alice, "SELECT leadguard.erase_note('crm.note', '1', 'asked')", "42501");
}

#[test]
fn k27_no_road_around() {
    let db = lab("notes_roads");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.topic (id bigint PRIMARY KEY); INSERT INTO crm.topic VALUES (1), (2), (3), (4);
         SELECT leadguard.unprotect('crm.note');
         ALTER TABLE crm.note ADD a bigint REFERENCES crm.topic ON DELETE SET NULL,
             ADD b bigint REFERENCES crm.topic ON UPDATE CASCADE;
         UPDATE crm.note SET a = 1, b = 2 WHERE id = 1;
         SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body');
         CREATE VIEW crm.v AS SELECT * FROM crm.note;
         CREATE RULE r AS ON INSERT TO crm.topic WHERE new.id < 0 DO ALSO UPDATE crm.note SET body = 'rule' WHERE id = 1",
    );
    let before = stored(&mut admin, "crm.note");
    for replica in ["origin", "replica", "local"] {
        accepted(&mut admin, &format!("SET session_replication_role = {replica}"));
        for sql in [
            "TRUNCATE crm.note",
            "TRUNCATE crm.lead, crm.note, crm.tag",
            "UPDATE crm.v SET body = 'x' WHERE id = 1",
            "DELETE FROM crm.v WHERE id = 1",
            "INSERT INTO crm.note (id, lead_id, body) VALUES (1, 1, 'x') ON CONFLICT (id) DO UPDATE SET body = 'x'",
            "WITH gone AS (DELETE FROM crm.note WHERE id = 1 RETURNING 1) SELECT * FROM gone",
        ] {
            refused(&mut admin, sql, "42501");
        }
    }
    accepted(&mut admin, "RESET session_replication_role");
    for sql in [
        "INSERT INTO crm.topic VALUES (-1)",
        "DELETE FROM crm.topic WHERE id = 1",
        "UPDATE crm.topic SET id = 20 WHERE id = 2",
        "TRUNCATE crm.topic CASCADE",
    ] {
        refused(&mut admin, sql, "42501");
    }
    assert_eq!(stored(&mut admin, "crm.note"), before);
    // An action of a foreign key is a statement on the notes, whether it meets one or not; without one all is free.
    refused(&mut admin, "DELETE FROM crm.topic WHERE id = 3", "42501");
    accepted(&mut admin, "DROP RULE r ON crm.topic; INSERT INTO crm.topic VALUES (5); UPDATE crm.topic SET id = id");
    accepted(&mut admin, "INSERT INTO crm.note (id, lead_id, body) VALUES (1, 1, 'x') ON CONFLICT DO NOTHING");
    // Postgres has no COPY FROM under row security.
    assert!(db.psql("alice", "COPY crm.note (lead_id, body) FROM STDIN;\n1\tx\n\\.\n").contains("row-level security"));
}

#[test]
fn k27_the_author_in_every_type_of_column() {
    let db = lab("notes_types");
    let guid = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
    enlist(&db, "nina", "ceo");
    place(&mut db.admin(), "vp", "nina");
    accepted(&mut db.admin(), &format!("UPDATE leadguard.member SET key = '{guid}' WHERE key = 'nina'"));
    let mine = scalar(&mut db.connect("nina"), "SELECT leadguard.current_member()");
    for (kind, author) in [
        ("smallint", mine.as_str()),
        ("integer", &mine),
        ("bigint", &mine),
        ("text", guid),
        ("varchar(60)", guid),
        ("uuid", guid),
    ] {
        accepted(
            &mut db.admin(),
            &format!(
                "CREATE TABLE crm.call (id serial PRIMARY KEY, lead_id bigint, who {kind}, at timestamptz, what text);
                 SELECT leadguard.protect_notes('crm.call', 'crm.lead', 'lead_id', 'what', author => 'who', created_at => 'at')"
            ),
        );
        for given in ["DEFAULT", "NULL"] {
            let sql = format!(
                "INSERT INTO crm.call (lead_id, who, what) VALUES (1, {given}, 'x') RETURNING who, at = statement_timestamp()"
            );
            assert_eq!(rows(&mut db.connect("nina"), &sql), [[author, "t"]], "{kind}");
        }
        if kind == "uuid" {
            // A key that is no uuid cannot be written down there.
            refused(&mut db.connect("alice"), "INSERT INTO crm.call (lead_id, what) VALUES (1, 'x')", "22003");
        } else {
            accepted(&mut db.connect("alice"), "INSERT INTO crm.call (lead_id, what) VALUES (1, 'x')");
        }
        accepted(&mut db.admin(), "DROP TABLE crm.call");
    }
    for (column, argument) in [("who boolean", "author => 'who'"), ("who timestamp", "created_at => 'who'")] {
        accepted(
            &mut db.admin(),
            &format!("CREATE TABLE crm.call (id serial PRIMARY KEY, lead_id bigint, what text, {column})"),
        );
        let sql = format!("SELECT leadguard.protect_notes('crm.call', 'crm.lead', 'lead_id', 'what', {argument})");
        refused(&mut db.admin(), &sql, "22023");
        accepted(&mut db.admin(), "DROP TABLE crm.call");
    }
}
