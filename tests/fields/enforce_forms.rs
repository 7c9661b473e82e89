//! The forms of a write: upserts, MERGE, COPY, partitions, handing over, sessions in parallel.

use crate::enforce_lab::{all, matrix, story};
use leadguard_tests::*;

#[test]
fn upserts_obey_field_by_field() {
    let db = story("w_upsert");
    let mut admin = db.admin();
    let before = all(&mut admin);
    let upsert =
        |set: &str| format!("INSERT INTO crm.lead (id, name) VALUES (1, 'up') ON CONFLICT (id) DO UPDATE SET {set}");
    let mut alice = db.connect("alice");
    for set in ["source = 'fair'", "name = excluded.name, lead_score = 1", "source = excluded.source"] {
        refused(&mut alice, &upsert(set), "42501");
        assert_eq!(all(&mut admin), before, "{set}");
    }
    assert_eq!(accepted(&mut alice, &upsert("name = excluded.name, stage = 'qualified'")), 1);
    assert_eq!(accepted(&mut db.connect("mona"), &upsert("source = 'fair'")), 1);
    // The row proposed is judged as a new one, even where it ends as an update.
    refused(
        &mut alice,
        "INSERT INTO crm.lead (id, source) VALUES (1, 'fair') ON CONFLICT (id) DO UPDATE SET name = 'x'",
        "42501",
    );
}

#[test]
fn merge_obeys_field_by_field() {
    let db = story("w_merge");
    let mut admin = db.admin();
    let before = all(&mut admin);
    let merge = |then: &str| {
        format!("MERGE INTO crm.lead l USING (VALUES (1), (777)) v (id) ON l.id = v.id WHEN MATCHED THEN {then}")
    };
    let mut alice = db.connect("alice");
    refused(&mut alice, &merge("UPDATE SET source = 'fair'"), "42501");
    refused(
        &mut alice,
        &merge("UPDATE SET name = 'm' WHEN NOT MATCHED THEN INSERT (name, source) VALUES ('new', 'fair')"),
        "42501",
    );
    assert_eq!(all(&mut admin), before);
    assert_eq!(
        accepted(&mut alice, &merge("UPDATE SET name = 'm' WHEN NOT MATCHED THEN INSERT (name) VALUES ('new')")),
        2
    );
    assert_eq!(accepted(&mut db.connect("mona"), &merge("UPDATE SET source = 'fair'")), 1);
}

#[test]
fn copy_goes_through_the_guards() {
    let db = story("w_copy");
    let mut admin = db.admin();
    let out = db.psql("alice", "COPY crm.lead (name, source) FROM STDIN;\nx\tfair\n\\.\n");
    assert!(out.contains("may not be written") || out.contains("COPY FROM not supported"), "{out}");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE source = 'fair'"), "0");
    // The route that row security leaves: a staging table.
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "CREATE TEMP TABLE staging (name text, source text); INSERT INTO staging VALUES ('s', 'fair')",
    );
    refused(&mut alice, "INSERT INTO crm.lead (name, source) SELECT name, source FROM staging", "42501");
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (name) SELECT name FROM staging"), 1);
}

