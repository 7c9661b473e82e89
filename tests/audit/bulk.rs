//! Records that one statement changed are stored together. What is read of them is what single statements would have
//! left.

use crate::{audited, mark, sound};
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::{Rng, SeedableRng};
use leadguard_tests::*;

/// Twins: what is done to `one` by single statements is done to `many` by one.
fn twins(db: &Db, columns: &str) {
    for table in ["one", "many"] {
        accepted(
            &mut db.admin(),
            &format!(
                "CREATE TABLE crm.{table} (id text PRIMARY KEY, owner text, {columns}); SELECT leadguard.protect('crm.{table}', owner => 'owner')"
            ),
        );
    }
}

/// What the audit says of a table, without what tells when and how it was stored; digests of the twins differ in nothing,
/// because they are about record, field and value.
fn said(client: &mut Client, table: &str) -> Vec<Vec<String>> {
    let text = format!(
        "SELECT l.record, l.action, l.session_role, coalesce(l.member_key, '-'), l.organization, l.changes, coalesce(v.\"values\"::text, '-'), count(*)
         FROM leadguard.audit_log l LEFT JOIN leadguard.audit_value v ON v.audit_id = l.id AND v.record = l.record AND v.target = l.target
         WHERE l.target = 'crm.{table}'::regclass AND l.record IS NOT NULL
         GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, l.changes::text"
    );
    rows(client, &text)
}

#[track_caller]
fn alike(admin: &mut Client) -> usize {
    let (one, many) = (said(admin, "one"), said(admin, "many"));
    for (one, many) in one.iter().zip(&many) {
        assert_eq!(one, many);
    }
    assert_eq!(one.len(), many.len());
    one.len()
}

fn stored(admin: &mut Client) -> (u64, u64) {
    let text = "SELECT count(*), coalesce(sum(cardinality(records)), 0) FROM leadguard.audit_entry WHERE records IS NOT NULL AND target = 'crm.many'::regclass";
    let row = rows(admin, text).concat();
    (row[0].parse().unwrap(), row[1].parse().unwrap())
}

#[test]
fn k53_many_records_are_read_as_if_they_were_written_one_by_one() {
    let db = audited("au_bulk");
    let mut admin = db.admin();
    let seed = seed("k53_many_records_are_read_as_if_they_were_written_one_by_one");
    let mut rng = StdRng::seed_from_u64(seed);
    let columns: Vec<String> = (0..9).map(|n| format!("\"c{n} \"\"ü\"")).collect();
    twins(&db, &format!("{} text", columns.join(" text, ")));
    let pieces = ["a", "b", "\u{1}", "\n", "\"", "\\", "\\u0041", "ü", "€", "𝄞", "{}", ",", " ", "NULL", "null"];
    let mut value = |rng: &mut StdRng| match rng.random_range(0..12) {
        0..3 => "NULL".to_string(),
        3 => "''".to_string(),
        4 if rng.random_range(0..40) == 0 => format!("repeat('long', {})", rng.random_range(1..4000)),
        5 if rng.random_range(0..80) == 0 => "repeat('very long', 150000)".to_string(),
        _ => {
            let text: String = (0..rng.random_range(1..9)).map(|_| pieces[rng.random_range(0..pieces.len())]).collect();
            format!("'{}'", text.replace('\'', "''"))
        }
    };
    let ids: Vec<String> = (0..260).map(|n| if n % 7 == 0 { format!("i\"{n}\\") } else { format!("{n}") }).collect();
    let count = |of: &[&String]| of.len();
    // Each record gets values of its own: a list of them is joined.
    let mut update = |admin: &mut Client, rng: &mut StdRng, touched: &[&String]| {
        let set: Vec<&String> = columns.iter().filter(|_| rng.random_range(0..3) > 0).collect();
        if set.is_empty() {
            return;
        }
        let row = |rng: &mut StdRng, value: &mut dyn FnMut(&mut StdRng) -> String, id: &str| {
            let values: Vec<String> =
                set.iter().map(|c| if rng.random_range(0..4) == 0 { format!("t.{c}") } else { value(rng) }).collect();
            (format!("'{id}'"), values)
        };
        let made: Vec<_> = touched.iter().map(|id| row(rng, &mut value, id)).collect();
        let whens = |at: usize| -> String {
            made.iter().map(|(id, values)| format!("WHEN {id} THEN {} ", values[at])).collect()
        };
        let many: Vec<String> =
            set.iter().enumerate().map(|(at, c)| format!("{c} = CASE t.id {} END", whens(at))).collect();
        let list: Vec<&str> = made.iter().map(|(id, _)| id.as_str()).collect();
        accepted(admin, &format!("UPDATE crm.many t SET {} WHERE id IN ({})", many.join(", "), list.join(", ")));
        let one: String = made
            .iter()
            .map(|(id, values)| {
                let set: Vec<String> = set.iter().zip(values).map(|(c, v)| format!("{c} = {v}")).collect();
                format!("UPDATE crm.one t SET {} WHERE id = {id};", set.join(", "))
            })
            .collect();
        accepted(admin, &one);
    };
    let list = ids.iter().map(|id| format!("('{id}')")).collect::<Vec<_>>().join(", ");
    accepted(&mut admin, &format!("INSERT INTO crm.many (id) VALUES {list}"));
    let single: String = ids.iter().map(|id| format!("INSERT INTO crm.one (id) VALUES ('{id}');")).collect();
    accepted(&mut admin, &single);
    for _ in 0..8 {
        let touched: Vec<&String> = ids.iter().filter(|_| rng.random_range(0..3) > 0).collect();
        assert!(count(&touched) > 32);
        update(&mut admin, &mut rng, &touched);
    }
    accepted(&mut admin, "DELETE FROM crm.many WHERE id > '5'");
    let gone = ids.iter().filter(|id| id.as_str() > "5");
    let single: String = gone.map(|id| format!("DELETE FROM crm.one WHERE id = '{id}';")).collect();
    accepted(&mut admin, &single);
    let read = alike(&mut admin);
    let (packed, records) = stored(&mut admin);
    println!("{read} rows of the log, {records} of them in {packed} rows");
    assert!(records >= 1_000 && packed * 4 < records, "{packed} rows, {records} records, seed {seed}");
    sound(&mut admin);
}

