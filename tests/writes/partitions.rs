//! Partitions that come after `protect` are protected from their first moment.

use crate::protect::protect;
use leadguard_tests::*;

/// A protected table by range with one partition; the table belongs to the ordinary role `dba`.
fn divided(name: &str) -> Db {
    let db = Db::new(name);
    people(&db);
    let dba = db.create_role("dba");
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE SCHEMA crm;
             GRANT ALL ON SCHEMA crm TO \"{dba}\"; GRANT USAGE ON SCHEMA leadguard TO \"{dba}\";
             CREATE TABLE crm.lead (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, name text) PARTITION BY RANGE (id);
             CREATE TABLE crm.lead_1 PARTITION OF crm.lead FOR VALUES FROM (1) TO (100);
             ALTER TABLE crm.lead OWNER TO \"{dba}\"; ALTER TABLE crm.lead_1 OWNER TO \"{dba}\";
             {};",
            protect(", archived_at => 'archived_at', archived_by => 'archived_by'")
        ),
    );
    db
}

/// Puts a lead of alice and one of carl into the partition and tries it directly and through the parent.
#[track_caller]
fn guarded(db: &Db, partition: &str, first: i64) {
    let mut admin = db.admin();
    let second = first + 1;
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO crm.lead (id, owner_id, name)
             SELECT CASE key WHEN 'alice' THEN {first} ELSE {second} END, id, 'n' FROM leadguard.member WHERE key IN ('alice', 'carl');
             GRANT ALL ON crm.{partition} TO PUBLIC"
        ),
    );
    let mut alice = db.connect("alice");
    for table in ["lead", partition] {
        let mine = format!("FROM crm.{table} WHERE id IN ({first}, {second})");
        assert_eq!(ids(&mut alice, &format!("SELECT id {mine}")), set(&first.to_string()), "{table}");
        assert_eq!(
            allowed(&mut alice, &format!("UPDATE crm.{table} SET name = 'x' WHERE id IN ({first}, {second})")),
            1,
            "{table}"
        );
        assert_eq!(allowed(&mut alice, &format!("DELETE {mine}")), 1, "{table}");
        refused(&mut alice, &format!("TRUNCATE crm.{table}"), "42501");
        refused(&mut db.connect("viewer"), &format!("UPDATE crm.{table} SET name = 'x' WHERE false"), "42501");
        assert_eq!(ids(&mut db.connect("dba"), &format!("SELECT id {mine}")), set(""), "the owner of {table}");
        assert_eq!(ids(&mut db.connect("mona"), &format!("SELECT id {mine}")), set(&first.to_string()), "{table}");
    }
    accepted(&mut alice, &format!("SELECT leadguard.share('crm.lead', '{first}', 'carl', 'read')"));
    let mut carl = db.connect("carl");
    for table in ["lead", partition] {
        refused(&mut carl, &format!("UPDATE crm.{table} SET name = 'x' WHERE id = {first}"), "42501");
    }
}

#[test]
fn a_partition_created_later() {
    let db = divided("part_created");
    accepted(&mut db.connect("dba"), "CREATE TABLE crm.lead_2 PARTITION OF crm.lead FOR VALUES FROM (100) TO (200)");
    guarded(&db, "lead_1", 10);
    guarded(&db, "lead_2", 110);
}

#[test]
fn a_partition_attached_later() {
    let db = divided("part_attached");
    let mut dba = db.connect("dba");
    accepted(
        &mut dba,
        "CREATE TABLE crm.loose (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, name text, archived_at timestamptz, archived_by bigint);
         INSERT INTO crm.loose VALUES (150); GRANT ALL ON crm.loose TO PUBLIC;
         ALTER TABLE crm.lead ATTACH PARTITION crm.loose FOR VALUES FROM (100) TO (200)",
    );
    assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM crm.loose"), set(""));
    assert_eq!(ids(&mut db.connect("admin"), "SELECT id FROM crm.loose"), set("150"));
    guarded(&db, "loose", 110);
}

