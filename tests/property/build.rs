//! Writes a generated world into a test database, and the SQL of single rows that the edits use as well.

use crate::world::*;
use leadguard_tests::{Client, Db, accepted};

pub fn login(number: usize) -> String {
    format!("p{number}")
}

/// Everything of `world` into an empty test database; `admin` is a superuser.
pub fn build(db: &Db, admin: &mut Client, world: &World) {
    for number in 0..LOGINS + ANALYSTS {
        db.create_role(&login(number));
    }
    db.create_role("app");
    directory(db, admin, world);
    accepted(admin, "CREATE SCHEMA crm; GRANT USAGE ON SCHEMA crm TO PUBLIC");
    for (at, table) in world.tables.iter().enumerate() {
        create(admin, world, table);
        let records: Vec<String> = table.records.keys().cloned().collect();
        let (before, after) = records.split_at(records.len() / 2);
        for id in before {
            accepted(admin, &insert_record(table, id));
        }
        accepted(admin, &protect(world, table));
        for id in after {
            accepted(admin, &insert_record(table, id));
        }
        for grant in &table.grants {
            accepted(admin, &insert_grant(world, table, grant));
        }
        for scope in scopes(world, at) {
            accepted(admin, &scope);
        }
    }
    // Row security is what is tested; privileges on tables have their own tests.
    accepted(admin, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA crm TO PUBLIC; ANALYZE");
    accepted(admin, &format!("SELECT leadguard.connector({}, 'trusted')", literal(&db.role("app"))));
}

fn directory(db: &Db, admin: &mut Client, world: &World) {
    for (id, key) in world.orgs.iter().filter(|(id, _)| *id != 1) {
        accepted(admin, &format!("INSERT INTO leadguard.organization (id, key) VALUES ({id}, {})", literal(key)));
    }
    for (org, name) in world.roles.keys() {
        accepted(admin, &insert_role(world, *org, name));
    }
    for (org, _) in &world.orgs {
        // One statement per organization: managers come before and after those they manage.
        let members: Vec<i64> = world.members_of(*org).into_iter().rev().collect();
        let rows: Vec<String> = members.iter().map(|id| member_row(db, world, *id)).collect();
        accepted(admin, &format!("{MEMBER_INSERT} {}", rows.join(", ")));
        let rows: Vec<String> =
            world.territories_of(*org).into_iter().rev().map(|id| territory_row(world, id)).collect();
        accepted(admin, &format!("{TERRITORY_INSERT} {}", rows.join(", ")));
    }
    for (id, team) in &world.teams {
        accepted(
            admin,
            &format!(
                "INSERT INTO leadguard.team (id, org_id, key, access) VALUES ({id}, {}, {}, '{}')",
                team.org,
                literal(&team.key),
                team.access
            ),
        );
        for member in &team.members {
            accepted(admin, &format!("INSERT INTO leadguard.team_member (team_id, member_id) VALUES ({id}, {member})"));
        }
    }
    for (id, territory) in &world.territories {
        for member in &territory.members {
            accepted(
                admin,
                &format!("INSERT INTO leadguard.territory_member (territory_id, member_id) VALUES ({id}, {member})"),
            );
        }
    }
    for (id, member) in &world.members {
        for role in &member.roles {
            accepted(admin, &insert_member_role(*id, role));
        }
    }
    for number in LOGINS..LOGINS + ANALYSTS {
        if let Some(member) = world.logins[number] {
            let (role, key) = (literal(&db.role(&login(number))), literal(&world.members[&member].key));
            accepted(admin, &format!("SELECT leadguard.analyst({role}, {key})"));
        }
    }
    for org in &world.open {
        accepted(admin, &open_view(*org, true));
    }
}

pub fn open_view(org: i64, open: bool) -> String {
    format!("UPDATE leadguard.organization SET organization_view = {open} WHERE id = {org}")
}

pub fn insert_member_role(member: i64, role: &str) -> String {
    format!("INSERT INTO leadguard.member_role (member_id, role) VALUES ({member}, {})", literal(role))
}

fn insert_role(world: &World, org: i64, name: &str) -> String {
    let role = &world.roles[&(org, name.to_string())];
    format!(
        "INSERT INTO leadguard.role (name, org_id, rank, capabilities, level_cap) VALUES ({}, {org}, {}, {}, {})",
        literal(name),
        role.rank,
        array(&role.capabilities),
        nullable(&role.cap.map(|cap| cap.name().to_string()))
    )
}

/// The scopes of all members for one table, which must exist.
fn scopes(world: &World, at: usize) -> Vec<String> {
    let of_table = |id: i64| {
        world.members[&id]
            .scopes
            .iter()
            .filter(|s| s.0 == at)
            .map(move |s| insert_scope(world, id, s))
            .collect::<Vec<_>>()
    };
    world.members.keys().flat_map(|id| of_table(*id)).collect()
}

pub fn insert_scope(world: &World, member: i64, (at, kind, value): &(usize, &str, String)) -> String {
    format!(
        "INSERT INTO leadguard.member_scope (member_id, target, kind, value) VALUES ({member}, {}, '{kind}', {})",
        literal(&world.tables[*at].shape.name),
        literal(value)
    )
}

pub const MEMBER_INSERT: &str =
    "INSERT INTO leadguard.member (id, org_id, key, name, kind, manager_id, db_role, active) VALUES";

pub fn member_row(db: &Db, world: &World, id: i64) -> String {
    let m = &world.members[&id];
    format!(
        "({id}, {}, {}, {}, '{}', {}, {}, {})",
        m.org,
        literal(&m.key),
        literal(&format!("Member {id}")),
        m.kind,
        number(m.manager),
        nullable(&world.login_of(id).map(|l| db.role(&login(l)))),
        m.active
    )
}

pub const TERRITORY_INSERT: &str = "INSERT INTO leadguard.territory (id, org_id, key, parent_id, owner_id) VALUES";

pub fn territory_row(world: &World, id: i64) -> String {
    let t = &world.territories[&id];
    format!("({id}, {}, {}, {}, {})", t.org, literal(&t.key), number(t.parent), number(t.owner))
}

fn create(admin: &mut Client, world: &World, table: &Table) {
    let s = &table.shape;
    let mut columns = vec!["name text".to_string()];
    columns.extend(s.territory.map(|kind| format!("territory {}", kind.sql())));
    columns.extend(s.creator.map(|kind| format!("creator {}", kind.sql())));
    columns.extend(s.org_column.then(|| "org bigint NOT NULL".to_string()));
    columns.extend(s.owner.map(|kind| format!("owner {}", kind.sql())));
    columns.extend(s.team.map(|kind| format!("team {}", kind.sql())));
    columns.extend(
        [(s.segment, "segment"), (s.stage, "stage"), (s.status, "status")]
            .into_iter()
            .filter(|c| c.0)
            .map(|c| format!("{} text", c.1)),
    );
    columns.extend(s.sensitive.map(|kind| format!("sensitive {kind}")));
    columns.extend(s.parent.map(|parent| format!("parent {}", world.tables[parent].shape.id)));
    let id = format!("id {} NOT NULL", s.id);
    let listed = columns.join(", ");
    if s.partitions.is_empty() {
        accepted(admin, &format!("CREATE TABLE {} ({id}, {listed}, PRIMARY KEY (id))", s.name));
        return;
    }
    columns.reverse();
    let reversed = columns.join(", ");
    let [a, b, c] = s.partitions else { panic!("three leaves") };
    // Leaves whose columns have other positions than the parent's, one of them after a dropped column.
    accepted(
        admin,
        &format!(
            "CREATE TABLE {name} ({id}, {listed}, PRIMARY KEY (id)) PARTITION BY HASH (id);
             CREATE TABLE {a} PARTITION OF {name} FOR VALUES WITH (modulus 2, remainder 0);
             CREATE TABLE {name}_mid (gone text, {reversed}, {id}, PRIMARY KEY (id)) PARTITION BY HASH (id);
             ALTER TABLE {name}_mid DROP COLUMN gone;
             CREATE TABLE {b} PARTITION OF {name}_mid FOR VALUES WITH (modulus 2, remainder 0);
             CREATE TABLE {c} ({reversed}, gone int, {id}, PRIMARY KEY (id));
             ALTER TABLE {c} DROP COLUMN gone;
             ALTER TABLE {name}_mid ATTACH PARTITION {c} FOR VALUES WITH (modulus 2, remainder 1);
             ALTER TABLE {name} ATTACH PARTITION {name}_mid FOR VALUES WITH (modulus 2, remainder 1)",
            name = s.name
        ),
    );
}

fn protect(world: &World, table: &Table) -> String {
    let s = &table.shape;
    let mut arguments = vec![literal(&s.name), "id => 'id'".to_string()];
    arguments.extend(s.owner.map(|_| "owner => 'owner'".to_string()));
    arguments.extend(s.territory.map(|_| "territory => 'territory'".to_string()));
    arguments.extend(s.creator.map(|_| "creator => 'creator'".to_string()));
    let mapped = [
        ("team", s.team.is_some()),
        ("segment", s.segment),
        ("stage", s.stage),
        ("status", s.status),
        ("sensitive", s.sensitive.is_some()),
    ];
    arguments.extend(mapped.into_iter().filter(|m| m.1).map(|(name, _)| format!("{name} => '{name}'")));
    if let Some(parent) = s.parent {
        arguments.push(format!("parent => {}, parent_column => 'parent'", literal(&world.tables[parent].shape.name)));
    }
    if world.rich {
        arguments.push(format!("preset => '{}', object => '{}'", table.preset, table.object));
    }
    if s.archives {
        arguments.push("archived_at => 'archived_at', archived_by => 'archived_by'".to_string());
    }
    if s.org_column {
        arguments.push("organization => 'org'".to_string());
    } else {
        arguments.push(format!("org_key => {}", literal(world.org_key(s.org))));
    }
    format!("SELECT count(*) FROM leadguard.protect({})", arguments.join(", "))
}

/// The values of a record for the columns that its table has.
pub fn insert_record(table: &Table, id: &str) -> String {
    insert(table, id, &table.records[id])
}

pub fn insert(table: &Table, id: &str, r: &Record) -> String {
    let s = &table.shape;
    let mut columns = vec![("id", literal(id)), ("name", literal("start"))];
    columns.extend(s.owner.map(|_| ("owner", nullable(&r.owner))));
    columns.extend(s.territory.map(|_| ("territory", nullable(&r.territory))));
    columns.extend(s.creator.map(|_| ("creator", nullable(&r.creator))));
    columns.extend(s.org_column.then(|| ("org", r.org.to_string())));
    for (mapped, name, value) in [
        (s.team.is_some(), "team", &r.team),
        (s.segment, "segment", &r.segment),
        (s.stage, "stage", &r.stage),
        (s.status, "status", &r.status),
        (s.sensitive.is_some(), "sensitive", &r.sensitive),
        (s.parent.is_some(), "parent", &r.parent),
    ] {
        columns.extend(mapped.then(|| (name, nullable(value))));
    }
    let (names, values): (Vec<&str>, Vec<String>) = columns.into_iter().unzip();
    format!("INSERT INTO {} ({}) VALUES ({})", s.name, names.join(", "), values.join(", "))
}

/// Through `share` and `team_add` where they accept it; a grant that is over or whose holder has left only exists
/// because time passed, so it is written directly.
pub fn insert_grant(world: &World, table: &Table, g: &Grant) -> String {
    let (target, record, level) = (literal(&table.shape.name), literal(&g.record), g.level.name());
    let given = match g.holder {
        Holder::Member(m) => world.members[&m].active && world.members[&m].org == table.records[&g.record].org,
        Holder::Team(t) => world.teams[&t].org == table.records[&g.record].org,
    };
    let at = world.tables.iter().position(|t| t.shape.name == table.shape.name).expect("a table of this world");
    let unreasoned = g.kind == Kind::RecordTeam && world.on(at, "reason_required");
    if g.until == Until::Past || !given || unreasoned || g.kind == Kind::Contact {
        let (member, team) = match g.holder {
            Holder::Member(m) => (m.to_string(), "NULL".to_string()),
            Holder::Team(t) => ("NULL".to_string(), t.to_string()),
        };
        return format!(
            "INSERT INTO leadguard.record_grant (target, record, kind, member_id, team_id, level, until, retained)
             VALUES ({target}, {record}, '{}', {member}, {team}, '{level}', {}, {})",
            g.kind.name(),
            g.until.sql(),
            g.retained
        );
    }
    let (holder, key) = holder_argument(world, g.holder);
    if g.kind == Kind::Share {
        format!(
            "SELECT leadguard.share({target}, {record}, {holder} => {key}, level => '{level}', reason => 'test',
             until => {}, retained => {})",
            g.until.sql(),
            g.retained
        )
    } else {
        format!("SELECT leadguard.team_add({target}, {record}, {key}, '{level}')")
    }
}

pub fn holder_argument(world: &World, holder: Holder) -> (&'static str, String) {
    match holder {
        Holder::Member(m) => ("member", literal(&world.members[&m].key)),
        Holder::Team(t) => ("team", literal(&world.teams[&t].key)),
    }
}