/// 60 leads of alice with an amount that somebody with the right may change.
fn leads(db: &Db) {
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.lead (id, name, amount, owner_id) SELECT g, 'lead ' || g, 1, m.id FROM generate_series(1001, 1060) g, leadguard.member m WHERE m.key = 'alice';
         SELECT leadguard.set_switch('crm.lead', 'batch_update', 'none'), leadguard.set_switch('crm.lead', 'batch_reassign', 'none')",
    );
}

#[test]
fn k53_a_record_of_many_is_erased_alone() {
    let db = audited("au_bulk_erase");
    leads(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "SELECT leadguard.set_archive('crm.lead');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'tina';
         UPDATE crm.lead SET name = 'CANARY ' || id WHERE id > 1000;
         UPDATE crm.lead SET name = name || '.' WHERE id > 1000;
         SELECT leadguard.seal_audit()",
    );
    accepted(&mut db.connect("admin"), "DELETE FROM crm.lead WHERE id IN (1007, 1011)");
    let kept = |admin: &mut Client| {
        scalar(
            admin,
            "SELECT count(*) FROM leadguard.audit_value WHERE target = 'crm.lead'::regclass AND \"values\"::text LIKE '%CANARY%'",
        )
    };
    assert_eq!(kept(&mut admin), "120");
    let digests =
        "SELECT string_agg(changes::text, '' ORDER BY id, record) FROM leadguard.audit_log WHERE action = 'update'";
    let before = scalar(&mut admin, digests);
    accepted(
        &mut db.connect("tina"),
        "SELECT leadguard.purge('crm.lead', '1007', 'asked'), leadguard.purge('crm.lead', '1011', 'asked')",
    );
    assert_eq!(kept(&mut admin), "116");
    assert_eq!(scalar(&mut admin, digests), before);
    let everything = "SELECT count(*) FROM leadguard.audit_entry e WHERE e::text ~ 'CANARY (1007|1011)'";
    assert_eq!(scalar(&mut admin, everything), "0");
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.verify_audit()"), Vec::<Vec<String>>::new());
    sound(&mut admin);
    // In the statement that wrote them, too.
    accepted(&mut admin, "UPDATE crm.lead SET name = 'CANARY ' || id WHERE id > 1000");
    assert_eq!(kept(&mut admin), "174");
}

