//! The columns of an archive, and of what a tombstone keeps.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k52_an_archive_does_not_move_to_other_columns() {
    let db = lab("archive_columns_move");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    let mut admin = db.admin();
    for arguments in ["archived_at => 'deleted_at'", "archived_by => 'deleted_by'", "archived_by => NULL"] {
        let error = refused(&mut admin, &format!("SELECT leadguard.set_archive('crm.lead', {arguments})"), "55000");
        assert!(
            error.hint().unwrap().contains("archived_at => 'archived_at', archived_by => 'archived_by'"),
            "{error:?}"
        );
    }
    assert_eq!(leads(&db, "alice"), set("2 3 4 5"));
    accepted(&mut admin, "SELECT leadguard.set_archive('crm.lead', attribution => '{name}')");
    assert_eq!(leads(&db, "alice"), set("2 3 4 5"));
}

#[test]
fn k53_attribution_follows_its_columns() {
    let db = lab("archive_attribution");
    let mut admin = db.admin();
    refused(&mut admin, "SELECT leadguard.set_archive('crm.lead', attribution => '{nmae}')", "42703");
    accepted(&mut admin, "SELECT leadguard.set_archive('crm.lead', attribution => '{name,email}')");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id IN (1, 2)");
    accepted(&mut admin, "ALTER TABLE crm.lead RENAME COLUMN name TO title");
    let mut dora = db.connect("dora");
    accepted(&mut dora, "SELECT leadguard.purge('crm.lead', '1', 'x')");
    accepted(&mut admin, "ALTER TABLE crm.lead DROP COLUMN email");
    accepted(&mut admin, "ALTER TABLE crm.lead RENAME COLUMN amount TO worth");
    accepted(&mut dora, "SELECT leadguard.purge('crm.lead', '2', 'x')");
    let kept = |id: i32| {
        let sql = format!(
            "SELECT string_agg(k, ' ' ORDER BY k) FROM leadguard.tombstone, jsonb_object_keys(kept) AS k WHERE record = '{id}'"
        );
        scalar(&mut db.admin(), &sql)
    };
    assert_eq!(kept(1), "archived_at archived_by email owner_id territory_id title");
    assert_eq!(kept(2), "archived_at archived_by owner_id territory_id title");
}

#[test]
fn k52_a_concealed_table_has_its_archive() {
    let db = lab("archive_concealed");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.set_archive('crm.lead', attribution => '{name,email}');
         SELECT leadguard.mask('crm.lead', 'email', 'partial', keep => 4)",
    );
    let mut alice = db.connect("alice");
    assert_eq!(rows(&mut alice, "DELETE FROM crm.lead WHERE id IN (1, 2) RETURNING id").len(), 2);
    assert_eq!(accepted(&mut alice, "DELETE FROM crm.lead WHERE id IN (1, 3)"), 1);
    accepted(&mut alice, "SELECT leadguard.archive('crm.lead', '4', 'why')");
    assert_eq!(leads(&db, "alice"), set("5"));
    accepted(&mut db.connect("lena"), "SELECT leadguard.restore('crm.lead', '1', 'x')");
    let mut dora = db.connect("dora");
    refused(&mut db.connect("lena"), "SELECT leadguard.purge('crm.lead', '2', 'x')", "42501");
    accepted(&mut dora, "SELECT leadguard.purge('crm.lead', '2', 'x')");
    accepted(&mut db.admin(), "SELECT leadguard.purge('crm.lead', '3', 'x')");
    assert_eq!(leads(&db, "alice"), set("1 5"));
    assert_eq!(ids(&mut db.admin(), "SELECT id FROM crm_base.lead WHERE id < 6"), set("1 4 5"));
    // A tombstone keeps nothing of what is masked for anybody, whoever purged and however he saw it.
    let kept = "SELECT DISTINCT kept ? 'name', kept ? 'email' FROM leadguard.tombstone";
    assert_eq!(rows(&mut dora, kept), [["t", "f"]]);
}

#[test]
fn k53_a_tombstone_keeps_nothing_that_is_closed() {
    let db = lab("archive_closed");
    accepted(
        &mut db.admin(),
        r#"ALTER TABLE crm.lead ADD COLUMN attrs jsonb DEFAULT '{"size": 1}';
           SELECT leadguard.set_archive('crm.lead', attribution => '{name,email,attrs,amount}'), leadguard.conceal('crm.lead');
           SELECT leadguard.set_fields('crm.lead', '{"name": {"sales": "read-only"}, "email": {"sales": "no access"},
               "attrs.size": {"sales": "no access"}}');
           SELECT leadguard.propose_fields('crm.lead', '{mona}')"#,
    );
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id <= 3");
    let mut dora = db.connect("dora");
    let purge = |id: i32| format!("SELECT leadguard.purge('crm.lead', '{id}', 'x')");
    let kept = |id: i32| {
        let sql = format!(
            "SELECT string_agg(k, ' ' ORDER BY k) FROM leadguard.tombstone, jsonb_object_keys(kept) AS k
             WHERE record = '{id}' AND k IN ('name', 'email', 'attrs', 'amount')"
        );
        scalar(&mut db.admin(), &sql)
    };
    accepted(&mut dora, &purge(1));
    assert_eq!(kept(1), "amount attrs email name");
    accepted(&mut db.connect("mona"), "SELECT leadguard.sign_fields('crm.lead', 1)");
    // She has no role that is kept from it.
    assert_eq!(scalar(&mut dora, "SELECT email FROM crm.lead WHERE id = 2"), "lead2@example.com");
    accepted(&mut dora, &purge(2));
    assert_eq!(kept(2), "amount name");
    accepted(&mut db.admin(), "SELECT leadguard.set_field_default('crm.lead', 'no access')");
    accepted(&mut dora, &purge(3));
    assert_eq!(kept(3), "name");
}

