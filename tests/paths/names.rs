//! Tables with unusual names, and partitioned ones.

use leadguard_tests::*;

#[test]
fn mixed_case_and_quoted_names() {
    let db = Db::new("names");
    people(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        r#"CREATE SCHEMA "Sales 'Dept'";
           CREATE TABLE "Sales 'Dept'"."Lead ""Table""; --" (
               "Id" bigint PRIMARY KEY, "Owner's ""Id""" bigint, "Terr%s $1" bigint, name text);
           INSERT INTO "Sales 'Dept'"."Lead ""Table""; --"
           SELECT v.id, m.id, t.id, 'n'
           FROM (VALUES (1, 'alice', NULL), (2, 'carl', NULL), (3, 'loner', 'dach')) AS v (id, owner, territory)
           LEFT JOIN leadguard.member AS m ON m.key = v.owner LEFT JOIN leadguard.territory AS t ON t.key = v.territory;
           SELECT leadguard.protect('"Sales ''Dept''"."Lead ""Table""; --"',
                                    id => 'Id', owner => 'Owner''s "Id"', territory => 'Terr%s $1')"#,
    );
    let read = r#"SELECT "Id" FROM "Sales 'Dept'"."Lead ""Table""; --""#;
    for (who, expected) in [("alice", "1"), ("mona", "1"), ("bob", "2"), ("tess", "3"), ("ted", ""), ("admin", "1 2 3")]
    {
        assert_eq!(ids(&mut db.connect(who), read), set(expected), "{who}");
    }
    let mut alice = db.connect("alice");
    accepted(&mut alice, r#"SELECT leadguard.share('"Sales ''Dept''"."Lead ""Table""; --"', '1', 'carl', 'read')"#);
    let mut carl = db.connect("carl");
    assert_eq!(ids(&mut carl, read), set("1 2"));
    refused(&mut carl, r#"UPDATE "Sales 'Dept'"."Lead ""Table""; --" SET name = 'x' WHERE "Id" = 1"#, "42501");
    assert_eq!(accepted(&mut carl, r#"UPDATE "Sales 'Dept'"."Lead ""Table""; --" SET name = 'x' WHERE "Id" = 2"#), 1);
    let mona = member(&mut admin, "mona").to_string();
    let owner = scalar(
        &mut db.connect("mona"),
        r#"INSERT INTO "Sales 'Dept'"."Lead ""Table""; --" ("Id", name) VALUES (4, 'n') RETURNING "Owner's ""Id""""#,
    );
    assert_eq!(owner, mona);
    accepted(&mut admin, r#"SELECT leadguard.unprotect('"Sales ''Dept''"."Lead ""Table""; --"')"#);
    assert_eq!(scalar(&mut admin, r#"SELECT count(*) FROM pg_policies WHERE schemaname = 'Sales ''Dept'''"#), "0");
}

#[test]
fn renaming_the_table_its_schema_and_columns_never_widens_access() {
    let db = Db::new("renamed");
    org(&db);
    let mut admin = db.admin();
    accepted(&mut admin, "ALTER TABLE crm.lead RENAME TO prospect; ALTER SCHEMA crm RENAME TO sales");
    let mut carl = db.connect("carl");
    assert_eq!(ids(&mut carl, "SELECT id FROM sales.prospect"), set("9 10"));
    assert_eq!(accepted(&mut carl, "UPDATE sales.prospect SET name = 'x'"), 2);
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('sales.prospect', '1', 'carl', 'read')");
    assert_eq!(ids(&mut carl, "SELECT id FROM sales.prospect"), set("1 9 10"));
    refused(&mut carl, "UPDATE sales.prospect SET name = 'x' WHERE id = 1", "42501");

    // A renamed column may keep working or stop all work; it must not open anything, even when another takes its name.
    accepted(
        &mut admin,
        "ALTER TABLE sales.prospect RENAME owner_id TO holder; ALTER TABLE sales.prospect ADD owner_id bigint;
         UPDATE sales.prospect SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'carl')",
    );
    if let "ok" = code(&mut carl, "SELECT 1 FROM sales.prospect").as_str() {
        assert!(ids(&mut carl, "SELECT id FROM sales.prospect").is_subset(&set("1 9 10")));
    }
    let _ = code(&mut carl, "UPDATE sales.prospect SET name = 'taken'");
    assert!(ids(&mut admin, "SELECT id FROM sales.prospect WHERE name = 'taken'").is_subset(&set("9 10")));
}

/// A lead table in partitions by region, one of them divided again.
const PARTITIONED: &str = "
    CREATE SCHEMA crm;
    CREATE TABLE crm.lead (id bigint, region text, owner_id bigint, territory_id bigint, name text, PRIMARY KEY (id, region))
        PARTITION BY LIST (region);
    CREATE TABLE crm.lead_eu PARTITION OF crm.lead FOR VALUES IN ('eu') PARTITION BY RANGE (id);
    CREATE TABLE crm.lead_eu_old PARTITION OF crm.lead_eu FOR VALUES FROM (0) TO (100);
    CREATE TABLE crm.lead_eu_new PARTITION OF crm.lead_eu FOR VALUES FROM (100) TO (1000);
    CREATE TABLE crm.lead_us PARTITION OF crm.lead FOR VALUES IN ('us');
    CREATE TABLE crm.lead_rest PARTITION OF crm.lead DEFAULT;
    INSERT INTO crm.lead
    SELECT v.id, v.region, m.id, NULL, 'n'
    FROM (VALUES (1, 'eu', 'alice'), (101, 'eu', 'alice'), (2, 'us', 'alice'), (3, 'xx', 'alice'),
                 (11, 'eu', 'carl'), (111, 'eu', 'carl'), (12, 'us', 'carl'), (13, 'xx', 'carl')) AS v (id, region, owner)
    JOIN leadguard.member AS m ON m.key = v.owner;
    SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', territory => 'territory_id');";

#[test]
fn partitions_follow_the_rules_of_their_parent() {
    let db = Db::new("partitions");
    people(&db);
    accepted(&mut db.admin(), PARTITIONED);
    assert_eq!(leads(&db, "alice"), set("1 2 3 101"));
    assert_eq!(leads(&db, "mona"), set("1 2 3 101"));
    assert_eq!(leads(&db, "bob"), set("11 12 13 111"));
    assert_eq!(leads(&db, "ted"), set(""));
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '101', 'carl', 'read')");
    assert_eq!(level(&db, "carl", "101"), "read");
    assert_eq!(level(&db, "carl", "11"), "full");
    assert_eq!(level(&db, "carl", "1"), "none");
    let mut alice = db.connect("alice");
    let made = scalar(&mut alice, "INSERT INTO crm.lead (id, region, name) VALUES (4, 'eu', 'n') RETURNING owner_id");
    assert_eq!(made, member(&mut db.admin(), "alice").to_string());
}

#[test]
fn partitions_are_no_way_around_when_named_directly() {
    let db = Db::new("partitions_direct");
    people(&db);
    let mut admin = db.admin();
    accepted(&mut admin, PARTITIONED);
    let leaves =
        [("lead_eu", "11 111"), ("lead_eu_old", "11"), ("lead_eu_new", "111"), ("lead_us", "12"), ("lead_rest", "13")];
    let role = db.role("carl");
    for (leaf, _) in leaves {
        accepted(&mut admin, &format!("GRANT ALL ON crm.{leaf} TO \"{role}\""));
    }
    let mut carl = db.connect("carl");
    let mut rest = db.admin();
    // The table has no archive.
    accepted(
        &mut admin,
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('cleaner', 1, '{hard_delete}');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'cleaner' FROM leadguard.member WHERE key = 'carl'",
    );
    for (leaf, expected) in leaves {
        assert_eq!(ids(&mut carl, &format!("SELECT id FROM crm.{leaf}")), set(expected), "{leaf}");
        assert_eq!(
            allowed(&mut carl, &format!("UPDATE crm.{leaf} SET name = 'x'")),
            expected.split(' ').count() as u64,
            "{leaf}"
        );
        assert_eq!(
            allowed(&mut carl, &format!("DELETE FROM crm.{leaf}")),
            expected.split(' ').count() as u64,
            "{leaf}"
        );
        refused(&mut carl, &format!("TRUNCATE crm.{leaf}"), "42501");
    }
    let alice = member(&mut rest, "alice");
    refused(&mut carl, &format!("INSERT INTO crm.lead_us (id, region, owner_id) VALUES (50, 'us', {alice})"), "42501");
    accepted(&mut carl, "INSERT INTO crm.lead_us (id, region) VALUES (50, 'us')");
    assert!(leads(&db, "carl").contains("50"));

    // A reader without the right to write is refused on the leaf, also when nothing matches.
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'view_only' FROM leadguard.member WHERE key = 'carl'",
    );
    for (leaf, _) in leaves {
        refused(&mut carl, &format!("UPDATE crm.{leaf} SET name = 'x' WHERE false"), "42501");
        refused(&mut carl, &format!("DELETE FROM crm.{leaf} WHERE false"), "42501");
        refused(&mut carl, &format!("INSERT INTO crm.{leaf} (id) SELECT 1 WHERE false"), "42501");
    }
}