#[test]
fn k53_a_forged_part_of_many_is_found() {
    let db = audited("au_bulk_forged");
    leads(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "UPDATE crm.lead SET name = 'x' || id, amount = CASE WHEN id % 2 = 0 THEN 2 ELSE 1 END WHERE id > 1000; SELECT leadguard.seal_audit()",
    );
    let mut problems = |sql: &str| {
        let open = "BEGIN; SET LOCAL row_security = off; ALTER TABLE leadguard.audit_entry DISABLE TRIGGER ALL; ALTER TABLE leadguard.audit_log_default DISABLE TRIGGER ALL;";
        accepted(
            &mut admin,
            &format!(
                "{open} UPDATE leadguard.audit_log_default SET {sql} WHERE records @> '{{1004}}' AND action = 'update'"
            ),
        );
        let found = rows(&mut admin, "SELECT coalesce(field, '-'), problem FROM leadguard.audit_verify()");
        let told = rows(&mut admin, "SELECT DISTINCT coalesce(detail, '-') FROM leadguard.verify_audit() ORDER BY 1");
        accepted(&mut admin, "ROLLBACK");
        (found, told.concat())
    };
    let row = [["-", "the row is not as it was written"]];
    let unreadable = [["-", "the values cannot be read"]];
    let value = [["name", "the value does not agree with its digest"]];
    assert_eq!(problems("at = at").0, Vec::<Vec<String>>::new());
    assert_eq!(problems("member_key = 'carl'").0, row);
    assert_eq!(problems("record = '7'").0, row);
    assert_eq!(problems("changes = '{\"a\": 1}'").0, row);
    assert_eq!(problems("digests = set_byte(digests, 100, 1 + get_byte(digests, 100) % 255)").0[0], row[0]);
    let (found, told) = problems("new_values = array_replace(new_values, 'x1004', 'x')");
    assert_eq!(
        (found, told),
        (value.map(|v| v.map(str::to_owned).to_vec()).to_vec(), vec!["record 1004, field name".to_owned()])
    );
    assert_eq!(problems("old_values = array_replace(old_values, 'lead 1004', NULL)").0, value);
    assert_eq!(problems("new_values = new_values || 'more'::text").0, unreadable);
    assert_eq!(problems("digests = '\\x'").0, [row[0], unreadable[0]]);
    assert_eq!(problems("fields = '{amount,nome}'").0[0], row[0]);
    assert_eq!(problems("records = array_replace(records, '1004', '2')").0[0], row[0]);
    assert_eq!(problems("records = records || '2'::text").0, [row[0], unreadable[0]]);
    sound(&mut admin);
}

// The views give nobody more than the tables: members of another organization and those without the capability see no row.
#[test]
fn k53_auditors_read_many_of_their_organization() {
    let db = audited("au_bulk_readers");
    leads(&db);
    let mut admin = db.admin();
    let role = db.create_role("gus");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
             INSERT INTO leadguard.member (org_id, key, db_role) SELECT id, 'gus', '{role}' FROM leadguard.organization WHERE key = 'globex';
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'gus'"
        ),
    );
    let start = mark(&mut admin);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' || id WHERE id > 1000");
    for (who, expected) in [("tina", "60"), ("admin", "60"), ("alice", "0"), ("ceo", "0"), ("gus", "0")] {
        let mut session = db.connect(who);
        let id = format!("id > {start}");
        assert_eq!(
            scalar(
                &mut session,
                &format!("SELECT count(*) FROM leadguard.audit_log WHERE {id} AND record IS NOT NULL")
            ),
            expected,
            "{who}"
        );
        let values = format!("SELECT count(*) FROM leadguard.audit_value WHERE audit_{id}");
        assert_eq!(scalar(&mut session, &values), expected, "{who}");
        let entries = scalar(&mut session, &format!("SELECT count(*) > 0 FROM leadguard.audit_entry WHERE {id}"));
        assert_eq!(entries, if expected == "0" { "f" } else { "t" }, "{who}");
        // A function that fails when it sees a record is not asked about rows of others, however cheap it says it is.
        accepted(
            &mut session,
            "CREATE FUNCTION pg_temp.seen(t text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN IF t IS NOT NULL THEN RAISE 'saw %', t; END IF; RETURN true; END $$",
        );
        for view in ["audit_log", "audit_value"] {
            let sql = format!("SELECT FROM leadguard.{view} WHERE pg_temp.seen(record) AND record LIKE '100%'");
            match expected {
                "0" => assert_eq!(accepted(&mut session, &sql), 0, "{who}"),
                _ => drop(refused(&mut session, &sql, "P0001")),
            }
        }
        let history = "SELECT count(*) FROM leadguard.record_history('crm.lead', '1004')";
        match expected {
            "0" if who != "gus" => drop(refused(&mut session, history, "42501")),
            _ => assert_eq!(scalar(&mut session, history) == "0", expected == "0", "{who}"),
        }
    }
}

