//! Who holds reviews, and reads what they found.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn d31_members_with_the_capability_audit_hold_reviews() {
    let db = lab("holders");
    give(&db, "gus", "GUEST");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('auditor', 1, '{audit}')",
    );
    for who in ["gus", "vic"] {
        give(&db, who, "auditor");
    }
    let login = db.create_role("bi");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{login}', 'olga')"));
    for who in ["rep", "boss", "gus", "vic", "bi"] {
        let mut session = db.connect(who);
        for call in [
            "audit_run('quarterly')",
            "hold_review('quarterly', NULL, NULL, NULL)",
            "resolve_finding(1, 'resolved', 'x')",
        ] {
            assert_eq!(code(&mut session, &format!("SELECT leadguard.{call}")), "42501", "{who}: {call}");
        }
    }
    give(&db, "rep", "auditor");
    accepted(&mut db.connect("rep"), "SELECT leadguard.audit_run('quarterly')");
    accepted(&mut db.connect("zoe"), "SELECT leadguard.audit_run('quarterly')");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT string_agg(o.key || ' ' || m.key, ', ' ORDER BY r.id) FROM leadguard.review r JOIN leadguard.organization o ON o.id = r.org_id JOIN leadguard.member m ON m.id = r.run_by"
        ),
        "default rep, globex zoe"
    );
}

#[test]
fn d27_findings_do_not_cross_organizations() {
    let db = lab("apart");
    join(&db, "zita", "person", "globex");
    join(&db, "zack", "person", "globex");
    give(&db, "zita", "ADMIN");
    give(&db, "zack", "ADMIN");
    give(&db, "rep", "ADMIN");
    accepted(&mut db.admin(), "SELECT leadguard.audit_run('quarterly')");
    assert_eq!(
        scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.findings() WHERE finding = 'too_many_admins'"),
        "2"
    );
    for (who, other) in [("olga", "%z%"), ("zoe", "%rep%")] {
        let mut session = db.connect(who);
        assert_eq!(
            scalar(&mut session, "SELECT count(*) FROM leadguard.findings() WHERE finding = 'too_many_admins'"),
            "1"
        );
        assert_eq!(
            scalar(
                &mut session,
                &format!("SELECT count(*) FROM leadguard.finding WHERE evidence ->> 'administrators' LIKE '{other}'")
            ),
            "0"
        );
        assert_eq!(scalar(&mut session, "SELECT count(*) FROM leadguard.review"), "1");
        assert_eq!(
            rows(&mut session, "SELECT DISTINCT org FROM leadguard.audit_run('monthly')"),
            [[if who == "olga" { "default" } else { "globex" }]]
        );
    }
    let foreign =
        scalar(&mut db.admin(), "SELECT id FROM leadguard.finding WHERE org_id <> 1 AND finding = 'too_many_admins'");
    let absent = refused(&mut db.connect("olga"), "SELECT leadguard.resolve_finding(999999, 'resolved', 'x')", "42501");
    let refusal = refused(
        &mut db.connect("olga"),
        &format!("SELECT leadguard.resolve_finding({foreign}, 'resolved', 'x')"),
        "42501",
    );
    assert_eq!(refusal.message(), absent.message().replace("999999", &foreign), "no difference");
}

#[test]
fn k48_nobody_resolves_what_is_about_himself_or_writes_findings() {
    let db = lab("own_finding");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('partner.com', 'partner', 'GUEST'); UPDATE leadguard.member SET email = 'o@partner.com' WHERE key = 'otto'",
    );
    found(&db, "quarterly", "external_not_guest");
    let resolve = "SELECT leadguard.resolve_finding((SELECT id FROM leadguard.findings() WHERE subject = 'member otto'), 'accepted', 'he is one of us')";
    assert_eq!(code(&mut db.connect("otto"), resolve), "42501");
    accepted(&mut db.connect("olga"), resolve);
    for who in ["olga", "rep"] {
        let mut session = db.connect(who);
        for write in [
            "DELETE FROM leadguard.finding",
            "UPDATE leadguard.finding SET status = 'open'",
            "DELETE FROM leadguard.review",
            "SELECT leadguard.run_review(1, 'quarterly', NULL, NULL, '[]')",
            "SELECT leadguard.review_note(1, 1, 'x', true, 'low', 'x', '{}', NULL)",
            "SELECT * FROM leadguard.review_too_many_admins(1, now())",
        ] {
            assert_eq!(code(&mut session, write), "42501", "{who}: {write}");
        }
    }
    assert_eq!(scalar(&mut db.connect("rep"), "SELECT count(*) FROM leadguard.finding"), "0");
    assert_ne!(
        scalar(&mut db.connect("rep"), "SELECT count(*) FROM leadguard.review_check"),
        "0",
        "the questions are no secret"
    );
}

#[test]
fn k48_evidence_never_holds_values_of_records() {
    let db = lab("values");
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.lead (id, status) SELECT n, 'secret value' FROM generate_series(100, 120) n",
    );
    accepted(&mut db.admin(), "SELECT leadguard.share('crm.lead', '100', 'gus', 'read')");
    accepted(&mut db.connect("rep"), "SELECT leadguard.contact_add('crm.lead', '1', 'BUYER', name => 'secret value')");
    accepted(&mut db.connect("olga"), "SELECT leadguard.audit_run('quarterly')");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.finding f WHERE f::text LIKE '%secret%'"), "0");
}
