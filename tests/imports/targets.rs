//! What tables imports go into, and who prepares them.

use crate::lab::*;
use leadguard_tests::{accepted, refused, rows, scalar};

#[test]
fn k33_the_owner_prepares_and_whoever_manages_rules_changes_the_keys() {
    let db = lab("prepare");
    let call = r#"SELECT leadguard.prepare_imports('crm.lead', '{"name": "exact"}')"#;
    for who in ["cleo", "zara", "gus", "ana"] {
        refused(&mut db.connect(who), call, "42501");
    }
    let mut olga = db.connect("olga");
    let may = scalar(&mut olga, "SELECT leadguard.has_capability('manage_rules')");
    if may == "t" {
        assert_eq!(scalar(&mut olga, call), "crm.lead_import");
    } else {
        refused(&mut olga, call, "42501");
    }
    let mut admin = db.admin();
    for wrong in [
        r#"'{"nothing": "exact"}'"#,
        r#"'{"email": "loud"}'"#,
        r#"'{"": "exact"}'"#,
        r#"'["email"]'"#,
        "NULL",
        r#"'{}', required => '{nothing}'"#,
        r#"'{}', view => ''"#,
    ] {
        refused(&mut admin, &format!("SELECT leadguard.prepare_imports('crm.lead', {wrong})"), "22023");
    }
    refused(&mut admin, "SELECT leadguard.prepare_imports('crm.lead', '{}', view => 'lead')", "42710");
    assert_eq!(
        scalar(&mut admin, "SELECT leadguard.prepare_imports('crm.lead', '{}', view => 'Loading leads')"),
        "crm.\"Loading leads\""
    );
    assert_eq!(scalar(&mut admin, "SELECT to_regclass('crm.lead_import')"), "∅", "the old view went");
}

#[test]
fn k33_the_owner_of_the_table_owns_the_view() {
    let db = lab("owner_view");
    let owner = db.create_role("dba");
    accepted(
        &mut db.admin(),
        &format!("CREATE SCHEMA own AUTHORIZATION {owner}; GRANT USAGE ON SCHEMA leadguard TO {owner};
             CREATE TABLE own.lead (id bigint PRIMARY KEY, owner_id bigint, name text); ALTER TABLE own.lead OWNER TO {owner};
             SELECT leadguard.protect('own.lead', preset => 'four_role', id => 'id', owner => 'owner_id', object => 'lead');"),
    );
    let mut cleo = db.connect("cleo");
    refused(&mut cleo, "SELECT leadguard.import_begin('own.lead')", "55000");
    assert_eq!(
        scalar(&mut db.connect("dba"), "SELECT leadguard.prepare_imports('own.lead', '{\"name\": \"exact\"}')"),
        "own.lead_import"
    );
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT pg_get_userbyid(relowner) = pg_get_userbyid((SELECT relowner FROM pg_class WHERE oid = 'own.lead'::regclass)) FROM pg_class WHERE oid = 'own.lead_import'::regclass"
        ),
        "t"
    );
    let import = scalar(&mut cleo, "SELECT leadguard.import_begin('own.lead')");
    copy(&mut cleo, "COPY own.lead_import (id, name) FROM STDIN WITH (FORMAT csv)", "1,a\n2,b\n1,c\n");
    assert_eq!(check(&mut cleo, &import), ["3 id duplicate as line 1"], "ids are unique, whatever the match keys say");
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "3 2 1 0 0");
    // A superuser's call makes it for the owner too.
    accepted(&mut db.admin(), "SELECT leadguard.prepare_imports('own.lead', '{}')");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT relowner::regrole::text LIKE '%dba%' FROM pg_class WHERE oid = 'own.lead_import'::regclass"
        ),
        "t"
    );
}

#[test]
fn k33_partitioned_tables_take_imports() {
    let db = lab("parts");
    accepted(
        &mut db.admin(),
        r#"CREATE TABLE crm.deal (id bigint, owner_id bigint, region text, name text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.deal_eu PARTITION OF crm.deal FOR VALUES IN ('eu');
         CREATE TABLE crm.deal_us (name text, region text NOT NULL, owner_id bigint, id bigint NOT NULL);
         ALTER TABLE crm.deal ATTACH PARTITION crm.deal_us FOR VALUES IN ('us');
         SELECT leadguard.protect('crm.deal', preset => 'four_role', id => 'id', owner => 'owner_id', object => 'lead');
         SELECT leadguard.prepare_imports('crm.deal', '{"name": "trim|lower"}');
         INSERT INTO crm.deal VALUES (1, NULL, 'us', 'One');"#,
    );
    let mut cleo = db.connect("cleo");
    let import = scalar(&mut cleo, "SELECT leadguard.import_begin('crm.deal')");
    copy(
        &mut cleo,
        "COPY crm.deal_import (id, region, name) FROM STDIN WITH (FORMAT csv)",
        "2,eu,two\n3,us,three\n4,eu,one\n",
    );
    assert_eq!(check(&mut cleo, &import), ["3 name exists record 1"]);
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "3 2 1 0 0");
    assert_eq!(
        rows(&mut cleo, "SELECT id, tableoid::regclass FROM crm.deal ORDER BY id"),
        [["1", "crm.deal_us"], ["2", "crm.deal_eu"], ["3", "crm.deal_us"]]
    );
}

