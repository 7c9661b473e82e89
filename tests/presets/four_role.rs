//! four_role: Data Owner, Lead Creator, Lead Manager, Read-Only Analyst, with scope, stages and sensitivity.

use leadguard_tests::*;

use crate::lab::{app, attempt, contents, creates, four_role, give_role, lines, rights, seen, switch, table};

const ALL: &str = "1 2 3 4 5 6 7 8";

// K1: every person and every system has one of the roles, and each role is what the source says. K2, K9 to K13, K15, K17, K20, K44, K45
// and K46 are columns and rows of this table; their own tests change one thing each.
#[test]
fn k01_four_roles_and_what_each_reaches() {
    let db = four_role("k01");
    let found = table(&db, "crm.lead", "olga otto cleo cody robo mark mira milo ana sid abe nob", ALL);
    assert_eq!(
        found,
        lines(
            "olga ruasm ruasm ruasm ruasm ruasm ruasm ruasm ruasm
             otto ruasm ruasm ruasm ruasm ruasm ruasm ruasm ruasm
             cleo ru--- r---- ru--- r---- r---- ----- ----- r----
             cody r---- ru--- ru--- ru--- r---- ----- ----- ru---
             robo r---- r---- r---- r---- r---- ----- ----- r----
             mark rua-- rua-- ----- rua-- rua-- ----- rua-- -----
             mira rua-- ----- rua-- ----- ----- ----- rua-- -----
             milo rua-- rua-- ----- ----- ----- ----- rua-- -----
             ana  r---- r---- r---- r---- r---- ----- ----- r----
             sid  ----- ----- ----- ru--- ----- ----- ----- -----
             abe  ru--- ru--- ----- ----- ----- ----- ----- -----
             nob  ----- ----- ----- ----- ----- ----- ----- -----"
        )
    );
    let shipped = ids(&mut db.connect("nob"), "SELECT name FROM leadguard.role WHERE preset = 'four_role'");
    for role in ["data_owner", "lead_creator", "lead_manager", "analyst"] {
        assert!(shipped.contains(role), "{role} in {shipped:?}");
    }
}

#[test]
fn k02_data_owner_creates_reads_updates_and_deletes_for_good() {
    let db = four_role("k02");
    let mut olga = db.connect("olga");
    assert!(creates(&mut olga, "crm.lead"));
    assert_eq!(seen(&mut olga, "crm.lead"), ALL);
    assert_eq!(accepted(&mut olga, "UPDATE crm.lead SET name = 'x'"), 8);
    accepted(&mut olga, "DELETE FROM crm.lead WHERE id = 3");
    accepted(&mut olga, "SELECT leadguard.purge('crm.lead', '3', 'asked to')");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE id = 3"), "0");
    let mut mark = db.connect("mark");
    accepted(&mut mark, "DELETE FROM crm.lead WHERE id = 1");
    refused(&mut mark, "SELECT leadguard.purge('crm.lead', '1', 'asked to')", "42501");
}

