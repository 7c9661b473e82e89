//! Findings stay until they are solved.

use crate::lab::*;
use leadguard_tests::*;

fn state(db: &Db) -> String {
    scalar(
        &mut db.connect("olga"),
        "SELECT concat_ws(' | ', status, resolution, resolved_by, (SELECT string_agg(concat_ws(' ', h ->> 'status', h ->> 'resolution', h ->> 'by'), ', ')
                FROM leadguard.finding x, jsonb_array_elements(x.history) h WHERE x.id = f.id))
         FROM leadguard.findings(NULL) f WHERE finding = 'too_many_admins'",
    )
}

#[test]
fn k48_a_finding_stays_open_until_it_is_solved_and_opens_again() {
    let db = lab("lifecycle");
    give(&db, "rep", "data_owner");
    found(&db, "quarterly", "too_many_admins");
    let first = scalar(
        &mut db.connect("olga"),
        "SELECT first_seen FROM leadguard.findings()  WHERE finding = 'too_many_admins'",
    );
    found(&db, "monthly", "too_many_admins");
    assert_eq!(state(&db), "open");
    assert_eq!(
        scalar(
            &mut db.connect("olga"),
            "SELECT count(*) || ' ' || min(first_seen) FROM leadguard.findings() WHERE finding = 'too_many_admins'"
        ),
        format!("1 {first}"),
        "one finding, seen twice"
    );
    accepted(
        &mut db.admin(),
        "DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = 'rep'",
    );
    assert_eq!(state(&db), "open", "nobody has looked again");
    found(&db, "monthly", "too_many_admins");
    assert_eq!(state(&db), "resolved | no longer found");
    give(&db, "rep", "data_owner");
    found(&db, "quarterly", "too_many_admins");
    assert_eq!(state(&db), "open | resolved no longer found");
}

#[test]
fn k48_findings_are_resolved_and_accepted_with_a_reason() {
    let db = lab("resolving");
    give(&db, "rep", "data_owner");
    found(&db, "quarterly", "too_many_admins");
    let id = scalar(&mut db.connect("olga"), "SELECT id FROM leadguard.findings() WHERE finding = 'too_many_admins'");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('auditor', 1, '{audit}')",
    );
    give(&db, "boss", "auditor");
    let mut boss = db.connect("boss");
    let call =
        |status: &str, resolution: &str| format!("SELECT leadguard.resolve_finding({id}, '{status}', '{resolution}')");
    assert_eq!(code(&mut db.connect("olga"), &call("accepted", "x")), "42501", "she is one of them");
    assert_eq!(code(&mut boss, &call("resolved", " ")), "22023");
    assert_eq!(code(&mut boss, &call("gone", "x")), "22023");
    let error = refused(&mut boss, &call("open", "x"), "55000");
    assert!(error.hint().is_some_and(|hint| hint.contains("findings")), "{error:?}");
    accepted(&mut boss, &call("accepted", "for the holidays"));
    assert_eq!(state(&db), "accepted | for the holidays | boss");
    found(&db, "quarterly", "too_many_admins");
    assert_eq!(state(&db), "accepted | for the holidays | boss", "what was accepted stays so");
    accepted(&mut boss, &call("resolved", "done"));
    found(&db, "quarterly", "too_many_admins");
    assert_eq!(state(&db), "open | accepted for the holidays boss, resolved done boss", "it was not");
    assert_eq!(
        scalar(
            &mut boss,
            "SELECT count(*) FROM leadguard.audit_log WHERE action = 'resolve_finding' AND reason = 'done'"
        ),
        "1"
    );
}

#[test]
fn k48_two_reviews_at_once_make_one_finding() {
    let db = lab("at_once");
    give(&db, "rep", "data_owner");
    let (mut one, mut two) = (db.connect("olga"), db.connect("otto"));
    accepted(&mut one, "BEGIN");
    accepted(&mut one, "SELECT count(*) FROM leadguard.audit_run('quarterly')");
    let second = std::thread::spawn(move || {
        accepted(&mut two, "SELECT count(*) FROM leadguard.audit_run('quarterly')");
    });
    accepted(&mut one, "SELECT pg_sleep(0.3)");
    accepted(&mut one, "COMMIT");
    second.join().expect("the second review ends");
    assert_eq!(
        scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.finding WHERE finding = 'too_many_admins'"),
        "1"
    );
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.review"), "2");
}

#[test]
fn k48_reviews_and_findings_are_dumped() {
    let db = lab("dumped");
    give(&db, "rep", "data_owner");
    found(&db, "quarterly", "too_many_admins");
    let file = std::env::temp_dir().join(format!("{}.sql", db.name()));
    let file = file.to_str().expect("a path of text");
    let dump = db.tool("pg_dump", "postgres").args(["-f", file, "-d", db.name()]).output().expect("pg_dump starts");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let target = Db::bare("restored");
    let restore = target
        .tool("psql", "postgres")
        .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", target.name(), "-f", file])
        .output()
        .expect("psql starts");
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    std::fs::remove_file(file).expect("the dump goes");
    let all = "SELECT string_agg(concat_ws(' ', id, finding, subject, status), ',' ORDER BY id) FROM leadguard.finding";
    assert_eq!(scalar(&mut target.admin(), all), scalar(&mut db.admin(), all));
    accepted(&mut target.admin(), "SELECT * FROM leadguard.audit_run('quarterly')");
    assert_eq!(
        scalar(
            &mut target.admin(),
            "SELECT count(*) FROM leadguard.finding WHERE finding = 'unapproved_schema_change'"
        ),
        "0"
    );
}

// The subject of a finding is what it is known by: one that is cut is told from others by a digest.
#[test]
fn k48_findings_with_long_subjects_stay_apart() {
    let db = lab("long_subjects");
    let mut admin = db.admin();
    for key in ["1", "2"] {
        accepted(
            &mut admin,
            &format!(
                "INSERT INTO leadguard.member (key, kind, email) VALUES (repeat('a', 600) || '{key}', 'guest', 'g@x.example');
                 INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'GUEST' FROM leadguard.member WHERE key = repeat('a', 600) || '{key}';
                 SELECT leadguard.share('crm.lead', id::text, repeat('a', 600) || '{key}', 'full') FROM crm.lead ORDER BY id LIMIT 1"
            ),
        );
    }
    accepted(&mut admin, "SELECT leadguard.audit_run('quarterly')");
    let found = "SELECT count(*), max(length(subject)) <= 500 FROM leadguard.findings() WHERE finding = 'rights_beyond_role' AND subject LIKE '%aaaa%'";
    assert_eq!(rows(&mut admin, found), [["2", "t"]]);
}
