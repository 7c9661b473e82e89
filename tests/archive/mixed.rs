//! Statements that delete in more than one place, and statements within statements.

use crate::lab::*;
use leadguard_tests::*;

fn has_merge(db: &Db) -> bool {
    scalar(&mut db.admin(), "SELECT current_setting('server_version_num')::int >= 150000") == "t"
}

const MERGE: &str = "MERGE INTO crm.lead AS l USING (VALUES (2::bigint), (9)) AS v (id) ON v.id = l.id
                     WHEN MATCHED THEN DELETE";

// Let through where no routine waits for it, the row of the MERGE would be gone for good.
#[test]
fn k52_a_merge_beside_a_delete_archives() {
    let db = lab("archive_mixed_merge");
    if !has_merge(&db) {
        return;
    }
    let both = format!("WITH d AS (DELETE FROM crm.lead WHERE id = 1) {MERGE}");
    for who in ["alice", "postgres"] {
        let mut session = db.connect(who);
        accepted(&mut session, "SELECT count(*) FROM leadguard.cache()");
        assert_eq!(accepted(&mut session, &both), 1, "{who}");
        assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead"), "15", "{who}: nothing is gone");
    }
    assert_eq!(archived(&db), set("1 2 9"));
}

#[test]
fn k52_a_merge_beside_a_delete_of_another_table_archives() {
    let db = lab("archive_mixed_other");
    if !has_merge(&db) {
        return;
    }
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint);
         INSERT INTO crm.deal SELECT g, m.id FROM generate_series(1, 3) g, leadguard.member m WHERE m.key = 'alice';
         SELECT leadguard.protect('crm.deal', owner => 'owner_id', archived_at => 'archived_at')",
    );
    let both = format!("WITH d AS (DELETE FROM crm.deal WHERE id = 1) {MERGE}");
    assert_eq!(accepted(&mut db.connect("alice"), &both), 1);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead"), "15");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.deal WHERE archived_at IS NOT NULL"), "1");
    assert_eq!(archived(&db), set("2"));
}

#[test]
fn k15_counts_of_failed_statements_are_forgotten() {
    let db = lab("archive_mixed_counts");
    if !has_merge(&db) {
        return;
    }
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SELECT count(*) FROM crm.lead");
    // The first row is taken away before the second raises.
    let failing = "WITH v AS MATERIALIZED (SELECT * FROM (VALUES (1::bigint, 1), (2, 0)) AS v (id, d))
                   MERGE INTO crm.lead AS l USING v ON v.id = l.id WHEN MATCHED AND 1 / v.d = 1 THEN DELETE";
    accepted(
        &mut alice,
        &format!(
            "DO $do$
             DECLARE n integer;
             BEGIN
                 FOR i IN 1 .. 20 LOOP
                     BEGIN
                         {failing};
                     EXCEPTION WHEN division_by_zero THEN NULL;
                     END;
                     UPDATE crm.lead SET name = name WHERE id = 3;
                     GET DIAGNOSTICS n = ROW_COUNT;
                     IF n <> 1 THEN RAISE EXCEPTION 'counted % in round %', n, i; END IF;
                 END LOOP;
             END $do$"
        ),
    );
    assert!(archived(&db).is_empty());
}

// The library comes with the first statement's own trigger, too late to count its rows.
#[test]
fn k15_a_first_statement_leaves_no_count_behind() {
    let db = lab("archive_mixed_first");
    let mut admin = db.admin();
    accepted(&mut admin, "BEGIN; DELETE FROM crm.lead WHERE id IN (3, 4)");
    for _ in 0..5 {
        assert_eq!(accepted(&mut admin, "UPDATE crm.lead SET name = name WHERE id = 5"), 1);
        assert_eq!(accepted(&mut admin, "SELECT 1"), 1);
    }
    assert_eq!(accepted(&mut admin, "DELETE FROM crm.lead WHERE id IN (3, 4, 6)"), 1);
    accepted(&mut admin, "COMMIT");
    let gone = "WITH d AS (DELETE FROM crm.lead WHERE id = 1 RETURNING id) SELECT id FROM crm.lead WHERE id = 5";
    assert_eq!(accepted(&mut db.admin(), gone), 1, "the SELECT's one row");
    assert_eq!(archived(&db), set("1 3 4 6"));
}

