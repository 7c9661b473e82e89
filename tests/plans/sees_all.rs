//! The gate: plans of members who see everything are those of an unprotected table, and never anybody else's.

use leadguard_tests::{Client, Db, accepted, code, enlist, refused, scalar};

use crate::lab::{as_member, assert_plan, begin_as, book, nodes, plan, reached};

/// A copy without protection, with the same indexes and statistics.
fn plain(db: &Db) {
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE TABLE crm.plain (LIKE crm.lead INCLUDING ALL);
             INSERT INTO crm.plain SELECT * FROM crm.lead;
             GRANT SELECT ON crm.plain TO {}",
            db.role("root")
        ),
    );
    accepted(&mut db.admin(), "VACUUM ANALYZE crm.plain");
}

const QUERIES: [&str; 14] = [
    "SELECT count(*) FROM crm.lead AS l",
    "SELECT count(DISTINCT owner_id) FROM crm.lead AS l",
    "SELECT owner_id, count(*) FROM crm.lead AS l GROUP BY owner_id ORDER BY owner_id LIMIT 5",
    "SELECT * FROM crm.lead AS l WHERE id = 77",
    "SELECT * FROM crm.lead AS l WHERE id BETWEEN 100 AND 120",
    "SELECT * FROM crm.lead AS l WHERE email = 'lead4242@x.example'",
    "SELECT * FROM crm.lead AS l ORDER BY created_at DESC LIMIT 50",
    "SELECT * FROM crm.lead AS l WHERE created_at < timestamptz '2026-03-01' ORDER BY created_at DESC LIMIT 50",
    "SELECT min(created_at), max(created_at) FROM crm.lead AS l",
    "SELECT count(*) FROM crm.lead AS l WHERE owner_id IS NULL",
    "SELECT count(*) FROM crm.lead AS l WHERE owner_id = 50 AND status = 2",
    "SELECT status, count(*) FROM crm.lead AS l GROUP BY status",
    "SELECT count(*) FROM generate_series(1, 20) AS g WHERE EXISTS (SELECT FROM crm.lead AS l WHERE l.id = g)",
    "SELECT count(*) FROM crm.lead AS l JOIN crm.lead AS m ON m.id = l.id WHERE l.id < 50",
];

#[test]
fn who_sees_everything_has_the_plans_of_an_unprotected_table() {
    let db = book("gate_plans");
    plain(&db);
    let mut root = db.connect("root");
    // A gate above a scan is one more node to gather from; which plans are parallel is another test's subject.
    accepted(&mut root, "SET max_parallel_workers_per_gather = 0");
    for query in QUERIES {
        let unprotected = query.replace("crm.lead", "crm.plain");
        let expected = nodes(&mut root, &unprotected);
        let found: Vec<String> = nodes(&mut root, query)
            .iter()
            .map(|n| n.replace("leadguard_lead_", "plain_").replace("lead_", "plain_").replace("on lead", "on plain"))
            .collect();
        assert_eq!(found, expected, "{query}\n{}", plan(&mut root, query));
        assert_plan(&mut root, query, &["visible_all("], &["visible_owner", "visible_record"]);
        assert_eq!(
            leadguard_tests::rows(&mut root, query),
            leadguard_tests::rows(&mut root, &unprotected),
            "the same answer: {query}"
        );
    }
    // Twin: somebody who sees nearly everything, but through his people, has no gate.
    assert_plan(&mut db.connect("top"), QUERIES[0], &["visible_owner("], &["visible_all"]);
}

#[test]
fn rows_of_nobody_in_no_territory_are_seen() {
    let db = book("gate_nulls");
    let mut admin = db.admin();
    let count = |filter: &str| format!("SELECT count(*) FROM crm.lead WHERE {filter}");
    for filter in ["true", "owner_id IS NULL", "owner_id IS NULL AND territory_id IS NULL", "territory_id IS NOT NULL"]
    {
        assert_eq!(scalar(&mut db.connect("root"), &count(filter)), scalar(&mut admin, &count(filter)), "{filter}");
    }
    assert_eq!(scalar(&mut db.connect("root"), &count("owner_id IS NULL")), "3000");
    assert_eq!(scalar(&mut db.connect("top"), &count("owner_id IS NULL AND territory_id IS NULL")), "0");
    assert_eq!(scalar(&mut db.connect("top"), &count("true")), reached(&db, "top", "crm.lead"));
}

