//! A curious member after a row, a column or a count that is not his, under rules, presets and hiding.
//!
//! Hidden leads of cleo (6, 7) carry the word CANARY; whatever brings it to her, or a number that counts them, is a leak.

use leadguard_tests::*;

use crate::lab::{app, attempt, four_role, organization, people, rule, seen, switch};

fn marked(name: &str) -> Db {
    let db = four_role(name);
    accepted(
        &mut db.admin(),
        "UPDATE crm.lead SET name = 'CANARY ' || id, email = 'CANARY' || id WHERE id IN (6, 7);
         CREATE SCHEMA lab; GRANT USAGE ON SCHEMA lab TO PUBLIC;
         CREATE TABLE lab.heard (v text); GRANT SELECT, INSERT ON lab.heard TO PUBLIC;
         CREATE FUNCTION lab.leak(v text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO lab.heard VALUES (v); RETURN true; END $$;
         SELECT leadguard.set_switch('crm.lead', 'export', 'free'); ANALYZE crm.lead",
    );
    db
}

/// Every way to end a statement that must not bring CANARY: rows, errors, side effects.
fn quiet(db: &Db, c: &mut Client, sql: &str) {
    accepted(c, "BEGIN");
    let answer = match c.simple_query(sql) {
        Ok(messages) => format!("{messages:?}"),
        Err(e) => format!("{e:?}"),
    };
    assert!(!answer.contains("CANARY"), "{sql}\n{answer}");
    let _ = c.simple_query("ROLLBACK");
    assert_eq!(rows(&mut db.admin(), "SELECT v FROM lab.heard WHERE v LIKE '%CANARY%'").len(), 0, "{sql}");
}

#[test]
fn attack_no_statement_brings_a_hidden_row() {
    let db = marked("a_rows");
    let mut cleo = db.connect("cleo");
    for sql in [
        "SELECT * FROM crm.lead WHERE lab.leak(name)",
        "SELECT * FROM crm.lead WHERE lab.leak(name) AND id IN (6, 7)",
        "SELECT * FROM crm.lead WHERE name LIKE 'CAN%' OR lab.leak(email)",
        "SELECT * FROM crm.lead WHERE (name || 'x')::int > 0",
        "SELECT count(*) FILTER (WHERE lab.leak(name)) FROM crm.lead",
        "SELECT l.* FROM crm.lead l JOIN (VALUES (6), (7)) v (id) USING (id)",
        "SELECT (SELECT name FROM crm.lead WHERE id = 6)",
        "TABLE crm.lead",
        "COPY (SELECT * FROM crm.lead) TO STDOUT",
        "COPY crm.lead TO STDOUT",
        "UPDATE crm.lead SET name = name WHERE lab.leak(name) AND id IN (1, 6) RETURNING *",
        "INSERT INTO crm.lead (id, name) VALUES (6, 'x') ON CONFLICT (id) DO UPDATE SET name = crm.lead.name RETURNING *",
        "INSERT INTO crm.lead (id, name) VALUES (6, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x' WHERE lab.leak(crm.lead.name)",
        "INSERT INTO crm.lead (id, name) VALUES (6, 'x') ON CONFLICT (id) DO NOTHING RETURNING *",
        "MERGE INTO crm.lead l USING (VALUES (6)) v (id) ON l.id = v.id AND lab.leak(l.name) WHEN MATCHED THEN UPDATE SET name = 'x'",
        "DELETE FROM crm.lead WHERE id = 6 RETURNING *",
        "SELECT * FROM crm.lead WHERE id = 6 FOR UPDATE",
        "SELECT * FROM leadguard.search(NULL::crm.lead, 'name', '~~', '%')",
        "SELECT * FROM leadguard.explain_access('crm.lead', '6')",
        "SELECT * FROM leadguard.audit_log",
        "SELECT * FROM leadguard.audit_value",
        "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM crm.lead WHERE lab.leak(name)",
        "SELECT * FROM pg_stats WHERE tablename = 'lead'",
        "CREATE TEMP TABLE mine AS SELECT * FROM crm.lead; SELECT * FROM mine",
        "CREATE TEMP VIEW mine2 AS SELECT * FROM crm.lead; SELECT * FROM mine2",
        "SELECT * FROM crm.lead TABLESAMPLE system (100)",
        "SELECT xmin, ctid, lead FROM crm.lead WHERE ctid = '(0,6)'",
    ] {
        quiet(&db, &mut cleo, sql);
    }
    assert!(
        rows(&mut db.connect("olga"), "SELECT name FROM crm.lead").iter().any(|r| r[0].contains("CANARY")),
        "twin: olga reads it"
    );
}

#[test]
fn attack_no_answer_counts_hidden_rows() {
    let db = marked("a_counts");
    let mut cleo = db.connect("cleo");
    assert_eq!(scalar(&mut cleo, "SELECT count(*) FROM crm.lead"), "6");
    assert_eq!(scalar(&mut cleo, "SELECT count(*) FROM leadguard.what_can(NULL, 'crm.lead')"), "6");
    assert_eq!(rows(&mut cleo, "SELECT * FROM leadguard.who_can('read', 'crm.lead', '6')").len(), 0);
    for sql in [
        "SELECT leadguard.can('read', 'crm.lead', '?')",
        "SELECT leadguard.can('update', 'crm.lead', '?')",
        "SELECT * FROM leadguard.who_can('read', 'crm.lead', '?')",
        "SELECT * FROM leadguard.explain_access('crm.lead', '?')",
        "SELECT * FROM leadguard.explain_access('crm.lead', '?', action => 'update')",
        "SELECT leadguard.col_state('crm.lead', '?', 'email')",
        "SELECT leadguard.share('crm.lead', '?', 'cody', reason => 'x')",
        "SELECT leadguard.unshare('crm.lead', '?', 'cody')",
        "SELECT leadguard.team_remove('crm.lead', '?', 'cody')",
        "SELECT leadguard.reassign('crm.lead', '?', owner => 'cody')",
        "SELECT leadguard.mark_sensitive('crm.lead', '?', 'x')",
        "SELECT leadguard.unmark_sensitive('crm.lead', '?', 'x')",
        "SELECT leadguard.archive('crm.lead', '?')",
        "SELECT leadguard.restore('crm.lead', '?', 'x')",
        "SELECT leadguard.purge('crm.lead', '?', 'x')",
        "UPDATE crm.lead SET name = 'x' WHERE id = ? RETURNING *",
        "INSERT INTO leadguard.approval (target) VALUES ('crm.lead')",
        "SELECT leadguard.request_approval('delete', 'crm.lead', '?', NULL, 'x')",
    ] {
        let hidden = answer(&mut cleo, &sql.replace('?', "6")).replace('6', "?");
        let absent = answer(&mut cleo, &sql.replace('?', "9")).replace('9', "?");
        assert_eq!(hidden, absent, "a hidden record answers as one that is not there: {sql}");
    }
    let read = "SELECT leadguard.can('read', 'crm.lead', '?')";
    assert_ne!(
        answer(&mut cleo, &read.replace('?', "2")),
        answer(&mut cleo, &read.replace('?', "9")),
        "twin: one that she sees"
    );
}

/// Everything that a statement tells its author; it is rolled back.
fn answer(c: &mut Client, sql: &str) -> String {
    accepted(c, "BEGIN");
    let told = match c.simple_query(sql) {
        Ok(messages) => messages
            .iter()
            .map(|m| match m {
                postgres::SimpleQueryMessage::Row(row) => {
                    (0..row.len()).map(|i| row.get(i).unwrap_or("NULL").to_string()).collect::<Vec<_>>().join(" | ")
                }
                postgres::SimpleQueryMessage::CommandComplete(0) => "no row".to_string(),
                _ => String::new(),
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Err(e) => {
            let e = e.as_db_error().expect("an error of the server");
            format!("{} {} {:?} {:?} {:?}", e.code().code(), e.message(), e.detail(), e.hint(), e.constraint())
        }
    };
    accepted(c, "ROLLBACK");
    told
}

// A pooled connection keeps the plans of everybody it worked for: each member gets his own rows from all of them.
#[test]
fn attack_plans_kept_from_another_member() {
    let db = marked("a_plans");
    let mut api = app(&db);
    for mode in ["auto", "force_generic_plan", "force_custom_plan"] {
        accepted(&mut api, &format!("DEALLOCATE ALL; SET plan_cache_mode = {mode}"));
        accepted(
            &mut api,
            "PREPARE p AS SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM crm.lead;
             PREPARE q (bigint) AS SELECT count(*) FROM crm.lead WHERE id = $1;
             PREPARE u (bigint) AS UPDATE crm.lead SET name = name WHERE id = $1",
        );
        for _ in 0..3 {
            for (who, found, six) in [
                ("olga", "1 2 3 4 5 6 7 8", "1"),
                ("nob", "", "0"),
                ("cleo", "1 2 3 4 5 8", "0"),
                ("otto", "1 2 3 4 5 6 7 8", "1"),
                ("sid", "4", "0"),
                ("mira", "1 3 7", "0"),
                ("ana", "1 2 3 4 5 8", "0"),
                ("olga", "1 2 3 4 5 6 7 8", "1"),
                ("abe", "1 2", "0"),
                ("robo", "1 2 3 4 5 8", "0"),
            ] {
                accepted(&mut api, &format!("BEGIN; SELECT leadguard.act_as('{who}')"));
                assert_eq!(scalar(&mut api, "EXECUTE p"), found, "{mode} {who}");
                assert_eq!(scalar(&mut api, "EXECUTE q (6)"), six, "{mode} {who}");
                let changed = api.simple_query("EXECUTE u (6)");
                assert_eq!(
                    changed.is_ok_and(|m| format!("{m:?}").contains("CommandComplete(1)")),
                    six == "1",
                    "{mode} {who}"
                );
                accepted(&mut api, "ROLLBACK");
            }
        }
    }
}

// The plan of whoever sees everything looks at no column; his own view mode must not leave it in force.
#[test]
fn attack_view_modes_between_prepare_and_execute() {
    let db = organization("a_modes");
    accepted(&mut db.admin(), "UPDATE leadguard.organization SET organization_view = true");
    for (who, mine) in [("owen", "4"), ("adam", ""), ("mel", "1 3 5")] {
        for mode in ["auto", "force_generic_plan"] {
            let mut c = db.connect(who);
            accepted(&mut c, &format!("SET plan_cache_mode = {mode}"));
            for (first, second) in [("organization", "personal"), ("personal", "organization")] {
                accepted(&mut c, &format!("DEALLOCATE ALL; SET leadguard.view_mode = '{first}'"));
                accepted(
                    &mut c,
                    "PREPARE p AS SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM crm.lead",
                );
                for view in [first, second, first, second] {
                    accepted(&mut c, &format!("SET leadguard.view_mode = '{view}'"));
                    let expected = if view == "personal" { mine } else { "1 2 3 4 5 6" };
                    assert_eq!(scalar(&mut c, "EXECUTE p"), expected, "{who} {mode} {view}");
                    assert_eq!(seen(&mut c, "crm.lead"), expected, "{who} {mode} {view}");
                }
            }
        }
    }
    // A setting of a function ends with the function, one of a transaction with the transaction; none opens what is closed.
    accepted(&mut db.admin(), "UPDATE leadguard.organization SET organization_view = false");
    let mut mel = db.connect("mel");
    assert_eq!(seen(&mut mel, "crm.lead"), "1 3 5");
    accepted(&mut mel, "SET leadguard.view_mode = 'personal'");
    accepted(
        &mut mel,
        "CREATE FUNCTION pg_temp.wide() RETURNS bigint LANGUAGE sql SET leadguard.view_mode = 'organization' AS 'SELECT count(*) FROM crm.lead'",
    );
    assert_eq!(scalar(&mut mel, "SELECT pg_temp.wide()"), "3");
    assert_eq!(seen(&mut mel, "crm.lead"), "1 3 5");
}

#[test]
fn attack_a_view_mode_is_no_cover_for_an_update() {
    let db = organization("a_mode_writes");
    let mut adam = db.connect("adam");
    accepted(&mut adam, "SET leadguard.view_mode = 'personal'");
    for sql in [
        "UPDATE crm.lead SET name = 'x'",
        "UPDATE crm.lead SET name = 'x' WHERE id = 2",
        "DELETE FROM crm.lead WHERE id = 2",
    ] {
        assert_eq!(attempt(&mut adam, sql), "0", "{sql}");
    }
    refused(&mut adam, "SELECT leadguard.reassign('crm.lead', '2', owner => 'adam')", "42501");
    accepted(&mut adam, "RESET leadguard.view_mode");
    assert_eq!(attempt(&mut adam, "UPDATE crm.lead SET name = 'x' WHERE id = 2"), "1");
}

// Definer functions run as their owner, but the session stays who it is.
#[test]
fn attack_definer_functions() {
    let db = marked("a_definer");
    accepted(
        &mut db.admin(),
        "CREATE FUNCTION lab.all_leads() RETURNS SETOF crm.lead LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM crm.lead';
         CREATE FUNCTION lab.set_name() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS
         $$ DECLARE n bigint; BEGIN UPDATE crm.lead SET name = 'definer' WHERE id IN (2, 6, 7); GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$",
    );
    let login = db.role("olga");
    for owner in [login.as_str(), "postgres"] {
        accepted(
            &mut db.admin(),
            &format!(
                "GRANT USAGE ON SCHEMA crm TO \"{owner}\"; ALTER FUNCTION lab.all_leads() OWNER TO \"{owner}\"; ALTER FUNCTION lab.set_name() OWNER TO \"{owner}\""
            ),
        );
        let mut cleo = db.connect("cleo");
        assert_ne!(attempt(&mut cleo, "SELECT lab.set_name()"), "ok", "{owner}");
        if owner != "postgres" {
            assert_eq!(ids(&mut cleo, "SELECT id FROM lab.all_leads()"), set("1 2 3 4 5 8"), "{owner}");
            assert_eq!(attempt(&mut cleo, "SELECT lab.set_name()"), "42501", "{owner}");
        }
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE name = 'definer'"), "0");
}

#[test]
fn attack_partitions_carry_the_rules() {
    let db = Db::new("a_partitions");
    people(&db, "olga data_owner, cleo lead_creator, sid sdr");
    accepted(
        &mut db.admin(),
        "CREATE SCHEMA crm;
         CREATE TABLE crm.lead (id bigint, owner_id bigint, creator_id bigint, stage text, sensitive boolean, status text, name text,
             archived_at timestamptz, archived_by bigint, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.lead_eu PARTITION OF crm.lead FOR VALUES IN ('eu');
         CREATE TABLE crm.lead_us PARTITION OF crm.lead FOR VALUES IN ('us');
         INSERT INTO crm.lead (id, owner_id, creator_id, stage, sensitive, name, region)
         SELECT i, m.id, m.id, CASE WHEN i % 3 = 0 THEN 'won' ELSE 'qualified' END, i % 4 = 0, 'lead', CASE WHEN i % 2 = 0 THEN 'eu' ELSE 'us' END
         FROM generate_series(1, 12) i JOIN leadguard.member m ON m.key = CASE WHEN i > 6 THEN 'sid' ELSE 'cleo' END;
         SELECT leadguard.protect('crm.lead', preset => 'four_role', id => 'id', owner => 'owner_id', creator => 'creator_id', stage => 'stage',
             sensitive => 'sensitive', status => 'status', archived_at => 'archived_at', archived_by => 'archived_by')",
    );
    // sid owns 7 to 12; 9 and 12 are won, 8 and 12 sensitive.
    for (who, all, eu) in [
        ("olga", "1 2 3 4 5 6 7 8 9 10 11 12", "2 4 6 8 10 12"),
        ("cleo", "1 2 3 5 6 7 9 10 11", "2 6 10"),
        ("sid", "7 10 11", "10"),
    ] {
        let mut c = db.connect(who);
        assert_eq!(seen(&mut c, "crm.lead"), all, "{who}");
        accepted(&mut db.admin(), &format!("GRANT SELECT, UPDATE ON crm.lead_eu, crm.lead_us TO \"{}\"", db.role(who)));
        assert_eq!(seen(&mut c, "crm.lead_eu"), eu, "{who}, the partition itself");
    }
    let mut sid = db.connect("sid");
    assert_eq!(attempt(&mut sid, "UPDATE crm.lead_eu SET name = 'x' WHERE id = 12"), "0");
    assert_eq!(attempt(&mut sid, "UPDATE crm.lead_eu SET stage = 'won' WHERE id = 10"), "42501");
    assert_eq!(
        attempt(&mut sid, "UPDATE crm.lead SET region = 'us', stage = 'won' WHERE id = 10"),
        "42501",
        "moving to another partition"
    );
    assert_eq!(attempt(&mut sid, "UPDATE crm.lead SET region = 'us' WHERE id = 10"), "1");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.lead_ap PARTITION OF crm.lead FOR VALUES IN ('ap'); INSERT INTO crm.lead SELECT 13, owner_id, creator_id, 'won', true, NULL, 'x', NULL, NULL, 'ap' FROM crm.lead WHERE id = 7",
    );
    assert_eq!(seen(&mut sid, "crm.lead"), "7 10 11");
    switch(&db, "crm.lead", "stages", "*", "sdr");
    assert_eq!(seen(&mut sid, "crm.lead"), "7 9 10 11");
}

#[test]
fn attack_concealed_tables_with_masks() {
    let db = marked("a_masks");
    accepted(&mut db.admin(), "SELECT leadguard.mask('crm.lead', 'email', 'full', clear_for => '{own}')");
    let mut cleo = db.connect("cleo");
    let mails = "SELECT string_agg(id || email, ' ' ORDER BY id) FROM crm.lead";
    assert_eq!(scalar(&mut cleo, mails), "11@lead.example 2*** 3*** 4*** 5*** 8***");
    assert_eq!(scalar(&mut db.connect("sid"), mails), "44@lead.example");
    assert_eq!(scalar(&mut db.connect("ana"), mails), "1*** 2*** 3*** 4*** 5*** 8***");
    for (who, found) in
        [("mark", "1 2 4 5 7"), ("abe", "1 2"), ("mira", "1 3 7"), ("nob", ""), ("olga", "1 2 3 4 5 6 7 8")]
    {
        assert_eq!(seen(&mut db.connect(who), "crm.lead"), found, "{who}");
    }
    for sql in [
        "UPDATE crm.lead SET name = name WHERE lab.leak(email) RETURNING *",
        "UPDATE crm.lead SET email = 'x' WHERE id IN (1, 6, 7) RETURNING *",
        "DELETE FROM crm.lead WHERE id = 6 RETURNING *",
        "SELECT * FROM crm_base.lead",
        "SELECT leadguard.shown('crm.lead', 'email', 6::bigint, leadguard.current_member(), NULL::bigint, NULL::bigint)",
    ] {
        quiet(&db, &mut cleo, sql);
    }
    // Rules are set, and listed, under the name that everybody uses.
    switch(&db, "crm.lead", "exempt_owner", "on", "");
    assert_eq!(scalar(&mut cleo, mails), "11@lead.example 2*** 3*** 4*** 5*** 6CANARY6 8***");
    assert_eq!(
        rows(
            &mut cleo,
            "SELECT target::text, value FROM leadguard.switches WHERE switch = 'exempt_owner' AND target = 'crm.lead'::regclass"
        ),
        [["crm.lead", "on"]]
    );
    rule(&db, "crm.lead", "lead_creator own access none");
    rule(&db, "crm.lead", "lead_creator created access none");
    assert_eq!(attempt(&mut cleo, "UPDATE crm.lead SET name = 'x' WHERE id = 1"), "42501");
    assert_eq!(attempt(&mut db.connect("olga"), "UPDATE crm.lead SET name = 'x' WHERE id = 1"), "1", "twin");
}
