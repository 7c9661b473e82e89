//! Owners of tables, and members, who want more than they may.

use crate::lab::*;
use leadguard_tests::{accepted, code, refused, rows, scalar};

// Everything that a table's owner may hang on a table runs in the name of the importing member, never as the extension.
#[test]
fn k33_code_of_the_tables_owner_does_not_run_as_the_extension() {
    let db = lab("owner_code");
    let owner = db.create_role("mallory");
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE SCHEMA mal AUTHORIZATION {owner}; GRANT USAGE ON SCHEMA leadguard TO {owner}; GRANT USAGE ON SCHEMA mal TO PUBLIC;"
        ),
    );
    accepted(
        &mut db.connect("mallory"),
        r#"CREATE TABLE mal.trap (who text); GRANT INSERT ON mal.trap TO PUBLIC;
         CREATE FUNCTION mal.put(x text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS
             $$ BEGIN INSERT INTO mal.trap VALUES (x || ' ' || current_user); RETURN true; END $$;
         CREATE FUNCTION mal.note(x text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
             $$ BEGIN PERFORM mal.put('checked'); RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$;
         CREATE FUNCTION mal.fallback() RETURNS text LANGUAGE plpgsql VOLATILE AS
             $$ BEGIN PERFORM mal.put('default'); RETURN 'd'; END $$;
         CREATE FUNCTION mal.fired() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM mal.put('fired'); RETURN new; END $$;
         CREATE DOMAIN mal.word AS text CHECK (mal.note(value));
         CREATE TABLE mal.lead (id bigint PRIMARY KEY, owner_id bigint, name mal.word, other text DEFAULT mal.fallback(),
             CHECK (mal.note(name)));
         CREATE INDEX ON mal.lead ((mal.note(name))) WHERE mal.note('index');
         CREATE TRIGGER a BEFORE INSERT ON mal.lead FOR EACH ROW EXECUTE FUNCTION mal.fired();"#,
    );
    accepted(
        &mut db.admin(),
        "SELECT leadguard.protect('mal.lead', preset => 'four_role', id => 'id', owner => 'owner_id', object => 'lead')",
    );
    accepted(&mut db.connect("mallory"), r#"SELECT leadguard.prepare_imports('mal.lead', '{"name": "lower"}')"#);
    accepted(&mut db.admin(), "TRUNCATE mal.trap");
    let mut cleo = db.connect("cleo");
    let import = scalar(&mut cleo, "SELECT leadguard.import_begin('mal.lead')");
    copy(&mut cleo, "COPY mal.lead_import (id, name) FROM STDIN WITH (FORMAT csv)", "1,a\n2,b\n");
    assert_eq!(check(&mut cleo, &import), Vec::<String>::new());
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "2 2 0 0 0");
    assert_eq!(
        rows(&mut db.admin(), "SELECT DISTINCT who FROM mal.trap ORDER BY 1"),
        ["checked", "default", "fired"].map(|how| [format!("{how} {}", db.role("cleo"))]),
        "the member, and nobody else"
    );
}

#[test]
fn k33_a_trigger_cannot_use_the_import_again() {
    let db = lab("again");
    let mut cleo = db.connect("cleo");
    let (import, _) = checked(&mut cleo, &leads(3));
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE FUNCTION crm.again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM leadguard.import_commit({import}); RETURN new; END $$;
             CREATE TRIGGER z BEFORE INSERT ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.again()"
        ),
    );
    accepted(&mut cleo, &submit(&import));
    refused(&mut cleo, &commit(&import), "55000");
    assert_eq!(count(&db), "3");
    accepted(&mut db.admin(), "DROP TRIGGER z ON crm.lead");
    assert_eq!(committed(&mut cleo, &import), "3 3 0 0 0");
}

#[test]
fn k33_a_view_of_ones_own_loads_nothing() {
    let db = lab("views");
    accepted(
        &mut db.admin(),
        "CREATE VIEW crm.copied AS SELECT NULL::text AS name WHERE false;
         CREATE TRIGGER t INSTEAD OF INSERT ON crm.copied FOR EACH ROW EXECUTE FUNCTION leadguard.import_stage();
         CREATE TABLE crm.plain (name text);
         CREATE TRIGGER t BEFORE INSERT ON crm.plain FOR EACH ROW EXECUTE FUNCTION leadguard.import_stage();
         GRANT INSERT ON crm.copied, crm.plain TO PUBLIC",
    );
    let mut cleo = db.connect("cleo");
    begin(&mut cleo);
    refused(&mut cleo, "INSERT INTO crm.copied VALUES ('x')", "42501");
    refused(&mut cleo, "INSERT INTO crm.plain VALUES ('x')", "39P01");
    assert_ne!(code(&mut cleo, "UPDATE crm.lead_import SET name = 'x'"), "ok");
    assert_ne!(code(&mut cleo, "DELETE FROM crm.lead_import"), "ok");
    for table in ["import_target", "import_session", "import_row", "import_problem"] {
        for sql in [format!("SELECT FROM leadguard.{table}"), format!("DELETE FROM leadguard.{table}")] {
            refused(&mut cleo, &sql, "42501");
        }
    }
    refused(&mut cleo, "SELECT leadguard.reads_import(1, 1, 'open')", "42501");
}