/// A table of two tenants: rows 1 to 30,000 of ours, the others of globex, whose administrator is gina.
fn two_tenants(db: &Db) {
    let gina = db.create_role("gina");
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
             INSERT INTO leadguard.member (org_id, key, name, db_role)
             SELECT id, 'gina', 'Gina', '{gina}' FROM leadguard.organization WHERE key = 'globex';
             INSERT INTO leadguard.member_role (member_id, role)
             SELECT id, 'administrator' FROM leadguard.member WHERE key = 'gina';
             CREATE TABLE crm.shared (id bigint PRIMARY KEY, org_id bigint, owner_id bigint, name text);
             INSERT INTO crm.shared
             SELECT l.id, CASE WHEN l.id <= 30000 THEN 1 ELSE o.id END, l.owner_id, l.name
             FROM crm.lead AS l, leadguard.organization AS o WHERE o.key = 'globex';
             INSERT INTO crm.shared SELECT 60000 + g, NULL, NULL, 'of no tenant' FROM generate_series(1, 100) AS g;
             CREATE INDEX shared_org_idx ON crm.shared (org_id, id);
             SELECT leadguard.protect('crm.shared', id => 'id', owner => 'owner_id', organization => 'org_id')"
        ),
    );
    accepted(&mut db.admin(), "VACUUM ANALYZE crm.shared");
}

#[test]
fn of_an_organization_column_everything_means_ones_own() {
    let db = book("gate_orgs");
    two_tenants(&db);
    let count = "SELECT count(*) FROM crm.shared";
    let few = "SELECT count(*) FROM crm.shared WHERE id < 100";
    assert_plan(&mut db.connect("root"), count, &["visible_all(", "visible_organization"], &["visible_owner("]);
    for (who, all, low) in [("root", "30000", "99"), ("gina", "30000", "0")] {
        let mut c = db.connect(who);
        for setting in ["", "SET enable_seqscan = off", "SET enable_bitmapscan = off", "SET enable_indexscan = off"] {
            accepted(&mut c, setting);
            assert_eq!(scalar(&mut c, count), all, "{who} {setting}\n{}", plan(&mut c, count));
            assert_eq!(scalar(&mut c, few), low, "{who} {setting}\n{}", plan(&mut c, few));
        }
    }
    // Behind one connection, one prepared statement for both tenants.
    let mut app = db.connect("app");
    accepted(&mut app, &format!("SET plan_cache_mode = force_generic_plan; PREPARE c AS {count}; PREPARE f AS {few}"));
    for (key, all, low) in
        [("root", "30000", "99"), ("gina", "30000", "0"), ("root", "30000", "99"), ("gina", "30000", "0")]
    {
        assert_eq!(as_member(&mut app, key, "EXECUTE c"), all, "{key}");
        assert_eq!(as_member(&mut app, key, "EXECUTE f"), low, "{key}");
        assert_eq!(scalar(&mut app, "EXECUTE c"), "0", "nobody after {key}");
    }
    // A table of the default organization without such a column: the other tenant's administrator finds nothing.
    assert_eq!(scalar(&mut db.connect("gina"), "SELECT count(*) FROM crm.lead"), "0");
}

