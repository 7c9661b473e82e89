//! decision_site: organization roles ADMIN, CREATOR, COLLABORATOR and GUEST, teams with an access setting, invitations.

use leadguard_tests::*;

use crate::lab::{attempt, creates, decision_site, give_role, lines, people, rights, seen, table, take_role};

const ALL: &str = "1 2 3 4 5 6";

// D1, D3 to D6, D11 to D15 in one table; their own tests change one thing each.
#[test]
fn d01_four_organization_roles_and_what_each_reaches() {
    let db = decision_site("d01");
    assert_eq!(
        table(&db, "crm.site", "ada arno vera cara curt cole cora gus bob", ALL),
        lines(
            "ada  ruasm ruasm ruasm ruasm ruasm ruasm
             arno ruasm ruasm ruasm ruasm ruasm ruasm
             vera ----- ----- ru--- ----- ----- -----
             cara ruasm ruasm ruasm ruasm ----- ruasm
             curt ----- ru--- ru--- ----- ruasm -----
             cole ----- ru--- ru--- ----- ----- -----
             cora ----- ----- ru--- ----- ----- -----
             gus  ----- ----- ----- ----- ----- r----
             bob  ----- ----- ----- ----- ----- -----"
        )
    );
    let shipped = rows(
        &mut db.connect("bob"),
        "SELECT name FROM leadguard.role WHERE preset = 'decision_site' ORDER BY rank DESC",
    );
    assert_eq!(shipped, [["ADMIN"], ["CREATOR"], ["COLLABORATOR"], ["GUEST"]]);
}

#[test]
fn d03_creator_creates_and_owns_what_he_creates() {
    let db = decision_site("d03");
    let mut curt = db.connect("curt");
    assert!(creates(&mut curt, "crm.site"));
    let made = rows(
        &mut curt,
        "INSERT INTO crm.site (name) VALUES ('new')
         RETURNING id, owner_id = leadguard.current_member() AND creator_id = leadguard.current_member()",
    );
    assert_eq!(made[0][1], "t");
    assert_eq!(rights(&mut curt, "crm.site", &made[0][0]), "ruasm");
    assert_eq!(
        attempt(
            &mut curt,
            "INSERT INTO crm.site (name, owner_id) SELECT 'for cole', id FROM leadguard.member WHERE key = 'cole'"
        ),
        "42501",
        "not in the name of another"
    );
}

#[test]
fn d04_collaborator_edits_and_does_not_create() {
    let db = decision_site("d04");
    let mut cole = db.connect("cole");
    assert!(!creates(&mut cole, "crm.site"));
    assert_eq!(accepted(&mut cole, "UPDATE crm.site SET name = 'x' WHERE id = 2"), 1);
    let refusal = refused(&mut cole, "INSERT INTO crm.site (name) VALUES ('x')", "42501");
    assert!(!refusal.message().is_empty());
    refused(
        &mut cole,
        "INSERT INTO crm.site (id, name) VALUES (2, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'",
        "42501",
    );
    refused(
        &mut cole,
        "MERGE INTO crm.site s USING (VALUES (77)) v (id) ON s.id = v.id WHEN NOT MATCHED THEN INSERT (name) VALUES ('x')",
        "42501",
    );
    give_role(&db, "cole", "CREATOR");
    assert!(creates(&mut cole, "crm.site"), "twin: one more role");
}