#[test]
fn a_divided_partition_created_and_attached_later() {
    let db = divided("part_nested");
    let mut dba = db.connect("dba");
    accepted(
        &mut dba,
        "CREATE TABLE crm.lead_2 PARTITION OF crm.lead FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
         CREATE TABLE crm.lead_2a PARTITION OF crm.lead_2 FOR VALUES FROM (100) TO (150);
         CREATE TABLE crm.tree (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, name text, archived_at timestamptz, archived_by bigint) PARTITION BY RANGE (id);
         CREATE TABLE crm.tree_a PARTITION OF crm.tree FOR VALUES FROM (200) TO (250);
         ALTER TABLE crm.lead ATTACH PARTITION crm.tree FOR VALUES FROM (200) TO (300);
         CREATE TABLE crm.tree_b PARTITION OF crm.tree FOR VALUES FROM (250) TO (300)",
    );
    for (partition, first) in [("lead_2a", 110), ("lead_2", 120), ("tree_a", 210), ("tree", 220), ("tree_b", 260)] {
        guarded(&db, partition, first);
    }
}

#[test]
fn a_detached_partition_is_not_open() {
    let db = divided("part_detached");
    guarded(&db, "lead_1", 10);
    accepted(&mut db.connect("dba"), "ALTER TABLE crm.lead DETACH PARTITION crm.lead_1");
    let mut session = db.connect("alice");
    if code(&mut session, "SELECT id FROM crm.lead_1") == "ok" {
        assert!(ids(&mut session, "SELECT id FROM crm.lead_1").is_subset(&set("10")));
    }
    assert_eq!(ids(&mut db.connect("ted"), "SELECT id FROM crm.lead_1"), set(""));
}

#[test]
fn unprotect_covers_partitions_that_came_later() {
    let db = divided("part_undo");
    let mut dba = db.connect("dba");
    accepted(&mut dba, "CREATE TABLE crm.lead_2 PARTITION OF crm.lead FOR VALUES FROM (100) TO (200)");
    guarded(&db, "lead_2", 110);
    accepted(&mut dba, "SELECT leadguard.unprotect('crm.lead')");
    let mut admin = db.admin();
    let left = "SELECT count(*) FROM pg_partition_tree('crm.lead') AS p JOIN pg_class AS c ON c.oid = p.relid
                WHERE c.relrowsecurity OR c.relforcerowsecurity OR EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = c.oid)
                   OR EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = c.oid)";
    assert_eq!(scalar(&mut admin, left), "0");
    assert_eq!(ids(&mut dba, "SELECT id FROM crm.lead"), set("110 111"));
}

#[test]
fn rows_moved_between_partitions_keep_the_rules() {
    let db = Db::new("part_move");
    people(&db);
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE SCHEMA crm;
             CREATE TABLE crm.lead (id bigint, owner_id bigint, territory_id bigint, name text, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
             CREATE TABLE crm.lead_eu PARTITION OF crm.lead FOR VALUES IN ('eu');
             CREATE TABLE crm.lead_us PARTITION OF crm.lead FOR VALUES IN ('us');
             INSERT INTO crm.lead SELECT CASE key WHEN 'alice' THEN 1 ELSE 2 END, id, NULL, 'n', 'eu' FROM leadguard.member WHERE key IN ('alice', 'carl');
             {};",
            protect("")
        ),
    );
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit')");
    let mut carl = db.connect("carl");
    // The move is a DELETE and an INSERT inside Postgres; to the member it is an UPDATE of one field.
    assert_eq!(accepted(&mut alice, "UPDATE crm.lead SET region = 'us'"), 1);
    assert_eq!(leads(&db, "alice"), set("1"));
    assert_eq!(leads(&db, "carl"), set("1 2"));
    assert_eq!(accepted(&mut carl, "UPDATE crm.lead SET region = 'eu' WHERE id = 1"), 1);
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '1', 'carl', 'read')");
    refused(&mut carl, "UPDATE crm.lead SET region = 'us' WHERE id = 1", "42501");
}

