//! O19: a change in either hierarchy changes access at once and writes no lead.

use leadguard_tests::*;

fn to_territory(admin: &mut Client, key: &str, parent: &str) {
    accepted(
        admin,
        &format!(
            "UPDATE leadguard.territory SET parent_id = (SELECT id FROM leadguard.territory WHERE key = '{parent}') WHERE key = '{key}'"
        ),
    );
}

#[test]
fn o19_a_new_manager_needs_no_write_to_leads() {
    let db = Db::new("o19");
    org(&db);
    let mut admin = db.admin();
    let before = stored(&mut admin, "crm.lead");
    // The sessions stay open: access follows with their next statement.
    let (mut bob, mut vp) = (db.connect("bob"), db.connect("vp"));
    let question = "SELECT id FROM crm.lead";
    assert_eq!(ids(&mut bob, question), set("9 10"));
    assert_eq!(ids(&mut vp, question), set("1 2 3 4 5 6 7 8"));
    place(&mut admin, "mona", "bob");
    assert_eq!(ids(&mut bob, question), set("1 2 3 4 5 6 7 8 9 10"));
    assert_eq!(ids(&mut vp, question), set(""));
    place(&mut admin, "alice", "vp");
    assert_eq!(ids(&mut bob, question), set("6 7 8 9 10"));
    assert_eq!(ids(&mut vp, question), set("1 2 3 4 5"));
    assert_eq!(stored(&mut admin, "crm.lead"), before);
}

#[test]
fn o19_a_moved_territory_needs_no_write_to_leads() {
    let db = Db::new("o19_terr");
    org(&db);
    let mut admin = db.admin();
    let before = stored(&mut admin, "crm.lead");
    let (mut amy, mut tom) = (db.connect("amy"), db.connect("tom"));
    let question = "SELECT id FROM crm.lead";
    assert_eq!(ids(&mut amy, question), set("15"));
    to_territory(&mut admin, "dach", "amer");
    assert_eq!(ids(&mut amy, question), set("11 12 15"));
    to_territory(&mut admin, "bern", "emea");
    assert_eq!(ids(&mut amy, question), set("11 15"));
    assert_eq!(ids(&mut tom, question), set("11"));
    to_territory(&mut admin, "dach", "none");
    assert_eq!(ids(&mut amy, question), set("15"));
    assert_eq!(stored(&mut admin, "crm.lead"), before);
}

#[test]
fn o19_prepared_statements_and_wide_plans_follow() {
    let db = Db::new("o19_prepared");
    org(&db);
    let mut admin = db.admin();
    let mut bob = db.connect("bob");
    accepted(
        &mut bob,
        "PREPARE mine AS SELECT id FROM crm.lead; PREPARE one (bigint) AS SELECT id FROM crm.lead WHERE id = $1",
    );
    for _ in 0..7 {
        assert_eq!(ids(&mut bob, "EXECUTE mine"), set("9 10"));
        assert_eq!(ids(&mut bob, "EXECUTE one(1)"), set(""));
    }
    place(&mut admin, "alice", "bob");
    assert_eq!(ids(&mut bob, "EXECUTE mine"), set("1 2 3 4 5 9 10"));
    assert_eq!(ids(&mut bob, "EXECUTE one(1)"), set("1"));
    place(&mut admin, "alice", "");
    assert_eq!(ids(&mut bob, "EXECUTE mine"), set("9 10"));
    assert_eq!(ids(&mut bob, "EXECUTE one(1)"), set(""));
}

#[test]
fn o19_a_snapshot_keeps_what_it_saw_until_it_ends() {
    let db = Db::new("o19_snapshot");
    org(&db);
    let mut admin = db.admin();
    let mut bob = db.connect("bob");
    accepted(&mut bob, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    place(&mut admin, "alice", "bob");
    assert_eq!(ids(&mut bob, "SELECT id FROM crm.lead"), set("9 10"));
    accepted(&mut bob, "COMMIT");
    assert_eq!(ids(&mut bob, "SELECT id FROM crm.lead"), set("1 2 3 4 5 9 10"));
    // And what is not committed, or was rolled back, changes nothing for others.
    accepted(&mut admin, "BEGIN");
    place(&mut admin, "alice", "");
    assert_eq!(ids(&mut bob, "SELECT id FROM crm.lead"), set("1 2 3 4 5 9 10"));
    accepted(&mut admin, "ROLLBACK");
    assert_eq!(ids(&mut bob, "SELECT id FROM crm.lead"), set("1 2 3 4 5 9 10"));
}

#[test]
fn o19_reorganisation_within_one_transaction_and_its_savepoints() {
    let db = Db::new("o19_savepoint");
    org(&db);
    let mut session = db.connect("admin");
    // The administrator reorganizes and asks for others in the same transaction.
    let bobs = "SELECT record FROM leadguard.what_can('bob', 'crm.lead', 'read')";
    accepted(&mut session, "BEGIN");
    assert_eq!(ids(&mut session, bobs), set("9 10"));
    accepted(&mut session, "SAVEPOINT s");
    place(&mut session, "alice", "bob");
    assert_eq!(ids(&mut session, bobs), set("1 2 3 4 5 9 10"));
    accepted(&mut session, "ROLLBACK TO s");
    assert_eq!(ids(&mut session, bobs), set("9 10"));
    place(&mut session, "anton", "bob");
    assert_eq!(ids(&mut session, bobs), set("6 7 8 9 10"));
    accepted(&mut session, "ROLLBACK");
    assert_eq!(ids(&mut session, bobs), set("9 10"));
    assert_eq!(leads(&db, "bob"), set("9 10"));
}

#[test]
fn o19_roles_owners_and_members_of_territories_count_at_once() {
    let db = Db::new("o19_edges");
    org(&db);
    let mut admin = db.admin();
    let mut ted = db.connect("ted");
    let question = "SELECT id FROM crm.lead";
    assert_eq!(ids(&mut ted, question), set(""));
    accepted(
        &mut admin,
        "UPDATE leadguard.territory SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'ted') WHERE key = 'bern'",
    );
    assert_eq!(ids(&mut ted, question), set("12"));
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'ted'",
    );
    assert_eq!(ids(&mut ted, question).len(), 15);
    accepted(&mut admin, "DELETE FROM leadguard.member_role WHERE role = 'administrator'");
    assert_eq!(ids(&mut ted, question), set("12"));
}