// A view whose statement trigger is gone still loads: what waits is written before the commit.
#[test]
fn k33_rows_are_written_without_the_statement_trigger() {
    let db = lab("no_trigger");
    accepted(&mut db.admin(), "DROP TRIGGER leadguard_staged ON crm.lead_import");
    let mut cleo = db.connect("cleo");
    let import = begin(&mut cleo);
    load(&mut cleo, &leads(7));
    assert_eq!(staged(&db, &import), "7");
}

#[test]
fn k33_values_are_not_in_the_audit() {
    let db = lab("audit_values");
    let mut cleo = db.connect("cleo");
    let (import, _) = checked(&mut cleo, "name,email,score\nSECRETNAME,ann@lead.example,SECRETSCORE\n");
    refused(&mut cleo, &submit(&import), "55000");
    accepted(&mut cleo, &format!("SELECT leadguard.import_cancel({import})"));
    let log = rows(&mut db.admin(), "SELECT coalesce(detail, '') || coalesce(reason, '') FROM leadguard.audit_log");
    assert!(log.iter().all(|row| !row[0].contains("SECRET") && !row[0].contains("ann@")), "{log:?}");
    assert_eq!(
        rows(&mut db.admin(), "SELECT p.* FROM leadguard.import_problem p WHERE p::text LIKE '%SECRET%'").len(),
        0
    );
    assert_eq!(audit(&db).len(), 2);
}

/// A function of the member's own, which checks his import when it is asked for the name of one lead.
const PEEKS: &str =
    "CREATE FUNCTION pg_temp.f(g integer, i bigint, at integer) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        IF g = at THEN PERFORM * FROM leadguard.import_check(i); END IF;
        RETURN 'lead ' || g;
    END $$";

#[test]
fn k34_a_check_while_rows_are_loaded_is_refused_or_forgotten() {
    let db = lab("peeks");
    let mut cleo = db.connect("cleo");
    let import = begin(&mut cleo);
    accepted(&mut cleo, PEEKS);
    let loading = |at: u32, rows: u32| {
        format!(
            "INSERT INTO crm.lead_import (name) SELECT pg_temp.f(g, {import}, {at}) FROM generate_series(1, {rows}) g"
        )
    };
    refused(&mut cleo, &loading(2, 1500), "55000");
    let in_one = format!(
        "WITH ins AS (INSERT INTO crm.lead_import (name) SELECT 'lead ' || g FROM generate_series(1, 1500) g RETURNING name)
         SELECT count(*) FROM ins, LATERAL (SELECT * FROM leadguard.import_check({import})) k"
    );
    // In whatever order the two run.
    let _ = code(&mut cleo, &in_one);
    assert_eq!(state(&db, &import), "open");
    refused(&mut cleo, &submit(&import), "55000");
    let loaded: u32 = staged(&db, &import).parse().unwrap();
    // The first 2,000 are written when the check comes, the others come later.
    accepted(&mut cleo, &loading(2001, 2100));
    assert_eq!((state(&db, &import), staged(&db, &import)), ("open".to_owned(), (loaded + 2100).to_string()));
    refused(&mut cleo, &submit(&import), "55000");
    check(&mut cleo, &import);
    assert_ne!(scalar(&mut cleo, &submit(&import)), "∅", "it needs an approval");
    assert_eq!(count(&db), "3");
}

#[test]
fn k34_rows_do_not_come_into_an_import_that_is_over() {
    let db = lab("late_rows");
    let mut cleo = db.connect("cleo");
    let import = begin(&mut cleo);
    accepted(
        &mut cleo,
        "CREATE FUNCTION pg_temp.f(g integer, i bigint, at integer) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
         BEGIN
             IF g = at THEN PERFORM leadguard.import_cancel(i); END IF;
             RETURN 'lead ' || g;
         END $$",
    );
    let loading = |at: u32| {
        format!("INSERT INTO crm.lead_import (name) SELECT pg_temp.f(g, {import}, {at}) FROM generate_series(1, 10) g")
    };
    refused(&mut cleo, &loading(5), "55000");
    assert_eq!((state(&db, &import), staged(&db, &import)), ("open".to_owned(), "0".to_owned()));
    accepted(&mut cleo, &loading(11));
    assert_eq!(staged(&db, &import), "10");
}

