//! Every way to say DELETE.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k15_delete_using_meets_a_row_more_than_once() {
    let db = lab("archive_using");
    let mut alice = db.connect("alice");
    let sql = "DELETE FROM crm.lead USING (VALUES (1), (1), (2)) AS v (id) WHERE lead.id = v.id";
    assert_eq!(accepted(&mut alice, sql), 2);
    assert_eq!(archived(&db), set("1 2"));
    let sql = "DELETE FROM crm.lead AS l USING crm.lead AS o WHERE o.owner_id = l.owner_id AND l.id = 3 RETURNING l.id";
    assert_eq!(rows(&mut alice, sql), [["3"]]);
}

#[test]
fn k15_cursor_prepared_and_function() {
    let db = lab("archive_forms");
    let mut alice = db.connect("alice");
    accepted(&mut alice, "BEGIN; DECLARE c CURSOR FOR SELECT * FROM crm.lead WHERE id = 1 FOR UPDATE; FETCH c");
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE CURRENT OF c"), 1);
    accepted(&mut alice, "COMMIT");
    assert_eq!(alice.execute("DELETE FROM crm.lead WHERE id = $1", &[&2i64]).expect("DELETE"), 1);
    accepted(&mut alice, "SET plan_cache_mode = force_generic_plan; PREPARE d AS DELETE FROM crm.lead WHERE id = $1");
    assert_eq!(accepted(&mut alice, "EXECUTE d (3)"), 1);
    accepted(
        &mut alice,
        "DO $$DECLARE n int; BEGIN DELETE FROM crm.lead WHERE id IN (4, 9); GET DIAGNOSTICS n = ROW_COUNT;
         IF n <> 1 THEN RAISE EXCEPTION 'counted %', n; END IF; END$$",
    );
    assert_eq!(archived(&db), set("1 2 3 4"));
}

#[test]
fn k15_merge_archives() {
    let db = lab("archive_merge");
    if scalar(&mut db.admin(), "SELECT current_setting('server_version_num')::int >= 150000") == "f" {
        return;
    }
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "MERGE INTO crm.lead AS l USING (VALUES (1::bigint), (9)) AS v (id) ON v.id = l.id
         WHEN MATCHED THEN DELETE",
    );
    assert_eq!(archived(&db), set("1"));
}

#[test]
fn k15_two_members_over_one_connection() {
    let db = lab("archive_pooled");
    db.create_role("app");
    accepted(&mut db.admin(), &format!("SELECT leadguard.connector('{}', 'trusted')", db.role("app")));
    let mut app = db.connect("app");
    accepted(&mut app, "PREPARE d AS DELETE FROM crm.lead WHERE id = ANY ($1)");
    for (who, ids, count) in [("alice", "{1,6,9}", 1), ("anton", "{2,6,9}", 1), ("carl", "{3,7,9}", 1)] {
        accepted(&mut app, &format!("BEGIN; SELECT leadguard.act_as('{who}')"));
        assert_eq!(accepted(&mut app, &format!("EXECUTE d ('{ids}')")), count, "{who}");
        accepted(&mut app, "COMMIT");
    }
    assert_eq!(archived(&db), set("1 6 9"));
}

#[test]
fn k15_a_row_that_changes_meanwhile() {
    let db = lab("archive_concurrent");
    let (mut one, mut two) = (db.connect("alice"), db.connect("alice"));
    accepted(&mut one, "BEGIN; UPDATE crm.lead SET name = 'changed' WHERE id = 1");
    let pid = pid(&mut two);
    let waiter = std::thread::spawn(move || accepted(&mut two, "DELETE FROM crm.lead WHERE id = 1"));
    assert!(blocked(&mut db.admin(), pid));
    accepted(&mut one, "COMMIT");
    assert_eq!(waiter.join().unwrap(), 1);
    assert_eq!(archived(&db), set("1"));
    assert_eq!(scalar(&mut db.admin(), "SELECT name FROM crm.lead WHERE id = 1"), "changed");
}

#[test]
fn k15_a_row_that_is_archived_meanwhile() {
    let db = lab("archive_race");
    let (mut one, mut two) = (db.connect("alice"), db.connect("mona"));
    accepted(&mut one, "BEGIN; DELETE FROM crm.lead WHERE id = 1");
    let pid = pid(&mut two);
    let waiter = std::thread::spawn(move || accepted(&mut two, "DELETE FROM crm.lead WHERE id = 1"));
    assert!(blocked(&mut db.admin(), pid));
    accepted(&mut one, "COMMIT");
    assert_eq!(waiter.join().unwrap(), 0);
    assert_eq!(audit(&db, "1").len(), 1);
}

#[test]
fn k15_triggers_of_the_table_see_an_update() {
    let db = lab("archive_triggers");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.seen (what text, who name);
         GRANT INSERT ON crm.seen TO PUBLIC;
         CREATE FUNCTION crm.see() RETURNS trigger LANGUAGE plpgsql AS
           $$BEGIN INSERT INTO crm.seen VALUES (TG_WHEN || ' ' || TG_OP, current_user); RETURN coalesce(new, old); END$$;
         CREATE TRIGGER a BEFORE DELETE OR UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.see();
         CREATE TRIGGER b AFTER DELETE OR UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.see()",
    );
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    let alice = db.role("alice");
    let seen = rows(&mut db.admin(), "SELECT what, who FROM crm.seen ORDER BY what");
    assert_eq!(
        seen,
        ["AFTER UPDATE", "BEFORE DELETE", "BEFORE UPDATE"].map(|what| vec![what.to_string(), alice.clone()])
    );
}

#[test]
fn k15_explain_and_nothing_to_do() {
    let db = lab("archive_explain");
    let mut alice = db.connect("alice");
    accepted(&mut alice, "EXPLAIN DELETE FROM crm.lead WHERE id = 1");
    assert!(archived(&db).is_empty());
    accepted(&mut alice, "EXPLAIN (ANALYZE, VERBOSE) DELETE FROM crm.lead WHERE id = 1");
    assert_eq!(archived(&db), set("1"));
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE id = 1"), 0);
}

#[test]
fn k53_a_missing_trigger_stops_the_commit() {
    let db = lab("archive_untriggered");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead DISABLE TRIGGER leadguard_99_written");
    refused(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1", "55000");
    accepted(&mut db.admin(), "ALTER TABLE crm.lead ENABLE ALWAYS TRIGGER leadguard_99_written");
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1"), 1);
}
