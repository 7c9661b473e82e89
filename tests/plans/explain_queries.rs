//! Queries as applications write them: joins, order and pages, writes, prepared statements, views and functions.

use leadguard_tests::{Client, Db, accepted, allowed, rows, scalar};

use crate::lab::{assert_plan, below, book, lines, plan, reach, reached};

/// A superuser with the leads that the member reaches, and nothing else, in a table `mine`.
fn by_hand(db: &Db, key: &str) -> Client {
    let mut admin = db.admin();
    let rule = if key == "root" { "true".into() } else { reach(key) };
    accepted(
        &mut admin,
        &format!("SET jit = off; CREATE TEMP TABLE mine AS SELECT * FROM crm.lead WHERE {rule}; ANALYZE mine"),
    );
    admin
}

/// A question of the member, and the same of the rows picked by hand.
#[track_caller]
fn same(c: &mut Client, hand: &mut Client, sql: &str) {
    let expected = rows(hand, &sql.replace("crm.lead", "mine"));
    assert_eq!(rows(c, sql), expected, "{sql}\n{}", plan(c, sql));
    assert!(!expected.is_empty(), "{sql}");
}

fn activities(db: &Db) {
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.activity (id bigint PRIMARY KEY, lead_id bigint, owner_id bigint, kind text);
         INSERT INTO crm.activity
         SELECT g, 1 + abs(hashint8(g + 77)) % 60000, (SELECT owner_id FROM crm.lead WHERE id = 1 + abs(hashint8(g + 77)) % 60000), 'call'
         FROM generate_series(1, 30000) AS g;
         CREATE INDEX activity_lead_idx ON crm.activity (lead_id);
         CREATE TABLE crm.campaign (id int PRIMARY KEY, lead_id bigint);
         INSERT INTO crm.campaign SELECT g, g * 500 FROM generate_series(1, 100) AS g;
         GRANT USAGE ON SCHEMA crm TO PUBLIC; GRANT SELECT ON crm.campaign TO PUBLIC;
         SELECT leadguard.protect('crm.activity', id => 'id', owner => 'owner_id')",
    );
    accepted(&mut db.admin(), "VACUUM ANALYZE crm.activity");
    accepted(&mut db.admin(), "VACUUM ANALYZE crm.campaign");
}

#[test]
fn the_inner_side_of_a_join_is_found_by_its_key() {
    let db = book("joins");
    activities(&db);
    let by_key =
        "SELECT c.id, l.email FROM crm.campaign AS c LEFT JOIN crm.lead AS l ON l.id = c.lead_id ORDER BY c.id";
    let by_parent =
        "SELECT count(*) FROM crm.lead AS l JOIN crm.activity AS a ON a.lead_id = l.id WHERE l.id BETWEEN 100 AND 200";
    let protected = "SELECT count(*) FROM crm.lead AS l JOIN crm.activity AS a ON a.lead_id = l.id";
    for key in ["rep1", "mgr1", "dir1", "top", "root"] {
        let (mut c, mut hand) = (db.connect(key), by_hand(&db, key));
        let owners = if key == "root" { "true".into() } else { format!("owner_id IN ({})", below(key)) };
        accepted(&mut hand, &format!("CREATE TEMP TABLE done AS SELECT * FROM crm.activity WHERE {owners}"));
        for sql in [by_key, by_parent, protected] {
            let expected = rows(&mut hand, &sql.replace("crm.lead", "mine").replace("crm.activity", "done"));
            assert_eq!(rows(&mut c, sql), expected, "{key}: {sql}\n{}", plan(&mut c, sql));
        }
    }
    let inner = ["Nested Loop", "Index Scan using lead_pkey on lead l", "Index Cond: (id = c.lead_id)"];
    assert_plan(&mut db.connect("top"), by_key, &inner, &["Bitmap"]);
    for key in ["top", "root"] {
        assert_plan(&mut db.connect(key), by_parent, &["Nested Loop", "activity_lead_idx", "lead_pkey"], &["Seq Scan"]);
    }
    assert_plan(&mut db.connect("rep1"), protected, &["BitmapOr"], &["Seq Scan"]);
}

