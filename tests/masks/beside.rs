//! Ways around the view: partitions with privileges of their own, generated columns, rules without a view.

use super::{masked, rules::signed};
use leadguard_tests::*;

const DEAL: &str = "
    CREATE TABLE crm.deal (id int, owner_id bigint, val text, reg text, PRIMARY KEY (id, reg)) PARTITION BY LIST (reg);
    CREATE TABLE crm.deal_a PARTITION OF crm.deal FOR VALUES IN ('a');
    INSERT INTO crm.deal SELECT 1, id, 'secret', 'a' FROM leadguard.member WHERE key = 'alice';
    SELECT leadguard.protect('crm.deal', id => 'id', owner => 'owner_id');
    SELECT leadguard.mask('crm.deal', 'val', 'full', '{own}')";

#[test]
fn partitions_that_come_later_carry_no_privileges() {
    let db = Db::new("mask_later");
    org(&db);
    let mut admin = db.admin();
    let mona = db.role("mona");
    accepted(&mut admin, DEAL);
    let create = "CREATE TABLE crm.deal_b PARTITION OF crm_base.deal FOR VALUES IN ('b')";
    accepted(&mut admin, &format!("ALTER DEFAULT PRIVILEGES IN SCHEMA crm GRANT SELECT ON TABLES TO \"{mona}\""));
    let error = refused(&mut admin, create, "55000");
    assert!(error.detail().unwrap().contains("crm.deal_b") && error.hint().unwrap().contains("REVOKE"), "{error:?}");
    // Made by itself and attached: with the privileges, with some of a column, without.
    let attach = "ALTER TABLE crm_base.deal ATTACH PARTITION crm.deal_c FOR VALUES IN ('c')";
    accepted(&mut admin, "CREATE TABLE crm.deal_c (LIKE crm_base.deal INCLUDING INDEXES)");
    refused(&mut admin, attach, "55000");
    accepted(
        &mut admin,
        &format!("REVOKE ALL ON crm.deal_c FROM \"{mona}\"; GRANT SELECT (val) ON crm.deal_c TO PUBLIC"),
    );
    refused(&mut admin, attach, "55000");
    accepted(&mut admin, "REVOKE SELECT (val) ON crm.deal_c FROM PUBLIC");
    accepted(&mut admin, attach);
    accepted(&mut admin, &format!("ALTER DEFAULT PRIVILEGES IN SCHEMA crm REVOKE SELECT ON TABLES FROM \"{mona}\""));
    accepted(&mut admin, create);
    // One that brings the protection along.
    let detach = "ALTER TABLE crm_base.deal DETACH PARTITION crm.deal_b";
    let again = "ALTER TABLE crm_base.deal ATTACH PARTITION crm.deal_b FOR VALUES IN ('b')";
    accepted(&mut admin, &format!("{detach}; GRANT SELECT ON crm.deal_b TO \"{mona}\""));
    refused(&mut admin, again, "55000");
    accepted(&mut admin, &format!("REVOKE SELECT ON crm.deal_b FROM \"{mona}\""));
    accepted(&mut admin, again);
    // Below a partition.
    let below = "CREATE TABLE crm.deal_d PARTITION OF crm_base.deal FOR VALUES IN ('d') PARTITION BY LIST (reg);
                 CREATE TABLE crm.deal_dd PARTITION OF crm.deal_d FOR VALUES IN ('d')";
    accepted(&mut admin, below);
    accepted(&mut admin, "GRANT SELECT ON crm.deal_dd TO PUBLIC");
    refused(&mut admin, "CREATE TABLE crm.deal_e PARTITION OF crm_base.deal FOR VALUES IN ('e')", "55000");
    for leaf in ["deal_a", "deal_b", "deal_c"] {
        refused(&mut db.connect("mona"), &format!("SELECT val FROM crm.{leaf}"), "42501");
    }
    assert_eq!(scalar(&mut db.connect("mona"), "SELECT val FROM crm.deal"), "***");
}

#[test]
fn generated_columns_do_not_show_what_is_masked() {
    let db = Db::new("mask_generated");
    org(&db);
    let mut admin = db.admin();
    let mask = "SELECT leadguard.mask('crm.lead', 'email', 'full')";
    let low = "low text GENERATED ALWAYS AS (lower(email)) STORED";
    accepted(
        &mut admin,
        &format!(
            "ALTER TABLE crm.lead ADD COLUMN {low}, ADD COLUMN twice numeric GENERATED ALWAYS AS (amount * 2) STORED"
        ),
    );
    let error = refused(&mut admin, mask, "55000");
    assert!(error.message().contains("\"low\"") && error.message().contains("\"email\""), "{error:?}");
    refused(&mut admin, &mask.replace("'full'", "'full', dry_run => true"), "55000");
    accepted(&mut admin, "ALTER TABLE crm.lead DROP COLUMN low");
    accepted(&mut admin, mask);
    let mut tom = db.connect("tom");
    assert_eq!(rows(&mut tom, "SELECT email, twice FROM crm.lead WHERE id = 11"), [["***", "2200"]]);
    // Of a concealed table, as a new column and as a new mask.
    refused(&mut admin, &format!("ALTER TABLE crm_base.lead ADD COLUMN {low}"), "55000");
    accepted(&mut admin, "ALTER TABLE crm_base.lead ADD COLUMN low text GENERATED ALWAYS AS (lower(name)) STORED");
    assert_eq!(scalar(&mut tom, "SELECT low FROM crm.lead WHERE id = 11"), "lead 11");
    refused(&mut admin, "SELECT leadguard.mask('crm.lead', 'name', 'full')", "55000");
    accepted(
        &mut admin,
        "ALTER TABLE crm_base.lead ALTER COLUMN low DROP EXPRESSION;
         SELECT leadguard.mask('crm.lead', 'name', 'full'), leadguard.mask('crm.lead', 'low', 'full')",
    );
    assert_eq!(rows(&mut tom, "SELECT name, low FROM crm.lead WHERE id = 11"), [["***", "***"]]);
    accepted(&mut tom, "UPDATE crm.lead SET amount = 5 WHERE id = 11");
    assert_eq!(scalar(&mut tom, "SELECT twice FROM crm.lead WHERE id = 11"), "10");
}

