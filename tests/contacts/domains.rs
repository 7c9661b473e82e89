//! Rules about e-mail domains: what they say, who makes them.

use crate::lab::*;
use leadguard_tests::*;

pub fn rule(db: &Db, domain: &str, kind: &str, role: &str) {
    accepted(
        &mut db.admin(),
        &format!("INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('{domain}', '{kind}', '{role}')"),
    );
}

/// What would become of somebody with this e-mail.
fn becomes(db: &Db, email: &str) -> String {
    rows(&mut db.connect("ann"), &format!("SELECT * FROM leadguard.role_for('{email}')"))[0].join(" ")
}

#[test]
fn d24_the_domain_of_the_email_decides_the_role() {
    let db = lab("domains");
    rule(&db, "acme.com", "own", "CREATOR");
    rule(&db, "partner.com", "partner", "GUEST");
    rule(&db, "Customer.COM", "customer", "GUEST");
    for (email, expected) in [
        ("a@acme.com", "person CREATOR"),
        ("A@ACME.Com", "person CREATOR"),
        (" a@acme.com ", "person CREATOR"),
        ("a@acme.com.", "person CREATOR"),
        ("a@partner.com", "guest GUEST"),
        ("a@customer.com", "guest GUEST"),
        ("a@b@partner.com", "guest GUEST"),
        ("a@sub.acme.com", "person ∅"),
        ("a@notacme.com", "person ∅"),
        ("a@acme.com.evil.org", "person ∅"),
        ("a@elsewhere.org", "person ∅"),
        ("acme.com", "person ∅"),
        ("", "person ∅"),
    ] {
        assert_eq!(becomes(&db, email), expected, "{email}");
    }
}

#[test]
fn d24_subdomains_only_where_the_rule_says_so() {
    let db = lab("domains_sub");
    rule(&db, "*.acme.com", "own", "COLLABORATOR");
    rule(&db, "*.ext.acme.com", "partner", "GUEST");
    rule(&db, "vip.ext.acme.com", "own", "CREATOR");
    for (email, expected) in [
        ("a@acme.com", "person ∅"),
        ("a@de.acme.com", "person COLLABORATOR"),
        ("a@x.de.acme.com", "person COLLABORATOR"),
        ("a@ext.acme.com", "person COLLABORATOR"),
        ("a@x.ext.acme.com", "guest GUEST"),
        ("a@vip.ext.acme.com", "person CREATOR"),
        ("a@acme.com.evil.org", "person ∅"),
        ("a@notacme.com", "person ∅"),
    ] {
        assert_eq!(becomes(&db, email), expected, "{email}");
    }
}

// What is no domain by its form gets no default either: it might be a partner's, written so that no rule knows it.
#[test]
fn d1_the_default_for_everybody_else() {
    let db = lab("domains_default");
    rule(&db, "partner.com", "partner", "GUEST");
    assert_eq!(becomes(&db, "a@elsewhere.org"), "person ∅");
    rule(&db, "*", "own", "COLLABORATOR");
    for (email, expected) in [
        ("a@elsewhere.org", "person COLLABORATOR"),
        ("a@partner.com", "guest GUEST"),
        ("a@PARTNER.COM..", "guest GUEST"),
        ("A <a@partner.com>", "person ∅"),
        ("a@partner.com,b", "person ∅"),
        ("a@partner.com\u{a0}", "person ∅"),
        ("a@pärtner.com", "person ∅"),
        ("nobody", "person ∅"),
    ] {
        assert_eq!(becomes(&db, email), expected, "{email}");
    }
}

#[test]
fn x16_guest_only_or_any() {
    let db = lab("domains_x16");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.role (name, org_id, rank, capabilities) SELECT r.name, o.id, r.rank, r.capabilities::text[] FROM leadguard.organization AS o, (VALUES ('visitor', 0, '{}'), ('boss', 60, '{}'), ('exporter', 0, '{export}')) AS r (name, rank, capabilities) WHERE o.key = 'globex'",
    );
    let rule = |kind: &str, role: &str| {
        format!(
            "INSERT INTO leadguard.domain_rule (org_id, domain, kind, role) SELECT id, 'd.com', '{kind}', '{role}' FROM leadguard.organization WHERE key = 'globex'"
        )
    };
    let asks = [
        ("partner", "CREATOR"),
        ("customer", "COLLABORATOR"),
        ("partner", "boss"),
        ("partner", "exporter"),
        ("own", "GUEST"),
    ];
    for (kind, role) in asks {
        refused(&mut admin, &rule(kind, role), "23514");
    }
    for (kind, role) in [("partner", "GUEST"), ("customer", "visitor"), ("own", "CREATOR"), ("own", "boss")] {
        assert_eq!(allowed(&mut admin, &rule(kind, role)), 1, "{kind} {role}");
    }
    accepted(&mut admin, "UPDATE leadguard.organization SET domain_roles = 'any' WHERE key = 'globex'");
    for (kind, role) in asks {
        assert_eq!(allowed(&mut admin, &rule(kind, role)), 1, "{kind} {role}");
    }
    accepted(&mut admin, &rule("partner", "CREATOR"));
    let ask = "SELECT * FROM leadguard.role_for('a@d.com', 'globex')";
    assert_eq!(rows(&mut admin, ask), [["guest", "CREATOR"]]);
    let back = "UPDATE leadguard.organization SET domain_roles = 'guest_only' WHERE key = 'globex'";
    let error = refused(&mut admin, back, "23514");
    assert_eq!(error.detail(), Some("d.com: CREATOR"));
    accepted(&mut admin, "DELETE FROM leadguard.domain_rule");
    accepted(&mut admin, back);
    refused(&mut admin, "UPDATE leadguard.organization SET domain_roles = 'none' WHERE key = 'globex'", "23514");
}

