//! What was taken from somebody is not given back by a transaction of his that was open before.

use leadguard_tests::{Client, Db, accepted, code, org, refused, scalar};

const LEVELS: [&str; 2] = ["REPEATABLE READ", "SERIALIZABLE"];

/// A transaction of `who` that has read something.
fn old(db: &Db, who: &str, level: &str) -> Client {
    let mut session = db.connect(who);
    accepted(&mut session, &format!("BEGIN ISOLATION LEVEL {level}"));
    scalar(&mut session, "SELECT count(*) FROM crm.lead");
    session
}

#[test]
fn i05_an_old_transaction_shares_nothing_that_is_not_its_members_any_more() {
    for level in LEVELS {
        for (change, answer) in [
            (
                "UPDATE crm.lead SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'bob') WHERE id = 1",
                "42501",
            ),
            ("UPDATE crm.lead SET name = 'other' WHERE id = 1", "ok"),
        ] {
            for gives in [
                "SELECT leadguard.share('crm.lead', '1', 'tina', 'full', 'x')",
                "SELECT leadguard.share('crm.lead', '1', 'alice', 'full', 'x', retained => true)",
                "SELECT leadguard.team_add('crm.lead', '1', 'tina', 'full')",
                "SELECT leadguard.invite('crm.lead', '1', 'new', 'G', 'g@x.example', 'read', 'x')",
                "SELECT leadguard.contact_add('crm.lead', '1', member => 'tina')",
            ] {
                let db = Db::new("i05_shares");
                org(&db);
                accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.lead', 'reason_required', 'off')");
                let mut alice = old(&db, "alice", level);
                accepted(&mut db.admin(), change);
                let given = code(&mut alice, gives);
                assert_eq!(given, answer, "{level} {change} {gives}");
                accepted(&mut alice, if given == "ok" { "COMMIT" } else { "ROLLBACK" });
                let held = "SELECT count(*) FROM leadguard.record_grant WHERE record = '1'";
                assert_eq!(scalar(&mut db.admin(), held) != "0", answer == "ok", "{gives}");
            }
        }
    }
}

#[test]
fn i05_an_old_transaction_does_not_administer_by_a_role_that_was_taken() {
    let db = Db::new("i05_administers");
    org(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.role (name, org_id, capabilities, rank) VALUES ('chief', 1, '{administer}', 95)",
    );
    let give = "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'chief' FROM leadguard.member WHERE key = 'tina'";
    let take = "DELETE FROM leadguard.member_role WHERE role = 'chief'";
    for level in LEVELS {
        for writes in [
            "INSERT INTO leadguard.territory_member (territory_id, member_id) SELECT t.id, m.id FROM leadguard.territory t, leadguard.member m WHERE m.key = 'tina' ON CONFLICT DO NOTHING",
            "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('evil.example', 'own', 'chief')",
            "INSERT INTO leadguard.job_function (name, role) VALUES ('chief', 'chief')",
            "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'chief' FROM leadguard.member WHERE key = 'alice'",
        ] {
            accepted(&mut admin, give);
            let mut tina = old(&db, "tina", level);
            accepted(&mut tina, &format!("SAVEPOINT a; {writes}; ROLLBACK TO a"));
            accepted(&mut admin, take);
            let said = code(&mut tina, writes);
            assert!(["42501", "40001"].contains(&said.as_str()), "{level} {writes}: {said}");
            accepted(&mut tina, "ROLLBACK");
        }
    }
    accepted(&mut admin, give);
    let mut tina = old(&db, "tina", "REPEATABLE READ");
    assert_eq!(scalar(&mut tina, "SELECT leadguard.has_capability('administer')"), "t");
    accepted(&mut admin, take);
    assert_eq!(scalar(&mut tina, "SELECT leadguard.has_capability('administer')"), "f");
    refused(&mut tina, "UPDATE leadguard.territory SET name = 'x'", "42501");
}

#[test]
fn k49_an_old_transaction_knows_what_is_refused_now() {
    for level in LEVELS {
        let db = Db::new("i05_schema");
        org(&db);
        let mut admin = db.admin();
        let mut dba = db.admin();
        for (refuses, answer) in [("record", "ok"), ("refuse", "LG004")] {
            accepted(&mut dba, &format!("BEGIN ISOLATION LEVEL {level}"));
            scalar(&mut dba, "SELECT count(*) FROM crm.lead");
            accepted(&mut admin, &format!("SELECT leadguard.set_switch('crm.lead', 'schema_changes', '{refuses}')"));
            assert_eq!(
                code(&mut dba, &format!("ALTER TABLE crm.lead ADD COLUMN sneaked_{refuses} int")),
                answer,
                "{level}"
            );
            accepted(&mut dba, "ROLLBACK");
        }
    }
}

#[test]
fn k22_a_partition_that_is_older_than_the_protection_does_not_come_without_it() {
    for level in LEVELS {
        let db = Db::new("i05_partition");
        org(&db);
        let mut admin = db.admin();
        accepted(
            &mut admin,
            "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint) PARTITION BY RANGE (id);
             CREATE TABLE crm.deal_1 PARTITION OF crm.deal FOR VALUES FROM (0) TO (100)",
        );
        let mut dba = db.admin();
        accepted(&mut dba, &format!("BEGIN ISOLATION LEVEL {level}"));
        scalar(&mut dba, "SELECT count(*) FROM crm.lead");
        accepted(&mut admin, "SELECT leadguard.protect('crm.deal', owner => 'owner_id')");
        let make = "CREATE TABLE crm.deal_2 PARTITION OF crm.deal FOR VALUES FROM (100) TO (200)";
        refused(&mut dba, make, "40001");
        accepted(&mut dba, &format!("ROLLBACK; BEGIN ISOLATION LEVEL {level}; {make}; COMMIT"));
        let secured = "SELECT relrowsecurity FROM pg_class WHERE oid = 'crm.deal_2'::regclass";
        assert_eq!(scalar(&mut admin, secured), "t");
    }
}
