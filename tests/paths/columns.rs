//! The types a table may use: owners and territories by id or by key, record ids of four types.

use leadguard_tests::*;

const BOSS: &str = "b0000000-0000-4000-8000-000000000001";
const REP: &str = "b0000000-0000-4000-8000-000000000002";
const PEER: &str = "b0000000-0000-4000-8000-000000000003";
const TARA: &str = "b0000000-0000-4000-8000-000000000004";
const ROOT: &str = "b0000000-0000-4000-8000-000000000005";
const NORTH: &str = "a0000000-0000-4000-8000-000000000001";
const SOUTH: &str = "a0000000-0000-4000-8000-000000000002";

/// Members and territories whose keys are UUIDs, so that one cast serves every type of column:
/// boss > rep; peer; tara owns north > south; root is administrator.
fn cast(db: &Db) {
    let mut admin = db.admin();
    for (short, key, manager) in
        [("boss", BOSS, ""), ("rep", REP, BOSS), ("peer", PEER, ""), ("tara", TARA, ""), ("root", ROOT, "")]
    {
        let role = db.create_role(short);
        accepted(
            &mut admin,
            &format!(
                "INSERT INTO leadguard.member (key, name, db_role, manager_id)
                 VALUES ('{key}', '{short}', '{role}', (SELECT id FROM leadguard.member WHERE key = '{manager}'))"
            ),
        );
    }
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = '{ROOT}';
             INSERT INTO leadguard.territory (key, name, owner_id) SELECT '{NORTH}', 'North', id FROM leadguard.member WHERE key = '{TARA}';
             INSERT INTO leadguard.territory (key, name, parent_id) SELECT '{SOUTH}', 'South', id FROM leadguard.territory WHERE key = '{NORTH}'"
        ),
    );
}

/// How a column of this type names a row of the directory table `m`.
fn reference(kind: &str, alias: &str) -> String {
    if kind.starts_with("int") { format!("{alias}.id::{kind}") } else { format!("{alias}.key::{kind}") }
}

/// Three records: 1 owned by rep, 2 owned by peer in south, 3 owned by nobody.
fn table(admin: &mut Client, id_kind: &str, owner_kind: &str, territory_kind: &str) -> [String; 3] {
    let id = |n: u8| match id_kind {
        "uuid" => format!("c0000000-0000-4000-8000-00000000000{n}"),
        "text" => format!("L-{n} ÄÖ%s"),
        _ => n.to_string(),
    };
    let values = [(1, REP, ""), (2, PEER, SOUTH), (3, "", "")]
        .map(|(n, o, t)| format!("('{}', '{o}', '{t}')", id(n)))
        .join(", ");
    accepted(
        admin,
        &format!(
            "CREATE SCHEMA crm;
             CREATE TABLE crm.t (id {id_kind} PRIMARY KEY, owner {owner_kind}, territory {territory_kind}, name text);
             INSERT INTO crm.t
             SELECT v.id::{id_kind}, {}, {}, 'n' FROM (VALUES {values}) AS v (id, owner, territory)
             LEFT JOIN leadguard.member AS m ON m.key = v.owner LEFT JOIN leadguard.territory AS t ON t.key = v.territory;
             SELECT leadguard.protect('crm.t', id => 'id', owner => 'owner', territory => 'territory')",
            reference(owner_kind, "m"),
            reference(territory_kind, "t"),
        ),
    );
    [id(1), id(2), id(3)]
}

