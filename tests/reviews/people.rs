//! Findings about people and roles.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn d2_p27_more_than_two_administrators() {
    let db = lab("admins");
    assert_eq!(found(&db, "quarterly", "too_many_admins"), [""; 0], "two are fine");
    give(&db, "rep", "ADMIN");
    assert_eq!(found(&db, "monthly", "too_many_admins"), ["organization default"]);
    found_until_solved(&db, "too_many_admins", &["organization default"]);
}

#[test]
fn d2_everyone_is_an_administrator() {
    let db = lab("everyone");
    join(&db, "mono", "person", "globex");
    give(&db, "mono", "ADMIN");
    let admin = &mut db.admin();
    let globex = "SELECT count(*) FROM leadguard.audit_run('quarterly', organization => 'globex') WHERE finding = 'everyone_admin'";
    assert_eq!(scalar(admin, globex), "0", "zed is none");
    give(&db, "zed", "ADMIN");
    assert_eq!(scalar(admin, globex), "1");
    accepted(
        admin,
        "DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = 'zed'",
    );
    assert_eq!(scalar(admin, globex), "0");
    assert_eq!(found(&db, "quarterly", "everyone_admin"), [""; 0]);
}

#[test]
fn d33_recent_promotions_to_administrator() {
    let db = lab("promotions");
    give(&db, "ray", "lead_manager");
    let before = found(&db, "monthly", "new_admin");
    assert!(!before.iter().any(|s| s.starts_with("member ray")), "{before:?}");
    give(&db, "rep", "ADMIN");
    let promoted = found(&db, "monthly", "new_admin");
    assert!(promoted.iter().any(|s| s.starts_with("member rep, role ADMIN, ")), "{promoted:?}");
    let olga = &mut db.connect("olga");
    let id = scalar(olga, "SELECT id FROM leadguard.findings() WHERE subject LIKE 'member rep, role ADMIN%'");
    accepted(olga, &format!("SELECT leadguard.resolve_finding({id}, 'resolved', 'he is the new head of sales')"));
    assert!(
        !found(&db, "monthly", "new_admin").iter().any(|s| s.starts_with("member rep")),
        "what happened stays resolved"
    );
}

#[test]
fn d33_a_promotion_is_found_when_it_was_taken_back() {
    let db = lab("promotions_back");
    give(&db, "ray", "ADMIN");
    give(&db, "rep", "ADMIN");
    accepted(
        &mut db.admin(),
        "DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = 'rep' AND r.role = 'ADMIN'",
    );
    let promoted = found(&db, "monthly", "new_admin");
    assert!(promoted.iter().any(|s| s.starts_with("member rep, role ADMIN, ")), "{promoted:?}");
    let evidence = |who: &str| {
        rows(
            &mut db.connect("olga"),
            &format!(
                "SELECT evidence ->> 'holds_it', suggestion IS NULL FROM leadguard.findings() WHERE subject LIKE 'member {who}, role ADMIN%'"
            ),
        )
    };
    assert_eq!(evidence("rep"), [["false", "t"]]);
    assert_eq!(evidence("ray"), [["true", "f"]]);
}

#[test]
fn d33_a_promotion_is_found_when_the_role_is_lowered_or_gone() {
    let db = lab("promotions_gone");
    role(&db, "chief", "{administer}", 90);
    role(&db, "clerk", "{administer}", 89);
    give(&db, "rep", "chief");
    give(&db, "ray", "clerk");
    let chiefs = || {
        let mut found = found(&db, "monthly", "new_admin");
        found.retain(|subject| subject.starts_with("member rep, role chief") || subject.contains("clerk"));
        found.len()
    };
    assert_eq!(chiefs(), 1);
    accepted(&mut db.connect("otto"), "UPDATE leadguard.role SET capabilities = '{}' WHERE name = 'chief'");
    assert_eq!(chiefs(), 1);
    accepted(
        &mut db.connect("otto"),
        "DELETE FROM leadguard.member_role WHERE role = 'chief'; DELETE FROM leadguard.role WHERE name = 'chief'",
    );
    assert_eq!(chiefs(), 1);
}

/// A role of the organization default that is nobody's yet.
fn role(db: &Db, name: &str, capabilities: &str, rank: u32) {
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.role (name, org_id, capabilities, rank)
             SELECT '{name}', id, '{capabilities}', {rank} FROM leadguard.organization WHERE key = 'default'"
        ),
    );
}

