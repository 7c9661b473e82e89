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
