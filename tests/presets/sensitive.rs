//! Sensitive records (K46) and their reason (K47).

use leadguard_tests::*;

use crate::lab::{attempt, contents, four_role, give_role, leads, people, protect_leads, rights, rule, seen, switch};

#[test]
fn k46_sensitive_leads_are_for_managers_and_above() {
    let db = four_role("k46");
    for (who, found) in [
        ("olga", "6 7"),
        ("mark", "7"),
        ("mira", "7"),
        ("milo", "7"),
        ("cleo", ""),
        ("cody", ""),
        ("ana", ""),
        ("sid", ""),
        ("abe", ""),
        ("robo", ""),
    ] {
        assert_eq!(ids(&mut db.connect(who), "SELECT id FROM crm.lead WHERE sensitive"), set(found), "{who}");
    }
    // Not its owner, not its creator, not who was given it.
    accepted(&mut db.connect("olga"), "SELECT leadguard.share('crm.lead', '7', 'cleo', 'full', reason => 'x')");
    accepted(&mut db.connect("olga"), "SELECT leadguard.team_add('crm.lead', '7', 'abe', 'edit', reason => 'x')");
    for who in ["cleo", "abe", "cody"] {
        assert_eq!(rights(&mut db.connect(who), "crm.lead", "7"), "-----", "{who}");
    }
    assert_eq!(rights(&mut db.connect("cleo"), "crm.lead", "6"), "-----", "not even its owner");
    // The rank is that of the best role; the paths stay those of each.
    let mut cleo = db.connect("cleo");
    give_role(&db, "cleo", "lead_manager");
    assert_eq!(rights(&mut cleo, "crm.lead", "6"), "ru---");
    assert_eq!(rights(&mut cleo, "crm.lead", "7"), "ru---", "by the share");
}

#[test]
fn k46_see_sensitive_is_a_capability() {
    let db = four_role("k46_cap");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('confidant', 1, '{see_sensitive}')",
    );
    let mut cleo = db.connect("cleo");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3 4 5 8");
    give_role(&db, "cleo", "confidant");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3 4 5 6 7 8");
    let mut sid = db.connect("sid");
    give_role(&db, "sid", "confidant");
    assert_eq!(seen(&mut sid, "crm.lead"), "4", "it lifts the sensitivity, not the stage");
}

