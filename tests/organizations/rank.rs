//! Limited administration: members and roles up to one's own rank.

use crate::lab::{companies, give, id, organization, take};
use leadguard_tests::{accepted, allowed, code, ids, refused, scalar, set};

#[test]
fn p3_p4_an_admin_manages_members_but_not_the_owner() {
    let db = companies("rank_members");
    let mut admin = db.admin();
    let mut adm = db.connect("adm");
    accepted(&mut adm, "INSERT INTO leadguard.member (key, name, email) VALUES ('new', 'New', 'new@acme.example')");
    for statement in [
        "UPDATE leadguard.member SET name = 'x' WHERE key = '{}'",
        "UPDATE leadguard.member SET active = false WHERE key = '{}'",
        "UPDATE leadguard.member SET kind = 'guest' WHERE key = '{}'",
        "DELETE FROM leadguard.member WHERE key = '{}'",
    ] {
        for above in ["owner", "root"] {
            let error = refused(&mut adm, &statement.replace("{}", above), "42501");
            assert!(error.message().contains("higher rank"), "{}", error.message());
        }
        for other in ["mem", "adm2", "new", "guest"] {
            assert_eq!(allowed(&mut adm, &statement.replace("{}", other)), 1, "{other}: {statement}");
        }
        refused(&mut db.connect("mem"), &statement.replace("{}", "mem2"), "42501");
        refused(&mut db.connect("giver"), &statement.replace("{}", "mem2"), "42501");
        assert_eq!(allowed(&mut db.connect("owner"), &statement.replace("{}", "root")), 1, "{statement}");
    }
    // An inactive member comes back.
    accepted(&mut adm, "UPDATE leadguard.member SET active = false WHERE key = 'new'");
    assert_eq!(accepted(&mut adm, "UPDATE leadguard.member SET active = true WHERE key = 'new'"), 1);
    assert_eq!(scalar(&mut admin, "SELECT active FROM leadguard.member WHERE key = 'new'"), "t");
}

// What would raise somebody stays with administrators: logins, kinds, organizations, ids, places in the hierarchy.
#[test]
fn p4_k3_an_admin_raises_nobody_by_a_column() {
    let db = companies("rank_columns");
    let mut admin = db.admin();
    let spare = db.create_role("spare");
    let globex = organization(&mut admin, "globex");
    let (adm, mem2, owner) = (id(&mut admin, "adm"), id(&mut admin, "mem2"), id(&mut admin, "owner"));
    let gone = scalar(&mut admin, "INSERT INTO leadguard.member (key) VALUES ('left') RETURNING id");
    accepted(&mut admin, "DELETE FROM leadguard.member WHERE key = 'left'");
    accepted(
        &mut admin,
        &format!(
            "UPDATE leadguard.member SET manager_id = {mem2} WHERE key = 'owner'; SELECT leadguard.verify_closure()"
        ),
    );
    let cases = [
        format!("UPDATE leadguard.member SET db_role = '{spare}' WHERE key = 'mem2'"),
        "UPDATE leadguard.member SET kind = 'person' WHERE key = 'guest'".to_string(),
        "UPDATE leadguard.member SET kind = 'system' WHERE key = 'mem2'".to_string(),
        format!("INSERT INTO leadguard.member (key, db_role) VALUES ('x', '{spare}')"),
        "INSERT INTO leadguard.member (key, kind) VALUES ('x', 'system')".to_string(),
        format!("INSERT INTO leadguard.member (id, key) VALUES ({gone}, 'x')"),
        // He would reach what mem owns; mem2 takes the owner along.
        format!("UPDATE leadguard.member SET manager_id = {adm} WHERE key = 'mem'"),
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'mem') WHERE key = 'mem2'".to_string(),
    ];
    for case in &cases {
        refused(&mut db.connect("adm"), case, "42501");
        assert_eq!(allowed(&mut db.connect("root"), case), 1, "{case}");
    }
    let state =
        code(&mut db.connect("adm"), &format!("UPDATE leadguard.member SET org_id = {globex} WHERE key = 'mem'"));
    assert_eq!(state, "42501");
    // Twins: a place below others, a kind that can do less.
    for twin in [
        format!("UPDATE leadguard.member SET manager_id = {owner} WHERE key = 'mem'"),
        format!("INSERT INTO leadguard.member (key, manager_id, kind) VALUES ('x', {mem2}, 'guest')"),
        "UPDATE leadguard.member SET kind = 'guest' WHERE key = 'mem'".to_string(),
    ] {
        assert_eq!(allowed(&mut db.connect("adm"), &twin), 1, "{twin}");
    }
}

