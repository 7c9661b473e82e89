//! What `protect` refuses, and that a refusal changes nothing.

use crate::protect::plain;
use crate::snapshot::{same, snapshot};
use leadguard_tests::*;

/// Runs a `protect` that must fail with one of the codes a DBA can understand.
#[track_caller]
fn no(client: &mut Client, call: &str, codes: &[&str]) -> DbError {
    let sql = format!("SELECT * FROM leadguard.protect({call})");
    let state = code(client, &sql);
    assert!(codes.contains(&state.as_str()), "{state} instead of {codes:?}: {call}");
    refused(client, &sql, &state)
}

const WRONG: [&str; 5] = ["22023", "42809", "42703", "0A000", "55000"];

#[test]
fn what_is_no_table_is_refused() {
    let db = plain("ref_kind");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE VIEW crm.v AS SELECT * FROM crm.lead;
         CREATE MATERIALIZED VIEW crm.m AS SELECT * FROM crm.lead;
         CREATE SEQUENCE crm.s;
         CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far;
         CREATE FOREIGN TABLE crm.f (id bigint, owner_id bigint) SERVER away;
         CREATE TYPE crm.c AS (id bigint, owner_id bigint)",
    );
    for what in ["crm.v", "crm.m", "crm.f", "crm.s", "crm.c", "crm.lead_pkey"] {
        no(&mut admin, &format!("'{what}', id => 'id', owner => 'owner_id'"), &WRONG);
    }
    for what in ["leadguard.member", "leadguard.record_grant", "pg_catalog.pg_class"] {
        no(
            &mut admin,
            &format!("'{what}', id => 'oid', owner => 'oid'"),
            &["22023", "42809", "42703", "0A000", "55000", "42501"],
        );
    }
    no(&mut admin, "NULL, id => 'id', owner => 'owner_id'", &["22023", "22004"]);
    accepted(&mut admin, "SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id')");
}

#[test]
fn a_table_without_usable_key_is_refused() {
    let db = plain("ref_key");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.no_key (id bigint NOT NULL, owner_id bigint);
         CREATE TABLE crm.nullable (id bigint UNIQUE, owner_id bigint);
         CREATE TABLE crm.partial (id bigint NOT NULL, owner_id bigint); CREATE UNIQUE INDEX ON crm.partial (id) WHERE owner_id > 0;
         CREATE TABLE crm.expression (id bigint NOT NULL, owner_id bigint); CREATE UNIQUE INDEX ON crm.expression ((id + 1));
         CREATE TABLE crm.pair (id bigint, part bigint, owner_id bigint, PRIMARY KEY (id, part))",
    );
    for table in ["no_key", "nullable", "partial", "expression", "pair"] {
        no(&mut admin, &format!("'crm.{table}', id => 'id', owner => 'owner_id'"), &WRONG);
    }
    accepted(&mut admin, "ALTER TABLE crm.nullable ALTER id SET NOT NULL; ALTER TABLE crm.no_key ADD PRIMARY KEY (id)");
    for table in ["no_key", "nullable"] {
        accepted(&mut admin, &format!("SELECT leadguard.protect('crm.{table}', id => 'id', owner => 'owner_id')"));
    }
}

#[test]
fn missing_columns_and_wrong_types_are_named() {
    let db = plain("ref_columns");
    let mut admin = db.admin();
    let error = no(&mut admin, "'crm.lead', id => 'id', owner => 'ownr'", &["42703", "22023"]);
    assert!(format!("{error:?}").contains("ownr"), "{error:?}");
    for call in [
        "'crm.lead', id => 'nothing', owner => 'owner_id'",
        "'crm.lead', id => 'id', owner => 'owner_id', territory => 'nothing'",
        "'crm.lead', id => 'id', owner => 'owner_id', creator => 'nothing'",
        "'crm.lead', id => 'id', owner => 'owner_id', organization => 'nothing'",
        "'crm.lead', id => 'id', owner => 'ctid'",
        "'crm.lead', id => 'id', owner => 'OWNER_ID'",
        "'crm.lead', id => 'id'",
    ] {
        no(&mut admin, call, &["42703", "22023", "0A000"]);
    }
    for kind in ["jsonb", "numeric", "timestamptz", "boolean", "float8", "int8[]", "bytea", "point"] {
        accepted(&mut admin, &format!("CREATE TABLE crm.t (id bigint PRIMARY KEY, who {kind}, owner_id bigint)"));
        for role in
            ["owner => 'who'", "owner => 'owner_id', territory => 'who'", "owner => 'owner_id', creator => 'who'"]
        {
            let error = no(&mut admin, &format!("'crm.t', id => 'id', {role}"), &WRONG);
            assert!(format!("{error:?}").contains("who"), "{error:?}");
        }
        accepted(&mut admin, "DROP TABLE crm.t");
    }
    for kind in ["numeric", "date", "bytea", "int4range"] {
        accepted(&mut admin, &format!("CREATE TABLE crm.t (id {kind} PRIMARY KEY, owner_id bigint)"));
        no(&mut admin, "'crm.t', id => 'id', owner => 'owner_id'", &WRONG);
        accepted(&mut admin, "DROP TABLE crm.t");
    }
}

