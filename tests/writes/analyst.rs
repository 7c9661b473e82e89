//! Analyst roles read as the member they are bound to and never write, whatever the table grants them.

use leadguard_tests::*;

/// `org` plus the analyst role `report`, bound to `key` and granted everything Postgres can grant.
fn with_analyst(name: &str, key: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    let role = db.create_role("report");
    accepted(
        &mut db.admin(),
        &format!(
            "SELECT leadguard.analyst('{role}', '{key}');
             GRANT ALL ON SCHEMA crm TO \"{role}\"; GRANT ALL ON ALL TABLES IN SCHEMA crm TO \"{role}\";
             GRANT ALL ON ALL SEQUENCES IN SCHEMA crm TO \"{role}\""
        ),
    );
    db
}

const WRITES: [&str; 14] = [
    "INSERT INTO crm.lead (name) VALUES ('x')",
    "INSERT INTO crm.lead (name) SELECT 'x' WHERE false",
    "INSERT INTO crm.lead (id) VALUES (1) ON CONFLICT DO NOTHING",
    "UPDATE crm.lead SET name = 'x'",
    "UPDATE crm.lead SET name = 'x' WHERE id = 1",
    "UPDATE crm.lead SET name = 'x' WHERE false",
    "WITH w AS (UPDATE crm.lead SET name = 'x' RETURNING 1) SELECT count(*) FROM w",
    "DELETE FROM crm.lead",
    "DELETE FROM crm.lead WHERE false",
    "MERGE INTO crm.lead AS l USING (VALUES (1)) AS v (id) ON l.id = v.id WHEN MATCHED THEN UPDATE SET name = 'x'",
    "MERGE INTO crm.lead AS l USING (VALUES (-1)) AS v (id) ON l.id = v.id WHEN MATCHED THEN DELETE",
    "MERGE INTO crm.lead AS l USING (VALUES (-1)) AS v (id) ON l.id = v.id WHEN NOT MATCHED THEN INSERT (name) VALUES ('x')",
    "TRUNCATE crm.lead",
    "DO $$ BEGIN UPDATE crm.lead SET name = 'x' WHERE false; END $$",
];

#[test]
fn an_analyst_reads_what_the_member_reads() {
    let db = with_analyst("analyst_read", "mona");
    assert_eq!(leads(&db, "report"), leads(&db, "mona"));
    place(&mut db.admin(), "carl", "mona");
    assert_eq!(leads(&db, "report"), set("1 2 3 4 5 6 7 8 9 10"));
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'mona'");
    assert_eq!(leads(&db, "report"), set(""));
}

#[test]
fn an_analyst_needs_no_further_grant_to_read() {
    let db = Db::new("analyst_grant");
    org(&db);
    let role = db.create_role("report");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{role}', 'alice')"));
    assert_eq!(leads(&db, "report"), set("1 2 3 4 5"));
    // A table secured later is readable as well.
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, name text);
         INSERT INTO crm.deal SELECT 1, id FROM leadguard.member WHERE key = 'alice';
         SELECT leadguard.protect('crm.deal', id => 'id', owner => 'owner_id')",
    );
    assert_eq!(ids(&mut db.connect("report"), "SELECT id FROM crm.deal"), set("1"));
    assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM crm.deal"), set("1"));
}

#[test]
fn an_analyst_never_writes_a_lead() {
    for key in ["mona", "admin"] {
        let db = with_analyst("analyst_write", key);
        let mut admin = db.admin();
        let before = stored(&mut admin, "crm.lead");
        let mut report = db.connect("report");
        for write in WRITES {
            refused(&mut report, write, "42501");
        }
        for call in [
            "reassign('crm.lead', '1', owner => 'anton')",
            "share('crm.lead', '1', 'anton')",
            "team_add('crm.lead', '1', 'anton')",
        ] {
            refused(&mut report, &format!("SELECT leadguard.{call}"), "42501");
        }
        assert_eq!(stored(&mut admin, "crm.lead"), before);
        // The member herself, over her own login, does all of it; TRUNCATE nobody.
        let mut person = db.connect(key);
        for write in WRITES.iter().filter(|w| !w.starts_with("TRUNCATE")) {
            allowed(&mut person, write);
        }
    }
}

#[test]
fn an_analyst_of_an_administrator_does_not_edit_the_directory() {
    let db = with_analyst("analyst_dir", "admin");
    let mut report = db.connect("report");
    for write in [
        "INSERT INTO leadguard.member (key, name) VALUES ('x', 'X')",
        "UPDATE leadguard.member SET name = 'x' WHERE key = 'alice'",
        "UPDATE leadguard.territory SET name = 'x' WHERE false",
        "DELETE FROM leadguard.territory_member",
    ] {
        refused(&mut report, write, "42501");
        allowed(&mut db.connect("admin"), write);
    }
}

#[test]
fn an_analyst_does_not_become_anybody_else() {
    let db = with_analyst("analyst_act", "mona");
    let mut report = db.connect("report");
    accepted(&mut report, "BEGIN");
    refused(&mut report, "SELECT leadguard.act_as('ceo')", "42501");
    accepted(&mut report, "ROLLBACK");
    let role = db.role("report");
    // One login role is one thing: not a person and an analyst at the same time.
    let state = code(&mut db.admin(), &format!("UPDATE leadguard.member SET db_role = '{role}' WHERE key = 'ceo'"));
    assert_ne!(state, "ok");
    assert_eq!(leads(&db, "report"), leads(&db, "mona"));
}

#[test]
fn only_superusers_register_analysts() {
    let db = Db::new("analyst_who");
    org(&db);
    let role = db.create_role("report");
    let call = format!("SELECT leadguard.analyst('{role}', 'mona')");
    for who in ["alice", "admin"] {
        refused(&mut db.connect(who), &call, "42501");
    }
    for bad in [
        format!("SELECT leadguard.analyst('{role}', 'nobody')"),
        "SELECT leadguard.analyst('no_such_role', 'mona')".to_string(),
    ] {
        let state = code(&mut db.admin(), &bad);
        assert!(["22023", "42704", "28000"].contains(&state.as_str()), "{state}: {bad}");
    }
    accepted(&mut db.admin(), &call);
    assert_eq!(leads(&db, "report"), leads(&db, "mona"));
}
