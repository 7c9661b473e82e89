//! Statements, rows, exports, refusals.

use crate::{company, is_there};
use leadguard_tests::*;

/// Statements, rows, exports and refusals of a member.
#[track_caller]
fn counted(admin: &mut Client, key: &str) -> [u64; 4] {
    let text = format!(
        "SELECT statements, rows_returned, exports, refusals FROM leadguard.member_activity() WHERE member = '{key}'"
    );
    let found = rows(admin, &text);
    let row = found.first().cloned().unwrap_or_else(|| vec!["0".into(); 4]);
    [0, 1, 2, 3].map(|at| row[at].parse().unwrap())
}

#[test]
fn k48_what_members_read_is_counted() {
    if !is_there() {
        return;
    }
    let db = company("pre_counts");
    let mut admin = db.admin();
    assert_eq!(scalar(&mut admin, "SELECT leadguard.is_preloaded()"), "t");
    let mut vp = db.connect("vp");
    let seen = rows(&mut vp, "SELECT id FROM crm.lead").len() as u64;
    assert!(seen > 1);
    assert_eq!(counted(&mut admin, "vp"), [1, seen, 0, 0]);
    assert_eq!(scalar(&mut vp, "SELECT count(*) FROM crm.lead"), seen.to_string());
    assert_eq!(counted(&mut admin, "vp"), [2, seen + 1, 0, 0]);
    rows(&mut vp, "SELECT 1; SELECT count(*) FROM pg_class");
    assert_eq!(counted(&mut admin, "vp"), [2, seen + 1, 0, 0], "nothing protected");
    // A cursor, whose parts are runs of one statement.
    accepted(&mut vp, "BEGIN; DECLARE c CURSOR FOR SELECT id FROM crm.lead; FETCH 1 FROM c; FETCH 1 FROM c; COMMIT");
    assert_eq!(counted(&mut admin, "vp"), [3, seen + 3, 0, 0]);
    // Prepared, also when the plan is kept.
    for _ in 0..8 {
        vp.query("SELECT id FROM crm.lead WHERE id > $1", &[&0_i64]).unwrap();
    }
    assert_eq!(counted(&mut admin, "vp"), [11, 9 * seen + 3, 0, 0]);
    // Through a function.
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.all_leads() RETURNS SETOF bigint LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT id FROM crm.lead; END';
         GRANT EXECUTE ON FUNCTION crm.all_leads() TO PUBLIC",
    );
    rows(&mut vp, "SELECT * FROM crm.all_leads()");
    assert_eq!(counted(&mut admin, "vp"), [12, 10 * seen + 3, 0, 0]);
    accepted(&mut admin, "SELECT leadguard.set_switch('crm.lead', 'export', 'free', role => '*')");
    let mut copied = Vec::new();
    std::io::Read::read_to_end(&mut vp.copy_out("COPY crm.lead (id) TO STDOUT").unwrap(), &mut copied).unwrap();
    assert_eq!(counted(&mut admin, "vp"), [13, 11 * seen + 3, 1, 0]);
    // What a rollback takes back was read all the same.
    rows(&mut vp, "BEGIN; SELECT id FROM crm.lead; ROLLBACK");
    assert_eq!(counted(&mut admin, "vp"), [14, 12 * seen + 3, 1, 0]);
    // The extension's own queries are nobody's.
    accepted(&mut admin, "SELECT leadguard.activity_reset()");
    assert_eq!(counted(&mut admin, "vp"), [0, 0, 0, 0]);
    let mut alice = db.connect("alice");
    let changed = accepted(&mut alice, "UPDATE crm.lead SET name = 'x'");
    assert!(changed > 0);
    assert_eq!(counted(&mut admin, "alice"), [1, 0, 0, 0]);
    accepted(&mut alice, "UPDATE crm.lead SET name = 'y' RETURNING id");
    assert_eq!(counted(&mut admin, "alice"), [2, changed, 0, 0]);
}

#[test]
fn k48_refusals_are_counted() {
    if !is_there() {
        return;
    }
    let db = company("pre_refused");
    let mut admin = db.admin();
    let mut viewer = db.connect("viewer");
    for _ in 0..3 {
        refused(&mut viewer, "UPDATE crm.lead SET name = 'x'", "42501");
    }
    assert_eq!(counted(&mut admin, "viewer")[3], 3);
    refused(&mut viewer, "SELECT * FROM leadguard.member_activity()", "42501");
    assert_eq!(counted(&mut admin, "viewer")[3], 4);
}

#[test]
fn k48_activity_is_for_auditors_of_the_organization() {
    if !is_there() {
        return;
    }
    let db = company("pre_who");
    let mut admin = db.admin();
    let role = db.create_role("gus");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
             INSERT INTO leadguard.member (org_id, key, db_role) SELECT id, 'gus', '{role}' FROM leadguard.organization WHERE key = 'globex';
             INSERT INTO leadguard.role (name, org_id, capabilities) SELECT 'inspector', id, '{{audit}}' FROM leadguard.organization WHERE key = 'globex';
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'inspector' FROM leadguard.member WHERE key = 'gus';
             GRANT SELECT ON crm.lead TO \"{role}\""
        ),
    );
    let (mut alice, mut gus) = (db.connect("alice"), db.connect("gus"));
    rows(&mut alice, "SELECT id FROM crm.lead");
    rows(&mut gus, "SELECT id FROM crm.lead");
    rows(&mut admin, "SELECT id FROM crm.lead");
    let who = "SELECT member FROM leadguard.member_activity()";
    assert_eq!(ids(&mut admin, who), set("alice gus"));
    assert_eq!(ids(&mut db.connect("tina"), who), set("alice"));
    assert_eq!(ids(&mut gus, who), set("gus"));
    refused(&mut alice, who, "42501");
    for who in ["tina", "alice"] {
        refused(&mut db.connect(who), "SELECT leadguard.activity_reset()", "42501");
    }
    // Another database has counters of its own.
    let other = company("pre_other");
    assert_eq!(rows(&mut other.admin(), who), Vec::<Vec<String>>::new());
    accepted(&mut other.admin(), "SELECT leadguard.activity_reset()");
    assert_eq!(ids(&mut admin, who), set("alice gus"));
}

#[test]
fn k48_many_sessions_lose_no_count() {
    if !is_there() {
        return;
    }
    let db = company("pre_many");
    let mut admin = db.admin();
    let keys = ["alice", "vp", "mona", "ted"];
    std::thread::scope(|scope| {
        for key in keys.into_iter().chain(keys) {
            let mut client = db.connect(key);
            scope.spawn(move || {
                for _ in 0..100 {
                    rows(&mut client, "SELECT count(*) FROM crm.lead");
                }
            });
        }
    });
    for key in keys {
        assert_eq!(counted(&mut admin, key), [200, 200, 0, 0], "{key}");
    }
}

#[test]
fn workers_are_no_members() {
    if !is_there() {
        return;
    }
    let db = company("pre_parallel");
    let mut admin = db.admin();
    accepted(&mut admin, "ALTER TABLE crm.lead SET (parallel_workers = 2)");
    let mut vp = db.connect("vp");
    let settings = "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;";
    for force in ["force_parallel_mode", "debug_parallel_query"] {
        let _ = code(&mut vp, &format!("SET {force} = on"));
    }
    let seen = rows(&mut vp, &format!("{settings} SELECT id FROM crm.lead")).len() as u64;
    assert_eq!(counted(&mut admin, "vp"), [1, seen, 0, 0]);
}