#[test]
fn parts_that_cannot_carry_a_rule_are_refused() {
    let db = plain("ref_parts");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead ADD extra text, ADD flag boolean, ADD at timestamptz;
         CREATE TABLE crm.account (id text PRIMARY KEY, owner_id bigint)",
    );
    let before = snapshot(&mut admin, "crm.lead");
    for (extra, code) in [
        ("stage => 'at'", "22023"),
        ("stage => 'gone'", "42703"),
        ("status => 'flag'", "22023"),
        ("sensitive => 'amount'", "22023"),
        ("sensitive => 'gone'", "42703"),
        ("segment => 'extra', team => 'extra'", "22023"),
        ("stage => 'extra', segment => 'extra'", "22023"),
        ("parent => 'crm.account'", "22023"),
        ("parent => 'crm.account', parent_column => 'extra'", "55000"),
        ("object => 'ticket'", "22023"),
        ("object => NULL", "22023"),
    ] {
        no(&mut admin, &format!("'crm.lead', id => 'id', owner => 'owner_id', {extra}"), &[code]);
    }
    no(&mut admin, "'crm.lead', 'five_role', id => 'id', owner => 'owner_id'", &["22023"]);
    same(&before, &snapshot(&mut admin, "crm.lead"));
    accepted(&mut admin, "SELECT leadguard.protect('crm.account', id => 'id', owner => 'owner_id')");
    no(&mut admin, "'crm.lead', id => 'id', owner => 'owner_id', parent => 'crm.account', parent_column => 'owner_id'", &["22023"]);
    no(&mut admin, "'crm.lead', id => 'id', owner => 'owner_id', parent => 'crm.lead', parent_column => 'extra'", &["55000"]);
    accepted(
        &mut admin,
        "SELECT leadguard.protect('crm.lead', 'organization', id => 'id', owner => 'owner_id', object => 'deal',
                parent => 'crm.account', parent_column => 'extra', sensitive => 'flag')",
    );
}

#[test]
fn unknown_words_are_refused() {
    let db = plain("ref_words");
    let mut admin = db.admin();
    for extra in [
        "existing => 'ignore'",
        "indexes => 'some'",
        "preset => 'mine'",
        "org_key => 'nobody'",
        "existing => NULL",
        "indexes => NULL",
    ] {
        no(&mut admin, &format!("'crm.lead', id => 'id', owner => 'owner_id', {extra}"), &["22023", "42704"]);
    }
    accepted(
        &mut admin,
        "SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', existing => 'refuse', indexes => 'create', org_key => 'default')",
    );
}

#[test]
fn a_protected_table_is_not_protected_again() {
    let db = plain("ref_again");
    let mut admin = db.admin();
    accepted(&mut admin, "SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id')");
    let before = snapshot(&mut admin, "crm.lead");
    no(&mut admin, "'crm.lead', id => 'id', territory => 'territory_id'", &["22023", "55000", "42710"]);
    same(&before, &snapshot(&mut admin, "crm.lead"));
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    accepted(&mut admin, "SELECT leadguard.protect('crm.lead', id => 'id', territory => 'territory_id')");
    assert_eq!(leads(&db, "alice"), set(""), "only territories count now");
    assert_eq!(leads(&db, "tess"), set("3"));
}

#[test]
fn a_refusal_leaves_nothing_behind() {
    let db = plain("ref_atomic");
    let mut admin = db.admin();
    // The index that protect would create last cannot be created.
    accepted(&mut admin, "CREATE POLICY leadguard_open ON crm.lead AS RESTRICTIVE USING (true)");
    let before = snapshot(&mut admin, "crm.lead");
    let _ = code(&mut admin, "SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id')");
    if scalar(&mut admin, "SELECT count(*) FROM leadguard.protected") == "0" {
        same(&before, &snapshot(&mut admin, "crm.lead"));
    }
    accepted(&mut admin, "DROP POLICY IF EXISTS leadguard_open ON crm.lead");
}

#[test]
fn inheritance_is_no_way_around() {
    let db = plain("ref_inherit");
    let mut admin = db.admin();
    let carl = member(&mut admin, "carl");
    accepted(
        &mut admin,
        "CREATE TABLE crm.child () INHERITS (crm.lead); INSERT INTO crm.child SELECT 11, owner_id FROM crm.lead WHERE id = 1",
    );
    if code(&mut admin, "SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id')") == "ok" {
        inherited_rows_are_guarded(&db, carl);
        return;
    }
    accepted(&mut admin, "DROP TABLE crm.child; SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id')");
    // A child that comes later is refused as well, or guarded.
    if code(&mut admin, "CREATE TABLE crm.child () INHERITS (crm.lead)") == "ok" {
        accepted(&mut admin, "INSERT INTO crm.child SELECT 11, owner_id FROM crm.lead WHERE id = 1");
        inherited_rows_are_guarded(&db, carl);
    }
    accepted(&mut admin, "CREATE TABLE crm.later (LIKE crm.lead)");
    if code(&mut admin, "ALTER TABLE crm.later INHERIT crm.lead") == "ok" {
        accepted(&mut admin, "INSERT INTO crm.later SELECT 12, owner_id FROM crm.lead WHERE id = 1");
        inherited_rows_are_guarded(&db, carl);
    }
}

/// Row 11 belongs to alice: carl, who may read it, changes it neither through the parent nor directly.
fn inherited_rows_are_guarded(db: &Db, carl: i64) {
    let mut admin = db.admin();
    let role = db.role("carl");
    accepted(&mut admin, &format!("GRANT ALL ON ALL TABLES IN SCHEMA crm TO \"{role}\""));
    let _ = code(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '11', 'carl', 'read')");
    let mut session = db.connect("carl");
    for table in ["lead", "child", "later"] {
        let _ = code(&mut session, &format!("UPDATE crm.{table} SET name = 'taken', owner_id = {carl} WHERE id > 10"));
        let _ = code(&mut session, &format!("DELETE FROM crm.{table} WHERE id > 10"));
    }
    assert_eq!(
        scalar(
            &mut admin,
            &format!(
                "SELECT count(*) FROM crm.lead WHERE id > 10 AND owner_id <> {carl} AND name IS DISTINCT FROM 'taken'"
            )
        ),
        "1"
    );
}