// A role that changed since the rule was made gives nothing that a rule made now could not.
#[test]
fn x16_a_role_that_grew_is_not_given() {
    let db = lab("domains_grew");
    let mut admin = db.admin();
    accepted(&mut admin, "INSERT INTO leadguard.role (name, org_id, rank) VALUES ('visitor', 1, 0)");
    rule(&db, "partner.com", "partner", "visitor");
    assert_eq!(becomes(&db, "a@partner.com"), "guest visitor");
    accepted(&mut admin, "UPDATE leadguard.role SET name = 'caller' WHERE name = 'visitor'");
    assert_eq!(becomes(&db, "a@partner.com"), "guest caller");
    accepted(&mut admin, "UPDATE leadguard.role SET rank = 50 WHERE name = 'caller'");
    assert_eq!(becomes(&db, "a@partner.com"), "guest ∅");
    refused(&mut admin, "DELETE FROM leadguard.role WHERE name = 'caller'", "23503");
}

#[test]
fn d24_who_writes_domain_rules() {
    let db = lab("domains_who");
    join(&db, "olga", "person", "Admin", "default");
    let insert = "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('acme.com', 'own', 'COLLABORATOR')";
    for who in ["cleo", "cora", "gus"] {
        refused(&mut db.connect(who), insert, "42501");
        assert_eq!(rows(&mut db.connect(who), "SELECT * FROM leadguard.domain_rule"), Vec::<Vec<String>>::new());
        refused(&mut db.connect(who), "SELECT * FROM leadguard.role_for('a@acme.com')", "42501");
    }
    // Admin of 002: manage_organization without administer; ann: administer.
    assert_eq!(allowed(&mut db.connect("olga"), insert), 1);
    accepted(&mut db.connect("ann"), insert);
    assert_eq!(scalar(&mut db.connect("olga"), "SELECT role FROM leadguard.domain_rule"), "COLLABORATOR");
    accepted(&mut db.connect("ann"), "UPDATE leadguard.domain_rule SET role = 'CREATOR'");
    accepted(&mut db.connect("ann"), "DELETE FROM leadguard.domain_rule");
    refused(&mut db.connect("ann"), "TRUNCATE leadguard.domain_rule", "42501");
}

// Whoever manages the organization without administering it gives nobody more than he has.
#[test]
fn p4_no_rule_gives_more_than_its_maker_has() {
    let db = lab("domains_above");
    join(&db, "olga", "person", "Admin", "default");
    let insert = |role: &str| {
        format!("INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('acme.com', 'own', '{role}')")
    };
    for role in ["Owner", "ADMIN", "administrator", "Admin"] {
        refused(&mut db.connect("olga"), &insert(role), "42501");
        assert_eq!(allowed(&mut db.connect("ann"), &insert(role)), 1, "{role}");
    }
    assert_eq!(allowed(&mut db.connect("olga"), &insert("Member")), 1);
}

#[test]
fn d27_rules_are_of_one_organization() {
    let db = lab("domains_org");
    join(&db, "zara", "person", "ADMIN", "globex");
    rule(&db, "acme.com", "own", "CREATOR");
    let mut zara = db.connect("zara");
    assert_eq!(rows(&mut zara, "SELECT * FROM leadguard.domain_rule"), Vec::<Vec<String>>::new());
    assert_eq!(accepted(&mut zara, "DELETE FROM leadguard.domain_rule"), 0);
    assert_eq!(rows(&mut zara, "SELECT * FROM leadguard.role_for('a@acme.com')"), [["person", "∅"]]);
    refused(&mut zara, "SELECT * FROM leadguard.role_for('a@acme.com', 'default')", "42501");
    refused(&mut zara, "SELECT * FROM leadguard.role_for('a@acme.com', 'nowhere')", "42501");
    refused(
        &mut zara,
        "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('x.com', 'own', 'CREATOR')",
        "42501",
    );
    // The same domain, another rule.
    accepted(
        &mut zara,
        "INSERT INTO leadguard.domain_rule (org_id, domain, kind, role) VALUES (leadguard.current_organization(), 'acme.com', 'partner', 'GUEST')",
    );
    assert_eq!(rows(&mut zara, "SELECT * FROM leadguard.role_for('a@acme.com')"), [["guest", "GUEST"]]);
    assert_eq!(becomes(&db, "a@acme.com"), "person CREATOR");
    refused(&mut db.admin(), "SELECT * FROM leadguard.role_for('a@acme.com', 'nowhere')", "22023");
}

#[test]
fn d24_a_rule_makes_sense() {
    let db = lab("domains_form");
    let mut ann = db.connect("ann");
    for (values, state) in [
        ("'', 'own', 'CREATOR'", "23514"),
        ("'a b.com', 'own', 'CREATOR'", "23514"),
        ("'*acme.com', 'own', 'CREATOR'", "23514"),
        ("'*.*.com', 'own', 'CREATOR'", "23514"),
        ("'acme.com.', 'own', 'CREATOR'", "23514"),
        ("'a@acme.com', 'own', 'CREATOR'", "23514"),
        ("'acme.com', 'other', 'CREATOR'", "23514"),
        ("'acme.com', 'own', 'nothing'", "23503"),
        ("'acme.com', 'own', 'system'", "23514"),
        ("NULL, 'own', 'CREATOR'", "23502"),
    ] {
        refused(&mut ann, &format!("INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ({values})"), state);
    }
    accepted(&mut ann, "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('ACME.com', 'own', 'CREATOR')");
    refused(
        &mut ann,
        "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('acme.COM', 'own', 'CREATOR')",
        "23505",
    );
}
