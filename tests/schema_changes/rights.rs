//! Who asks, decides and reads.

use crate::lab::*;
use leadguard_tests::*;

const ASK: &str = "SELECT leadguard.request_schema_change('crm.lead', 'add column score', 'a', 'b', 'c')";
const READ: &str = "SELECT count(*) FROM leadguard.schema_change";

#[test]
fn k49_members_who_may_write_ask_and_another_data_owner_decides() {
    let db = lab("asking");
    for who in ["gus", "vic", "dba"] {
        assert_eq!(code(&mut db.connect(who), ASK), "42501", "{who}");
    }
    assert_eq!(code(&mut db.connect("zoe"), ASK), "22023", "not a table of globex");
    let own = scalar(&mut db.connect("olga"), ASK);
    let decide = format!("SELECT leadguard.decide_approval({own}, true, 'ok')");
    for who in ["olga", "rep", "zoe", "vic", "gus"] {
        assert_eq!(code(&mut db.connect(who), &decide), "42501", "{who}");
    }
    accepted(&mut db.connect("otto"), &decide);
}

#[test]
fn k50_the_changelog_is_for_auditors_of_the_organization_and_the_tables_owner() {
    let db = lab("reading");
    accepted(&mut db.connect("dba"), "ALTER TABLE crm.lead ADD COLUMN score integer");
    for (who, expected) in [("olga", "1"), ("dba", "1"), ("rep", "0"), ("gus", "0"), ("vic", "0"), ("zoe", "0")] {
        assert_eq!(scalar(&mut db.connect(who), READ), expected, "{who}");
        let mut session = db.connect(who);
        for write in [
            "DELETE FROM leadguard.schema_change",
            "UPDATE leadguard.schema_change SET state = 'approved'",
            "INSERT INTO leadguard.schema_change (target, target_name, kind, state) VALUES ('crm.lead', 'x', 'y', 'approved')",
            "SELECT * FROM leadguard.schema_shape",
            "SELECT leadguard.know_tables()",
            "SELECT leadguard.keep_shape('crm.lead', true)",
        ] {
            assert_eq!(code(&mut session, write), "42501", "{who}: {write}");
        }
    }
    assert_eq!(
        scalar(&mut db.connect("olga"), "SELECT detail FROM leadguard.audit_log WHERE action = 'schema_change'"),
        "add column score of crm.lead: without approval"
    );
}

#[test]
fn k48c_check_schema_is_for_those_who_watch() {
    let db = lab("checking");
    for (who, expected) in [("olga", "ok"), ("dba", "ok"), ("rep", "42501"), ("gus", "42501"), ("vic", "42501")] {
        assert_eq!(code(&mut db.connect(who), "SELECT leadguard.check_schema('crm.lead')"), expected, "{who}");
    }
    let login = db.create_role("bi");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{login}', 'olga')"));
    assert_eq!(code(&mut db.connect("bi"), "SELECT leadguard.check_schema('crm.lead')"), "42501", "analysts only read");
    assert_eq!(code(&mut db.connect("zoe"), "SELECT leadguard.check_schema('crm.lead')"), "22023");
    assert_eq!(rows(&mut db.connect("zoe"), "SELECT leadguard.check_schema()").len(), 0);
}

#[test]
fn k49_a_table_of_several_organizations_is_changed_for_all_of_them() {
    let db = lab("shared");
    accepted(
        &mut db.connect("dba"),
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, org_id bigint);
         SELECT leadguard.protect('crm.deal', owner => 'owner_id', organization => 'org_id');
         ALTER TABLE crm.deal ADD COLUMN a integer",
    );
    for who in ["olga", "zoe"] {
        assert_eq!(scalar(&mut db.connect(who), READ), "1", "{who}");
    }
    let accept = |id: i64| format!("SELECT leadguard.accept_schema_change({id}, 'fine')");
    accepted(&mut db.connect("zoe"), &accept(1));
    let zoe = db.role("zoe");
    accepted(
        &mut db.admin(),
        &format!("GRANT USAGE, CREATE ON SCHEMA crm TO \"{zoe}\"; ALTER TABLE crm.deal OWNER TO \"{zoe}\""),
    );
    accepted(&mut db.connect("zoe"), "ALTER TABLE crm.deal ADD COLUMN b integer");
    assert_eq!(code(&mut db.connect("zoe"), &accept(3)), "42501", "her own");
    accepted(&mut db.connect("olga"), &accept(3));
}

