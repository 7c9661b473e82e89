//! What is read through the view, and that the table gives no way around it.

use super::masked;
use leadguard_tests::*;

#[test]
fn k22_the_owner_sees_clear_and_the_territory_masked() {
    let db = masked("mask_read");
    assert_eq!(scalar(&mut db.connect("alice"), "SELECT email FROM crm.lead WHERE id = 1"), "lead1@example.com");
    assert_eq!(scalar(&mut db.connect("mona"), "SELECT email FROM crm.lead WHERE id = 1"), "lead1@example.com");
    let mut tom = db.connect("tom");
    for query in [
        "SELECT email FROM crm.lead WHERE id = 11",
        "SELECT l.email FROM crm.lead l JOIN crm.lead k USING (id) WHERE l.id = 11",
        "SELECT row_to_json(l)->>'email' FROM crm.lead l WHERE id = 11",
        "SELECT (l).email FROM crm.lead l WHERE id = 11",
        "SELECT max(email) FROM crm.lead WHERE id = 11",
        "SELECT first_value(email) OVER (ORDER BY email) FROM crm.lead WHERE id = 11",
        "SELECT email FROM crm.lead WHERE id = 11 FOR UPDATE",
        "SELECT email FROM crm.lead WHERE id = 11 GROUP BY email",
    ] {
        assert_eq!(scalar(&mut tom, query), "***-.com", "{query}");
    }
    assert_eq!(scalar(&mut tom, "SELECT count(*) FROM crm.lead WHERE email = 'lead11@example.com'"), "0");
    assert_eq!(scalar(&mut tom, "SELECT leadguard.col_state('crm.lead', '11', 'email')"), "masked");
    assert_eq!(scalar(&mut db.connect("loner"), "SELECT leadguard.col_state('crm.lead', '11', 'email')"), "clear");
    assert_eq!(scalar(&mut tom, "SELECT leadguard.col_state('crm.lead', '1', 'email')"), "∅");
}

#[test]
fn k22_the_record_team_sees_clear_and_a_share_masked() {
    let db = masked("mask_team");
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "SELECT leadguard.team_add('crm.lead', '1', 'carl'), leadguard.share('crm.lead', '2', 'carl', 'read')",
    );
    for who in ["carl", "bob"] {
        assert_eq!(
            rows(&mut db.connect(who), "SELECT email FROM crm.lead WHERE id IN (1, 2) ORDER BY id"),
            vec![vec!["lead1@example.com"], vec!["***-.com"]],
            "{who}"
        );
    }
}

#[test]
fn k22_the_table_behind_gives_nothing_away() {
    let db = masked("mask_base");
    let mut tom = db.connect("tom");
    for query in [
        "SELECT email FROM crm_base.lead",
        "SELECT * FROM crm_base.lead",
        "SELECT l FROM crm_base.lead l",
        "SELECT row_to_json(l) FROM crm_base.lead l",
        "SELECT id FROM crm_base.lead WHERE email = 'lead11@example.com'",
        "UPDATE crm_base.lead SET name = email",
        "UPDATE crm_base.lead SET name = 'x' WHERE email LIKE 'lead11%'",
        "UPDATE crm_base.lead SET name = 'x' WHERE id = 11 RETURNING email",
        "DELETE FROM crm_base.lead WHERE email = 'x'",
        "INSERT INTO crm_base.lead (id, name) VALUES (11, 'x') ON CONFLICT (id) DO UPDATE SET name = crm_base.lead.email",
        "COPY crm_base.lead TO STDOUT",
        "SELECT id FROM crm_base.lead FOR UPDATE OF lead SKIP LOCKED LIMIT (SELECT count(email) FROM crm_base.lead)",
        "TRUNCATE crm_base.lead",
        "ALTER TABLE crm_base.lead DISABLE ROW LEVEL SECURITY",
        "SET ROLE leadguard_view",
        "CREATE VIEW pg_temp.v AS SELECT * FROM crm_base.lead; SELECT * FROM pg_temp.v",
    ] {
        refused(&mut tom, query, "42501");
    }
    // The twin: what the privileges are for.
    assert_eq!(accepted(&mut tom, "UPDATE crm_base.lead SET name = 'x' WHERE id = 11"), 1);
    assert_eq!(ids(&mut tom, "SELECT id FROM crm_base.lead"), ids(&mut tom, "SELECT id FROM crm.lead"));
    assert_eq!(scalar(&mut tom, "SELECT count(*) FROM pg_stats WHERE tablename = 'lead'"), "0");
}

