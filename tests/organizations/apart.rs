//! Nothing crosses organizations: not in leadguard's own tables, views and functions either.

use crate::lab::{companies, id, organization};
use leadguard_tests::{Client, accepted, allowed, code, refused, rows, scalar};

/// Everything of every relation of the extension that the connection may read, as one text.
fn everything(c: &mut Client) -> String {
    let relations = rows(
        c,
        "SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'leadguard'::regnamespace AND c.relkind IN ('r', 'p', 'v')
         AND has_any_column_privilege(c.oid, 'SELECT')",
    );
    let mut found = String::new();
    for relation in relations {
        let relation = &relation[0];
        let columns = scalar(
            c,
            &format!(
                "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = '{relation}'::regclass AND attnum > 0
                 AND NOT attisdropped AND has_column_privilege(attrelid, attnum, 'SELECT')"
            ),
        );
        let text = scalar(
            c,
            &format!("SELECT coalesce(string_agg(x::text, E'\\n'), '') FROM (SELECT {columns} FROM {relation}) x"),
        );
        found.push_str(&format!("{relation}:\n{text}\n"));
    }
    found
}

#[test]
fn p25_nobody_reads_a_row_of_another_organization() {
    let db = companies("apart_reads");
    let mut admin = db.admin();
    let globex = organization(&mut admin, "globex");
    let gus = id(&mut admin, "gus");
    let app = db.create_role("app");
    accepted(
        &mut admin,
        &format!(
            "UPDATE leadguard.organization SET name = 'CANARY Inc', key = 'CANARY' WHERE false;
             UPDATE leadguard.organization SET name = 'CANARY Inc' WHERE key = 'globex';
             UPDATE leadguard.member SET name = 'CANARY ' || key, email = 'CANARY@x' WHERE org_id = {globex};
             INSERT INTO leadguard.role (org_id, name) VALUES ({globex}, 'CANARY');
             INSERT INTO leadguard.member_role (member_id, role) VALUES ({gus}, 'CANARY');
             INSERT INTO leadguard.territory (org_id, key, owner_id) VALUES ({globex}, 'CANARY', {gus});
             INSERT INTO leadguard.territory_member SELECT id, {gus} FROM leadguard.territory WHERE key = 'CANARY';
             INSERT INTO leadguard.team (org_id, key) VALUES ({globex}, 'CANARY');
             INSERT INTO leadguard.team_member SELECT id, {gus} FROM leadguard.team WHERE key = 'CANARY';
             INSERT INTO leadguard.member_scope VALUES ({gus}, 'crm.theirs', 'segment', 'CANARY');
             INSERT INTO leadguard.member_setting VALUES ({gus}, 'CANARY', 'CANARY');
             INSERT INTO leadguard.access_rule VALUES ('crm.theirs', 'CANARY', 'own', 'access', '{{}}', 'full');
             INSERT INTO leadguard.table_switch VALUES ('crm.theirs', 'stages', 'CANARY', 'CANARY');
             INSERT INTO crm.theirs (id, owner_id, title) VALUES (1, {gus}, 'CANARY');
             SELECT leadguard.share('crm.theirs', '1', 'gina', reason => 'CANARY');
             SELECT leadguard.set_field('crm.theirs', 'title', 'CANARY', 'owner');
             SELECT leadguard.valid_values('crm.theirs', 'title', '{{CANARY}}');
             CREATE TABLE crm.canary_note (id bigint PRIMARY KEY, parent bigint, body text);
             SELECT leadguard.protect_notes('crm.canary_note', 'crm.theirs', id => 'id', parent_column => 'parent', content => 'body');
             SELECT leadguard.connector('{app}')"
        ),
    );
    accepted(&mut db.connect("gus"), "SELECT leadguard.request_approval('delete', 'crm.theirs', '1', NULL, 'CANARY')");
    accepted(&mut db.connect("gabi"), "UPDATE leadguard.member SET name = 'CANARY2' WHERE key = 'gina'");
    let matrix = "SELECT * FROM leadguard.access_matrix('crm.theirs')";
    for who in ["owner", "adm", "mem", "root", "guest", "app"] {
        let found = everything(&mut db.connect(who));
        for trace in ["CANARY", "canary", "globex", "theirs", "gus", "gina"] {
            let lines: Vec<&str> = found.lines().filter(|l| l.contains(trace)).collect();
            assert!(lines.is_empty(), "{who} reads {trace}: {lines:?}");
        }
        refused(&mut db.connect(who), matrix, "42501");
    }
    // Twin: its own people read of it.
    let found = everything(&mut db.connect("gabi"));
    for trace in ["CANARY", "canary", "globex", "theirs", "gus", "gina"] {
        assert!(found.contains(trace), "gabi reads no {trace}");
    }
    let rules = rows(&mut db.connect("gabi"), matrix);
    assert!(rules.iter().any(|row| row[0] == "CANARY"), "{rules:?}");
    // In a table of both, each knows the rules and the roles of his own organization.
    accepted(
        &mut admin,
        "CREATE TABLE crm.both (id bigint PRIMARY KEY, owner_id bigint, org_id bigint);
             SELECT leadguard.protect('crm.both', id => 'id', owner => 'owner_id', organization => 'org_id');
             SELECT leadguard.set_rule('crm.both', 'CANARY', 'own', 'access', 'full');
             SELECT leadguard.set_rule('crm.both', '*', 'own', 'access', 'full')",
    );
    for (who, knows) in [("root", false), ("gabi", true)] {
        let rules = rows(&mut db.connect(who), &matrix.replace("theirs", "both"));
        assert!(rules.iter().any(|row| row[0] == "*"), "{who}: {rules:?}");
        assert_eq!(rules.iter().any(|row| row[0] == "CANARY"), knows, "{who}: {rules:?}");
    }
}

