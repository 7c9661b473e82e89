//! Promotion and demotion, of one and of many.

use crate::lab::{attempt, cannot_work, creates, decision_site};
use leadguard_tests::{Db, accepted, code, refused, rows, scalar};

fn told(db: &Db, who: &str) -> Vec<String> {
    rows(&mut db.connect(who), "SELECT kind FROM leadguard.notification ORDER BY id")
        .into_iter()
        .map(|mut row| row.remove(0))
        .collect()
}

#[test]
fn d16_a_change_of_role_counts_at_once() {
    let db = decision_site("change_role");
    let mut cole = db.connect("cole");
    assert!(!creates(&mut cole, "crm.site"));
    let found = rows(
        &mut db.connect("ada"),
        "SELECT step, target, detail FROM leadguard.change_role('cole', 'COLLABORATOR', 'CREATOR', 'closes his own deals')",
    );
    assert_eq!(found[0], ["role", "∅", "CREATOR instead of COLLABORATOR"]);
    assert_eq!(found[1], ["gains", "crm.site", "create"]);
    // The open session.
    assert!(creates(&mut cole, "crm.site"));
}

#[test]
fn d17_the_person_is_told_and_only_who_may_gives() {
    let db = decision_site("roles_told");
    accepted(&mut db.admin(), "DELETE FROM leadguard.notification");
    for who in ["cara", "cole", "gus", "bob"] {
        refused(
            &mut db.connect(who),
            "SELECT * FROM leadguard.change_role('cole', 'COLLABORATOR', 'CREATOR', 'x')",
            "42501",
        );
    }
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.change_role('cole', 'COLLABORATOR', 'CREATOR', 'x')");
    assert_eq!(told(&db, "cole"), ["role_given", "role_taken"]);
    // Plain writes of the directory tell as well.
    accepted(
        &mut db.connect("ada"),
        "DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = 'cora'",
    );
    assert_eq!(told(&db, "cora"), ["role_taken"]);
    assert!(told(&db, "cara").is_empty());
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT action, member_key, reason FROM leadguard.audit_log WHERE detail LIKE 'member cole%' AND member_key = 'ada' ORDER BY at, id"
        ),
        [["role_given", "ada", "∅"], ["role_taken", "ada", "∅"], ["change_role", "ada", "x"]]
    );
}

#[test]
fn d17_a_role_that_an_update_moves_is_taken_and_given() {
    let db = decision_site("roles_moved");
    accepted(&mut db.admin(), "DELETE FROM leadguard.notification");
    let mut ada = db.connect("ada");
    let id = |who: &str| format!("(SELECT id FROM leadguard.member WHERE key = '{who}')");
    accepted(
        &mut ada,
        &format!("UPDATE leadguard.member_role SET member_id = {} WHERE member_id = {}", id("bob"), id("cora")),
    );
    assert_eq!((told(&db, "cora"), told(&db, "bob")), (vec!["role_taken".to_owned()], vec!["role_given".to_owned()]));
    accepted(&mut ada, &format!("UPDATE leadguard.member_role SET role = 'CREATOR' WHERE member_id = {}", id("cole")));
    assert_eq!(told(&db, "cole"), ["role_taken", "role_given"]);
    // What leaves both as they are tells nobody.
    accepted(&mut ada, &format!("UPDATE leadguard.member_role SET role = role WHERE member_id = {}", id("cara")));
    assert!(told(&db, "cara").is_empty());
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT action, detail FROM leadguard.audit_log WHERE member_key = 'ada' AND action LIKE 'role_%' ORDER BY id"
        ),
        [
            ["role_taken", "member cora, role COLLABORATOR"],
            ["role_given", "member bob, role COLLABORATOR"],
            ["role_taken", "member cole, role COLLABORATOR"],
            ["role_given", "member cole, role CREATOR"]
        ]
    );
}

#[test]
fn d17_of_many_the_administrative_roles_are_named() {
    let db = decision_site("roles_crowd");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "UPDATE leadguard.organization SET third_admin = 'allow';
         INSERT INTO leadguard.member (key) SELECT 'rep' || n FROM generate_series(1, 1001) n;
         DELETE FROM leadguard.notification",
    );
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role)
         SELECT id, CASE key WHEN 'rep7' THEN 'ADMIN' ELSE 'COLLABORATOR' END FROM leadguard.member WHERE key LIKE 'rep%'",
    );
    let noted = "SELECT detail FROM leadguard.audit_log WHERE action = 'role_given' AND (detail LIKE '%rep%' OR detail LIKE '% roles')";
    assert_eq!(rows(&mut admin, noted), [["1001 roles"], ["member rep7, role ADMIN"]]);
}

