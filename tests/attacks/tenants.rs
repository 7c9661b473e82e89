//! An administrator of another organization, with all the rights an administrator has there, against this one.

use leadguard_tests::{Client, Db, accepted, refused, rows, scalar};

use crate::lab::{ALICE, attempt, cast, reads, whole};

/// Organization 'rival' with its administrator, a person, a territory, a team and a table of its own.
fn rival(db: &Db) -> (Client, Client) {
    let (boss, agent) = (db.create_role("boss"), db.create_role("agent"));
    db.admin()
        .batch_execute(&format!(
            "INSERT INTO leadguard.organization (key, name) VALUES ('rival', 'Rival');
             INSERT INTO leadguard.member (org_id, key, name, db_role)
                 SELECT id, m.key, m.key, m.role FROM leadguard.organization, (VALUES ('boss', '{boss}'), ('agent', '{agent}')) m (key, role)
                 WHERE organization.key = 'rival';
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'boss';
             INSERT INTO leadguard.territory (org_id, key, name) SELECT id, 'dach', 'Their Dach' FROM leadguard.organization WHERE key = 'rival';
             INSERT INTO leadguard.team (org_id, key, name) SELECT id, 'crew', 'Crew' FROM leadguard.organization WHERE key = 'rival';
             CREATE TABLE crm.shared (id bigint PRIMARY KEY, owner_id bigint, org_id bigint, name text);
             INSERT INTO crm.shared SELECT l.id, l.owner_id, 1, 'CANARY ' || l.id FROM crm.lead l;
             INSERT INTO crm.shared SELECT 1000, m.id, m.org_id, 'theirs' FROM leadguard.member m WHERE m.key = 'agent';
             SELECT leadguard.protect('crm.shared', id => 'id', owner => 'owner_id', organization => 'org_id');
             GRANT SELECT, INSERT, UPDATE, DELETE ON crm.lead, crm.shared TO PUBLIC;"
        ))
        .unwrap();
    (db.connect("boss"), db.connect("agent"))
}

const SHARED: &str = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.shared";

