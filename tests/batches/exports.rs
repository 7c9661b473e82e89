//! COPY TO is checked and logged (K18).

use crate::lab::{lab, log, switch};
use leadguard_tests::{Client, Db, accepted, postgres, refused, rows, scalar};
use std::io::Read;

/// The number of lines that COPY TO STDOUT gives, or the SQLSTATE.
fn copy(c: &mut Client, sql: &str) -> Result<usize, String> {
    let code = |e: postgres::Error| e.code().map_or_else(|| e.to_string(), |code| code.code().to_owned());
    let mut text = String::new();
    let mut reader = c.copy_out(sql).map_err(code)?;
    reader.read_to_string(&mut text).map_err(|e| {
        e.get_ref()
            .and_then(|e| e.downcast_ref::<postgres::Error>())
            .and_then(|e| e.code().map(|code| code.code().to_owned()))
            .unwrap_or_else(|| e.to_string())
    })?;
    Ok(text.lines().count())
}

fn refusal() -> Result<usize, String> {
    Err("42501".to_owned())
}

const WHOLE: &str = "COPY crm.lead TO STDOUT";
const QUERY: &str = "COPY (SELECT name FROM crm.lead WHERE id <= 50) TO STDOUT";

#[test]
fn k18_exports_need_the_capability_and_are_logged() {
    let db = lab("k18");
    let mut cleo = db.connect("cleo");
    assert_eq!(rows(&mut cleo, "SELECT FROM crm.lead").len(), 500, "reads all");
    for sql in [
        WHOLE,
        QUERY,
        "COPY (SELECT count(*) FROM crm.lead) TO STDOUT",
        "COPY (SELECT FROM crm.lead WHERE false) TO STDOUT",
    ] {
        assert_eq!(copy(&mut cleo, sql), refusal(), "{sql}");
        assert_eq!(copy(&mut db.connect("cleo"), sql), refusal(), "{sql} as the first statement of a session");
    }
    assert_eq!(copy(&mut cleo, "COPY (SELECT 1) TO STDOUT"), Ok(1));
    let mut ana = db.connect("ana");
    assert_eq!(copy(&mut ana, WHOLE), Ok(500));
    assert_eq!(copy(&mut db.connect("ana"), QUERY), Ok(50));
    assert_eq!(log(&db), ["ana export 500", "ana export 50"]);
    let e = refused(&mut cleo, WHOLE, "42501");
    assert!(e.hint().unwrap_or_default().contains("export"), "{:?}", e.hint());
    accepted(&mut cleo, "UPDATE crm.lead SET name = 'still works' WHERE id = 1");
}

// A limit that README names: COPY is judged by what it reads itself.
#[test]
fn k18_what_was_copied_before_goes_out() {
    let db = lab("k18_copies");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "CREATE TEMP TABLE kept AS SELECT * FROM crm.lead WHERE id <= 50");
    assert_eq!(copy(&mut cleo, WHOLE), refusal());
    assert_eq!(copy(&mut cleo, "COPY kept TO STDOUT"), Ok(50));
    assert_eq!(log(&db), Vec::<String>::new());
}

#[test]
fn k18_functions_cursors_views_and_ctes_hide_no_export() {
    let db = lab("hidden");
    accepted(
        &mut db.admin(),
        "CREATE FUNCTION crm.names() RETURNS SETOF text LANGUAGE plpgsql AS $$
             BEGIN RETURN QUERY SELECT name FROM crm.lead; END $$;
         CREATE FUNCTION crm.one() RETURNS text LANGUAGE sql AS 'SELECT string_agg(name, '','') FROM crm.lead';
         CREATE FUNCTION crm.looped() RETURNS SETOF text LANGUAGE plpgsql AS $$
             DECLARE r record; BEGIN FOR r IN SELECT name FROM crm.lead LOOP RETURN NEXT r.name; END LOOP; END $$;
         CREATE FUNCTION crm.dynamic() RETURNS bigint LANGUAGE plpgsql AS $$
             DECLARE n bigint; BEGIN EXECUTE 'SELECT count(name) FROM crm.lead' INTO n; RETURN n; END $$;",
    );
    accepted(&mut db.admin(), &format!("GRANT USAGE ON SCHEMA crm TO {0}, {1}", db.role("cleo"), db.role("ana")));
    for sql in [
        "COPY (SELECT * FROM crm.names()) TO STDOUT",
        "COPY (SELECT crm.one()) TO STDOUT",
        "COPY (SELECT * FROM crm.looped()) TO STDOUT",
        "COPY (SELECT crm.dynamic()) TO STDOUT",
        "COPY (WITH l AS MATERIALIZED (SELECT name FROM crm.lead) SELECT * FROM l) TO STDOUT",
        "COPY (SELECT (SELECT max(name) FROM crm.lead)) TO STDOUT",
        "COPY (UPDATE crm.lead SET name = name WHERE id = 1 RETURNING name) TO STDOUT",
    ] {
        assert_eq!(copy(&mut db.connect("cleo"), sql), refusal(), "{sql}");
        let mut warm = db.connect("cleo");
        rows(&mut warm, "SELECT FROM crm.lead LIMIT 1");
        assert_eq!(copy(&mut warm, sql), refusal(), "{sql}, with plans made");
        if !sql.contains("UPDATE") {
            assert!(copy(&mut db.connect("ana"), sql).is_ok(), "{sql}");
        }
    }
}

