//! Hiding by stage (K45) and by the archive: they beat every way to a record, and every statement.

use leadguard_tests::*;

use crate::lab::{app, attempt, contents, four_role, give_role, rights, rule, seen, switch};

/// The rows that a plan's top node really returned.
fn returned(c: &mut Client, sql: &str) -> String {
    let plan = scalar(c, &format!("EXPLAIN (ANALYZE, TIMING off, SUMMARY off, COSTS off, FORMAT json) {sql}"));
    let at = plan.find("\"Actual Rows\": ").expect("an executed plan") + 15;
    plan[at..].chars().take_while(char::is_ascii_digit).collect()
}

#[test]
fn k45_sdrs_see_two_stages_and_executives_all_of_their_accounts() {
    let db = four_role("k45");
    let (mut sid, mut abe) = (db.connect("sid"), db.connect("abe"));
    accepted(&mut db.admin(), "UPDATE crm.lead SET sensitive = false");
    for (stage, sid_sees) in [
        ("prospecting", true),
        ("qualified", true),
        ("negotiation", false),
        ("won", false),
        ("Qualified", false),
        ("", false),
        (" qualified", false),
    ] {
        accepted(&mut db.admin(), &format!("UPDATE crm.lead SET stage = '{stage}' WHERE id IN (4, 7)"));
        assert_eq!(seen(&mut sid, "crm.lead"), if sid_sees { "4 7" } else { "" }, "{stage:?}");
        assert_eq!(seen(&mut abe, "crm.lead"), "1 2 7", "{stage:?}");
    }
    accepted(&mut db.admin(), "UPDATE crm.lead SET stage = NULL WHERE id IN (4, 7)");
    assert_eq!(seen(&mut sid, "crm.lead"), "", "no stage is none of them");
}

