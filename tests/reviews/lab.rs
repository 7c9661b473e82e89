//! A small organization with a table of leads.

use leadguard_tests::*;

/// olga and otto data_owner (the two administrators), boss above rep and ray, vic view_only and auditor, gus a guest; zoe
/// data_owner and zed, zita ADMIN of another organization, globex. crm.lead under sales_hierarchy: rep owns 1 and 2, ray 3.
pub fn lab(name: &str) -> Db {
    let db = Db::new(name);
    accepted(&mut db.admin(), "INSERT INTO leadguard.organization (key) VALUES ('globex')");
    for (key, kind, role, organization) in [
        ("olga", "person", "data_owner", "default"),
        ("otto", "person", "data_owner", "default"),
        ("boss", "person", "", "default"),
        ("rep", "person", "", "default"),
        ("ray", "person", "", "default"),
        ("vic", "person", "view_only", "default"),
        ("gus", "guest", "", "default"),
        ("zoe", "person", "data_owner", "globex"),
        ("zed", "person", "", "globex"),
    ] {
        join(&db, key, kind, organization);
        if !role.is_empty() {
            give(&db, key, role);
        }
    }
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'boss') WHERE key IN ('rep', 'ray');
         CREATE SCHEMA crm;
         CREATE TABLE crm.lead (id bigint PRIMARY KEY, owner_id bigint, status text);
         INSERT INTO crm.lead (id, owner_id) SELECT n, m.id FROM leadguard.member m JOIN (VALUES (1, 'rep'), (2, 'rep'), (3, 'ray')) r (n, key) USING (key);
         SELECT leadguard.protect('crm.lead', owner => 'owner_id', archived_at => 'archived_at', archived_by => 'archived_by')",
    );
    db
}

/// A member with a login role of the same short name.
pub fn join(db: &Db, key: &str, kind: &str, organization: &str) {
    let login = db.create_role(key);
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.member (org_id, key, name, kind, db_role)
             SELECT id, '{key}', '{key}', '{kind}', '{login}' FROM leadguard.organization WHERE key = '{organization}'"
        ),
    );
}

pub fn give(db: &Db, key: &str, role: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.member_role (member_id, role) SELECT id, '{role}' FROM leadguard.member WHERE key = '{key}'"
        ),
    );
}

/// The subjects of one finding that a review by olga returns.
#[track_caller]
pub fn found(db: &Db, kind: &str, finding: &str) -> Vec<String> {
    rows(
        &mut db.connect("olga"),
        &format!("SELECT subject FROM leadguard.audit_run('{kind}') WHERE finding = '{finding}' ORDER BY 1"),
    )
    .into_iter()
    .map(|row| row[0].clone())
    .collect()
}

/// A quarterly review finds it; after what it suggests, run by a superuser, it finds it no more.
#[track_caller]
pub fn found_until_solved(db: &Db, finding: &str, subjects: &[&str]) {
    solved_by(db, &mut db.admin(), finding, subjects);
}

/// The same by somebody else.
#[track_caller]
pub fn solved_by(db: &Db, solver: &mut Client, finding: &str, subjects: &[&str]) {
    assert_eq!(found(db, "quarterly", finding), subjects, "{finding}");
    let suggestions = rows(
        &mut db.connect("olga"),
        &format!("SELECT suggestion FROM leadguard.findings() WHERE finding = '{finding}' ORDER BY subject"),
    );
    for suggestion in suggestions {
        accepted(solver, &suggestion[0]);
    }
    assert_eq!(found(db, "quarterly", finding), [""; 0], "{finding} is solved");
    assert_eq!(
        ids(
            &mut db.connect("olga"),
            &format!(
                "SELECT DISTINCT status || ': ' || resolution FROM leadguard.findings(NULL) WHERE finding = '{finding}'"
            )
        ),
        std::collections::BTreeSet::from(["resolved: no longer found".to_owned()])
    );
}