#[test]
fn k47_marking_needs_a_reason_and_is_kept() {
    let db = four_role("k47");
    let mut cleo = db.connect("cleo");
    for reason in ["NULL", "''"] {
        refused(&mut cleo, &format!("SELECT leadguard.mark_sensitive('crm.lead', '1', {reason})"), "22023");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT sensitive FROM crm.lead WHERE id = 1"), "f");
    // Whoever may change the record marks it, although he loses sight of it with that.
    accepted(&mut cleo, "SELECT leadguard.mark_sensitive('crm.lead', '1', 'inbound from a competitor')");
    assert_eq!(scalar(&mut db.admin(), "SELECT sensitive FROM crm.lead WHERE id = 1"), "t");
    assert_eq!(rights(&mut cleo, "crm.lead", "1"), "-----");
    assert!(
        accepted(
            &mut db.connect("olga"),
            "SELECT FROM leadguard.audit_log a WHERE record = '1' AND a::text LIKE '%inbound from a competitor%'"
        ) > 0,
        "the reason is in the audit"
    );
    // The way back takes sight of it.
    let hidden = refused(&mut cleo, "SELECT leadguard.unmark_sensitive('crm.lead', '1', 'mine')", "42501");
    let absent = refused(&mut cleo, "SELECT leadguard.unmark_sensitive('crm.lead', '1111', 'mine')", "42501");
    assert_eq!(hidden.message().replace('1', ""), absent.message().replace('1', ""));
    refused(&mut db.connect("mark"), "SELECT leadguard.unmark_sensitive('crm.lead', '1', '')", "22023");
    accepted(&mut db.connect("mark"), "SELECT leadguard.unmark_sensitive('crm.lead', '1', 'negotiation is over')");
    assert_eq!(rights(&mut cleo, "crm.lead", "1"), "ru---");
    // Read is not enough for either.
    refused(&mut cleo, "SELECT leadguard.mark_sensitive('crm.lead', '2', 'x')", "42501");
    refused(&mut db.connect("ana"), "SELECT leadguard.mark_sensitive('crm.lead', '1', 'x')", "42501");
}

#[test]
fn k46_a_plain_update_takes_nobody_out_of_his_own_sight() {
    let db = four_role("k46_plain");
    let mut cleo = db.connect("cleo");
    let before = contents(&db);
    let refusal = refused(&mut cleo, "UPDATE crm.lead SET sensitive = true WHERE id = 1", "42501");
    assert!(refusal.hint().unwrap_or("").contains("mark_sensitive"), "{refusal:?}");
    refused(&mut cleo, "UPDATE crm.lead SET sensitive = true, name = 'x' WHERE id IN (1, 3)", "42501");
    refused(&mut cleo, "INSERT INTO crm.lead (name, sensitive) VALUES ('x', true)", "42501");
    refused(
        &mut cleo,
        "INSERT INTO crm.lead (id, name) VALUES (6, 'x') ON CONFLICT (id) DO UPDATE SET sensitive = false",
        "42501",
    );
    assert_eq!(
        attempt(&mut cleo, "UPDATE crm.lead SET sensitive = false WHERE id = 6"),
        "0",
        "what she does not see she does not open"
    );
    assert_eq!(contents(&db), before);
    assert_eq!(accepted(&mut cleo, "UPDATE crm.lead SET sensitive = NULL WHERE id = 1"), 1, "twin: not sensitive");
    assert_eq!(
        accepted(&mut db.connect("mark"), "UPDATE crm.lead SET sensitive = true WHERE id = 1"),
        1,
        "twin: somebody who still sees it"
    );
}

#[test]
fn k46_the_column_may_hold_the_reason() {
    let db = Db::new("k46_text");
    people(&db, "olga data_owner, cleo lead_creator, cody lead_creator");
    leads(
        &db,
        "(1, 'cleo', 'cleo', NULL::text, NULL::text, NULL::bigint, 'won', NULL::boolean), (2, 'cleo', 'cleo', NULL, NULL, NULL, 'won', NULL),
         (3, 'cleo', 'cleo', NULL, NULL, NULL, 'won', NULL)",
    );
    accepted(
        &mut db.admin(),
        "ALTER TABLE crm.lead ALTER sensitive TYPE text; UPDATE crm.lead SET sensitive = CASE id WHEN 2 THEN '' WHEN 3 THEN 'partner' END",
    );
    protect_leads(&db, "four_role");
    let mut cleo = db.connect("cleo");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2", "NULL and empty are not sensitive");
    assert_eq!(attempt(&mut cleo, "UPDATE crm.lead SET sensitive = 'x' WHERE id = 1"), "42501");
    accepted(&mut cleo, "SELECT leadguard.mark_sensitive('crm.lead', '1', 'inbound from a competitor')");
    assert_eq!(seen(&mut cleo, "crm.lead"), "2");
    let mut olga = db.connect("olga");
    assert_eq!(
        rows(&mut olga, "SELECT id, sensitive FROM crm.lead WHERE id IN (1, 3) ORDER BY id"),
        [["1", "inbound from a competitor"], ["3", "partner"]]
    );
    accepted(&mut olga, "SELECT leadguard.unmark_sensitive('crm.lead', '1', 'over')");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2");
    assert_eq!(seen(&mut db.connect("cody"), "crm.lead"), "1 2");
    switch(&db, "crm.lead", "exempt_owner", "on", "");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3");
    assert_eq!(seen(&mut db.connect("cody"), "crm.lead"), "1 2");
}

#[test]
fn k46_whoever_inserts_for_managers_does_it_as_one() {
    let db = four_role("k46_insert");
    assert_eq!(attempt(&mut db.connect("olga"), "INSERT INTO crm.lead (name, sensitive) VALUES ('x', true)"), "1");
    assert_eq!(attempt(&mut db.connect("cleo"), "INSERT INTO crm.lead (name, sensitive) VALUES ('x', false)"), "1");
    switch(&db, "crm.lead", "exempt_owner", "on", "");
    assert_eq!(
        attempt(&mut db.connect("cleo"), "INSERT INTO crm.lead (name, sensitive) VALUES ('x', true)"),
        "1",
        "her own she sees"
    );
}

#[test]
fn k46_hiding_beats_every_rule() {
    let db = four_role("k46_rules");
    let mut cleo = db.connect("cleo");
    rule(&db, "crm.lead", "lead_creator organization access full");
    switch(&db, "crm.lead", "edit", "all", "lead_creator");
    assert_eq!(seen(&mut cleo, "crm.lead"), "1 2 3 4 5 8");
    assert_eq!(accepted(&mut cleo, "UPDATE crm.lead SET name = 'all'"), 6);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE name = 'all'"), "6");
    assert_eq!(accepted(&mut cleo, "DELETE FROM crm.lead"), 6);
    assert_eq!(
        scalar(&mut db.admin(), "SELECT string_agg(id::text, ' ' ORDER BY id) FROM crm.lead WHERE archived_at IS NULL"),
        "6 7"
    );
}
