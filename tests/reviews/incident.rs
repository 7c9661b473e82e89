//! After an incident.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn d34_one_call_shows_everything_that_a_member_has() {
    let db = lab("incident");
    give(&db, "rep", "lead_manager");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.team (key) VALUES ('blue');
         INSERT INTO leadguard.team_member (team_id, member_id) SELECT t.id, m.id FROM leadguard.team t, leadguard.member m WHERE m.key = 'rep';
         INSERT INTO leadguard.territory (key, owner_id) SELECT 'north', id FROM leadguard.member WHERE key = 'rep';
         SELECT leadguard.share('crm.lead', '3', 'rep', 'edit')",
    );
    accepted(&mut db.admin(), "SELECT leadguard.valid_values('crm.lead', 'status', '{secret value}')");
    accepted(&mut db.connect("ray"), "SELECT leadguard.delegate('rep', now() + interval '7 days', 'edit', 'holiday')");
    accepted(&mut db.connect("rep"), "UPDATE crm.lead SET status = 'secret value' WHERE id = 1");
    let mut olga = db.connect("olga");
    let found = rows(
        &mut olga,
        "SELECT finding, subject, evidence::text, suggestion FROM leadguard.audit_run('incident', 'rep')",
    );
    let section = |name: &str| found.iter().find(|r| r[1] == name).map(|r| r[2].clone()).unwrap_or_default();
    for (name, what) in [
        ("login", &*db.role("rep")),
        ("roles", "lead_manager"),
        ("teams", "blue"),
        ("territories", "north"),
        ("grants", "\"record\": \"3\""),
        ("rules", "own access full"),
        ("delegations", "\"of\": \"ray\""),
        ("activity", "update"),
    ] {
        assert!(section(name).contains(what), "{name}: {}", section(name));
    }
    assert!(!format!("{found:?}").contains("secret value"), "no value of a record");
    let id = scalar(
        &mut olga,
        "SELECT id FROM leadguard.findings() WHERE finding = 'incident' AND subject LIKE 'member rep,%'",
    );
    crate::lab::found(&db, "quarterly", "incident");
    assert_eq!(scalar(&mut olga, &format!("SELECT status FROM leadguard.finding WHERE id = {id}")), "open", "it stays");
    accepted(
        &mut olga,
        &format!(
            "SELECT leadguard.resolve_finding({id}, 'resolved', 'passwords are changed, logins no longer shared')"
        ),
    );
    for row in found.iter().filter(|r| r[3] != "∅") {
        accepted(&mut db.admin(), &row[3]);
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.record_grant"), "0");
}

#[test]
fn d34_an_incident_is_about_a_member_of_ones_own_organization() {
    let db = lab("incident_whose");
    let mut olga = db.connect("olga");
    for call in [
        "audit_run('incident')",
        "audit_run('incident', 'zed')",
        "audit_run('incident', 'nobody')",
        "audit_run('quarterly', 'rep')",
        "audit_run('yearly')",
        "audit_run(NULL)",
        "audit_run('monthly', since => now() + interval '1 day')",
        "audit_run('monthly', organization => 'globex')",
        "audit_run('monthly', organization => 'nowhere')",
    ] {
        assert_eq!(code(&mut olga, &format!("SELECT leadguard.{call}")), "22023", "{call}");
    }
    accepted(&mut db.admin(), "SELECT leadguard.audit_run('incident', 'zed')");
    assert_eq!(rows(&mut olga, "SELECT * FROM leadguard.findings(NULL)").len(), 0);
    assert_eq!(rows(&mut db.connect("zoe"), "SELECT * FROM leadguard.findings(NULL)").len(), 1);
}

#[test]
fn d34_an_incident_is_looked_into_by_somebody_else_and_keeps_what_it_saw() {
    let db = lab("incident_kept");
    refused(&mut db.connect("olga"), "SELECT leadguard.audit_run('incident', 'olga')", "42501");
    accepted(&mut db.admin(), "SELECT leadguard.share('crm.lead', '3', 'otto', 'edit')");
    accepted(&mut db.connect("olga"), "SELECT leadguard.audit_run('incident', 'otto')");
    let seen = "SELECT evidence::text FROM leadguard.findings() WHERE finding = 'incident' ORDER BY id";
    let first = rows(&mut db.connect("olga"), seen);
    accepted(&mut db.admin(), "SELECT leadguard.unshare('crm.lead', '3', 'otto')");
    accepted(&mut db.connect("olga"), "SELECT leadguard.audit_run('incident', 'otto', now())");
    let both = rows(&mut db.connect("olga"), seen);
    assert_eq!(both.len(), 2);
    assert_eq!(both[0], first[0], "the first is as it was");
    assert!(first[0][0].contains("\"record\": \"3\""));
}

#[test]
fn d34_a_finding_is_about_somebody_whatever_the_key() {
    let db = lab("about");
    accepted(&mut db.connect("olga"), "SELECT leadguard.audit_run('incident', 'otto')");
    let id = scalar(&mut db.connect("olga"), "SELECT id FROM leadguard.findings() WHERE finding = 'incident'");
    let resolve = format!("SELECT leadguard.resolve_finding({id}, 'resolved', 'nothing')");
    refused(&mut db.connect("otto"), &resolve, "42501");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET key = 'otho' WHERE key = 'otto'");
    refused(&mut db.connect("otto"), &resolve, "42501");
    accepted(&mut db.connect("olga"), &resolve);
}
