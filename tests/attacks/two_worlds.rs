//! Non-interference: two databases that differ only in rows hidden from alice must answer her alike, to the last error text.

use leadguard_tests::{Client, Db, member, scalar};
use postgres::SimpleQueryMessage;

use crate::lab::{ALICE, cast, reads, whole};

/// The second world: other values, other owners, other hidden rows, other members' grants.
fn change_what_is_hidden(db: &Db) {
    let mut admin = db.admin();
    let bob = member(&mut admin, "bob");
    admin
        .batch_execute(&format!(
            "UPDATE crm.lead SET name = 'CANARY other ' || id, email = 'CANARYother' || id, amount = -id, owner_id = {bob} WHERE id IN (6, 9, 13);
             DELETE FROM crm.lead WHERE id IN (7, 12, 15);
             INSERT INTO crm.lead (id, owner_id, name) SELECT g, {bob}, 'CANARY more' FROM generate_series(200, 260) g;
             SELECT leadguard.team_add('crm.lead', '9', 'carl');
             SELECT leadguard.share('crm.lead', '8', 'ted');"
        ))
        .unwrap();
}

/// Everything a statement tells its author.
fn answer(c: &mut Client, sql: &str) -> String {
    match c.simple_query(sql) {
        Ok(messages) => messages
            .iter()
            .map(|m| match m {
                SimpleQueryMessage::Row(row) => {
                    (0..row.len()).map(|i| row.get(i).unwrap_or("∅")).collect::<Vec<_>>().join("|") + "\n"
                }
                SimpleQueryMessage::CommandComplete(n) => format!("{n} rows\n"),
                _ => String::new(),
            })
            .collect(),
        Err(e) => whole(e.as_db_error().unwrap_or_else(|| panic!("{sql}: {e:?}"))),
    }
}

/// Statements that try to make a hidden row matter. Ordered results only: the order of a heap is physical, not secret.
const STATEMENTS: [&str; 42] = [
    "SELECT * FROM crm.lead ORDER BY id",
    "SELECT count(*), sum(amount), max(id), min(email) FROM crm.lead",
    "SELECT owner_id, count(*) FROM crm.lead GROUP BY GROUPING SETS ((owner_id), ()) ORDER BY 1, 2",
    "SELECT id, row_number() OVER (ORDER BY id), rank() OVER (ORDER BY amount DESC) FROM crm.lead ORDER BY id",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM crm.lead",
    "SELECT id FROM crm.lead WHERE id = ANY (ARRAY[6, 9, 13, 15, 200]) ORDER BY id",
    "SELECT id FROM crm.lead WHERE email LIKE 'CANARY%' ORDER BY id",
    "SELECT id FROM crm.lead WHERE 1 / (id - 9) > 5 ORDER BY id",
    "SELECT id FROM crm.lead WHERE CASE WHEN id > 5 THEN name::int > 0 ELSE true END ORDER BY id",
    "SELECT id FROM crm.lead WHERE sqrt(amount) >= 0 ORDER BY id",
    "SELECT a.id, b.id FROM crm.lead a LEFT JOIN crm.lead b ON b.id = a.id + 4 ORDER BY 1, 2",
    "SELECT g, l.id FROM generate_series(1, 20) g FULL JOIN crm.lead l ON l.id = g ORDER BY 1, 2",
    "SELECT g FROM generate_series(1, 20) g WHERE NOT EXISTS (SELECT FROM crm.lead l WHERE l.id = g) ORDER BY 1",
    "SELECT g FROM generate_series(1, 20) g WHERE g NOT IN (SELECT id FROM crm.lead) ORDER BY 1",
    "SELECT id FROM crm.lead EXCEPT SELECT g FROM generate_series(1, 3) g ORDER BY 1",
    "SELECT (SELECT name FROM crm.lead WHERE id = 9), (SELECT count(*) FROM crm.lead WHERE owner_id IS NULL)",
    "SELECT json_agg(l ORDER BY id) FROM crm.lead l",
    "SELECT id FROM crm.lead ORDER BY amount LIMIT 3",
    "SELECT id FROM crm.lead ORDER BY id DESC OFFSET 2 FETCH FIRST 2 ROWS WITH TIES",
    "WITH RECURSIVE r AS (SELECT 1::bigint AS id UNION SELECT l.id FROM crm.lead l JOIN r ON l.id = r.id + 1) SELECT * FROM r ORDER BY 1",
    "SELECT id FROM crm.lead WHERE id = 9 FOR UPDATE NOWAIT",
    "SELECT id FROM crm.lead ORDER BY id FOR SHARE SKIP LOCKED",
    "UPDATE crm.lead SET amount = amount + 1 WHERE id > 3",
    "UPDATE crm.lead SET amount = amount / (id - 9) RETURNING id",
    "UPDATE crm.lead SET owner_id = NULL WHERE id = 9",
    "UPDATE crm.lead SET id = 9 WHERE id = 4711",
    "DELETE FROM crm.lead WHERE id IN (9, 13, 200)",
    "INSERT INTO crm.lead (id, owner_id, name) SELECT 900, owner_id, name FROM crm.lead WHERE id = 9",
    "MERGE INTO crm.lead t USING (VALUES (9), (4711)) s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'x'",
    "MERGE INTO crm.lead t USING crm.lead s ON t.id = s.id + 4 WHEN MATCHED THEN UPDATE SET name = s.name",
    "SELECT leadguard.can('read', 'crm.lead', '9'), leadguard.can('update', 'crm.lead', '13'), leadguard.can('delete', 'crm.lead', '15')",
    "SELECT * FROM leadguard.explain_access('crm.lead', '9') ORDER BY 1, 2",
    "SELECT * FROM leadguard.explain_access('crm.lead', '1') ORDER BY 1, 2",
    "SELECT * FROM leadguard.who_can('read', 'crm.lead', '8') ORDER BY 1",
    "SELECT * FROM leadguard.who_can('read', 'crm.lead', '1') ORDER BY 1",
    "SELECT * FROM leadguard.what_can('alice', 'crm.lead') ORDER BY 1",
    "SELECT * FROM leadguard.what_can('carl', 'crm.lead') ORDER BY 1",
    "SELECT leadguard.reassign('crm.lead', '9', owner => 'alice')",
    "SELECT leadguard.team_remove('crm.lead', '9', 'carl')",
    "SELECT leadguard.unshare('crm.lead', '8', 'ted')",
    "SELECT key, name FROM leadguard.member ORDER BY id",
    "SELECT relname FROM pg_stat_user_tables WHERE relname = 'lead' AND has_table_privilege(relid, 'SELECT')",
];