#[test]
fn d33_a_role_that_becomes_an_administrators_promotes_its_holders() {
    for (name, capabilities, rank, change) in [
        ("raised_both", "{}", 10, "capabilities = '{administer,all_records}', rank = 95"),
        ("raised_rank", "{administer}", 10, "rank = 90"),
        ("raised_caps", "{}", 95, "capabilities = '{administer}'"),
    ] {
        let db = lab(name);
        role(&db, "helper", capabilities, rank);
        role(&db, "chief", "{administer}", 90);
        give(&db, "boss", "chief");
        give(&db, "rep", "helper");
        give(&db, "ray", "helper");
        accepted(
            &mut db.admin(),
            "DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = 'ray'",
        );
        let since = scalar(&mut db.admin(), "SELECT clock_timestamp()");
        let new = || {
            let sql = format!(
                "SELECT split_part(subject, ',', 1) FROM leadguard.audit_run('monthly', since => '{since}') WHERE finding = 'new_admin' ORDER BY 1"
            );
            rows(&mut db.connect("olga"), &sql).concat()
        };
        // Twins: a role that becomes more and not that of an administrator, and one that is such already.
        accepted(
            &mut db.admin(),
            "UPDATE leadguard.role SET description = 'x', level_cap = 'edit' WHERE name = 'helper'",
        );
        accepted(&mut db.admin(), "UPDATE leadguard.role SET rank = 96 WHERE name = 'chief'");
        assert_eq!(new(), [""; 0], "{name}");
        accepted(&mut db.connect("otto"), &format!("UPDATE leadguard.role SET {change} WHERE name = 'helper'"));
        assert_eq!(new(), ["member rep"], "{name}");
        let evidence = "SELECT evidence ->> 'by', evidence ->> 'holds_it', suggestion IS NULL FROM leadguard.findings() WHERE subject LIKE 'member rep, role helper%'";
        assert_eq!(rows(&mut db.connect("olga"), evidence), [["otto", "true", "f"]]);
        // Lowered again, it still is what happened.
        accepted(&mut db.admin(), "UPDATE leadguard.role SET capabilities = '{}', rank = 10 WHERE name = 'helper'");
        assert_eq!(new(), ["member rep"], "{name}");
        assert_eq!(rows(&mut db.connect("olga"), evidence), [["otto", "false", "t"]]);
    }
}

#[test]
fn k48a_rights_given_by_hand_beyond_the_role() {
    let db = lab("beyond");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.share('crm.lead', '1', 'gus', 'read'); SELECT leadguard.share('crm.lead', '1', 'ray', 'full')",
    );
    assert_eq!(found(&db, "quarterly", "rights_beyond_role"), [""; 0]);
    accepted(
        &mut db.admin(),
        "SELECT leadguard.share('crm.lead', '2', 'vic', 'edit'); SELECT leadguard.team_add('crm.lead', '1', 'vic', 'edit')",
    );
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.record_grant SET level = 'full' WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'gus')",
    );
    found_until_solved(&db, "rights_beyond_role", &["member gus in crm.lead", "member vic in crm.lead"]);
}

#[test]
fn d6_external_members_who_are_no_guests() {
    let db = lab("external");
    let admin = &mut db.admin();
    accepted(
        admin,
        "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('acme.com', 'own', 'COLLABORATOR'), ('partner.com', 'partner', 'GUEST');
         UPDATE leadguard.member SET email = 'rep@acme.com' WHERE key = 'rep'",
    );
    assert_eq!(found(&db, "quarterly", "external_not_guest"), [""; 0]);
    accepted(admin, "UPDATE leadguard.member SET email = 'RAY@Partner.com' WHERE key = 'ray'");
    give(&db, "ray", "CREATOR");
    assert_eq!(found(&db, "monthly", "external_not_guest"), ["member ray"]);
    found_until_solved(&db, "external_not_guest", &["member ray"]);
    assert_eq!(scalar(admin, "SELECT kind FROM leadguard.member WHERE key = 'ray'"), "guest");
}

#[test]
fn d6_d28_guests_with_more_than_a_guests_role() {
    let db = lab("guest_roles");
    give(&db, "gus", "GUEST");
    assert_eq!(found(&db, "monthly", "guest_with_role"), [""; 0]);
    give(&db, "gus", "CREATOR");
    found_until_solved(&db, "guest_with_role", &["member gus"]);
}