// An id of another organization is no better than one that does not exist.
#[test]
fn p25_references_tell_nothing() {
    let db = companies("apart_references");
    let mut admin = db.admin();
    let globex = organization(&mut admin, "globex");
    let (gus, mem) = (id(&mut admin, "gus"), id(&mut admin, "mem"));
    let territory = scalar(
        &mut admin,
        &format!("INSERT INTO leadguard.territory (org_id, key) VALUES ({globex}, 'west') RETURNING id"),
    );
    let team =
        scalar(&mut admin, &format!("INSERT INTO leadguard.team (org_id, key) VALUES ({globex}, 'red') RETURNING id"));
    let own = scalar(&mut admin, "INSERT INTO leadguard.territory (key) VALUES ('own') RETURNING id");
    let own_team = scalar(&mut admin, "INSERT INTO leadguard.team (key) VALUES ('own') RETURNING id");
    for (statement, foreign, ours) in [
        (format!("UPDATE leadguard.member SET manager_id = {{}} WHERE id = {mem}"), &gus, id(&mut admin, "adm")),
        ("INSERT INTO leadguard.member (key, manager_id) VALUES ('new', {})".to_string(), &gus, mem.clone()),
        ("INSERT INTO leadguard.territory (key, owner_id) VALUES ('new', {})".to_string(), &gus, mem.clone()),
        ("INSERT INTO leadguard.territory (key, parent_id) VALUES ('new', {})".to_string(), &territory, own.clone()),
        (format!("INSERT INTO leadguard.territory_member VALUES ({own}, {{}})"), &gus, mem.clone()),
        (format!("INSERT INTO leadguard.territory_member VALUES ({{}}, {mem})"), &territory, own.clone()),
        (format!("INSERT INTO leadguard.team_member VALUES ({own_team}, {{}})"), &gus, mem.clone()),
        (format!("INSERT INTO leadguard.team_member VALUES ({{}}, {mem})"), &team, own_team.clone()),
        ("INSERT INTO leadguard.member_role (member_id, role) VALUES ({}, 'view_only')".to_string(), &gus, mem.clone()),
        ("INSERT INTO leadguard.member_scope VALUES ({}, 'crm.item', 'segment', 'x')".to_string(), &gus, mem.clone()),
    ] {
        let mut root = db.connect("root");
        let there = refused(&mut root, &statement.replace("{}", foreign), "23503");
        let absent = refused(&mut root, &statement.replace("{}", "987654"), "23503");
        let parts = |e: &leadguard_tests::DbError, id: &str| {
            format!("{} {:?} {:?} {:?}", e.message(), e.detail(), e.hint(), e.constraint()).replace(id, "N")
        };
        assert_eq!(parts(&there, foreign), parts(&absent, "987654"), "{statement}");
        assert_eq!(allowed(&mut root, &statement.replace("{}", &ours)), 1, "{statement}");
    }
    // Names are unique within an organization, so that they tell nothing of another.
    for statement in [
        "INSERT INTO leadguard.territory (key) VALUES ('west')",
        "INSERT INTO leadguard.team (key) VALUES ('red')",
        "INSERT INTO leadguard.role (name, org_id) VALUES ('hr', 1)",
    ] {
        let expected = if statement.contains("hr") { "23505" } else { "ok" };
        assert_eq!(code(&mut db.connect("root"), &format!("BEGIN; {statement}")), expected, "{statement}");
    }
}

#[test]
fn p25_functions_of_the_limits_tell_nothing_of_others() {
    let db = companies("apart_functions");
    let mut admin = db.admin();
    let (gina, owner) = (id(&mut admin, "gina"), id(&mut admin, "owner"));
    let role = scalar(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.role (org_id, name) VALUES ({}, 'theirs') RETURNING id",
            organization(&mut db.admin(), "globex")
        ),
    );
    let mut adm = db.connect("adm");
    for (call, ours) in [
        (format!("SELECT leadguard.outranks_me({gina})"), format!("SELECT leadguard.outranks_me({owner})")),
        (
            format!("SELECT leadguard.would_command({gina}, NULL)"),
            format!("SELECT leadguard.would_command({owner}, NULL)"),
        ),
        (format!("SELECT leadguard.may_give({role})"), "SELECT leadguard.may_give(18)".to_string()),
    ] {
        assert_eq!(scalar(&mut adm, &call), "f", "{call}");
        assert_eq!(scalar(&mut adm, &ours), "t", "{ours}");
    }
    // Broken pairs of another organization's tree.
    accepted(&mut admin, "ALTER TABLE leadguard.member_closure DISABLE TRIGGER ALL");
    accepted(&mut admin, &format!("DELETE FROM leadguard.member_closure WHERE ancestor_id = {gina}"));
    let broken = "SELECT count(*) FROM leadguard.verify_closure()";
    assert_eq!(scalar(&mut db.connect("root"), broken), "0");
    assert_eq!(scalar(&mut db.connect("gabi"), broken), "1");
    assert_eq!(scalar(&mut admin, broken), "1");
}
