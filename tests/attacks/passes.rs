//! What the guards let pass once, used for something else: the halves of a move between partitions, and the writes of the
//! extension itself.

use leadguard_tests::{Client, Db, accepted, org, refused, rows, scalar};

/// Two partitioned tables, one with an archive. Rows 1-4 are alice's; 5-8 carl's, on which alice has level edit.
fn lab(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    let mut admin = db.admin();
    for (table, archive) in [("crm.kept", ", archived_at => 'gone', archived_by => 'gone_by'"), ("crm.lost", "")] {
        accepted(
            &mut admin,
            &format!(
                "CREATE TABLE {table} (id int, part text, owner text, amount int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
                 CREATE TABLE {table}_a PARTITION OF {table} FOR VALUES IN ('a');
                 CREATE TABLE {table}_b PARTITION OF {table} FOR VALUES IN ('b');
                 INSERT INTO {table} SELECT n, 'a', CASE WHEN n < 5 THEN 'alice' ELSE 'carl' END, n FROM generate_series(1, 8) n;
                 SELECT leadguard.protect('{table}', id => 'id', owner => 'owner'{archive});
                 GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO PUBLIC;
                 SELECT leadguard.team_add('{table}', n::text, 'alice', 'edit') FROM generate_series(5, 8) n"
            ),
        );
    }
    db
}

fn there(admin: &mut Client, table: &str) -> String {
    scalar(admin, &format!("SELECT string_agg(id || part, ' ' ORDER BY id, part) FROM {table}"))
}

const ALL: &str = "1a 2a 3a 4a 5a 6a 7a 8a";

// A transaction that is rolled back within one message leaves the next one the same command numbers.
#[test]
fn a_move_that_never_happened_lets_nothing_be_deleted() {
    let db = lab("pass_rollback");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    for table in ["crm.kept", "crm.lost"] {
        let update = format!("UPDATE {table} SET amount = 0 WHERE id = 5");
        for delete in [
            format!("DELETE FROM {table} WHERE id = 5"),
            format!("MERGE INTO {table} t USING (VALUES (5)) v (id) ON t.id = v.id WHEN MATCHED THEN DELETE"),
            format!(
                "WITH d AS (DELETE FROM {table} WHERE id = 5 RETURNING *) INSERT INTO {table} (id, part, owner) SELECT id, 'b', owner FROM d"
            ),
        ] {
            refused(&mut alice, &format!("BEGIN; {update}; ROLLBACK; BEGIN; {delete}; COMMIT"), "42501");
            accepted(&mut alice, "ROLLBACK");
            refused(&mut alice, &format!("DO $$ BEGIN {update}; ROLLBACK; {delete}; COMMIT; END $$"), "42501");
            refused(
                &mut alice,
                &format!(
                    "DO $$ BEGIN BEGIN {update}; RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN NULL; END; {delete}; END $$"
                ),
                "42501",
            );
        }
        assert_eq!(there(&mut admin, table), ALL);
    }
    // Superusers archive as well, and are told so.
    let merge = "MERGE INTO crm.kept t USING (VALUES (6)) v (id) ON t.id = v.id WHEN MATCHED THEN DELETE";
    accepted(
        &mut admin,
        &format!("DO $$ BEGIN UPDATE crm.kept SET amount = 0 WHERE id = 6; ROLLBACK; {merge}; COMMIT; END $$"),
    );
    assert_eq!(there(&mut admin, "crm.kept"), ALL);
    assert_eq!(scalar(&mut admin, "SELECT string_agg(id::text, ' ') FROM crm.kept WHERE gone IS NOT NULL"), "6");
    // Twin: a move in earnest.
    assert_eq!(accepted(&mut alice, "UPDATE crm.kept SET part = 'b' WHERE id = 5"), 1);
    assert_eq!(there(&mut admin, "crm.kept"), "1a 2a 3a 4a 5b 6a 7a 8a");
}

// A trigger of the customer's stops the UPDATE after it was judged; another part of the statement deletes the row.
#[test]
fn a_move_that_is_stopped_lets_nothing_be_deleted() {
    let db = lab("pass_suppressed");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    let suppress =
        "CREATE TRIGGER zz BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()";
    for table in ["crm.kept", "crm.lost"] {
        // Rows of before the archive have fewer columns than what is compared with them.
        accepted(&mut admin, &format!("UPDATE {table} SET amount = amount; {}", suppress.replace("{table}", table)));
        let update = format!("UPDATE {table} SET amount = amount WHERE id = 5 RETURNING id");
        refused(
            &mut alice,
            &format!(
                "WITH u AS ({update}), d AS (DELETE FROM {table} WHERE id = 5 RETURNING *) SELECT (SELECT count(*) FROM u), (SELECT count(*) FROM d)"
            ),
            "42501",
        );
        refused(
            &mut alice,
            &format!(
                "MERGE INTO {table} t USING (VALUES (5, 1), (5, 2)) v (id, n) ON t.id = v.id
                 WHEN MATCHED AND n = 1 THEN UPDATE SET amount = t.amount WHEN MATCHED THEN DELETE"
            ),
            "27000",
        );
        // The same with what an UPDATE may not do to a new row.
        refused(
            &mut alice,
            &format!(
                "MERGE INTO {table} t USING (VALUES (5, 1), (5, 2)) v (id, n) ON t.id = v.id AND n < 3
                 WHEN MATCHED AND n = 1 THEN UPDATE SET amount = t.amount WHEN MATCHED THEN DELETE
                 WHEN NOT MATCHED THEN INSERT (id, part, owner) VALUES (5, 'b', 'carl')"
            ),
            "27000",
        );
        assert_eq!(there(&mut admin, table), ALL);
        accepted(&mut admin, &format!("DROP TRIGGER zz ON {table}"));
    }
}

