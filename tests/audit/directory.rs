//! What access follows from: who changed it, and what it was before.

use crate::{audited, mark, sound};
use leadguard_tests::*;

/// What the audit says about the directory since `start`, and of which organization.
fn said(admin: &mut Client, start: &str) -> Vec<String> {
    let text = format!(
        "SELECT concat_ws(' ', coalesce(member_key, '-'), organization, nullif(action, 'directory'), detail) FROM leadguard.audit_log
         WHERE id > {start} AND action <> 'team_joined' ORDER BY at, id"
    );
    rows(admin, &text).into_iter().map(|mut row| row.remove(0)).collect()
}

/// A data owner's statement, and what the audit then has.
#[track_caller]
fn leaves(db: &Db, statement: &str, expected: &[&str]) {
    let mut admin = db.admin();
    let start = mark(&mut admin);
    accepted(&mut db.connect("admin"), statement);
    assert_eq!(said(&mut admin, &start), expected, "{statement}");
}

/// The same of a superuser's.
#[track_caller]
fn leaves_of_superuser(db: &Db, statement: &str, expected: &[&str]) {
    let mut admin = db.admin();
    let start = mark(&mut admin);
    accepted(&mut admin, statement);
    assert_eq!(said(&mut admin, &start), expected, "{statement}");
}

#[test]
fn d26_members_who_come_and_what_becomes_of_them() {
    let db = audited("au_dir_members");
    db.create_role("nora");
    leaves(
        &db,
        "INSERT INTO leadguard.member (key, manager_id) SELECT 'nora', id FROM leadguard.member WHERE key = 'mona'",
        &["admin 1 member nora: new, manager mona"],
    );
    leaves(&db, "INSERT INTO leadguard.member (key, kind) VALUES ('gus', 'guest')", &["admin 1 member gus: new guest"]);
    leaves(
        &db,
        "UPDATE leadguard.member SET key = 'norah' WHERE key = 'nora'",
        &["admin 1 member norah: key nora -> norah"],
    );
    leaves(
        &db,
        "UPDATE leadguard.member SET email = 'norah@partner.example' WHERE key = 'norah'",
        &["admin 1 member norah: e-mail changed"],
    );
    leaves(&db, "UPDATE leadguard.member SET name = 'Norah' WHERE key = 'norah'", &[]);
    let nora = db.role("nora");
    leaves(
        &db,
        &format!("UPDATE leadguard.member SET db_role = '{nora}' WHERE key = 'norah'"),
        &[&format!("admin 1 member norah: login role none -> {nora}")],
    );
    leaves(&db, "DELETE FROM leadguard.member WHERE key = 'norah'", &["admin 1 member norah: removed"]);
    leaves(
        &db,
        &format!("INSERT INTO leadguard.member (key, db_role) VALUES ('nora2', '{nora}')"),
        &[&format!("admin 1 member nora2: new, login role {nora}")],
    );
    sound(&mut db.admin());
}

#[test]
fn d26_territories_and_scopes() {
    let db = audited("au_dir_territories");
    leaves(
        &db,
        "INSERT INTO leadguard.territory (key, parent_id, owner_id)
         SELECT 'wien', t.id, m.id FROM leadguard.territory t, leadguard.member m WHERE t.key = 'dach' AND m.key = 'carl'",
        &["admin 1 territory wien: new, below dach, owner carl"],
    );
    leaves(
        &db,
        "UPDATE leadguard.territory_member SET member_id = (SELECT id FROM leadguard.member WHERE key = 'ted')",
        &["admin 1 territory dach: member ted; territory dach: no longer member tess"],
    );
    leaves(
        &db,
        "UPDATE leadguard.territory_member SET territory_id = (SELECT id FROM leadguard.territory WHERE key = 'world')",
        &["admin 1 territory dach: no longer member ted; territory world: member ted"],
    );
    leaves(&db, "UPDATE leadguard.territory_member SET member_id = member_id", &[]);
    leaves(
        &db,
        "INSERT INTO leadguard.member_scope SELECT id, 'crm.lead', 'segment', 'smb' FROM leadguard.member WHERE key = 'carl'",
        &["admin 1 member carl: scope segment smb of crm.lead"],
    );
    leaves(
        &db,
        "UPDATE leadguard.member_scope SET value = 'large'",
        &["admin 1 member carl: no longer scope segment smb of crm.lead; member carl: scope segment large of crm.lead"],
    );
    sound(&mut db.admin());
}

