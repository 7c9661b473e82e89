//! A company with something in every table of the directory, and what everybody in it sees and may do.

use leadguard_tests::*;
use std::collections::{BTreeMap, BTreeSet};

/// Everybody with a login of his own; `report` is an analyst for mona, `stranger` is not registered.
pub const WHO: [&str; 20] = [
    "ceo", "vp", "vp2", "mona", "alice", "anton", "viewer", "bob", "carl", "tina", "tom", "ted", "tess", "bea", "amy",
    "loner", "admin", "gus", "report", "stranger",
];

/// crm.visit is partitioned and names owner and territory by key; crm.deal holds the rows of two organizations.
pub const TABLES: [&str; 3] = ["crm.lead", "crm.visit", "crm.deal"];

/// Fills a database that has the extension, in whatever version.
pub fn found(db: &Db) {
    for login in ["gus", "report", "stranger", "app"] {
        db.create_role(login);
    }
    lead_table(db);
    let mut admin = db.admin();
    // What every version can say: no archive.
    accepted(
        &mut admin,
        "SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id')",
    );
    accepted(&mut admin, include_str!("company.sql"));
}

pub fn tables(who: &str) -> impl Iterator<Item = (String, String)> {
    TABLES.map(|table| (format!("{who} {table}"), format!("SELECT id FROM {table}"))).into_iter()
}

/// Who sees which rows, through a login of his own or through the application, and with which level.
pub fn picture(db: &Db) -> BTreeMap<String, BTreeSet<String>> {
    let mut seen = BTreeMap::new();
    let mut app = db.connect("app");
    for (name, sql) in tables("nobody") {
        seen.insert(name, ids(&mut app, &sql));
    }
    for who in WHO {
        let mut session = db.connect(who);
        for (name, sql) in tables(who) {
            seen.insert(name, ids(&mut session, &sql));
        }
        if !["stranger", "bob"].contains(&who) {
            for lead in ["1", "3", "11", "13"] {
                let level = level_in(&mut session, "crm.lead", lead).to_string();
                seen.insert(format!("{who} on lead {lead}"), BTreeSet::from([level]));
            }
        }
        if !["report", "stranger", "bob"].contains(&who) {
            accepted(&mut app, &format!("BEGIN; SELECT leadguard.act_as('{who}')"));
            for (name, sql) in tables(&format!("application for {who}")) {
                seen.insert(name, ids(&mut app, &sql));
            }
            accepted(&mut app, "COMMIT");
        }
    }
    seen
}