#[test]
fn d05_guest_sees_what_he_was_invited_to_and_nothing_else() {
    let db = decision_site("d05");
    let mut gus = db.connect("gus");
    assert_eq!(seen(&mut gus, "crm.site"), "6");
    assert!(!creates(&mut gus, "crm.site"));
    // Not as the owner, not in a territory (the table has none), not by teams: that of the record or one that it is shared with.
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "UPDATE crm.site SET owner_id = m.id, creator_id = m.id FROM leadguard.member m WHERE m.key = 'gus' AND site.id = 1",
    );
    for team in ["general", "strategic"] {
        let _ = admin.simple_query(&format!(
            "INSERT INTO leadguard.team_member (team_id, member_id) SELECT t.id, m.id FROM leadguard.team t, leadguard.member m
             WHERE (t.key, m.key) = ('{team}', 'gus')"
        ));
        accepted(&mut admin, &format!("SELECT leadguard.share('crm.site', '5', team => '{team}', level => 'edit')"));
    }
    assert_eq!(seen(&mut gus, "crm.site"), "6", "teams give a guest nothing");
    assert_eq!(seen(&mut db.connect("cole"), "crm.site"), "2 3 5", "twin: a member of the same team");
    // An invitation at level edit edits; it ends with the invitation.
    accepted(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '2', 'gus', 'edit')");
    assert_eq!(rights(&mut gus, "crm.site", "2"), "ru---");
    accepted(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '2', 'gus', 'full')");
    assert_eq!(rights(&mut gus, "crm.site", "2"), "ru---", "a guest passes nothing on, whatever he was given");
    accepted(&mut db.connect("cara"), "SELECT leadguard.unshare('crm.site', '2', 'gus')");
    assert_eq!(seen(&mut gus, "crm.site"), "6");
}

#[test]
fn d06_an_external_person_gains_nothing_by_another_role() {
    let db = decision_site("d06");
    let mut gus = db.connect("gus");
    let given = db.admin().simple_query(
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'COLLABORATOR' FROM leadguard.member WHERE key = 'gus'",
    );
    if given.is_ok() {
        assert!(!seen(&mut gus, "crm.site").contains('3'), "what a team opens to the organization is not for guests");
    }
    assert_eq!(seen(&mut gus, "crm.site"), "6");
    assert_eq!(seen(&mut db.connect("cora"), "crm.site"), "3", "twin: a person with the same role");
}

#[test]
fn d07_whoever_creates_a_team_is_its_owner() {
    let db = decision_site("d07");
    let mut curt = db.connect("curt");
    accepted(
        &mut curt,
        "INSERT INTO leadguard.team (org_id, key, name) SELECT org_id, 'pilots', 'Pilots' FROM leadguard.member WHERE key = 'curt'",
    );
    let held = "SELECT m.key, tm.role FROM leadguard.team_member tm JOIN leadguard.team t ON t.id = tm.team_id
                JOIN leadguard.member m ON m.id = tm.member_id WHERE t.key = 'pilots'";
    assert_eq!(rows(&mut db.admin(), held), [["curt", "owner"]]);
    assert_eq!(scalar(&mut db.admin(), "SELECT access FROM leadguard.team WHERE key = 'pilots'"), "team", "d14");
    assert_eq!(attempt(&mut db.connect("gus"), "INSERT INTO leadguard.team (key) VALUES ('spies')"), "42501");
}

#[test]
fn d08_people_are_added_as_member_and_promoted_to_owner() {
    let db = decision_site("d08");
    let mut curt = db.connect("curt");
    let team = "(SELECT id FROM leadguard.team WHERE key = 'strategic')";
    let cora = "(SELECT id FROM leadguard.member WHERE key = 'cora')";
    let role = format!("SELECT role FROM leadguard.team_member WHERE team_id = {team} AND member_id = {cora}");
    let promote =
        format!("UPDATE leadguard.team_member SET role = 'owner' WHERE team_id = {team} AND member_id = {cora}");
    let cara = db.connect("cara");
    for (mut other, who) in [(cara, "cara"), (db.connect("cole"), "cole"), (db.connect("gus"), "gus")] {
        let answer = attempt(
            &mut other,
            &format!("INSERT INTO leadguard.team_member (team_id, member_id) VALUES ({team}, {cora})"),
        );
        assert!(answer == "42501" || answer == "23502", "{who} does not manage this team: {answer}");
    }
    assert_eq!(
        accepted(&mut curt, &format!("INSERT INTO leadguard.team_member (team_id, member_id) VALUES ({team}, {cora})")),
        1
    );
    assert_eq!(scalar(&mut db.admin(), &role), "member");
    assert_eq!(seen(&mut db.connect("cora"), "crm.site"), "2 3");
    assert_eq!(accepted(&mut curt, &promote), 1);
    assert_eq!(scalar(&mut db.admin(), &role), "owner");
}

