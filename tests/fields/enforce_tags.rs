//! Tags live in namespaces of roles.

use crate::enforce_lab::{lab, tags};
use leadguard_tests::*;

fn tagged(name: &str) -> Db {
    let db = lab(name);
    tags(
        &mut db.admin(),
        "crm.lead",
        "tags",
        &[("source", "marketing"), ("event", "marketing"), ("persona", "sales"), ("competitor", "sales")],
    );
    db
}

#[test]
fn k28_namespaces_belong_to_roles() {
    let db = tagged("k28");
    let mut alice = db.connect("alice");
    let set = |tags: &str| format!("UPDATE crm.lead SET tags = {tags} WHERE id = 1");
    for tags in [
        "'{source:web}'",
        "tags || '{competitor:acme}'",
        "'{competitor:acme,source:web}'",
        "'{source:web,source:web,persona:cto}'",
    ] {
        assert_eq!(allowed(&mut alice, &set(tags)), 1, "{tags}");
    }
    for (tags, message) in [
        ("tags || '{source:fair}'", "tag \"source:fair\" of crm.lead may not be added by \"alice\""),
        ("tags || '{event:expo}'", "tag \"event:expo\" of crm.lead may not be added by \"alice\""),
        ("'{persona:cto}'", "tag \"source:web\" of crm.lead may not be removed by \"alice\""),
        ("NULL", "tag \"source:web\" of crm.lead may not be removed by \"alice\""),
        ("tags || '{foo:bar}'", "tag \"foo:bar\" of crm.lead may not be added by \"alice\""),
        ("tags || '{hot}'", "\"hot\" is no tag of crm.lead"),
        ("tags || '{:x}'", "\":x\" is no tag of crm.lead"),
        ("tags || '{persona:}'", "\"persona:\" is no tag of crm.lead"),
        ("tags || NULL::text", "NULL is no tag of crm.lead"),
        ("'{{source:web,persona:cto}}'", "column \"tags\" of crm.lead holds a list of tags only"),
    ] {
        let e = refused(&mut alice, &set(tags), "42501");
        assert_eq!(e.message(), message);
    }
    let e = refused(&mut alice, &set("tags || '{event:expo}'"), "42501");
    assert_eq!(e.hint().unwrap(), "A member with the role \"marketing\" adds and removes them.");
    let e = refused(&mut alice, &set("tags || '{foo:bar}'"), "42501");
    assert!(e.hint().unwrap().contains("leadguard.tag_namespace"), "{e:?}");
    let mut mona = db.connect("mona");
    assert_eq!(accepted(&mut mona, &set("array_append(array_remove(tags, 'source:web'), 'event:expo')")), 1);
    refused(&mut mona, &set("array_remove(tags, 'persona:cto')"), "42501");
}

#[test]
fn k28_on_insert_and_through_triggers() {
    let db = tagged("k28_insert");
    let mut admin = db.admin();
    let mut alice = db.connect("alice");
    refused(&mut alice, "INSERT INTO crm.lead (tags) VALUES ('{persona:cto,source:web}')", "42501");
    assert_eq!(accepted(&mut alice, "INSERT INTO crm.lead (tags) VALUES ('{persona:cto}'), ('{}'), (NULL)"), 3);
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.strip() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.tags := array_remove(NEW.tags, 'source:web'); RETURN NEW; END $$;
         CREATE TRIGGER zzz BEFORE UPDATE OF name ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.strip()",
    );
    refused(&mut alice, "UPDATE crm.lead SET name = 'x' WHERE id = 1", "42501");
    assert_eq!(accepted(&mut db.connect("mona"), "UPDATE crm.lead SET name = 'x' WHERE id = 1"), 1);
    // What is no tag may go, and tags stay with their namespaces in a table that is closed by default.
    accepted(
        &mut admin,
        "UPDATE crm.lead SET tags = '{junk,persona:cto}' WHERE id = 2; UPDATE leadguard.protected_table SET field_default = 'no access'",
    );
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET tags = '{persona:ceo}' WHERE id = 2"), 1);
}
