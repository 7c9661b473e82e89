//! A record never ends without an owner.

use crate::lab::{companies, id, owners_stay};
use leadguard_tests::{Db, accepted, allowed, code, refused, rows, scalar};

/// mem owns two items and one archived one, and a shared record.
fn stocked(name: &str) -> Db {
    let db = companies(name);
    let mut admin = db.admin();
    let mem = id(&mut admin, "mem");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO crm.item (id, owner_id) VALUES (1, {mem}), (2, {mem}), (3, {mem}), (4, NULL);
             INSERT INTO crm.shared (id, owner, org) VALUES (1, 'mem', 'default'), (2, 'gus', 'globex');
             DELETE FROM crm.item WHERE id = 3"
        ),
    );
    db
}

const WAYS: [&str; 2] =
    ["DELETE FROM leadguard.member WHERE key = 'mem'", "UPDATE leadguard.member SET active = false WHERE key = 'mem'"];

#[test]
fn d22_k54_whoever_owns_records_stays() {
    let db = stocked("owners_stay");
    let mut admin = db.admin();
    // Under sales_hierarchy the managers have them, and the owner may leave.
    for way in WAYS {
        assert_eq!(allowed(&mut admin, way), 1);
    }
    owners_stay(&mut admin, "crm.item");
    owners_stay(&mut admin, "crm.shared");
    for way in WAYS {
        for who in ["owner", "adm", "postgres"] {
            let error = refused(&mut db.connect(who), way, "23503");
            assert_eq!(error.detail(), Some("They own 2 records of crm.item, 1 record of crm.shared."), "{who}");
            assert!(error.hint().unwrap_or("").contains("leadguard.reassign"));
        }
        // Whose table it is makes no difference to what the Admin sees of it.
        assert_eq!(scalar(&mut db.connect("adm"), "SELECT count(*) FROM crm.item"), "0");
    }
    // Archived ones keep nobody; those handed over neither.
    accepted(&mut admin, "DELETE FROM crm.item WHERE id = 1; DELETE FROM crm.shared WHERE id = 1");
    let error = refused(&mut admin, WAYS[1], "23503");
    assert_eq!(error.detail(), Some("They own 1 record of crm.item."));
    let hand = "SELECT leadguard.reassign('crm.item', '2', owner => 'mem2')";
    accepted(&mut admin, &format!("BEGIN; {hand}"));
    for way in WAYS {
        accepted(&mut admin, "SAVEPOINT s");
        assert_eq!(accepted(&mut admin, way), 1);
        accepted(&mut admin, "ROLLBACK TO s");
    }
    accepted(&mut admin, "ROLLBACK");
    // The switch lets him go.
    accepted(&mut admin, "UPDATE leadguard.table_switch SET value = 'off' WHERE target = 'crm.item'::regclass");
    for way in WAYS {
        assert_eq!(allowed(&mut admin, way), 1);
    }
}

#[test]
fn x18_the_presets_say_whether_owners_stay() {
    let db = stocked("owners_presets");
    let mut admin = db.admin();
    for (preset, state) in
        [("sales_hierarchy", "ok"), ("four_role", "23503"), ("decision_site", "23503"), ("organization", "23503")]
    {
        accepted(
            &mut admin,
            &format!("UPDATE leadguard.protected_table SET preset = '{preset}' WHERE target = 'crm.item'::regclass"),
        );
        assert_eq!(code(&mut admin, &format!("BEGIN; {}; ROLLBACK", WAYS[1])), state, "{preset}");
        accepted(&mut admin, "ROLLBACK");
        let shown = scalar(
            &mut admin,
            "SELECT value || ' ' || contradiction FROM leadguard.switches WHERE switch = 'owners_stay' AND target = 'crm.item'::regclass",
        );
        assert_eq!(shown, if state == "ok" { "off X18" } else { "on X18" });
    }
}

