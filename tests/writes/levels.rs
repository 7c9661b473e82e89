//! UPDATE and DELETE by level: read refuses, edit changes fields, full changes ownership and deletes.

use leadguard_tests::*;

/// Carl has read on lead 1, edit on 2, full on 3 and does not see 4.
fn shared(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    accepted(
        &mut db.connect("alice"),
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'read'), leadguard.share('crm.lead', '2', 'carl', 'edit'),
                leadguard.share('crm.lead', '3', 'carl', 'full')",
    );
    db
}

#[test]
fn update_needs_edit() {
    let db = shared("upd_level");
    let mut carl = db.connect("carl");
    let error = refused(&mut carl, "UPDATE crm.lead SET name = 'x' WHERE id = 1", "42501");
    assert!(
        !error.message().is_empty() && !error.message().contains("row-level security policy"),
        "{}",
        error.message()
    );
    for (id, count) in [(2, 1), (3, 1), (4, 0), (9, 1)] {
        assert_eq!(accepted(&mut carl, &format!("UPDATE crm.lead SET name = 'x' WHERE id = {id}")), count, "lead {id}");
    }
    assert_eq!(ids(&mut db.admin(), "SELECT id FROM crm.lead WHERE name = 'x'"), set("2 3 9"));
}

#[test]
fn delete_needs_full() {
    let db = shared("del_level");
    let mut carl = db.connect("carl");
    for id in [1, 2] {
        refused(&mut carl, &format!("DELETE FROM crm.lead WHERE id = {id}"), "42501");
    }
    for (id, count) in [(3, 1), (4, 0), (9, 1), (9, 0)] {
        assert_eq!(accepted(&mut carl, &format!("DELETE FROM crm.lead WHERE id = {id}")), count, "lead {id}");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE archived_at IS NULL"), "13");
    // The territory gives edit: its owner changes the lead and does not delete it; her manager neither.
    for who in ["tom", "tina"] {
        let mut session = db.connect(who);
        refused(&mut session, "DELETE FROM crm.lead WHERE id = 11", "42501");
        assert_eq!(accepted(&mut session, "UPDATE crm.lead SET name = 'x' WHERE id = 11"), 1);
    }
}

#[test]
fn one_refused_row_refuses_the_statement() {
    let db = shared("upd_together");
    let mut admin = db.admin();
    let mut carl = db.connect("carl");
    refused(&mut carl, "UPDATE crm.lead SET name = 'x'", "42501");
    refused(&mut carl, "DELETE FROM crm.lead", "42501");
    refused(&mut carl, "DELETE FROM crm.lead WHERE id IN (2, 9)", "42501");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE name = 'x'"), "0");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "15");
    assert_eq!(accepted(&mut carl, "UPDATE crm.lead SET name = 'x' WHERE id <> 1"), 4);
    assert_eq!(accepted(&mut carl, "DELETE FROM crm.lead WHERE id NOT IN (1, 2)"), 3);
}

#[test]
fn invisible_rows_are_silently_absent() {
    let db = shared("upd_invisible");
    let mut anton = db.connect("anton");
    for sql in [
        "UPDATE crm.lead SET name = 'x' WHERE id = 1",
        "UPDATE crm.lead SET name = 'x' WHERE id = 123456",
        "DELETE FROM crm.lead WHERE id = 1",
        "DELETE FROM crm.lead WHERE id = 123456",
        "SELECT 1 FROM crm.lead WHERE id = 1 FOR UPDATE",
    ] {
        assert_eq!(accepted(&mut anton, sql), 0, "{sql}");
    }
    // Also for a statement that reads no column at all.
    assert_eq!(accepted(&mut anton, "UPDATE crm.lead SET name = 'mine'"), 3);
    assert_eq!(accepted(&mut anton, "DELETE FROM crm.lead"), 3);
    let left = "SELECT id FROM crm.lead WHERE name = 'mine' AND archived_at IS NULL";
    assert_eq!(ids(&mut db.admin(), left), set(""));
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE archived_at IS NULL"), "12");
}

#[test]
fn merge_obeys_each_action() {
    let db = shared("merge_level");
    let mut carl = db.connect("carl");
    let merge = |ids: &str, action: &str| {
        format!(
            "MERGE INTO crm.lead AS l USING (SELECT unnest(ARRAY[{ids}]::bigint[]) AS id) AS v ON l.id = v.id
             WHEN MATCHED THEN {action} WHEN NOT MATCHED THEN INSERT (name) VALUES ('new')"
        )
    };
    refused(&mut carl, &merge("1", "UPDATE SET name = 'x'"), "42501");
    refused(&mut carl, &merge("2", "DELETE"), "42501");
    refused(&mut carl, &merge("2, 1", "UPDATE SET name = 'x'"), "42501");
    assert_eq!(allowed(&mut carl, &merge("2, 3, 9", "UPDATE SET name = 'x'")), 3);
    assert_eq!(allowed(&mut carl, &merge("3, 9", "DELETE")), 2);
    assert_eq!(accepted(&mut carl, &merge("777", "DELETE")), 1);
    assert_eq!(ids(&mut carl, "SELECT name FROM crm.lead WHERE id > 100"), set("new"));
}

#[test]
fn other_statements_that_write_rows_obey_too() {
    let db = shared("upd_forms");
    let mut carl = db.connect("carl");
    for (refusal, twin) in [
        ("WITH u AS (UPDATE crm.lead SET name = 'x' WHERE id = 1 RETURNING 1) SELECT count(*) FROM u", "id = 2"),
        ("UPDATE crm.lead AS l SET name = 'x' FROM crm.lead AS o WHERE o.id = l.id AND l.id = 1", "l.id = 2"),
        ("DO $$ BEGIN UPDATE crm.lead SET name = 'x' WHERE id = 1; END $$", "id = 2"),
        ("UPDATE crm.lead SET name = DEFAULT, email = NULL, amount = 0 WHERE id = 1", "id = 2"),
        ("UPDATE crm.lead SET name = name WHERE id = 1", "id = 2"),
    ] {
        refused(&mut carl, refusal, "42501");
        allowed(&mut carl, &refusal.replace(if twin.starts_with('l') { "l.id = 1" } else { "id = 1" }, twin));
    }
    accepted(&mut carl, "PREPARE p (bigint) AS UPDATE crm.lead SET name = 'x' WHERE id = $1");
    for _ in 0..7 {
        refused(&mut carl, "EXECUTE p(1)", "42501");
        assert_eq!(accepted(&mut carl, "EXECUTE p(2)"), 1);
        assert_eq!(accepted(&mut carl, "EXECUTE p(4)"), 0);
    }
}

#[test]
fn a_cursor_writes_by_level() {
    let db = shared("upd_cursor");
    let mut carl = db.connect("carl");
    accepted(
        &mut carl,
        "BEGIN; DECLARE c CURSOR FOR SELECT id FROM crm.lead WHERE id IN (1, 2) ORDER BY id; FETCH c; SAVEPOINT s",
    );
    refused(&mut carl, "UPDATE crm.lead SET name = 'x' WHERE CURRENT OF c", "42501");
    accepted(&mut carl, "ROLLBACK TO s; FETCH c");
    assert_eq!(accepted(&mut carl, "UPDATE crm.lead SET name = 'x' WHERE CURRENT OF c"), 1);
    accepted(&mut carl, "COMMIT");
}

#[test]
fn a_superuser_without_identity_maintains() {
    let db = shared("upd_super");
    let mut admin = db.admin();
    assert_eq!(accepted(&mut admin, "UPDATE crm.lead SET name = 'x'"), 15);
    let carl = member(&mut admin, "carl");
    assert_eq!(accepted(&mut admin, &format!("UPDATE crm.lead SET owner_id = {carl} WHERE id = 1")), 1);
    assert_eq!(accepted(&mut admin, "DELETE FROM crm.lead WHERE id = 15"), 1);
    assert_eq!(accepted(&mut admin, "INSERT INTO crm.lead (name) VALUES ('n')"), 1);
}

#[test]
fn a_table_may_skip_what_the_member_may_not_write() {
    let db = shared("upd_skip");
    let mut carl = db.connect("carl");
    let all = "UPDATE crm.lead SET name = 'x'";
    refused(&mut carl, all, "42501");
    for who in ["alice", "admin"] {
        refused(&mut db.connect(who), "SELECT leadguard.on_denied('crm.lead', 'skip')", "42501");
    }
    refused(&mut db.admin(), "SELECT leadguard.on_denied('crm.lead', 'ignore')", "22023");
    accepted(&mut db.admin(), "SELECT leadguard.on_denied('crm.lead', 'skip')");
    assert_eq!(accepted(&mut carl, all), 4, "2, 3, 9 and 10; 1 is left as it is");
    assert_eq!(accepted(&mut carl, "DELETE FROM crm.lead WHERE id IN (1, 2, 3)"), 1);
    let left = "SELECT id FROM crm.lead WHERE name = 'x' AND archived_at IS NULL";
    assert_eq!(ids(&mut db.admin(), left), set("2 9 10"));
    // Who may not write at all is still told so.
    refused(&mut db.connect("viewer"), all, "42501");
    accepted(&mut db.admin(), "SELECT leadguard.on_denied('crm.lead', 'error')");
    refused(&mut carl, all, "42501");
}