#[test]
fn generated_columns_do_not_show_what_is_closed() {
    let db = masked("mask_generated_closed");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm_base.lead ADD COLUMN attrs jsonb, ADD COLUMN low text GENERATED ALWAYS AS (lower(name)) STORED,
             ADD COLUMN size text GENERATED ALWAYS AS (attrs ->> 'size') STORED",
    );
    let sign = |version: i32, cells: &str| {
        accepted(
            &mut db.admin(),
            &format!(
                "SELECT leadguard.set_fields('crm.lead', '{cells}'); SELECT leadguard.propose_fields('crm.lead', '{{mona}}')"
            ),
        );
        format!("SELECT leadguard.sign_fields('crm.lead', {version})")
    };
    let mut mona = db.connect("mona");
    for (version, cells) in [
        (1, r#"{"name": {"sales": "no access"}}"#),
        (2, r#"{"name": {"sales": "read-only"}, "attrs.size": {"sales": "no access"}}"#),
    ] {
        let sign = sign(version, cells);
        let error = refused(&mut mona, &sign, "55000");
        assert!(error.message().starts_with("generated column"), "{error:?}");
        accepted(&mut admin, "SELECT leadguard.discard_fields('crm.lead')");
    }
    accepted(&mut admin, "ALTER TABLE crm_base.lead ALTER COLUMN low DROP EXPRESSION");
    signed(&db, 3, r#"{"name": {"sales": "no access"}, "low": {"sales": "no access"}}"#);
    assert_eq!(rows(&mut db.connect("tom"), "SELECT name, low FROM crm.lead WHERE id = 11"), [["∅", "∅"]]);
    assert_eq!(scalar(&mut db.connect("vp"), "SELECT low FROM crm.lead WHERE id = 1"), "lead 1");
    // What is not listed is closed together: attrs and size.
    accepted(&mut admin, "SELECT leadguard.set_field_default('crm.lead', 'no access')");
    refused(
        &mut admin,
        "ALTER TABLE crm_base.lead ADD COLUMN up text GENERATED ALWAYS AS (upper(name)) STORED; SELECT leadguard.set_field_default('crm.lead', 'editor')",
        "55000",
    );
    accepted(&mut admin, "SELECT leadguard.set_field_default('crm.lead', 'editor')");
}

#[test]
fn a_closed_default_needs_the_view() {
    let db = Db::new("mask_default");
    org(&db);
    let mut admin = db.admin();
    let close = "SELECT leadguard.set_field_default('crm.lead', 'no access')";
    let error = refused(&mut admin, close, "55000");
    assert!(error.hint().unwrap().contains("leadguard.conceal('crm.lead')"), "{error:?}");
    accepted(
        &mut admin,
        "SELECT leadguard.set_field_default('crm.lead', 'editor'); SELECT leadguard.conceal('crm.lead')",
    );
    accepted(&mut admin, close);
    assert_eq!(scalar(&mut db.connect("alice"), "SELECT name FROM crm.lead WHERE id = 1"), "∅");
    refused(&mut admin, "SELECT leadguard.reveal('crm.lead')", "55000");
    accepted(
        &mut admin,
        "SELECT leadguard.set_field_default('crm.lead', 'editor'); SELECT leadguard.reveal('crm.lead')",
    );
    assert_eq!(scalar(&mut db.connect("alice"), "SELECT name FROM crm.lead WHERE id = 1"), "lead 1");
    // Where every column is mapped nothing is hidden, and the next column would be.
    accepted(
        &mut admin,
        "CREATE TABLE crm.bare (id bigint PRIMARY KEY, owner_id bigint);
         SELECT leadguard.protect('crm.bare', id => 'id', owner => 'owner_id'); SELECT leadguard.conceal('crm.bare');
         SELECT leadguard.set_field_default('crm.bare', 'no access')",
    );
    refused(&mut admin, "SELECT leadguard.reveal('crm.bare')", "55000");
    accepted(
        &mut admin,
        "SELECT leadguard.set_field_default('crm.bare', 'editor'); SELECT leadguard.reveal('crm.bare')",
    );
}

#[test]
fn lists_of_names_hold_no_null() {
    let db = masked("mask_nulls");
    let (mut admin, mut alice) = (db.admin(), db.connect("alice"));
    for call in ["mask('crm.lead', 'name', 'full', '{own,NULL}')", "set_archive('crm.lead', attribution => '{NULL}')"] {
        for client in [&mut admin, &mut alice] {
            let error = refused(client, &format!("SELECT leadguard.{call}"), "22023");
            assert!(error.message().contains("must not contain NULL"), "{error:?}");
        }
        refused(&mut alice, &format!("SELECT leadguard.{}", call.replace("NULL", "own")), "42501");
    }
    accepted(
        &mut admin,
        "SELECT leadguard.mask('crm.lead', 'name', 'full', '{own}'), leadguard.set_archive('crm.lead', attribution => '{name}')",
    );
}
