//! Findings about records and the people around them.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k54_records_without_an_owner() {
    let db = lab("ownerless");
    assert_eq!(found(&db, "monthly", "record_without_owner"), [""; 0]);
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.lead (id) VALUES (10), (11); INSERT INTO crm.lead (id, archived_at) VALUES (12, now());
         INSERT INTO crm.lead (id, owner_id) VALUES (13, 99999)",
    );
    assert_eq!(found(&db, "monthly", "record_without_owner"), ["table crm.lead"]);
    let counts =
        "SELECT evidence ->> 'without' || ' ' || (evidence ->> 'unknown') || ' ' || (evidence ->> 'counted_for')
                  FROM leadguard.findings() WHERE finding = 'record_without_owner'";
    assert_eq!(scalar(&mut db.connect("olga"), counts), "2 1 olga");
    solved_by(&db, &mut db.connect("olga"), "record_without_owner", &["table crm.lead"]);
}

#[test]
fn k54_a_review_counts_what_its_holder_may_read() {
    let db = lab("counted");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('auditor', 1, '{audit}')",
    );
    give(&db, "rep", "auditor");
    accepted(&mut db.admin(), "INSERT INTO crm.lead (id) VALUES (10)");
    let run = "SELECT subject FROM leadguard.audit_run('monthly') WHERE finding = 'record_without_owner'";
    assert_eq!(rows(&mut db.connect("rep"), run).len(), 0, "he does not see it");
    assert_eq!(found(&db, "monthly", "record_without_owner"), ["table crm.lead"]);
    // Nor does who reads only some of it, like rep one of two.
    accepted(&mut db.admin(), "INSERT INTO crm.lead (id, owner_id) VALUES (11, 99999), (12, 99999)");
    assert_eq!(found(&db, "monthly", "record_without_owner"), ["table crm.lead"]);
    accepted(&mut db.admin(), "SELECT leadguard.share('crm.lead', '11', 'rep', 'read')");
    assert_eq!(rows(&mut db.connect("rep"), run).len(), 1);
    let evidence = "SELECT severity || ' ' || (evidence ->> 'without') || ' ' || (evidence ->> 'unknown') || ' ' || (evidence ->> 'counted_for')
         FROM leadguard.findings() WHERE finding = 'record_without_owner'";
    assert_eq!(scalar(&mut db.connect("olga"), evidence), "medium 1 2 olga", "more is known already");
    assert_eq!(
        scalar(
            &mut db.connect("olga"),
            "SELECT status FROM leadguard.findings(NULL) WHERE finding = 'record_without_owner'"
        ),
        "open",
        "who does not look everywhere does not close it"
    );
    accepted(&mut db.admin(), &format!("REVOKE SELECT ON crm.lead FROM \"{}\"", db.role("olga")));
    let again = "SELECT severity || ' ' || coalesce(evidence ->> 'result', '') FROM leadguard.audit_run('monthly') WHERE finding = 'record_without_owner'";
    assert_eq!(scalar(&mut db.connect("olga"), again), "medium ", "what was measured before stays");
    accepted(&mut db.admin(), "DELETE FROM leadguard.finding WHERE finding = 'record_without_owner'");
    assert_eq!(scalar(&mut db.connect("olga"), again), "info not measured");
}

#[test]
fn k54_a_concealed_table_and_one_of_several_organizations_are_counted_too() {
    let db = lab("concealed");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.conceal('crm.lead'); INSERT INTO crm_base.lead (id) VALUES (10);
         CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_key text, org text);
         SELECT leadguard.protect('crm.deal', owner => 'owner_key', organization => 'org');
         INSERT INTO crm.deal VALUES (1, 'rep', 'default'), (2, NULL, 'globex'), (3, 'zed', 'globex')",
    );
    assert_eq!(found(&db, "monthly", "record_without_owner"), ["table crm.lead"], "the deal is one of globex");
    accepted(&mut db.admin(), "UPDATE crm.deal SET org = 'default' WHERE id = 2");
    solved_by(&db, &mut db.connect("olga"), "record_without_owner", &["table crm.deal", "table crm.lead"]);
}

#[test]
fn d29_d33_deals_have_a_buyer_and_a_seller() {
    let db = lab("sides");
    let mut rep = db.connect("rep");
    accepted(
        &mut rep,
        "SELECT leadguard.contact_add('crm.lead', '1', 'BUYER', name => 'Bea'); SELECT leadguard.contact_add('crm.lead', '1', 'SELLER', member => 'rep')",
    );
    assert_eq!(found(&db, "quarterly", "record_without_side"), [""; 0]);
    accepted(&mut rep, "SELECT leadguard.contact_add('crm.lead', '2', 'BUYER', name => 'Ben')");
    accepted(&mut db.connect("ray"), "SELECT leadguard.contact_add('crm.lead', '3', 'SELLER', member => 'ray')");
    found_until_solved(&db, "record_without_side", &["crm.lead, no BUYER", "crm.lead, no SELLER"]);
}

