//! Findings about teams, roles and shares that nobody uses.

use crate::lab::*;
use leadguard_tests::*;

fn team(db: &Db, key: &str, members: &[(&str, &str)]) {
    accepted(&mut db.admin(), &format!("INSERT INTO leadguard.team (key) VALUES ('{key}')"));
    for (member, role) in members {
        accepted(
            &mut db.admin(),
            &format!(
                "INSERT INTO leadguard.team_member (team_id, member_id, role)
                 SELECT t.id, m.id, '{role}' FROM leadguard.team t, leadguard.member m WHERE t.key = '{key}' AND m.key = '{member}'"
            ),
        );
    }
}

#[test]
fn d9_teams_have_two_or_three_owners() {
    let db = lab("owners");
    team(&db, "good", &[("boss", "owner"), ("olga", "owner"), ("rep", "member")]);
    team(&db, "none", &[("rep", "member")]);
    team(&db, "one", &[("boss", "owner")]);
    team(&db, "four", &[("boss", "owner"), ("olga", "owner"), ("rep", "owner"), ("ray", "owner")]);
    found_until_solved(&db, "team_owners", &["team four", "team none", "team one"]);
}

#[test]
fn d10_owners_of_teams_manage_somebody_in_them() {
    let db = lab("managers");
    team(&db, "sales", &[("boss", "owner"), ("rep", "member"), ("ray", "owner")]);
    found_until_solved(&db, "team_owner_manages_nobody", &["member ray in team sales"]);
}

#[test]
fn d38_teams_without_members_or_without_anything_shared() {
    let db = lab("unused_teams");
    team(&db, "empty", &[]);
    team(&db, "idle", &[("rep", "member")]);
    team(&db, "busy", &[("rep", "member")]);
    accepted(&mut db.admin(), "SELECT leadguard.share('crm.lead', '3', team => 'busy')");
    found_until_solved(&db, "unused_team", &["team empty", "team idle"]);
}

#[test]
fn d38_roles_that_nobody_has() {
    let db = lab("unused_roles");
    accepted(&mut db.admin(), "INSERT INTO leadguard.role (name, org_id) VALUES ('idle', 1), ('used', 1)");
    give(&db, "rep", "used");
    found_until_solved(&db, "unused_role", &["role idle"]);
}

#[test]
fn d32_shares_that_are_over() {
    let db = lab("expired");
    team(&db, "blue", &[("rep", "member")]);
    accepted(
        &mut db.admin(),
        "SELECT leadguard.share('crm.lead', '1', 'ray', until => now() + interval '1 day');
         SELECT leadguard.share('crm.lead', '1', 'boss', until => now() + interval '1 day', retained => true);
         SELECT leadguard.share('crm.lead', '2', team => 'blue', until => now() + interval '1 day')",
    );
    assert_eq!(found(&db, "quarterly", "expired_grants"), [""; 0]);
    accepted(&mut db.admin(), "UPDATE leadguard.record_grant SET until = now() - interval '1 minute'");
    found_until_solved(
        &db,
        "expired_grants",
        &["member boss in crm.lead", "member ray in crm.lead", "team blue in crm.lead"],
    );
}