#[test]
fn k45_a_lead_that_moves_on_is_out_of_sight_for_every_statement() {
    let db = four_role("k45_moves");
    let (mut sid, mut mark) = (db.connect("sid"), db.connect("mark"));
    accepted(&mut db.admin(), "UPDATE crm.lead SET sensitive = false, stage = 'qualified'");
    accepted(
        &mut sid,
        "PREPARE q AS SELECT count(*) FROM crm.lead; PREPARE u (text) AS UPDATE crm.lead SET name = $1 WHERE id = 4",
    );
    for _ in 0..7 {
        assert_eq!(scalar(&mut sid, "EXECUTE q"), "3");
        assert_eq!(accepted(&mut sid, "EXECUTE u ('sid')"), 1);
    }
    accepted(&mut sid, "BEGIN; DECLARE before CURSOR FOR SELECT id FROM crm.lead ORDER BY id");
    assert_eq!(accepted(&mut mark, "UPDATE crm.lead SET stage = 'negotiation' WHERE id = 4"), 1);
    assert_eq!(
        rows(&mut sid, "FETCH ALL FROM before"),
        [["4"], ["5"], ["7"]],
        "a cursor shows what was true when it was opened"
    );
    assert_eq!(scalar(&mut sid, "EXECUTE q"), "2");
    assert_eq!(accepted(&mut sid, "EXECUTE u ('late')"), 0);
    accepted(&mut sid, "DECLARE after CURSOR FOR SELECT id FROM crm.lead ORDER BY id");
    assert_eq!(rows(&mut sid, "FETCH ALL FROM after"), [["5"], ["7"]]);
    accepted(&mut sid, "COMMIT");
    assert_eq!(returned(&mut sid, "SELECT id FROM crm.lead"), "2");
    assert_eq!(returned(&mut sid, "SELECT id FROM crm.lead WHERE id = 4"), "0");
    for sql in [
        "UPDATE crm.lead SET name = 'x' WHERE id = 4",
        "UPDATE crm.lead SET stage = 'qualified' WHERE stage = 'negotiation' RETURNING id",
        "DELETE FROM crm.lead WHERE id = 4",
        "SELECT id FROM crm.lead WHERE id = 4 FOR UPDATE",
        "SELECT id FROM crm.lead WHERE id = 4 FOR KEY SHARE",
        "MERGE INTO crm.lead l USING (VALUES (4)) v (id) ON l.id = v.id WHEN MATCHED THEN UPDATE SET name = 'x'",
        "SELECT count(*) FROM leadguard.explain_access('crm.lead', '4') WHERE decisive",
    ] {
        let answer = attempt(&mut sid, sql);
        assert!(answer == "0" || sql.starts_with("DELETE") || sql.contains("count"), "{sql}: {answer}");
    }
    assert_eq!(rights(&mut sid, "crm.lead", "4"), "-----");
    assert_eq!(ids(&mut sid, "SELECT record FROM leadguard.what_can(NULL, 'crm.lead')"), set("5 7"));
    assert_eq!(rows(&mut sid, "SELECT * FROM leadguard.who_can('read', 'crm.lead', '4')").len(), 0);
    for call in [
        "share('crm.lead', '4', 'cody', reason => 'x')",
        "reassign('crm.lead', '4', owner => 'cody')",
        "archive('crm.lead', '4')",
    ] {
        let hidden = refused(&mut sid, &format!("SELECT leadguard.{call}"), "42501");
        let absent = refused(&mut sid, &format!("SELECT leadguard.{}", call.replace("'4'", "'4444'")), "42501");
        assert_eq!(hidden.message().replace('4', ""), absent.message().replace('4', ""), "{call}");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT name || ' ' || stage FROM crm.lead WHERE id = 4"), "sid negotiation");
    accepted(&mut mark, "UPDATE crm.lead SET stage = 'prospecting' WHERE id = 4");
    assert_eq!(scalar(&mut sid, "EXECUTE q"), "3", "and it comes back");
}

#[test]
fn k45_no_grant_and_no_other_path_opens_a_stage() {
    let db = four_role("k45_grants");
    let mut sid = db.connect("sid");
    let mut olga = db.connect("olga");
    accepted(&mut olga, "SELECT leadguard.share('crm.lead', '5', 'sid', 'full', reason => 'x')");
    accepted(&mut olga, "SELECT leadguard.share('crm.lead', '3', 'sid', 'full', reason => 'x')");
    assert_eq!(seen(&mut sid, "crm.lead"), "3 4", "owned and shared, and still negotiation");
    rule(&db, "crm.lead", "sdr organization access full");
    switch(&db, "crm.lead", "visibility", "all", "sdr");
    assert_eq!(seen(&mut sid, "crm.lead"), "1 2 3 4 8");
    // For every role that has a list the stage must be in it; a role without one does not lift it.
    give_role(&db, "sid", "lead_creator");
    assert_eq!(seen(&mut sid, "crm.lead"), "1 2 3 4 8");
    switch(&db, "crm.lead", "stages", "qualified,negotiation", "lead_creator");
    assert_eq!(seen(&mut sid, "crm.lead"), "2 4");
    switch(&db, "crm.lead", "stages", "*", "sdr");
    assert_eq!(seen(&mut sid, "crm.lead"), "2 4 5");
}

#[test]
fn k45_nobody_writes_himself_out_of_sight() {
    let db = four_role("k45_out");
    let mut sid = db.connect("sid");
    let before = contents(&db);
    let refusal = refused(&mut sid, "UPDATE crm.lead SET stage = 'negotiation' WHERE id = 4", "42501");
    assert!(refusal.hint().is_some(), "{refusal:?}");
    refused(&mut sid, "UPDATE crm.lead SET stage = NULL", "42501");
    assert_eq!(contents(&db), before);
    assert_eq!(accepted(&mut sid, "UPDATE crm.lead SET stage = 'prospecting' WHERE id = 4"), 1, "twin: a stage of his");
    rule(&db, "crm.lead", "sdr * create allow");
    let insert = |stage: &str| {
        format!(
            "INSERT INTO crm.lead (name, stage, territory_id) SELECT 'x', '{stage}', id FROM leadguard.territory WHERE key = 'dach'"
        )
    };
    assert_eq!(attempt(&mut sid, &insert("negotiation")), "42501");
    assert_eq!(attempt(&mut sid, &insert("qualified")), "1");
}

#[test]
fn k45_stages_hide_in_a_connector_as_well() {
    let db = four_role("k45_app");
    let mut api = app(&db);
    accepted(&mut api, "PREPARE q AS SELECT string_agg(id::text, ' ' ORDER BY id) FROM crm.lead");
    for _ in 0..3 {
        for (who, found) in [
            ("mark", "1 2 4 5 7"),
            ("sid", "4"),
            ("olga", "1 2 3 4 5 6 7 8"),
            ("sid", "4"),
            ("nob", "∅"),
            ("cleo", "1 2 3 4 5 8"),
        ] {
            accepted(&mut api, &format!("BEGIN; SELECT leadguard.act_as('{who}')"));
            assert_eq!(scalar(&mut api, "EXECUTE q"), found, "{who}");
            accepted(&mut api, "COMMIT");
        }
    }
}

#[test]
fn notes_and_tags_are_hidden_with_their_lead() {
    let db = four_role("notes");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.note (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, lead_id bigint, body text, author text);
         CREATE TABLE crm.tag (lead_id bigint, tag text);
         INSERT INTO crm.note (lead_id, body) SELECT id, 'about ' || id FROM crm.lead;
         INSERT INTO crm.tag SELECT id, 'persona:x' FROM crm.lead;
         SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body', author => 'author');
         SELECT leadguard.protect_tags('crm.tag', 'crm.lead', 'lead_id', 'tag')",
    );
    for (who, found) in
        [("sid", "4"), ("cleo", "1 2 3 4 5 8"), ("abe", "1 2"), ("ana", "1 2 3 4 5 8"), ("nob", ""), ("mira", "1 3 7")]
    {
        let mut c = db.connect(who);
        assert_eq!(ids(&mut c, "SELECT lead_id FROM crm.note"), set(found), "{who}");
        assert_eq!(ids(&mut c, "SELECT lead_id FROM crm.tag"), set(found), "{who}");
    }
    let mut sid = db.connect("sid");
    assert_eq!(attempt(&mut sid, "INSERT INTO crm.note (lead_id, body) VALUES (4, 'x')"), "1");
    for id in [5, 7, 4444] {
        assert_eq!(
            attempt(&mut sid, &format!("INSERT INTO crm.note (lead_id, body) VALUES ({id}, 'x')")),
            "42501",
            "{id}"
        );
    }
    assert_eq!(
        attempt(&mut db.connect("cleo"), "INSERT INTO crm.note (lead_id, body) VALUES (2, 'x')"),
        "42501",
        "read is not edit"
    );
}

#[test]
fn archived_records_are_hidden_unless_a_role_sees_them() {
    let db = four_role("archived");
    accepted(&mut db.connect("olga"), "DELETE FROM crm.lead WHERE id IN (1, 4, 7)");
    for (who, found) in [
        ("olga", "1 2 3 4 5 6 7 8"),
        ("mark", "1 2 4 5 7"),
        ("cleo", "2 3 5 8"),
        ("ana", "2 3 5 8"),
        ("sid", ""),
        ("abe", "2"),
        ("mira", "1 3 7"),
    ] {
        assert_eq!(seen(&mut db.connect(who), "crm.lead"), found, "{who}");
    }
    let mut mark = db.connect("mark");
    accepted(&mut mark, "SELECT leadguard.restore('crm.lead', '1', 'still wanted')");
    refused(&mut mark, "SELECT leadguard.restore('crm.lead', '6', 'x')", "42501");
    refused(&mut db.connect("sid"), "SELECT leadguard.restore('crm.lead', '4', 'x')", "42501");
    assert_eq!(seen(&mut db.connect("cleo"), "crm.lead"), "1 2 3 5 8");
}