#[test]
fn k03_only_the_data_owner_changes_the_configuration() {
    let db = four_role("k03");
    let id = "(SELECT id FROM leadguard.member WHERE key = 'nob')";
    let changes = [
        "SELECT leadguard.set_switch('crm.lead', 'exempt_owner', 'on')".to_string(),
        "SELECT leadguard.reset_switch('crm.lead', 'visibility', 'analyst')".to_string(),
        "SELECT leadguard.set_rule('crm.lead', 'lead_creator', 'own', 'archive', 'allow')".to_string(),
        "SELECT leadguard.drop_rule('crm.lead', 'lead_creator', 'own', 'archive')".to_string(),
        "SELECT leadguard.set_fields('crm.lead', '{\"email\": {\"marketing\": \"owner\"}}')".to_string(),
        "SELECT leadguard.valid_values('crm.lead', 'stage', '{won}')".to_string(),
        format!("INSERT INTO leadguard.member_role (member_id, role) VALUES ({id}, 'lead_manager')"),
        format!(
            "INSERT INTO leadguard.member_scope (member_id, target, kind, value) VALUES ({id}, 'crm.lead', 'segment', 'smb')"
        ),
        "INSERT INTO leadguard.role (name, org_id) VALUES ('mine', 1)".to_string(),
    ];
    for who in ["cleo", "mark", "ana", "sid", "abe", "nob", "robo"] {
        let mut c = db.connect(who);
        for sql in &changes {
            assert_eq!(attempt(&mut c, sql), "42501", "{who}: {sql}");
        }
    }
    let mut olga = db.connect("olga");
    for sql in &changes {
        allowed(&mut olga, sql);
    }
    // What belongs to the server or to the table's owner is nobody's capability.
    for sql in ["SELECT leadguard.set_preset('crm.lead', 'sales_hierarchy')", "SELECT leadguard.unprotect('crm.lead')"]
    {
        assert_eq!(attempt(&mut olga, sql), "42501", "{sql}");
    }
    // Not by hand either.
    for (name, values) in [
        ("access_rule", "'crm.lead', '*', 'own', 'access', '{}', 'full'"),
        ("table_switch", "'crm.lead', 'admin', '', 'off'"),
    ] {
        assert_eq!(attempt(&mut olga, &format!("INSERT INTO leadguard.{name} VALUES ({values})")), "42501", "{name}");
    }
}

#[test]
fn k05_data_owner_has_all_analytics_and_all_exports() {
    let db = four_role("k05");
    let mut olga = db.connect("olga");
    assert_eq!(scalar(&mut olga, "SELECT count(*) FROM crm.lead"), "8");
    assert_eq!(scalar(&mut olga, "SELECT count(*) FROM crm.lead WHERE sensitive"), "2");
    assert_eq!(scalar(&mut olga, "SELECT leadguard.can('export', 'crm.lead', '7')"), "t");
    assert_eq!(db.psql("olga", "COPY (SELECT id FROM crm.lead ORDER BY id) TO STDOUT").lines().count(), 8);
    let refused = db.psql("cleo", "COPY (SELECT id FROM crm.lead ORDER BY id) TO STDOUT");
    assert!(refused.contains("COPY TO of crm.lead refused"), "{refused}");
    switch(&db, "crm.lead", "export", "free", "lead_creator");
    assert_eq!(db.psql("cleo", "COPY (SELECT id FROM crm.lead ORDER BY id) TO STDOUT").lines().count(), 6);
    accepted(&mut db.admin(), "SELECT leadguard.reset_switch('crm.lead', 'export', 'lead_creator')");
    assert_eq!(scalar(&mut db.connect("cleo"), "SELECT leadguard.can('export', 'crm.lead', '1')"), "f");
}

#[test]
fn k07_several_people_are_data_owners() {
    let db = four_role("k07");
    for who in ["olga", "otto"] {
        assert_eq!(seen(&mut db.connect(who), "crm.lead"), ALL, "{who}");
    }
    let mut mark = db.connect("mark");
    assert_eq!(seen(&mut mark, "crm.lead"), "1 2 4 5 7");
    give_role(&db, "mark", "data_owner");
    assert_eq!(seen(&mut mark, "crm.lead"), ALL, "a third one, beside another role, with the next statement");
}

#[test]
fn k08_lead_creator_adds_by_hand_by_import_and_by_api() {
    let db = four_role("k08");
    let mut cleo = db.connect("cleo");
    assert!(creates(&mut cleo, "crm.lead"));
    assert_eq!(
        rows(
            &mut cleo,
            "INSERT INTO crm.lead (name) VALUES ('by hand') RETURNING owner_id = leadguard.current_member(), creator_id = leadguard.current_member()"
        ),
        [["t", "t"]]
    );
    // PostgreSQL has no COPY FROM under row security for anybody: an import comes by way of a table of one's own.
    accepted(&mut cleo, "CREATE TEMP TABLE incoming AS SELECT 'imported ' || i AS name FROM generate_series(1, 20) i");
    assert_eq!(accepted(&mut cleo, "INSERT INTO crm.lead (name) SELECT name FROM incoming"), 20);
    assert!(creates(&mut db.connect("robo"), "crm.lead"), "an API is a member of kind system");
    let mut api = app(&db);
    accepted(&mut api, "BEGIN; SELECT leadguard.act_as('cody')");
    assert_eq!(accepted(&mut api, "INSERT INTO crm.lead (name) VALUES ('by api')"), 1);
    accepted(&mut api, "COMMIT; BEGIN; SELECT leadguard.act_as('sid')");
    refused(&mut api, "INSERT INTO crm.lead (name) VALUES ('by api')", "42501");
    accepted(&mut api, "ROLLBACK");
    for (who, may) in [("olga", true), ("ana", false), ("sid", false), ("abe", false), ("nob", false)] {
        assert_eq!(creates(&mut db.connect(who), "crm.lead"), may, "{who}");
    }
}

