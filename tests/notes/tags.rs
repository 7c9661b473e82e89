//! Tags in a table of their own.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k28_tags_belong_to_the_role_of_their_namespace() {
    let db = lab("tags_table");
    let mut alice = db.connect("alice");
    let insert = |lead: i32, tag: &str| format!("INSERT INTO crm.tag VALUES ({lead}, '{tag}')");
    accepted(&mut alice, &insert(1, "persona:founder"));
    for tag in ["source:fair", "hot", "unknown:x", ":x", "persona:"] {
        refused(&mut alice, &insert(1, tag), "42501");
    }
    refused(&mut alice, &insert(9, "persona:founder"), "42501");
    refused(&mut alice, "DELETE FROM crm.tag WHERE tag = 'source:web'", "42501");
    refused(&mut alice, "UPDATE crm.tag SET tag = 'persona:x' WHERE tag = 'source:web'", "42501");
    assert_eq!(accepted(&mut alice, "UPDATE crm.tag SET tag = 'persona:cto' WHERE tag = 'persona:founder'"), 1);
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.tag WHERE tag = 'persona:cto'"), 1);
    let mut mona = db.connect("mona");
    accepted(&mut mona, &insert(1, "source:fair"));
    assert_eq!(accepted(&mut mona, "DELETE FROM crm.tag WHERE tag LIKE 'source:%'"), 2, "of the leads that she sees");
    assert_eq!(rows(&mut db.admin(), "SELECT lead_id, tag FROM crm.tag"), [["9", "source:web"]]);
}
