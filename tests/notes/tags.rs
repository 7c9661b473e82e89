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

#[test]
fn k14_tags_take_level_edit_on_both_leads() {
    let db = lab("tags_level");
    let tag = |lead: i32| format!("INSERT INTO crm.tag VALUES ({lead}, 'persona:cto')");
    give(&db, "carl", "sales");
    give(&db, "viewer", "sales");
    accepted(&mut db.connect("alice"), &(tag(1) + "; SELECT leadguard.share('crm.lead', '1', 'carl', 'read')"));
    let mut carl = db.connect("carl");
    let (delete, hither) = (
        "DELETE FROM crm.tag WHERE tag = 'persona:cto' AND lead_id = 1",
        "UPDATE crm.tag SET lead_id = 9 WHERE tag = 'persona:cto'",
    );
    refused(&mut carl, delete, "42501");
    refused(&mut carl, hither, "42501");
    refused(&mut carl, "INSERT INTO crm.tag VALUES (1, 'persona:x')", "42501");
    refused(&mut db.connect("viewer"), "INSERT INTO crm.tag VALUES (1, 'persona:x')", "42501");
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit')");
    assert_eq!(accepted(&mut carl, hither), 1);
    // Away to a lead that he does not see, or that is not there: one answer.
    let away = |lead: i32| format!("UPDATE crm.tag SET lead_id = {lead} WHERE tag = 'persona:cto'");
    let hidden = refused(&mut carl, &away(6), "42501");
    let absent = refused(&mut carl, &away(4711), "42501");
    assert_eq!(hidden.message().replace('6', "n"), absent.message().replace("4711", "n"));
    assert_eq!(accepted(&mut carl, "DELETE FROM crm.tag WHERE tag = 'persona:cto'"), 1);
    // What he does not see he does not meet.
    assert_eq!(accepted(&mut carl, "DELETE FROM crm.tag WHERE lead_id = 2"), 0);
    refused(&mut db.admin(), "TRUNCATE crm.tag", "42501");
}

#[test]
fn k53_tags_are_written_down_in_the_audit() {
    let db = lab("tags_audit");
    accepted(&mut db.connect("alice"), "INSERT INTO crm.tag VALUES (1, 'persona:cto')");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.tag WHERE tag = 'persona:cto'");
    accepted(&mut db.admin(), "INSERT INTO crm.tag VALUES (2, 'source:x')");
    let log = "SELECT action, member_key, detail FROM leadguard.audit_log WHERE target_name = 'crm.tag' AND action LIKE '%tag' ORDER BY id";
    let found = rows(&mut db.connect("dora"), log);
    let expected = [["tag", "alice", "1"], ["untag", "alice", "1"], ["tag", "∅", "2"]];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (row, [action, member, lead]) in found.iter().zip(expected) {
        assert_eq!(row[..2], [action, member]);
        assert_eq!(row[2], format!("record {lead} of crm.lead"));
    }
}
