//! Partitions, inheritance children and TRUNCATE: the ways past a policy and its row triggers that need no policy at all.

use leadguard_tests::{Db, accepted, code, refused, scalar};

use crate::lab::{attempt, cast, whole};

/// crm.pl: a partitioned copy of crm.lead with a leaf, a sub-partitioned branch and everything granted to everybody.
fn partitioned(db: &Db) {
    db.admin()
        .batch_execute(
            "CREATE TABLE crm.pl (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, name text, email text, amount numeric)
                 PARTITION BY RANGE (id);
             CREATE TABLE crm.pl_1 PARTITION OF crm.pl FOR VALUES FROM (0) TO (8);
             CREATE TABLE crm.pl_2 PARTITION OF crm.pl FOR VALUES FROM (8) TO (100) PARTITION BY RANGE (id);
             CREATE TABLE crm.pl_2a PARTITION OF crm.pl_2 FOR VALUES FROM (8) TO (50);
             INSERT INTO crm.pl SELECT id, owner_id, territory_id, name, email, amount FROM crm.lead;
             GRANT ALL ON ALL TABLES IN SCHEMA crm TO PUBLIC;",
        )
        .unwrap();
}

const PROTECT: &str =
    "SELECT leadguard.protect('crm.pl', id => 'id', owner => 'owner_id', territory => 'territory_id')";

// The parent's policy is not applied when a partition is queried directly.
#[test]
fn attack_08_partition_direct() {
    let db = cast("attack_08");
    partitioned(&db);
    let mut alice = db.connect("alice");
    let mut carl = db.connect("carl");
    let count = |table: &str| format!("SELECT count(*) FROM crm.{table}");
    // Twin: before protection everything is open.
    assert_eq!(scalar(&mut alice, &count("pl_1")), "7");
    assert_eq!(scalar(&mut alice, &count("pl_2a")), "8");
    accepted(&mut db.admin(), PROTECT);

    for (table, to_alice, to_carl) in [("pl", "5", "2"), ("pl_1", "5", "0"), ("pl_2", "0", "2"), ("pl_2a", "0", "2")] {
        assert_eq!(scalar(&mut alice, &count(table)), to_alice, "alice in {table}");
        assert_eq!(scalar(&mut carl, &count(table)), to_carl, "carl in {table}");
    }
    assert_eq!(accepted(&mut alice, "UPDATE crm.pl_2a SET email = 'stolen'"), 0);
    assert_eq!(accepted(&mut alice, "UPDATE crm.pl_1 SET email = 'mine'"), 5);
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.pl_2"), 0);
    let planted = "INSERT INTO crm.pl_2a (id, owner_id) SELECT 40, id FROM leadguard.member WHERE key = ";
    refused(&mut alice, &format!("{planted} 'carl'"), "42501");
    assert_eq!(accepted(&mut carl, &format!("{planted} 'carl'")), 1);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.pl WHERE email = 'stolen'"), "0");
}

// Inheritance children carry no policy of their parent.
#[test]
fn attack_08_inheritance_child_direct() {
    let db = cast("attack_08_kid");
    let mut admin = db.admin();
    admin
        .batch_execute(
            "CREATE TABLE crm.par (id bigint PRIMARY KEY, owner_id bigint);
             CREATE TABLE crm.kid () INHERITS (crm.par);
             INSERT INTO crm.kid SELECT id, owner_id FROM crm.lead;
             GRANT ALL ON crm.par, crm.kid TO PUBLIC;",
        )
        .unwrap();
    let protect = "SELECT leadguard.protect('crm.par', id => 'id', owner => 'owner_id')";
    let mut alice = db.connect("alice");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.kid"), "15");
    match attempt(&mut admin, protect) {
        // Either answer closes the way; protecting the parent alone would not.
        Ok(_) => {
            assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.kid"), "5");
            assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.par"), "5");
        }
        Err(e) => {
            assert!(["0A000", "22023", "42809"].contains(&e.code().code()), "{}", whole(&e));
            admin.batch_execute("ALTER TABLE crm.kid NO INHERIT crm.par").unwrap();
            accepted(&mut admin, protect);
        }
    }
}

