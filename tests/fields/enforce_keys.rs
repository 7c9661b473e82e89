//! Keys of jsonb columns have owners of their own.

use crate::enforce_lab::{matrix, story};
use leadguard_tests::*;

#[test]
fn k29_custom_attributes_have_an_owner_each() {
    let db = story("k29");
    let mut alice = db.connect("alice");
    let set = |attrs: &str| format!("UPDATE crm.lead SET attrs = {attrs} WHERE id = 1");
    for attrs in [
        "attrs || '{\"size\": 6}'",
        "attrs - 'size'",
        "attrs || '{\"colour\": \"red\"}'",
        "jsonb_set(attrs, '{size}', '{\"deep\": [1, 2]}')",
        "'{\"budget\": 100}'",
    ] {
        assert_eq!(allowed(&mut alice, &set(attrs)), 1, "{attrs}");
    }
    for attrs in [
        "attrs || '{\"budget\": 101}'",
        "attrs || '{\"budget\": 100.0}'",
        "attrs - 'budget'",
        "'{}'",
        "NULL",
        "'[]'",
        "'\"text\"'",
        "attrs || '{\"size\": 6, \"budget\": null}'",
    ] {
        let e = refused(&mut alice, &set(attrs), "42501");
        assert_eq!(
            e.message(),
            "key \"budget\" of column \"attrs\" of crm.lead may not be written by \"alice\"",
            "{attrs}"
        );
    }
    let mut mona = db.connect("mona");
    assert_eq!(accepted(&mut mona, &set("attrs || '{\"budget\": 101}'")), 1);
    // A key without cells is as its column, which is not marketing's.
    refused(&mut mona, &set("attrs || '{\"colour\": \"red\"}'"), "42501");
    refused(&mut mona, &set("attrs || '{\"size\": 6}'"), "42501");
}

#[test]
fn a_column_with_no_object_belongs_to_who_may_write_all_of_it() {
    let db = story("k_whole");
    let mut admin = db.admin();
    matrix(
        &mut admin,
        "crm.lead",
        &[("attrs.size", "sales", "owner"), ("attrs.budget", "sales", "editor"), ("attrs", "sales", "read-only")],
    );
    let mut alice = db.connect("alice");
    assert_eq!(allowed(&mut alice, "UPDATE crm.lead SET attrs = '{\"size\": 1, \"budget\": 2}' WHERE id = 1"), 1);
    refused(&mut alice, "UPDATE crm.lead SET attrs = '[]' WHERE id = 1", "42501");
    refused(&mut alice, "UPDATE crm.lead SET attrs = attrs || '{\"colour\": 1}' WHERE id = 1", "42501");
    matrix(
        &mut admin,
        "crm.lead",
        &[("attrs.size", "sales", "owner"), ("attrs.budget", "sales", "editor"), ("attrs", "sales", "editor")],
    );
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET attrs = '[]' WHERE id = 1"), 1);
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET attrs = '{\"size\": 1}' WHERE id = 1"), 1);
    // Nothing there yet: the first key is written alone.
    accepted(&mut admin, "UPDATE crm.lead SET attrs = NULL");
    matrix(&mut admin, "crm.lead", &[("attrs.size", "sales", "owner"), ("attrs", "marketing", "owner")]);
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET attrs = '{\"size\": 1}' WHERE id = 1"), 1);
    refused(&mut alice, "UPDATE crm.lead SET attrs = '{}' WHERE id = 2", "42501");
}

#[test]
fn digits_beyond_a_float_are_a_change() {
    let db = story("k_digits");
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE crm.lead SET attrs = '{\"budget\": 9007199254740993}'");
    let mut alice = db.connect("alice");
    refused(&mut alice, "UPDATE crm.lead SET attrs = '{\"budget\": 9007199254740992}' WHERE id = 1", "42501");
    assert_eq!(
        accepted(&mut alice, "UPDATE crm.lead SET attrs = '{\"budget\": 9007199254740993, \"size\": 1}' WHERE id = 1"),
        1
    );
}