// Nothing crosses an organization: not by privilege, hierarchy, territory, team, share, key or a planted row.
#[test]
fn another_organization_reaches_nothing() {
    let db = cast("tenants");
    let (mut boss, mut agent) = rival(&db);
    let mut admin = db.admin();
    let id = |admin: &mut Client, table: &str, condition: &str| {
        scalar(admin, &format!("SELECT id FROM leadguard.{table} WHERE {condition}"))
    };
    let (alice, vp) = (id(&mut admin, "member", "key = 'alice'"), id(&mut admin, "member", "key = 'vp'"));
    let (boss_id, agent_id) = (id(&mut admin, "member", "key = 'boss'"), id(&mut admin, "member", "key = 'agent'"));
    let rival = id(&mut admin, "organization", "key = 'rival'");
    let (ours, theirs) = (
        id(&mut admin, "territory", "key = 'dach' AND org_id = 1"),
        id(&mut admin, "territory", &format!("key = 'dach' AND org_id = {rival}")),
    );
    let foreign = id(&mut admin, "territory", "key = 'emea'");
    let crew = id(&mut admin, "team", "key = 'crew'");
    assert_eq!((reads(&mut boss), scalar(&mut boss, SHARED)), (String::new(), "1000".to_string()));
    for sql in [
        // upwards and sidewards through the hierarchy
        format!("UPDATE leadguard.member SET manager_id = {boss_id} WHERE id = {alice}"),
        format!("UPDATE leadguard.member SET manager_id = {alice} WHERE id = {agent_id}"),
        format!("INSERT INTO leadguard.member (org_id, key, manager_id) VALUES ({rival}, 'mole', {vp})"),
        "INSERT INTO leadguard.member (org_id, key) VALUES (1, 'mole')".to_string(),
        format!("UPDATE leadguard.member SET org_id = 1 WHERE id = {agent_id}"),
        format!("UPDATE leadguard.member SET org_id = {rival} WHERE id = {alice}"),
        // territories
        format!("UPDATE leadguard.territory SET owner_id = {boss_id} WHERE id = {ours}"),
        format!("UPDATE leadguard.territory SET parent_id = {ours} WHERE id = {theirs}"),
        format!("UPDATE leadguard.territory SET owner_id = {alice} WHERE id = {theirs}"),
        format!("UPDATE leadguard.territory SET org_id = 1 WHERE id = {theirs}"),
        format!("INSERT INTO leadguard.territory_member (territory_id, member_id) VALUES ({ours}, {boss_id})"),
        format!("INSERT INTO leadguard.territory_member (territory_id, member_id) VALUES ({theirs}, {alice})"),
        // teams, roles
        format!("INSERT INTO leadguard.team_member (team_id, member_id) VALUES ({crew}, {alice})"),
        format!("INSERT INTO leadguard.member_role (member_id, role) VALUES ({alice}, 'view_only')"),
        "INSERT INTO leadguard.role (name, capabilities) VALUES ('king', '{all_records}')".to_string(),
        "INSERT INTO leadguard.role (org_id, name, level_cap) VALUES (1, 'view_only2', 'read')".to_string(),
        "UPDATE leadguard.organization SET name = 'ours now'".to_string(),
        // logins
        format!("UPDATE leadguard.member SET db_role = '{}' WHERE id = {agent_id}", db.role("alice")),
        // records
        format!("INSERT INTO crm.shared VALUES (2000, {boss_id}, 1, 'planted')"),
        format!("INSERT INTO crm.shared VALUES (2001, {alice}, {rival}, 'planted')"),
        "UPDATE crm.shared SET org_id = 1 WHERE id = 1000".to_string(),
        format!("UPDATE crm.shared SET owner_id = {alice} WHERE id = 1000"),
        "SELECT leadguard.share('crm.shared', '1000', 'alice')".to_string(),
        "SELECT leadguard.team_add('crm.shared', '1000', 'alice')".to_string(),
        "SELECT leadguard.reassign('crm.shared', '1000', owner => 'alice')".to_string(),
        "SELECT leadguard.share('crm.lead', '1', 'boss')".to_string(),
        "SELECT leadguard.reassign('crm.lead', '1', owner => 'boss')".to_string(),
    ] {
        match attempt(&mut boss, &sql) {
            Ok(changed) => assert_eq!(changed, 0, "{sql}"),
            Err(e) => {
                let code = e.code().code();
                assert!(["42501", "22023"].contains(&code) || code.starts_with("23"), "{sql}: {}", whole(&e));
                assert!(!whole(&e).contains("CANARY"), "{sql}: {}", whole(&e));
            }
        }
    }
    // Ids can be guessed; whether there is one, and under which key, is not told.
    for (sql, key) in [
        (format!("UPDATE leadguard.member SET manager_id = {vp} WHERE id = {agent_id}"), "vp"),
        (format!("UPDATE leadguard.territory SET parent_id = {foreign} WHERE id = {theirs}"), "emea"),
    ] {
        let error = refused(&mut boss, &sql, "23503");
        assert!(!whole(&error).contains(key), "{}", whole(&error));
    }
    // A role of one's own under a shipped name counts in one's own organization only.
    let _ = attempt(
        &mut boss,
        &format!("INSERT INTO leadguard.role (org_id, name, level_cap) VALUES ({rival}, 'administrator', 'read')"),
    );
    assert_eq!(reads(&mut db.connect("admin")).split(',').count(), 15);
    assert_eq!(accepted(&mut db.connect("admin"), "UPDATE crm.lead SET amount = amount WHERE id = 1"), 1);

    for who in [&mut boss, &mut agent] {
        assert_eq!(reads(who), "");
        assert_eq!(scalar(who, SHARED), "1000");
        assert_eq!(accepted(who, "UPDATE crm.lead SET name = name"), 0);
        assert_eq!(rows(who, "SELECT * FROM leadguard.who_can('read', 'crm.lead', '1')"), Vec::<Vec<String>>::new());
        assert_eq!(scalar(who, "SELECT leadguard.can('read', 'crm.lead', '1')"), "f");
        refused(who, "SELECT leadguard.can('read', 'crm.lead', '1', 'alice')", "42501");
        refused(who, "SELECT * FROM leadguard.what_can('alice', 'crm.lead')", "42501");
        assert_eq!(scalar(who, "SELECT string_agg(key, ',' ORDER BY key) FROM leadguard.member"), "agent,boss");
    }
    assert_eq!(reads(&mut db.connect("alice")), ALICE);
    assert_eq!(scalar(&mut db.connect("alice"), SHARED), ALICE);
    assert_eq!(scalar(&mut db.connect("admin"), SHARED).split(',').count(), 15);
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.verify_closure()"), Vec::<Vec<String>>::new());
    // Twins: inside her own organization all of it works.
    assert_eq!(
        accepted(&mut boss, &format!("UPDATE leadguard.member SET manager_id = {boss_id} WHERE id = {agent_id}")),
        1
    );
    assert_eq!(
        accepted(&mut boss, &format!("UPDATE leadguard.territory SET owner_id = {boss_id} WHERE id = {theirs}")),
        1
    );
    assert_eq!(
        accepted(&mut boss, &format!("INSERT INTO leadguard.territory_member VALUES ({theirs}, {agent_id})")),
        1
    );
    accepted(&mut boss, "SELECT leadguard.share('crm.shared', '1000', 'boss')");
}

// Superusers may write what administrators may not; even then a row that names both organizations reaches nobody across.
#[test]
fn crossed_edges_are_refused_or_without_effect() {
    let db = cast("tenants_crossed");
    let (mut boss, mut agent) = rival(&db);
    let mut admin = db.admin();
    for sql in [
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'boss') WHERE key = 'alice'",
        "UPDATE leadguard.territory SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'boss') WHERE org_id = 1",
        "INSERT INTO leadguard.territory_member SELECT t.id, m.id FROM leadguard.territory t, leadguard.member m WHERE t.org_id = 1 AND m.key = 'agent'",
        "INSERT INTO leadguard.record_grant (target, record, kind, member_id, level) SELECT 'crm.lead', '1', 'share', id, 'full' FROM leadguard.member WHERE key = 'agent'",
        "SELECT leadguard.share('crm.lead', '1', 'agent', 'full')",
        "SELECT leadguard.reassign('crm.lead', '1', owner => 'agent')",
        "UPDATE crm.lead SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'agent') WHERE id = 2",
        "UPDATE crm.shared SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'agent') WHERE id = 2",
    ] {
        let _ = attempt(&mut admin, sql);
        assert_eq!(reads(&mut boss), "", "{sql}");
        assert_eq!(reads(&mut agent), "", "{sql}");
        assert_eq!(scalar(&mut agent, SHARED), "1000", "{sql}");
    }
    // Twin: a member who changes organizations, as a superuser may order, sees what is there and nothing that was.
    admin
        .batch_execute(
            "UPDATE leadguard.territory SET owner_id = NULL; DELETE FROM leadguard.territory_member; DELETE FROM leadguard.record_grant;
             UPDATE leadguard.member SET org_id = 1 WHERE key = 'agent';",
        )
        .unwrap();
    assert_eq!(scalar(&mut agent, SHARED), "2");
}