#[test]
fn d26_teams_and_roles() {
    let db = audited("au_dir_teams");
    leaves(
        &db,
        "INSERT INTO leadguard.team (key, access) VALUES ('red', 'own')",
        // His own place is that of a trigger, before the statement ends.
        &["admin 1 team red: owner admin", "admin 1 team red: new, access own"],
    );
    leaves(
        &db,
        "INSERT INTO leadguard.team_member SELECT t.id, m.id FROM leadguard.team t, leadguard.member m WHERE m.key IN ('carl', 'bea')",
        &["admin 1 team red: member bea; team red: member carl"],
    );
    leaves(
        &db,
        "UPDATE leadguard.team_member tm SET role = 'owner' FROM leadguard.member m WHERE m.id = tm.member_id AND m.key = 'carl'",
        &["admin 1 team red: no longer member carl; team red: owner carl"],
    );
    leaves(
        &db,
        "UPDATE leadguard.team_member tm SET member_id = (SELECT id FROM leadguard.member WHERE key = 'amy')
         FROM leadguard.member m WHERE m.id = tm.member_id AND m.key = 'bea'",
        &["admin 1 team red: member amy; team red: no longer member bea"],
    );
    leaves(
        &db,
        "UPDATE leadguard.team SET access = 'organization', name = 'Red'",
        &["admin 1 team red: access own -> organization"],
    );
    leaves(&db, "UPDATE leadguard.team SET name = 'Reds'", &[]);
    leaves(&db, "DELETE FROM leadguard.team", &["admin 1 team red: removed"]);

    leaves(
        &db,
        "INSERT INTO leadguard.role (name, org_id, capabilities, rank, level_cap) VALUES ('clerk', 1, '{explain}', 5, 'read')",
        &["admin 1 role clerk: new, capabilities {explain}, rank 5, level at most read"],
    );
    leaves(
        &db,
        "UPDATE leadguard.role SET capabilities = '{explain,export}', rank = 7, level_cap = NULL WHERE name = 'clerk'",
        &["admin 1 role clerk: capabilities {explain} -> {explain,export}, rank 5 -> 7, level at most read -> any"],
    );
    leaves(&db, "UPDATE leadguard.role SET description = 'writes' WHERE name = 'clerk'", &[]);
    leaves(&db, "DELETE FROM leadguard.role WHERE name = 'clerk'", &["admin 1 role clerk: removed"]);
    // A role that is handed over is taken from somebody.
    leaves(
        &db,
        "UPDATE leadguard.member_role SET member_id = (SELECT id FROM leadguard.member WHERE key = 'carl') WHERE role = 'auditor'",
        &["admin 1 role_taken member tina, role auditor", "admin 1 role_given member carl, role auditor"],
    );
    sound(&mut db.admin());
}

#[test]
fn d26_settings_of_organizations_and_e_mail_domains() {
    let db = audited("au_dir_settings");
    leaves(
        &db,
        "UPDATE leadguard.organization SET organization_view = true, domain_roles = 'any'",
        &["admin 1 organization default: organization_view on, domain_roles guest_only -> any"],
    );
    leaves(
        &db,
        "INSERT INTO leadguard.domain_rule (domain, kind, role) VALUES ('*.partner.example', 'partner', 'GUEST')",
        &["admin 1 e-mail domain *.partner.example: partner, role GUEST"],
    );
    leaves(
        &db,
        "UPDATE leadguard.domain_rule SET kind = 'own', role = 'view_only'",
        &[
            "admin 1 e-mail domain *.partner.example: no longer partner, role GUEST; e-mail domain *.partner.example: own, role view_only",
        ],
    );
    leaves(
        &db,
        "DELETE FROM leadguard.domain_rule",
        &["admin 1 e-mail domain *.partner.example: no longer own, role view_only"],
    );
    leaves_of_superuser(
        &db,
        "UPDATE leadguard.organization SET third_admin = 'refuse', name = 'D' WHERE id = 1",
        &["- 1 organization default: third_admin warn -> refuse"],
    );
    sound(&mut db.admin());
}