#[test]
fn d18_a_demotion_lists_what_is_owned_and_lost() {
    let db = decision_site("demotion");
    let found = rows(
        &mut db.connect("ada"),
        "SELECT step, target, detail, records FROM leadguard.change_role('cara', 'CREATOR', 'COLLABORATOR', 'part time')",
    );
    assert!(found.contains(&["loses", "crm.site", "create", "∅"].map(str::to_string).to_vec()), "{found:?}");
    assert!(found.contains(&["owns", "crm.site", "unarchived records", "5"].map(str::to_string).to_vec()), "{found:?}");
    let mut cara = db.connect("cara");
    assert!(!creates(&mut cara, "crm.site"));
    assert_eq!(attempt(&mut cara, "UPDATE crm.site SET name = 'x' WHERE id = 1"), "1");
}

#[test]
fn d2_a_third_admin_is_warned_of_or_refused() {
    let db = decision_site("third_admin");
    let give = "SELECT * FROM leadguard.change_role('vera', 'CREATOR', 'ADMIN', 'holiday')";
    let text = db.psql("ada", give);
    assert!(text.contains("WARNING") && text.contains("3 administrators"), "{text}");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.change_role('vera', 'ADMIN', 'CREATOR', 'back')");
    accepted(&mut db.connect("ada"), "UPDATE leadguard.organization SET third_admin = 'refuse'");
    refused(&mut db.connect("ada"), give, "23514");
    // In exchange for another one it is none too many.
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.change_role('arno', 'ADMIN', 'CREATOR', 'leaves')");
    assert!(!db.psql("ada", give).contains("WARNING"));
    accepted(&mut db.connect("ada"), "UPDATE leadguard.organization SET third_admin = 'allow'");
    assert!(
        !db.psql("ada", "SELECT * FROM leadguard.change_role('curt', 'CREATOR', 'ADMIN', 'x')").contains("WARNING")
    );
    assert_eq!(attempt(&mut db.connect("cara"), "UPDATE leadguard.organization SET third_admin = 'allow'"), "42501");
}

#[test]
fn d25_a_department_changes_its_role_or_none_of_it_does() {
    let db = decision_site("department");
    let mut ada = db.connect("ada");
    cannot_work(&mut ada, "SELECT * FROM leadguard.change_roles('{cole,cora,nobody}', 'COLLABORATOR', 'CREATOR', 'x')");
    assert_eq!(
        rows(
            &mut ada,
            "SELECT * FROM leadguard.change_roles('{cole,cora,cara}', 'COLLABORATOR', 'CREATOR', 'they sell now')"
        ),
        [
            ["cara", "does not have COLLABORATOR"],
            ["cole", "CREATOR instead of COLLABORATOR"],
            ["cora", "CREATOR instead of COLLABORATOR"]
        ]
    );
    cannot_work(&mut ada, "SELECT * FROM leadguard.change_roles('{cole}', 'CREATOR', 'COLLABORATOR', ' ')");
    cannot_work(&mut ada, "SELECT * FROM leadguard.change_roles('{cole}', NULL, NULL, 'x')");
    refused(&mut ada, "SELECT * FROM leadguard.change_roles('{cole}', 'CREATOR', 'no such role', 'x')", "23503");
    // The last administrators stay, and with them all others: nobody would be left, or the caller may not go on without
    // the role, whichever row comes first.
    let end = code(&mut ada, "SELECT * FROM leadguard.change_roles('{arno,ada}', 'ADMIN', 'CREATOR', 'x')");
    assert!(["23514", "42501"].contains(&end.as_str()), "{end}");
    let admins = "SELECT count(*) FROM leadguard.member_role WHERE role = 'ADMIN'";
    assert_eq!(scalar(&mut db.admin(), admins), "2");
}

#[test]
fn d25_d8_many_join_a_team_as_members() {
    let db = decision_site("team_many");
    let mut curt = db.connect("curt");
    assert_eq!(
        rows(&mut curt, "SELECT * FROM leadguard.add_to_team('strategic', '{cole,cora,vera}')"),
        [["cole", "is in the team"], ["cora", "added"], ["vera", "added"]]
    );
    assert_eq!(told(&db, "cora"), ["role_given", "team_joined"]);
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT DISTINCT role FROM leadguard.team_member JOIN leadguard.member m ON m.id = member_id WHERE m.key IN ('cora', 'vera')"
        ),
        [["member"]]
    );
    cannot_work(&mut curt, "SELECT * FROM leadguard.add_to_team('strategic', '{nobody}')");
    refused(&mut db.connect("cara"), "SELECT * FROM leadguard.add_to_team('strategic', '{cara}')", "42501");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.add_to_team('strategic', '{cara}')");
}

#[test]
fn d26_teams_change_without_roles() {
    let db = decision_site("reorganization");
    let roles =
        "SELECT m.key, r.role FROM leadguard.member_role r JOIN leadguard.member m ON m.id = r.member_id ORDER BY 1, 2";
    let before = rows(&mut db.admin(), roles);
    accepted(&mut db.connect("curt"), "SELECT * FROM leadguard.add_to_team('strategic', '{cora}')");
    accepted(
        &mut db.connect("curt"),
        "UPDATE leadguard.team_member SET role = 'owner' WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'cora')",
    );
    assert_eq!(rows(&mut db.admin(), roles), before);
}
