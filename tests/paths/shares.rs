//! Shares: level, expiry, the people above the holder, and teams as holders.

use leadguard_tests::*;

#[test]
fn share_gives_the_level_to_the_holder_and_everybody_above() {
    let db = Db::new("share");
    org(&db);
    let mut alice = db.connect("alice");
    for (id, given) in [("1", "read"), ("2", "edit"), ("3", "full")] {
        accepted(&mut alice, &format!("SELECT leadguard.share('crm.lead', '{id}', 'carl', '{given}')"));
        for who in ["carl", "bob", "vp2"] {
            assert_eq!(level(&db, who, id), given, "{who} on {id}");
        }
    }
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '4', 'carl')");
    assert_eq!(level(&db, "carl", "4"), "read", "the default level of a share");
    assert_eq!(level(&db, "anton", "4"), "none");
    place(&mut db.admin(), "carl", "tina");
    assert_eq!(level(&db, "tina", "3"), "full");
    assert_eq!(level(&db, "bob", "3"), "none");
    accepted(&mut alice, "SELECT leadguard.unshare('crm.lead', '3', 'carl')");
    assert_eq!(level(&db, "carl", "3"), "none");
    assert_eq!(level(&db, "tina", "3"), "none");
}

#[test]
fn share_ends_at_its_time() {
    let db = Db::new("share_until");
    org(&db);
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit', until => clock_timestamp() + interval '2 seconds')",
    );
    accepted(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '2', 'carl', 'edit', until => clock_timestamp() + interval '1 hour')",
    );
    // One transaction: the time of the statement counts, not the one of the transaction.
    let mut carl = db.connect("carl");
    accepted(&mut carl, "BEGIN; SELECT 1");
    assert_eq!(ids(&mut carl, "SELECT id FROM crm.lead"), set("1 2 9 10"));
    accepted(&mut carl, "SELECT pg_sleep(2.1)");
    assert_eq!(ids(&mut carl, "SELECT id FROM crm.lead"), set("2 9 10"));
    accepted(&mut carl, "COMMIT");
    assert_eq!(level(&db, "carl", "1"), "none");
    assert_eq!(level(&db, "bob", "1"), "none", "managers lose it at the same moment");
    assert_eq!(level(&db, "carl", "2"), "edit");
}

#[test]
fn share_can_be_prolonged_and_changed() {
    let db = Db::new("share_again");
    org(&db);
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'read', until => clock_timestamp() + interval '1 second')",
    );
    accepted(&mut alice, "SELECT pg_sleep(1.1)");
    assert_eq!(level(&db, "carl", "1"), "none");
    accepted(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit', until => clock_timestamp() + interval '1 hour')",
    );
    assert_eq!(level(&db, "carl", "1"), "edit");
}

#[test]
fn share_with_a_team_reaches_its_members_and_their_managers() {
    let db = Db::new("share_team");
    org(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.team (key, name, access) VALUES ('red', 'Red', 'own');
         INSERT INTO leadguard.team_member (team_id, member_id, role)
         SELECT t.id, m.id, 'member' FROM leadguard.team AS t, leadguard.member AS m WHERE m.key IN ('carl', 'amy')",
    );
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', level => 'edit', team => 'red')");
    for who in ["carl", "amy", "bob", "vp2"] {
        assert_eq!(level(&db, who, "1"), "edit", "{who}");
    }
    assert_eq!(level(&db, "ted", "1"), "none");
    accepted(
        &mut admin,
        "DELETE FROM leadguard.team_member AS tm USING leadguard.member AS m WHERE m.id = tm.member_id AND m.key = 'carl';
         INSERT INTO leadguard.team_member (team_id, member_id, role)
         SELECT t.id, m.id, 'member' FROM leadguard.team AS t, leadguard.member AS m WHERE m.key = 'ted'",
    );
    assert_eq!(level(&db, "carl", "1"), "none");
    assert_eq!(level(&db, "bob", "1"), "none");
    assert_eq!(level(&db, "ted", "1"), "edit");
    assert_eq!(level(&db, "tina", "1"), "edit");
    accepted(&mut db.connect("alice"), "SELECT leadguard.unshare('crm.lead', '1', team => 'red')");
    assert_eq!(level(&db, "ted", "1"), "none");
}

#[test]
fn share_of_one_table_says_nothing_about_the_same_id_in_another() {
    let db = Db::new("share_table");
    org(&db);
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (LIKE crm.lead INCLUDING ALL);
         INSERT INTO crm.deal SELECT * FROM crm.lead;
         SELECT leadguard.protect('crm.deal', id => 'id', owner => 'owner_id', territory => 'territory_id')",
    );
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit')");
    let mut carl = db.connect("carl");
    assert_eq!(level_in(&mut carl, "crm.lead", "1"), "edit");
    assert_eq!(level_in(&mut carl, "crm.deal", "1"), "none");
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.deal', '1', 'carl', 'read')");
    assert_eq!(level_in(&mut carl, "crm.deal", "1"), "read");
}