#[test]
fn k09_lead_creator_reads_all_leads() {
    let db = four_role("k09");
    accepted(&mut db.admin(), "UPDATE crm.lead SET sensitive = false");
    assert_eq!(
        seen(&mut db.connect("cleo"), "crm.lead"),
        ALL,
        "whoever owns them, wherever they are, without an owner too"
    );
    assert_eq!(seen(&mut db.connect("sid"), "crm.lead"), "4", "twin: another role does not");
}

#[test]
fn k10_lead_creator_updates_created_and_owned_leads_only() {
    let db = four_role("k10");
    let mut cleo = db.connect("cleo");
    assert_eq!(accepted(&mut cleo, "UPDATE crm.lead SET name = 'x' WHERE id IN (1, 3)"), 2, "owned, created");
    let before = contents(&db);
    for sql in [
        "UPDATE crm.lead SET name = 'x' WHERE id = 2",
        "UPDATE crm.lead SET name = 'x' WHERE id IN (1, 8)",
        "UPDATE crm.lead SET name = 'x'",
        "UPDATE crm.lead SET owner_id = leadguard.current_member() WHERE id = 2",
        "UPDATE crm.lead SET creator_id = leadguard.current_member() WHERE id = 2",
        "MERGE INTO crm.lead l USING (VALUES (2)) v (id) ON l.id = v.id WHEN MATCHED THEN UPDATE SET name = 'x'",
        "INSERT INTO crm.lead (id, name) VALUES (2, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'",
    ] {
        refused(&mut cleo, sql, "42501");
    }
    assert_eq!(contents(&db), before, "nothing was changed");
    accepted(
        &mut db.admin(),
        "UPDATE crm.lead SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'cleo') WHERE id = 2",
    );
    assert_eq!(accepted(&mut cleo, "UPDATE crm.lead SET name = 'x' WHERE id = 2"), 1, "assigned to her");
}

#[test]
fn k11_lead_creator_neither_archives_nor_deletes() {
    let db = four_role("k11");
    let mut cleo = db.connect("cleo");
    for sql in [
        "DELETE FROM crm.lead WHERE id = 1",
        "DELETE FROM crm.lead",
        "SELECT leadguard.archive('crm.lead', '1')",
        "UPDATE crm.lead SET archived_at = now() WHERE id = 1",
        "SELECT leadguard.purge('crm.lead', '1', 'old')",
        "MERGE INTO crm.lead l USING (VALUES (1)) v (id) ON l.id = v.id WHEN MATCHED THEN DELETE",
        "TRUNCATE crm.lead",
    ] {
        assert_eq!(attempt(&mut cleo, sql), "42501", "{sql}");
    }
    assert_eq!(attempt(&mut db.connect("mark"), "DELETE FROM crm.lead WHERE id = 1"), "1", "twin: a manager in scope");
}

