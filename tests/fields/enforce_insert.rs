//! New rows: a column that the member may not write stays empty or gets its default.

use crate::enforce_lab::{matrix, story};
use leadguard_tests::*;

#[test]
fn a_column_of_others_stays_empty_or_default() {
    let db = story("i_default");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead ALTER COLUMN source SET DEFAULT 'unknown',
             ADD COLUMN captured timestamptz DEFAULT now(), ADD COLUMN code varchar(10) DEFAULT 'c' || 1",
    );
    matrix(
        &mut admin,
        "crm.lead",
        &[
            ("source", "marketing", "owner"),
            ("captured", "marketing", "owner"),
            ("code", "marketing", "owner"),
            ("stage", "marketing", "owner"),
        ],
    );
    let mut alice = db.connect("alice");
    for values in [
        "(name) VALUES ('n')",
        "(name, source) VALUES ('n', DEFAULT)",
        "(name, source) VALUES ('n', 'unknown')",
        "(name, source) VALUES ('n', NULL)",
        "(name, captured) VALUES ('n', now())",
        "(name, code, stage) VALUES ('n', 'c1', 'new')",
    ] {
        assert_eq!(accepted(&mut alice, &format!("INSERT INTO crm.lead {values}")), 1, "{values}");
    }
    for values in [
        "(name, source) VALUES ('n', 'fair')",
        "(name, source) VALUES ('n', '')",
        "(name, captured) VALUES ('n', now() - interval '1 day')",
        "(name, code) VALUES ('n', 'c2')",
        "(name, stage) VALUES ('a', 'new'), ('b', 'won')",
        "(name, stage) SELECT 'n', 'won'",
    ] {
        refused(&mut alice, &format!("INSERT INTO crm.lead {values}"), "42501");
    }
    assert_eq!(
        accepted(&mut db.connect("mona"), "INSERT INTO crm.lead (source, stage, code) VALUES ('fair', 'won', 'c9')"),
        1
    );
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE id > 100 AND stage <> 'new'"), "1");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE id > 100 AND source IS NULL"), "0");
}

// Clients that name every column send NULL where they have nothing; whoever writes the column means it.
#[test]
fn null_is_the_default_of_a_column_of_others() {
    let db = story("i_null");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead ALTER COLUMN source SET DEFAULT 'unknown', ALTER COLUMN lead_score SET DEFAULT 0,
             ADD COLUMN token uuid DEFAULT gen_random_uuid()",
    );
    matrix(
        &mut admin,
        "crm.lead",
        &[("source", "marketing", "owner"), ("lead_score", "system", "owner"), ("token", "system", "owner")],
    );
    let insert =
        "INSERT INTO crm.lead (name, source, lead_score, lost_reason, token) VALUES ('n', NULL, NULL, NULL, NULL)
                  RETURNING source, lead_score, lost_reason, token IS NULL";
    assert_eq!(rows(&mut db.connect("alice"), insert), [["unknown", "0", "∅", "f"]]);
    assert_eq!(rows(&mut db.connect("mona"), insert), [["∅", "0", "∅", "f"]]);
    assert_eq!(rows(&mut db.connect("bot"), insert), [["unknown", "∅", "∅", "t"]]);
    // A trigger of others does not empty it either.
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.empty() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.lead_score := NULL; RETURN NEW; END $$;
         CREATE TRIGGER zzz BEFORE INSERT ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.empty()",
    );
    refused(&mut db.connect("alice"), "INSERT INTO crm.lead (name) VALUES ('n')", "42501");
    accepted(&mut db.connect("bot"), "INSERT INTO crm.lead (name) VALUES ('n')");
}

