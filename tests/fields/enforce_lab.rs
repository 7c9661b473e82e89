//! Leads with columns of several owners. Alice sells, her manager mona does marketing, vp above both has no role,
//! bot scores, admin administers.

use leadguard_tests::*;

const COLUMNS: &str = "
    ALTER TABLE crm.lead ADD COLUMN source text, ADD COLUMN stage text DEFAULT 'new', ADD COLUMN lead_score integer,
        ADD COLUMN attrs jsonb, ADD COLUMN tags text[], ADD COLUMN lost_reason text;
    UPDATE crm.lead SET source = 'web', lead_score = 10, attrs = '{\"size\": 5, \"budget\": 100}', tags = '{source:web,persona:cto}';
    INSERT INTO leadguard.member_role (member_id, role)
    SELECT m.id, r.role FROM (VALUES ('alice', 'sales'), ('carl', 'sales'), ('mona', 'marketing')) AS r (key, role)
    JOIN leadguard.member AS m ON m.key = r.key;";

/// The cells of source 000: source by marketing, stage by sales, the score by machines.
pub const STORY: [(&str, &str, &str); 7] = [
    ("source", "marketing", "owner"),
    ("source", "sales", "read-only"),
    ("stage", "sales", "owner"),
    ("lead_score", "system", "owner"),
    ("attrs", "sales", "editor"),
    ("attrs.size", "sales", "owner"),
    ("attrs.budget", "marketing", "owner"),
];

pub fn lab(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    let mut admin = db.admin();
    accepted(&mut admin, COLUMNS);
    enlist(&db, "bot", "");
    accepted(
        &mut admin,
        "UPDATE leadguard.member SET kind = 'system' WHERE key = 'bot';
         INSERT INTO leadguard.member_role (member_id, role)
         SELECT id, role FROM leadguard.member, unnest(ARRAY['system', 'administrator']) AS r (role) WHERE key = 'bot'",
    );
    db
}

/// A lab under the rules of the story.
pub fn story(name: &str) -> Db {
    let db = lab(name);
    matrix(&mut db.admin(), "crm.lead", &STORY);
    db
}

/// Makes these cells the active matrix of a table.
pub fn matrix(admin: &mut Client, target: &str, cells: &[(&str, &str, &str)]) {
    let mut sql = format!(
        "BEGIN; DELETE FROM leadguard.field_version WHERE target = '{target}'::regclass;
         INSERT INTO leadguard.field_version (target, version, state, activated_at) VALUES ('{target}', 1, 'active', now());"
    );
    for (field, role, access) in cells {
        let (column, key) = field.split_once('.').unwrap_or((field, ""));
        sql += &format!(
            "INSERT INTO leadguard.field_rule (version_id, column_name, key, attnum, role, access)
             SELECT v.id, '{column}', '{key}', {}, '{role}', '{access}'
             FROM leadguard.field_version v WHERE v.target = '{target}'::regclass AND v.state = 'active';",
            number(target, column)
        );
    }
    accepted(admin, &(sql + "COMMIT"));
}

fn number(target: &str, column: &str) -> String {
    format!("(SELECT attnum FROM pg_attribute WHERE attrelid = '{target}'::regclass AND attname = '{column}')")
}

pub fn valid_values(admin: &mut Client, target: &str, field: &str, values: &[&str]) {
    let (column, key) = field.split_once('.').unwrap_or((field, ""));
    for value in values {
        accepted(
            admin,
            &format!(
                "INSERT INTO leadguard.field_value (target, column_name, key, attnum, value)
                 VALUES ('{target}', '{column}', '{key}', {}, '{value}')",
                number(target, column)
            ),
        );
    }
}

/// `from` empty: a new row. `role` empty: every role.
pub fn transition(admin: &mut Client, target: &str, column: &str, from: &str, to: &str, role: &str, condition: &str) {
    accepted(
        admin,
        &format!(
            "INSERT INTO leadguard.field_transition (target, column_name, attnum, from_value, to_value, role, condition)
             VALUES ('{target}', '{column}', {}, nullif('{from}', ''), '{to}', nullif('{role}', ''), '{condition}')",
            number(target, column)
        ),
    );
}

pub fn tags(admin: &mut Client, target: &str, column: &str, namespaces: &[(&str, &str)]) {
    accepted(
        admin,
        &format!(
            "INSERT INTO leadguard.tag_column (target, column_name, attnum) VALUES ('{target}', '{column}', {})",
            number(target, column)
        ),
    );
    for (namespace, role) in namespaces {
        accepted(
            admin,
            &format!(
                "INSERT INTO leadguard.tag_namespace (target, namespace, role) VALUES ('{target}', '{namespace}', '{role}')"
            ),
        );
    }
}

/// What the fields of a lead are now, for a superuser.
pub fn lead(admin: &mut Client, id: i64) -> String {
    scalar(admin, &format!("SELECT to_jsonb(l) FROM crm.lead l WHERE id = {id}"))
}

/// All leads in one text: what a refused statement must leave as it is.
pub fn all(admin: &mut Client) -> String {
    scalar(admin, "SELECT string_agg(to_jsonb(l)::text, E'\n' ORDER BY id) FROM crm.lead l")
}
