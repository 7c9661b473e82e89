//! The matrix: cells, jsonb, CSV, the table that looks like the spreadsheet; names that are hostile.

use crate::rules::{cells, company};
use leadguard_tests::*;

#[test]
fn k21_a_cell_holds_one_of_four_values() {
    let db = company("mx_cell");
    let mut mona = db.connect("mona");
    for access in ["owner", "editor", "read-only", "no access"] {
        accepted(&mut mona, &format!("SELECT leadguard.set_field('crm.lead', 'source', 'marketing', '{access}')"));
        assert_eq!(cells(&mut mona, 1), [format!("source marketing {access}")]);
    }
    for access in ["Owner", "readonly", "", "none"] {
        let error = refused(
            &mut mona,
            &format!("SELECT leadguard.set_field('crm.lead', 'source', 'marketing', '{access}')"),
            "22023",
        );
        assert!(error.hint().unwrap_or_default().contains("read-only"), "{error:?}");
    }
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'source', 'marketing', NULL)");
    assert!(cells(&mut mona, 1).is_empty());
}

#[test]
fn k29_a_key_of_a_jsonb_column_is_a_field() {
    let db = company("mx_key");
    let mut mona = db.connect("mona");
    for key in ["attrs.size", "attrs.a.b", "attrs.ü \"x\"", "attrs.0"] {
        accepted(&mut mona, &format!("SELECT leadguard.set_field('crm.lead', '{key}', 'sales', 'owner')"));
    }
    assert_eq!(cells(&mut mona, 1).len(), 4);
    refused(&mut mona, "SELECT leadguard.set_field('crm.lead', 'attrs.', 'sales', 'owner')", "22023");
    let error = refused(&mut mona, "SELECT leadguard.set_field('crm.lead', 'source.x', 'sales', 'owner')", "22023");
    assert!(error.message().contains("is not jsonb"), "{error:?}");
    refused(&mut mona, "SELECT leadguard.set_field('crm.lead', 'nothing.x', 'sales', 'owner')", "42703");
    refused(
        &mut mona,
        "SELECT leadguard.set_field('crm.lead', 'attrs.' || repeat('k', 600), 'sales', 'owner')",
        "22023",
    );
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'attrs.' || repeat('k', 400), 'sales', 'owner')");
}

#[test]
fn k30_a_field_has_one_owner() {
    let db = company("mx_owner");
    let mut mona = db.connect("mona");
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'source', 'marketing', 'owner')");
    let error = refused(&mut mona, "SELECT leadguard.set_field('crm.lead', 'source', 'sales', 'owner')", "23505");
    assert!(error.message().contains("marketing") && error.hint().is_some(), "{error:?}");
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'source', 'sales', 'editor')");
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'attrs.size', 'sales', 'owner')");
    accepted(&mut mona, "SELECT leadguard.set_field('crm.lead', 'attrs', 'marketing', 'owner')");
    for bad in [
        "leadguard.set_fields('crm.lead', '{\"source\": {\"sales\": \"owner\", \"marketing\": \"owner\"}}')",
        "leadguard.import_fields('crm.lead', E'field,sales,marketing\\nsource,owner,owner\\n')",
    ] {
        refused(&mut mona, &format!("SELECT {bad}"), "23505");
    }
    assert_eq!(cells(&mut mona, 1).len(), 4, "a refused import changes nothing");
}

#[test]
fn k6_fields_roles_and_tables_must_exist() {
    let db = company("mx_unknown");
    let mut mona = db.connect("mona");
    for (call, code) in [
        ("set_field('crm.lead', 'sauce', 'sales', 'owner')", "42703"),
        ("set_field('crm.lead', 'ctid', 'sales', 'owner')", "42703"),
        ("set_field('crm.lead', 'source', 'sails', 'owner')", "22023"),
        ("set_field('crm.lead', 'source', 'sails', NULL)", "22023"),
        ("set_field('crm.lead', 'owner_id', 'sales', 'owner')", "22023"),
        ("set_field('crm.lead', 'id', 'sales', 'owner')", "22023"),
        ("set_field('crm.lead', 'territory_id', 'sales', 'owner')", "22023"),
        ("set_field('crm.lead', 'doubled', 'sales', 'owner')", "22023"),
        ("set_field('crm.lead', NULL, 'sales', 'owner')", "22023"),
        ("set_field('crm.lead', 'source', NULL, 'owner')", "22023"),
        ("set_field(NULL, 'source', 'sales', 'owner')", "22023"),
        ("set_field('pg_class', 'relname', 'sales', 'owner')", "22023"),
        ("set_fields('crm.lead', NULL)", "22023"),
        ("set_fields('crm.lead', '[]')", "22023"),
        ("set_fields('crm.lead', '{\"source\": \"owner\"}')", "22023"),
        ("set_fields('crm.lead', '{\"sauce\": {\"sales\": \"owner\"}}')", "42703"),
        ("set_fields('crm.lead', '{\"source\": {\"sails\": \"owner\"}}')", "22023"),
        ("import_fields('crm.lead', '')", "22023"),
        ("import_fields('crm.lead', E'field,sales\\nsource,owner,owner\\n')", "22023"),
        ("import_fields('crm.lead', E'field,sales,sales\\nsource,owner,editor\\n')", "22023"),
        ("import_fields('crm.lead', E'field,sales\\nsource,owner\\nsource,owner\\n')", "22023"),
    ] {
        refused(&mut mona, &format!("SELECT leadguard.{call}"), code);
    }
    assert_eq!(scalar(&mut mona, "SELECT count(*) FROM leadguard.field_versions"), "0");
}

