//! An inactive manager or owner does not break a chain; an inactive member sees nothing.

use leadguard_tests::*;

fn retire(db: &Db, key: &str) {
    accepted(&mut db.admin(), &format!("UPDATE leadguard.member SET active = false WHERE key = '{key}'"));
}

#[test]
fn an_inactive_owner_keeps_the_lead_for_everybody_above() {
    let db = Db::new("inactive_owner");
    org(&db);
    retire(&db, "alice");
    for who in ["mona", "vp", "ceo"] {
        assert_eq!(level(&db, who, "1"), "full", "{who}");
    }
}

#[test]
fn an_inactive_manager_does_not_break_the_chain() {
    let db = Db::new("inactive_manager");
    org(&db);
    retire(&db, "mona");
    assert_eq!(level(&db, "vp", "1"), "full");
    assert_eq!(level(&db, "alice", "1"), "full");
    retire(&db, "vp");
    assert_eq!(level(&db, "ceo", "1"), "full");
}

#[test]
fn an_inactive_territory_owner_and_grant_holder_pass_on_to_managers() {
    let db = Db::new("inactive_holder");
    org(&db);
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit')");
    accepted(&mut alice, "SELECT leadguard.team_add('crm.lead', '2', 'carl', 'read')");
    retire(&db, "carl");
    retire(&db, "tom");
    retire(&db, "tess");
    assert_eq!(level(&db, "bob", "1"), "edit");
    assert_eq!(level(&db, "bob", "2"), "read");
    assert_eq!(level(&db, "tina", "11"), "edit");
    assert_eq!(level(&db, "tina", "12"), "edit");
}

#[test]
fn an_inactive_member_sees_and_changes_nothing() {
    let db = Db::new("inactive_asker");
    org(&db);
    let mut admin = db.admin();
    for who in ["alice", "mona", "tom", "admin"] {
        let mut open = db.connect(who);
        assert!(!ids(&mut open, "SELECT id FROM crm.lead").is_empty());
        retire(&db, who);
        // The session that was open before meets the same answer as a new one.
        for session in [&mut open, &mut db.connect(who)] {
            assert_eq!(ids(session, "SELECT id FROM crm.lead"), set(""), "{who}");
            for write in [
                "UPDATE crm.lead SET name = 'x'",
                "UPDATE crm.lead SET name = 'x' WHERE false",
                "DELETE FROM crm.lead WHERE id = 1",
                "INSERT INTO crm.lead (name) VALUES ('x')",
            ] {
                refused(session, write, "42501");
            }
        }
        accepted(&mut admin, &format!("UPDATE leadguard.member SET active = true WHERE key = '{who}'"));
        assert!(!ids(&mut open, "SELECT id FROM crm.lead").is_empty(), "{who} is back");
    }
    assert_eq!(level(&db, "alice", "1"), "full");
}
