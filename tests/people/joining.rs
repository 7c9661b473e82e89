//! Job functions and onboarding.

use crate::lab::{cannot_work, creates, decision_site, people, seen};
use leadguard_tests::{Db, accepted, refused, rows, scalar};

/// decision_site with job functions and a rule for partners.
fn lab(name: &str) -> Db {
    let db = decision_site(name);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('acme.com', 'own', 'COLLABORATOR'), ('partner.com', 'partner', 'GUEST');
         INSERT INTO leadguard.territory (key) VALUES ('north')",
    );
    accepted(
        &mut db.connect("ada"),
        "INSERT INTO leadguard.job_function (name, role, description) VALUES ('sales rep', 'CREATOR', 'sells'),
             ('sales engineer', 'COLLABORATOR', ''), ('vp sales', 'ADMIN', '')",
    );
    db
}

fn steps(found: &[Vec<String>], step: &str) -> String {
    found.iter().filter(|row| row[0] == step).map(|row| row[1..].join(" ")).collect::<Vec<_>>().join(" | ")
}

#[test]
fn d36_onboarding_makes_the_member_and_says_what_he_reaches() {
    let db = lab("onboard");
    let login = db.create_role("nina");
    let found = rows(
        &mut db.connect("ada"),
        &format!(
            "SELECT * FROM leadguard.onboard('nina', 'Nina', 'nina@acme.com', 'vera', 'sales rep', '{{strategic}}', '{{north}}', '{login}')"
        ),
    );
    assert_eq!(steps(&found, "roles"), "CREATOR t");
    assert_eq!(steps(&found, "teams"), "strategic (member) t");
    assert_eq!(steps(&found, "territories"), "north t");
    assert_eq!(steps(&found, "manager"), "vera t");
    assert_eq!(steps(&found, "login"), format!("{login} t"));
    assert!(steps(&found, "reaches crm.site").contains("create"), "{found:?}");
    // What it says is so.
    let mut nina = db.connect("nina");
    assert!(creates(&mut nina, "crm.site"));
    assert_eq!(seen(&mut nina, "crm.site"), "2 3");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT count(*) FROM leadguard.audit_log WHERE action = 'onboard' AND detail LIKE '%nina%'"
        ),
        "1"
    );
    // The member himself may ask the list too.
    assert_eq!(steps(&rows(&mut nina, "SELECT * FROM leadguard.checklist('nina')"), "roles"), "CREATOR t");
    refused(&mut nina, "SELECT * FROM leadguard.checklist('ada')", "42501");
}

#[test]
fn d36_what_is_missing_is_said() {
    let db = lab("onboard_missing");
    accepted(&mut db.admin(), "DELETE FROM leadguard.domain_rule");
    let found = rows(&mut db.connect("ada"), "SELECT * FROM leadguard.onboard('nick', 'Nick', 'n@elsewhere.org')");
    for step in ["roles", "teams", "manager", "job function"] {
        assert_eq!(steps(&found, step), "none f", "{step}");
    }
    assert!(steps(&found, "login").ends_with(" f"));
    assert_eq!(steps(&found, "reaches crm.site"), "nothing f");
}

#[test]
fn d24_d36_the_domain_decides_where_no_job_function_does() {
    let db = lab("onboard_domain");
    let mut ada = db.connect("ada");
    let found = rows(&mut ada, "SELECT * FROM leadguard.onboard('nora', 'Nora', 'nora@acme.com')");
    assert_eq!(steps(&found, "roles"), "COLLABORATOR t");
    let found = rows(&mut ada, "SELECT * FROM leadguard.onboard('pete', 'Pete', 'pete@partner.com')");
    assert_eq!((steps(&found, "active"), steps(&found, "roles")), ("guest t".into(), "GUEST t".into()));
    // An external person has no job here.
    cannot_work(&mut ada, "SELECT * FROM leadguard.onboard('paul', 'Paul', 'paul@partner.com', NULL, 'sales rep')");
    assert_eq!(scalar(&mut ada, "SELECT count(*) FROM leadguard.member WHERE key = 'paul'"), "0");
}

#[test]
fn d36_a_dry_run_leaves_nothing() {
    let db = lab("onboard_dry");
    let mut ada = db.connect("ada");
    let found = rows(
        &mut ada,
        "SELECT * FROM leadguard.onboard('nina', 'Nina', 'nina@acme.com', 'vera', 'sales rep', '{strategic}', dry_run => true)",
    );
    assert_eq!(steps(&found, "roles"), "CREATOR t");
    for table in [
        "leadguard.member WHERE key = 'nina'",
        "leadguard.audit_log WHERE action IN ('onboard', 'role_given') AND member_key = 'ada'",
    ] {
        assert_eq!(scalar(&mut db.admin(), &format!("SELECT count(*) FROM {table}")), "0", "{table}");
    }
}