#[test]
fn k15_triggers_that_delete_more_rows() {
    for (name, first, second) in [("aaa", 1, 2), ("zzz", 4, 5)] {
        let db = lab("archive_mixed_nested");
        accepted(
            &mut db.admin(),
            &format!(
                "CREATE FUNCTION crm.more() RETURNS trigger LANGUAGE plpgsql AS
                   $$BEGIN
                       BEGIN DELETE FROM crm.lead WHERE id = OLD.id + 2 AND 1 / (OLD.id - OLD.id) = 1;
                       EXCEPTION WHEN division_by_zero THEN NULL; END;
                       DELETE FROM crm.lead WHERE id = OLD.id + 1 AND id IN (2, 5);
                       RETURN OLD;
                   END$$;
                 CREATE TRIGGER {name} BEFORE DELETE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.more()"
            ),
        );
        let mut alice = db.connect("alice");
        let gone = rows(&mut alice, &format!("DELETE FROM crm.lead WHERE id = {first} RETURNING id"));
        assert_eq!(gone, [[first.to_string()]], "{name}");
        assert_eq!(archived(&db), set(&format!("{first} {second}")), "{name}");
        for id in [first, second] {
            assert_eq!(audit(&db, &id.to_string()).len(), 1, "{name}: {id}");
        }
    }
}

#[test]
fn k15_a_trigger_that_keeps_a_row() {
    for name in ["aaa", "zzz"] {
        let db = lab("archive_mixed_keep");
        accepted(
            &mut db.admin(),
            &format!(
                "CREATE FUNCTION crm.keep() RETURNS trigger LANGUAGE plpgsql AS
                   $$BEGIN RETURN CASE WHEN OLD.id = 2 THEN NULL ELSE OLD END; END$$;
                 CREATE TRIGGER {name} BEFORE DELETE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.keep()"
            ),
        );
        assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id < 4"), 2, "{name}");
        assert_eq!(archived(&db), set("1 3"), "{name}");
    }
}

// Nothing was deleted: what was archived is seen by triggers of UPDATE.
#[test]
fn k15_transition_tables_are_those_of_an_update() {
    let db = lab("archive_mixed_transition");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.seen (what text, n bigint); GRANT INSERT ON crm.seen TO PUBLIC;
         CREATE FUNCTION crm.count_old() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN INSERT INTO crm.seen SELECT TG_OP, count(*) FROM gone; RETURN NULL; END$$;
         CREATE TRIGGER t AFTER DELETE ON crm.lead REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION crm.count_old();
         CREATE TRIGGER u AFTER UPDATE ON crm.lead REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION crm.count_old()",
    );
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id IN (1, 2)"), 2);
    assert_eq!(rows(&mut db.admin(), "SELECT what, n FROM crm.seen ORDER BY what"), [["DELETE", "0"], ["UPDATE", "2"]]);
    assert_eq!(archived(&db), set("1 2"));
}

#[test]
fn k52_two_parts_of_a_statement_meet_one_row() {
    let db = lab("archive_mixed_update");
    let mut alice = db.connect("alice");
    let both = "WITH u AS (UPDATE crm.lead SET name = 'y' WHERE id = 2 RETURNING id) DELETE FROM crm.lead WHERE id = 2";
    assert_eq!(accepted(&mut alice, both), 1);
    let twice = "WITH d AS (DELETE FROM crm.lead WHERE id = 3 RETURNING id) DELETE FROM crm.lead WHERE id = 3";
    assert_eq!(accepted(&mut alice, twice), 1);
    assert_eq!(archived(&db), set("2 3"));
    for id in ["2", "3"] {
        assert_eq!(audit(&db, id).len(), 1, "{id}");
    }
}

// The guard is the one thing that archives; without it nothing is deleted either.
#[test]
fn k52_without_its_guard_a_table_deletes_nothing() {
    let db = lab("archive_mixed_guardless");
    let mut admin = db.admin();
    accepted(&mut admin, "ALTER TABLE crm.lead DISABLE TRIGGER leadguard_90_row");
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1"), 0);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE archived_at IS NULL"), "15");
    accepted(&mut admin, "ALTER TABLE crm.lead ENABLE ALWAYS TRIGGER leadguard_90_row");
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1"), 1);
}
