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
fn k54_a_review_counts_all_records_of_the_organization() {
    let db = lab("counted");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('auditor', 1, '{audit}')",
    );
    give(&db, "rep", "auditor");
    accepted(&mut db.admin(), "INSERT INTO crm.lead (id) VALUES (10)");
    // He sees no such record, and needs no privilege on the table: he is told how many there are.
    accepted(&mut db.admin(), &format!("REVOKE SELECT ON crm.lead FROM \"{}\"", db.role("rep")));
    let run =
        "SELECT evidence ->> 'without' FROM leadguard.audit_run('monthly') WHERE finding = 'record_without_owner'";
    assert_eq!(scalar(&mut db.connect("rep"), run), "1");
    assert_eq!(scalar(&mut db.connect("olga"), run), "1");
}

// The owner of a protected table can give it any form; a review must run nothing of his as whoever holds it.
#[test]
fn k54_no_code_of_a_tables_owner_runs_in_a_review() {
    let db = lab("casts");
    let maker = db.create_role("maker");
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE SCHEMA own AUTHORIZATION \"{maker}\"; GRANT USAGE ON SCHEMA own TO PUBLIC; GRANT USAGE ON SCHEMA leadguard TO \"{maker}\";
             CREATE TABLE own.seen (by text); GRANT INSERT ON own.seen TO PUBLIC"
        ),
    );
    let mut own = db.connect("maker");
    accepted(
        &mut own,
        "CREATE TABLE own.t (id bigint PRIMARY KEY, owner_id text);
         INSERT INTO own.t VALUES (1, 'rep'), (2, NULL);
         SELECT leadguard.protect('own.t', id => 'id', owner => 'owner_id')",
    );
    assert_eq!(found(&db, "monthly", "record_without_owner"), ["table own.t"]);
    accepted(
        &mut own,
        "CREATE TYPE own.evil AS (v text);
         CREATE FUNCTION own.pwn(own.evil) RETURNS text LANGUAGE plpgsql AS 'BEGIN INSERT INTO own.seen VALUES (current_user); RETURN ($1).v; END';
         CREATE CAST (own.evil AS text) WITH FUNCTION own.pwn(own.evil);
         DO $$ DECLARE r record; BEGIN
             FOR r IN SELECT polname FROM pg_policy WHERE polrelid = 'own.t'::regclass LOOP EXECUTE format('DROP POLICY %I ON own.t', r.polname); END LOOP;
             FOR r IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'own.t'::regclass AND NOT tgisinternal LOOP EXECUTE format('DROP TRIGGER %I ON own.t', r.tgname); END LOOP;
         END $$;
         DROP INDEX IF EXISTS own.leadguard_t_owner_id_idx;
         ALTER TABLE own.t NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
         ALTER TABLE own.t ALTER owner_id TYPE own.evil USING row(owner_id)::own.evil;
         GRANT SELECT ON own.t TO PUBLIC",
    );
    let how = "SELECT severity || ' ' || (evidence ->> 'result') FROM leadguard.audit_run('monthly') WHERE finding = 'record_without_owner'";
    assert_eq!(
        scalar(
            &mut db.connect("olga"),
            "SELECT severity FROM leadguard.audit_run('monthly') WHERE finding = 'record_without_owner'"
        ),
        "medium",
        "what is known stays"
    );
    accepted(&mut db.admin(), "DELETE FROM leadguard.finding");
    assert_eq!(scalar(&mut db.connect("olga"), how), "info not measured");
    accepted(&mut db.admin(), "SELECT * FROM leadguard.audit_run('monthly')");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM own.seen"), "0");
    // The cast does run for who asks the table himself.
    accepted(&mut db.admin(), "SELECT owner_id::text FROM own.t");
    assert_ne!(scalar(&mut db.admin(), "SELECT count(*) FROM own.seen"), "0");
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