/// The same story for every combination of types.
fn story(db: &Db, id_kind: &str, owner_kind: &str, territory_kind: &str) {
    let label = format!("id {id_kind}, owner {owner_kind}, territory {territory_kind}");
    let mut admin = db.admin();
    let [one, two, three] = table(&mut admin, id_kind, owner_kind, territory_kind);
    let all = "SELECT id FROM crm.t";
    let sees = |who: &str, expected: &[&String]| {
        let expected = expected.iter().map(|s| s.to_string()).collect();
        assert_eq!(ids(&mut db.connect(who), all), expected, "{who}: {label}");
    };
    sees("rep", &[&one]);
    sees("boss", &[&one]);
    sees("peer", &[&two]);
    sees("tara", &[&two]);
    sees("root", &[&one, &two, &three]);
    let (mut rep, mut boss, mut peer) = (db.connect("rep"), db.connect("boss"), db.connect("peer"));
    assert_eq!(level_in(&mut db.connect("tara"), "crm.t", &two), "edit", "{label}");
    assert_eq!(level_in(&mut boss, "crm.t", &one), "full", "{label}");

    accepted(&mut peer, &format!("SELECT leadguard.share('crm.t', '{two}', '{REP}', 'read')"));
    assert_eq!(level_in(&mut rep, "crm.t", &two), "read", "{label}");
    accepted(&mut peer, &format!("SELECT leadguard.team_add('crm.t', '{two}', '{REP}', 'edit')"));
    assert_eq!(level_in(&mut boss, "crm.t", &two), "edit", "{label}");
    accepted(
        &mut peer,
        &format!(
            "SELECT leadguard.team_remove('crm.t', '{two}', '{REP}'), leadguard.unshare('crm.t', '{two}', '{REP}')"
        ),
    );
    sees("boss", &[&one]);

    let created = if id_kind == "uuid" { "c0000000-0000-4000-8000-00000000000f" } else { "77" };
    let owner = scalar(&mut rep, &format!("INSERT INTO crm.t (id, name) VALUES ('{created}', 'n') RETURNING owner"));
    let me = reference(owner_kind, "m");
    assert_eq!(
        owner,
        scalar(&mut admin, &format!("SELECT {me} FROM leadguard.member AS m WHERE key = '{REP}'")),
        "{label}"
    );
    accepted(
        &mut rep,
        &format!("SELECT leadguard.reassign('crm.t', '{created}', owner => '{PEER}', territory => '{NORTH}')"),
    );
    let created = created.to_string();
    sees("rep", &[&one]);
    sees("peer", &[&two, &created]);
    sees("tara", &[&two, &created]);
    let can = rows(
        &mut db.connect("root"),
        &format!("SELECT member, level FROM leadguard.who_can('read', 'crm.t', '{created}')"),
    );
    assert!(can.len() >= 3, "{label}: {can:?}");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.t'); DROP SCHEMA crm CASCADE");
}

#[test]
fn owner_columns_by_id_and_by_key() {
    let db = Db::new("owner_types");
    cast(&db);
    for owner in ["int2", "int4", "int8", "text", "varchar", "uuid"] {
        story(&db, "int8", owner, "int8");
    }
}

#[test]
fn territory_columns_by_id_and_by_key() {
    let db = Db::new("territory_types");
    cast(&db);
    for territory in ["int2", "int4", "text", "varchar", "uuid"] {
        story(&db, "int8", "int8", territory);
    }
}

#[test]
fn record_ids_of_every_type() {
    let db = Db::new("id_types");
    cast(&db);
    for id in ["int4", "int8", "uuid", "text"] {
        story(&db, id, "int8", "int8");
        story(&db, id, "text", "text");
    }
}

#[test]
fn a_record_is_named_by_its_value_not_by_its_spelling() {
    let db = Db::new("id_spelling");
    cast(&db);
    let mut admin = db.admin();
    let [_, two, _] = table(&mut admin, "uuid", "int8", "int8");
    let spelled = two.to_uppercase();
    accepted(&mut db.connect("peer"), &format!("SELECT leadguard.share('crm.t', '{spelled}', '{REP}', 'read')"));
    let mut rep = db.connect("rep");
    assert_eq!(level_in(&mut rep, "crm.t", &two), "read");
    assert_eq!(scalar(&mut rep, &format!("SELECT leadguard.can('read', 'crm.t', '{spelled}')")), "t");
    accepted(&mut db.connect("peer"), &format!("SELECT leadguard.unshare('crm.t', '{{{spelled}}}', '{REP}')"));
    assert_eq!(level_in(&mut rep, "crm.t", &two), "none");
}

#[test]
fn owners_that_name_nobody_give_access_to_nobody() {
    let db = Db::new("owner_unknown");
    cast(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE SCHEMA crm;
         CREATE TABLE crm.by_id (id int PRIMARY KEY, owner int8, name text);
         INSERT INTO crm.by_id VALUES (1, 0), (2, -1), (3, 9223372036854775807), (4, -9223372036854775808), (5, 999999), (6, NULL);
         CREATE TABLE crm.by_key (id int PRIMARY KEY, owner text, name text);
         INSERT INTO crm.by_key VALUES (1, ''), (2, 'nobody'), (3, '1'), (4, NULL), (5, repeat('x', 10000)), (6, '%');
         SELECT leadguard.protect('crm.by_id', id => 'id', owner => 'owner'), leadguard.protect('crm.by_key', id => 'id', owner => 'owner')",
    );
    for who in ["boss", "rep", "tara"] {
        assert_eq!(ids(&mut db.connect(who), "SELECT id FROM crm.by_id"), set(""), "{who}");
        assert_eq!(ids(&mut db.connect(who), "SELECT id FROM crm.by_key"), set(""), "{who}");
    }
    let mut root = db.connect("root");
    assert_eq!(ids(&mut root, "SELECT id FROM crm.by_id").len(), 6);
    assert_eq!(ids(&mut root, "SELECT id FROM crm.by_key").len(), 6);
    accepted(&mut admin, &format!("UPDATE crm.by_key SET owner = '{REP}' WHERE id = 2"));
    assert_eq!(ids(&mut db.connect("boss"), "SELECT id FROM crm.by_key"), set("2"));
}