#[test]
fn nobody_attaches_a_table_with_triggers_of_his_own() {
    let db = divided("part_foreign");
    accepted(&mut db.admin(), "GRANT USAGE, CREATE ON SCHEMA crm TO PUBLIC");
    let (mut alice, mut dba) = (db.connect("alice"), db.connect("dba"));
    accepted(&mut alice, "CREATE TABLE crm.mine (LIKE crm.lead)");
    let attach = "ALTER TABLE crm.lead ATTACH PARTITION crm.mine FOR VALUES FROM (100) TO (200)";
    // It takes the owner of both.
    refused(&mut alice, attach, "42501");
    refused(&mut dba, attach, "42501");
    refused(&mut alice, "CREATE TABLE crm.more PARTITION OF crm.lead FOR VALUES FROM (100) TO (200)", "42501");
    accepted(&mut db.admin(), &format!("ALTER TABLE crm.mine OWNER TO \"{}\"", db.role("dba")));
    accepted(&mut dba, attach);
}

/// Tables of the tree that lack policies, triggers or row security.
fn bare(client: &mut Client, of: &str) -> Vec<Vec<String>> {
    let text = format!(
        "SELECT c.relname FROM pg_partition_tree(pg_partition_root('{of}')) t JOIN pg_class c ON c.oid = t.relid
         WHERE NOT (c.relrowsecurity AND c.relforcerowsecurity)
            OR NOT EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = c.oid AND o.polname = 'leadguard_open')
            OR NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal)"
    );
    rows(client, &text)
}

#[test]
fn a_partition_created_with_set_archive_in_one_transaction_is_protected() {
    let plain = "CREATE SCHEMA crm; GRANT ALL ON SCHEMA crm TO :dba; GRANT USAGE ON SCHEMA leadguard TO :dba;
                 CREATE TABLE crm.lead (id bigint PRIMARY KEY, owner_id bigint, territory_id bigint, name text) PARTITION BY RANGE (id);
                 CREATE TABLE crm.lead_1 PARTITION OF crm.lead FOR VALUES FROM (1) TO (100);
                 ALTER TABLE crm.lead OWNER TO :dba; ALTER TABLE crm.lead_1 OWNER TO :dba";
    let protect = protect("");
    let changes = [
        "SELECT leadguard.set_archive('crm.lead')",
        "SELECT leadguard.on_denied('crm.lead', 'skip')",
        "SELECT leadguard.set_field_default('crm.lead', 'editor')",
        "SELECT leadguard.set_preset('crm.lead', 'sales_hierarchy', 'deal')",
        "ALTER TABLE crm.lead RENAME owner_id TO owner",
        "SELECT leadguard.conceal('crm.lead')",
        "SELECT leadguard.mask('crm.lead', 'name', 'partial', keep => 1)",
    ];
    let db = Db::new("part_together");
    people(&db);
    let dba = db.create_role("dba");
    accepted(&mut db.admin(), &format!("GRANT CREATE ON DATABASE \"{}\" TO \"{dba}\"", db.name()));
    for who in ["dba", "postgres"] {
        let (mut admin, mut client) = (db.admin(), if who == "dba" { db.connect("dba") } else { db.admin() });
        for change in changes.into_iter().chain([protect.as_str()]) {
            accepted(&mut admin, &plain.replace(":dba", &format!("\"{dba}\"")));
            if change != protect {
                accepted(&mut admin, &protect);
            }
            let base = if change.contains("conceal(") || change.contains("mask(") { "crm_base" } else { "crm" };
            // The setting is anybody's; it is what a restore has.
            accepted(
                &mut client,
                &format!(
                    "SET row_security = off; BEGIN;
                     CREATE TABLE crm.lead_2 PARTITION OF crm.lead FOR VALUES FROM (100) TO (200);
                     SAVEPOINT a; {change}; RELEASE a;
                     CREATE TABLE {base}.lead_3 PARTITION OF {base}.lead FOR VALUES FROM (200) TO (300);
                     CREATE TABLE crm.loose (LIKE {base}.lead);
                     ALTER TABLE {base}.lead ATTACH PARTITION crm.loose FOR VALUES FROM (300) TO (400);
                     ALTER TABLE {base}.lead_3 ALTER name SET DEFAULT 'new'"
                ),
            );
            assert_eq!(bare(&mut client, "crm.loose"), Vec::<Vec<String>>::new(), "{who}: {change}");
            assert_eq!(
                scalar(&mut client, "SELECT count(*) FROM pg_partition_tree(pg_partition_root('crm.loose'))"),
                "5"
            );
            accepted(&mut client, "COMMIT; RESET row_security");
            assert_eq!(bare(&mut admin, "crm.loose"), Vec::<Vec<String>>::new(), "{who}: {change}");
            accepted(&mut admin, "DROP SCHEMA crm CASCADE; DROP SCHEMA IF EXISTS crm_base CASCADE");
        }
    }
}