#[test]
fn k49_the_owner_of_a_table_cannot_make_the_watchers_run_his_code() {
    let db = lab("shadowed");
    // Functions, operators and casts in front of pg_catalog, and a domain whose check runs on every default.
    let added = adds(
        &db,
        "CREATE FUNCTION crm.format(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
         CREATE FUNCTION crm.loud(integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$;
         SET search_path = crm, pg_catalog;
         ALTER TABLE crm.lead ADD CONSTRAINT loud CHECK (crm.loud(1)) NOT VALID;
         ALTER TABLE crm.lead ADD COLUMN a integer",
    );
    assert_eq!(added, ["violation add constraint loud", "violation add column a"]);
}

/// A login of an application, which owns crm.deal of two organizations.
fn pooled(name: &str) -> Db {
    let db = lab(name);
    let app = db.create_role("app");
    accepted(
        &mut db.admin(),
        &format!(
            "SELECT leadguard.connector('{app}', 'trusted');
             CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, org_id bigint);
             SELECT leadguard.protect('crm.deal', owner => 'owner_id', organization => 'org_id');
             GRANT USAGE, CREATE ON SCHEMA crm TO \"{app}\"; ALTER TABLE crm.deal OWNER TO \"{app}\";
             DELETE FROM leadguard.schema_change"
        ),
    );
    db
}

/// What a member does over the login of the application.
fn over_app(db: &Db, member: &str, sql: &str) -> String {
    let mut app = db.connect("app");
    accepted(&mut app, "BEGIN");
    accepted(&mut app, &format!("SELECT leadguard.act_as('{member}')"));
    let code = code(&mut app, sql);
    accepted(&mut app, "COMMIT");
    code
}

fn accept(db: &Db) -> String {
    let id = scalar(&mut db.admin(), "SELECT max(id) FROM leadguard.schema_change");
    format!("SELECT leadguard.accept_schema_change({id}, 'fine')")
}

#[test]
fn k49_who_changed_a_shared_table_over_a_pooled_login_does_not_accept_it() {
    let db = pooled("pooled");
    assert_eq!(over_app(&db, "zoe", "ALTER TABLE crm.deal ADD COLUMN a integer"), "ok");
    let accept = accept(&db);
    let named = "SELECT member_id FROM leadguard.schema_change ORDER BY id DESC LIMIT 1";
    assert_eq!(scalar(&mut db.connect("olga"), named), "∅", "she is of another organization");
    for who in ["olga", "zoe", "app"] {
        assert_eq!(code(&mut db.connect(who), "SELECT FROM leadguard.schema_change_maker"), "42501", "{who}");
    }
    assert_eq!(over_app(&db, "zoe", &accept), "42501");
    refused(&mut db.connect("zoe"), &accept, "42501");
    assert_eq!(over_app(&db, "olga", &accept), "ok");
}

#[test]
fn k49_what_a_pooled_login_changed_for_nobody_is_accepted_over_another_one() {
    let db = pooled("pooled_nobody");
    accepted(&mut db.connect("app"), "ALTER TABLE crm.deal ADD COLUMN a integer");
    let accept = accept(&db);
    for who in ["olga", "zoe"] {
        assert_eq!(over_app(&db, who, &accept), "42501", "{who}");
    }
    accepted(&mut db.connect("zoe"), &accept);
}

// Whoever is concerned does not resolve the finding; the other organization does not learn of him.
#[test]
fn k48_a_review_names_who_changed_a_shared_table_to_his_own_organization() {
    let db = pooled("pooled_review");
    assert_eq!(over_app(&db, "zoe", "ALTER TABLE crm.deal ADD COLUMN a integer"), "ok");
    let found = |org: &str| {
        scalar(
            &mut db.admin(),
            &format!(
                "SELECT evidence ->> 'member' || ' ' || (evidence -> 'concerns' ->> 0 = m.id::text)
                 FROM leadguard.organization o, leadguard.review_unapproved_schema_change(o.id, now()), leadguard.member m
                 WHERE o.key = '{org}' AND m.key = 'zoe'"
            ),
        )
    };
    assert_eq!((found("globex"), found("default")), ("zoe true".to_owned(), "∅".to_owned()));
}
