//! O8 to O12 and X17: owners and members of the lead's territory and of the territories above it.

use leadguard_tests::*;

fn in_territory(db: &Db, territory: &str, member: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.territory_member (territory_id, member_id)
             SELECT t.id, m.id FROM leadguard.territory AS t, leadguard.member AS m
             WHERE t.key = '{territory}' AND m.key = '{member}'"
        ),
    );
}

fn own_territory(db: &Db, territory: &str, member: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "UPDATE leadguard.territory SET owner_id = (SELECT id FROM leadguard.member WHERE key = '{member}')
             WHERE key = '{territory}'"
        ),
    );
}

#[test]
fn o08_the_owner_of_the_territory_edits_its_leads() {
    let db = Db::new("o08");
    org(&db);
    assert_eq!(leads(&db, "amy"), set("15"));
    assert_eq!(level(&db, "amy", "15"), "edit");
    assert_eq!(level(&db, "tom", "11"), "edit");
    own_territory(&db, "amer", "carl");
    assert_eq!(leads(&db, "amy"), set(""));
    assert_eq!(leads(&db, "carl"), set("9 10 15"));
    own_territory(&db, "amer", "nobody");
    assert_eq!(leads(&db, "carl"), set("9 10"));
}

#[test]
fn o09_a_member_of_the_territory_edits_its_leads() {
    let db = Db::new("o09");
    org(&db);
    assert_eq!(level(&db, "tess", "11"), "edit");
    assert_eq!(level(&db, "alice", "11"), "none");
    in_territory(&db, "dach", "alice");
    assert_eq!(level(&db, "alice", "11"), "edit");
    assert_eq!(leads(&db, "alice"), set("1 2 3 4 5 11 12"));
    accepted(
        &mut db.admin(),
        "DELETE FROM leadguard.territory_member AS tm USING leadguard.member AS m WHERE m.id = tm.member_id AND m.key = 'alice'",
    );
    assert_eq!(leads(&db, "alice"), set("1 2 3 4 5"));
}

#[test]
fn o10_owners_and_members_of_ancestor_territories_edit() {
    let db = Db::new("o10");
    org(&db);
    assert_eq!(level(&db, "tom", "12"), "edit", "owner of the territory above bern");
    assert_eq!(level(&db, "tess", "12"), "edit", "member of the territory above bern");
    own_territory(&db, "emea", "carl");
    in_territory(&db, "world", "anton");
    assert_eq!(leads(&db, "carl"), set("9 10 11 12 14"));
    assert_eq!(leads(&db, "anton"), set("6 7 8 11 12 14 15"));
    for id in ["11", "12", "14", "15"] {
        assert_eq!(level(&db, "anton", id), "edit");
    }
}

#[test]
fn o11_nothing_from_descendant_or_sibling_territories() {
    let db = Db::new("o11");
    org(&db);
    assert_eq!(leads(&db, "bea"), set("12"), "owner of bern: not dach, not emea");
    assert_eq!(level(&db, "bea", "11"), "none");
    assert_eq!(level(&db, "tom", "14"), "none", "owner of dach: not emea");
    assert_eq!(level(&db, "amy", "14"), "none", "owner of amer: not its sibling emea");
    in_territory(&db, "bern", "anton");
    assert_eq!(leads(&db, "anton"), set("6 7 8 12"), "member of bern: not dach");
    in_territory(&db, "dach", "anton");
    assert_eq!(leads(&db, "anton"), set("6 7 8 11 12"));
}

#[test]
fn o12_the_manager_of_the_territory_owner_sees_and_a_colleague_does_not() {
    let db = Db::new("o12");
    org(&db);
    assert_eq!(leads(&db, "tina"), set("11 12"), "tina stands above tom, the owner of dach");
    assert_eq!(level(&db, "tina", "11"), "edit");
    assert_eq!(leads(&db, "ted"), set(""), "ted is a colleague of tom");
    place(&mut db.admin(), "tom", "ted");
    assert_eq!(leads(&db, "ted"), set("11 12"), "ted is now his manager");
}

#[test]
fn o12_managers_of_members_and_of_ancestor_owners_see_too() {
    let db = Db::new("o12_up");
    org(&db);
    own_territory(&db, "emea", "carl");
    for who in ["bob", "vp2", "ceo"] {
        for id in ["11", "12", "14"] {
            assert_eq!(level(&db, who, id), "edit", "{who} on {id}");
        }
    }
    own_territory(&db, "dach", "nobody");
    assert_eq!(leads(&db, "tina"), set("11 12"), "through tess, member of dach");
    place(&mut db.admin(), "tess", "");
    assert_eq!(leads(&db, "tina"), set(""));
}

#[test]
fn o09_against_o12_a_colleague_is_not_a_member_x17() {
    let db = Db::new("o09_x17");
    org(&db);
    // tess and ted have the same manager as tom, the owner of dach; only tess is a member of the territory.
    assert_eq!(leads(&db, "tess"), set("11 12"));
    assert_eq!(leads(&db, "ted"), set(""));
    in_territory(&db, "dach", "ted");
    assert_eq!(leads(&db, "ted"), set("11 12"));
    accepted(&mut db.admin(), "DELETE FROM leadguard.territory_member");
    assert_eq!(leads(&db, "ted"), set(""));
    assert_eq!(leads(&db, "tess"), set(""));
    assert_eq!(leads(&db, "tom"), set("11 12"));
}

#[test]
fn o08_a_lead_without_territory_belongs_to_none() {
    let db = Db::new("o08_null");
    org(&db);
    own_territory(&db, "world", "amy");
    assert_eq!(leads(&db, "amy"), set("11 12 14 15"));
    let mut admin = db.admin();
    let bern = territory(&mut admin, "bern");
    accepted(&mut admin, &format!("UPDATE crm.lead SET territory_id = {bern} WHERE id = 13"));
    assert_eq!(leads(&db, "amy"), set("11 12 13 14 15"), "a lead without owner, in a territory");
}