#[test]
fn k33_masked_tables_take_imports() {
    let db = lab("masked");
    accepted(&mut db.admin(), "SELECT leadguard.mask('crm.lead', 'email', 'partial')");
    prepare(&db);
    let mut cleo = db.connect("cleo");
    let (import, problems) = checked(&mut cleo, "name,email\nann,ann@lead.example\ndora,dora@lead.example\n");
    assert_eq!(
        problems,
        ["1 email exists ∅"],
        "compared with what is there, not with what is shown; no id for who guesses"
    );
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "2 1 1 0 0");
    assert_eq!(scalar(&mut db.admin(), "SELECT email FROM crm_base.lead WHERE id > 100"), "dora@lead.example");
    assert_eq!(scalar(&mut cleo, "SELECT target FROM leadguard.imports()"), "crm.lead");
}

#[test]
fn p25_organizations_in_one_table_do_not_meet() {
    let db = lab("orgs");
    accepted(
        &mut db.admin(),
        r#"CREATE TABLE crm.shared (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, org text, owner_id bigint, email text);
         INSERT INTO crm.shared (org, owner_id, email) SELECT 'globex', id, 'x@lead.example' FROM leadguard.member WHERE key = 'zara';
         SELECT leadguard.protect('crm.shared', preset => 'four_role', id => 'id', owner => 'owner_id', organization => 'org', object => 'lead');
         SELECT leadguard.prepare_imports('crm.shared', '{"email": "email"}');"#,
    );
    let mut cleo = db.connect("cleo");
    let import = scalar(&mut cleo, "SELECT leadguard.import_begin('crm.shared')");
    copy(
        &mut cleo,
        "COPY crm.shared_import (org, email) FROM STDIN WITH (FORMAT csv)",
        ",x@lead.example\nglobex,y@lead.example\n",
    );
    let problems = check(&mut cleo, &import);
    assert_eq!(problems.len(), 1, "what others have is nothing to cleo: {problems:?}");
    assert!(problems[0].starts_with("2 ∅ refused"), "{problems:?}");
    let mut zara = db.connect("zara");
    let import_of_zara = scalar(&mut zara, "SELECT leadguard.import_begin('crm.shared')");
    copy(&mut zara, "COPY crm.shared_import (email) FROM STDIN WITH (FORMAT csv)", "x@lead.example\n");
    assert_eq!(check(&mut zara, &import_of_zara), ["1 email exists record 1"]);
    for sql in [submit(&import), commit(&import), format!("SELECT leadguard.import_cancel({import})")] {
        refused(&mut zara, &sql, "42501");
    }
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "2 1 0 1 0");
    assert_eq!(scalar(&mut db.admin(), "SELECT org FROM crm.shared WHERE id > 1"), "default");
}

// Somebody who is in the middle of something keeps DETACH CONCURRENTLY from ending, and whoever waits gives up.
#[test]
fn k43_records_of_a_partition_that_is_being_detached_count() {
    let db = lab("detaching");
    accepted(
        &mut db.admin(),
        r#"CREATE TABLE crm.deal (id bigint, owner_id bigint, region text, name text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.deal_eu PARTITION OF crm.deal FOR VALUES IN ('eu');
         CREATE TABLE crm.deal_us PARTITION OF crm.deal FOR VALUES IN ('us');
         SELECT leadguard.protect('crm.deal', preset => 'four_role', id => 'id', owner => 'owner_id', object => 'lead');
         SELECT leadguard.prepare_imports('crm.deal', '{"name": "trim|lower"}');
         INSERT INTO crm.deal VALUES (1, NULL, 'us', 'One');"#,
    );
    let mut cleo = db.connect("cleo");
    let import = scalar(&mut cleo, "SELECT leadguard.import_begin('crm.deal')");
    copy(&mut cleo, "COPY crm.deal_import (id, region, name) FROM STDIN WITH (FORMAT csv)", "2,eu,two\n3,eu,one\n");
    assert_eq!(check(&mut cleo, &import), ["2 name exists record 1"]);
    let (mut busy, mut admin) = (db.admin(), db.admin());
    accepted(&mut busy, "BEGIN; SELECT FROM crm.deal");
    accepted(&mut admin, "SET statement_timeout = '500ms'");
    refused(&mut admin, "ALTER TABLE crm.deal DETACH PARTITION crm.deal_us CONCURRENTLY", "57014");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"), "1");
    assert_eq!(check(&mut cleo, &import), ["2 name exists ∅"], "nobody finds it in the table");
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "2 1 1 0 0");
}