#[test]
fn k53_shares_go_with_a_purged_record() {
    let db = lab("archive_shares");
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit'), leadguard.share('crm.lead', '2', 'carl', 'edit')",
    );
    accepted(&mut alice, "DELETE FROM crm.lead WHERE id IN (1, 2)");
    assert!(!leads(&db, "carl").contains("1"));
    let mut dora = db.connect("dora");
    accepted(&mut dora, "SELECT leadguard.purge('crm.lead', '1', 'x'), leadguard.restore('crm.lead', '2', 'x')");
    accepted(&mut alice, "INSERT INTO crm.lead (id, name) VALUES (1, 'another')");
    assert_eq!(leads(&db, "carl"), set("2 9 10"));
}

#[test]
fn k53_tombstones_name_any_column() {
    let db = lab("archive_odd_names");
    let more: String = (0..60).map(|n| format!(", c{n} int DEFAULT {n}")).collect();
    let all: Vec<String> = (0..60).map(|n| format!("c{n}")).collect();
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE TABLE crm.\"Odd Table\" (\"The Id\" text PRIMARY KEY, \"Own\"\"er\" varchar(20){more});
             INSERT INTO crm.\"Odd Table\" SELECT v, 'alice' FROM unnest(ARRAY['a''b', 'x,y', '{{z}}', 'NULL', '']) v;
             SELECT leadguard.protect('crm.\"Odd Table\"', owner => 'Own\"er', archived_at => 'Gone At', archived_by => 'By');
             SELECT leadguard.set_archive('crm.\"Odd Table\"', 'Gone At', 'By', '{{{}}}')",
            all.join(",")
        ),
    );
    assert_eq!(accepted(&mut db.connect("alice"), "DELETE FROM crm.\"Odd Table\""), 5);
    let mut dora = db.connect("dora");
    for id in ["a''b", "x,y", "{z}", "NULL", ""] {
        accepted(&mut dora, &format!("SELECT leadguard.restore('crm.\"Odd Table\"', '{id}', 'x')"));
        accepted(&mut dora, &format!("SELECT leadguard.archive('crm.\"Odd Table\"', '{id}', 'x')"));
        accepted(&mut dora, &format!("SELECT leadguard.purge('crm.\"Odd Table\"', '{id}', 'x')"));
    }
    let kept = "SELECT DISTINCT kept ->> 'Own\"er', kept ->> 'By', kept ->> 'Gone At' IS NOT NULL, kept ->> 'c0', kept ->> 'c59' FROM leadguard.tombstone";
    assert_eq!(rows(&mut dora, kept), [["alice", "dora", "t", "0", "59"]]);
}

// Not only owners archive: otto's key is no uuid, and his id is too large for a smallint.
#[test]
fn every_member_archives_whatever_the_column_can_hold() {
    let db = lab("archive_by_any");
    let mut admin = db.admin();
    let role = db.create_role("otto");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.member (id, key, name, db_role) VALUES (50000, 'otto', 'Otto', '{role}');
         INSERT INTO leadguard.member (id, key, name, manager_id) VALUES (5000, '6549bef3-0000-4000-8000-00000000009d', 'Uma', 50000);
         CREATE TABLE crm.by_key (id int PRIMARY KEY, owner uuid, own_type uuid);
         CREATE TABLE crm.by_id (id int PRIMARY KEY, owner smallint, own_type smallint);
         INSERT INTO crm.by_key SELECT n, '6549bef3-0000-4000-8000-00000000009d' FROM generate_series(1, 2) n;
         INSERT INTO crm.by_id SELECT n, 5000 FROM generate_series(1, 2) n"
        ),
    );
    for (table, added, shown) in [("crm.by_key", "text", "otto"), ("crm.by_id", "bigint", "50000")] {
        accepted(
            &mut admin,
            &format!(
                "SELECT leadguard.protect('{table}', owner => 'owner', archived_at => 'archived_at', archived_by => 'archived_by')"
            ),
        );
        assert_eq!(accepted(&mut db.connect("otto"), &format!("DELETE FROM {table} WHERE id = 1")), 1);
        let by = format!("SELECT pg_typeof(archived_by)::text, archived_by FROM {table} WHERE id = 1");
        assert_eq!(rows(&mut admin, &by), [[added, shown]]);
        // A column of the customer's that cannot hold him stays empty; the audit names him.
        accepted(&mut admin, &format!("SELECT leadguard.unprotect('{table}', archived => 'keep')"));
        accepted(
            &mut admin,
            &format!(
                "SELECT leadguard.protect('{table}', owner => 'owner', archived_at => 'archived_at', archived_by => 'own_type')"
            ),
        );
        assert_eq!(accepted(&mut db.connect("otto"), &format!("DELETE FROM {table} WHERE id = 2")), 1);
        let by = format!("SELECT own_type, archived_at IS NOT NULL FROM {table} WHERE id = 2");
        assert_eq!(rows(&mut admin, &by), [["∅", "t"]]);
        let who = format!("SELECT member_key FROM leadguard.audit_log WHERE target_name = '{table}' AND record = '2'");
        assert_eq!(scalar(&mut admin, &who), "otto");
    }
}