// One half of a move is stopped: the row must be in one of the two partitions.
#[test]
fn a_row_that_leaves_arrives() {
    let db = lab("pass_lost");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    accepted(&mut admin, "CREATE FUNCTION crm.no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    for (when, fails) in [("DELETE ON crm.kept_a", false), ("INSERT ON crm.kept_b", true)] {
        accepted(&mut admin, &format!("CREATE TRIGGER zz BEFORE {when} FOR EACH ROW EXECUTE FUNCTION crm.no()"));
        for session in [&mut alice, &mut admin] {
            let sql = "UPDATE crm.kept SET part = 'b' WHERE id = 1";
            if fails {
                refused(session, sql, "27000");
            } else {
                accepted(session, sql);
            }
            assert_eq!(there(session, "crm.kept"), ALL);
        }
        accepted(&mut admin, &format!("DROP TRIGGER zz ON {}", when.split_once("ON ").unwrap().1));
    }
    for (session, id) in [(&mut alice, 1), (&mut admin, 2)] {
        assert_eq!(accepted(session, &format!("UPDATE crm.kept SET part = 'b' WHERE id = {id}")), 1);
    }
    assert_eq!(there(&mut admin, "crm.kept"), "1b 2b 3a 4a 5a 6a 7a 8a");
}

// Thousands of moves in one statement wait for their AFTER ROW triggers together.
#[test]
fn many_rows_move_at_once() {
    let db = lab("pass_many");
    let mut admin = db.admin();
    accepted(&mut admin, "INSERT INTO crm.kept SELECT n, 'a', 'alice', 0 FROM generate_series(101, 20100) n");
    accepted(&mut admin, "SELECT leadguard.set_switch('crm.kept', 'batch_update', 'none')");
    let mut alice = db.connect("alice");
    assert_eq!(accepted(&mut alice, "UPDATE crm.kept SET part = 'b' WHERE id > 100"), 20_000);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.kept_b WHERE gone IS NULL"), "20000");
}

/// A trigger on crm.lead, whose owner is `owner`, with this body.
fn hang(owner: &mut Client, when: &str, body: &str) {
    accepted(
        owner,
        &format!(
            "CREATE OR REPLACE FUNCTION lab.f() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {body} RETURN new; END $f$;
             CREATE TRIGGER aaa {when} UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION lab.f()"
        ),
    );
}