// Statement triggers are not cloned to an attached partition, and its old rows were never checked.
#[test]
fn attack_09_attach_partition_triggers() {
    let db = cast("attack_09");
    partitioned(&db);
    let mut admin = db.admin();
    accepted(&mut admin, PROTECT);
    admin
        .batch_execute(
            "CREATE TABLE crm.pl_3 (LIKE crm.pl INCLUDING INDEXES);
             INSERT INTO crm.pl_3 SELECT 100 + id, owner_id, territory_id, name, email, amount FROM crm.lead;
             GRANT ALL ON crm.pl_3 TO PUBLIC;",
        )
        .unwrap();
    let mut alice = db.connect("alice");
    // Twin: as long as the table stands alone it is open.
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.pl_3"), "15");
    admin
        .batch_execute(
            "ALTER TABLE crm.pl ATTACH PARTITION crm.pl_3 FOR VALUES FROM (100) TO (200);
             CREATE TABLE crm.pl_4 PARTITION OF crm.pl FOR VALUES FROM (200) TO (300);
             CREATE TABLE crm.pl_5 PARTITION OF crm.pl FOR VALUES FROM (300) TO (400) PARTITION BY RANGE (id);
             CREATE TABLE crm.pl_5a PARTITION OF crm.pl_5 FOR VALUES FROM (300) TO (350);
             INSERT INTO crm.pl SELECT 200 + id, owner_id FROM crm.lead UNION ALL SELECT 300 + id, owner_id FROM crm.lead;
             GRANT ALL ON ALL TABLES IN SCHEMA crm TO PUBLIC;",
        )
        .unwrap();
    let mut viewer = db.connect("viewer");
    let mut nobody = {
        db.create_role("mallory");
        admin.batch_execute(&format!("GRANT USAGE ON SCHEMA crm TO {}", db.role("mallory"))).unwrap();
        db.connect("mallory")
    };
    for leaf in ["pl_3", "pl_4", "pl_5", "pl_5a"] {
        assert_eq!(scalar(&mut alice, &format!("SELECT count(*) FROM crm.{leaf}")), "5", "{leaf}");
        assert_eq!(accepted(&mut alice, &format!("UPDATE crm.{leaf} SET email = 'x'")), 5, "{leaf}");
        for writer in [&mut viewer, &mut nobody] {
            refused(writer, &format!("UPDATE crm.{leaf} SET email = 'x'"), "42501");
            refused(writer, &format!("DELETE FROM crm.{leaf} WHERE false"), "42501");
            refused(writer, &format!("INSERT INTO crm.{leaf} (id) VALUES (301)"), "42501");
            refused(writer, &format!("TRUNCATE crm.{leaf}"), "42501");
        }
    }
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.pl"), "20");
    // A detached partition keeps its protection: detaching is not a way out.
    admin.batch_execute("ALTER TABLE crm.pl DETACH PARTITION crm.pl_4").unwrap();
    let left = code(&mut alice, "SELECT id FROM crm.pl_4");
    assert!(
        left == "42501" || ["0", "5"].contains(&scalar(&mut alice, "SELECT count(*) FROM crm.pl_4").as_str()),
        "{left}"
    );
}

// TRUNCATE is not subject to row security and fires no row triggers; REFERENCES and TRIGGER go past it as well.
#[test]
fn attack_10_truncate() {
    let db = cast("attack_10");
    let mut admin = db.admin();
    let alice_role = db.role("alice");
    for privilege in ["TRUNCATE", "REFERENCES", "TRIGGER"] {
        let held =
            scalar(&mut admin, &format!("SELECT has_table_privilege('{alice_role}', 'crm.lead', '{privilege}')"));
        assert_eq!(held, "f", "leadguard never grants {privilege}");
    }
    assert_eq!(scalar(&mut admin, &format!("SELECT has_table_privilege('{alice_role}', 'crm.lead', 'SELECT')")), "t");
    admin.batch_execute("GRANT ALL ON crm.lead TO PUBLIC").unwrap();
    refused(&mut db.connect("alice"), "TRUNCATE crm.lead", "42501");
    refused(&mut db.connect("admin"), "TRUNCATE crm.lead", "42501");
    let e = refused(&mut admin, "TRUNCATE crm.lead", "42501");
    assert!(e.hint().unwrap_or("").contains("unprotect"), "the hint says what to do: {e:?}");
    admin.batch_execute("SET session_replication_role = replica").unwrap();
    refused(&mut admin, "TRUNCATE crm.lead", "42501");
    admin.batch_execute("RESET session_replication_role").unwrap();
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "15");
    // Twin: only the protection differs.
    admin.batch_execute("SELECT leadguard.unprotect('crm.lead'); TRUNCATE crm.lead").unwrap();
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "0");
}

// A row that moves to another partition is a delete and an insert: both ends ask the same member.
#[test]
fn partition_key_change_is_checked_at_both_ends() {
    let db = cast("partition_move");
    partitioned(&db);
    let mut admin = db.admin();
    admin
        .batch_execute(
            "CREATE TABLE crm.region (id bigint, owner_id bigint, region text, note text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
             CREATE TABLE crm.region_n PARTITION OF crm.region FOR VALUES IN ('n');
             CREATE TABLE crm.region_s PARTITION OF crm.region FOR VALUES IN ('s');
             INSERT INTO crm.region SELECT id, owner_id, 'n', name FROM crm.lead;
             SELECT leadguard.protect('crm.region', id => 'id', owner => 'owner_id');
             GRANT ALL ON ALL TABLES IN SCHEMA crm TO PUBLIC;",
        )
        .unwrap();
    let mut alice = db.connect("alice");
    assert_eq!(accepted(&mut alice, "UPDATE crm.region SET region = 's'"), 5);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.region_s"), "5");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.region_n"), "10");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.region_s"), "5");
    let mut carl = db.connect("carl");
    assert_eq!(scalar(&mut carl, "SELECT count(*) FROM crm.region_s"), "0");
    assert_eq!(accepted(&mut carl, "UPDATE crm.region SET region = 's' WHERE region = 'n'"), 2);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.region"), "15");
}