/// A partitioned table whose partitions number their columns each in its own way.
fn partitioned(name: &str) -> Db {
    let db = Db::new(name);
    people(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE SCHEMA crm;
         CREATE TABLE crm.lead (id bigint, owner_id bigint, gone int, region text, name text, source text, n int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         ALTER TABLE crm.lead DROP COLUMN gone;
         CREATE TABLE crm.lead_eu PARTITION OF crm.lead FOR VALUES IN ('eu');
         CREATE TABLE crm.lead_us (a int, b int, source text, n int, name text, region text NOT NULL, owner_id bigint, id bigint NOT NULL);
         ALTER TABLE crm.lead_us DROP COLUMN a, DROP COLUMN b;
         ALTER TABLE crm.lead ATTACH PARTITION crm.lead_us FOR VALUES IN ('us');
         INSERT INTO crm.lead SELECT n, m.id, CASE WHEN n % 2 = 0 THEN 'eu' ELSE 'us' END, 'lead', 'web', n
         FROM generate_series(1, 6) n, leadguard.member m WHERE m.key = 'alice';
         SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id');
         INSERT INTO leadguard.member_role (member_id, role)
         SELECT m.id, r.role FROM (VALUES ('alice', 'sales'), ('mona', 'marketing')) AS r (key, role)
         JOIN leadguard.member AS m ON m.key = r.key;",
    );
    matrix(&mut admin, "crm.lead", &[("source", "marketing", "owner"), ("n", "system", "owner")]);
    db
}

#[test]
fn partitions_are_judged_by_the_tables_rules() {
    let db = partitioned("w_part");
    let mut alice = db.connect("alice");
    for id in [1, 2] {
        for set in ["source = 'fair'", "n = 99", "n = 99, region = 'eu'", "source = 'fair', region = 'us'"] {
            refused(&mut alice, &format!("UPDATE crm.lead SET {set} WHERE id = {id}"), "42501");
        }
        for region in ["eu", "us"] {
            assert_eq!(
                accepted(&mut alice, &format!("UPDATE crm.lead SET name = 'x', region = '{region}' WHERE id = {id}")),
                1
            );
        }
    }
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (id, region, name) VALUES (10, 'us', 'new')"), 1);
    refused(&mut alice, "INSERT INTO crm.lead (id, region, source) VALUES (11, 'us', 'fair')", "42501");
    assert_eq!(accepted(&mut db.connect("mona"), "UPDATE crm.lead SET source = 'fair', region = 'us'"), 7);
}

// On a move nothing but the arriving row's INSERT tells what other triggers made of it.
#[test]
fn a_move_between_partitions_hides_no_change() {
    let db = partitioned("w_move");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.late() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.name = 'late' THEN NEW.source := 'fair'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER zzz BEFORE UPDATE ON crm.lead_eu FOR EACH ROW EXECUTE FUNCTION crm.late();
         CREATE TRIGGER zzz BEFORE INSERT ON crm.lead_us FOR EACH ROW WHEN (NEW.n = 4) EXECUTE FUNCTION crm.late()",
    );
    let mut alice = db.connect("alice");
    for id in [2, 4] {
        refused(&mut alice, &format!("UPDATE crm.lead SET name = 'late', region = 'us' WHERE id = {id}"), "42501");
        assert_eq!(
            allowed(&mut alice, &format!("UPDATE crm.lead SET name = 'on time', region = 'us' WHERE id = {id}")),
            1
        );
    }
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE source = 'fair'"), "0");
    assert_eq!(accepted(&mut db.connect("mona"), "UPDATE crm.lead SET name = 'late', region = 'us' WHERE id = 2"), 1);
}

#[test]
fn handing_over_is_no_way_around() {
    let db = story("w_reassign");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.hand() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.source := 'handed'; RETURN NEW; END $$;
         CREATE TRIGGER zzz BEFORE UPDATE OF owner_id ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.hand()",
    );
    let hand = "SELECT leadguard.reassign('crm.lead', '1', owner => 'anton')";
    refused(&mut db.connect("alice"), hand, "42501");
    assert_eq!(scalar(&mut admin, "SELECT source FROM crm.lead WHERE id = 1"), "web");
    accepted(&mut db.connect("mona"), hand);
    accepted(&mut admin, "DROP TRIGGER zzz ON crm.lead");
    accepted(&mut db.connect("alice"), "SELECT leadguard.reassign('crm.lead', '2', owner => 'anton')");
}

// An old transaction writes with no roles that its member has lost, and under no rules that are replaced.
#[test]
fn old_transactions_obey_the_newest_rules() {
    let db = story("w_newest");
    let mut admin = db.admin();
    let mut mona = db.connect("mona");
    let old = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM crm.lead";
    let update = "UPDATE crm.lead SET source = 'old' WHERE id = 1";
    accepted(&mut mona, old);
    accepted(&mut admin, "DELETE FROM leadguard.member_role WHERE role = 'marketing'");
    refused(&mut mona, update, "42501");
    accepted(&mut mona, "ROLLBACK");
    let mut alice = db.connect("alice");
    accepted(&mut alice, old);
    matrix(&mut admin, "crm.lead", &[("email", "marketing", "owner")]);
    refused(&mut alice, "UPDATE crm.lead SET email = 'x' WHERE id = 1", "42501");
    accepted(&mut alice, "ROLLBACK");
    assert_eq!(accepted(&mut alice, update), 1);
    refused(&mut alice, "UPDATE crm.lead SET email = 'x' WHERE id = 1", "42501");
}