#[test]
fn d11_team_access_organization_is_for_everybody_but_guests() {
    let db = decision_site("d11");
    for (who, found) in [("vera", "ru---"), ("cora", "ru---"), ("gus", "-----"), ("bob", "-----")] {
        assert_eq!(rights(&mut db.connect(who), "crm.site", "3"), found, "{who}");
    }
    let mut cora = db.connect("cora");
    assert_eq!(seen(&mut cora, "crm.site"), "3");
    accepted(&mut db.admin(), "UPDATE leadguard.team SET access = 'team' WHERE key = 'general'");
    assert_eq!(seen(&mut cora, "crm.site"), "", "twin: the setting of the team, with the next statement");
    accepted(&mut db.admin(), "UPDATE leadguard.team SET access = 'organization' WHERE key = 'strategic'");
    assert_eq!(seen(&mut cora, "crm.site"), "2");
}

#[test]
fn d12_team_access_team_is_for_its_members() {
    let db = decision_site("d12");
    let (mut cole, mut cora) = (db.connect("cole"), db.connect("cora"));
    assert_eq!(rights(&mut cole, "crm.site", "2"), "ru---");
    assert_eq!(rights(&mut cora, "crm.site", "2"), "-----");
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.team_member SET member_id = (SELECT id FROM leadguard.member WHERE key = 'cora')
         WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'cole')
           AND team_id = (SELECT id FROM leadguard.team WHERE key = 'strategic')",
    );
    assert_eq!(rights(&mut cole, "crm.site", "2"), "-----");
    assert_eq!(rights(&mut cora, "crm.site", "2"), "ru---");
}

#[test]
fn d13_team_access_own_is_for_the_record_owner_only() {
    let db = decision_site("d13");
    for (who, found) in [("cara", "ruasm"), ("curt", "-----"), ("cole", "-----"), ("vera", "-----")] {
        assert_eq!(
            rights(&mut db.connect(who), "crm.site", "4"),
            found,
            "{who}: the owner of the team is no owner of the record"
        );
    }
    accepted(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '1', team => 'solo', level => 'edit')");
    assert_eq!(seen(&mut db.connect("cole"), "crm.site"), "2 3", "nor does a share with such a team reach its members");
    accepted(&mut db.admin(), "UPDATE leadguard.team SET access = 'team' WHERE key = 'solo'");
    assert_eq!(seen(&mut db.connect("cole"), "crm.site"), "1 2 3 4", "twin: the setting");
}

#[test]
fn d14_a_team_is_for_its_members_unless_it_says_otherwise() {
    let db = decision_site("d14");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.team (key) VALUES ('plain');
         INSERT INTO leadguard.team_member (team_id, member_id)
         SELECT t.id, m.id FROM leadguard.team t, leadguard.member m WHERE (t.key, m.key) = ('plain', 'cora');
         UPDATE crm.site SET team_id = (SELECT id FROM leadguard.team WHERE key = 'plain') WHERE id = 1",
    );
    assert_eq!(seen(&mut db.connect("cora"), "crm.site"), "1 3");
    assert_eq!(seen(&mut db.connect("vera"), "crm.site"), "3");
}