#[test]
fn pages_and_orders() {
    let db = book("pages");
    let first = "SELECT id, created_at FROM crm.lead ORDER BY created_at DESC, id DESC LIMIT 20";
    let page = "SELECT id, created_at FROM crm.lead WHERE (created_at, id) < (timestamptz '2026-05-01', 20000)
                ORDER BY created_at DESC, id DESC LIMIT 20";
    let by_id = "SELECT id FROM crm.lead WHERE id > 30000 ORDER BY id LIMIT 20";
    let sum = "SELECT status, count(*), min(created_at) FROM crm.lead GROUP BY status ORDER BY status";
    for key in ["rep1", "mgr1", "dir1", "top", "scout"] {
        let (mut c, mut hand) = (db.connect(key), by_hand(&db, key));
        for sql in [first, page, by_id, sum, "SELECT count(*), max(id) FROM crm.lead WHERE email LIKE 'lead1%'"] {
            same(&mut c, &mut hand, sql);
        }
    }
    for (key, wanted) in [("rep1", "BitmapOr"), ("top", "lead_created_at_idx")] {
        assert_plan(&mut db.connect(key), first, &[wanted], &["Seq Scan"]);
        assert_plan(&mut db.connect(key), page, &[wanted], &["Seq Scan"]);
    }
    assert_plan(&mut db.connect("top"), by_id, &["Index Scan using lead_pkey", "Index Cond: (id > 30000)"], &["Sort"]);
}

#[test]
fn one_record_is_found_by_its_key_or_its_mail() {
    let db = book("one_record");
    for key in ["rep1", "mgr1", "dir1", "top"] {
        let mut c = db.connect(key);
        let email = "SELECT * FROM crm.lead WHERE email = 'lead4243@x.example'";
        assert_plan(
            &mut c,
            email,
            &["Index Scan using lead_email_idx", "Index Cond: (email = 'lead4243@x.example'::text)"],
            &["Seq Scan"],
        );
        let one = "SELECT * FROM crm.lead WHERE id = 4243";
        assert_plan(&mut c, one, &["Index Scan using lead_pkey", "Index Cond: (id = 4243)"], &["Seq Scan", "BitmapOr"]);
        // The row is at hand: one call judges it, and the plan fits every member.
        for one in [
            one,
            "SELECT * FROM crm.lead WHERE id = 4243::int AND status = 1",
            "SELECT * FROM crm.lead AS l WHERE 4243 = l.id",
        ] {
            assert_plan(
                &mut c,
                one,
                &["Filter: ", "leadguard.visible('crm.lead'::regclass, id, owner_id, territory_id, "],
                &["visible_owner"],
            );
        }
        for many in [
            "SELECT * FROM crm.lead WHERE id = 4243 OR id = 5",
            "SELECT * FROM crm.lead WHERE id > 4243",
            "SELECT * FROM crm.lead WHERE id = status",
        ] {
            assert_plan(&mut c, many, &["visible_owner"], &["leadguard.visible("]);
        }
        let own = scalar(&mut db.admin(), &format!("SELECT min(id) FROM crm.lead WHERE {}", reach(key)));
        assert_eq!(rows(&mut c, &format!("SELECT id FROM crm.lead WHERE id = {own}")), vec![vec![own]], "{key}");
    }
}

/// The tables of the book have no archive.
fn may_delete(db: &Db, key: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('cleaner', 1, '{{hard_delete}}');
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'cleaner' FROM leadguard.member WHERE key = '{key}'"
        ),
    );
}

