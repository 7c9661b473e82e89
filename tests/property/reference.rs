//! Who may do what with which record, written down a second time: parent pointers are walked, every path is one loop,
//! every hiding rule one condition. No closure, no set, nothing shared with the extension.

use crate::resolve::{self, Action, Book, Rights, cap, grid, hard_deletes, names, outside};
use crate::world::{Holder, Kind, Level, Record, Table, Until, Who, World};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub type Grid = BTreeMap<&'static str, Rights>;

/// Is `upper` a direct or indirect manager of `lower`? Nobody is above himself.
pub fn above(world: &World, upper: i64, lower: i64) -> bool {
    levels_above(world, upper, lower).is_some()
}

fn levels_above(world: &World, upper: i64, lower: i64) -> Option<i64> {
    let (mut at, mut levels) = (lower, 0);
    while let Some(manager) = world.members.get(&at).and_then(|m| m.manager) {
        levels += 1;
        if manager == upper {
            return Some(levels);
        }
        at = manager;
    }
    None
}

/// What a column that names members says.
fn named(world: &World, kind: Option<crate::world::Reference>, value: &Option<String>) -> Option<i64> {
    let text = value.as_ref()?;
    if kind?.by_key() {
        world.members.iter().find(|(_, m)| m.key == *text).map(|(id, _)| *id)
    } else {
        text.parse().ok().filter(|id| world.members.contains_key(id))
    }
}

/// The record's territory. Keys are unique per organization only, so the record's organization takes part.
fn territory(world: &World, table: &Table, record: &Record) -> Option<i64> {
    let text = record.territory.as_ref()?;
    if table.shape.territory?.by_key() {
        world.territories.iter().find(|(_, t)| t.org == record.org && t.key == *text).map(|(id, _)| *id)
    } else {
        text.parse().ok().filter(|id| world.territories.contains_key(id))
    }
}

fn team(world: &World, table: &Table, record: &Record) -> Option<i64> {
    let text = record.team.as_ref()?;
    if table.shape.team?.by_key() {
        world.teams.iter().find(|(_, t)| t.org == record.org && t.key == *text).map(|(id, _)| *id)
    } else {
        text.parse().ok().filter(|id| world.teams.contains_key(id))
    }
}

/// A territory and those above it, up to the root.
fn chain(world: &World, territory: i64) -> Vec<i64> {
    let (mut found, mut at) = (Vec::new(), Some(territory));
    while let Some(id) = at {
        found.push(id);
        at = world.territories[&id].parent;
    }
    found
}

/// Owners and members of `territory` and of every ancestor; the flag says whether it is the territory itself.
fn holders(world: &World, territory: i64) -> Vec<(bool, i64)> {
    let mut found = Vec::new();
    for id in chain(world, territory) {
        let node = &world.territories[&id];
        found.extend(node.owner.iter().chain(&node.members).map(|m| (id == territory, *m)));
    }
    found
}

/// Does `member` hold `territory`, an ancestor of it, or stand above someone who does?
pub fn reaches_territory(world: &World, member: i64, territory: i64) -> bool {
    holders(world, territory).into_iter().any(|(_, h)| h == member || above(world, member, h))
}

/// Members whom a grant to this holder means. In tables where teams say who reaches what is shared with them, that
/// is not always their members.
fn meant(world: &World, team_access: bool, holder: Holder) -> Vec<i64> {
    match holder {
        Holder::Member(m) => vec![m],
        Holder::Team(t) => {
            let team = &world.teams[&t];
            match team.access {
                "organization" if team_access => {
                    world.members_of(team.org).into_iter().filter(|m| world.members[m].kind != "guest").collect()
                }
                "own" if team_access => vec![],
                "team" if team_access => {
                    team.members.iter().copied().filter(|m| world.members[m].kind != "guest").collect()
                }
                _ => team.members.iter().copied().collect(),
            }
        }
    }
}

/// What one session may do, with the grids that it needs remembered.
pub struct Eyes<'a> {
    world: &'a World,
    who: Who,
    grids: RefCell<BTreeMap<(usize, Option<String>), Rc<Grid>>>,
}

