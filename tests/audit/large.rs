//! Values of a megabyte, many at once: nothing is lost, and no session holds all of them.

use crate::{audited, sound};
use leadguard_tests::*;

/// 60 leads of alice, which a session that no rule binds changes; their names are kept.
fn leads(db: &Db, name: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO crm.lead (id, name, owner_id) SELECT g, {name}, m.id FROM generate_series(1001, 1060) g, leadguard.member m WHERE m.key = 'alice'"
        ),
    );
}

/// A megabyte that says which record it belongs to.
fn megabyte(of: &str) -> String {
    format!("repeat(md5({of}::text), 32000)")
}

/// The most memory that a session had of its own, in megabytes, where the system tells.
fn peak(client: &mut Client) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid(client))).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes >> 10)
}

#[test]
fn k53_values_of_a_megabyte_of_one_statement_are_all_written_and_never_held_together() {
    let db = audited("au_large");
    leads(&db, &megabyte("g"));
    let mut admin = db.admin();
    let before = peak(&mut admin);
    assert_eq!(accepted(&mut admin, &format!("UPDATE crm.lead SET name = {} WHERE id > 1000", megabyte("(-id)"))), 60);
    let after = peak(&mut admin);
    println!("{before:?} MB before, {after:?} MB after");
    if let (Some(before), Some(after)) = (before, after) {
        assert!(after - before < 160, "{before} MB before, {after} MB after");
    }
    let rights = format!(
        "SELECT count(*), count(DISTINCT record), bool_and(\"values\" = jsonb_build_object('name', jsonb_build_object('old', {}, 'new', {})))
         FROM leadguard.audit_value WHERE target = 'crm.lead'::regclass AND record::int > 1000 AND \"values\" #>> '{{name,old}}' IS NOT NULL",
        megabyte("record::int"),
        megabyte("(-record::int)")
    );
    assert_eq!(rows(&mut admin, &rights), [["60", "60", "t"]]);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.audit_log WHERE action = 'update'"), "60");
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.verify_audit()"), Vec::<Vec<String>>::new());
    let verified = peak(&mut admin);
    println!("{verified:?} MB after verify_audit");
    if let (Some(after), Some(verified)) = (after, verified) {
        assert!(verified - after < 100, "{after} MB before, {verified} MB after");
    }
    let history = "SELECT count(*) FROM leadguard.record_history('crm.lead', '1007') WHERE \"values\" IS NOT NULL";
    assert_eq!(scalar(&mut admin, history), "2");
}