#[test]
fn a_gate_planned_for_one_opens_for_nobody_else() {
    let db = book("gate_others");
    two_tenants(&db);
    enlist(&db, "root2", "");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'root2';
         CREATE FUNCTION crm.looped() RETURNS bigint LANGUAGE plpgsql AS
         $$ DECLARE n bigint := 0; m bigint; BEGIN
                FOR i IN 1..3 LOOP SELECT count(*) INTO m FROM crm.lead; n := greatest(n, m); END LOOP; RETURN n;
            END $$;
         CREATE FUNCTION crm.inlined() RETURNS SETOF crm.lead STABLE LANGUAGE sql AS 'SELECT * FROM crm.lead';
         CREATE FUNCTION crm.kept() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM crm.lead'",
    );
    let mut app = db.connect("app");
    let prepare = "PREPARE a AS SELECT count(*) FROM crm.lead;
         PREPARE b(bigint) AS SELECT count(*) FROM crm.lead WHERE id > $1;
         PREPARE c AS SELECT count(*) FROM crm.inlined();
         PREPARE d AS SELECT crm.looped();
         PREPARE e AS SELECT crm.kept();
         PREPARE f AS SELECT count(*) FROM (SELECT FROM crm.lead OFFSET 0) AS x;
         PREPARE g AS SELECT (SELECT count(*) FROM crm.lead)";
    let counts = |key: &str| match key {
        "root" | "root2" => "60000".to_string(),
        "gina" => "0".to_string(),
        _ => reached(&db, key, "crm.lead"),
    };
    for mode in ["auto", "force_generic_plan", "force_custom_plan"] {
        accepted(&mut app, "DEALLOCATE ALL");
        accepted(&mut app, &format!("SET plan_cache_mode = {mode}; {prepare}"));
        for key in ["root", "rep1", "root", "gina", "root2", "top", "root", "scout", "mgr1", "guest1", "root2"] {
            let expected = counts(key);
            for statement in ["a", "b(0)", "c", "d", "e", "f", "g"] {
                assert_eq!(
                    as_member(&mut app, key, &format!("EXECUTE {statement}")),
                    expected,
                    "{statement} as {key}, {mode}"
                );
                assert_eq!(
                    scalar(&mut app, &format!("EXECUTE {statement}")),
                    "0",
                    "{statement}: nobody after {key}, {mode}"
                );
            }
        }
    }
}

/// A session of root with everything that keeps a plan, warmed up.
fn warm(db: &Db) -> Client {
    let mut root = db.connect("root");
    accepted(
        &mut root,
        "SET plan_cache_mode = force_generic_plan; PREPARE a AS SELECT count(*) FROM crm.lead;
         PREPARE b(bigint) AS SELECT count(*) FROM crm.lead WHERE id > $1",
    );
    expect(&mut root, "60000", "at first");
    root
}

fn expect(c: &mut Client, count: &str, when: &str) {
    for sql in ["EXECUTE a", "EXECUTE b(0)", "SELECT count(*) FROM crm.lead"] {
        assert_eq!(scalar(c, sql), count, "{sql} {when}");
    }
}

// Requirement D16: a demotion takes effect with the next statement, without an error and without reconnecting.
#[test]
fn d16_a_role_taken_away_binds_the_next_statement() {
    let db = book("gate_demoted");
    let mut admin = db.admin();
    let mut root = warm(&db);
    let pairs = [
        (
            "DELETE FROM leadguard.member_role WHERE role = 'administrator'",
            "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'root'",
        ),
        (
            "UPDATE leadguard.member SET active = false WHERE key = 'root'",
            "UPDATE leadguard.member SET active = true WHERE key = 'root'",
        ),
        (
            "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('seer', 1, '{all_records}');
             UPDATE leadguard.member_role SET role = 'seer';
             UPDATE leadguard.role SET capabilities = '{export}' WHERE name = 'seer'",
            "UPDATE leadguard.role SET capabilities = '{all_records}' WHERE name = 'seer'",
        ),
    ];
    for (take, give) in pairs {
        accepted(&mut admin, take);
        expect(&mut root, "0", take);
        accepted(&mut admin, give);
        expect(&mut root, "60000", give);
    }
    // Not before the commit, and not at all when it is rolled back.
    accepted(&mut admin, "BEGIN; DELETE FROM leadguard.member_role");
    expect(&mut root, "60000", "uncommitted");
    accepted(&mut admin, "ROLLBACK");
    expect(&mut root, "60000", "rolled back");
}