#[test]
fn k53_the_history_of_a_record() {
    let db = audited("au_history");
    leads(&db);
    let mut admin = db.admin();
    accepted(&mut admin, "SELECT leadguard.set_archive('crm.lead')");
    accepted(
        &mut admin,
        "UPDATE crm.lead SET name = 'x' || id WHERE id > 1000; UPDATE crm.lead SET name = 'alone' WHERE id = 1004",
    );
    accepted(&mut db.connect("alice"), "SELECT leadguard.archive('crm.lead', '1004', 'wrong number')");
    let mut tina = db.connect("tina");
    let text = "SELECT action, coalesce(member, '-'), coalesce(reason, '-'), \"values\" -> 'name' ->> 'new', changes ? 'name' FROM leadguard.record_history('crm.lead', '1004')";
    assert_eq!(
        rows(&mut tina, text),
        [
            ["create", "-", "-", "lead 1004", "t"],
            ["update", "-", "-", "x1004", "t"],
            ["update", "-", "-", "alone", "t"],
            ["archive", "alice", "wrong number", "∅", "f"]
        ]
    );
    assert_eq!(
        rows(&mut tina, "SELECT * FROM leadguard.record_history('crm.lead', 'none')"),
        Vec::<Vec<String>>::new()
    );
    refused(&mut tina, "SELECT * FROM leadguard.record_history(NULL, '1')", "22023");
    refused(&mut tina, "SELECT * FROM leadguard.record_history('crm.lead', NULL)", "22023");
}

// A part of the statement that is rolled back leaves nothing, the rest stays whole.
#[test]
fn k53_blocks_that_are_rolled_back_leave_nothing_among_many() {
    let db = audited("au_bulk_blocks");
    leads(&db);
    let mut admin = db.admin();
    let start = mark(&mut admin);
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             BEGIN UPDATE crm.lead SET amount = amount + 1 WHERE id < 4; RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END;
             RETURN new; END $$;
         CREATE TRIGGER odd BEFORE UPDATE ON crm.lead FOR EACH ROW WHEN (new.id > 1000) EXECUTE FUNCTION crm.odd();
         UPDATE crm.lead SET name = 'x' || id WHERE id > 1000;
         BEGIN; UPDATE crm.lead SET name = 'y' || id WHERE id > 1000; SAVEPOINT s; UPDATE crm.lead SET name = 'z' || id WHERE id > 1000; ROLLBACK TO s; COMMIT;
         BEGIN; UPDATE crm.lead SET name = 'w' || id WHERE id > 1000; ROLLBACK",
    );
    let found = format!(
        "SELECT count(*), count(DISTINCT record), bool_and(record::int > 1000) FROM leadguard.audit_log WHERE id > {start} AND action = 'update'"
    );
    assert_eq!(rows(&mut admin, &found), [["120", "60", "t"]]);
    sound(&mut admin);
}

