//! What is known of people survives a merger of organizations and a dump.

use crate::lab::{decision_site, people};
use leadguard_tests::{Db, accepted, rows, scalar};

fn company(name: &str) -> Db {
    let db = decision_site(name);
    accepted(&mut db.admin(), "INSERT INTO leadguard.organization (key, third_admin) VALUES ('globex', 'refuse')");
    people(&db, "zoe, xena");
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'globex') WHERE key IN ('zoe', 'xena');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'ADMIN' FROM leadguard.member WHERE key = 'zoe'",
    );
    accepted(
        &mut db.connect("ada"),
        "INSERT INTO leadguard.job_function (name, role) VALUES ('sales rep', 'CREATOR');
         INSERT INTO leadguard.member_function (member_id, job_function) SELECT id, 'sales rep' FROM leadguard.member WHERE key = 'cara';
         SELECT * FROM leadguard.offboard_plan('curt', current_date);
         SELECT leadguard.review_guest('gus', 'keep', 'x')",
    );
    accepted(&mut db.connect("cara"), "SELECT leadguard.delegate('cora', now() + interval '1 day', 'edit', 'x')");
    let id = scalar(&mut db.connect("cole"), "SELECT leadguard.request_access('crm.site', '1', 'read', 'x')");
    accepted(&mut db.connect("cara"), &format!("SELECT leadguard.decide_approval({id}, true)"));
    accepted(
        &mut db.connect("zoe"),
        "INSERT INTO leadguard.job_function (name, role) VALUES ('sales rep', 'GUEST'), ('clerk', 'COLLABORATOR');
         INSERT INTO leadguard.member_function (member_id, job_function)
         SELECT id, CASE key WHEN 'zoe' THEN 'sales rep' ELSE 'clerk' END FROM leadguard.member WHERE key IN ('zoe', 'xena');
         SELECT * FROM leadguard.offboard_plan('xena', current_date)",
    );
    db
}

#[test]
fn d27_a_merger_takes_jobs_and_plans_along() {
    let db = company("people_merger");
    accepted(&mut db.admin(), "SELECT leadguard.merge_organization('globex', 'default', 'acquired')");
    let mut ada = db.connect("ada");
    assert_eq!(
        rows(&mut ada, "SELECT name, role FROM leadguard.job_function ORDER BY 1"),
        [["clerk", "COLLABORATOR"], ["sales rep", "CREATOR"]]
    );
    assert_eq!(
        rows(
            &mut ada,
            "SELECT m.key, f.job_function FROM leadguard.member_function f JOIN leadguard.member m ON m.id = f.member_id ORDER BY 1"
        ),
        [["cara", "sales rep"], ["xena", "clerk"], ["zoe", "sales rep"]]
    );
    assert_eq!(scalar(&mut ada, "SELECT count(*) FROM leadguard.offboarding"), "2");
    assert_eq!(
        rows(&mut ada, "SELECT member, beyond FROM leadguard.job_deviations() ORDER BY 1"),
        [["xena", "{}"], ["zoe", "{ADMIN}"]]
    );
}

#[test]
fn d27_who_goes_to_another_organization_leaves_the_job_behind() {
    let db = company("people_moves");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.organization (key) VALUES ('third'); DELETE FROM leadguard.member_role r USING leadguard.member m WHERE m.id = r.member_id AND m.key = 'xena'; UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'third') WHERE key = 'xena'",
    );
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT count(*) FROM leadguard.member_function f JOIN leadguard.member m ON m.id = f.member_id WHERE m.key = 'xena'"
        ),
        "0"
    );
}

#[test]
fn a_dump_brings_it_back() {
    let db = company("people_dump");
    let file = std::env::temp_dir().join(format!("{}.dump", db.name()));
    let copy = Db::bare("people_copy");
    for (tool, name, target) in [("pg_dump", db.name(), "-f"), ("pg_restore", copy.name(), "")] {
        let mut command = db.tool(tool, "postgres");
        command.args(["-d", name]);
        if target.is_empty() {
            command.arg(&file)
        } else {
            command.args(["-F", "c", target]).arg(&file)
        };
        let output = command.output().expect("the program runs");
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let _ = std::fs::remove_file(&file);
    for table in [
        "job_function",
        "member_function",
        "offboarding",
        "delegation",
        "guest_review",
        "record_grant",
        "member_role",
        "organization",
        "notification",
        "approval",
    ] {
        let sql = format!("SELECT t::text FROM leadguard.{table} t ORDER BY 1");
        let found = rows(&mut copy.admin(), &sql);
        assert_eq!(found, rows(&mut db.admin(), &sql), "{table}");
        assert!(!found.is_empty(), "{table}");
    }
}
