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
