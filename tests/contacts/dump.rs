//! A dump brings contacts, what they give, and the rules about domains back, once each.

use crate::domains::rule;
use crate::lab::*;
use leadguard_tests::*;
use std::process::{Command, Output};

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("ERROR"), "{command:?}\n{errors}");
    output
}

/// Contacts of every kind, members who are not what their domain says any more, and rules.
fn company() -> Db {
    let db = lab("contacts_dump");
    rule(&db, "acme.com", "own", "CREATOR");
    rule(&db, "partner.com", "partner", "GUEST");
    rule(&db, "*", "own", "COLLABORATOR");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id) SELECT 'visitor', id FROM leadguard.organization WHERE key = 'globex';
         UPDATE leadguard.organization SET domain_roles = 'any' WHERE key = 'globex';
         INSERT INTO leadguard.domain_rule (org_id, domain, kind, role)
         SELECT id, d.domain, d.kind, d.role FROM leadguard.organization,
             (VALUES ('acme.com', 'partner', 'CREATOR'), ('*', 'customer', 'visitor')) AS d (domain, kind, role) WHERE key = 'globex';
         INSERT INTO leadguard.member (key, name, email) VALUES ('one', 'One', 'one@acme.com'), ('two', 'Two', 'two@partner.com'),
             ('three', 'Three', 'three@partner.com'), ('four', 'Four', 'four@acme.com'), ('five', 'Five', 'five@elsewhere.org')",
    );
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member SET kind = 'person' WHERE key = 'three';
         DELETE FROM leadguard.member_role WHERE member_id IN (SELECT id FROM leadguard.member WHERE key IN ('one', 'five'));
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'COLLABORATOR' FROM leadguard.member WHERE key IN ('four', 'one')",
    );
    let [pia, _, gus, cora] =
        ["name => 'Pia'", "'BUYER', member => 'cody'", "member => 'gus'", "member => 'cora'"].map(|c| add(&db, 1, c));
    let gone = add(&db, 2, "member => 'cora'");
    let mut cleo = db.connect("cleo");
    accepted(
        &mut cleo,
        &format!(
            "SELECT leadguard.contact_mark({pia}, 'INFLUENCER'), leadguard.contact_unmark({pia}, 'INFLUENCER'),
                    leadguard.contact_mark({pia}, 'INFLUENCER'), leadguard.contact_mark({gus}, 'CHAMPION'),
                    leadguard.contact_remove({gone}, 'moved'), leadguard.share('crm.site', '3', 'gwen'), leadguard.team_add('crm.site', '3', 'cody')"
        ),
    );
    assert_eq!(cora, "4");
    db
}

const TABLES: [&str; 8] =
    ["record_contact", "contact_type", "record_grant", "domain_rule", "member", "member_role", "organization", "role"];

fn comes_back(restore: impl Fn(&Db, &str)) {
    let db = company();
    let file = std::env::temp_dir().join(format!("{}.dump", db.name()));
    let path = file.to_str().expect("a plain path");
    run(db.tool("pg_dump", "postgres").args(["-d", db.name(), "-F", "c", "-f", path]));
    let copy = Db::bare("contacts_copy");
    restore(&copy, path);
    let _ = std::fs::remove_file(&file);
    for table in TABLES {
        let sql = format!("SELECT t::text FROM leadguard.{table} AS t ORDER BY 1");
        let found = rows(&mut copy.admin(), &sql);
        assert_eq!(found, rows(&mut db.admin(), &sql), "{table}");
        assert!(!found.is_empty(), "{table}");
    }
    let login = |who: &str| server().connect(&db.role(who), copy.name());
    for who in ["ann", "cleo", "cora", "cody", "gus", "gwen", "zoe"] {
        for sql in ["SELECT id FROM crm.site", "SELECT name FROM leadguard.contacts('crm.site', '1')"] {
            assert_eq!(ids(&mut login(who), sql), ids(&mut db.connect(who), sql), "{who}: {sql}");
        }
    }
    // It goes on: numbers, access, rules.
    let fifth = scalar(&mut login("cleo"), "SELECT leadguard.contact_add('crm.site', '2', member => 'cora')");
    assert_eq!(fifth, "6");
    accepted(&mut login("cleo"), "SELECT leadguard.contact_side(4, 'BUYER')");
    assert_eq!(ids(&mut login("cora"), "SELECT id FROM crm.site"), set("2"));
    accepted(&mut login("ann"), "INSERT INTO leadguard.member (key, email) VALUES ('six', 'six@partner.com')");
    assert_eq!(
        rows(
            &mut copy.admin(),
            "SELECT kind, role FROM leadguard.member JOIN leadguard.member_role ON member_id = id WHERE key = 'six'"
        ),
        [["guest", "GUEST"]]
    );
}

#[test]
fn d29_contacts_and_domain_rules_come_back_from_a_dump() {
    comes_back(|copy, file| {
        run(copy.tool("pg_restore", "postgres").args(["--exit-on-error", "-d", copy.name(), file]));
    });
}

#[test]
fn d29_they_come_back_in_one_transaction() {
    comes_back(|copy, file| {
        run(copy.tool("pg_restore", "postgres").args(["-1", "-d", copy.name(), file]));
    });
}