#[test]
fn k34_rows_that_a_check_does_not_see_are_not_committed() {
    let db = lab("old_snapshot");
    let (mut one, mut two) = (db.connect("cleo"), db.connect("cleo"));
    let import = begin(&mut one);
    load(&mut one, "name\nfirst\n");
    let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM crm.lead";
    accepted(&mut two, snapshot);
    load(&mut one, &leads(300));
    // The check sees the newest rows, whatever its transaction reads from.
    assert_eq!(check(&mut two, &import), Vec::<String>::new());
    accepted(&mut two, "COMMIT");
    assert_ne!(scalar(&mut one, &submit(&import)), "∅");
    // Whatever the session says: rows that were not counted are not inserted.
    accepted(
        &mut db.admin(),
        &format!(
            "UPDATE leadguard.import_session SET state = 'checked', good = 1, records = 1, approval = NULL WHERE id = {import}"
        ),
    );
    refused(&mut one, &submit(&import), "55000");
    assert_eq!(count(&db), "3");
}

/// A trigger that does what the session's settings say, once in each import.
fn extra(db: &leadguard_tests::Db) {
    accepted(
        &mut db.admin(),
        "CREATE FUNCTION crm.extra() RETURNS trigger LANGUAGE plpgsql AS $$
         DECLARE other bigint;
         BEGIN
             IF pg_trigger_depth() = 1 THEN
                 INSERT INTO crm.lead (name) SELECT 'extra ' || g
                 FROM generate_series(1, nullif(current_setting('test.rows', true), '')::integer) g;
                 PERFORM set_config('test.rows', '', false);
                 other := nullif(current_setting('test.import', true), '')::bigint;
                 PERFORM set_config('test.import', '', false);
                 IF other IS NOT NULL THEN PERFORM leadguard.import_commit(other); END IF;
             END IF;
             RETURN new;
         END $$;
         CREATE TRIGGER extra BEFORE INSERT ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.extra()",
    );
}

#[test]
fn k31_what_triggers_insert_during_an_import_has_the_limits_of_the_table() {
    let db = lab("extra_rows");
    let mut cleo = db.connect("cleo");
    let (import, _) = checked(&mut cleo, &leads(1));
    accepted(&mut cleo, &submit(&import));
    extra(&db);
    accepted(&mut cleo, "SET test.rows = '1500'");
    refused(&mut cleo, &commit(&import), "LG004");
    assert_eq!(count(&db), "3");
    accepted(&mut cleo, "SET test.rows = '99'");
    assert_eq!(committed(&mut cleo, &import), "1 1 0 0 0");
    assert_eq!(count(&db), "103");
}

#[test]
fn k31_an_import_within_an_import_counts_with_it() {
    let db = lab("nested");
    let mut cleo = db.connect("cleo");
    let mut made = |rows: usize, place: &str| {
        let (import, problems) = checked(&mut cleo, &leads(rows).replace("@lead", &format!("@{place}")));
        assert_eq!(problems.len(), 0);
        assert_eq!(scalar(&mut cleo, &submit(&import)), "∅");
        import
    };
    let (outer, inner, small) = (made(60, "outer"), made(60, "inner"), made(40, "small"));
    extra(&db);
    accepted(&mut cleo, &format!("SET test.import = '{inner}'"));
    refused(&mut cleo, &commit(&outer), "LG004");
    assert_eq!(count(&db), "3");
    accepted(&mut cleo, &format!("SET test.import = '{small}'"));
    assert_eq!(committed(&mut cleo, &outer), "60 60 0 0 0");
    assert_eq!(count(&db), "103");
    let inserted = format!("SELECT inserted FROM leadguard.import_session WHERE id IN ({outer}, {small}) ORDER BY id");
    assert_eq!(rows(&mut db.admin(), &inserted), [["60"], ["40"]]);
}

#[test]
fn k31_an_import_and_inserts_beside_it_are_one() {
    let db = lab("beside");
    let mut cleo = db.connect("cleo");
    let (import, _) = checked(&mut cleo, &leads(60));
    accepted(&mut cleo, &submit(&import));
    let insert = |rows: u32| format!("INSERT INTO crm.lead (name) SELECT 'x' FROM generate_series(1, {rows})");
    accepted(&mut cleo, "BEGIN");
    assert_eq!(committed(&mut cleo, &import), "60 60 0 0 0");
    refused(&mut cleo, &insert(41), "LG004");
    accepted(&mut cleo, "ROLLBACK; BEGIN");
    accepted(&mut cleo, &insert(41));
    refused(&mut cleo, &commit(&import), "LG004");
    accepted(&mut cleo, "ROLLBACK; BEGIN");
    accepted(&mut cleo, &insert(40));
    assert_eq!(committed(&mut cleo, &import), "60 60 0 0 0");
    accepted(&mut cleo, "COMMIT");
    assert_eq!(count(&db), "103");
}
