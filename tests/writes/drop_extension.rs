//! Nothing that takes leadguard away leaves a protected table open.

use crate::protect::{owned_by_dba, plain, protect};
use leadguard_tests::*;

const READERS: [&str; 6] = ["alice", "ceo", "admin", "viewer", "dba", "stranger"];

fn secured(name: &str) -> Db {
    let db = plain(name);
    owned_by_dba(&db);
    let stranger = db.create_role("stranger");
    accepted(
        &mut db.admin(),
        &format!(
            "{}; GRANT USAGE ON SCHEMA crm TO \"{stranger}\"; GRANT ALL ON crm.lead TO \"{stranger}\"",
            protect("")
        ),
    );
    assert_eq!(leads(&db, "alice"), set("1"));
    db
}

/// Everybody but a superuser sees nothing and changes nothing; an error is as good as an empty answer.
#[track_caller]
fn closed(db: &Db) {
    let mut admin = db.admin();
    let before = scalar(&mut admin, "SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM crm.lead AS l");
    for who in READERS {
        let mut session = db.connect(who);
        for sql in [
            "SELECT id FROM crm.lead",
            "SELECT id FROM crm.lead WHERE id = 1",
            "UPDATE crm.lead SET name = 'x'",
            "DELETE FROM crm.lead",
            "SELECT id FROM crm.lead FOR UPDATE",
        ] {
            if code(&mut session, sql) == "ok" {
                assert_eq!(accepted(&mut session, sql), 0, "{who}: {sql}");
            }
        }
        assert_ne!(code(&mut session, "INSERT INTO crm.lead (id) VALUES (77)"), "ok", "{who}");
    }
    assert_eq!(scalar(&mut admin, "SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM crm.lead AS l"), before);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "3");
}

#[test]
fn drop_extension_needs_cascade() {
    let db = secured("drop_plain");
    refused(&mut db.admin(), "DROP EXTENSION leadguard", "2BP01");
    assert_eq!(leads(&db, "alice"), set("1"));
}

#[test]
fn drop_extension_cascade_leaves_nothing_readable() {
    let db = secured("drop_cascade");
    let mut open = db.connect("alice");
    accepted(&mut open, "PREPARE p AS SELECT id FROM crm.lead");
    assert_eq!(ids(&mut open, "EXECUTE p"), set("1"));
    accepted(&mut db.admin(), "DROP EXTENSION leadguard CASCADE");
    if code(&mut open, "EXECUTE p") == "ok" {
        assert_eq!(ids(&mut open, "EXECUTE p"), set(""));
    }
    closed(&db);
}

#[test]
fn drop_extension_leaves_partitions_closed_too() {
    let db = secured("drop_partition");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.p (id bigint PRIMARY KEY, owner_id bigint, name text) PARTITION BY RANGE (id);
         CREATE TABLE crm.p1 PARTITION OF crm.p FOR VALUES FROM (0) TO (10);
         INSERT INTO crm.p SELECT 1, id FROM leadguard.member WHERE key = 'alice';
         SELECT leadguard.protect('crm.p', id => 'id', owner => 'owner_id');
         GRANT ALL ON crm.p, crm.p1 TO PUBLIC",
    );
    assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM crm.p1"), set("1"));
    accepted(&mut admin, "DROP EXTENSION leadguard CASCADE");
    for who in READERS {
        for table in ["p", "p1"] {
            assert_eq!(ids(&mut db.connect(who), &format!("SELECT id FROM crm.{table}")), set(""), "{who} {table}");
        }
    }
}

#[test]
fn dropping_a_mapped_column_leaves_nothing_readable() {
    for column in ["owner_id", "territory_id", "id"] {
        let db = secured("drop_column");
        let mut admin = db.admin();
        refused(&mut admin, &format!("ALTER TABLE crm.lead DROP COLUMN {column}"), "2BP01");
        accepted(&mut admin, &format!("ALTER TABLE crm.lead DROP COLUMN {column} CASCADE"));
        for who in READERS {
            let mut session = db.connect(who);
            for sql in ["SELECT name FROM crm.lead", "UPDATE crm.lead SET name = 'x'", "DELETE FROM crm.lead"] {
                if code(&mut session, sql) == "ok" {
                    assert_eq!(accepted(&mut session, sql), 0, "{who} without {column}: {sql}");
                }
            }
        }
        assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE name = 'n'"), "3");
        // The same name again, by an owner who means well or not, opens nothing.
        if column == "owner_id" {
            accepted(&mut admin, "ALTER TABLE crm.lead ADD COLUMN owner_id bigint");
            for who in READERS {
                let mut session = db.connect(who);
                if code(&mut session, "SELECT name FROM crm.lead") == "ok" {
                    assert!(rows(&mut session, "SELECT name FROM crm.lead").is_empty(), "{who}");
                }
            }
        }
    }
}

#[test]
fn changing_the_type_of_a_mapped_column_leaves_nothing_open() {
    let db = secured("drop_type");
    let mut admin = db.admin();
    // Postgres refuses while policies name the column; whatever happens, nobody sees more.
    let _ = code(&mut admin, "ALTER TABLE crm.lead ALTER COLUMN owner_id TYPE text");
    for (who, most) in [("alice", "1"), ("stranger", ""), ("dba", ""), ("ceo", "1 2")] {
        let mut session = db.connect(who);
        if code(&mut session, "SELECT id FROM crm.lead") == "ok" {
            assert!(ids(&mut session, "SELECT id FROM crm.lead").is_subset(&set(most)), "{who}");
        }
    }
}

#[test]
fn after_a_reinstallation_the_table_can_be_protected_again() {
    let db = secured("drop_again");
    let mut admin = db.admin();
    accepted(&mut admin, "DROP EXTENSION leadguard CASCADE; CREATE EXTENSION leadguard");
    closed(&db);
    accepted(&mut admin, &protect(""));
    let role = db.role("alice");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.member (id, key, name, db_role) SELECT owner_id, 'alice', 'Alice', '{role}' FROM crm.lead WHERE id = 1"
        ),
    );
    assert_eq!(leads(&db, "alice"), set("1"));
}
