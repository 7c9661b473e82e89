//! Who changes the rules, and who reads them.

use crate::rules::company;
use leadguard_tests::*;

const CALLS: [&str; 12] = [
    "set_field('crm.lead', 'source', 'sales', 'editor')",
    "set_field('crm.lead', 'source', 'sales', NULL)",
    "set_fields('crm.lead', '{\"source\": {\"sales\": \"owner\"}}')",
    "import_fields('crm.lead', E'field,sales\\nsource,owner\\n')",
    "valid_values('crm.lead', 'source', '{web,event}')",
    "set_transition('crm.lead', 'stage', NULL, 'new')",
    "drop_transition('crm.lead', 'stage', NULL, 'new')",
    "tag_column('crm.lead', 'tags')",
    "tag_namespace('crm.lead', 'source', 'marketing')",
    "set_field_default('crm.lead', 'no access')",
    "propose_fields('crm.lead', '{alice}')",
    "discard_fields('crm.lead')",
];

#[test]
fn k6_only_those_responsible_change_the_rules() {
    let db = company("mr_who");
    // A default that closes needs the view.
    accepted(&mut db.admin(), "SELECT leadguard.conceal('crm.lead')");
    accepted(&mut db.admin(), "SELECT leadguard.set_field('crm.lead', 'source', 'marketing', 'owner')");
    for call in CALLS {
        for who in ["alice", "carl", "ceo", "olga", "bot", "viewer", "analyst"] {
            refused(&mut db.connect(who), &format!("SELECT leadguard.{call}"), "42501");
        }
        for who in ["mona", "admin"] {
            allowed(&mut db.connect(who), &format!("SELECT leadguard.{call}"));
        }
        allowed(&mut db.admin(), &format!("SELECT leadguard.{call}"));
    }
}

#[test]
fn the_owner_of_the_table_changes_its_rules() {
    let db = company("mr_owner");
    let dba = db.create_role("dba");
    let call = "SELECT leadguard.set_field('crm.lead', 'source', 'sales', 'editor')";
    accepted(&mut db.admin(), &format!("GRANT USAGE ON SCHEMA crm, leadguard TO \"{dba}\""));
    refused(&mut db.connect("dba"), call, "42501");
    accepted(&mut db.admin(), &format!("ALTER TABLE crm.lead OWNER TO \"{dba}\""));
    accepted(&mut db.connect("dba"), call);
}

#[test]
fn a_table_of_several_organizations_has_no_member_who_decides_for_all() {
    let db = company("mr_tenants");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, org_id bigint, source text);
         SELECT leadguard.protect('crm.deal', id => 'id', owner => 'owner_id', organization => 'org_id')",
    );
    let call = "SELECT leadguard.valid_values('crm.deal', 'source', '{web}')";
    for who in ["mona", "olga"] {
        refused(&mut db.connect(who), call, "42501");
    }
    accepted(&mut db.admin(), call);
    for who in ["mona", "olga"] {
        assert_eq!(ids(&mut db.connect(who), "SELECT value FROM leadguard.field_values"), set("web"));
    }
}

#[test]
fn rules_are_read_by_the_organization() {
    let db = company("mr_read");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.set_field('crm.lead', 'source', 'marketing', 'owner'),
                leadguard.valid_values('crm.lead', 'source', '{web}'),
                leadguard.set_transition('crm.lead', 'stage', NULL, 'new'),
                leadguard.tag_column('crm.lead', 'tags'),
                leadguard.tag_namespace('crm.lead', 'event', 'marketing');
         SELECT leadguard.propose_fields('crm.lead', '{alice}')",
    );
    let views = [
        "field_versions",
        "field_cells",
        "field_signatures",
        "field_values",
        "field_transitions",
        "tag_columns",
        "tag_namespaces",
    ];
    for view in views {
        let count = format!("SELECT count(*) FROM leadguard.{view}");
        for who in ["alice", "mona", "analyst", "bot"] {
            assert_eq!(scalar(&mut db.connect(who), &count), "1", "{who} {view}");
        }
        assert_eq!(scalar(&mut db.connect("olga"), &count), "0", "{view}");
    }
    let mut olga = db.connect("olga");
    assert_eq!(scalar(&mut olga, "SELECT leadguard.get_fields('crm.lead', 1)"), "∅");
    assert_eq!(scalar(&mut olga, "SELECT leadguard.export_fields('crm.lead', 1)"), "∅");
    let sheet = "SELECT * FROM leadguard.field_matrix('crm.lead', 1) AS m (field text, sales text)";
    assert_eq!(accepted(&mut olga, sheet), 0);
    assert_eq!(accepted(&mut db.connect("alice"), sheet), 1);
    // Who may not read the table does not read its rules.
    let alice = db.role("alice");
    accepted(&mut db.admin(), &format!("REVOKE SELECT ON crm.lead FROM \"{alice}\""));
    assert_eq!(scalar(&mut db.connect("alice"), "SELECT count(*) FROM leadguard.field_cells"), "0");
}

#[test]
fn rules_are_written_through_functions_only() {
    let db = company("mr_tables");
    for table in [
        "field_version",
        "field_rule",
        "field_signature",
        "field_value",
        "field_transition",
        "tag_column",
        "tag_namespace",
        "column_mask",
        "approval",
    ] {
        for who in ["mona", "admin", "alice"] {
            let mut session = db.connect(who);
            refused(&mut session, &format!("DELETE FROM leadguard.{table}"), "42501");
            refused(&mut session, &format!("TRUNCATE leadguard.{table} CASCADE"), "42501");
            if table != "approval" {
                refused(&mut session, &format!("SELECT FROM leadguard.{table}"), "42501");
            }
        }
    }
}