#[test]
fn the_matrix_goes_out_and_comes_back() {
    let db = company("mx_csv");
    let mut mona = db.connect("mona");
    accepted(
        &mut mona,
        "SELECT leadguard.set_fields('crm.lead', jsonb_build_object(
             'source', jsonb_build_object('marketing', 'owner', 'sales', 'read-only'),
             'weird,\"na.me', jsonb_build_object('sales', 'owner'),
             E'attrs.a,b\"c\\nd', jsonb_build_object('sales', 'owner', 'marketing', 'no access'),
             'attrs.''; DROP TABLE crm.lead; --', jsonb_build_object('sales', 'editor')))",
    );
    let before = cells(&mut mona, 1);
    assert_eq!(before.len(), 6);
    for round in [
        "SELECT leadguard.import_fields('crm.lead', leadguard.export_fields('crm.lead', 1))",
        "SELECT leadguard.set_fields('crm.lead', leadguard.get_fields('crm.lead', 1))",
        "SELECT leadguard.import_fields('crm.lead', E'\\uFEFF' || leadguard.export_fields('crm.lead', 1))",
    ] {
        accepted(&mut mona, round);
        assert_eq!(cells(&mut mona, 1), before, "{round}");
    }
    accepted(
        &mut mona,
        "SELECT leadguard.import_fields('crm.lead', E'field,marketing,sales\\r\\nsource, owner ,\\r\\n')",
    );
    assert_eq!(cells(&mut mona, 1), ["source marketing owner"]);
    assert_eq!(scalar(&mut mona, "SELECT leadguard.export_fields('crm.lead', 1)"), "field,marketing\nsource,owner\n");
    refused(&mut mona, "SELECT leadguard.import_fields('crm.lead', repeat('x', 3000000))", "22023");
    accepted(&mut mona, "SELECT leadguard.set_fields('crm.lead', '{}')");
    assert!(cells(&mut mona, 1).is_empty());
}

#[test]
fn k21_the_matrix_looks_like_the_spreadsheet() {
    let db = company("mx_sheet");
    let mut mona = db.connect("mona");
    accepted(
        &mut mona,
        "SELECT leadguard.set_fields('crm.lead', '{\"source\": {\"marketing\": \"owner\", \"sales\": \"read-only\"},
             \"score\": {\"system\": \"owner\"}}')",
    );
    let sheet = "SELECT * FROM leadguard.field_matrix('crm.lead', 1) AS m (field text, marketing text, sales text)";
    assert_eq!(rows(&mut mona, sheet), [["score", "∅", "∅"], ["source", "owner", "read-only"]]);
    assert_eq!(
        rows(
            &mut mona,
            "SELECT * FROM leadguard.field_matrix('crm.lead', 1) AS m (system text, field text) WHERE system IS NOT NULL"
        ),
        [["owner", "score"]]
    );
    assert_eq!(accepted(&mut mona, &sheet.replace(", 1)", ")")), 0, "nothing is active");
    assert_eq!(accepted(&mut mona, &sheet.replace(", 1)", ", 7)")), 0);
    for (list, code) in [
        ("(field text, sails text)", "22023"),
        ("(marketing text)", "22023"),
        ("(field text, sales integer)", "42804"),
        ("(field name, sales text)", "42804"),
    ] {
        refused(&mut mona, &format!("SELECT * FROM leadguard.field_matrix('crm.lead', 1) AS m {list}"), code);
    }
    assert_ne!(code(&mut mona, "SELECT leadguard.field_matrix('crm.lead', 1)"), "ok");
    refused(&mut mona, "SELECT * FROM leadguard.field_matrix('crm.lead', 1)", "42601");
    assert_eq!(scalar(&mut mona, &format!("SELECT count(*) FROM ({sheet}) a, ({sheet}) b")), "4");
}
