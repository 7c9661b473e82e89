//! The functions of the policies can be called by anyone. They tell the caller what he may know anyway, whatever he asks.

use leadguard_tests::{Client, accepted, code, enlist, refused, rows, scalar};

use crate::lab::{begin_as, below, book, last};

fn number(c: &mut Client, key: &str) -> String {
    scalar(c, &format!("SELECT id FROM leadguard.member WHERE key = '{key}'"))
}

#[test]
fn sets_are_those_of_the_caller() {
    let db = book("direct_sets");
    let mut admin = db.admin();
    for key in ["guest1", "rep1", "mgr1", "dir1"] {
        let mut c = db.connect(key);
        let own = rows(
            &mut admin,
            &format!("SELECT m.id, m.key FROM leadguard.member AS m WHERE m.id IN ({}) ORDER BY m.id", below(key)),
        );
        let ids = own.iter().map(|r| r[0].as_str()).collect::<Vec<_>>().join(",");
        assert_eq!(
            scalar(&mut c, "SELECT array_to_string(leadguard.visible_owners('crm.lead', NULL::bigint), ',')"),
            ids,
            "{key}"
        );
        let texts = rows(&mut c, "SELECT unnest(leadguard.visible_owners('crm.lead', NULL::text)) ORDER BY 1").len();
        assert_eq!(texts, own.len(), "{key}");
        assert_eq!(scalar(&mut c, "SELECT leadguard.visible_owners('crm.lead', NULL::uuid)"), "{}", "no key is a UUID");
        assert_eq!(scalar(&mut c, "SELECT leadguard.visible_from('crm.lead', NULL::bigint) IS NULL"), "t");
    }
    let mut nobody = db.connect("app");
    for function in ["visible_owners", "visible_territories", "visible_records", "visible_organizations"] {
        for kind in ["bigint", "text", "uuid"] {
            assert_eq!(scalar(&mut nobody, &format!("SELECT leadguard.{function}('crm.lead', NULL::{kind})")), "{}");
        }
    }
    assert_eq!(
        scalar(&mut db.connect("root"), "SELECT leadguard.visible_from('crm.lead', NULL::bigint)"),
        i64::MIN.to_string()
    );
}

#[test]
fn odd_arguments_harm_nobody() {
    let db = book("direct_odd");
    let mut c = db.connect("rep1");
    let pid = scalar(&mut c, "SELECT pg_backend_pid()");
    let me = number(&mut db.admin(), "rep1");
    let other = number(&mut db.admin(), "rep400");
    let targets = ["NULL", "'crm.lead'", "'pg_class'", "0", "4294967295", "'leadguard.member'", "'crm.lead_pkey'"];
    let values = [
        "NULL",
        "NULL::bigint",
        "NULL::text",
        "NULL::uuid",
        "NULL::numeric",
        "1.5",
        "'x'",
        "''",
        "repeat('x', 100000)",
        "row(1, 2)",
        "array[1]",
        "array[]::bigint[]",
        "true",
        "now()",
        "'a'::\"char\"",
        "'{}'::jsonb",
        "9223372036854775807",
        "(-32768)::int2",
        "'abc'::name",
        "'abc'::char(10)",
        "'00000000-0000-0000-0000-000000000000'::uuid",
        "'crm.lead'::regclass",
        "NULL::oid",
    ];
    for target in targets {
        for value in values {
            for function in
                ["visible_owner", "visible_territory", "visible_record", "visible_admin", "visible_organization"]
            {
                let sql = format!("SELECT coalesce(leadguard.{function}({target}, {value}), false)");
                if code(&mut c, &sql) == "ok" {
                    assert!(function == "visible_organization" || scalar(&mut c, &sql) == "f", "{sql}");
                }
            }
            for function in
                ["visible_owners", "visible_territories", "visible_records", "visible_organizations", "visible_from"]
            {
                let sql = format!("SELECT leadguard.{function}({target}, {value})::text");
                if code(&mut c, &sql) == "ok" {
                    let told = scalar(&mut c, &sql);
                    assert!(!told.contains(&format!("{{{other}}}")) && !told.contains("rep400"), "{sql}: {told}");
                }
            }
            for function in ["visible", "still_visible", "acceptable"] {
                let sql = format!("SELECT leadguard.{function}({target}, {value}, {value}, {value}, {value})");
                let state = code(&mut c, &sql);
                assert!(state != "ok" || scalar(&mut c, &sql) == "f", "{sql}: {state}");
            }
        }
    }
    assert_eq!(scalar(&mut c, "SELECT pg_backend_pid()"), pid, "the same backend all the time");
    assert_eq!(scalar(&mut c, &format!("SELECT leadguard.visible_owner('crm.lead', {me}::bigint)")), "t", "twin");
    for kind in ["int2", "int4", "int8"] {
        assert_eq!(scalar(&mut c, &format!("SELECT leadguard.visible_owner('crm.lead', {me}::{kind})")), "t", "{kind}");
        assert_eq!(
            scalar(&mut c, &format!("SELECT leadguard.visible_owner('crm.lead', {other}::{kind})")),
            "f",
            "{kind}"
        );
    }
    assert_ne!(code(&mut c, "SELECT leadguard.visible_support(NULL)"), "ok");
}

