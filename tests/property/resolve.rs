//! What a member may do on each path of a table, from rules and switches: one question at a time, for one status, with
//! a loop over all rules each time.

use crate::rulebook::Line;
use crate::world::{Level, Table, Who, World};
use std::collections::BTreeMap;

pub const PATHS: [&str; 16] = [
    "own",
    "created",
    "manager",
    "colleague",
    "record_team",
    "record_team_manager",
    "share",
    "contact",
    "territory",
    "territory_ancestor",
    "territory_manager",
    "scope",
    "team",
    "organization",
    "parent",
    "admin",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Read,
    Update,
    Archive,
    Share,
    Reassign,
}

impl Action {
    pub const ALL: [Action; 5] = [Action::Read, Action::Update, Action::Archive, Action::Share, Action::Reassign];

    pub fn name(self) -> &'static str {
        match self {
            Action::Read => "read",
            Action::Update => "update",
            Action::Archive => "archive",
            Action::Share => "share",
            Action::Reassign => "reassign",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rights(pub [bool; 5]);

impl Rights {
    pub fn of(may: impl Fn(Action) -> bool) -> Rights {
        Rights(Action::ALL.map(may))
    }

    pub fn level(level: Level) -> Rights {
        Rights::of(|action| match level {
            Level::Read => action == Action::Read,
            Level::Edit => action <= Action::Update,
            Level::Full => true,
        })
    }

    pub fn has(self, action: Action) -> bool {
        self.0[action as usize]
    }

    pub fn and(self, other: Rights) -> Rights {
        Rights::of(|action| self.has(action) && other.has(action))
    }

    pub fn or(self, other: Rights) -> Rights {
        Rights::of(|action| self.has(action) || other.has(action))
    }

    /// The highest level that gives no more than this.
    pub fn as_level(self) -> Option<Level> {
        Level::ALL.into_iter().rev().find(|level| self.and(Rights::level(*level)) == Rights::level(*level))
    }
}

/// The value of the status column, or any value: whether there is one.
pub type Status<'a> = Option<Option<&'a str>>;

/// The rules of a table, with the switches that it has one value of.
pub struct Book<'a> {
    world: &'a World,
    table: &'a Table,
    rules: Vec<Line<'a>>,
    hierarchy: bool,
    manager_level: &'a str,
    colleagues: bool,
    admin: bool,
    creator_keeps_edit: bool,
    status_binds_owner: bool,
    edit_implies_read: bool,
    pub view_modes: bool,
    organization_view: &'a str,
}

impl<'a> Book<'a> {
    pub fn of(world: &'a World, at: usize) -> Book<'a> {
        let table = &world.tables[at];
        Book {
            world,
            table,
            rules: table.rulebook(&world.presets),
            hierarchy: world.on(at, "hierarchy"),
            manager_level: table.value(&world.presets, "manager_level", ""),
            colleagues: world.on(at, "colleagues"),
            admin: world.on(at, "admin"),
            creator_keeps_edit: world.on(at, "creator_keeps_edit"),
            status_binds_owner: world.on(at, "status_binds_owner"),
            edit_implies_read: world.on(at, "edit_implies_read"),
            view_modes: world.on(at, "view_modes"),
            organization_view: table.value(&world.presets, "organization_view", ""),
        }
    }

    /// A switch that every role has its own value of.
    pub fn switch(&self, name: &str, role: &str) -> &str {
        self.table.value(&self.world.presets, name, role)
    }

    pub fn rules(&self) -> &[Line<'a>] {
        &self.rules
    }

    fn has_rows(&self, role: &str, path: &str) -> bool {
        self.rules.iter().any(|r| r.key.role == role && r.key.path == path && !r.denies())
    }

    /// What the rows say.
    fn rows(&self, role: &str, path: &str, action: Action, status: Status) -> bool {
        self.rules.iter().any(|r| {
            r.key.role == role
                && r.key.path == path
                && r.holds(status)
                && match (r.key.action.as_str(), r.effect) {
                    ("access", "read") => action == Action::Read,
                    ("access", "edit") => action <= Action::Update,
                    ("access", "full") => true,
                    (name, "allow") => name == action.name(),
                    _ => false,
                }
        })
    }

    /// With what follows for those above, for colleagues, owners and creators.
    fn given(&self, role: &str, path: &str, action: Action, status: Status) -> bool {
        let below: &[&str] = match path {
            "manager" => &["own"],
            "record_team_manager" => &["record_team"],
            "territory_manager" => &["territory", "territory_ancestor"],
            _ => &[],
        };
        if !below.is_empty() {
            if !self.hierarchy {
                return false;
            }
            if !self.has_rows(role, path) {
                let capped = match self.manager_level {
                    "same" => true,
                    "read" => action == Action::Read,
                    "edit" => action <= Action::Update,
                    other => panic!("manager_level {other}"),
                };
                return capped && below.iter().any(|from| self.rows(role, from, action, status));
            }
        }
        if path == "colleague" {
            return self.colleagues
                && if self.has_rows(role, path) {
                    self.rows(role, path, action, status)
                } else {
                    // Who does not see his own records does not see those of others.
                    action == Action::Read && self.rows(role, "own", Action::Read, None)
                };
        }
        if path == "admin" && !self.admin {
            return false;
        }
        if path == "created" && !self.creator_keeps_edit && action != Action::Read {
            return false;
        }
        let bound = !(path == "own" || path == "created") || self.status_binds_owner;
        self.rows(role, path, action, if bound { status } else { None })
    }

    fn updates(&self, role: &str, path: &str, status: Status) -> bool {
        let given = self.given(role, path, Action::Update, status);
        match self.switch("edit", role) {
            "all" => given || path == "organization",
            narrow => given && allowed(narrow, path),
        }
    }

    fn archives(&self, role: &str, path: &str, status: Status) -> bool {
        match self.switch("delete_mode", role) {
            "rules" => self.given(role, path, Action::Archive, status),
            "none" => false,
            "soft" | "hard" => self.updates(role, path, status),
            other => panic!("delete_mode {other}"),
        }
    }

    /// `open`: the organization view of the member's organization.
    fn reads(&self, role: &str, path: &str, open: bool) -> bool {
        let given = self.given(role, path, Action::Read, None);
        let open = match self.organization_view {
            "organization" => open,
            fixed => fixed == "on",
        };
        match self.switch("visibility", role) {
            "own" if open => given || path == "organization",
            "all" => given || path == "organization",
            narrow => given && allowed(narrow, path),
        }
    }

    /// What one role gives on one path, before denials and caps.
    pub fn role(&self, role: &str, path: &str, open: bool, status: Status) -> Rights {
        let implied = self.edit_implies_read && self.updates(role, path, None);
        if !self.reads(role, path, open) && !implied {
            return Rights::default();
        }
        Rights::of(|action| match action {
            Action::Read => true,
            Action::Update => self.updates(role, path, status),
            Action::Archive => self.archives(role, path, status),
            Action::Share | Action::Reassign => self.given(role, path, action, status),
        })
    }

    pub fn denied(&self, roles: &[&str], path: &str, action: &str, status: Status) -> bool {
        self.rules.iter().any(|r| {
            r.denies()
                && roles.contains(&r.key.role.as_str())
                && (r.key.path == path || r.key.path == "*")
                && r.key.action == action
                && r.holds(status)
        })
    }
}

/// The paths that `visibility` and `edit` leave.
fn allowed(choice: &str, path: &str) -> bool {
    match choice {
        "rules" => true,
        "paths" => path != "organization",
        "scope" => [
            "scope",
            "territory",
            "territory_ancestor",
            "territory_manager",
            "record_team",
            "record_team_manager",
            "share",
            "contact",
            "admin",
        ]
        .contains(&path),
        "own" => ["own", "created", "record_team", "share", "contact", "admin"].contains(&path),
        "invited" => ["share", "record_team", "contact", "admin"].contains(&path),
        "none" => false,
        other => panic!("{other} is no choice"),
    }
}

/// The names that a member's rules go by.
pub fn names(world: &World, member: i64) -> Vec<&str> {
    world.members[&member].roles.iter().map(String::as_str).chain(["*"]).collect()
}

/// A table without a column for it belongs to one organization.
fn foreign(world: &World, who: Who, at: usize) -> bool {
    let shape = &world.tables[at].shape;
    !shape.org_column && shape.org != world.members[&who.member].org
}

/// Everything that keeps a member away from a table, whatever its rows are.
pub fn outside(world: &World, who: Who, at: usize) -> bool {
    let m = &world.members[&who.member];
    !m.active || (m.kind == "system" && world.tables[at].value(&world.presets, "principals", "") == "persons")
}

/// The rights of a member on each path for rows of one status.
pub fn grid(world: &World, who: Who, at: usize, status: Option<&str>) -> BTreeMap<&'static str, Rights> {
    let mut found = BTreeMap::new();
    if outside(world, who, at) {
        return found;
    }
    let book = Book::of(world, at);
    let m = &world.members[&who.member];
    let names = names(world, who.member);
    let cap = cap(world, who);
    for path in PATHS {
        if who.personal && book.view_modes && path != "own" && path != "created" {
            continue;
        }
        if path == "admin" && !world.has(who.member, "all_records") {
            continue;
        }
        let mut rights = Rights::default();
        for name in &names {
            rights = rights.or(book.role(name, path, world.open.contains(&m.org), Some(status)));
        }
        let denied = Rights::of(|action| !book.denied(&names, path, action.name(), Some(status)));
        let rights = rights.and(denied).and(Rights::level(cap));
        // What cannot be read cannot be written.
        if rights.has(Action::Read) {
            found.insert(path, rights);
        }
    }
    found
}

/// The lowest cap of the member's roles; an analyst's login reads.
pub fn cap(world: &World, who: Who) -> Level {
    if who.analyst {
        return Level::Read;
    }
    world.roles_of(who.member).iter().filter_map(|role| role.cap).min().unwrap_or(Level::Full)
}

/// May this session create records at all, whatever they hold?
pub fn creates(world: &World, who: Who, at: usize) -> bool {
    let book = Book::of(world, at);
    let names = names(world, who.member);
    let allowed = book
        .rules()
        .iter()
        .any(|r| r.key.action == "create" && r.effect == "allow" && names.contains(&r.key.role.as_str()));
    !outside(world, who, at)
        && !foreign(world, who, at)
        && cap(world, who) > Level::Read
        && allowed
        && !book.denied(&names, "*", "create", Some(None))
}

/// Is there a path, and a status, on which the member has this right? Where there is none, a statement that takes it is
/// refused whatever rows it meets.
pub fn ever(world: &World, who: Who, at: usize, action: Action) -> bool {
    let given = |status: &Option<String>| grid(world, who, at, status.as_deref()).values().any(|r| r.has(action));
    statuses(world, at).iter().any(given)
}

/// The capability, or what a role's `delete_mode` says about this table.
pub fn hard_deletes(world: &World, member: i64, at: usize) -> bool {
    let book = Book::of(world, at);
    world.has(member, "hard_delete")
        || names(world, member).iter().any(|name| book.switch("delete_mode", name) == "hard")
}

/// Every status that makes a difference: those that rules name, any other and none.
pub fn statuses(world: &World, at: usize) -> Vec<Option<String>> {
    let mut found: Vec<Option<String>> = vec![None, Some("another".to_string())];
    for rule in Book::of(world, at).rules() {
        found.extend(rule.key.statuses.iter().cloned().map(Some));
    }
    found.sort();
    found.dedup();
    found
}