#[test]
fn p3_p4_d17_roles_are_given_below_the_own_rank() {
    let db = companies("rank_roles");
    let mut admin = db.admin();
    // An Admin makes and unmakes Members; neither Admins nor Owners.
    let (member_to_guest, member_from_mem) = (give(&mut admin, "guest", "Member"), take(&mut admin, "mem", "Member"));
    let (admin_to_mem, admin_from_adm2) = (give(&mut admin, "mem", "Admin"), take(&mut admin, "adm2", "Admin"));
    let (owner_to_mem, owner_from_owner) = (give(&mut admin, "mem", "Owner"), take(&mut admin, "owner", "Owner"));
    let member_to_owner = give(&mut admin, "owner", "Member");
    for statement in [&member_to_guest, &member_from_mem] {
        assert_eq!(allowed(&mut db.connect("adm"), statement), 1, "{statement}");
        refused(&mut db.connect("mem2"), statement, "42501");
    }
    for statement in [&admin_to_mem, &admin_from_adm2, &owner_to_mem, &owner_from_owner, &member_to_owner] {
        refused(&mut db.connect("adm"), statement, "42501");
    }
    // manage_roles reaches roles of the own rank, and members of it.
    for statement in [&admin_to_mem, &admin_from_adm2, &member_from_mem] {
        assert_eq!(allowed(&mut db.connect("giver"), statement), 1, "{statement}");
    }
    for statement in [&owner_to_mem, &owner_from_owner, &member_to_owner] {
        refused(&mut db.connect("giver"), statement, "42501");
    }
    // The Owner does all of it.
    for statement in [&admin_to_mem, &admin_from_adm2, &owner_to_mem, &member_from_mem] {
        assert_eq!(allowed(&mut db.connect("owner"), statement), 1, "{statement}");
    }
    // An update is a taking and a giving.
    let raise = format!("UPDATE leadguard.member_role SET role = 'Admin' WHERE member_id = {}", id(&mut admin, "mem"));
    refused(&mut db.connect("adm"), &raise, "42501");
    assert_eq!(allowed(&mut db.connect("giver"), &raise), 1);
}

#[test]
fn k3_p4_nobody_raises_himself() {
    let db = companies("rank_self");
    let mut admin = db.admin();
    let custom = "INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES ('king', 1, 0, '{administer}')";
    let widened = "UPDATE leadguard.role SET capabilities = '{administer,all_records}' WHERE name = 'helper'";
    for who in ["adm", "hr", "giver", "mem"] {
        for statement in [custom, widened] {
            refused(&mut db.connect(who), statement, "42501");
        }
        for role in ["Member", "spy", "helper", "Admin", "Owner"] {
            refused(&mut db.connect(who), &give(&mut admin, who, role), "42501");
        }
    }
    for statement in [custom, widened] {
        assert_eq!(allowed(&mut db.connect("root"), statement), 1);
    }
    // A role that caps him is not his to take off; root takes it.
    accepted(&mut admin, &give(&mut db.admin(), "adm", "view_only"));
    let uncap = take(&mut admin, "adm", "view_only");
    refused(&mut db.connect("adm"), &uncap, "42501");
    assert_eq!(allowed(&mut db.connect("root"), &uncap), 1);
    // A role of low rank with a capability that the giver lacks.
    refused(&mut db.connect("hr"), &give(&mut admin, "mem", "spy"), "42501");
    assert_eq!(allowed(&mut db.connect("hr"), &give(&mut admin, "mem", "helper")), 1);
    assert_eq!(allowed(&mut db.connect("adm"), &give(&mut admin, "mem", "spy")), 1, "an Admin has audit");
}

#[test]
fn k16_scopes_territories_and_roles_stay_with_administrators() {
    let db = companies("rank_scopes");
    let mut admin = db.admin();
    let mem = id(&mut admin, "mem");
    for statement in [
        format!("INSERT INTO leadguard.member_scope VALUES ({mem}, 'crm.item', 'segment', 'banks')"),
        "INSERT INTO leadguard.territory (key) VALUES ('west')".to_string(),
        "INSERT INTO leadguard.role (name, org_id) VALUES ('x', 1)".to_string(),
    ] {
        for who in ["adm", "hr", "giver", "mem"] {
            refused(&mut db.connect(who), &statement, "42501");
        }
        assert_eq!(allowed(&mut db.connect("owner"), &statement), 1, "{statement}");
    }
}

#[test]
fn d16_a_change_of_roles_counts_for_the_next_statement() {
    let db = companies("rank_at_once");
    let mut admin = db.admin();
    let mut mem = db.connect("mem");
    let work = "UPDATE leadguard.member SET name = 'x' WHERE key = 'mem2'";
    accepted(&mut mem, "PREPARE work AS UPDATE leadguard.member SET name = 'y' WHERE key = 'mem2'");
    refused(&mut mem, work, "42501");
    accepted(&mut admin, &give(&mut db.admin(), "mem", "Admin"));
    assert_eq!(accepted(&mut mem, work), 1);
    assert_eq!(accepted(&mut mem, "EXECUTE work"), 1);
    accepted(&mut admin, &take(&mut db.admin(), "mem", "Admin"));
    refused(&mut mem, work, "42501");
    refused(&mut mem, "EXECUTE work", "42501");
}

#[test]
fn d5_a_guest_lists_nobody() {
    let db = companies("rank_guest");
    for (table, all) in [("member", "guest"), ("territory", ""), ("team", "")] {
        accepted(&mut db.admin(), "INSERT INTO leadguard.team (key) VALUES ('t' || clock_timestamp())");
        let sql = format!("SELECT key FROM leadguard.{table}");
        assert_eq!(ids(&mut db.connect("guest"), &sql), set(all), "{table}");
    }
    let sql = "SELECT key FROM leadguard.member";
    assert_eq!(ids(&mut db.connect("mem"), sql), set("owner adm adm2 mem mem2 guest hr giver root"));
    // Not even one who was given something to administer.
    accepted(&mut db.admin(), &give(&mut db.admin(), "guest", "Admin"));
    assert_eq!(ids(&mut db.connect("guest"), sql), set("guest"));
    refused(&mut db.connect("guest"), "UPDATE leadguard.member SET name = 'x' WHERE key = 'mem'", "42501");
}
