//! The library is in every session of the server, also where the extension is not.

use crate::{company, is_there};
use leadguard_tests::*;

// Somebody may have made what looks like the extension's tables.
#[test]
fn a_database_without_the_extension_is_left_alone() {
    if !is_there() {
        return;
    }
    let db = Db::bare("pre_bare");
    let mut admin = db.admin();
    let role = db.create_role("rep");
    accepted(
        &mut admin,
        &format!(
            "CREATE TABLE t (id int, owner text);
             INSERT INTO t SELECT g, '{role}' FROM generate_series(1, 10) g;
             ALTER TABLE t ENABLE ROW LEVEL SECURITY;
             CREATE POLICY own ON t USING (owner = current_user);
             GRANT ALL ON t TO PUBLIC"
        ),
    );
    let mut rep = db.connect("rep");
    let works = |rep: &mut Client, left: u64| {
        assert_eq!(rows(rep, "SELECT id FROM t").len() as u64, left);
        accepted(rep, "UPDATE t SET id = id");
        assert_eq!(accepted(rep, "DELETE FROM t WHERE id = (SELECT min(id) FROM t)"), 1);
    };
    works(&mut rep, 10);
    accepted(
        &mut admin,
        &format!(
            "CREATE SCHEMA leadguard AUTHORIZATION \"{role}\";
             CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN old; END';
             CREATE TRIGGER leadguard_90_row BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION pass()"
        ),
    );
    accepted(
        &mut rep,
        "CREATE TABLE leadguard.protected_table (target int, x bool); CREATE TABLE leadguard.role_binding (role_oid bool);
         CREATE TABLE leadguard.audit_log (id text); CREATE TABLE leadguard.hierarchy_revision (id text)",
    );
    works(&mut rep, 9);
    let mut copied = Vec::new();
    std::io::Read::read_to_end(&mut rep.copy_out("COPY t TO STDOUT").unwrap(), &mut copied).unwrap();
    refused(&mut admin, "CREATE EXTENSION leadguard", "42501");
    works(&mut db.connect("rep"), 8);
}

#[test]
fn the_setting_needs_a_restart() {
    if !is_there() {
        return;
    }
    let db = company("pre_setting");
    let mut admin = db.admin();
    assert_eq!(scalar(&mut admin, "SHOW leadguard.max_tracked_members"), "4096");
    refused(&mut admin, "SET leadguard.max_tracked_members = 100", "55P02");
    assert_eq!(scalar(&mut db.connect("alice"), "SELECT leadguard.is_preloaded()"), "t");
}

// Whether the extension is there is asked by every query, and remembered.
#[test]
fn a_session_notices_that_the_extension_comes_and_goes() {
    if !is_there() {
        return;
    }
    let db = Db::bare("pre_comes");
    let mut admin = db.admin();
    let role = db.create_role("rep");
    accepted(
        &mut admin,
        "CREATE TABLE t (id int PRIMARY KEY, owner_id bigint); INSERT INTO t SELECT g FROM generate_series(1, 20) g;
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON t USING (true); GRANT ALL ON t TO PUBLIC",
    );
    let mut rep = db.connect("rep");
    let read = "SELECT count(*) FROM t";
    assert_eq!(scalar(&mut rep, read), "20", "without the extension");
    accepted(
        &mut admin,
        &format!(
            "CREATE EXTENSION leadguard;
             INSERT INTO leadguard.member (key, db_role) VALUES ('rep', '{role}');
             UPDATE t SET owner_id = (SELECT id FROM leadguard.member) WHERE id <= 5;
             DROP POLICY all_of_it ON t; SELECT leadguard.protect('t', owner => 'owner_id', archived_at => 'archived_at')"
        ),
    );
    assert_eq!(scalar(&mut rep, read), "5", "its own rows");
    assert_eq!(accepted(&mut rep, "DELETE FROM t WHERE id = 1"), 1);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM t"), "20", "archived");
    let counted = "SELECT statements > 0 FROM leadguard.member_activity() WHERE member = 'rep'";
    assert_eq!(scalar(&mut admin, counted), "t");
    // Taken back, and then done, each within one transaction of the session that looks.
    for end in ["ROLLBACK", "COMMIT"] {
        accepted(
            &mut admin,
            "BEGIN; SELECT leadguard.unprotect('t', archived => 'keep'); DROP EXTENSION leadguard CASCADE;
             ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON t USING (true)",
        );
        assert_eq!(scalar(&mut admin, read), "20", "{end}");
        accepted(&mut admin, end);
        assert_eq!(scalar(&mut admin, read), "20", "{end}");
        assert_eq!(scalar(&mut rep, read), if end == "COMMIT" { "20" } else { "4" }, "{end}");
    }
    assert_eq!(accepted(&mut rep, "DELETE FROM t WHERE id = 2"), 1);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM t"), "19", "gone");
}