#[test]
fn x13_statistics_errors_and_plans_tell_nothing() {
    let db = masked("mask_errors");
    accepted(
        &mut db.admin(),
        "ALTER TABLE crm_base.lead ADD CONSTRAINT short CHECK (length(name) < 50); ANALYZE crm_base.lead",
    );
    let mut tom = db.connect("tom");
    let error = refused(&mut tom, "UPDATE crm.lead SET name = repeat('x', 60) WHERE id = 11", "23514");
    assert!(!format!("{error:?}").contains("lead11@"), "{error:?}");
    let error = refused(&mut tom, "UPDATE crm_base.lead SET name = repeat('x', 60) WHERE id = 11", "23514");
    assert!(!format!("{error:?}").contains("lead11@"), "{error:?}");
    assert!(code(&mut tom, "SELECT email::int FROM crm.lead WHERE id = 11") == "22P02");
}

#[test]
fn nobody_and_unsound_views_show_nothing() {
    let db = masked("mask_nobody");
    let mut admin = db.admin();
    accepted(&mut admin, "GRANT USAGE ON SCHEMA crm TO PUBLIC; GRANT SELECT ON crm.lead TO PUBLIC");
    db.create_role("stranger");
    assert_eq!(scalar(&mut db.connect("stranger"), "SELECT count(*) FROM crm.lead"), "0");
    let error = refused(&mut admin, "SELECT * FROM crm.lead", "42501");
    assert!(error.hint().is_some_and(|hint| hint.contains("crm_base.lead")), "{error:?}");
    accepted(&mut admin, "ALTER VIEW crm.lead OWNER TO postgres");
    refused(&mut db.connect("alice"), "SELECT * FROM crm.lead", "42501");
}

#[test]
fn a_pooled_connection_mixes_no_members() {
    let db = masked("mask_pool");
    let role = db.create_role("app");
    accepted(&mut db.admin(), &format!("SELECT leadguard.connector('{role}', 'trusted')"));
    let mut app = db.connect("app");
    accepted(&mut app, "PREPARE p AS SELECT email FROM crm.lead WHERE id = 11");
    for _ in 0..7 {
        for (who, expected) in [("tom", "***-.com"), ("loner", "lead11@example.com")] {
            accepted(&mut app, &format!("BEGIN; SELECT leadguard.act_as('{who}')"));
            assert_eq!(scalar(&mut app, "EXECUTE p"), expected, "{who}");
            accepted(&mut app, "COMMIT");
        }
    }
}

#[test]
fn unmask_and_reveal_give_back_what_was_there() {
    let db = Db::new("mask_undo");
    org(&db);
    let mut admin = db.admin();
    accepted(&mut admin, "COMMENT ON TABLE crm.lead IS 'leads'");
    let picture = "SELECT c.relacl, c.relnamespace::regnamespace, obj_description(c.oid), \
                   (SELECT array_agg(a.attacl::text ORDER BY attnum) FROM pg_attribute a WHERE a.attrelid = c.oid), \
                   (SELECT array_agg(g::text ORDER BY g::text) FROM leadguard.table_grant g), to_regnamespace('crm_base') \
                   FROM pg_class c WHERE c.oid = 'crm.lead'::regclass";
    let before = rows(&mut admin, picture);
    let dry = rows(&mut admin, "SELECT * FROM leadguard.mask('crm.lead', 'email', 'full', dry_run => true)");
    assert_eq!(rows(&mut admin, picture), before);
    let done = rows(&mut admin, "SELECT * FROM leadguard.mask('crm.lead', 'email', 'full')");
    assert_eq!(dry, done);
    refused(&mut admin, "SELECT leadguard.reveal('crm.lead')", "55000");
    accepted(&mut admin, "SELECT leadguard.unmask('crm.lead', 'email')");
    accepted(&mut admin, "SELECT leadguard.reveal('crm.lead')");
    let sorted = |picture: Vec<Vec<String>>| {
        let mut acl: Vec<String> = picture[0][0].trim_matches(['{', '}']).split(',').map(str::to_owned).collect();
        acl.sort();
        (acl, picture[0][1..].to_vec())
    };
    assert_eq!(sorted(rows(&mut admin, picture)), sorted(before));
}

#[test]
fn masks_that_do_not_fit_are_refused() {
    let db = Db::new("mask_args");
    org(&db);
    let mut admin = db.admin();
    for call in [
        "'amount', 'full'",
        "'owner_id', 'null'",
        "'email', 'blur'",
        "'email', 'full', '{friends}'",
        "'email', 'partial', keep => 0",
    ] {
        refused(&mut admin, &format!("SELECT leadguard.mask('crm.lead', {call})"), "22023");
    }
    refused(&mut admin, "SELECT leadguard.mask('crm.lead', 'nothing', 'full')", "42703");
    refused(&mut db.connect("admin"), "SELECT leadguard.mask('crm.lead', 'email', 'full')", "42501");
    accepted(&mut admin, "SELECT leadguard.mask('crm.lead', 'amount', 'null')");
    assert_eq!(scalar(&mut db.connect("tom"), "SELECT amount FROM crm.lead WHERE id = 11"), "∅");
}
