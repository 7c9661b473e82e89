//! Valid values, and transitions from one to the next.

use crate::enforce_lab::{lab, matrix, story, transition, valid_values};
use leadguard_tests::*;

#[test]
fn k6_k51_values_are_those_of_the_list() {
    let db = story("k51");
    let mut admin = db.admin();
    valid_values(&mut admin, "crm.lead", "source", &["web", "fair", "partner"]);
    valid_values(&mut admin, "crm.lead", "attrs.size", &["1", "5", "large"]);
    let mut mona = db.connect("mona");
    for value in ["'Web'", "'fair '", "''", "'radio'"] {
        let e = refused(&mut mona, &format!("UPDATE crm.lead SET source = {value} WHERE id = 1"), "23514");
        assert_eq!(e.message(), "the new value of column \"source\" of crm.lead is not valid");
        assert_eq!(e.hint().unwrap(), "Valid values: \"fair\", \"partner\", \"web\".");
    }
    refused(&mut mona, "INSERT INTO crm.lead (source) VALUES ('radio')", "23514");
    for value in ["'fair'", "NULL", "'partner'"] {
        assert_eq!(accepted(&mut mona, &format!("UPDATE crm.lead SET source = {value} WHERE id = 1")), 1);
    }
    assert_eq!(accepted(&mut mona, "INSERT INTO crm.lead (source) VALUES ('fair'), (NULL)"), 2);
    // Who may not write the field learns nothing of its values.
    let e = refused(&mut db.connect("alice"), "UPDATE crm.lead SET source = 'radio' WHERE id = 2", "42501");
    assert!(!format!("{e:?}").contains("partner"), "{e:?}");
    // Keys, as ->> gives them.
    let mut alice = db.connect("alice");
    for (value, state) in [("5", "ok"), ("\"large\"", "ok"), ("null", "ok"), ("6", "23514"), ("\"Large\"", "23514")] {
        let sql = format!("UPDATE crm.lead SET attrs = attrs || '{{\"size\": {value}}}' WHERE id = 3");
        assert_eq!(code(&mut alice, &sql), state, "{value}");
    }
    // A value from before the list may stay.
    accepted(&mut admin, "UPDATE crm.lead SET source = 'radio' WHERE id = 4");
    assert_eq!(accepted(&mut mona, "UPDATE crm.lead SET source = 'radio', name = 'x' WHERE id = 4"), 1);
}

#[test]
fn values_of_triggers_are_judged_too() {
    let db = story("k51_trigger");
    let mut admin = db.admin();
    valid_values(&mut admin, "crm.lead", "source", &["web", "fair"]);
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.source := upper(NEW.source); RETURN NEW; END $$;
         CREATE TRIGGER zzz BEFORE UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.up()",
    );
    refused(&mut db.connect("mona"), "UPDATE crm.lead SET source = 'fair' WHERE id = 1", "23514");
}

fn stages(name: &str) -> Db {
    let db = lab(name);
    let mut admin = db.admin();
    matrix(&mut admin, "crm.lead", &[("stage", "sales", "owner"), ("stage", "marketing", "editor")]);
    for (from, to, role, condition) in [
        ("", "new", "", "{}"),
        ("", "inbound", "marketing", "{}"),
        ("new", "qualified", "sales", "{}"),
        ("qualified", "won", "sales", "{\"amount\": \"present\"}"),
        ("qualified", "lost", "sales", "{\"lost_reason\": [\"price\", \"time\"]}"),
        ("qualified", "new", "", "{\"lost_reason\": \"absent\"}"),
    ] {
        transition(&mut admin, "crm.lead", "stage", from, to, role, condition);
    }
    db
}

#[test]
fn k25_only_defined_transitions() {
    let db = stages("k25");
    let mut alice = db.connect("alice");
    let set = |set: &str| format!("UPDATE crm.lead SET {set} WHERE id = 1");
    for value in ["'won'", "'lost'", "'New'", "''", "NULL"] {
        let e = refused(&mut alice, &set(&format!("stage = {value}")), "42501");
        assert_eq!(e.message(), "this change of column \"stage\" of crm.lead is not possible for \"alice\"");
        assert_eq!(e.hint().unwrap(), "Possible from the present value: \"qualified\".");
    }
    // Marketing may write the column and has no transition from here.
    let e = refused(&mut db.connect("mona"), &set("stage = 'qualified'"), "42501");
    assert_eq!(e.hint().unwrap(), "No change from the present value is defined for this member.");
    assert_eq!(accepted(&mut alice, &set("stage = 'qualified'")), 1);
    assert_eq!(accepted(&mut alice, &set("stage = 'qualified', name = 'same'")), 1);
    let e = refused(&mut alice, &set("stage = 'new', lost_reason = 'x'"), "42501");
    assert!(e.detail().unwrap().contains("no value in column \"lost_reason\""), "{e:?}");
    for (refusal, twin) in [
        ("stage = 'won', amount = NULL", "stage = 'won', amount = 3"),
        ("stage = 'lost'", "stage = 'lost', lost_reason = 'price'"),
        ("stage = 'lost', lost_reason = 'mood'", "stage = 'lost', lost_reason = 'time'"),
        ("stage = 'new', lost_reason = 'price'", "stage = 'new', lost_reason = ''"),
    ] {
        refused(&mut alice, &set(refusal), "42501");
        assert_eq!(allowed(&mut alice, &set(twin)), 1, "{twin}");
    }
    // K25: nobody else, whatever the transition.
    refused(&mut db.connect("vp"), &set("stage = 'won'"), "42501");
    // Several rows, each from where it stands: 1 is qualified, the others are new.
    refused(
        &mut alice,
        "UPDATE crm.lead SET stage = 'qualified' WHERE id IN (2, 1); UPDATE crm.lead SET stage = 'won'",
        "42501",
    );
    assert_eq!(
        scalar(&mut db.admin(), "SELECT string_agg(DISTINCT stage, ',') FROM crm.lead WHERE stage <> 'new'"),
        "qualified"
    );
}

#[test]
fn k25_new_rows_begin_where_a_transition_does() {
    let db = stages("k25_insert");
    let mut alice = db.connect("alice");
    for stage in ["'qualified'", "'won'", "'inbound'"] {
        let e = refused(&mut alice, &format!("INSERT INTO crm.lead (stage) VALUES ({stage})"), "42501");
        assert_eq!(e.hint().unwrap(), "A new row may have: \"new\".");
    }
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (stage) VALUES ('new'), (NULL), (DEFAULT)"), 3);
    assert_eq!(accepted(&mut db.connect("mona"), "INSERT INTO crm.lead (stage) VALUES ('inbound')"), 1);
    // A row without a value begins like a new one.
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET stage = 'new' WHERE stage IS NULL"), 1);
}

// The columns of a condition may be filled by triggers that run later.
#[test]
fn conditions_are_judged_on_the_stored_row() {
    let db = stages("k25_stored");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "UPDATE crm.lead SET stage = 'qualified' WHERE id <= 2;
         CREATE FUNCTION crm.fill() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.lost_reason := CASE NEW.name WHEN 'fill' THEN 'price' WHEN 'empty' THEN NULL ELSE NEW.lost_reason END; RETURN NEW; END $$;
         CREATE TRIGGER zzz BEFORE UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.fill()",
    );
    let mut alice = db.connect("alice");
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET stage = 'lost', name = 'fill' WHERE id = 1"), 1);
    refused(
        &mut alice,
        "UPDATE crm.lead SET stage = 'lost', name = 'empty', lost_reason = 'price' WHERE id = 2",
        "42501",
    );
}