// An unsupported type is the caller's mistake, not a bug to report.
#[test]
fn unsupported_types_are_refused_as_arguments() {
    let db = book("direct_types");
    let mut c = db.connect("rep1");
    let mut root = db.connect("root");
    for kind in ["numeric", "boolean", "timestamptz", "jsonb", "int", "smallint", "varchar"] {
        for function in ["visible_owners", "visible_territories", "visible_records", "visible_organizations"] {
            let sql = format!("SELECT leadguard.{function}('crm.lead', NULL::{kind})");
            assert_eq!(code(&mut c, &sql), "22023", "{sql}");
        }
        let sql = format!("SELECT leadguard.visible_from('crm.lead', NULL::{kind})");
        assert_eq!(code(&mut root, &sql), "22023", "{sql}");
    }
    assert_eq!(scalar(&mut root, "SELECT leadguard.visible_from('crm.lead', NULL::bigint) < -1"), "t");
    assert_eq!(scalar(&mut c, "SELECT leadguard.visible_from('crm.lead', NULL::bigint) IS NULL"), "t");
}

// The table may change from row to row of one call.
#[test]
fn each_table_is_judged_by_itself() {
    let db = book("direct_tables");
    let me = number(&mut db.admin(), "rep1");
    let both = [["crm.lead", "t"], ["pg_class", "f"]];
    for tables in ["('crm.lead'::regclass), ('pg_class')", "('pg_class'::regclass), ('crm.lead')"] {
        let sql = format!(
            "SELECT t, leadguard.visible_owner(t, {me}::bigint) FROM (VALUES {tables}) AS v (t) ORDER BY t::text"
        );
        assert_eq!(rows(&mut db.connect("rep1"), &sql), both, "{tables}");
        let sql = format!(
            "SELECT t, leadguard.visible_owners(t, NULL::bigint) <> '{{}}' FROM (VALUES {tables}) AS v (t) ORDER BY t::text"
        );
        assert_eq!(rows(&mut db.connect("rep1"), &sql), both, "{tables}");
        let sql = format!("SELECT t, leadguard.visible_all(t) FROM (VALUES {tables}) AS v (t) ORDER BY t::text");
        assert_eq!(rows(&mut db.connect("root"), &sql), both, "{tables}");
    }
}