// Who may work for whom: the logins that are not persons. A trusted connector works for the members of every organization.
#[test]
fn d26_connectors_and_analysts() {
    let db = audited("au_dir_logins");
    let (app, bi) = (db.create_role("app"), db.create_role("bi"));
    accepted(&mut db.admin(), "INSERT INTO leadguard.organization (id, key) VALUES (7, 'globex')");
    leaves_of_superuser(
        &db,
        &format!("SELECT leadguard.connector('{app}')"),
        &[&format!("- 1 login role {app}: trusted"), &format!("- 7 login role {app}: trusted")],
    );
    leaves_of_superuser(&db, &format!("SELECT leadguard.connector('{app}')"), &[]);
    leaves_of_superuser(
        &db,
        &format!("SELECT leadguard.analyst('{bi}', 'mona')"),
        &[&format!("- 1 login role {bi}: analyst of member mona")],
    );
    leaves_of_superuser(
        &db,
        &format!("SELECT leadguard.analyst('{bi}', 'vp')"),
        &[&format!("- 1 login role {bi}: analyst of member vp; login role {bi}: no longer analyst of member mona")],
    );
    leaves_of_superuser(
        &db,
        "DELETE FROM leadguard.login_role WHERE mode = 'analyst'",
        &[&format!("- 1 login role {bi}: no longer analyst of member vp")],
    );
    leaves_of_superuser(&db, "SELECT leadguard.rebind_roles()", &["- rebind_roles 18 login roles"]);
    // The auditor of an organization reads of its connector, and nothing of another organization.
    let text = "SELECT DISTINCT organization, detail FROM leadguard.audit_log WHERE detail LIKE '%trusted'";
    assert_eq!(rows(&mut db.connect("tina"), text), [["1".to_owned(), format!("login role {app}: trusted")]]);
    sound(&mut db.admin());
}

// Loads stay one row, which says how many; what a restore brings happened long ago.
#[test]
fn d26_loads_and_restores_of_the_directory() {
    let db = audited("au_dir_loads");
    leaves_of_superuser(
        &db,
        "INSERT INTO leadguard.member (key) SELECT 'm' || n FROM generate_series(1, 1500) n;
         INSERT INTO leadguard.territory (key) SELECT 't' || n FROM generate_series(1, 1001) n;
         INSERT INTO leadguard.territory (key) SELECT 'u' || n FROM generate_series(1, 60) n",
        &[
            "- insert of 1500 rows of member",
            "- insert of 1001 rows of territory",
            &format!("- 1 {}", {
                let mut keys: Vec<_> = (1..=60).map(|n| format!("territory u{n}: new")).collect();
                keys.sort();
                keys.join("; ")
            }),
        ],
    );
    leaves_of_superuser(
        &db,
        "SET row_security = off; INSERT INTO leadguard.territory (key) VALUES ('restored'); RESET row_security",
        &[],
    );
    leaves_of_superuser(&db, "TRUNCATE leadguard.member_scope", &["- all rows of member_scope removed"]);
    sound(&mut db.admin());
}

// What a restore brings is not noted; whoever says in the middle of a statement that row security is off restores nothing.
#[test]
fn d26_a_setting_does_not_hide_a_change() {
    let db = audited("au_dir_setting");
    let mut session = db.connect("admin");
    accepted(
        &mut session,
        "CREATE FUNCTION pg_temp.off() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM set_config('row_security', 'off', false); RETURN true; END $$",
    );
    let start = mark(&mut db.admin());
    for sql in [
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'ceo') WHERE key = 'carl' AND pg_temp.off()",
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'view_only' FROM leadguard.member WHERE key = 'carl' AND pg_temp.off()",
    ] {
        accepted(&mut session, sql);
        accepted(&mut session, "RESET row_security");
    }
    assert_eq!(said(&mut db.admin(), &start).len(), 2);
}