// Requirement D16: a promotion as well; a plan of the narrow time is correct at once.
#[test]
fn d16_a_role_given_binds_the_next_statement() {
    let db = book("gate_promoted");
    let mut admin = db.admin();
    let mut mgr = db.connect("mgr1");
    accepted(
        &mut mgr,
        "SET plan_cache_mode = force_generic_plan; PREPARE a AS SELECT count(*) FROM crm.lead;
         PREPARE b(bigint) AS SELECT count(*) FROM crm.lead WHERE id > $1",
    );
    let own = reached(&db, "mgr1", "crm.lead");
    expect(&mut mgr, &own, "as manager");
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'mgr1'",
    );
    expect(&mut mgr, "60000", "promoted");
    assert_plan(&mut mgr, "EXECUTE a", &["visible_all"], &["visible_owner"]);
    accepted(
        &mut admin,
        "DELETE FROM leadguard.member_role AS r USING leadguard.member AS m WHERE m.id = r.member_id AND m.key = 'mgr1'",
    );
    expect(&mut mgr, &own, "manager again");
}

#[test]
fn f09_snapshots_decide_what_a_gate_lets_through() {
    let db = book("gate_snapshots");
    let mut admin = db.admin();
    let take = "DELETE FROM leadguard.member_role";
    let give = "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'root'";
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut root = warm(&db);
        accepted(&mut root, &format!("BEGIN ISOLATION LEVEL {level}"));
        expect(&mut root, "60000", "before");
        accepted(&mut admin, take);
        expect(&mut root, "60000", "old snapshot");
        accepted(&mut root, "COMMIT");
        expect(&mut root, "0", "next transaction");
        accepted(&mut root, &format!("BEGIN ISOLATION LEVEL {level}"));
        expect(&mut root, "0", "new snapshot");
        accepted(&mut admin, give);
        expect(&mut root, "0", "old snapshot of the time without");
        accepted(&mut root, "ROLLBACK");
        expect(&mut root, "60000", "next transaction");
    }
}

// Within one transaction the server hands a kept plan out without hearing of changes: it may fail, and be run again,
// but it shows nothing. New statements are right at once.
#[test]
fn d16_within_one_transaction_a_kept_plan_shows_nothing_after_a_demotion() {
    let db = book("gate_in_block");
    let mut admin = db.admin();
    let mut root = warm(&db);
    accepted(&mut root, "BEGIN");
    expect(&mut root, "60000", "before");
    accepted(&mut admin, "DELETE FROM leadguard.member_role");
    assert_eq!(scalar(&mut root, "SELECT count(*) FROM crm.lead"), "0", "taken away");
    accepted(&mut root, "COMMIT");
    expect(&mut root, "0", "next transaction");
    let give = "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'root'";
    accepted(&mut admin, give);
    accepted(&mut root, "BEGIN");
    expect(&mut root, "60000", "given again");
    accepted(&mut admin, "DELETE FROM leadguard.member_role");
    match code(&mut root, "EXECUTE a").as_str() {
        "ok" => assert_eq!(scalar(&mut root, "EXECUTE a"), "0"),
        state => assert_eq!(state, "40001"),
    }
    accepted(&mut root, "ROLLBACK");
    expect(&mut root, "0", "run again");
}

#[test]
fn f03_a_promotion_that_is_rolled_back_leaves_no_gate() {
    let db = book("gate_rolled_back");
    let mut c = db.admin();
    let mgr = db.role("mgr1");
    let own = reached(&db, "mgr1", "crm.lead");
    let promote = "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'mgr1'";
    let demote = "DELETE FROM leadguard.member_role AS r USING leadguard.member AS m WHERE m.id = r.member_id AND m.key = 'mgr1'";
    accepted(
        &mut c,
        "SET plan_cache_mode = force_generic_plan; PREPARE a AS SELECT count(*) FROM crm.lead;
         PREPARE b(bigint) AS SELECT count(*) FROM crm.lead WHERE id > $1",
    );
    for (inside, after) in [(promote, "60000"), (demote, own.as_str())] {
        accepted(&mut c, &format!("SET SESSION AUTHORIZATION {mgr}"));
        let before = scalar(&mut c, "EXECUTE a");
        for end in ["ROLLBACK", "ROLLBACK TO s; RELEASE s"] {
            accepted(&mut c, "RESET SESSION AUTHORIZATION; BEGIN; SAVEPOINT s");
            accepted(&mut c, inside);
            accepted(&mut c, &format!("SET LOCAL SESSION AUTHORIZATION {mgr}"));
            expect(&mut c, after, "own change");
            accepted(&mut c, end);
            accepted(&mut c, &format!("SET SESSION AUTHORIZATION {mgr}"));
            expect(&mut c, &before, &format!("after {end}"));
            accepted(&mut c, "COMMIT");
            expect(&mut c, &before, &format!("after {end} and COMMIT"));
        }
        accepted(&mut c, "RESET SESSION AUTHORIZATION");
        accepted(&mut c, inside);
        accepted(&mut c, &format!("SET SESSION AUTHORIZATION {mgr}"));
        expect(&mut c, after, "committed");
        accepted(&mut c, "RESET SESSION AUTHORIZATION");
    }
}