#[test]
fn d15_items_are_shared_with_a_team() {
    let db = decision_site("d15");
    let (mut curt, mut cole, mut cora) = (db.connect("curt"), db.connect("cole"), db.connect("cora"));
    accepted(&mut curt, "SELECT leadguard.share('crm.site', '5', team => 'strategic', level => 'edit')");
    assert_eq!(rights(&mut cole, "crm.site", "5"), "ru---");
    assert_eq!(rights(&mut cora, "crm.site", "5"), "-----");
    accepted(&mut curt, "SELECT leadguard.share('crm.site', '5', team => 'general', level => 'read')");
    assert_eq!(rights(&mut cora, "crm.site", "5"), "r----", "a team that is open to the organization");
    assert_eq!(rights(&mut db.connect("gus"), "crm.site", "5"), "-----");
    refused(&mut cole, "SELECT leadguard.share('crm.site', '5', team => 'general', level => 'edit')", "42501");
    accepted(&mut curt, "SELECT leadguard.unshare('crm.site', '5', team => 'strategic')");
    assert_eq!(rights(&mut cole, "crm.site", "5"), "r----");
}

// D16 in `moments`: roles change with the next statement. D24 without domain rules: the kind of a member decides.
#[test]
fn d24_a_guest_without_role_sees_nothing_even_if_invited() {
    let db = decision_site("d24");
    people(&db, "gina - guest".replace(" - ", " GUEST ").as_str());
    accepted(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '1', 'gina', 'read')");
    let mut gina = db.connect("gina");
    assert_eq!(seen(&mut gina, "crm.site"), "1");
    take_role(&db, "gina", "GUEST");
    assert_eq!(seen(&mut gina, "crm.site"), "");
}

#[test]
fn d26_teams_change_and_organization_roles_do_not() {
    let db = decision_site("d26");
    let held = "SELECT string_agg(m.key || ' ' || r.role, ',' ORDER BY 1) FROM leadguard.member_role r JOIN leadguard.member m ON m.id = r.member_id";
    let before = scalar(&mut db.admin(), held);
    let mut cole = db.connect("cole");
    accepted(
        &mut db.admin(),
        "DELETE FROM leadguard.team_member;
         INSERT INTO leadguard.team (key) VALUES ('north');
         INSERT INTO leadguard.team_member (team_id, member_id, role)
         SELECT t.id, m.id, 'owner' FROM leadguard.team t, leadguard.member m WHERE (t.key, m.key) = ('north', 'cole');
         UPDATE crm.site SET team_id = (SELECT id FROM leadguard.team WHERE key = 'north') WHERE id = 1",
    );
    assert_eq!(seen(&mut cole, "crm.site"), "1 3");
    assert!(!creates(&mut cole, "crm.site"), "the owner of a team is no CREATOR");
    assert_eq!(rights(&mut cole, "crm.site", "1"), "ru---");
    assert_eq!(scalar(&mut db.admin(), held), before);
}

#[test]
fn d27_separate_organizations_stay_apart_and_one_can_join_the_other() {
    let db = decision_site("d27");
    people(&db, "xena ADMIN, xaver CREATOR");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.organization (key, name) VALUES ('acquired', 'Acquired');
         UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'acquired') WHERE key IN ('xena', 'xaver')",
    );
    let (mut xena, mut xaver) = (db.connect("xena"), db.connect("xaver"));
    for (c, who) in [(&mut xena, "xena"), (&mut xaver, "xaver")] {
        assert_eq!(seen(c, "crm.site"), "", "{who}");
        assert!(!creates(c, "crm.site"), "{who}");
    }
    refused(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '1', 'xaver', 'read')", "22023");
    assert_eq!(attempt(&mut xena, "SELECT leadguard.set_switch('crm.site', 'hierarchy', 'on')"), "42501");
    assert_eq!(scalar(&mut xena, "SELECT count(*) FROM leadguard.member WHERE key = 'cara'"), "0");
    // As part of the same organization.
    accepted(&mut admin, "UPDATE leadguard.member SET org_id = 1 WHERE key = 'xaver'");
    assert_eq!(seen(&mut xaver, "crm.site"), "3");
    assert!(creates(&mut xaver, "crm.site"));
    assert_eq!(seen(&mut xena, "crm.site"), "");
}
