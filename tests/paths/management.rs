//! O3 to O7: the owner, the record team, and everybody above them.

use leadguard_tests::*;

#[test]
fn o03_the_owner_has_the_lead_in_full_and_a_colleague_nothing() {
    let db = Db::new("o03");
    org(&db);
    assert_eq!(leads(&db, "alice"), set("1 2 3 4 5"));
    assert_eq!(level(&db, "alice", "1"), "full");
    assert_eq!(level(&db, "anton", "1"), "none");
    assert_eq!(level(&db, "anton", "6"), "full");
    assert_eq!(leads(&db, "loner"), set("11 12 14 15"));
}

#[test]
fn o03_ownership_counts_not_the_place_of_the_row() {
    let db = Db::new("o03_moved");
    org(&db);
    let mut admin = db.admin();
    let carl = member(&mut admin, "carl");
    accepted(&mut admin, &format!("UPDATE crm.lead SET owner_id = {carl} WHERE id = 1"));
    assert_eq!(leads(&db, "alice"), set("2 3 4 5"));
    assert_eq!(leads(&db, "carl"), set("1 9 10"));
}

#[test]
fn o04_every_direct_and_indirect_manager_has_the_lead_in_full() {
    let db = Db::new("o04");
    org(&db);
    for manager in ["mona", "vp", "ceo"] {
        assert_eq!(level(&db, manager, "1"), "full", "{manager}");
    }
    assert_eq!(leads(&db, "mona"), set("1 2 3 4 5 6 7 8"));
    assert_eq!(leads(&db, "vp"), set("1 2 3 4 5 6 7 8"));
    assert_eq!(leads(&db, "ceo"), set("1 2 3 4 5 6 7 8 9 10"));
    for other in ["bob", "vp2"] {
        assert_eq!(level(&db, other, "1"), "none", "{other}");
        assert_eq!(leads(&db, other), set("9 10"));
    }
}

#[test]
fn o04_nothing_flows_down_the_hierarchy() {
    let db = Db::new("o04_down");
    org(&db);
    let mut admin = db.admin();
    let mona = member(&mut admin, "mona");
    accepted(&mut admin, &format!("UPDATE crm.lead SET owner_id = {mona} WHERE id = 13"));
    assert_eq!(level(&db, "alice", "13"), "none");
    assert_eq!(level(&db, "mona", "13"), "full");
    assert_eq!(level(&db, "vp", "13"), "full");
}

#[test]
fn o05_a_member_of_the_sales_team_has_the_level_given() {
    let db = Db::new("o05");
    org(&db);
    let mut alice = db.connect("alice");
    for (id, level_given) in [("1", "read"), ("2", "edit"), ("3", "full")] {
        assert_eq!(level(&db, "carl", id), "none");
        accepted(&mut alice, &format!("SELECT leadguard.team_add('crm.lead', '{id}', 'carl', '{level_given}')"));
        assert_eq!(level(&db, "carl", id), level_given);
    }
    accepted(&mut alice, "SELECT leadguard.team_add('crm.lead', '4', 'carl')");
    assert_eq!(level(&db, "carl", "4"), "edit", "the default level of a sales team");
    assert_eq!(leads(&db, "carl"), set("1 2 3 4 9 10"));
    assert_eq!(level(&db, "anton", "1"), "none", "the team is of one lead, for the members named");

    accepted(&mut alice, "SELECT leadguard.team_remove('crm.lead', '3', 'carl')");
    assert_eq!(leads(&db, "carl"), set("1 2 4 9 10"));
}

#[test]
fn o06_managers_of_a_team_member_see_the_lead_and_colleagues_do_not() {
    let db = Db::new("o06");
    org(&db);
    enlist(&db, "cora", "bob");
    accepted(&mut db.connect("alice"), "SELECT leadguard.team_add('crm.lead', '1', 'carl', 'edit')");
    assert_eq!(leads(&db, "bob"), set("1 9 10"));
    assert_eq!(leads(&db, "vp2"), set("1 9 10"));
    assert_eq!(leads(&db, "cora"), set(""), "a colleague of the team member");
    accepted(&mut db.connect("alice"), "SELECT leadguard.team_add('crm.lead', '1', 'cora', 'read')");
    assert_eq!(leads(&db, "cora"), set("1"));
}

#[test]
fn o07_managers_get_exactly_the_level_of_the_team_member() {
    let db = Db::new("o07");
    org(&db);
    let mut alice = db.connect("alice");
    for (id, given) in [("1", "read"), ("2", "edit"), ("3", "full")] {
        accepted(&mut alice, &format!("SELECT leadguard.team_add('crm.lead', '{id}', 'carl', '{given}')"));
        for who in ["carl", "bob", "vp2"] {
            assert_eq!(level(&db, who, id), given, "{who} on lead {id}");
        }
        assert_eq!(level(&db, "ceo", id), "full", "the ceo stands above the owner as well");
    }
}

#[test]
fn o07_the_highest_of_two_team_members_counts_for_their_manager() {
    let db = Db::new("o07_two");
    org(&db);
    enlist(&db, "cora", "bob");
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SELECT leadguard.team_add('crm.lead', '1', 'carl', 'read')");
    accepted(&mut alice, "SELECT leadguard.team_add('crm.lead', '1', 'cora', 'edit')");
    assert_eq!(level(&db, "carl", "1"), "read");
    assert_eq!(level(&db, "bob", "1"), "edit");
    accepted(&mut alice, "SELECT leadguard.team_remove('crm.lead', '1', 'cora')");
    assert_eq!(level(&db, "bob", "1"), "read");
}

#[test]
fn o07_follows_the_hierarchy_without_further_action() {
    let db = Db::new("o07_moves");
    org(&db);
    let mut admin = db.admin();
    accepted(&mut db.connect("alice"), "SELECT leadguard.team_add('crm.lead', '1', 'carl', 'read')");
    accepted(&mut db.connect("alice"), "SELECT leadguard.team_add('crm.lead', '2', 'carl', 'edit')");
    assert_eq!(leads(&db, "tina"), set("11 12"));
    place(&mut admin, "carl", "tina");
    assert_eq!(level(&db, "tina", "1"), "read");
    assert_eq!(level(&db, "tina", "2"), "edit");
    assert_eq!(leads(&db, "bob"), set(""));
    assert_eq!(leads(&db, "vp2"), set(""));

    // A new manager between two old ones inherits as well, and one further up.
    enlist(&db, "nora", "tina");
    place(&mut admin, "carl", "nora");
    place(&mut admin, "tina", "bea");
    for who in ["nora", "tina", "bea"] {
        assert_eq!(level(&db, who, "1"), "read", "{who}");
        assert_eq!(level(&db, who, "2"), "edit", "{who}");
    }
    place(&mut admin, "carl", "");
    assert_eq!(leads(&db, "nora"), set(""));
    assert_eq!(leads(&db, "bea"), set("11 12"), "what tom, tess and bea's own territory give");
    assert_eq!(level(&db, "carl", "2"), "edit");
}