// What lets a row move between partitions must not let another row of the same id pass in the same command.
#[test]
fn moving_rows_lend_their_pass_to_no_other() {
    let db = cast("partition_pass");
    let mut admin = db.admin();
    admin
        .batch_execute(
            "CREATE TABLE crm.region (id bigint, owner_id bigint, territory_id bigint, region text, note text, PRIMARY KEY (id, region))
                 PARTITION BY LIST (region);
             CREATE TABLE crm.region_n PARTITION OF crm.region FOR VALUES IN ('n');
             CREATE TABLE crm.region_s PARTITION OF crm.region FOR VALUES IN ('s');
             CREATE TABLE crm.region_e PARTITION OF crm.region FOR VALUES IN ('e');
             INSERT INTO crm.region SELECT id, owner_id, territory_id, 'n', name FROM crm.lead;
             INSERT INTO crm.region SELECT 11, id, NULL, 's', 'hers' FROM leadguard.member WHERE key = 'tess';
             SELECT leadguard.protect('crm.region', id => 'id', owner => 'owner_id', territory => 'territory_id', archived_at => 'archived_at');
             GRANT SELECT, INSERT, UPDATE, DELETE ON crm.region TO PUBLIC;",
        )
        .unwrap();
    let carl = leadguard_tests::member(&mut admin, "carl");
    // tess owns 11/s and reaches 11/n at level edit: she may delete the one and not the other.
    let mut tess = db.connect("tess");
    refused(&mut tess, "DELETE FROM crm.region WHERE id = 11 AND region = 'n'", "42501");
    refused(
        &mut tess,
        "WITH u AS (UPDATE crm.region SET note = 'x' WHERE id = 11 AND region = 's' RETURNING id)
         DELETE FROM crm.region t USING u WHERE t.id = u.id AND t.region = 'n'",
        "42501",
    );
    refused(
        &mut tess,
        "WITH u AS (UPDATE crm.region SET region = 'e' WHERE id = 11 AND region = 's' RETURNING id)
         DELETE FROM crm.region t USING u WHERE t.id = u.id AND t.region = 'n'",
        "42501",
    );
    refused(
        &mut tess,
        &format!(
            "WITH u AS (UPDATE crm.region SET note = 'x' WHERE id = 11 AND region = 's' RETURNING id)
             INSERT INTO crm.region (id, owner_id, region) SELECT id, {carl}, 'e' FROM u"
        ),
        "42501",
    );
    // Twins: her own row, moved and deleted.
    assert_eq!(accepted(&mut tess, "UPDATE crm.region SET region = 'e' WHERE id = 11 AND region = 's'"), 1);
    assert_eq!(accepted(&mut tess, "DELETE FROM crm.region WHERE id = 11 AND region = 'e'"), 1);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.region WHERE archived_at IS NULL"), "15");
}

// Partitions that are made while event triggers sleep, or in the transaction that protects the table, as scripts do.
#[test]
fn partitions_made_in_unusual_sessions_are_protected() {
    let db = cast("partition_odd");
    partitioned(&db);
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    let fill = |from: i32| {
        format!(
            "CREATE TABLE crm.odd_{from} PARTITION OF crm.pl FOR VALUES FROM ({from}) TO ({});
             INSERT INTO crm.odd_{from} (id, owner_id) SELECT {from} + id, owner_id FROM crm.lead;
             GRANT ALL ON crm.odd_{from} TO PUBLIC;",
            from + 100
        )
    };
    let mut open = Vec::new();
    admin.batch_execute(&format!("BEGIN; SET LOCAL row_security = off; {PROTECT}; {}; COMMIT", fill(1000))).unwrap();
    admin
        .batch_execute(&format!(
            "SET session_replication_role = replica; {}; RESET session_replication_role",
            fill(2000)
        ))
        .unwrap();
    admin.batch_execute(&format!("SET row_security = off; {}; RESET row_security", fill(3000))).unwrap();
    admin.batch_execute(&format!("BEGIN; SET LOCAL row_security = off; ALTER TABLE crm.pl RENAME COLUMN owner_id TO holder_id; ALTER TABLE crm.pl RENAME COLUMN holder_id TO owner_id; {}; COMMIT", fill(4000))).unwrap();
    admin.batch_execute(&format!("DO $do$ BEGIN {} END $do$", fill(5000))).unwrap();
    for from in [1000, 2000, 3000, 4000, 5000] {
        let count = scalar(&mut alice, &format!("SELECT count(*) FROM crm.odd_{from}"));
        if count != "5" {
            open.push(format!("odd_{from}: {count} rows"));
        }
    }
    assert!(open.is_empty(), "alice reads in {open:?}");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.odd_5000"), "15", "twin: the rows are there");
}