/// That the rules hold, with results that do not come from another database.
#[track_caller]
pub fn rules_hold(db: &Db) {
    let sees = |who: &str, table: &str| ids(&mut db.connect(who), &format!("SELECT id FROM {table}"));
    assert_eq!(sees("alice", "crm.lead"), set("1 2 3 4 5"));
    assert_eq!(sees("mona", "crm.lead"), set("1 2 3 4 5 6 7 8"));
    assert_eq!(sees("report", "crm.lead"), set("1 2 3 4 5 6 7 8"), "an analyst sees what his member sees");
    assert_eq!(sees("admin", "crm.lead").len(), 15);
    assert_eq!(sees("ted", "crm.lead"), set("2"), "through a team");
    assert_eq!(sees("gus", "crm.lead"), set(""), "another organization");
    assert_eq!(sees("bob", "crm.lead"), set(""), "inactive");
    assert_eq!(sees("stranger", "crm.lead"), set(""), "not registered");
    assert_eq!(sees("alice", "crm.visit"), set("1 101"));
    assert_eq!(sees("tess", "crm.visit"), set("2 102"));
    assert_eq!(sees("admin", "crm.visit").len(), 6);
    assert_eq!(sees("gus", "crm.deal").len(), 1);
    assert_eq!(sees("admin", "crm.deal").len(), 2, "of the own organization only");

    let mut alice = db.connect("alice");
    for sql in [
        "UPDATE crm.lead SET name = 'x' WHERE id = 1",
        "UPDATE crm.visit SET name = 'x' WHERE id = 101",
        "UPDATE crm.deal SET name = 'x' WHERE name = 'of alice'",
        "INSERT INTO crm.lead (name) VALUES ('mine')",
        "INSERT INTO crm.visit (id, name) VALUES (50, 'mine')",
        "INSERT INTO crm.deal (name) VALUES ('mine')",
        "SELECT leadguard.share('crm.lead', '5', 'amy', 'read')",
        "SELECT leadguard.team_add('crm.lead', '5', 'amy')",
        "SELECT leadguard.reassign('crm.lead', '5', owner => 'amy')",
    ] {
        assert_eq!(allowed(&mut alice, sql), 1, "{sql}");
    }
    for sql in ["UPDATE crm.lead SET name = 'x' WHERE id = 9", "DELETE FROM crm.visit WHERE id = 3"] {
        assert_eq!(allowed(&mut alice, sql), 0, "{sql}");
    }
    refused(&mut alice, "UPDATE crm.lead SET owner_id = 0 WHERE id = 1", "42501");
    refused(&mut alice, "SELECT leadguard.share('crm.lead', '9', 'amy', 'read')", "42501");
    refused(&mut alice, "SELECT leadguard.rebind_roles()", "42501");
    refused(&mut alice, "SELECT * FROM leadguard.member_closure", "42501");
    refused(&mut alice, "UPDATE leadguard.member SET name = 'x'", "42501");
    assert!(accepted(&mut alice, "SELECT key FROM leadguard.member") > 10, "colleagues are listed");
    for who in ["viewer", "report", "app", "stranger"] {
        for table in TABLES {
            refused(&mut db.connect(who), &format!("UPDATE {table} SET name = 'x' WHERE false"), "42501");
        }
    }
    refused(&mut db.connect("stranger"), "SELECT leadguard.current_member()", "42501");
}

/// That the database is not a museum: the directory moves, tables come and go.
#[track_caller]
pub fn life_goes_on(db: &Db) {
    let mut admin = db.admin();
    enlist(db, "new", "alice");
    accepted(&mut db.connect("new"), "INSERT INTO crm.lead (id, name) VALUES (500, 'n')");
    assert_eq!(leads(db, "alice"), set("1 2 3 4 5 500"));
    place(&mut admin, "new", "amy");
    assert_eq!(leads(db, "alice"), set("1 2 3 4 5"));
    assert_eq!(leads(db, "amy"), set("3 15 500"));
    let mut boss = db.connect("admin");
    let all = "SELECT count(*) FROM crm.lead";
    assert_eq!(scalar(&mut boss, all), "16");
    accepted(&mut admin, "DELETE FROM leadguard.member_role WHERE role = 'administrator'");
    assert_eq!(scalar(&mut boss, all), "0");
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'admin'",
    );
    assert_eq!(scalar(&mut boss, all), "16");
    accepted(
        &mut admin,
        "CREATE TABLE crm.visit_3 PARTITION OF crm.visit FOR VALUES FROM (200) TO (300);
         INSERT INTO crm.visit VALUES (201, 'alice', NULL, 'n'), (202, 'carl', NULL, 'n');
         GRANT SELECT ON crm.visit_3 TO PUBLIC",
    );
    assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM crm.visit_3"), set("201"));
    accepted(
        &mut admin,
        "CREATE TABLE crm.task (id int PRIMARY KEY, owner_id int);
         INSERT INTO crm.task SELECT 1, id FROM leadguard.member WHERE key = 'alice';
         SELECT leadguard.protect('crm.task', owner => 'owner_id')",
    );
    assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM crm.task"), set("1"));
    assert_eq!(ids(&mut db.connect("carl"), "SELECT id FROM crm.task"), set(""));
    assert!(rows(&mut admin, "SELECT * FROM leadguard.verify_closure()").is_empty());
    for table in TABLES {
        accepted(&mut admin, &format!("SELECT leadguard.unprotect('{table}')"));
    }
    assert_eq!(
        scalar(&mut admin, "SELECT count(*) FROM pg_policies WHERE schemaname = 'crm'"),
        "7",
        "those of crm.task"
    );
}
