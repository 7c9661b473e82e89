//! Namespaces of tags, attributes and valid values.

use crate::lab::*;
use leadguard_tests::*;

const NAMESPACE: &str = "SELECT leadguard.tag_namespace('crm.lead', 'source', 'marketing')";

#[test]
fn k49_a_new_namespace_of_tags_needs_a_data_owner() {
    let db = lab("namespaces");
    refuse(&db);
    let mut dba = db.connect("dba");
    accepted(&mut dba, "SELECT leadguard.tag_column('crm.lead', 'tags', true)");
    refused(&mut dba, NAMESPACE, "LG004");
    agreed(&db, "tag namespace source");
    accepted(&mut dba, NAMESPACE);
    accepted(&mut db.connect("olga"), "SELECT leadguard.tag_namespace('crm.lead', 'region', 'sales')");
    assert_eq!(log(&db), ["approved tag namespace source", "approved tag namespace region"]);
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT detail ->> 'self_approved' FROM leadguard.schema_change WHERE object = 'region'"
        ),
        "true"
    );
    accepted(&mut dba, "SELECT leadguard.tag_namespace('crm.lead', 'source', 'sales')");
    assert_eq!(log(&db).len(), 2, "another role for a namespace is no new one");
}

#[test]
fn k49_new_attributes_and_values_are_recorded() {
    let db = lab("attributes");
    let mut dba = db.connect("dba");
    accepted(&mut dba, "SELECT leadguard.valid_values('crm.lead', 'status', '{new,won}')");
    assert_eq!(log(&db), [""; 0], "the first list narrows");
    accepted(&mut dba, "SELECT leadguard.valid_values('crm.lead', 'status', '{new}')");
    assert_eq!(log(&db), [""; 0], "so does a shorter one");
    accepted(&mut dba, "SELECT leadguard.valid_values('crm.lead', 'status', '{new,won,lost}')");
    assert_eq!(log(&db), ["violation valid value status"]);
    assert_eq!(
        scalar(&mut db.admin(), "SELECT string_agg(value, ' ' ORDER BY value) FROM leadguard.field_value"),
        "lost new won"
    );
    for (attribute, version, count) in [("custom.size", 1, 2), ("custom.industry", 2, 3)] {
        accepted(&mut dba, &format!("SELECT leadguard.set_field('crm.lead', '{attribute}', 'sales', 'owner')"));
        accepted(&mut dba, "SELECT leadguard.propose_fields('crm.lead', '{olga}')");
        accepted(&mut db.connect("olga"), &format!("SELECT leadguard.sign_fields('crm.lead', {version})"));
        let found = log(&db);
        assert_eq!(
            (found.len(), found.last().map(String::as_str)),
            (count, Some(&*format!("approved attribute {attribute}")))
        );
    }
}

#[test]
fn k51_valid_values_of_a_column_that_took_the_name_of_another_count_for_it() {
    let db = lab("renumbered");
    let mut dba = db.connect("dba");
    accepted(&mut dba, "SELECT leadguard.valid_values('crm.lead', 'status', '{new,won}')");
    accepted(&mut dba, "ALTER TABLE crm.lead DROP COLUMN status; ALTER TABLE crm.lead ADD COLUMN status text");
    accepted(&mut dba, "SELECT leadguard.valid_values('crm.lead', 'status', '{new,won}')");
    let mut rep = db.connect("rep");
    accepted(&mut rep, "UPDATE crm.lead SET status = 'won' WHERE id = 1");
    refused(&mut rep, "UPDATE crm.lead SET status = 'odd' WHERE id = 1", "23514");
}

#[test]
fn k49_a_list_that_goes_widens_what_a_field_takes() {
    let db = lab("dropped_values");
    let mut dba = db.connect("dba");
    let list = |values: &str| format!("SELECT leadguard.valid_values('crm.lead', 'status', '{values}')");
    accepted(&mut dba, &list("{new,won}"));
    refuse(&db);
    refused(&mut dba, &list("{new,won,lost}"), "LG004");
    refused(&mut dba, &list("{}"), "LG004");
    refused(&mut dba, &list("{lost}"), "LG004");
    accepted(&mut dba, &list("{new}"));
    agreed(&db, "drop valid values status");
    accepted(&mut dba, &list("{}"));
    assert_eq!(log(&db), ["approved drop valid values status"]);
    // The list of a table that is protected no longer is nobody's.
    accepted(&mut dba, &list("{new}"));
    accepted(&mut db.admin(), "SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(log(&db).len(), 1);
}