impl<'a> Eyes<'a> {
    pub fn new(world: &'a World, who: impl Into<Who>) -> Eyes<'a> {
        Eyes { world, who: who.into(), grids: RefCell::default() }
    }

    fn grid(&self, at: usize, status: &Option<String>) -> Rc<Grid> {
        let key = (at, status.clone());
        if let Some(found) = self.grids.borrow().get(&key) {
            return found.clone();
        }
        let made = Rc::new(grid(self.world, self.who, at, status.as_deref()));
        self.grids.borrow_mut().insert(key, made.clone());
        made
    }

    /// Every path that leads from the member to the record, whatever it gives; the level is that of the best grant.
    fn reach(&self, at: usize, id: Option<&str>, record: &Record) -> BTreeMap<&'static str, Level> {
        let (world, me) = (self.world, self.who.member);
        let (table, asking) = (&world.tables[at], &world.members[&me]);
        let mut found = BTreeMap::from([("organization", Level::Full), ("admin", Level::Full)]);
        let mut add = |path: &'static str, level: Level| {
            let best = found.entry(path).or_insert(level);
            *best = level.max(*best);
        };
        let (depth, hierarchy) = (world.number(at, "manager_depth"), world.on(at, "hierarchy"));
        let team_access = world.on(at, "team_access");
        // What comes from below by a share has no path of its own that the switch could cap.
        let below = match table.value(&world.presets, "manager_level", "") {
            "read" => Level::Read,
            "edit" => Level::Edit,
            _ => Level::Full,
        };
        let manages = |other: i64| {
            hierarchy && levels_above(world, me, other).is_some_and(|levels| depth == 0 || levels <= depth)
        };
        if let Some(owner) = named(world, table.shape.owner, &record.owner) {
            if owner == me {
                add("own", Level::Full);
            }
            if manages(owner) {
                add("manager", Level::Full);
            }
            let manager = world.members[&owner].manager;
            if owner != me && manager.is_some() && manager == asking.manager {
                add("colleague", Level::Full);
            }
        }
        if named(world, table.shape.creator, &record.creator) == Some(me) {
            add("created", Level::Full);
        }
        if let Some(territory) = territory(world, table, record) {
            for (itself, holder) in holders(world, territory) {
                if holder == me {
                    add(if itself { "territory" } else { "territory_ancestor" }, Level::Full);
                }
                if manages(holder) {
                    add("territory_manager", Level::Full);
                }
            }
        }
        for grant in table.grants.iter().filter(|g| Some(g.record.as_str()) == id && g.until != Until::Past) {
            for holder in meant(world, team_access, grant.holder) {
                let (mine, above) = match grant.kind {
                    Kind::RecordTeam => ("record_team", Some("record_team_manager")),
                    Kind::Share => ("share", Some("share")),
                    Kind::Contact => ("contact", None),
                };
                if holder == me {
                    add(mine, grant.level);
                }
                // What everybody in the organization has comes from nobody below; a guest above one has none of it.
                let everybody =
                    team_access && matches!(grant.holder, Holder::Team(t) if world.teams[&t].access == "organization");
                if let Some(path) = above.filter(|_| !everybody && manages(holder)) {
                    let most = if grant.kind == Kind::Share { below } else { Level::Full };
                    add(path, grant.level.min(most));
                }
            }
        }
        if self.scoped(at, record) {
            add("scope", Level::Full);
        }
        if let Some(team) = team(world, table, record).map(|id| &world.teams[&id]) {
            let reached = match team.access {
                "team" => team.members.contains(&me),
                "organization" => team.org == asking.org,
                _ => false,
            };
            // D5: guests reach nothing through teams.
            let reached = reached && asking.kind != "guest";
            if reached {
                add("team", Level::Full);
            }
        }
        if let (Some(parent), Some(id)) = (table.shape.parent, &record.parent) {
            if self.rights(parent, id).has(Action::Read) {
                add("parent", Level::Full);
            }
        }
        found
    }

    /// Does a scope show the member records of this territory?
    fn scope_reads(&self, at: usize, territory: i64) -> bool {
        let (world, org) = (self.world, self.world.members[&self.who.member].org);
        let held = |key: &String| world.members[&self.who.member].scopes.contains(&(at, "territory", key.clone()));
        let mut above = chain(world, territory).into_iter().map(|id| &world.territories[&id]);
        above.any(|node| node.org == org && held(&node.key)) && self.grid(at, &None).contains_key("scope")
    }

    fn parent_read(&self, at: usize, record: &Record) -> bool {
        match (self.world.tables[at].shape.parent, &record.parent) {
            (Some(parent), Some(id)) => self.rights(parent, id).has(Action::Read),
            _ => true,
        }
    }

    fn scoped(&self, at: usize, record: &Record) -> bool {
        let (world, table) = (self.world, &self.world.tables[at]);
        world.members[&self.who.member].scopes.iter().filter(|(table, _, _)| *table == at).any(|(_, kind, value)| {
            match *kind {
                "territory" => territory(world, table, record).is_some_and(|t| {
                    chain(world, t).into_iter().any(|id| {
                        let node = &world.territories[&id];
                        node.org == record.org && node.key == *value
                    })
                }),
                "segment" => table.shape.segment && record.segment.as_ref() == Some(value),
                _ => table.shape.parent.is_some() && record.parent.as_ref() == Some(value),
            }
        })
    }

    /// Every path of the member to a record as it is stored or would be, with what it gives.
    pub fn paths_of(&self, at: usize, id: Option<&str>, record: &Record) -> Grid {
        if !self.stands(at, record) {
            return Grid::new();
        }
        let grid = self.grid(at, &record.status);
        let limits = self.reach(at, id, record);
        let found =
            limits.into_iter().filter_map(|(path, level)| Some((path, grid.get(path)?.and(Rights::level(level)))));
        found.filter(|(_, rights)| rights.has(Action::Read)).collect()
    }

    fn stands(&self, at: usize, record: &Record) -> bool {
        let asking = &self.world.members[&self.who.member];
        asking.org == record.org && !outside(self.world, self.who, at)
    }

    /// Whether stages and marks hide records of a table from the member at all, and whether his own stay.
    pub fn hides(&self, at: usize) -> (bool, bool, bool) {
        let (world, me, table) = (self.world, self.who.member, &self.world.tables[at]);
        let analyst = self.who.analyst || world.members[&me].roles.contains("analyst");
        if analyst && !world.on(at, "hiding_binds_analysts") {
            return (false, false, false);
        }
        let narrow = |role: &&str| table.value(&world.presets, "stages", role) != "*";
        let rank = world.roles_of(me).iter().map(|role| role.rank).max().unwrap_or(0);
        let cleared = world.has(me, "see_sensitive") || rank >= world.number(at, "sensitive_rank");
        (
            table.shape.stage && names(world, me).iter().any(narrow),
            table.shape.sensitive.is_some() && !cleared,
            world.on(at, "exempt_owner"),
        )
    }

    /// The rule that hides a record from the member, whatever leads there.
    pub fn hidden(&self, at: usize, record: &Record) -> Option<&'static str> {
        let (world, me, table) = (self.world, self.who.member, &self.world.tables[at]);
        let (stages, marks, except_own) = self.hides(at);
        for role in names(world, me).into_iter().filter(|_| stages) {
            let list = table.value(&world.presets, "stages", role);
            let within = |stage: &String| list.split(',').any(|one| one == stage);
            if list != "*" && !record.stage.as_ref().is_some_and(within) {
                return Some("stage");
            }
        }
        let marked = match (table.shape.sensitive, record.sensitive.as_deref()) {
            (Some("boolean"), Some(value)) => value == "t",
            (Some(_), Some(value)) => !value.is_empty(),
            _ => false,
        };
        let own = || named(world, table.shape.owner, &record.owner) == Some(me);
        (marks && marked && !(except_own && own())).then_some("sensitive")
    }

    /// What all paths together give, unless the record is hidden.
    pub fn rights_of(&self, at: usize, id: Option<&str>, record: &Record) -> Rights {
        if self.hidden(at, record).is_some() {
            return Rights::default();
        }
        self.paths_of(at, id, record).values().fold(Rights::default(), |all, one| all.or(*one))
    }

    pub fn rights(&self, at: usize, id: &str) -> Rights {
        match self.world.tables[at].records.get(id) {
            Some(record) => self.rights_of(at, Some(id), record),
            None => Rights::default(),
        }
    }

    pub fn paths(&self, at: usize, id: &str) -> Grid {
        match self.world.tables[at].records.get(id) {
            Some(record) if self.hidden(at, record).is_none() => self.paths_of(at, Some(id), record),
            _ => Grid::new(),
        }
    }

    /// By the name of an action of `can`, those that are more than a right on the record included.
    pub fn may(&self, at: usize, id: &str, action: &str) -> bool {
        let rights = self.rights(at, id);
        let archives = self.world.tables[at].shape.archives;
        match action {
            "archive" => archives && rights.has(Action::Archive),
            "delete" => rights.has(Action::Archive) && (archives || hard_deletes(self.world, self.who.member, at)),
            "export" => rights.has(Action::Read) && self.world.has(self.who.member, "export"),
            name => Action::ALL.into_iter().any(|action| action.name() == name && rights.has(action)),
        }
    }
}