#[test]
fn hidden_rows_change_no_answer() {
    let one = cast("world_one");
    let two = cast("world_two");
    change_what_is_hidden(&two);
    let mut a = one.connect("alice");
    let mut b = two.connect("alice");
    for setting in [
        "RESET ALL",
        "SET plan_cache_mode = force_generic_plan",
        "SET enable_seqscan = off",
        "SET enable_bitmapscan = off; SET enable_indexscan = off",
    ] {
        for c in [&mut a, &mut b] {
            c.batch_execute(&format!("RESET ALL; {setting}")).unwrap();
        }
        for sql in STATEMENTS {
            let mut answers = Vec::new();
            for (c, db) in [(&mut a, &one), (&mut b, &two)] {
                c.batch_execute("BEGIN").unwrap();
                answers.push(answer(c, sql).replace(db.name(), "db"));
                c.batch_execute("ROLLBACK").unwrap();
            }
            assert_eq!(answers[0], answers[1], "{setting}: {sql}");
            assert!(!answers[0].contains("CANARY"), "{sql}: {}", answers[0]);
        }
        // The same through a prepared statement with a parameter, as drivers send it.
        for id in [1i64, 9, 13, 200, 4711] {
            let counts: Vec<i64> = [&mut a, &mut b]
                .map(|c| c.query_one("SELECT count(*) FROM crm.lead WHERE id = $1", &[&id]).unwrap().get(0))
                .to_vec();
            assert_eq!(counts[0], counts[1]);
        }
    }
    // Twin: to others the worlds do differ, and alice is not just blind.
    assert_eq!(reads(&mut a), ALICE);
    assert_eq!(reads(&mut b), ALICE);
    let everything = "SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM crm.lead l";
    assert_ne!(scalar(&mut one.connect("bob"), everything), scalar(&mut two.connect("bob"), everything));
}
