//! Archives of partitioned tables.

use crate::lab::*;
use leadguard_tests::*;

fn visits(db: &Db) {
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.visit (id bigint, owner_id bigint, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.visit_a PARTITION OF crm.visit FOR VALUES IN ('a');
         CREATE TABLE crm.visit_b PARTITION OF crm.visit FOR VALUES IN ('b');
         INSERT INTO crm.visit SELECT g, m.id, r FROM generate_series(1, 3) g, leadguard.member m, unnest('{a,b}'::text[]) r WHERE m.key = 'alice';
         SELECT leadguard.protect('crm.visit', id => 'id', owner => 'owner_id', archived_at => 'archived_at', archived_by => 'archived_by')",
    );
}

#[test]
fn k15_rows_of_partitions_are_archived_where_they_are() {
    let db = lab("archive_partition");
    visits(&db);
    let mut alice = db.connect("alice");
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.visit WHERE id = 1 AND region = 'a'"), 1);
    assert_eq!(rows(&mut alice, "DELETE FROM crm.visit WHERE id = 2 RETURNING id, region").len(), 2);
    let stored = rows(&mut db.admin(), "SELECT id, region FROM crm.visit WHERE archived_at IS NOT NULL ORDER BY 1, 2");
    assert_eq!(stored, [["1", "a"], ["2", "a"], ["2", "b"]]);
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.visit"), "3");
}

#[test]
fn k15_a_move_between_partitions_is_no_deletion() {
    let db = lab("archive_move");
    visits(&db);
    let mut alice = db.connect("alice");
    accepted(
        &mut db.admin(),
        "DELETE FROM crm.visit WHERE id = 1 AND region = 'b'; SELECT leadguard.purge('crm.visit', '1', 'room')",
    );
    assert_eq!(accepted(&mut alice, "UPDATE crm.visit SET region = 'b' WHERE id = 1"), 1);
    assert_eq!(rows(&mut alice, "SELECT region FROM crm.visit WHERE id = 1"), [["b"]]);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.visit WHERE archived_at IS NOT NULL"), "0");
}

#[test]
fn k15_partitions_of_other_layouts_and_triggers() {
    let db = lab("archive_layouts");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.visit (id bigint, owner_id bigint, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.visit_a PARTITION OF crm.visit FOR VALUES IN ('a');
         CREATE TABLE crm.visit_b (region text NOT NULL, pad int, id bigint NOT NULL, owner_id bigint);
         ALTER TABLE crm.visit_b DROP COLUMN pad;
         ALTER TABLE crm.visit ATTACH PARTITION crm.visit_b FOR VALUES IN ('b');
         INSERT INTO crm.visit SELECT g, m.id, r FROM generate_series(1, 6) g, leadguard.member m, unnest('{a,b}'::text[]) r WHERE m.key = 'alice';
         SELECT leadguard.protect('crm.visit', id => 'id', owner => 'owner_id', archived_at => 'archived_at', archived_by => 'archived_by');
         CREATE FUNCTION crm.look() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM count(*) FROM gone; RETURN NULL; END$$;
         CREATE TRIGGER t AFTER DELETE ON crm.visit REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION crm.look()",
    );
    let mut alice = db.connect("alice");
    let gone =
        rows(&mut alice, "DELETE FROM crm.visit WHERE id = 2 RETURNING id, region, archived_by, tableoid::regclass");
    assert_eq!(gone, [["2", "a", "∅", "crm.visit_a"], ["2", "b", "∅", "crm.visit_b"]]);
    accepted(&mut alice, "EXPLAIN (ANALYZE, VERBOSE) DELETE FROM crm.visit WHERE id = 3");
    // One partition, by somebody who may name it.
    accepted(&mut db.admin(), "SELECT count(*) FROM leadguard.cache(); DELETE FROM crm.visit_b WHERE id = 4");
    let stored =
        "SELECT string_agg(id || region, ' ' ORDER BY id, region) FROM crm.visit WHERE archived_at IS NOT NULL";
    assert_eq!(scalar(&mut db.admin(), stored), "2a 2b 3a 3b 4b");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.visit"), "12");
}
