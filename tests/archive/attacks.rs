//! Ways around the archive: into it, out of it, past it.

use crate::lab::*;
use leadguard_tests::*;

const STORED: &str = "SELECT count(*) FROM crm.lead";

// The trap of hand-made policies: a soft delete whose row its own SELECT policy then hides is refused by Postgres.
#[test]
fn attack_29_soft_delete_under_a_policy_that_hides_it() {
    let db = lab("archive_attack_29");
    let mut alice = db.connect("alice");
    let error = refused(&mut alice, "UPDATE crm.lead SET archived_at = now() WHERE id = 1", "42501");
    assert!(error.hint().unwrap().contains("DELETE archives"), "{error:?}");
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE id = 1"), 1);
    assert_eq!(accepted(&mut alice, "SELECT FROM crm.lead WHERE id = 1"), 0);
    // A statement that reads no column meets only the UPDATE policies.
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET name = 'blind'"), 4);
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead"), 4);
    assert_eq!(scalar(&mut db.admin(), STORED), "15");
    assert_eq!(scalar(&mut db.admin(), "SELECT name FROM crm.lead WHERE id = 1"), "lead 1");
}

#[test]
fn attack_30_blind_deletes_do_not_reach_hidden_rows() {
    let db = lab("archive_attack_30");
    accepted(&mut db.connect("carl"), "DELETE FROM crm.lead WHERE id = 9");
    let hidden = "SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM crm.lead l WHERE id > 5";
    let before = scalar(&mut db.admin(), hidden);
    let mut alice = db.connect("alice");
    for (sql, count) in [("DELETE FROM crm.lead WHERE true", 5), ("DELETE FROM crm.lead", 0)] {
        assert_eq!(accepted(&mut alice, sql), count, "{sql}");
    }
    assert_eq!(scalar(&mut db.admin(), hidden), before);
}

#[test]
fn attack_31_merge_does_not_reach_archived_rows() {
    let db = lab("archive_attack_31");
    if scalar(&mut db.admin(), "SELECT current_setting('server_version_num')::int >= 150000") == "f" {
        return;
    }
    let mut alice = db.connect("alice");
    accepted(&mut alice, "DELETE FROM crm.lead WHERE id = 1");
    let merge = |action: &str| {
        format!("MERGE INTO crm.lead t USING (VALUES (1::bigint)) s (id) ON t.id = s.id WHEN MATCHED THEN {action}")
    };
    for action in ["DELETE", "UPDATE SET name = 'x'", "UPDATE SET archived_at = NULL"] {
        assert_eq!(accepted(&mut alice, &merge(action)), 0, "{action}");
    }
    let mut dora = db.connect("dora");
    assert_eq!(accepted(&mut dora, &merge("DELETE")), 0, "it is archived already");
    refused(&mut dora, &merge("UPDATE SET archived_at = NULL"), "42501");
    // A new row of the same key does not take the old one's place.
    refused(&mut alice, "INSERT INTO crm.lead (id, name) VALUES (1, 'x')", "23505");
    let upsert = "INSERT INTO crm.lead (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'";
    refused(&mut alice, upsert, "42501");
    refused(&mut dora, upsert, "42501");
    assert_eq!(scalar(&mut db.admin(), "SELECT name FROM crm.lead WHERE id = 1"), "lead 1");
    assert_eq!(accepted(&mut alice, &upsert.replace("(1,", "(2,")), 1);
}

#[test]
fn k11_who_only_created_a_record_deletes_nothing() {
    let db = lab("archive_creator");
    accepted(
        &mut db.admin(),
        "ALTER TABLE crm.lead ADD created_by bigint; SELECT leadguard.unprotect('crm.lead');
         UPDATE crm.lead SET created_by = (SELECT id FROM leadguard.member WHERE key = 'ted') WHERE id IN (1, 11);
         SELECT leadguard.protect('crm.lead', owner => 'owner_id', territory => 'territory_id', creator => 'created_by',
             archived_at => 'archived_at')",
    );
    let mut ted = db.connect("ted");
    assert_eq!(accepted(&mut ted, "DELETE FROM crm.lead WHERE id IN (1, 11)"), 0);
    // Access to change it does not help; access in full does.
    for (level, answer) in [("edit", "42501"), ("full", "ok")] {
        let share = format!("SELECT leadguard.share('crm.lead', '1', 'ted', '{level}')");
        accepted(&mut db.connect("alice"), &share);
        assert_eq!(code(&mut ted, "DELETE FROM crm.lead WHERE id = 1"), answer, "{level}");
    }
    refused(&mut ted, "SELECT leadguard.purge('crm.lead', '1', 'mine')", "42501");
    assert_eq!(archived(&db), set("1"));
}

// Who has the capability and not the level, or the level and not the capability, does not get rid of a record.
#[test]
fn k52_k2_hard_deletes_take_both_the_level_and_the_capability() {
    let db = lab("archive_both");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('purger', 1, '{see_archived,hard_delete}')",
    );
    give(&db, "carl", "purger");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id IN (1, 2)");
    accepted(&mut db.connect("carl"), "DELETE FROM crm.lead WHERE id = 9");
    for who in ["carl", "lena"] {
        refused(&mut db.connect(who), "SELECT leadguard.purge('crm.lead', '1', 'x')", "42501");
    }
    accepted(&mut db.connect("carl"), "SELECT leadguard.purge('crm.lead', '9', 'x')");
    accepted(&mut db.connect("dora"), "SELECT leadguard.purge('crm.lead', '1', 'x')");
    assert_eq!(scalar(&mut db.admin(), STORED), "13");
}

#[test]
fn k15_who_never_writes_archives_nothing() {
    let db = lab("archive_readers");
    let bi = db.create_role("bi");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{bi}', 'dora'); GRANT ALL ON crm.lead TO {bi}"));
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    for who in ["bi", "viewer"] {
        let mut session = db.connect(who);
        for sql in [
            "DELETE FROM crm.lead WHERE id = 2",
            "DELETE FROM crm.lead WHERE false",
            "SELECT leadguard.archive('crm.lead', '2', 'x')",
            "SELECT leadguard.restore('crm.lead', '1', 'x')",
            "SELECT leadguard.purge('crm.lead', '1', 'x')",
        ] {
            refused(&mut session, sql, "42501");
        }
    }
    assert_eq!(archived(&db), set("1"));
    accepted(&mut db.connect("dora"), "SELECT leadguard.restore('crm.lead', '1', 'x')");
}
