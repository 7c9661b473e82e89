//! Two companies under the roles of the preset organization, with a table each and one that they share.

use leadguard_tests::{Client, Db, accepted, scalar};

/// Login roles, each of which is the member of the same key.
const PEOPLE: [&str; 12] =
    ["owner", "adm", "adm2", "mem", "mem2", "guest", "hr", "giver", "root", "gina", "gus", "gabi"];

/// `default`: owner (Owner), adm and adm2 (Admin), mem and mem2 (Member), guest, hr (rank 60, manage_members),
/// giver (rank 80, manage_roles), root (administrator). `globex`: gina (Owner), gus (Member), gabi (administrator).
pub fn companies(name: &str) -> Db {
    let db = Db::new(name);
    for key in PEOPLE {
        db.create_role(key);
    }
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
         INSERT INTO leadguard.member (org_id, key, name, kind, db_role)
         SELECT o.id, p.key, initcap(p.key), CASE p.key WHEN 'guest' THEN 'guest' ELSE 'person' END, current_database() || '_' || p.key
         FROM (VALUES ('default', '{owner,adm,adm2,mem,mem2,guest,hr,giver,root}'::text[]), ('globex', '{gina,gus,gabi}')) AS c (org, keys)
         JOIN leadguard.organization o ON o.key = c.org CROSS JOIN LATERAL unnest(c.keys) AS p (key);
         INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES
             ('hr', 1, 60, '{manage_members}'), ('giver', 1, 80, '{manage_roles}'),
             ('spy', 1, 0, '{audit}'), ('helper', 1, 5, '{manage_members}'), ('dead weight', 1, 5, '{}');
         INSERT INTO leadguard.member_role (member_id, role)
         SELECT m.id, r.role FROM leadguard.member m
         JOIN (VALUES ('owner', 'Owner'), ('adm', 'Admin'), ('adm2', 'Admin'), ('mem', 'Member'), ('mem2', 'Member'), ('hr', 'hr'),
                      ('giver', 'giver'), ('root', 'administrator'), ('gina', 'Owner'), ('gus', 'Member'), ('gabi', 'administrator'))
              AS r (key, role) ON r.key = m.key;
         CREATE SCHEMA crm;
         CREATE TABLE crm.item (id bigint PRIMARY KEY, owner_id bigint, title text);
         CREATE TABLE crm.shared (id bigint PRIMARY KEY, owner text, org text, title text);
         CREATE TABLE crm.theirs (id bigint PRIMARY KEY, owner_id int, title text);
         SELECT leadguard.protect('crm.item', id => 'id', owner => 'owner_id', archived_at => 'archived_at');
         SELECT leadguard.protect('crm.shared', id => 'id', owner => 'owner', organization => 'org', archived_at => 'archived_at');
         SELECT leadguard.protect('crm.theirs', id => 'id', owner => 'owner_id', org_key => 'globex', archived_at => 'archived_at')",
    );
    db
}

/// Owners cannot leave records of this table behind.
pub fn owners_stay(admin: &mut Client, table: &str) {
    accepted(admin, &format!("INSERT INTO leadguard.table_switch VALUES ('{table}', 'owners_stay', '', 'on')"));
}

/// An expression for the id of a member, for superusers: others see too few.
pub fn id(admin: &mut Client, key: &str) -> String {
    scalar(admin, &format!("SELECT id FROM leadguard.member WHERE key = '{key}'"))
}

pub fn give(admin: &mut Client, key: &str, role: &str) -> String {
    format!("INSERT INTO leadguard.member_role (member_id, role) VALUES ({}, '{role}')", id(admin, key))
}

pub fn take(admin: &mut Client, key: &str, role: &str) -> String {
    format!("DELETE FROM leadguard.member_role WHERE member_id = {} AND role = '{role}'", id(admin, key))
}

pub fn organization(admin: &mut Client, key: &str) -> String {
    scalar(admin, &format!("SELECT id FROM leadguard.organization WHERE key = '{key}'"))
}

/// A tree of three members and of two territories, a team, and a role of the organization's own.
pub struct Company<'a> {
    pub org: &'a str,
    pub people: [&'a str; 3],
    pub prefix: &'a str,
}

pub fn company(db: &Db, of: &Company) {
    let mut admin = db.admin();
    let org = organization(&mut admin, of.org);
    let [top, middle, last] = of.people.map(|key| id(&mut admin, key));
    let p = of.prefix;
    accepted(
        &mut admin,
        &format!(
            "UPDATE leadguard.member SET manager_id = {top} WHERE id = {middle};
             UPDATE leadguard.member SET manager_id = {middle} WHERE id = {last};
             INSERT INTO leadguard.territory (org_id, key, owner_id) VALUES ({org}, '{p}-world', {top});
             INSERT INTO leadguard.territory (org_id, key, parent_id)
                 SELECT {org}, '{p}-west', id FROM leadguard.territory WHERE key = '{p}-world';
             INSERT INTO leadguard.territory_member SELECT id, {last} FROM leadguard.territory WHERE key = '{p}-west';
             INSERT INTO leadguard.team (org_id, key) VALUES ({org}, '{p}-team');
             INSERT INTO leadguard.team_member (team_id, member_id) SELECT id, {last} FROM leadguard.team WHERE key = '{p}-team';
             INSERT INTO leadguard.role (org_id, name) VALUES ({org}, '{p}-role');
             INSERT INTO leadguard.member_role (member_id, role) VALUES ({middle}, '{p}-role')"
        ),
    );
}