#[test]
fn k12_lead_manager_creates_in_the_scope() {
    let db = four_role("k12");
    let insert = |key: &str| {
        format!(
            "INSERT INTO crm.lead (name, territory_id) SELECT 'new', id FROM leadguard.territory WHERE key = '{key}' RETURNING 1"
        )
    };
    assert_eq!(attempt(&mut db.connect("mark"), &insert("emea")), "1");
    assert_eq!(attempt(&mut db.connect("mark"), &insert("amer")), "42501", "a territory that he does not reach");
    assert_eq!(
        attempt(&mut db.connect("mira"), "INSERT INTO crm.lead (name, segment) VALUES ('new', 'smb') RETURNING 1"),
        "1"
    );
    for sql in
        ["INSERT INTO crm.lead (name, segment) VALUES ('new', 'ent')", "INSERT INTO crm.lead (name) VALUES ('new')"]
    {
        assert_eq!(attempt(&mut db.connect("mira"), sql), "42501", "she would not see it: {sql}");
    }
    for who in ["mark", "mira", "abe"] {
        let told = scalar(&mut db.connect(who), "SELECT leadguard.can('create', 'crm.lead', NULL)");
        assert_eq!(told, if who == "abe" { "f" } else { "t" }, "{who}");
    }
}

#[test]
fn k13_lead_manager_reads_inside_the_scope_only() {
    let db = four_role("k13");
    let (mut mark, mut mira, mut milo) = (db.connect("mark"), db.connect("mira"), db.connect("milo"));
    assert_eq!(seen(&mut mark, "crm.lead"), "1 2 4 5 7", "territory and those below it");
    assert_eq!(seen(&mut mira, "crm.lead"), "1 3 7", "segment");
    assert_eq!(seen(&mut milo, "crm.lead"), "1 2 7", "account set");
    // The scope is the directory's: each change with the next statement, without touching a lead.
    let before = contents(&db);
    let scope = |sql: &str| {
        accepted(&mut db.admin(), &sql.replace("mira", "(SELECT id FROM leadguard.member WHERE key = 'mira')"))
    };
    scope("INSERT INTO leadguard.member_scope VALUES (mira, 'crm.lead', 'territory', 'dach')");
    assert_eq!(seen(&mut mira, "crm.lead"), "1 3 4 5 7");
    scope("UPDATE leadguard.member_scope SET value = 'ent' WHERE member_id = mira AND kind = 'segment'");
    assert_eq!(seen(&mut mira, "crm.lead"), "2 4 5 6 7");
    scope("DELETE FROM leadguard.member_scope WHERE member_id = mira AND kind = 'segment'");
    assert_eq!(seen(&mut mira, "crm.lead"), "4 5 7");
    scope("DELETE FROM leadguard.member_scope WHERE member_id = mira");
    assert_eq!(seen(&mut mira, "crm.lead"), "", "without a scope nothing");
    scope("INSERT INTO leadguard.member_scope VALUES (mira, 'crm.account', 'segment', 'smb')");
    assert_eq!(seen(&mut mira, "crm.lead"), "", "the scope of another table is none here");
    assert_eq!(contents(&db), before);
}

#[test]
fn k13_owning_a_lead_outside_the_scope_does_not_show_it() {
    let db = four_role("k13_own");
    accepted(
        &mut db.admin(),
        "UPDATE crm.lead SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'mira') WHERE id IN (1, 8)",
    );
    assert_eq!(rights(&mut db.connect("mira"), "crm.lead", "8"), "-----");
    assert_eq!(rights(&mut db.connect("mira"), "crm.lead", "1"), "rua--", "twin: in the segment");
}

#[test]
fn k16_lead_manager_configures_nothing() {
    let db = four_role("k16");
    let mut mark = db.connect("mark");
    let login = db.create_role("api");
    for sql in [
        format!("SELECT leadguard.connector('{login}', 'trusted')"),
        format!("SELECT leadguard.analyst('{login}', 'mark')"),
        "SELECT leadguard.set_switch('crm.lead', 'delete_mode', 'hard', 'lead_manager')".to_string(),
        "SELECT leadguard.set_rule('crm.lead', 'lead_manager', 'organization', 'access', 'full')".to_string(),
        "UPDATE leadguard.member_scope SET value = 'ent'".to_string(),
        "DELETE FROM leadguard.member_scope".to_string(),
        "INSERT INTO leadguard.member (key) VALUES ('spy')".to_string(),
    ] {
        assert_eq!(attempt(&mut mark, &sql), "42501", "{sql}");
    }
    allowed(&mut db.connect("olga"), "SELECT leadguard.set_switch('crm.lead', 'delete_mode', 'hard', 'lead_manager')");
}