// Where the statement names the partition, its own default counts: none is NULL.
#[test]
fn null_in_partitions_of_other_defaults() {
    let db = story("i_null_part");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.deal (id bigint, region text, owner_id bigint, score int DEFAULT 7, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.deal_a PARTITION OF crm.deal FOR VALUES IN ('a');
         CREATE TABLE crm.deal_b (score int, region text NOT NULL, owner_id bigint, id bigint NOT NULL);
         ALTER TABLE crm.deal ATTACH PARTITION crm.deal_b FOR VALUES IN ('b');
         SELECT leadguard.protect('crm.deal', id => 'id', owner => 'owner_id'); GRANT ALL ON crm.deal, crm.deal_b TO PUBLIC",
    );
    matrix(&mut admin, "crm.deal", &[("score", "system", "owner")]);
    let mut alice = db.connect("alice");
    assert_eq!(rows(&mut alice, "INSERT INTO crm.deal (id, region) VALUES (1, 'a') RETURNING score"), [["7"]]);
    assert_eq!(
        rows(&mut alice, "INSERT INTO crm.deal (id, region, score) VALUES (2, 'a', NULL) RETURNING score"),
        [["7"]]
    );
    assert_eq!(rows(&mut alice, "INSERT INTO crm.deal (id, region) VALUES (3, 'b') RETURNING score"), [["7"]]);
    assert_eq!(rows(&mut alice, "INSERT INTO crm.deal_b (id, region) VALUES (4, 'b') RETURNING score"), [["∅"]]);
    refused(&mut alice, "INSERT INTO crm.deal (id, region, score) VALUES (5, 'b', 8)", "42501");
}

// A volatile default cannot be compared with; what came is replaced by a new value of it.
#[test]
fn a_volatile_default_is_computed_anew() {
    let db = story("i_volatile");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE SEQUENCE crm.number START 1000; GRANT USAGE ON SEQUENCE crm.number TO PUBLIC;
         ALTER TABLE crm.lead ADD COLUMN number bigint DEFAULT nextval('crm.number'), ADD COLUMN token uuid DEFAULT gen_random_uuid(),
             ADD COLUMN serial bigint GENERATED BY DEFAULT AS IDENTITY",
    );
    accepted(&mut admin, "GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO PUBLIC");
    matrix(
        &mut admin,
        "crm.lead",
        &[("number", "marketing", "owner"), ("token", "marketing", "owner"), ("serial", "marketing", "owner")],
    );
    let token = "00000000-0000-0000-0000-000000000000";
    let insert = format!(
        "INSERT INTO crm.lead (name, number, token, serial) SELECT 'planted', 7, '{token}', 7 FROM generate_series(1, 3)"
    );
    let mut alice = db.connect("alice");
    assert_eq!(accepted(&mut alice, &insert), 3);
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (name) SELECT 'left out' FROM generate_series(1, 3)"), 3);
    let planted = format!(
        "SELECT count(*) FROM crm.lead WHERE number = 7 OR token = '{token}' OR serial = 7 AND name = 'planted'"
    );
    assert_eq!(scalar(&mut admin, &planted), "0");
    assert_eq!(scalar(&mut admin, "SELECT count(DISTINCT (number, token)) FROM crm.lead WHERE id > 100"), "6");
    // A trigger of others does not put it back.
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.plant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.number := 7; RETURN NEW; END $$;
         CREATE TRIGGER zzz BEFORE INSERT ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.plant()",
    );
    refused(&mut alice, &insert, "42501");
    assert_eq!(accepted(&mut db.connect("mona"), &insert), 3);
}

#[test]
fn a_new_object_is_judged_by_its_keys() {
    let db = story("i_keys");
    let mut alice = db.connect("alice");
    for attrs in ["{\"size\": 7}", "{\"size\": 7, \"colour\": \"red\"}", "{}"] {
        assert_eq!(accepted(&mut alice, &format!("INSERT INTO crm.lead (attrs) VALUES ('{attrs}')")), 1, "{attrs}");
    }
    for attrs in ["{\"size\": 7, \"budget\": 1}", "{\"budget\": null}", "[1]", "3"] {
        refused(&mut alice, &format!("INSERT INTO crm.lead (attrs) VALUES ('{attrs}')"), "42501");
    }
    accepted(&mut db.admin(), "ALTER TABLE crm.lead ALTER COLUMN attrs SET DEFAULT '{\"budget\": 0}'");
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (name) VALUES ('x')"), 1);
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (attrs) VALUES ('{\"budget\": 0, \"size\": 1}')"), 1);
    refused(&mut alice, "INSERT INTO crm.lead (attrs) VALUES ('{\"budget\": 1, \"size\": 1}')", "42501");
}