#[test]
fn k18_the_switch_export_frees_a_role() {
    let db = lab("free");
    switch(&db, "export", "free", "lead_creator");
    assert_eq!(copy(&mut db.connect("cleo"), WHOLE), Ok(500));
    assert_eq!(copy(&mut db.connect("mark"), WHOLE), refusal());
    switch(&db, "export", "free", "");
    assert_eq!(copy(&mut db.connect("mark"), WHOLE), Ok(500));
    assert_eq!(log(&db), ["cleo export 500", "mark export 500"]);
}

fn server_log(db: &Db, text: &str) -> usize {
    let path = scalar(&mut db.admin(), "SELECT coalesce(pg_current_logfile(), '')");
    let whole = scalar(&mut db.admin(), "SHOW data_directory") + "/" + if path.is_empty() { "../log" } else { &path };
    let log = std::fs::read(&whole).unwrap_or_else(|e| panic!("{whole}: {e}"));
    String::from_utf8_lossy(&log)
        .lines()
        .filter(|line| line.contains("leadguard: export") && line.contains(text))
        .count()
}

#[test]
fn k18_in_read_only_transactions_the_server_log_has_it() {
    let db = lab("read_only");
    let mut ana = db.connect("ana");
    accepted(&mut ana, "BEGIN READ ONLY");
    assert_eq!(copy(&mut ana, WHOLE), Ok(500));
    accepted(&mut ana, "COMMIT");
    assert!(log(&db).is_empty());
    assert_eq!(server_log(&db, &db.role("ana")), 1);
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "BEGIN READ ONLY");
    assert_eq!(copy(&mut cleo, WHOLE), refusal());
}

#[test]
fn k18_rows_that_went_out_are_known_though_the_transaction_is_rolled_back() {
    let db = lab("went_out");
    let mut ana = db.connect("ana");
    accepted(&mut ana, "BEGIN");
    assert_eq!(copy(&mut ana, WHOLE), Ok(500));
    accepted(&mut ana, "ROLLBACK");
    assert!(
        copy(
            &mut ana,
            "COPY (SELECT name FROM crm.lead UNION ALL SELECT (1 / (id - 500))::text FROM crm.lead) TO STDOUT"
        )
        .is_err()
    );
    accepted(&mut ana, "BEGIN; SAVEPOINT a");
    assert_eq!(copy(&mut ana, QUERY), Ok(50));
    accepted(&mut ana, "ROLLBACK TO a; COMMIT");
    assert!(log(&db).is_empty());
    assert_eq!(server_log(&db, &db.role("ana")), 3);
}

/// Another transaction that reads what ana wrote and writes what she read, and is committed: hers can be put into no order.
fn crosses(db: &Db, write: &str) {
    let mut admin = db.admin();
    accepted(&mut admin, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM crm.memo");
    accepted(&mut admin, write);
    accepted(&mut admin, "COMMIT");
}

#[test]
fn k18_rows_that_went_out_are_known_though_the_commit_fails() {
    let db = lab("commit_fails");
    accepted(&mut db.admin(), "CREATE TABLE crm.memo (text text); GRANT INSERT, SELECT ON crm.memo TO PUBLIC");
    let mut ana = db.connect("ana");
    accepted(&mut ana, "BEGIN ISOLATION LEVEL SERIALIZABLE");
    assert_eq!(copy(&mut ana, WHOLE), Ok(500));
    accepted(&mut ana, "INSERT INTO crm.memo VALUES ('exported')");
    crosses(&db, "UPDATE crm.lead SET name = 'crossed' WHERE id = 1");
    refused(&mut ana, "COMMIT", "40001");
    assert!(log(&db).is_empty());
    let line = db.role("ana");
    assert_eq!(server_log(&db, &line), 1);
    accepted(&mut ana, "BEGIN ISOLATION LEVEL SERIALIZABLE");
    assert_eq!(copy(&mut ana, WHOLE), Ok(500));
    accepted(&mut ana, "INSERT INTO crm.memo VALUES ('exported')");
    crosses(&db, "SELECT count(*) FROM crm.lead");
    accepted(&mut ana, "COMMIT");
    assert_eq!((log(&db), server_log(&db, &line)), (vec!["ana export 500".to_owned()], 1));
}

// Whoever commits or rolls back what was prepared does it anywhere.
#[test]
fn k18_rows_that_went_out_are_known_though_the_transaction_was_prepared() {
    let db = lab("prepared");
    let mut ana = db.connect("ana");
    let name = format!("{}_export", db.name());
    let (line, mut lines) = (db.role("ana"), 0);
    for (end, logged) in [("ROLLBACK", &[] as &[&str]), ("COMMIT", &["ana export 500"])] {
        accepted(&mut ana, "BEGIN");
        assert_eq!(copy(&mut ana, WHOLE), Ok(500));
        accepted(&mut ana, &format!("PREPARE TRANSACTION '{name}'"));
        lines += 1;
        assert_eq!(server_log(&db, &line), lines);
        accepted(&mut db.admin(), &format!("{end} PREPARED '{name}'"));
        assert_eq!(log(&db), logged, "{end}");
        accepted(&mut ana, "BEGIN; ROLLBACK");
        assert_eq!(server_log(&db, &line), lines, "nothing is left of it in the session");
    }
}