// PL/pgSQL keeps simple expressions, and what their functions remember, for a whole transaction.
#[test]
fn simple_expressions_follow_the_identity_and_the_snapshot() {
    let db = book("direct_plpgsql");
    enlist(&db, "hr", "");
    let mut admin = db.admin();
    let (rep, other) = (number(&mut admin, "rep1"), number(&mut admin, "rep2"));
    accepted(
        &mut admin,
        "CREATE SCHEMA lab; GRANT USAGE ON SCHEMA lab TO PUBLIC;
         CREATE FUNCTION lab.asks(who bigint) RETURNS boolean LANGUAGE plpgsql AS
         $$ DECLARE answer boolean; BEGIN answer := leadguard.visible_owner('crm.lead'::regclass, who); RETURN answer; END $$;
         CREATE FUNCTION lab.moves(who bigint, under bigint) RETURNS text LANGUAGE plpgsql AS
         $$ DECLARE answer boolean; told text := ''; BEGIN
             FOR i IN 1..3 LOOP
                 BEGIN
                     IF i = 2 THEN UPDATE leadguard.member SET manager_id = under WHERE id = who; END IF;
                     answer := leadguard.visible_owner('crm.lead'::regclass, who);
                     told := told || answer || ' ';
                     IF i = 2 THEN RAISE EXCEPTION USING ERRCODE = 'raise_exception'; END IF;
                 EXCEPTION WHEN raise_exception THEN NULL;
                 END;
             END LOOP;
             RETURN told;
         END $$;
         INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('personnel', 1, '{administer}');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'personnel' FROM leadguard.member WHERE key = 'hr'",
    );
    let mut app = db.connect("app");
    for (key, expected) in [("rep1", "t"), ("rep2", "f"), ("mgr1", "t"), ("guest1", "f"), ("root", "t"), ("rep1", "t")]
    {
        assert_eq!(scalar(&mut app, &format!("SELECT lab.asks({rep})")), "f", "nobody before {key}");
        begin_as(&mut app, key);
        assert_eq!(scalar(&mut app, &format!("SELECT lab.asks({rep})")), expected, "{key}");
        assert_eq!(scalar(&mut app, &format!("SELECT lab.asks({rep})")), expected, "{key}, again");
        accepted(&mut app, "COMMIT");
    }
    // Within one transaction: such an expression counts as open until its end, and an identity does not change under it.
    let ask = format!("SELECT lab.asks({rep})");
    accepted(&mut app, "BEGIN");
    assert_eq!(scalar(&mut app, &ask), "f");
    refused(&mut app, "SELECT leadguard.act_as('rep1')", "LG003");
    accepted(&mut app, "ROLLBACK");
    assert_eq!(last(&mut app, &format!("BEGIN; SAVEPOINT s; SELECT leadguard.act_as('rep1'); {ask}")), "t");
    assert_eq!(last(&mut app, &format!("ROLLBACK TO s; {ask}")), "f", "set after the savepoint");
    accepted(&mut app, "COMMIT");
    // What a rolled-back block has changed is forgotten (F03), at every isolation level.
    let hr = number(&mut admin, "hr");
    let mut c = db.connect("hr");
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        accepted(&mut c, &format!("BEGIN ISOLATION LEVEL {level}"));
        assert_eq!(scalar(&mut c, &format!("SELECT lab.moves({other}, {hr})")), "false true false ", "{level}");
        accepted(&mut c, "ROLLBACK");
    }
}

// A condition for an index is evaluated where no row is at hand: with a table that varies there must be none.
#[test]
fn a_table_that_varies_makes_no_index_condition() {
    let db = book("direct_varying");
    let mut c = db.connect("rep1");
    accepted(&mut c, "SET enable_seqscan = off");
    for function in ["visible_owner", "visible_territory", "visible_record", "visible_admin"] {
        for target in ["attrelid::regclass", "(random() * 100)::int::oid::regclass", "NULL::regclass"] {
            let sql = format!("SELECT count(*) FROM pg_attribute WHERE leadguard.{function}({target}, attnum)");
            assert_eq!(scalar(&mut c, &sql), "0", "{sql}");
        }
    }
    assert_ne!(scalar(&mut c, "SELECT count(*) FROM crm.lead"), "0");
}

// PL/pgSQL keeps the call sites of simple expressions for a transaction, and a part of that may be taken back.
#[test]
fn f03_a_call_site_forgets_what_is_rolled_back() {
    let db = book("direct_rollback");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE SCHEMA api; GRANT USAGE ON SCHEMA api TO PUBLIC;
         CREATE FUNCTION api.ft(x bigint) RETURNS boolean STABLE LANGUAGE plpgsql AS
            'BEGIN RETURN leadguard.visible_territory(''crm.lead'', x); END';
         INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('clerk', 1, '{administer}');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'clerk' FROM leadguard.member WHERE key = 'rep1';
         INSERT INTO leadguard.territory (id, key) VALUES (900077, 'elsewhere')",
    );
    let mut c = db.connect("rep1");
    assert_eq!(scalar(&mut c, "SELECT api.ft(900077)"), "f");
    accepted(
        &mut c,
        "BEGIN; SAVEPOINT s; UPDATE leadguard.territory SET owner_id = leadguard.current_member() WHERE id = 900077",
    );
    scalar(&mut db.admin(), "SELECT txid_current()");
    assert_eq!(scalar(&mut c, "SELECT api.ft(900077)"), "t");
    accepted(&mut c, "ROLLBACK TO s");
    assert_eq!(scalar(&mut c, "SELECT api.ft(900077)"), "f");
}
