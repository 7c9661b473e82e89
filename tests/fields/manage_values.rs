//! Valid values, transitions, tag namespaces, the role of systems: what can be said, and what is refused.

use crate::rules::company;
use leadguard_tests::*;

#[test]
fn k6_valid_values_are_set_and_taken_back() {
    let db = company("mw_values");
    let mut mona = db.connect("mona");
    let values = "SELECT field || ' ' || value FROM leadguard.field_values";
    accepted(&mut mona, "SELECT leadguard.valid_values('crm.lead', 'source', '{web,event,web,\"\"}')");
    assert_eq!(ids(&mut mona, &values.replace("field || ' ' || ", "")), ["", "event", "web"].map(String::from).into());
    accepted(&mut mona, "SELECT leadguard.valid_values('crm.lead', 'source', '{web}')");
    accepted(&mut mona, "SELECT leadguard.valid_values('crm.lead', 'attrs.size', '{small}')");
    accepted(&mut mona, "SELECT leadguard.valid_values('crm.lead', 'score', '{\" 07\",8}')");
    assert_eq!(
        ids(&mut mona, values),
        ["source web", "attrs.size small", "score 7", "score 8"].map(String::from).into()
    );
    refused(&mut mona, "SELECT leadguard.valid_values('crm.lead', 'score', '{high}')", "22P02");
    for bad in ["'sauce', '{a}'", "'source.x', '{a}'"] {
        assert_ne!(code(&mut mona, &format!("SELECT leadguard.valid_values('crm.lead', {bad})")), "ok");
    }
    refused(&mut mona, "SELECT leadguard.valid_values('crm.lead', 'source', '{a,NULL}')", "22023");
    refused(&mut mona, "SELECT leadguard.valid_values('crm.lead', 'owner_id', '{1}')", "22023");
    refused(&mut mona, "SELECT leadguard.valid_values('crm.lead', 'source', ARRAY[repeat('v', 5000)])", "22023");
    for none in ["NULL", "'{}'"] {
        accepted(&mut mona, "SELECT leadguard.valid_values('crm.lead', 'source', '{web}')");
        accepted(&mut mona, &format!("SELECT leadguard.valid_values('crm.lead', 'source', {none})"));
        assert_eq!(accepted(&mut mona, "SELECT FROM leadguard.field_values WHERE field = 'source'"), 0);
    }
}

#[test]
fn transitions_are_set_and_taken_back() {
    let db = company("mw_transitions");
    let mut mona = db.connect("mona");
    let all =
        "SELECT concat_ws(' ', coalesce(from_value, '-'), to_value, role, condition) FROM leadguard.field_transitions";
    accepted(
        &mut mona,
        "SELECT leadguard.set_transition('crm.lead', 'stage', NULL, 'new');
         SELECT leadguard.set_transition('crm.lead', 'stage', 'new', 'won', 'sales', '{\"email\": \"present\"}');
         SELECT leadguard.set_transition('crm.lead', 'stage', 'new', 'won', 'sales', '{\"source\": [\"web\", \"event\"]}')",
    );
    assert_eq!(
        ids(&mut mona, all),
        ["- new {}", "new won sales {\"source\": [\"web\", \"event\"]}"].map(String::from).into(),
        "set again it is another condition, not another transition"
    );
    for (arguments, code) in [
        ("'sauce', 'a', 'b'", "42703"),
        ("'attrs.x', 'a', 'b'", "22023"),
        ("'stage', 'a', NULL", "22023"),
        ("'stage', 'a', 'b', 'sails'", "22023"),
        ("'stage', 'a', 'b', 'sales', '[]'", "22023"),
        ("'stage', 'a', 'b', 'sales', '{\"sauce\": \"present\"}'", "22023"),
        ("'stage', 'a', 'b', 'sales', '{\"source\": \"here\"}'", "22023"),
        ("'stage', 'a', 'b', 'sales', '{\"source\": []}'", "22023"),
        ("'stage', 'a', 'b', 'sales', '{\"source\": [1]}'", "22023"),
        ("'stage', repeat('a', 5000), 'b'", "22023"),
    ] {
        refused(&mut mona, &format!("SELECT leadguard.set_transition('crm.lead', {arguments})"), code);
    }
    assert_eq!(scalar(&mut mona, "SELECT leadguard.drop_transition('crm.lead', 'stage', 'new', 'won')"), "f");
    assert_eq!(scalar(&mut mona, "SELECT leadguard.drop_transition('crm.lead', 'stage', 'new', 'won', 'sales')"), "t");
    assert_eq!(scalar(&mut mona, "SELECT leadguard.drop_transition('crm.lead', 'stage', NULL, 'new')"), "t");
    assert_eq!(accepted(&mut mona, all), 0);
}