#[test]
fn d36_nobody_gives_more_than_he_may() {
    let db = lab("onboard_limits");
    for who in ["cara", "cole", "gus", "bob"] {
        refused(&mut db.connect(who), "SELECT * FROM leadguard.onboard('x', 'X', 'x@acme.com')", "42501");
    }
    // An administrator of members below the rank.
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES ('office', 1, 60, '{manage_members}')",
    );
    people(&db, "otis office");
    let mut otis = db.connect("otis");
    refused(&mut otis, "SELECT * FROM leadguard.onboard('x', 'X', 'x@acme.com', NULL, 'vp sales')", "42501");
    let found = rows(&mut otis, "SELECT * FROM leadguard.onboard('x', 'X', 'x@acme.com', NULL, 'sales rep')");
    assert_eq!(steps(&found, "roles"), "CREATOR t");
    let login = db.create_role("y");
    refused(
        &mut otis,
        &format!("SELECT * FROM leadguard.onboard('y', 'Y', 'y@acme.com', db_role => '{login}')"),
        "42501",
    );
    for arguments in [
        "'z', 'Z', NULL, 'nobody'",
        "'z', 'Z', NULL, NULL, 'no such job'",
        "'z', 'Z', NULL, NULL, NULL, '{nowhere}'",
        "'', '', NULL",
    ] {
        cannot_work(&mut db.connect("ada"), &format!("SELECT * FROM leadguard.onboard({arguments})"));
    }
}

#[test]
fn d35_deviations_from_the_role_of_the_job() {
    let db = lab("jobs");
    let mut ada = db.connect("ada");
    accepted(
        &mut ada,
        "INSERT INTO leadguard.member_function (member_id, job_function)
         SELECT id, CASE key WHEN 'cara' THEN 'sales rep' WHEN 'cole' THEN 'sales rep' ELSE 'vp sales' END
         FROM leadguard.member WHERE key IN ('cara', 'cole', 'ada')",
    );
    assert_eq!(
        rows(&mut ada, "SELECT * FROM leadguard.job_deviations()"),
        [["cole", "sales rep", "CREATOR", "{COLLABORATOR}", "{COLLABORATOR}"]]
    );
    accepted(&mut ada, "SELECT * FROM leadguard.change_role('cole', 'COLLABORATOR', 'CREATOR', 'promoted')");
    assert!(rows(&mut ada, "SELECT * FROM leadguard.job_deviations()").is_empty());
    for who in ["cara", "gus"] {
        refused(&mut db.connect(who), "SELECT * FROM leadguard.job_deviations()", "42501");
        refused(
            &mut db.connect(who),
            "INSERT INTO leadguard.job_function (name, role) VALUES ('x', 'CREATOR')",
            "42501",
        );
        refused(
            &mut db.connect(who),
            "INSERT INTO leadguard.member_function SELECT leadguard.current_member(), 'sales rep'",
            "42501",
        );
    }
    refused(&mut ada, "INSERT INTO leadguard.job_function (name, role) VALUES ('x', 'no such role')", "23503");
    refused(&mut ada, "INSERT INTO leadguard.job_function (name, role) VALUES ('x', 'system')", "23503");
    // Renaming a job renames it for those who have it.
    accepted(&mut ada, "UPDATE leadguard.job_function SET name = 'account executive' WHERE name = 'sales rep'");
    assert_eq!(
        scalar(&mut ada, "SELECT count(*) FROM leadguard.member_function WHERE job_function = 'account executive'"),
        "2"
    );
}

#[test]
fn d35_of_one_organization_only() {
    let db = lab("jobs_orgs");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.organization (key) VALUES ('globex');
         INSERT INTO leadguard.job_function (org_id, name, role) SELECT id, 'sales rep', 'GUEST' FROM leadguard.organization WHERE key = 'globex'",
    );
    people(&db, "zoe");
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'globex') WHERE key = 'zoe';
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'ADMIN' FROM leadguard.member WHERE key = 'zoe'",
    );
    let mut zoe = db.connect("zoe");
    assert_eq!(rows(&mut zoe, "SELECT name, role FROM leadguard.job_function"), [["sales rep", "GUEST"]]);
    let cara = scalar(&mut db.admin(), "SELECT id FROM leadguard.member WHERE key = 'cara'");
    refused(
        &mut zoe,
        &format!("INSERT INTO leadguard.member_function (member_id, job_function) VALUES ({cara}, 'sales rep')"),
        "23503",
    );
    refused(&mut zoe, "INSERT INTO leadguard.job_function (org_id, name, role) VALUES (1, 'x', 'GUEST')", "42501");
    cannot_work(&mut zoe, "SELECT * FROM leadguard.onboard('y', 'Y', NULL, 'cara')");
    accepted(&mut zoe, "SELECT * FROM leadguard.onboard('y', 'Y', NULL, 'zoe', 'sales rep')");
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT o.key FROM leadguard.member m JOIN leadguard.organization o ON o.id = m.org_id WHERE m.key = 'y'"
        ),
        [["globex"]]
    );
}
