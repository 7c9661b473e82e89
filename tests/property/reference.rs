//! Who reads which record at which level, written down a second time: parent pointers are walked, every rule of
//! the preset sales_hierarchy is one loop, nothing is remembered. No closure, no set, nothing shared with the
//! extension.

use crate::world::{Holder, Level, Record, Table, Until, World};
use std::collections::{BTreeMap, BTreeSet};

/// Roles that the random organizations use, with what they mean here: (all records, administers, assigns, exports, cap).
pub fn role(name: &str) -> (bool, bool, bool, bool, Level) {
    match name {
        "administrator" => (true, true, true, true, Level::Full),
        "view_only" => (false, false, false, false, Level::Read),
        "hr" => (false, true, false, false, Level::Full),
        "dispatcher" => (false, false, true, false, Level::Full),
        "auditor" => (true, false, false, true, Level::Read),
        "careful" => (false, false, false, false, Level::Edit),
        other => panic!("role {other} is not known to the reference"),
    }
}

pub fn has(world: &World, member: i64, pick: impl Fn((bool, bool, bool, bool, Level)) -> bool) -> bool {
    world.members[&member].roles.iter().any(|name| pick(role(name)))
}

pub fn cap(world: &World, member: i64) -> Level {
    world.members[&member].roles.iter().map(|name| role(name).4).min().unwrap_or(Level::Full)
}

/// Is `upper` a direct or indirect manager of `lower`? Nobody is above himself.
pub fn above(world: &World, upper: i64, lower: i64) -> bool {
    let mut at = lower;
    while let Some(manager) = world.members.get(&at).and_then(|m| m.manager) {
        if manager == upper {
            return true;
        }
        at = manager;
    }
    false
}

fn owner(world: &World, table: &Table, record: &Record) -> Option<i64> {
    let text = record.owner.as_ref()?;
    if table.shape.owner?.by_key() {
        world.members.iter().find(|(_, m)| m.key == *text).map(|(id, _)| *id)
    } else {
        world.members.keys().copied().find(|id| id.to_string() == *text)
    }
}

/// The record's territory. Keys are unique per organization only, so the record's organization takes part.
fn territory(world: &World, table: &Table, record: &Record) -> Option<i64> {
    let text = record.territory.as_ref()?;
    if table.shape.territory?.by_key() {
        world.territories.iter().find(|(_, t)| t.org == record.org && t.key == *text).map(|(id, _)| *id)
    } else {
        world.territories.keys().copied().find(|id| id.to_string() == *text)
    }
}

/// Owners and members of `territory` and of every ancestor; the flag says whether it is the territory itself.
fn holders(world: &World, territory: i64) -> Vec<(bool, i64)> {
    let mut found = Vec::new();
    let mut at = Some(territory);
    while let Some(id) = at {
        let node = &world.territories[&id];
        found.extend(node.owner.iter().chain(&node.members).map(|m| (id == territory, *m)));
        at = node.parent;
    }
    found
}

/// Does `member` hold `territory`, an ancestor of it, or stand above someone who does?
pub fn reaches_territory(world: &World, member: i64, territory: i64) -> bool {
    holders(world, territory).into_iter().any(|(_, h)| h == member || above(world, member, h))
}

