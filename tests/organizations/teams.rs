//! Teams are made by those who may, and managed by their owners.

use crate::lab::{companies, id, organization};
use leadguard_tests::{accepted, allowed, ids, refused, rows, scalar, set};

#[test]
fn d7_d8_whoever_makes_a_team_owns_it() {
    let db = companies("teams_made");
    let mut admin = db.admin();
    let make = "INSERT INTO leadguard.team (key, name) VALUES ('red', 'Red')";
    for who in ["mem", "guest", "giver"] {
        refused(&mut db.connect(who), make, "42501");
    }
    accepted(&mut db.connect("adm"), make);
    let owners =
        "SELECT m.key, tm.role FROM leadguard.team_member tm JOIN leadguard.member m ON m.id = tm.member_id ORDER BY 1";
    assert_eq!(rows(&mut admin, owners), [["adm", "owner"]]);
    // Added people are members unless it says otherwise.
    let mem = id(&mut admin, "mem");
    let add = |key: &str| {
        format!(
            "INSERT INTO leadguard.team_member (team_id, member_id) SELECT id, {mem} FROM leadguard.team WHERE key = '{key}'"
        )
    };
    accepted(&mut db.connect("adm"), &add("red"));
    assert_eq!(rows(&mut admin, owners), [["adm", "owner"], ["mem", "member"]]);
    // An administrator's and a superuser's: the one is a member, the other nobody.
    accepted(&mut db.connect("root"), "INSERT INTO leadguard.team (key) VALUES ('blue')");
    accepted(&mut admin, "INSERT INTO leadguard.team (key) VALUES ('green')");
    assert_eq!(rows(&mut admin, owners), [["adm", "owner"], ["mem", "member"], ["root", "owner"]]);
}

#[test]
fn d8_d26_owners_manage_their_own_team_only() {
    let db = companies("teams_owned");
    let mut admin = db.admin();
    accepted(&mut db.connect("adm"), "INSERT INTO leadguard.team (key) VALUES ('red')");
    accepted(&mut db.connect("adm2"), "INSERT INTO leadguard.team (key) VALUES ('blue')");
    let mem = id(&mut admin, "mem");
    let work = |key: &str| {
        [
            format!("UPDATE leadguard.team SET access = 'organization', name = 'Red!' WHERE key = '{key}'"),
            format!(
                "INSERT INTO leadguard.team_member (team_id, member_id, role) SELECT id, {mem}, 'owner' FROM leadguard.team WHERE key = '{key}'"
            ),
        ]
    };
    for statement in work("red") {
        assert_eq!(allowed(&mut db.connect("adm"), &statement), 1, "{statement}");
        // adm2 owns a team, but not this one.
        let mut adm2 = db.connect("adm2");
        let count = adm2.batch_execute("BEGIN").and_then(|_| adm2.execute(statement.as_str(), &[]));
        assert!(count.map_or_else(|e| e.code().is_some_and(|c| c.code() == "42501"), |n| n == 0), "{statement}");
        refused(&mut db.connect("mem"), &statement, "42501");
    }
    // Promoted to owner, mem manages it too; demoted, he does not.
    accepted(&mut db.connect("adm"), &work("red")[1]);
    let mut session = db.connect("mem");
    assert_eq!(allowed(&mut session, &work("red")[0]), 1);
    assert_eq!(
        ids(&mut session, "SELECT member_id FROM leadguard.team_member"),
        set(&format!("{} {mem}", id(&mut admin, "adm")))
    );
    accepted(
        &mut db.connect("adm"),
        &format!("UPDATE leadguard.team_member SET role = 'member' WHERE member_id = {mem}"),
    );
    refused(&mut session, &work("red")[0], "42501");
    assert_eq!(ids(&mut session, "SELECT member_id FROM leadguard.team_member"), set(&mem));
    // Its roles in the organization are what they were.
    assert_eq!(
        scalar(&mut admin, &format!("SELECT string_agg(role, ',') FROM leadguard.member_role WHERE member_id = {mem}")),
        "Member"
    );
}

#[test]
fn d7_a_team_keeps_its_key_and_nobody_takes_the_id_of_another() {
    let db = companies("teams_ids");
    let mut admin = db.admin();
    let gone = scalar(&mut admin, "INSERT INTO leadguard.team (key) VALUES ('gone') RETURNING id");
    accepted(&mut admin, "DELETE FROM leadguard.team");
    accepted(&mut db.connect("adm"), "INSERT INTO leadguard.team (key) VALUES ('red')");
    let globex = organization(&mut admin, "globex");
    let gus = id(&mut admin, "gus");
    for statement in [
        "UPDATE leadguard.team SET key = 'other' WHERE key = 'red'".to_string(),
        format!("INSERT INTO leadguard.team (id, key) VALUES ({gone}, 'again')"),
        "DELETE FROM leadguard.team WHERE key = 'red'".to_string(),
    ] {
        refused(&mut db.connect("adm"), &statement, "42501");
        assert_eq!(allowed(&mut db.connect("root"), &statement), 1, "{statement}");
    }
    refused(
        &mut db.connect("adm"),
        &format!("INSERT INTO leadguard.team (org_id, key) VALUES ({globex}, 'x')"),
        "42501",
    );
    let foreign = refused(
        &mut db.connect("adm"),
        &format!(
            "INSERT INTO leadguard.team_member (team_id, member_id) SELECT id, {gus} FROM leadguard.team WHERE key = 'red'"
        ),
        "23503",
    );
    let absent = refused(
        &mut db.connect("adm"),
        "INSERT INTO leadguard.team_member (team_id, member_id) SELECT id, 99999 FROM leadguard.team WHERE key = 'red'",
        "23503",
    );
    assert_eq!(foreign.message().replace(&gus, "N"), absent.message().replace("99999", "N"));
}