// A definer function keeps one plan for all who call it: its role is always that of its owner.
#[test]
fn definer_functions_of_someone_who_sees_all_serve_others() {
    let db = book("gate_definer");
    let mut c = db.admin();
    let root = db.role("root");
    accepted(
        &mut c,
        &format!(
            "GRANT USAGE ON SCHEMA crm TO PUBLIC;
             CREATE FUNCTION crm.counted() RETURNS bigint SECURITY DEFINER STABLE LANGUAGE plpgsql AS
             $$ BEGIN RETURN (SELECT count(*) FROM crm.lead); END $$;
             ALTER FUNCTION crm.counted() OWNER TO {root}"
        ),
    );
    let mut rep = db.connect("rep1");
    assert_eq!(scalar(&mut rep, "SELECT crm.counted()"), reached(&db, "rep1", "crm.lead"), "a session of its own");
    // The sessions of several people on one connection, as a superuser's pool has them.
    let people = ["root", "rep1", "mgr1", "guest1", "top"];
    let counts = people.map(|key| if key == "root" { "60000".into() } else { reached(&db, key, "crm.lead") });
    for n in [0, 0, 1, 2, 0, 0, 3, 0, 0, 4, 0, 1] {
        accepted(&mut c, &format!("SET SESSION AUTHORIZATION {}", db.role(people[n])));
        assert_eq!(scalar(&mut c, "SELECT crm.counted()"), counts[n], "{}", people[n]);
        accepted(&mut c, "RESET SESSION AUTHORIZATION");
    }
}

#[test]
fn an_open_cursor_keeps_the_rights_of_its_snapshot() {
    let db = book("gate_cursor");
    let mut admin = db.admin();
    let mut root = warm(&db);
    accepted(&mut root, "BEGIN; DECLARE c CURSOR FOR SELECT id FROM crm.lead ORDER BY id; FETCH 10 FROM c");
    accepted(&mut admin, "DELETE FROM leadguard.member_role");
    assert_eq!(accepted(&mut root, "FETCH 10 FROM c"), 10, "the cursor's snapshot");
    assert_eq!(scalar(&mut root, "SELECT count(*) FROM crm.lead"), "0", "a new statement");
    assert_eq!(accepted(&mut root, "FETCH 10 FROM c"), 10);
    accepted(&mut root, "DECLARE d CURSOR FOR SELECT id FROM crm.lead");
    assert_eq!(accepted(&mut root, "FETCH 10 FROM d"), 0, "a new cursor");
    accepted(&mut root, "COMMIT");
    // Behind a connector nobody inherits a cursor.
    let mut app = db.connect("app");
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'root'",
    );
    begin_as(&mut app, "root");
    accepted(&mut app, "DECLARE c CURSOR FOR SELECT id FROM crm.lead; FETCH 5 FROM c");
    refused(&mut app, "SELECT leadguard.act_as('rep1')", "LG003");
    accepted(&mut app, "ROLLBACK");
    refused(&mut app, "FETCH 5 FROM c", "34000");
    assert_eq!(as_member(&mut app, "rep1", "SELECT count(*) FROM crm.lead"), reached(&db, "rep1", "crm.lead"));
}