/// Every path of `member` to the record with the level it gives, after the cap of his roles.
pub fn paths(world: &World, member: i64, table: &Table, id: &str) -> BTreeMap<&'static str, Level> {
    let mut found = BTreeMap::new();
    let Some(record) = table.records.get(id) else { return found };
    let Some(asking) = world.members.get(&member) else { return found };
    if !asking.active || asking.org != record.org {
        return found;
    }
    let limit = cap(world, member);
    let mut add = |path: &'static str, level: Level| {
        let level = level.min(limit);
        let best = found.entry(path).or_insert(level);
        *best = level.max(*best);
    };
    if has(world, member, |r| r.0) {
        add("admin", Level::Full);
    }
    if let Some(owner) = owner(world, table, record) {
        if owner == member {
            add("own", Level::Full);
        }
        if above(world, member, owner) {
            add("manager", Level::Full);
        }
    }
    if let Some(territory) = territory(world, table, record) {
        for (itself, holder) in holders(world, territory) {
            if holder == member {
                add(if itself { "territory" } else { "territory_ancestor" }, Level::Edit);
            }
            if above(world, member, holder) {
                add("territory_manager", Level::Edit);
            }
        }
    }
    for grant in table.grants.iter().filter(|g| g.record == id && g.until != Until::Past) {
        let given: Vec<i64> = match grant.holder {
            Holder::Member(m) => vec![m],
            Holder::Team(t) => world.teams[&t].members.iter().copied().collect(),
        };
        for holder in given {
            if holder == member {
                add(if grant.share { "share" } else { "record_team" }, grant.level);
            }
            if above(world, member, holder) {
                add(if grant.share { "share" } else { "record_team_manager" }, grant.level);
            }
        }
    }
    found
}

pub fn level(world: &World, member: i64, table: &Table, id: &str) -> Option<Level> {
    paths(world, member, table, id).values().max().copied()
}

/// What a member may read of a table; nobody reads nothing.
pub fn visible(world: &World, member: Option<i64>, table: &Table) -> BTreeSet<String> {
    let Some(member) = member else { return BTreeSet::new() };
    table.records.keys().filter(|id| level(world, member, table, id).is_some()).cloned().collect()
}

/// What an action takes beside the level.
pub fn permits(world: &World, member: i64, table: &Table, action: &str) -> bool {
    match action {
        "archive" => table.shape.archives,
        // Of the roles here only administrators have the capability hard_delete.
        "delete" => table.shape.archives || world.members[&member].roles.contains("administrator"),
        _ => true,
    }
}

/// Actions, and the level that each takes.
pub const ACTIONS: [(&str, Level); 6] = [
    ("read", Level::Read),
    ("update", Level::Edit),
    ("delete", Level::Full),
    ("archive", Level::Full),
    ("share", Level::Full),
    ("reassign", Level::Full),
];

/// May this member write at all? Without it every write statement is refused, whatever it matches.
pub fn writes(world: &World, member: Option<i64>) -> bool {
    member.is_some_and(|m| world.members.get(&m).is_some_and(|x| x.active) && cap(world, m) > Level::Read)
}

/// May `member` insert this record? His own name stands for an empty owner; anybody else must be active. Outside of what he reaches, owner and
/// territory need `assign`, and with it the new row need not be readable: a dispatcher creates records for others.
pub fn may_insert(
    world: &World,
    member: i64,
    table: &Table,
    new: &Record,
    owner: Option<i64>,
    territory: Option<i64>,
) -> bool {
    if !writes(world, Some(member)) || world.members[&member].org != new.org {
        return false;
    }
    let assigns = has(world, member, |r| r.2);
    let owner_ok = owner.is_none_or(|o| {
        let known = world.members[&o].org == new.org && world.members[&o].active;
        o == member || (known && (above(world, member, o) || assigns))
    });
    let territory_ok = territory.is_none_or(|t| reaches_territory(world, member, t) || assigns);
    owner_ok && territory_ok && (assigns || would_read(world, member, table, new))
}

/// Would `member` read this record if the table had it? No grant names it yet.
fn would_read(world: &World, member: i64, table: &Table, new: &Record) -> bool {
    let mut after = table.clone();
    after.records.insert("new".to_string(), new.clone());
    level(world, member, &after, "new").is_some()
}

/// May `member` give the record to this owner with a plain UPDATE? He must stay able to read it.
pub fn may_hand_over(world: &World, member: i64, table: &Table, id: &str, owner: i64, value: &str) -> bool {
    let mut after = table.clone();
    after.records.get_mut(id).expect("record").owner = Some(value.to_string());
    let unchanged = table.records[id].owner.as_deref() == Some(value);
    let right = world.members[&owner].active && world.members[&owner].org == world.members[&member].org;
    match level(world, member, table, id) {
        Some(Level::Full) => unchanged || (right && level(world, member, &after, id).is_some()),
        Some(Level::Edit) => unchanged,
        _ => false,
    }
}