// K55 and ghost leads look at them as at others.
#[test]
fn k55_changes_of_many_count() {
    let db = audited("au_bulk_active");
    leads(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "SELECT leadguard.set_archive('crm.lead'); SELECT leadguard.valid_values('crm.lead', 'name', NULL)",
    );
    let clean = "BEGIN; DELETE FROM crm.lead WHERE id BETWEEN 1001 AND 1040; ROLLBACK";
    accepted(&mut db.connect("alice"), clean);
    let alice = member(&mut admin, "alice");
    let anton = member(&mut admin, "anton");
    accepted(
        &mut db.connect("mona"),
        &format!(
            "UPDATE crm.lead SET owner_id = {anton} WHERE id > 1000; UPDATE crm.lead SET owner_id = {alice} WHERE id > 1000"
        ),
    );
    let together = "SELECT sum(cardinality(records)) FROM leadguard.audit_entry WHERE action = 'reassign'";
    assert_eq!(scalar(&mut admin, together), "120");
    let error = refused(&mut db.connect("alice"), clean.trim_end_matches("; ROLLBACK"), "42501");
    assert!(error.message().contains("others work on 40 of them"), "{error}");
    let worked = "SELECT count(*) FROM leadguard.worked_on('crm.lead', '1004') WHERE member = 'mona'";
    assert_eq!(scalar(&mut db.connect("alice"), worked), "1");
    let ghosts =
        "SELECT count(*) FROM leadguard.ghost_leads('crm.lead') WHERE 'mona' = ANY (members) AND record::int > 1000";
    assert_eq!(scalar(&mut db.connect("mona"), ghosts), "60");
}

// Rows of organizations that alternate are stored together all the same; a record's story keeps its order.
#[test]
fn k53_organizations_that_alternate_are_stored_together() {
    let db = audited("au_bulk_mixed");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
         CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, org text, name text);
         SELECT leadguard.protect('crm.deal', owner => 'owner_id', organization => 'org');
         INSERT INTO crm.deal SELECT g, NULL, CASE WHEN g % 2 = 0 THEN 'globex' ELSE 'default' END FROM generate_series(1, 400) g",
    );
    let of = "SELECT count(*) FILTER (WHERE records IS NULL), count(DISTINCT organization), sum(cardinality(records)) FROM leadguard.audit_entry
              WHERE target = 'crm.deal'::regclass AND action = 'create'";
    assert_eq!(rows(&mut admin, of), [["0", "2", "400"]]);
    let seen = "SELECT count(*), bool_and(record::int % 2 = 1) FROM leadguard.audit_log WHERE target = 'crm.deal'::regclass AND action = 'create'";
    assert_eq!(rows(&mut db.connect("tina"), seen), [["200", "t"]]);
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF pg_trigger_depth() = 1 THEN UPDATE crm.deal SET name = name || 'b' WHERE id = new.id; END IF; RETURN NULL; END $$;
         CREATE TRIGGER twice AFTER UPDATE ON crm.deal FOR EACH ROW EXECUTE FUNCTION crm.twice();
         UPDATE crm.deal SET name = 'a'",
    );
    let last = "SELECT count(DISTINCT \"values\" -> 'name' ->> 'new'), count(*) FROM leadguard.audit_value WHERE target = 'crm.deal'::regclass AND \"values\" ? 'name'";
    assert_eq!(rows(&mut admin, last), [["2", "800"]]);
    sound(&mut admin);
}

// A statement may purge a record that it has changed: what is noted when it ends keeps nothing of it.
#[test]
fn k53_a_purge_inside_the_statement_leaves_no_value() {
    let db = audited("au_bulk_inside");
    leads(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "SELECT leadguard.set_archive('crm.lead');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'tina';
         SELECT leadguard.valid_values('crm.lead', 'name', NULL)",
    );
    let inside = |from: u32, count: u32| {
        format!(
            "CREATE OR REPLACE FUNCTION pg_temp.gone(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
                 DELETE FROM crm.lead WHERE id = t::bigint; PERFORM leadguard.purge('crm.lead', t, 'asked'); RETURN 'last'; END $$;
             UPDATE crm.lead SET name = CASE id WHEN {} THEN pg_temp.gone('{from}') ELSE 'CANARY' END WHERE id BETWEEN {from} AND {}",
            from + count - 1,
            from + count - 1
        )
    };
    for (from, count) in [(1001, 2), (1010, 40)] {
        accepted(&mut admin, &inside(from, count));
        let kept = format!(
            "SELECT count(*) FROM leadguard.audit_value WHERE record = '{from}' AND target = 'crm.lead'::regclass"
        );
        assert_eq!(scalar(&mut admin, &kept), "0", "{from}");
        assert_eq!(scalar(&mut admin, &format!("SELECT count(*) FROM crm.lead WHERE id = {from}")), "0");
        let beside = kept.replace(&format!("'{from}'"), &format!("'{}'", from + 1));
        assert_ne!(scalar(&mut admin, &beside), "0", "{from}");
    }
    sound(&mut admin);
}
