//! Team access: organization, team, own. For items that name their team, and for items shared with one.

use crate::lab::*;
use leadguard_tests::*;

/// Team red: cora MEMBER, cody OWNER, gus a guest. Team blue: carl. Item 1 of cleo names red, item 2 of cleo is shared
/// with red at level edit, item 3 at level read.
fn teams(name: &str) -> Db {
    let db = lab(name);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.team (key, name) VALUES ('red', 'Red'), ('blue', 'Blue');
         INSERT INTO leadguard.team_member (team_id, member_id, role)
         SELECT t.id, m.id, r.role
         FROM (VALUES ('red', 'cora', 'member'), ('red', 'cody', 'owner'), ('red', 'gus', 'member'), ('blue', 'carl', 'owner')) AS r (team, member, role)
         JOIN leadguard.team AS t ON t.key = r.team JOIN leadguard.member AS m ON m.key = r.member;
         UPDATE crm.site SET team_id = (SELECT id FROM leadguard.team WHERE key = 'red') WHERE id = 1",
    );
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "SELECT leadguard.share('crm.site', '2', level => 'edit', team => 'red')");
    accepted(&mut cleo, "SELECT leadguard.share('crm.site', '3', level => 'read', team => 'red')");
    db
}

fn access(db: &Db, access: &str) {
    accepted(&mut db.admin(), &format!("UPDATE leadguard.team SET access = '{access}' WHERE key = 'red'"));
}

/// What cora, cody, carl, gus, zoe and the owner cleo reach of an item.
fn all(db: &Db, site: i64) -> [&'static str; 6] {
    ["cora", "cody", "carl", "gus", "zoe", "cleo"].map(|who| reaches(db, who, site))
}

#[test]
fn d12_team_only_members_reach_the_items() {
    let db = teams("teams_team");
    assert_eq!(
        scalar(&mut db.admin(), "SELECT access FROM leadguard.team WHERE key = 'red'"),
        "team",
        "D14: the default"
    );
    assert_eq!(all(&db, 1), ["edit", "edit", "none", "none", "none", "edit"]);
    assert_eq!(all(&db, 2), ["edit", "edit", "none", "none", "none", "edit"]);
    assert_eq!(all(&db, 3), ["read", "read", "none", "none", "none", "edit"]);
    assert_eq!(all(&db, 4), ["none", "none", "none", "none", "none", "edit"], "without team and share");
}

#[test]
fn d11_organization_everybody_but_guests_reaches_the_items() {
    let db = teams("teams_org");
    access(&db, "organization");
    assert_eq!(all(&db, 1), ["edit", "edit", "edit", "none", "none", "edit"]);
    assert_eq!(all(&db, 2), ["edit", "edit", "edit", "none", "none", "edit"]);
    assert_eq!(all(&db, 3), ["read", "read", "read", "none", "none", "edit"]);
    assert_eq!(all(&db, 4), ["none", "none", "none", "none", "none", "edit"]);
}

// own means the owner of the item: cody is OWNER of the team and sees nothing.
#[test]
fn d13_own_only_the_owner_of_the_item_reaches_it() {
    let db = teams("teams_own");
    access(&db, "own");
    for site in [1, 2, 3] {
        assert_eq!(all(&db, site), ["none", "none", "none", "none", "none", "edit"], "{site}");
    }
    accepted(&mut db.connect("ann"), "SELECT leadguard.reassign('crm.site', '1', 'cody')");
    assert_eq!(reaches(&db, "cody", 1), "edit", "now his own");
    assert_eq!(reaches(&db, "cleo", 1), "none");
}

#[test]
fn d16_a_change_of_the_access_counts_with_the_next_statement() {
    let db = teams("teams_change");
    let sessions = || ["cora", "cody", "carl", "gus"].map(|who| db.connect(who));
    let mut open = sessions();
    let see = |sessions: &mut [Client; 4]| -> Vec<String> {
        sessions
            .iter_mut()
            .map(|s| ids(s, "SELECT id FROM crm.site WHERE id <> 5").into_iter().collect::<Vec<_>>().join(""))
            .collect()
    };
    for (setting, expected) in [
        ("team", ["123", "123", "", ""]),
        ("organization", ["123", "123", "123", ""]),
        ("own", ["", "", "", ""]),
        ("team", ["123", "123", "", ""]),
        ("organization", ["123", "123", "123", ""]),
    ] {
        access(&db, setting);
        assert_eq!(see(&mut open), expected, "{setting}");
    }
    assert_eq!(see(&mut sessions()), see(&mut open), "as sessions made anew");
}

