//! Who sees archived rows.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k52_archived_rows_disappear_for_those_without_the_capability() {
    let db = lab("archive_seeing");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    for (who, sees) in
        [("alice", false), ("mona", false), ("vp", false), ("lena", true), ("dora", true), ("admin", true)]
    {
        assert_eq!(leads(&db, who).contains("1"), sees, "{who}");
        let mut session = db.connect(who);
        let found = if sees { "1" } else { "0" };
        for sql in [
            "SELECT count(*) FROM crm.lead WHERE id = 1",
            "SELECT count(*) FROM crm.lead WHERE email = 'lead1@example.com'",
            "SELECT count(*) FROM (SELECT * FROM crm.lead WHERE id = 1 FOR UPDATE) AS locked",
        ] {
            assert_eq!(scalar(&mut session, sql), found, "{who}: {sql}");
        }
        assert_eq!(scalar(&mut session, "SELECT leadguard.can('read', 'crm.lead', '1')"), if sees { "t" } else { "f" });
    }
    // The capability is no path.
    accepted(&mut db.connect("carl"), "DELETE FROM crm.lead WHERE id = 9");
    assert!(!leads(&db, "lena").contains("9"));
}

#[test]
fn k52_the_switch_narrows_and_never_widens() {
    let db = lab("archive_switch");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    let mut dora = db.connect("dora");
    accepted(&mut dora, "PREPARE q AS SELECT count(*) FROM crm.lead");
    assert_eq!(scalar(&mut dora, "EXECUTE q"), "15");
    accepted(&mut dora, "SET leadguard.show_archived = off");
    assert_eq!(scalar(&mut dora, "EXECUTE q"), "14");
    assert_eq!(scalar(&mut dora, "SELECT count(*) FROM crm.lead"), "14");
    accepted(&mut dora, "SET leadguard.show_archived = on");
    assert_eq!(scalar(&mut dora, "EXECUTE q"), "15");
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SET leadguard.show_archived = on");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM crm.lead"), "4");
}

#[test]
fn k52_archived_rows_are_frozen() {
    let db = lab("archive_frozen");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    let mut dora = db.connect("dora");
    let error = refused(&mut dora, "UPDATE crm.lead SET name = 'x' WHERE id = 1", "42501");
    assert!(error.hint().unwrap().contains("leadguard.restore('crm.lead', '1')"), "{error:?}");
    accepted(&mut dora, "UPDATE crm.lead SET name = 'x' WHERE id = 2");
    assert_eq!(accepted(&mut db.connect("alice"), "UPDATE crm.lead SET name = 'x' WHERE id = 1"), 0);
}

#[test]
fn k52_questions_agree_with_what_is_seen() {
    let db = lab("archive_questions");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    let mut dora = db.connect("dora");
    let readers = ids(&mut dora, "SELECT member FROM leadguard.who_can('read', 'crm.lead', '1')");
    assert_eq!(readers, set("admin dora lena"));
    assert_eq!(scalar(&mut dora, "SELECT leadguard.can('read', 'crm.lead', '1', 'alice')"), "f");
    assert_eq!(scalar(&mut dora, "SELECT leadguard.can('read', 'crm.lead', '2', 'alice')"), "t");
    assert!(!ids(&mut dora, "SELECT record FROM leadguard.what_can('alice', 'crm.lead')").contains("1"));
    assert!(ids(&mut dora, "SELECT record FROM leadguard.what_can('lena', 'crm.lead')").contains("1"));
    assert_eq!(scalar(&mut dora, "SELECT leadguard.can('update', 'crm.lead', '1')"), "f");
}

#[test]
fn k52_a_session_in_parallel_and_a_cursor() {
    let db = lab("archive_parallel");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    for (who, count) in [("alice", "4"), ("dora", "15")] {
        let mut session = db.connect(who);
        accepted(
            &mut session,
            "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
             SET parallel_leader_participation = off",
        );
        assert_eq!(scalar(&mut session, "SELECT count(*) FROM crm.lead"), count, "{who}");
        accepted(&mut session, "SET leadguard.show_archived = off");
        assert_eq!(scalar(&mut session, "SELECT count(*) FROM crm.lead"), if who == "dora" { "14" } else { "4" });
    }
}

#[test]
fn k52_explanations_name_the_archive() {
    let db = lab("archive_explained");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint);
         INSERT INTO crm.deal SELECT 1, id FROM leadguard.member WHERE key = 'alice';
         SELECT leadguard.protect('crm.deal', owner => 'owner_id')",
    );
    let mut dora = db.connect("dora");
    let mut why = |table: &str, who: &str, action: &str| {
        let sql = format!(
            "SELECT string_agg(path || ': ' || detail, '; ') FROM leadguard.explain_access('crm.{table}', '1', '{who}', '{action}')
             WHERE path IN ('archived', 'archive', 'capability')"
        );
        let told = scalar(&mut dora, &sql);
        let can = scalar(&mut dora, &format!("SELECT leadguard.can('{action}', 'crm.{table}', '1', '{who}')"));
        assert_eq!(can == "t", told == "∅", "{table} {who} {action}: {told}");
        told
    };
    assert!(why("lead", "alice", "read").contains("see_archived"));
    assert!(why("lead", "dora", "update").contains("leadguard.restore"));
    assert!(why("lead", "dora", "delete").contains("leadguard.restore"));
    assert_eq!(why("lead", "dora", "read"), "∅");
    assert!(why("deal", "alice", "delete").contains("hard_delete"));
    assert!(why("deal", "alice", "archive").contains("no archive"));
    assert_eq!(why("deal", "dora", "delete"), "∅");
    assert_eq!(why("deal", "alice", "update"), "∅");
}
