//! Who writes the directory: superusers, and administrators within their own organization. Everybody else: 42501.

use crate::tree::BOTH;
use leadguard_tests::*;

/// `org` plus organization globex with administrator gina, member gus and territory west.
fn two_companies(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    for key in ["gina", "gus"] {
        db.create_role(key);
    }
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
         INSERT INTO leadguard.member (org_id, key, name, db_role)
         SELECT o.id, k, k, current_database() || '_' || k FROM leadguard.organization AS o, unnest(ARRAY['gina', 'gus']) AS k
         WHERE o.key = 'globex';
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'gina';
         INSERT INTO leadguard.territory (org_id, key, name) SELECT org_id, 'west', 'West' FROM leadguard.member WHERE key = 'gus';
         INSERT INTO leadguard.team (org_id, key, name, access) SELECT org_id, 'g-team', 'G', 'own' FROM leadguard.member WHERE key = 'gus'",
    );
    db
}

/// Ordinary administration, one statement per table.
const WORK: [&str; 14] = [
    "INSERT INTO leadguard.member (key, name, manager_id) SELECT 'new', 'New', id FROM leadguard.member WHERE key = 'mona'",
    "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'bob') WHERE key = 'alice'",
    "UPDATE leadguard.member SET active = false WHERE key = 'carl'",
    "UPDATE leadguard.member SET email = 'carl@example.com' WHERE key = 'carl'",
    "DELETE FROM leadguard.member WHERE key = 'ted'",
    "INSERT INTO leadguard.territory (key, name) VALUES ('apac', 'Apac')",
    "UPDATE leadguard.territory SET parent_id = (SELECT id FROM leadguard.territory WHERE key = 'amer') WHERE key = 'bern'",
    "DELETE FROM leadguard.territory WHERE key = 'bern'",
    "INSERT INTO leadguard.territory_member (territory_id, member_id)
     SELECT t.id, m.id FROM leadguard.territory AS t, leadguard.member AS m WHERE t.key = 'bern' AND m.key = 'carl'",
    "DELETE FROM leadguard.territory_member",
    "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'view_only' FROM leadguard.member WHERE key = 'carl'",
    "INSERT INTO leadguard.role (name, org_id, capabilities) SELECT 'dispatcher', id, '{assign}' FROM leadguard.organization WHERE key = 'default'",
    "INSERT INTO leadguard.team (key, name, access) VALUES ('red', 'Red', 'own')",
    "INSERT INTO leadguard.member_scope (member_id, target, kind, value)
     SELECT id, 'crm.lead', 'segment', 'banks' FROM leadguard.member WHERE key = 'carl'",
];

#[test]
fn an_administrator_edits_her_own_organization() {
    let db = two_companies("dir_admin");
    let mut session = db.connect("admin");
    for statement in WORK {
        let count = allowed(&mut session, statement);
        assert!(count > 0, "0 rows: {statement}");
    }
    accepted(&mut session, WORK[1]);
    assert_eq!(leads(&db, "bob"), set("1 2 3 4 5 9 10"));
    for tree in BOTH {
        tree.sound(&mut db.admin());
    }
}

#[test]
fn nobody_else_writes_the_directory() {
    let db = two_companies("dir_nobody");
    for who in ["alice", "ceo", "viewer"] {
        let mut session = db.connect(who);
        for statement in WORK {
            refused(&mut session, statement, "42501");
        }
        for statement in [
            "UPDATE leadguard.member SET name = 'x' WHERE false",
            "DELETE FROM leadguard.member WHERE false",
            "INSERT INTO leadguard.member (key) SELECT 'x' WHERE false",
            "TRUNCATE leadguard.member CASCADE",
            "TRUNCATE leadguard.territory_member",
        ] {
            refused(&mut session, statement, "42501");
        }
    }
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'alice'",
    );
    for statement in WORK {
        allowed(&mut db.connect("alice"), statement);
    }
}

#[test]
fn a_role_that_is_nobody_does_not_even_see_the_schema() {
    let db = two_companies("dir_stranger");
    db.create_role("stranger");
    let mut stranger = db.connect("stranger");
    for statement in
        ["SELECT key FROM leadguard.member", "SELECT * FROM leadguard.member_closure", WORK[0], WORK[2], WORK[5]]
    {
        refused(&mut stranger, statement, "42501");
    }
    // With the schema opened by mistake the tables still stay closed.
    let role = db.role("stranger");
    accepted(&mut db.admin(), &format!("GRANT USAGE ON SCHEMA leadguard TO \"{role}\""));
    for statement in [WORK[0], WORK[2], WORK[5]] {
        refused(&mut stranger, statement, "42501");
    }
    assert_eq!(code(&mut stranger, "SELECT key FROM leadguard.member"), "ok");
    assert_eq!(ids(&mut stranger, "SELECT key FROM leadguard.member"), set(""));
}