#[test]
fn d12_members_come_and_go_with_the_next_statement() {
    let db = teams("teams_members");
    let mut carl = db.connect("carl");
    let mut cora = db.connect("cora");
    let sql = "SELECT id FROM crm.site WHERE id <> 5";
    assert_eq!((ids(&mut carl, sql), ids(&mut cora, sql)), (set(""), set("1 2 3")));
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.team_member SET member_id = (SELECT id FROM leadguard.member WHERE key = 'carl')
         WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'cora')",
    );
    assert_eq!((ids(&mut carl, sql), ids(&mut cora, sql)), (set("1 2 3"), set("")));
}

#[test]
fn d15_items_are_shared_with_a_team_and_taken_back() {
    let db = teams("teams_share");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "SELECT leadguard.share('crm.site', '4', level => 'edit', team => 'blue')");
    assert_eq!(all(&db, 4), ["none", "none", "edit", "none", "none", "edit"]);
    accepted(&mut cleo, "SELECT leadguard.unshare('crm.site', '4', team => 'blue')");
    assert_eq!(all(&db, 4), ["none", "none", "none", "none", "none", "edit"]);
    // A share with somebody himself does not care for the access of a team.
    accepted(&mut cleo, "SELECT leadguard.share('crm.site', '2', 'cora', 'read')");
    access(&db, "own");
    assert_eq!(reaches(&db, "cora", 2), "read");
}

#[test]
fn d26_teams_change_without_roles() {
    let db = teams("teams_reorganized");
    let roles = "SELECT member_id, role FROM leadguard.member_role ORDER BY 1, 2";
    let before = rows(&mut db.admin(), roles);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.team (key) VALUES ('green');
         UPDATE leadguard.team_member SET team_id = (SELECT id FROM leadguard.team WHERE key = 'green'),
             role = CASE role WHEN 'owner' THEN 'member' ELSE 'owner' END
         WHERE member_id IN (SELECT id FROM leadguard.member WHERE key IN ('cora', 'carl'))",
    );
    assert_eq!(rows(&mut db.admin(), roles), before);
    assert_eq!(all(&db, 1), ["none", "edit", "none", "none", "none", "edit"]);
    let create = "INSERT INTO crm.site (name, org_id) VALUES ('new', 1)";
    assert_eq!(allowed(&mut db.connect("carl"), create), 1, "CREATOR as before");
    refused(&mut db.connect("cora"), create, "42501");
}

// Twin of everything above: a guest with an invitation.
#[test]
fn d5_a_guest_reaches_nothing_through_teams_nor_as_owner() {
    let db = teams("teams_guest");
    for setting in ["team", "organization", "own"] {
        access(&db, setting);
        assert_eq!(ids(&mut db.connect("gus"), "SELECT id FROM crm.site"), set(""), "{setting}");
    }
    accepted(
        &mut db.admin(),
        "UPDATE crm.site SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'gus') WHERE id = 4;
         UPDATE leadguard.organization SET organization_view = true WHERE key = 'globex'",
    );
    assert_eq!(ids(&mut db.connect("gus"), "SELECT id FROM crm.site"), set(""));
    accepted(&mut db.connect("cleo"), "SELECT leadguard.invite('crm.site', '3', 'gus')");
    assert_eq!(ids(&mut db.connect("gus"), "SELECT id FROM crm.site"), set("3"));
    assert_eq!(reaches(&db, "gus", 3), "read");
}

// What a team of another organization may see does not matter here.
#[test]
fn d27_teams_of_another_organization_open_nothing() {
    let db = teams("teams_foreign");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.team (org_id, key, access) SELECT id, 'theirs', 'organization' FROM leadguard.organization WHERE key = 'globex';
         UPDATE crm.site SET team_id = (SELECT id FROM leadguard.team WHERE key = 'theirs') WHERE id IN (4, 9)",
    );
    assert_eq!(all(&db, 4), ["none", "none", "none", "none", "none", "edit"]);
    assert_eq!(reaches(&db, "xena", 9), "edit", "a colleague there");
    assert_eq!(all(&db, 9), ["none", "none", "none", "none", "edit", "none"]);
}