// Whatever the column holds, however the table is stored: by ids of each width, keys, uuids, in partitions, without an
// index, with one that is not whole.
#[test]
fn d22_every_kind_of_owner_column_counts() {
    let db = companies("owners_kinds");
    let mut admin = db.admin();
    let key = "00010203-0405-0607-0809-0a0b0c0d0e0f";
    accepted(&mut admin, &format!("INSERT INTO leadguard.member (key) VALUES ('{key}')"));
    let member = id(&mut admin, key);
    let types = [
        ("int2", member.as_str()),
        ("int4", &member),
        ("int8", &member),
        ("text", key),
        ("varchar(50)", key),
        ("uuid", key),
    ];
    for (number, (column, value)) in types.into_iter().enumerate() {
        for layout in ["plain", "bare", "partial", "parts"] {
            let table = format!("crm.t{number}_{layout}");
            let made = match layout {
                "parts" => format!(
                    "CREATE TABLE {table} (id int PRIMARY KEY, owner {column}) PARTITION BY RANGE (id);
                     CREATE TABLE {table}_b (junk int, owner {column}, id int NOT NULL);
                     ALTER TABLE {table}_b DROP COLUMN junk;
                     CREATE TABLE {table}_a PARTITION OF {table} FOR VALUES FROM (0) TO (10);
                     ALTER TABLE {table} ATTACH PARTITION {table}_b FOR VALUES FROM (10) TO (20)"
                ),
                _ => format!("CREATE TABLE {table} (id int PRIMARY KEY, owner {column})"),
            };
            let indexes = if layout == "plain" || layout == "parts" { "create" } else { "skip" };
            let partial = if layout == "partial" {
                format!("CREATE INDEX ON {table} (owner) WHERE id > 15")
            } else {
                String::new()
            };
            accepted(
                &mut admin,
                &format!(
                    "{made}; {partial};
                     SELECT leadguard.protect('{table}', id => 'id', owner => 'owner', archived_at => 'archived_at', indexes => '{indexes}');
                     INSERT INTO {table} (id, owner) VALUES (1, '{value}'), (2, '{value}'), (12, '{value}'), (13, NULL);
                     DELETE FROM {table} WHERE id = 2"
                ),
            );
            owners_stay(&mut admin, &table);
            let error = refused(&mut admin, &format!("DELETE FROM leadguard.member WHERE key = '{key}'"), "23503");
            assert_eq!(error.detail(), Some(format!("They own 2 records of {table}.").as_str()));
            assert_eq!(
                rows(&mut admin, &format!("SELECT * FROM leadguard.owned_records('{key}')")),
                [[table.as_str(), "2"]]
            );
            accepted(&mut admin, &format!("DELETE FROM {table}"));
            assert_eq!(allowed(&mut admin, &format!("DELETE FROM leadguard.member WHERE key = '{key}'")), 1, "{table}");
        }
    }
    // Many at once are found by reading the table, few through the index.
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member (key) SELECT 'crowd' || g FROM generate_series(1, 200) g;
         INSERT INTO crm.t2_plain (id, owner) SELECT 100 + row_number() OVER (), id FROM leadguard.member WHERE key LIKE 'crowd%'",
    );
    let error = refused(&mut admin, "UPDATE leadguard.member SET active = false WHERE key LIKE 'crowd%'", "23503");
    assert_eq!(error.detail(), Some("They own 200 records of crm.t2_plain."));
}

// Planning a query as a superuser evaluates immutable functions in predicates of the owner's indexes.
#[test]
fn d22_counting_runs_no_code_of_the_tables_owner() {
    let db = companies("owners_code");
    let mut admin = db.admin();
    let keeper = db.create_role("keeper");
    accepted(
        &mut admin,
        &format!(
            "GRANT USAGE, CREATE ON SCHEMA crm TO \"{keeper}\";
             CREATE TABLE crm.trapped (id bigint PRIMARY KEY, owner_id bigint); ALTER TABLE crm.trapped OWNER TO \"{keeper}\""
        ),
    );
    accepted(
        &mut db.connect("keeper"),
        "CREATE FUNCTION crm.trap(bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
         $$ BEGIN PERFORM set_config('lab.seen', current_user, false); RETURN true; END $$;
         CREATE FUNCTION crm.trap2(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS
         $$ BEGIN PERFORM set_config('lab.seen', current_user, false); RETURN 1; END $$;
         CREATE INDEX ON crm.trapped (id) WHERE crm.trap(owner_id);
         CREATE INDEX ON crm.trapped (owner_id) WHERE crm.trap(7);
         CREATE INDEX ON crm.trapped (owner_id, crm.trap2(id));",
    );
    accepted(
        &mut admin,
        "SELECT leadguard.protect('crm.trapped', id => 'id', owner => 'owner_id', archived_at => 'archived_at');
         INSERT INTO crm.trapped (id, owner_id) SELECT 1, id FROM leadguard.member WHERE key = 'mem'",
    );
    owners_stay(&mut admin, "crm.trapped");
    let seen = "SELECT coalesce(current_setting('lab.seen', true), '')";
    for who in ["adm", "postgres"] {
        let mut c = db.connect(who);
        refused(&mut c, WAYS[1], "23503");
        accepted(&mut c, "SELECT * FROM leadguard.owned_records('mem')");
        assert_eq!(scalar(&mut c, seen), "", "{who}");
        // Twin: a query runs it.
        accepted(&mut c, "SELECT count(*) FROM crm.trapped WHERE owner_id = 7");
        assert_eq!(scalar(&mut c, seen), db.role(who));
    }
}

#[test]
fn d19_owned_records_are_listed_for_those_who_manage_members() {
    let db = stocked("owners_listed");
    let all = [["crm.item", "2"], ["crm.shared", "1"]];
    let ask = "SELECT * FROM leadguard.owned_records('mem')";
    for who in ["owner", "adm", "hr", "root", "postgres"] {
        assert_eq!(rows(&mut db.connect(who), ask), all, "{who}");
    }
    for who in ["mem", "mem2", "guest", "giver"] {
        refused(&mut db.connect(who), ask, "42501");
    }
    // A member of another organization is answered like one who does not exist.
    let foreign = refused(&mut db.connect("gina"), ask, "22023");
    let absent = refused(&mut db.connect("gina"), "SELECT * FROM leadguard.owned_records('nil')", "22023");
    assert_eq!(foreign.message().replace("\"mem\"", "\"nil\""), absent.message());
    assert_eq!(rows(&mut db.connect("gina"), "SELECT * FROM leadguard.owned_records('gus')"), [["crm.shared", "1"]]);
}
