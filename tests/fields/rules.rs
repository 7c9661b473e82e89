//! What the tests of managing field rules share: the cast, a lead table with more columns, people with roles.

use leadguard_tests::*;

/// `org` with columns that rules are about. alice sells, carl markets, mona is data owner; olga is the data owner of
/// another organization, bot a system; analyst is a reading login that stands for mona.
pub fn company(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    let (olga, bot, analyst) = (db.create_role("olga"), db.create_role("bot"), db.create_role("analyst"));
    accepted(
        &mut db.admin(),
        &format!(
            "ALTER TABLE crm.lead ADD source text, ADD score integer, ADD attrs jsonb, ADD stage text, ADD tags text[],
                 ADD doubled integer GENERATED ALWAYS AS (score * 2) STORED, ADD \"weird,\"\"na.me\" text;
             INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
             INSERT INTO leadguard.member (org_id, key, name, db_role)
             SELECT id, 'olga', 'Olga', '{olga}' FROM leadguard.organization WHERE key = 'globex';
             INSERT INTO leadguard.member (key, name, kind, db_role, manager_id)
             SELECT 'bot', 'Bot', 'system', '{bot}', NULL;
             INSERT INTO leadguard.member_role (member_id, role)
             SELECT m.id, r.role FROM (VALUES ('mona', 'data_owner'), ('olga', 'data_owner'), ('alice', 'sales'),
                 ('carl', 'marketing'), ('bot', 'system')) AS r (key, role) JOIN leadguard.member m ON m.key = r.key;
             SELECT leadguard.analyst('{analyst}', 'mona');
             SELECT leadguard.share('crm.lead', '1', 'bot', 'edit')"
        ),
    );
    db
}

/// Cells of a version as "field role access" lines.
pub fn cells(client: &mut Client, version: i32) -> Vec<String> {
    rows(
        client,
        &format!(
            "SELECT concat_ws(' ', field, role, access) FROM leadguard.field_cells
             WHERE target = 'crm.lead'::regclass AND version = {version} ORDER BY field, role"
        ),
    )
    .into_iter()
    .map(|mut row| row.remove(0))
    .collect()
}
