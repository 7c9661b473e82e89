//! crm.lead of a DBA who is no member, under sales_hierarchy, in the organization default.

use leadguard_tests::*;

/// olga and otto data_owner; rep nothing; vic view_only; gus a guest; zoe data_owner of another organization, globex.
/// dba is the login that owns crm.lead (id, owner_id, status, tags, custom); rep owns 1 and 2.
pub fn lab(name: &str) -> Db {
    let db = Db::new(name);
    accepted(&mut db.admin(), "INSERT INTO leadguard.organization (key) VALUES ('globex')");
    for (key, kind, role, organization) in [
        ("olga", "person", "data_owner", "default"),
        ("otto", "person", "data_owner", "default"),
        ("rep", "person", "", "default"),
        ("vic", "person", "view_only", "default"),
        ("gus", "guest", "", "default"),
        ("zoe", "person", "data_owner", "globex"),
    ] {
        let login = db.create_role(key);
        accepted(
            &mut db.admin(),
            &format!(
                "INSERT INTO leadguard.member (org_id, key, name, kind, db_role)
                     SELECT id, '{key}', '{key}', '{kind}', '{login}' FROM leadguard.organization WHERE key = '{organization}';
                 INSERT INTO leadguard.member_role (member_id, role) SELECT id, '{role}' FROM leadguard.member WHERE key = '{key}' AND '{role}' <> ''"
            ),
        );
    }
    let dba = db.create_role("dba");
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE SCHEMA crm AUTHORIZATION \"{dba}\";
             GRANT USAGE ON SCHEMA leadguard TO \"{dba}\";
             SET ROLE \"{dba}\";
             CREATE TABLE crm.lead (id bigint PRIMARY KEY, owner_id bigint, status text DEFAULT 'new', tags text[], custom jsonb);
             RESET ROLE;
             INSERT INTO crm.lead (id, owner_id) SELECT n, m.id FROM leadguard.member m, generate_series(1, 2) n WHERE m.key = 'rep'"
        ),
    );
    accepted(
        &mut db.connect("dba"),
        "SELECT leadguard.protect('crm.lead', owner => 'owner_id', archived_at => 'archived_at', archived_by => 'archived_by')",
    );
    db
}

/// What the changelog says of a table's changes, oldest first: "state kind object".
pub fn log(db: &Db) -> Vec<String> {
    rows(
        &mut db.admin(),
        "SELECT concat_ws(' ', state, kind, nullif(object, '')) FROM leadguard.schema_change ORDER BY id",
    )
    .into_iter()
    .map(|row| row[0].clone())
    .collect()
}

/// What a statement of the DBA adds to the changelog.
#[track_caller]
pub fn adds(db: &Db, sql: &str) -> Vec<String> {
    let before = log(db).len();
    accepted(&mut db.connect("dba"), sql);
    log(db).split_off(before)
}

pub fn refuse(db: &Db) {
    accepted(&mut db.connect("dba"), "SELECT leadguard.set_switch('crm.lead', 'schema_changes', 'refuse')");
}

/// rep asks for a change; the number of the request.
#[track_caller]
pub fn asked(db: &Db, change: &str) -> String {
    scalar(
        &mut db.connect("rep"),
        &format!(
            "SELECT leadguard.request_schema_change('crm.lead', '{change}', 'scores are needed', 'marketing', 'routing')"
        ),
    )
}

/// The same, granted by olga.
#[track_caller]
pub fn agreed(db: &Db, change: &str) -> String {
    let id = asked(db, change);
    accepted(&mut db.connect("olga"), &format!("SELECT leadguard.decide_approval({id}, true, 'fine')"));
    id
}