// While a record is archived, the triggers of the table run with the member's rights and no more.
#[test]
fn archiving_and_restoring_change_nothing_else() {
    let db = Db::new("pass_archive");
    org(&db);
    let mut admin = db.admin();
    let tom = db.role("tom");
    accepted(
        &mut admin,
        &format!(
            "ALTER TABLE crm.lead ADD score int DEFAULT 0, ADD touched timestamptz; ALTER TABLE crm.lead OWNER TO \"{tom}\";
             CREATE SCHEMA lab AUTHORIZATION \"{tom}\"; GRANT USAGE ON SCHEMA crm TO \"{tom}\";
             GRANT SELECT, INSERT, UPDATE, DELETE ON crm.lead TO PUBLIC;
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'ceo';
             SELECT leadguard.set_fields('crm.lead', '{{\"score\": {{\"system\": \"owner\"}}}}');
             SELECT leadguard.propose_fields('crm.lead', '{{ceo}}')"
        ),
    );
    accepted(&mut db.connect("ceo"), "SELECT leadguard.sign_fields('crm.lead', 1)");
    let mut owner = db.connect("tom");
    let mut alice = db.connect("alice");
    let mut ceo = db.connect("ceo");
    accepted(&mut alice, "DELETE FROM crm.lead WHERE id = 5");
    let state = "SELECT id, score, owner_id, archived_at IS NULL FROM crm.lead WHERE id IN (1, 5) ORDER BY id";
    let before = rows(&mut admin, state);
    for body in [
        "new.score := 999;",
        "new.archived_at := CASE WHEN old.archived_at IS NULL THEN NULL ELSE now() END;",
        "new.owner_id := 999999;",
    ] {
        hang(&mut owner, "BEFORE", body);
        refused(&mut alice, "DELETE FROM crm.lead WHERE id = 1", "42501");
        refused(&mut ceo, "SELECT leadguard.restore('crm.lead', '5')", "42501");
        accepted(&mut owner, "DROP TRIGGER aaa ON crm.lead");
        assert_eq!(rows(&mut admin, state), before, "{body}");
    }
    for change in ["score = 777", "archived_at = CASE WHEN old.archived_at IS NULL THEN NULL ELSE now() END"] {
        let update = format!("UPDATE crm.lead SET {change} WHERE id = new.id;");
        hang(&mut owner, "AFTER", &format!("IF pg_trigger_depth() = 1 THEN {update} END IF;"));
        refused(&mut ceo, "SELECT leadguard.restore('crm.lead', '5')", "42501");
        assert_eq!(rows(&mut admin, state), before, "{change}");
        // Alice does not see the archived row, so that her trigger does not meet it.
        accepted(&mut alice, "BEGIN; DELETE FROM crm.lead WHERE id = 1");
        accepted(&mut alice, "COMMIT");
        accepted(&mut owner, "DROP TRIGGER aaa ON crm.lead");
        accepted(&mut admin, "SELECT leadguard.restore('crm.lead', '1')");
        assert_eq!(rows(&mut admin, state), before, "{change}");
    }
    // Twin: what the member may change anyway, as triggers that note the time of a change do.
    hang(&mut owner, "BEFORE", "new.touched := now();");
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE id = 1"), 1);
    accepted(&mut ceo, "SELECT leadguard.restore('crm.lead', '5')");
    assert_eq!(
        scalar(
            &mut admin,
            "SELECT string_agg((archived_at IS NULL)::text, ' ' ORDER BY id) FROM crm.lead WHERE id IN (1, 5)"
        ),
        "false true"
    );
    assert_eq!(scalar(&mut admin, "SELECT count(touched) FROM crm.lead"), "2");
}

// A row that a rule leaves as it is must not be left behind by a foreign key.
#[test]
fn a_foreign_key_is_refused_not_skipped() {
    for (action, state) in [("SET NULL", "42501"), ("CASCADE", "42501")] {
        let db = Db::new("pass_skip");
        org(&db);
        let mut admin = db.admin();
        accepted(
            &mut admin,
            &format!(
                "CREATE TABLE crm.account (id int PRIMARY KEY); INSERT INTO crm.account VALUES (1), (2);
                 CREATE TABLE crm.task (id int PRIMARY KEY, owner text, account int REFERENCES crm.account ON DELETE {action} ON UPDATE CASCADE);
                 INSERT INTO crm.task VALUES (1, 'carl', 1), (2, 'alice', 2);
                 SELECT leadguard.protect('crm.task', owner => 'owner'), leadguard.on_denied('crm.task', 'skip');
                 GRANT SELECT, UPDATE, DELETE ON crm.account, crm.task TO PUBLIC; GRANT USAGE ON SCHEMA crm TO PUBLIC"
            ),
        );
        let mut alice = db.connect("alice");
        refused(&mut alice, "DELETE FROM crm.account WHERE id = 1", state);
        refused(&mut alice, "UPDATE crm.account SET id = 10 WHERE id = 1", state);
        assert_eq!(rows(&mut admin, "SELECT account FROM crm.task ORDER BY id"), [["1"], ["2"]]);
        // Twins: her own task, and a statement of her own that skips.
        assert_eq!(accepted(&mut alice, "UPDATE crm.account SET id = 20 WHERE id = 2"), 1);
        assert_eq!(rows(&mut admin, "SELECT account FROM crm.task ORDER BY id"), [["1"], ["20"]]);
        accepted(&mut admin, "SELECT leadguard.share('crm.task', '1', 'alice', 'read')");
        assert_eq!(accepted(&mut alice, "UPDATE crm.task SET account = NULL"), 1);
    }
}

// Ids of partitions need not differ: restoring one record is not restoring another.
#[test]
fn a_restored_id_brings_back_no_other_record() {
    let db = lab("pass_restore");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO crm.kept VALUES (100, 'b', 'mona', 1), (100, 'a', 'carl', 2), (101, 'b', 'mona', 1), (101, 'a', 'alice', 2);
         SELECT leadguard.share('crm.kept', '100', 'mona', 'read'); DELETE FROM crm.kept WHERE id >= 100;
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'lead_manager' FROM leadguard.member WHERE key = 'mona'",
    );
    let mut mona = db.connect("mona");
    refused(&mut mona, "SELECT leadguard.restore('crm.kept', '100')", "42501");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.kept WHERE id = 100 AND gone IS NULL"), "0");
    accepted(&mut mona, "SELECT leadguard.restore('crm.kept', '101')");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.kept WHERE id = 101 AND gone IS NULL"), "2");
}