#[test]
fn k49_a_new_namespace_needs_a_data_owner() {
    let db = company("mw_tags");
    let mut mona = db.connect("mona");
    for who in ["alice", "carl", "olga", "ceo"] {
        refused(&mut db.connect(who), "SELECT leadguard.tag_namespace('crm.lead', 'event', 'marketing')", "42501");
    }
    accepted(&mut mona, "SELECT leadguard.tag_namespace('crm.lead', 'event', 'marketing')");
    accepted(&mut mona, "SELECT leadguard.tag_namespace('crm.lead', 'event', 'sales')");
    assert_eq!(rows(&mut mona, "SELECT namespace, role FROM leadguard.tag_namespaces"), [["event", "sales"]]);
    for (namespace, role) in [
        ("''", "'sales'"),
        ("'a:b'", "'sales'"),
        ("' a'", "'sales'"),
        ("NULL", "'sales'"),
        ("'a'", "'sails'"),
        ("repeat('n', 200)", "'sales'"),
    ] {
        refused(&mut mona, &format!("SELECT leadguard.tag_namespace('crm.lead', {namespace}, {role})"), "22023");
    }
    accepted(&mut mona, "SELECT leadguard.tag_namespace('crm.lead', 'event', NULL)");
    assert_eq!(accepted(&mut mona, "SELECT FROM leadguard.tag_namespaces"), 0);
    accepted(
        &mut mona,
        "SELECT leadguard.tag_column('crm.lead', 'tags'), leadguard.tag_column('crm.lead', 'tags', true)",
    );
    refused(&mut mona, "SELECT leadguard.tag_column('crm.lead', 'source')", "22023");
    refused(&mut mona, "SELECT leadguard.tag_column('crm.lead', 'attrs.x')", "22023");
    accepted(&mut mona, "SELECT leadguard.tag_column('crm.lead', 'tags', false)");
    assert_eq!(accepted(&mut mona, "SELECT FROM leadguard.tag_columns"), 0);
}

#[test]
fn a_default_is_editor_or_no_access() {
    let db = company("mw_default");
    let mut mona = db.connect("mona");
    refused(&mut mona, "SELECT leadguard.set_field_default('crm.lead', 'no access')", "55000");
    accepted(&mut db.admin(), "SELECT leadguard.conceal('crm.lead')");
    for access in ["'owner'", "NULL", "''"] {
        refused(&mut mona, &format!("SELECT leadguard.set_field_default('crm.lead', {access})"), "22023");
    }
    for access in ["no access", "editor"] {
        accepted(&mut mona, &format!("SELECT leadguard.set_field_default('crm.lead', '{access}')"));
        assert_eq!(
            scalar(
                &mut db.admin(),
                "SELECT field_default FROM leadguard.protected_table WHERE concealed_by = 'crm.lead'::regclass"
            ),
            access
        );
    }
}

#[test]
fn k26_the_role_system_is_for_systems() {
    let db = company("mw_system");
    let mut admin = db.connect("admin");
    let give = |key: &str| {
        format!(
            "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'system' FROM leadguard.member WHERE key = '{key}'"
        )
    };
    refused(&mut admin, &give("alice"), "23514");
    refused(&mut db.admin(), &give("alice"), "23514");
    accepted(&mut db.admin(), "INSERT INTO leadguard.member (key, kind) VALUES ('job', 'system')");
    accepted(&mut admin, &give("job"));
    refused(&mut db.admin(), "UPDATE leadguard.member SET kind = 'person' WHERE key = 'job'", "23514");
    refused(
        &mut db.admin(),
        "UPDATE leadguard.member_role SET member_id = (SELECT id FROM leadguard.member WHERE key = 'alice') WHERE role = 'system'",
        "23514",
    );
    accepted(
        &mut db.admin(),
        "DELETE FROM leadguard.member_role WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'job')",
    );
    accepted(&mut db.admin(), "UPDATE leadguard.member SET kind = 'person' WHERE key = 'job'");
}