#[test]
fn writes_and_locks_find_their_rows_through_the_indexes() {
    let db = book("writes");
    let own = reached(&db, "rep1", "crm.lead");
    let mut rep = db.connect("rep1");
    may_delete(&db, "rep1");
    for operation in ["update", "archive", "delete"] {
        accepted(&mut db.admin(), &format!("SELECT leadguard.set_switch('crm.lead', 'batch_{operation}', 'none')"));
    }
    let merge = "MERGE INTO crm.lead AS l USING (VALUES (1)) AS v (x) ON l.status >= v.x - 1
                 WHEN MATCHED THEN UPDATE SET name = 'merged'";
    let mut statements = vec![
        "UPDATE crm.lead SET name = 'changed'",
        "UPDATE crm.lead SET name = 'changed' WHERE status >= 0",
        "DELETE FROM crm.lead",
        "SELECT id FROM crm.lead FOR UPDATE",
        "SELECT id FROM crm.lead FOR SHARE",
        "SELECT id FROM crm.lead FOR NO KEY UPDATE",
    ];
    if scalar(&mut rep, "SELECT current_setting('server_version_num')::int >= 150000") == "t" {
        statements.push(merge);
    }
    for sql in statements {
        assert_plan(&mut rep, sql, &["BitmapOr", "visible_owners("], &["Seq Scan"]);
        assert_eq!(allowed(&mut rep, sql).to_string(), own, "{sql}");
    }
    let one = scalar(&mut rep, "SELECT min(id) FROM crm.lead");
    for sql in
        [format!("UPDATE crm.lead SET name = 'x' WHERE id = {one}"), format!("DELETE FROM crm.lead WHERE id = {one}")]
    {
        assert_plan(
            &mut rep,
            &sql,
            &["Index Scan using lead_pkey", &format!("Index Cond: (id = {one})")],
            &["Seq Scan"],
        );
        assert_eq!(allowed(&mut rep, &sql), 1);
        assert_eq!(allowed(&mut db.connect("guest1"), &sql), 0);
    }
}

#[test]
fn prepared_statements_with_parameters() {
    let db = book("prepared");
    for mode in ["auto", "force_generic_plan", "force_custom_plan"] {
        for key in ["rep1", "mgr1", "top", "root"] {
            let (mut c, mut hand) = (db.connect(key), by_hand(&db, key));
            accepted(&mut c, &format!("SET plan_cache_mode = {mode}"));
            accepted(
                &mut c,
                "PREPARE since(timestamptz) AS SELECT count(*) FROM crm.lead WHERE created_at > $1;
                 PREPARE one(bigint) AS SELECT count(*) FROM crm.lead WHERE id = $1;
                 PREPARE mail(text) AS SELECT count(*) FROM crm.lead WHERE email = $1",
            );
            for day in
                ["2026-01-01", "2026-09-01", "2026-10-15", "2030-01-01", "2026-01-01", "2026-10-01", "2026-10-02"]
            {
                let expected = scalar(&mut hand, &format!("SELECT count(*) FROM mine WHERE created_at > '{day}'"));
                assert_eq!(scalar(&mut c, &format!("EXECUTE since('{day}')")), expected, "{mode}, {key}, {day}");
            }
            let one = lines(&mut c, "EXPLAIN (COSTS OFF) EXECUTE one(77)");
            assert!(one.contains("using lead_pkey"), "{mode}, {key}\n{one}");
            let mail = lines(&mut c, "EXPLAIN (COSTS OFF) EXECUTE mail('lead7@x.example')");
            assert!(mail.contains("using lead_email_idx"), "{mode}, {key}\n{mail}");
        }
    }
}

#[test]
fn policies_of_the_customer_beside_ours() {
    let db = book("customer");
    let mut admin = db.admin();
    let mut rep = db.connect("rep1");
    accepted(
        &mut admin,
        "CREATE POLICY not_status_3 ON crm.lead AS RESTRICTIVE FOR SELECT TO PUBLIC USING (status <> 3);
         CREATE POLICY all_of_it ON crm.lead AS PERMISSIVE FOR ALL TO PUBLIC USING (true)",
    );
    let count = "SELECT count(*) FROM crm.lead";
    assert_plan(&mut rep, count, &["BitmapOr", "status <> 3"], &["Seq Scan"]);
    for key in ["rep1", "top"] {
        let by_hand = format!("{count} WHERE status <> 3 AND {}", reach(key));
        assert_eq!(scalar(&mut db.connect(key), count), scalar(&mut admin, &by_hand), "{key}");
    }
    assert_plan(&mut db.connect("root"), count, &["visible_all", "status <> 3"], &["visible_owner("]);
    assert_eq!(scalar(&mut db.connect("root"), count), scalar(&mut admin, &format!("{count} WHERE status <> 3")));
    assert_eq!(scalar(&mut db.connect("app"), count), "0", "the permissive one widens nothing");
}