#[test]
fn d31_members_gone_but_active() {
    let db = lab("gone");
    assert_eq!(found(&db, "quarterly", "gone_but_active"), [""; 0]);
    let login = db.role("vic");
    accepted(&mut db.admin(), &format!("DROP OWNED BY \"{login}\"; DROP ROLE \"{login}\""));
    found_until_solved(&db, "gone_but_active", &["member vic"]);
}

#[test]
fn d21_inactive_members_who_own_things() {
    let db = lab("orphans");
    let admin = &mut db.admin();
    join(&db, "old", "person", "default");
    accepted(
        admin,
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'boss') WHERE key = 'old';
         INSERT INTO leadguard.territory (key, owner_id) SELECT 'north', id FROM leadguard.member WHERE key = 'old';
         INSERT INTO leadguard.team (key) VALUES ('blue');
         INSERT INTO leadguard.team_member (team_id, member_id, role)
         SELECT t.id, m.id, 'owner' FROM leadguard.team t, leadguard.member m WHERE m.key IN ('old', 'boss')",
    );
    assert_eq!(found(&db, "quarterly", "gone_but_owning"), [""; 0], "active members may own");
    accepted(admin, "UPDATE leadguard.member SET active = false WHERE key = 'old'");
    found_until_solved(&db, "gone_but_owning", &["member old"]);
}

#[test]
fn d39_capabilities_that_nobody_uses() {
    let db = lab("creep");
    assert_eq!(found(&db, "quarterly", "permission_creep"), [""; 0], "the log does not reach back 90 days");
    crate::happened::log(&db, "now() - interval '91 days'", "otto", "update", "NULL", "'1'", "");
    crate::happened::log(&db, "now() - interval '1 day'", "olga", "update", "NULL", "'1'", "");
    assert_eq!(found(&db, "quarterly", "permission_creep"), ["member otto"]);
    crate::happened::log(&db, "now()", "otto", "update", "NULL", "'1'", "");
    assert_eq!(found(&db, "quarterly", "permission_creep"), [""; 0]);
}

/// Whether the database knows job functions, offboarding and reviews of guests.
fn knows_people(db: &Db) -> bool {
    scalar(&mut db.admin(), "SELECT to_regclass('leadguard.member_function') IS NOT NULL") == "t"
}

#[test]
fn d35_roles_that_are_not_those_of_the_job_function() {
    let db = lab("functions");
    if !knows_people(&db) {
        return;
    }
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.job_function (org_id, name, role) VALUES (1, 'sales rep', 'CREATOR');
         INSERT INTO leadguard.member_function (member_id, job_function) SELECT id, 'sales rep' FROM leadguard.member WHERE key IN ('rep', 'ray')",
    );
    give(&db, "ray", "CREATOR");
    give(&db, "rep", "lead_manager");
    found_until_solved(&db, "roles_deviate", &["member rep"]);
}

#[test]
fn d28_guests_whom_nobody_looked_at() {
    let db = lab("guests_due");
    if !knows_people(&db) {
        return;
    }
    accepted(&mut db.admin(), "SELECT leadguard.share('crm.lead', '1', 'gus', 'read')");
    assert_eq!(found(&db, "quarterly", "guest_not_reviewed"), [""; 0], "invited just now");
    accepted(&mut db.admin(), "UPDATE leadguard.record_grant SET granted_at = now() - interval '4 months'");
    assert_eq!(found(&db, "quarterly", "guest_not_reviewed"), ["member gus"]);
    accepted(&mut db.connect("olga"), "SELECT leadguard.review_guest('gus', 'keep', 'the deal goes on')");
    assert_eq!(found(&db, "quarterly", "guest_not_reviewed"), [""; 0]);
}

#[test]
fn d21_the_last_day_is_over() {
    let db = lab("last_day");
    if !knows_people(&db) {
        return;
    }
    let plan = |day: &str| {
        format!(
            "INSERT INTO leadguard.offboarding (org_id, member_id, last_day, transition_role)
             SELECT org_id, id, {day}, 'view_only' FROM leadguard.member WHERE key = 'vic'"
        )
    };
    accepted(&mut db.admin(), &plan("current_date + 3"));
    assert_eq!(found(&db, "quarterly", "gone_but_active"), [""; 0]);
    accepted(&mut db.admin(), "UPDATE leadguard.offboarding SET last_day = current_date - 30");
    assert_eq!(found(&db, "quarterly", "gone_but_active").len(), 1);
    accepted(&mut db.admin(), "UPDATE leadguard.offboarding SET last_day = current_date");
    assert_eq!(found(&db, "quarterly", "gone_but_active"), [""; 0]);
}
