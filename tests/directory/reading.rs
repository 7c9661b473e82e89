//! What a member may read of the directory: the names of colleagues, own roles, territories and teams. Nothing private.

use leadguard_tests::*;

fn company(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    for key in ["gus", "guest"] {
        db.create_role(key);
    }
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
         INSERT INTO leadguard.member (org_id, key, name, db_role)
         SELECT id, 'gus', 'Gus', current_database() || '_gus' FROM leadguard.organization WHERE key = 'globex';
         INSERT INTO leadguard.territory (org_id, key, name) SELECT org_id, 'west', 'West' FROM leadguard.member WHERE key = 'gus';
         INSERT INTO leadguard.team (key, name, access) VALUES ('red', 'Red', 'own');
         INSERT INTO leadguard.member (key, name, kind, db_role) VALUES ('guest', 'Guest', 'guest', current_database() || '_guest');
         UPDATE leadguard.member SET active = false WHERE key = 'ted';
         SELECT leadguard.share('crm.lead', '1', 'carl', 'read')",
    );
    db
}

#[test]
fn a_member_lists_active_members_of_the_own_organization() {
    let db = company("read_members");
    let mut alice = db.connect("alice");
    let colleagues = ids(&mut alice, "SELECT key FROM leadguard.member");
    for key in ["alice", "mona", "carl", "admin"] {
        assert!(colleagues.contains(key), "{key}");
    }
    assert!(!colleagues.contains("ted"), "inactive");
    assert!(!colleagues.contains("gus"), "another organization");
    accepted(&mut alice, "SELECT id, key, name FROM leadguard.member");
    assert_eq!(ids(&mut db.connect("gus"), "SELECT key FROM leadguard.member"), set("gus"));
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = true WHERE key = 'ted'");
    assert!(ids(&mut alice, "SELECT key FROM leadguard.member").contains("ted"));
}

#[test]
fn a_guest_lists_only_herself() {
    let db = company("read_guest");
    assert_eq!(ids(&mut db.connect("guest"), "SELECT key FROM leadguard.member"), set("guest"));
    accepted(&mut db.admin(), "UPDATE leadguard.member SET kind = 'person' WHERE key = 'guest'");
    assert!(ids(&mut db.connect("guest"), "SELECT key FROM leadguard.member").contains("alice"));
}

#[test]
fn private_columns_and_tables_stay_closed() {
    let db = company("read_private");
    for who in ["alice", "ceo", "guest"] {
        let mut session = db.connect(who);
        for statement in [
            "SELECT email FROM leadguard.member",
            "SELECT db_role FROM leadguard.member",
            "SELECT count(*) FROM leadguard.member WHERE email LIKE 'a%'",
            "SELECT * FROM leadguard.member",
            "SELECT m FROM leadguard.member AS m",
            "SELECT * FROM leadguard.member_closure",
            "SELECT * FROM leadguard.territory_closure",
            "SELECT * FROM leadguard.role_binding",
            "SELECT * FROM leadguard.login_role",
            "COPY leadguard.member TO STDOUT",
        ] {
            refused(&mut session, statement, "42501");
        }
        // Grants of others: refused or empty, never shown.
        if code(&mut session, "SELECT * FROM leadguard.record_grant") == "ok" {
            assert!(rows(&mut session, "SELECT * FROM leadguard.record_grant").is_empty());
        }
    }
}

#[test]
fn own_roles_territories_and_teams_are_readable() {
    let db = company("read_own");
    let mut viewer = db.connect("viewer");
    assert_eq!(ids(&mut viewer, "SELECT role FROM leadguard.member_role"), set("view_only"));
    assert_eq!(ids(&mut db.connect("alice"), "SELECT role FROM leadguard.member_role"), set(""));
    assert_eq!(ids(&mut viewer, "SELECT key FROM leadguard.territory"), set("world emea dach bern amer"));
    assert_eq!(ids(&mut viewer, "SELECT key FROM leadguard.team"), set("red"));
    assert_eq!(ids(&mut db.connect("gus"), "SELECT key FROM leadguard.territory"), set("west"));
    assert_eq!(ids(&mut db.connect("gus"), "SELECT key FROM leadguard.team"), set(""));
    accepted(&mut viewer, "SELECT id, key, name FROM leadguard.territory; SELECT id, key, name FROM leadguard.team");
}

#[test]
fn an_inactive_member_reads_nothing_of_the_directory() {
    let db = company("read_inactive");
    for table in ["member", "territory", "team"] {
        assert_eq!(ids(&mut db.connect("ted"), &format!("SELECT key FROM leadguard.{table}")), set(""), "{table}");
    }
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = true WHERE key = 'ted'");
    assert_eq!(ids(&mut db.connect("ted"), "SELECT key FROM leadguard.team"), set("red"));
}

#[test]
fn whoami_says_who_and_how() {
    let db = company("read_whoami");
    let mut alice = db.connect("alice");
    let told = rows(&mut alice, "SELECT key, name, organization, how FROM leadguard.whoami()");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0][..3], ["alice", "Alice", "default"].map(str::to_string));
    let id = member(&mut db.admin(), "alice").to_string();
    assert_eq!(scalar(&mut alice, "SELECT leadguard.current_member()"), id);
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'alice'");
    assert_eq!(scalar(&mut alice, "SELECT leadguard.current_member()"), "∅");
    assert_eq!(scalar(&mut db.admin(), "SELECT leadguard.current_member()"), "∅");
}