#[test]
fn k53_values_of_one_record_that_are_too_many_have_digests() {
    let db = audited("au_wide");
    let mut admin = db.admin();
    let columns: Vec<String> = (0..35).map(|n| format!("c{n:02}")).collect();
    accepted(
        &mut admin,
        &format!(
            "CREATE TABLE crm.wide (id text PRIMARY KEY, owner text, {} text); SELECT leadguard.protect('crm.wide', owner => 'owner');
             INSERT INTO crm.wide (id) VALUES ('1')",
            columns.join(" text, ")
        ),
    );
    // A byte that is six in JSON is among them.
    let set: Vec<String> = columns.iter().map(|c| format!("{c} = chr(1) || repeat('x', 999999)")).collect();
    accepted(&mut admin, &format!("UPDATE crm.wide SET {}", set.join(", ")));
    let kept = "SELECT (SELECT count(*) FROM jsonb_object_keys(l.changes)), count(*), min(length(k.value ->> 'new'))
                FROM leadguard.audit_log l JOIN leadguard.audit_value v ON v.audit_id = l.id, jsonb_each(v.\"values\") k
                WHERE v.target = 'crm.wide'::regclass AND l.action = 'update' GROUP BY 1";
    assert_eq!(rows(&mut admin, kept), [["35", "33", "1000000"]]);
    sound(&mut admin);
}

/// Text that hardly compresses.
const NOISE: &str = "CREATE FUNCTION crm.noise(n int, seed text) RETURNS text LANGUAGE sql AS
    $$ SELECT left(string_agg(translate(encode(decode(md5(seed || i), 'hex'), 'base64'), E'=\\n', ''), ''), n) FROM generate_series(1, n / 22 + 1) i $$";

#[test]
fn k53_the_longest_keys_that_a_table_takes_are_audited_and_purged() {
    let db = audited("au_keys");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        &format!(
            "{NOISE}; CREATE TABLE crm.keyed (id text PRIMARY KEY, owner text, name text);
             SELECT leadguard.protect('crm.keyed', owner => 'owner', archived_at => 'archived_at', archived_by => 'archived_by');
             GRANT ALL ON crm.keyed TO PUBLIC;
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'tina'"
        ),
    );
    // Longer ones do not fit into the unique index that protect demands.
    for length in [2693, 3000, 7000] {
        let insert = format!("INSERT INTO crm.keyed SELECT crm.noise({length}, 'a'), 'alice'");
        let error = refused(&mut admin, &insert, "54000");
        assert!(error.message().contains("\"keyed_pkey\""), "{error:?}");
        refused(&mut db.connect("alice"), &insert, "54000");
    }
    // What compresses does.
    let keys: Vec<String> = (2660..=2692)
        .step_by(8)
        .chain([1990, 2010, 2681, 2689])
        .map(|length| format!("crm.noise({length}, 'a')"))
        .chain(["repeat('ab', 100000)".to_owned()])
        .collect();
    let mut alice = db.connect("alice");
    for key in &keys {
        accepted(&mut admin, &format!("INSERT INTO crm.keyed SELECT {key}, 'alice', 'first'"));
        accepted(&mut admin, &format!("UPDATE crm.keyed SET name = 'second' WHERE id = {key}"));
        assert_eq!(accepted(&mut alice, &format!("DELETE FROM crm.keyed WHERE id = {key}")), 1, "{key}");
    }
    // Some together, and one again and again: until the index holds pages for it.
    accepted(&mut admin, "UPDATE crm.keyed SET name = name || '.'");
    let longest = "crm.noise(2692, 'a')";
    for round in 0..3 {
        accepted(
            &mut admin,
            &format!(
                "DO $$ BEGIN FOR n IN 1..100 LOOP UPDATE crm.keyed SET name = 'n{round}.' || n WHERE id = {longest}; END LOOP; END $$"
            ),
        );
        let index = "SELECT gin_clean_pending_list(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname LIKE 'audit_log_%_records_idx'";
        rows(&mut admin, index);
    }
    let count = keys.len();
    let told = "SELECT action, count(*), count(DISTINCT record) FROM leadguard.audit_log WHERE target = 'crm.keyed'::regclass AND record IS NOT NULL GROUP BY 1 ORDER BY 1";
    let expected = [("archive", count), ("create", count), ("update", 2 * count + 300)];
    let expected: Vec<Vec<String>> =
        expected.iter().map(|(action, n)| vec![(*action).to_owned(), n.to_string(), count.to_string()]).collect();
    assert_eq!(rows(&mut admin, told), expected);
    let history = |key: &str| {
        format!(
            "SELECT count(*), string_agg(DISTINCT action, ' ' ORDER BY action), max(\"values\" #>> '{{name,old}}') FILTER (WHERE changes ? 'name')
             FROM leadguard.record_history('crm.keyed', {key})"
        )
    };
    assert_eq!(rows(&mut db.connect("tina"), &history(longest)).concat()[..2], ["304", "archive create update"]);
    assert_eq!(rows(&mut admin, &history("crm.noise(2689, 'a')")).concat(), ["4", "archive create update", "second"]);
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.verify_audit()"), Vec::<Vec<String>>::new());
    for key in &keys {
        accepted(&mut db.connect("tina"), &format!("SELECT leadguard.purge('crm.keyed', {key}, 'asked')"));
    }
    let left = "SELECT count(*) FROM leadguard.audit_value WHERE target = 'crm.keyed'::regclass";
    assert_eq!(scalar(&mut admin, left), "0");
    let stones = "SELECT count(*) FROM leadguard.tombstone WHERE target = 'crm.keyed'::regclass";
    assert_eq!(scalar(&mut admin, stones), count.to_string());
    sound(&mut admin);
}

/// What does not fit into an index of leadguard is refused, and leaves nothing behind.
#[test]
fn a_record_with_a_key_that_is_too_long_is_not_shared() {
    let db = audited("au_keys_shared");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        &format!(
            "{NOISE}; CREATE TABLE crm.keyed (id text PRIMARY KEY, owner text);
             SELECT leadguard.protect('crm.keyed', owner => 'owner'); GRANT USAGE ON SCHEMA crm TO PUBLIC; GRANT ALL ON crm.keyed TO PUBLIC;
             INSERT INTO crm.keyed SELECT crm.noise(n, 'a'), 'alice' FROM unnest('{{2640,2680}}'::int[]) n"
        ),
    );
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SELECT leadguard.share('crm.keyed', crm.noise(2640, 'a'), 'carl')");
    refused(&mut alice, "SELECT leadguard.share('crm.keyed', crm.noise(2680, 'a'), 'carl')", "54000");
    assert_eq!(ids(&mut db.connect("carl"), "SELECT length(id) FROM crm.keyed"), set("2640"));
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.audit_log WHERE action = 'share'"), "1");
}