#[test]
fn views_functions_and_subqueries() {
    let db = book("views");
    accepted(
        &mut db.admin(),
        "CREATE VIEW crm.open_leads WITH (security_invoker) AS SELECT * FROM crm.lead WHERE status < 3;
         CREATE FUNCTION crm.leads_with(status int) RETURNS SETOF crm.lead STABLE LANGUAGE sql
             AS 'SELECT * FROM crm.lead AS l WHERE l.status = $1';
         GRANT USAGE ON SCHEMA crm TO PUBLIC; GRANT SELECT ON crm.open_leads TO PUBLIC",
    );
    let cases = [
        ("SELECT count(*) FROM crm.open_leads", "SELECT count(*) FROM crm.lead WHERE status < 3"),
        ("SELECT count(*) FROM crm.leads_with(2)", "SELECT count(*) FROM crm.lead WHERE status = 2"),
        ("WITH x AS (SELECT * FROM crm.lead) SELECT count(*) FROM x", ""),
        ("WITH x AS MATERIALIZED (SELECT * FROM crm.lead) SELECT count(*) FROM x WHERE status = 1", ""),
        ("SELECT (SELECT count(*) FROM crm.lead)", ""),
        (
            "SELECT g, n FROM generate_series(0, 4) AS g, LATERAL (SELECT count(*) AS n FROM crm.lead AS l WHERE l.status = g) AS x ORDER BY g",
            "",
        ),
        (
            "SELECT count(*) FROM generate_series(1, 3000) AS g WHERE EXISTS (SELECT FROM crm.lead AS l WHERE l.id = g)",
            "",
        ),
        (
            "SELECT count(*) FROM generate_series(1, 3000) AS g WHERE NOT EXISTS (SELECT FROM crm.lead AS l WHERE l.id = g)",
            "",
        ),
        ("SELECT count(*) FROM generate_series(1, 3000) AS g WHERE g IN (SELECT id FROM crm.lead)", ""),
        ("SELECT count(*) FROM generate_series(1, 3000) AS g WHERE g NOT IN (SELECT id FROM crm.lead)", ""),
        ("SELECT g, (SELECT email FROM crm.lead AS l WHERE l.id = g) FROM generate_series(1, 300) AS g ORDER BY g", ""),
        ("SELECT count(*) FROM (SELECT id FROM crm.lead UNION ALL SELECT id FROM crm.lead) AS x", ""),
        ("SELECT count(*) FROM (SELECT id FROM crm.lead EXCEPT SELECT id FROM crm.lead WHERE status = 1) AS x", ""),
        ("SELECT count(*) FROM crm.lead AS l LEFT JOIN crm.lead AS r ON r.id = l.id + 20 WHERE r.id IS NULL", ""),
        ("SELECT count(*) FROM crm.lead AS l FULL JOIN crm.lead AS r ON r.id = l.id + 20", ""),
        ("SELECT id, row_number() OVER (PARTITION BY status ORDER BY id) FROM crm.lead ORDER BY id LIMIT 30", ""),
        ("SELECT count(*) FILTER (WHERE status = 1), array_agg(DISTINCT status ORDER BY status) FROM crm.lead", ""),
        ("SELECT status, count(*) FROM crm.lead GROUP BY ROLLUP (status) ORDER BY 1, 2", ""),
    ];
    for key in ["rep1", "mgr1", "dir1", "top", "scout"] {
        let (mut c, mut hand) = (db.connect(key), by_hand(&db, key));
        for (sql, table) in cases {
            if table.is_empty() {
                same(&mut c, &mut hand, sql);
            } else {
                let expected = scalar(&mut hand, &table.replace("crm.lead", "mine"));
                assert_eq!(scalar(&mut c, sql), expected, "{key}: {sql}\n{}", plan(&mut c, sql));
            }
        }
    }
    let mut rep = db.connect("rep1");
    for (sql, _) in &cases[..3] {
        assert_plan(&mut rep, sql, &["BitmapOr"], &["Seq Scan"]);
    }
    let mut top = db.connect("top");
    assert_plan(
        &mut top,
        "SELECT * FROM crm.leads_with(2) AS x WHERE id = 77",
        &["Index Scan using lead_pkey"],
        &["Function Scan"],
    );
    let mut nobody = db.connect("app");
    for (sql, _) in &cases[..5] {
        assert_eq!(scalar(&mut nobody, sql), "0", "nobody: {sql}");
    }
}
