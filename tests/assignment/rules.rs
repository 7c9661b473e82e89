//! Who sets rules, and which can work.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k38_who_sets_rules() {
    let db = lab("rules_who");
    let set = |action: &str| format!("SELECT leadguard.set_assignment_rule('crm.lead', 'r', 1, '[]', '{action}')");
    let good = set(r#"{"owner": "rita"}"#);
    for who in ["rita", "mona", "ivy", "gus", "vic", "zed"] {
        let mut c = db.connect(who);
        refused(&mut c, &good, "42501");
        refused(&mut c, "SELECT leadguard.drop_assignment_rule('crm.lead', 'r')", "42501");
        refused(&mut c, "SELECT leadguard.set_handoff_step('crm.lead', 's')", "42501");
        let error = refused(&mut c, "SELECT leadguard.set_routing('crm.lead', true)", "42501");
        assert!(error.message().starts_with("set_routing"), "{}", error.message());
        refused(
            &mut c,
            "INSERT INTO leadguard.assignment_rule (org_id, target, name, position, kind, owner_id) VALUES (1, 'crm.lead', 'x', 1, 'owner', 1)",
            "42501",
        );
        refused(&mut c, "SELECT * FROM leadguard.assignment_rule", "42501");
        assert!(rows(&mut c, "SELECT FROM leadguard.assignment_rules").is_empty());
    }
    accepted(&mut db.connect("dora"), &good);
    accepted(&mut db.admin(), &set(r#"{"owner": "rob"}"#));
    let shown = rows(&mut db.connect("dora"), "SELECT position, name, owner FROM leadguard.assignment_rules");
    assert_eq!(shown, [["1", "r", "rob"]], "one of a name");
    assert_eq!(scalar(&mut db.connect("dora"), "SELECT leadguard.drop_assignment_rule('crm.lead', 'r')"), "t");
    assert_eq!(scalar(&mut db.connect("dora"), "SELECT leadguard.drop_assignment_rule('crm.lead', 'r')"), "f");
    assert_eq!(logged(&db, "set_assignment_rule"), "2");
}

#[test]
fn k38_a_rule_that_cannot_work_is_none() {
    let db = lab("rules_wrong");
    let mut dora = db.connect("dora");
    let owner = r#"{"owner": "rita"}"#;
    for (condition, action, code) in [
        (r#"[{"column": "nothing", "is": 1}]"#, owner, "42703"),
        (r#"[{"column": "size", "is": "many"}]"#, owner, "22P02"),
        (r#"[{"column": "extra", "is": "{}"}]"#, owner, "22023"),
        (r#"[{"column": "size"}]"#, owner, "22023"),
        (r#"[{"column": "size", "like": "x"}]"#, owner, "22023"),
        (r#"[{"sql": "true"}]"#, owner, "22023"),
        (r#""size > 1""#, owner, "22023"),
        (r#"[{"territory": "mars"}]"#, owner, "22023"),
        (r#"[{"segment": "x"}]"#, owner, "22023"),
        (r#"[{"column": "size", "in": []}]"#, owner, "22023"),
        ("[]", r#"{"owner": "nobody"}"#, "22023"),
        ("[]", r#"{"owner": "zed"}"#, "22023"),
        ("[]", r#"{"owner": "gus"}"#, "22023"),
        ("[]", r#"{"pool": []}"#, "22023"),
        ("[]", r#"{"pool": ["rita", "rita"]}"#, "22023"),
        ("[]", r#"{"pool": [{"member": "rita", "capacity": 0}]}"#, "22023"),
        ("[]", r#"{"owner": "rita", "pool": ["rob"]}"#, "22023"),
        ("[]", r#"{"territory_column": "size"}"#, "22023"),
        ("[]", r#"{"territory_column": "nothing"}"#, "42703"),
        ("[]", "{}", "22023"),
        ("[]", r#"{"sql": "x"}"#, "22023"),
    ] {
        let sql = format!("SELECT leadguard.set_assignment_rule('crm.lead', 'r', 1, '{condition}', '{action}')");
        refused(&mut dora, &sql, code);
    }
    for sql in [
        "SELECT leadguard.set_assignment_rule('crm.lead', '', 1, '[]', '{\"owner\": \"rita\"}')",
        "SELECT leadguard.set_assignment_rule('crm.lead', 'r', NULL, '[]', '{\"owner\": \"rita\"}')",
        "SELECT leadguard.set_assignment_rule('crm.lead', 'r', 1, '[]', NULL)",
        "SELECT leadguard.set_assignment_rule(NULL, 'r', 1, '[]', '{\"owner\": \"rita\"}')",
        "SELECT leadguard.set_assignment_rule('pg_class', 'r', 1, '[]', '{\"owner\": \"rita\"}')",
    ] {
        refused(&mut dora, sql, "22023");
    }
    rule(
        &db,
        "quotes",
        1,
        r#"[{"column": "name", "is": "a''); DROP TABLE crm.lead; --"}, {"column": "extra", "is_null": true}]"#,
        owner,
    );
    rule(&db, "rest", 2, "[]", r#"{"owner": "rob"}"#);
    switch(&db, "routing", "insert");
    accepted(&mut db.connect("ivy"), "INSERT INTO crm.lead (name) VALUES ('a''); DROP TABLE crm.lead; --'), ('b')");
    assert_eq!(owners(&db), "rita rob");
    // A column that is gone is met by nothing, and stops nobody.
    accepted(&mut db.admin(), "ALTER TABLE crm.lead DROP COLUMN extra");
    accepted(&mut db.connect("ivy"), "INSERT INTO crm.lead (name) VALUES ('a''); DROP TABLE crm.lead; --')");
    assert_eq!(owners(&db), "rita rob rob");
    accepted(&mut dora, "SELECT * FROM leadguard.route('crm.lead', '1')");
}

#[test]
fn k38_a_dump_keeps_rules_and_steps() {
    let db = lab("rules_dump");
    reps_in_turn(&db);
    accepted(
        &mut db.connect("dora"),
        "SELECT leadguard.set_handoff_step('crm.lead', 'accept', 'new', 'sdr', 'accepted', 'account_executive')",
    );
    accepted(&mut db.connect("ivy"), "INSERT INTO crm.lead (name) VALUES ('x')");
    let dumped = db.tool("pg_dump", "postgres").args(["-Fc", "-d", db.name()]).output().expect("pg_dump");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let copy = Db::bare("rules_restored");
    let file = std::env::temp_dir().join(format!("{}.dump", copy.name()));
    std::fs::write(&file, &dumped.stdout).expect("the dump is written");
    let restored = db
        .tool("pg_restore", "postgres")
        .args(["--exit-on-error", "-d", copy.name()])
        .arg(&file)
        .output()
        .expect("pg_restore");
    let _ = std::fs::remove_file(&file);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    for sql in [
        "SELECT name, kind, turn FROM leadguard.assignment_rule",
        "SELECT count(*), sum(assigned) FROM leadguard.assignment_pool",
        "SELECT name, from_stage, to_role FROM leadguard.handoff_step",
        "SELECT kind, record FROM leadguard.notification",
    ] {
        assert_eq!(rows(&mut copy.admin(), sql), rows(&mut db.admin(), sql), "{sql}");
    }
}
