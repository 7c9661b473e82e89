//! A curious member against the rules themselves: columns that decide, roles that do not count, denials.

use leadguard_tests::*;

use crate::lab::{
    attempt, creates, decision_site, four_role, give_role, people, rights, rule, seen, switch, take_role,
};

// Nobody opens a record to others, or to himself, by writing the columns that the rules look at.
#[test]
fn attack_columns_that_decide_access() {
    let db = decision_site("a_columns");
    let mut cole = db.connect("cole");
    let team = |key: &str| format!("(SELECT id FROM leadguard.team WHERE key = '{key}')");
    assert_eq!(rights(&mut cole, "crm.site", "2"), "ru---");
    for value in [team("general"), team("solo"), "NULL".into(), "-1".into()] {
        assert_eq!(
            attempt(&mut cole, &format!("UPDATE crm.site SET team_id = {value} WHERE id = 2")),
            "42501",
            "edit is not share: {value}"
        );
    }
    assert_eq!(
        attempt(&mut cole, "UPDATE crm.site SET team_id = team_id, name = 'x' WHERE id = 2"),
        "1",
        "twin: the same team"
    );
    let mut cara = db.connect("cara");
    assert_eq!(
        attempt(&mut cara, &format!("UPDATE crm.site SET team_id = {} WHERE id = 2", team("general"))),
        "1",
        "twin: its owner"
    );
    for column in ["owner_id", "creator_id"] {
        assert_eq!(
            attempt(&mut cole, &format!("UPDATE crm.site SET {column} = leadguard.current_member() WHERE id = 2")),
            "42501",
            "{column}"
        );
    }

    let four = four_role("a_columns4");
    let mut cleo = four.connect("cleo");
    for set in ["account_id = 2", "segment = 'ent'"] {
        assert_eq!(attempt(&mut cleo, &format!("UPDATE crm.lead SET {set} WHERE id = 2")), "42501", "not hers: {set}");
    }
    let mut mira = four.connect("mira");
    assert_eq!(attempt(&mut mira, "UPDATE crm.lead SET segment = 'ent' WHERE id = 1"), "42501", "out of her own scope");
    assert_eq!(
        attempt(&mut mira, "UPDATE crm.lead SET segment = 'smb' WHERE id = 2"),
        "0",
        "into it, what she does not see"
    );
}

// A rule that only takes one of the preset away is none: it makes nothing stricter.
#[test]
fn a_segment_is_a_value_as_any_other_where_no_rule_goes_by_scopes() {
    let db = four_role("segments_free");
    let mut cleo = db.connect("cleo");
    let change = "UPDATE crm.lead SET segment = 'ent' WHERE id = 1";
    assert_eq!(attempt(&mut cleo, change), "42501");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.set_rule('crm.lead', role, path, action, 'none', statuses)
         FROM leadguard.preset_rule WHERE preset = 'four_role' AND path = 'scope' ORDER BY action = 'access'",
    );
    assert_eq!(attempt(&mut cleo, change), "1");
}

// Two members of two presets' vocabularies: a role's name gives nothing in a table of another preset.
#[test]
fn attack_roles_of_another_vocabulary() {
    let db = four_role("a_vocabulary");
    people(&db, "eve Owner, mal ADMIN, tim Member, pia view_only");
    for (who, found) in [("eve", ""), ("tim", ""), ("pia", "")] {
        assert_eq!(seen(&mut db.connect(who), "crm.lead"), found, "{who}");
        assert!(!creates(&mut db.connect(who), "crm.lead"), "{who}");
    }
    // all_records is a capability, whoever gave it: it counts, until the table says otherwise.
    let mut mal = db.connect("mal");
    assert_eq!(seen(&mut mal, "crm.lead"), "1 2 3 4 5 6 7 8");
    switch(&db, "crm.lead", "admin", "off", "");
    assert_eq!(seen(&mut mal, "crm.lead"), "");
}

#[test]
fn attack_deny_beats_every_other_role() {
    let db = four_role("a_deny");
    give_role(&db, "cleo", "lead_manager");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_scope SELECT id, 'crm.lead', 'segment', 'ent' FROM leadguard.member WHERE key = 'cleo';
         INSERT INTO leadguard.role (name, org_id) VALUES ('suspended', 1)",
    );
    let mut cleo = db.connect("cleo");
    assert_eq!(rights(&mut cleo, "crm.lead", "2"), "rua--");
    rule(&db, "crm.lead", "lead_creator * archive deny");
    assert_eq!(rights(&mut cleo, "crm.lead", "2"), "ru---", "the union gives, a denial of any role takes");
    rule(&db, "crm.lead", "suspended * read deny");
    assert_eq!(rights(&mut cleo, "crm.lead", "2"), "ru---");
    give_role(&db, "cleo", "suspended");
    for id in ["1", "2", "3"] {
        assert_eq!(rights(&mut cleo, "crm.lead", id), "-----", "nothing without read: {id}");
    }
    accepted(&mut db.connect("olga"), "SELECT leadguard.share('crm.lead', '2', 'cleo', 'full', reason => 'x')");
    assert_eq!(rights(&mut cleo, "crm.lead", "2"), "-----", "not by a share either");
    rule(&db, "crm.lead", "suspended * create deny");
    assert!(!creates(&mut cleo, "crm.lead"));
    take_role(&db, "cleo", "suspended");
    assert_eq!(rights(&mut cleo, "crm.lead", "2"), "ru---");
}