#[test]
fn k20_without_an_assignment_nothing_and_a_grant_needs_a_reason() {
    let db = four_role("k20");
    let mut nob = db.connect("nob");
    assert_eq!(seen(&mut nob, "crm.lead"), "");
    assert!(!creates(&mut nob, "crm.lead"));
    for sql in ["UPDATE crm.lead SET name = 'x'", "DELETE FROM crm.lead"] {
        assert!(["0", "42501"].contains(&attempt(&mut nob, sql).as_str()), "{sql}");
    }
    accepted(
        &mut db.admin(),
        "UPDATE crm.lead SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'nob') WHERE id = 8",
    );
    assert_eq!(rights(&mut nob, "crm.lead", "8"), "-----", "not even what he owns");

    let mut olga = db.connect("olga");
    for sql in [
        "SELECT leadguard.share('crm.lead', '5', 'cleo', 'edit')",
        "SELECT leadguard.share('crm.lead', '5', 'cleo', 'edit', reason => '')",
        "SELECT leadguard.team_add('crm.lead', '5', 'cleo', 'edit')",
    ] {
        refused(&mut olga, sql, "22023");
    }
    let mut cleo = db.connect("cleo");
    assert_eq!(rights(&mut cleo, "crm.lead", "5"), "r----");
    accepted(&mut olga, "SELECT leadguard.share('crm.lead', '5', 'cleo', 'edit', reason => 'covers for sid')");
    assert_eq!(rights(&mut cleo, "crm.lead", "5"), "ru---");
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT g.reason, m.key FROM leadguard.record_grant g JOIN leadguard.member m ON m.id = g.granted_by"
        ),
        [["covers for sid", "olga"]]
    );
    accepted(&mut olga, "SELECT leadguard.share('crm.lead', '1', 'nob', 'full', reason => 'a try')");
    assert_eq!(rights(&mut nob, "crm.lead", "1"), "-----", "a share is no assignment");
}

#[test]
fn k44_a_rep_sees_and_edits_in_his_territory_only() {
    let db = four_role("k44");
    let mut sid = db.connect("sid");
    accepted(
        &mut db.admin(),
        "UPDATE crm.lead SET stage = 'qualified', sensitive = false, owner_id = NULL, creator_id = NULL",
    );
    assert_eq!(seen(&mut sid, "crm.lead"), "4 5 7", "dach; not emea above it, not amer beside it");
    assert_eq!(rights(&mut sid, "crm.lead", "7"), "ru---");
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.territory_member SET territory_id = (SELECT id FROM leadguard.territory WHERE key = 'amer')
         WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'sid')",
    );
    assert_eq!(seen(&mut sid, "crm.lead"), "3 6", "moved to another territory");
}

#[test]
fn k56_the_rules_hold_for_every_client() {
    let db = four_role("k56");
    let login = db.create_role("bi");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{login}', 'cleo')"));
    let mut api = app(&db);
    accepted(&mut api, "BEGIN; SELECT leadguard.act_as('cleo')");
    assert_eq!(seen(&mut api, "crm.lead"), "1 2 3 4 5 8");
    refused(&mut api, "UPDATE crm.lead SET name = 'x' WHERE id = 2", "42501");
    accepted(&mut api, "ROLLBACK");
    assert_eq!(seen(&mut db.connect("bi"), "crm.lead"), "1 2 3 4 5 8");
    refused(&mut db.connect("bi"), "UPDATE crm.lead SET name = 'x' WHERE id = 1", "42501");
    assert_eq!(
        db.psql("cleo", "SELECT id FROM crm.lead ORDER BY id").split_whitespace().collect::<Vec<_>>().join(" "),
        "1 2 3 4 5 8"
    );
    assert!(db.psql("cleo", "UPDATE crm.lead SET name = 'x' WHERE id = 2").contains("ERROR"));
    assert_eq!(db.psql("cleo", "UPDATE crm.lead SET name = 'x' WHERE id = 1").trim(), "UPDATE 1");
}