/// What a session may read of a table; nobody reads nothing.
pub fn visible(world: &World, who: Option<Who>, at: usize) -> BTreeSet<String> {
    let Some(who) = who else { return BTreeSet::new() };
    let eyes = Eyes::new(world, who);
    world.tables[at].records.keys().filter(|id| eyes.rights(at, id).has(Action::Read)).cloned().collect()
}

/// The actions of `can` that are about a record.
pub const ACTIONS: [&str; 7] = ["read", "update", "delete", "archive", "share", "reassign", "export"];

/// May this session write at all? Without it every write statement is refused, whatever it matches.
pub fn writes(world: &World, who: Option<Who>) -> bool {
    who.is_some_and(|who| world.members.get(&who.member).is_some_and(|m| m.active) && cap(world, who) > Level::Read)
}

/// May the session insert this record? His own name stands for an empty owner; anybody else must be active. Outside
/// of what he reaches, owner and territory need `assign`, and with it the new row need not be readable: a dispatcher
/// creates records for others.
pub fn may_insert(
    world: &World,
    who: Who,
    at: usize,
    new: &Record,
    owner: Option<i64>,
    territory: Option<i64>,
) -> bool {
    let member = who.member;
    if !writes(world, Some(who)) || world.members[&member].org != new.org || !resolve::creates(world, who, at) {
        return false;
    }
    let assigns = world.has(member, "assign");
    let owner_ok = owner.is_none_or(|o| {
        let known = world.members[&o].org == new.org && world.members[&o].active;
        o == member || (known && (above(world, member, o) || assigns))
    });
    let eyes = Eyes::new(world, who);
    let territory_ok =
        territory.is_none_or(|t| reaches_territory(world, member, t) || eyes.scope_reads(at, t) || assigns);
    owner_ok
        && territory_ok
        && team_known(world, at, new)
        && (assigns || eyes.parent_read(at, new))
        && (assigns || eyes.rights_of(at, None, new).has(Action::Read))
}

/// A row names a team of its own organization, or none.
fn team_known(world: &World, at: usize, new: &Record) -> bool {
    new.team.is_none() || team(world, &world.tables[at], new).is_some_and(|id| world.teams[&id].org == new.org)
}

/// May the session write these values with a plain UPDATE? It must stay able to read the record. What decides who
/// reaches the record takes the right to reassign, and a parent that others reach it by is one that the member sees.
pub fn may_change(world: &World, who: Who, at: usize, id: &str, new: &Record) -> bool {
    let (eyes, old) = (Eyes::new(world, who), &world.tables[at].records[id]);
    let scopes = Book::of(world, at).rules().iter().any(|r| r.key.path == "scope");
    let moved = old.owner != new.owner
        || old.territory != new.territory
        || old.team != new.team
        || old.parent != new.parent
        || (old.segment != new.segment && scopes);
    let rights = eyes.rights(at, id);
    rights.has(Action::Update)
        && (!moved || rights.has(Action::Reassign))
        && (old.team == new.team || team_known(world, at, new))
        && (old.parent == new.parent || eyes.parent_read(at, new))
        && old.creator == new.creator
        && eyes.rights_of(at, Some(id), new).has(Action::Read)
}