#[test]
fn an_administrator_does_not_reach_another_organization() {
    let db = two_companies("dir_border");
    let mut admin = db.admin();
    let theirs = scalar(&mut admin, "SELECT id FROM leadguard.organization WHERE key = 'globex'");
    let gus = member(&mut admin, "gus");
    let west = territory(&mut admin, "west");
    let before = rows(&mut admin, "SELECT m::text FROM leadguard.member AS m ORDER BY 1");
    let mut session = db.connect("admin");
    for statement in [
        format!("UPDATE leadguard.member SET name = 'taken' WHERE id = {gus}"),
        format!("UPDATE leadguard.member SET active = false WHERE org_id = {theirs}"),
        format!("DELETE FROM leadguard.member WHERE id = {gus}"),
        format!("DELETE FROM leadguard.territory WHERE id = {west}"),
        format!("UPDATE leadguard.territory SET name = 'taken' WHERE id = {west}"),
        format!("DELETE FROM leadguard.member_role WHERE member_id = (SELECT {gus} + 0)"),
        format!("UPDATE leadguard.team SET name = 'taken' WHERE org_id = {theirs}"),
    ] {
        if code(&mut session, &statement) == "ok" {
            assert_eq!(allowed(&mut session, &statement), 0, "{statement}");
        }
    }
    for statement in [
        format!("INSERT INTO leadguard.member (org_id, key, name) VALUES ({theirs}, 'spy', 'Spy')"),
        format!("UPDATE leadguard.member SET org_id = {theirs} WHERE key = 'loner'"),
        format!("INSERT INTO leadguard.territory (org_id, key, name) VALUES ({theirs}, 'spy', 'Spy')"),
        format!("INSERT INTO leadguard.member_role (member_id, role) VALUES ({gus}, 'administrator')"),
        format!("INSERT INTO leadguard.territory_member (territory_id, member_id) VALUES ({west}, {gus})"),
        format!("INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('spy', {theirs}, '{{}}')"),
        "INSERT INTO leadguard.organization (key, name) VALUES ('third', 'Third')".to_string(),
    ] {
        let state = code(&mut session, &statement);
        assert!(["42501", "23503", "23514"].contains(&state.as_str()), "{state}: {statement}");
    }
    assert_eq!(rows(&mut admin, "SELECT m::text FROM leadguard.member AS m ORDER BY 1"), before);
    // Gina, who administers globex, may.
    let mut gina = db.connect("gina");
    for statement in [
        format!("UPDATE leadguard.member SET name = 'Gus' WHERE id = {gus}"),
        format!("INSERT INTO leadguard.member (org_id, key, name) VALUES ({theirs}, 'ok', 'Ok')"),
        format!("INSERT INTO leadguard.territory_member (territory_id, member_id) VALUES ({west}, {gus})"),
        format!("INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('ok', {theirs}, '{{}}')"),
    ] {
        assert_eq!(allowed(&mut gina, &statement), 1, "{statement}");
    }
}

#[test]
fn an_administrator_who_names_no_organization_means_her_own() {
    let db = two_companies("dir_default");
    let mut admin = db.admin();
    // The default of org_id is 'default', which gina does not administer: refused or put into her own, never into 'default'.
    let state = code(&mut db.connect("gina"), "INSERT INTO leadguard.member (key, name) VALUES ('new', 'New')");
    assert!(["ok", "42501"].contains(&state.as_str()), "{state}");
    let placed = rows(
        &mut admin,
        "SELECT o.key FROM leadguard.member AS m JOIN leadguard.organization AS o ON o.id = m.org_id WHERE m.key = 'new'",
    );
    assert!(placed.is_empty() || placed == vec![vec!["globex".to_string()]], "{placed:?}");
}

#[test]
fn shipped_roles_and_internals_belong_to_the_superuser() {
    let db = two_companies("dir_shipped");
    let mut admin = db.admin();
    let mut session = db.connect("admin");
    for statement in [
        "UPDATE leadguard.role SET capabilities = '{}' WHERE name = 'administrator'",
        "UPDATE leadguard.role SET level_cap = NULL WHERE name = 'view_only'",
        "DELETE FROM leadguard.role WHERE org_id IS NULL",
    ] {
        let before = rows(&mut admin, "SELECT r::text FROM leadguard.role AS r ORDER BY 1");
        let state = code(&mut session, statement);
        assert!(["ok", "42501"].contains(&state.as_str()), "{state}: {statement}");
        assert_eq!(rows(&mut admin, "SELECT r::text FROM leadguard.role AS r ORDER BY 1"), before, "{statement}");
    }
    refused(
        &mut session,
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('mine', NULL, '{administer}')",
        "42501",
    );
    for table in [
        "member_closure",
        "territory_closure",
        "hierarchy_revision",
        "role_binding",
        "login_role",
        "protected_table",
        "record_grant",
    ] {
        for statement in [format!("DELETE FROM leadguard.{table}"), format!("TRUNCATE leadguard.{table}")] {
            refused(&mut session, &statement, "42501");
        }
    }
    let role = db.create_role("new");
    for call in [
        format!("SELECT leadguard.analyst('{role}', 'mona')"),
        format!("SELECT leadguard.connector('{role}', 'trusted')"),
        "SELECT leadguard.unprotect('crm.lead')".to_string(),
    ] {
        refused(&mut session, &call, "42501");
        allowed(&mut admin, &call);
    }
}