/// An expression runs between the partition and the event trigger.
#[test]
fn a_partition_created_by_create_schema_that_changes_the_registry_is_protected() {
    let db = divided("part_schema");
    let dba = db.role("dba");
    accepted(
        &mut db.admin(),
        &format!(
            "GRANT CREATE ON DATABASE \"{}\" TO \"{dba}\";
             CREATE TABLE crm.other (n int) PARTITION BY LIST (n); ALTER TABLE crm.other OWNER TO \"{dba}\"",
            db.name()
        ),
    );
    let mut client = db.connect("dba");
    accepted(
        &mut client,
        "CREATE FUNCTION crm.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM leadguard.on_denied('crm.lead', 'skip'); RETURN 1; END $$;
         SET row_security = off;
         CREATE SCHEMA more CREATE TABLE lead_2 PARTITION OF crm.lead FOR VALUES FROM (100) TO (200)
             CREATE TABLE one PARTITION OF crm.other FOR VALUES IN (crm.f())",
    );
    assert_eq!(bare(&mut db.admin(), "crm.lead"), Vec::<Vec<String>>::new());
    assert_eq!(scalar(&mut db.admin(), "SELECT on_denied FROM leadguard.protected_table"), "skip");
    guarded_as_skip(&db);
}

fn guarded_as_skip(db: &Db) {
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.lead (id, owner_id) SELECT 150, id FROM leadguard.member WHERE key = 'carl'; GRANT USAGE ON SCHEMA more TO PUBLIC; GRANT ALL ON more.lead_2 TO PUBLIC",
    );
    assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM more.lead_2"), set(""));
    assert_eq!(ids(&mut db.connect("carl"), "SELECT id FROM more.lead_2"), set("150"));
}

#[test]
fn a_restore_brings_the_protection_of_partitions() {
    let db = divided("part_dumped");
    accepted(
        &mut db.connect("dba"),
        "CREATE TABLE crm.lead_2 PARTITION OF crm.lead FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
         CREATE TABLE crm.lead_2a PARTITION OF crm.lead_2 FOR VALUES FROM (100) TO (200)",
    );
    let run = |command: &mut std::process::Command| {
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let file = std::env::temp_dir().join(format!("{}.dump", db.name()));
    run(db.tool("pg_dump", "postgres").args(["-Fc", "-d", db.name(), "-f"]).arg(&file));
    for options in [&[][..], &["-1"]] {
        let copy = Db::bare("part_restored");
        let mut restore = copy.tool("pg_restore", "postgres");
        run(restore.args(["--exit-on-error", "-d", copy.name()]).args(options).arg(&file));
        let mut admin = copy.admin();
        assert_eq!(scalar(&mut admin, "SELECT count(*) FROM pg_partition_tree('crm.lead')"), "4", "{options:?}");
        assert_eq!(bare(&mut admin, "crm.lead"), Vec::<Vec<String>>::new(), "{options:?}");
    }
    std::fs::remove_file(file).expect("the dump goes");
}