#[test]
fn d28_guests_are_contacts_of_what_they_reach() {
    let db = lab("marks");
    accepted(&mut db.admin(), "SELECT leadguard.share('crm.lead', '1', 'gus', 'read')");
    found_until_solved(&db, "guest_without_mark", &["member gus in crm.lead"]);
}

#[test]
fn d29_contacts_stand_on_the_side_that_their_domain_says() {
    let db = lab("outside_rules");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('acme.com', 'own', 'COLLABORATOR'), ('buyer.com', 'customer', 'GUEST')",
    );
    let mut rep = db.connect("rep");
    accepted(
        &mut rep,
        "SELECT leadguard.contact_add('crm.lead', '1', 'BUYER', name => 'a', email => 'a@buyer.com');
         SELECT leadguard.contact_add('crm.lead', '1', 'SELLER', name => 'b', email => 'b@acme.com');
         SELECT leadguard.contact_add('crm.lead', '1', 'BUYER', name => 'c', email => 'c@else.org')",
    );
    assert_eq!(found(&db, "quarterly", "contact_outside_rules"), [""; 0]);
    accepted(
        &mut rep,
        "SELECT leadguard.contact_add('crm.lead', '1', 'SELLER', name => 'd', email => 'd@buyer.com');
         SELECT leadguard.contact_add('crm.lead', '1', 'BUYER', name => 'e', email => 'e@acme.com')",
    );
    found_until_solved(
        &db,
        "contact_outside_rules",
        &["crm.lead, BUYER instead of SELLER", "crm.lead, SELLER instead of BUYER"],
    );
}

#[test]
fn k31_a_window_that_cannot_be_counted_is_found() {
    let db = lab("window");
    assert_eq!(found(&db, "monthly", "window_not_counted"), [""; 0]);
    accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.lead', 'batch_window', '60')");
    assert_eq!(found(&db, "monthly", "window_not_counted"), ["crm.lead"]);
    accepted(&mut db.admin(), "SELECT leadguard.reset_switch('crm.lead', 'batch_window')");
    assert_eq!(found(&db, "monthly", "window_not_counted"), [""; 0]);
}

#[test]
fn k54_a_table_that_cannot_be_read_does_not_keep_others_from_reviewing() {
    let db = lab("boom");
    accepted(&mut db.admin(), "INSERT INTO crm.lead (id) VALUES (10)");
    for error in ["P0001", "XX000", "40001"] {
        accepted(
            &mut db.admin(),
            &format!(
                "CREATE TABLE IF NOT EXISTS crm.bad (id bigint PRIMARY KEY, owner_id bigint); INSERT INTO crm.bad VALUES (1) ON CONFLICT DO NOTHING;
                 CREATE OR REPLACE FUNCTION crm.boom() RETURNS boolean LANGUAGE plpgsql AS
                     $$ BEGIN RAISE EXCEPTION 'boom' USING ERRCODE = '{error}'; END $$;
                 GRANT USAGE ON SCHEMA crm TO PUBLIC"
            ),
        );
        if error == "P0001" {
            accepted(
                &mut db.admin(),
                "SELECT leadguard.protect('crm.bad', owner => 'owner_id'); CREATE POLICY boom ON crm.bad AS RESTRICTIVE USING (crm.boom())",
            );
        }
        let found = rows(
            &mut db.connect("olga"),
            "SELECT subject, severity, evidence ->> 'why' FROM leadguard.audit_run('monthly') WHERE finding = 'record_without_owner' ORDER BY 1",
        );
        assert_eq!(
            found,
            [["table crm.bad", "info", "the table cannot be read"], ["table crm.lead", "medium", "∅"]],
            "{error}"
        );
    }
}

#[test]
fn k31_a_suggestion_keeps_what_the_server_preloads() {
    let db = lab("preloads");
    let before = scalar(&mut db.admin(), "SHOW shared_preload_libraries");
    let suggested = scalar(&mut db.admin(), "SELECT leadguard.review_preload()");
    for name in before.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        assert!(suggested.contains(&format!("'{name}'")), "{suggested}");
    }
    assert!(suggested.starts_with("ALTER SYSTEM SET shared_preload_libraries = "), "{suggested}");
    assert_eq!(suggested.matches("'leadguard'").count(), 1, "{suggested}");
}
