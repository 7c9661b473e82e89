//! While a protected table names owners by key, `member.key` neither changes nor comes back for somebody else.

use leadguard_tests::*;

fn by_key(name: &str) -> Db {
    let db = Db::new(name);
    people(&db);
    accepted(
        &mut db.admin(),
        "CREATE SCHEMA crm;
         CREATE TABLE crm.lead (id bigint PRIMARY KEY, owner text, name text);
         INSERT INTO crm.lead VALUES (1, 'alice'), (2, 'carl');
         SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner')",
    );
    db
}

#[track_caller]
fn not_done(client: &mut Client, sql: &str) {
    let state = code(client, sql);
    assert!(state.starts_with("23") || state == "42501", "{state}: {sql}");
}

#[test]
fn a_key_does_not_change_while_owners_are_named_by_it() {
    let db = by_key("keys_change");
    for who in ["postgres", "admin"] {
        let mut session = db.connect(who);
        not_done(&mut session, "UPDATE leadguard.member SET key = 'alicia' WHERE key = 'alice'");
        not_done(
            &mut session,
            "UPDATE leadguard.member SET key = CASE key WHEN 'alice' THEN 'carl' ELSE 'alice' END WHERE key IN ('alice', 'carl')",
        );
        accepted(&mut session, "UPDATE leadguard.member SET key = key, name = 'A.' WHERE key = 'alice'");
    }
    assert_eq!(leads(&db, "alice"), set("1"));
    accepted(&mut db.admin(), "SELECT leadguard.unprotect('crm.lead')");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET key = 'alicia' WHERE key = 'alice'");
}

#[test]
fn a_key_is_not_reused_while_owners_are_named_by_it() {
    let db = by_key("keys_reuse");
    let mut admin = db.admin();
    // Whether the delete or the second insert is refused: the new carl never inherits the old one's leads.
    let reuse = |admin: &mut Client| {
        let gone = code(admin, "DELETE FROM leadguard.member WHERE key = 'carl'");
        if gone != "ok" {
            assert!(gone.starts_with("23") || gone == "42501", "{gone}");
            return;
        }
        not_done(
            admin,
            &format!("INSERT INTO leadguard.member (key, name, db_role) VALUES ('carl', 'C', '{}')", db.role("carl")),
        );
        accepted(admin, "INSERT INTO leadguard.member (key, name) VALUES ('carl2', 'C')");
    };
    reuse(&mut admin);
    let before = scalar(&mut admin, "SELECT count(*) FROM leadguard.member WHERE key = 'carl' AND name = 'C'");
    assert_eq!(before, "0");
}

#[test]
fn without_key_columns_keys_are_free() {
    let db = Db::new("keys_free");
    org(&db);
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE leadguard.member SET key = 'alicia' WHERE key = 'alice'");
    assert_eq!(leads(&db, "alice"), set("1 2 3 4 5"));
    accepted(&mut admin, "INSERT INTO leadguard.member (key, name) VALUES ('alice', 'Another')");
    accepted(&mut admin, "INSERT INTO leadguard.member (key, name) VALUES ('temp', 'T')");
    accepted(&mut admin, "DELETE FROM leadguard.member WHERE key = 'temp'");
    accepted(&mut admin, "INSERT INTO leadguard.member (key, name) VALUES ('temp', 'T')");
}

#[test]
fn a_login_role_belongs_to_one_member() {
    let db = Db::new("keys_role");
    org(&db);
    let mut admin = db.admin();
    let role = db.role("alice");
    refused(&mut admin, &format!("UPDATE leadguard.member SET db_role = '{role}' WHERE key = 'loner'"), "23505");
    // A login role that takes another member's place is that member from then on, and nobody without one.
    accepted(&mut admin, "UPDATE leadguard.member SET db_role = NULL WHERE key = 'alice'");
    let mut session = db.connect("alice");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "15");
    if code(&mut session, "SELECT id FROM crm.lead") == "ok" {
        assert_eq!(ids(&mut session, "SELECT id FROM crm.lead"), set(""));
    }
    accepted(&mut admin, &format!("UPDATE leadguard.member SET db_role = '{role}' WHERE key = 'carl'"));
    assert_eq!(ids(&mut session, "SELECT id FROM crm.lead"), set("9 10"));
}

#[test]
fn a_recycled_login_name_inherits_nothing() {
    let db = Db::new("keys_recycled");
    org(&db);
    let role = db.role("alice");
    let mut admin = db.admin();
    accepted(&mut admin, &format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"; CREATE ROLE \"{role}\" LOGIN"));
    accepted(&mut admin, &format!("GRANT USAGE ON SCHEMA crm TO \"{role}\"; GRANT SELECT ON crm.lead TO \"{role}\""));
    assert_eq!(leads(&db, "alice"), set(""));
    accepted(&mut admin, "SELECT leadguard.rebind_roles()");
    assert_eq!(leads(&db, "alice"), set("1 2 3 4 5"), "an administrator's deliberate act binds the new role");
}
