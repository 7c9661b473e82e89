//! What the rules of a table come to for one member. Policies, guards and questions all rest on this.

use super::batch::{Limits, Said};
use super::level::Level;
use super::path::Path;
use super::rights::Rights;
use super::role::Role;
use super::rules::{EVERY, Effect, Extent, Rules};
use std::collections::BTreeSet;

/// What of a member counts for the rules.
#[derive(Debug, Clone, Default)]
pub struct Who<'a> {
    pub roles: &'a [String],
    pub rank: i64,
    pub capabilities: &'a [String],
    pub level_cap: Option<Level>,
    pub system: bool,
    /// The login is registered as an analyst.
    pub analyst_login: bool,
    /// What the member's organization says about seeing all of it.
    pub organization_view: bool,
    /// The session wants its own records only.
    pub personal: bool,
}

impl Who<'_> {
    fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|held| held == capability)
    }

    fn is_analyst(&self) -> bool {
        self.analyst_login || self.roles.iter().any(|role| role == "analyst")
    }
}

/// Rights that hold under some values of the status column only.
type Conditional = Vec<(Rights, Vec<String>)>;

/// What a path gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OnPath {
    pub always: Rights,
    pub under: Conditional,
    /// Denied again under some statuses.
    pub denied: Conditional,
}

impl OnPath {
    pub fn reads(&self) -> bool {
        self.always.has(Rights::READ)
    }

    pub fn rights(&self, status: Option<&str>) -> Rights {
        if self.under.is_empty() && self.denied.is_empty() {
            return self.always;
        }
        let holds =
            |(_, statuses): &&(Rights, Vec<String>)| status.is_some_and(|s| statuses.iter().any(|held| held == s));
        let sum = |list: &Conditional| list.iter().filter(holds).fold(Rights::NONE, |sum, (rights, _)| sum | *rights);
        (self.always | sum(&self.under)) - sum(&self.denied)
    }

    /// All that it may ever give.
    pub fn at_most(&self) -> Rights {
        self.under.iter().fold(self.always, |sum, (rights, _)| sum | *rights)
    }

    pub(super) fn limit(&mut self, keep: impl Fn(Rights) -> Rights) {
        self.always = keep(self.always);
        self.under.iter_mut().for_each(|(rights, _)| *rights = keep(*rights));
        self.under.retain(|(rights, _)| !rights.is_empty());
    }

    pub(super) fn take(&mut self, rights: Rights) {
        self.limit(|held| held - rights);
    }

    pub(super) fn add(&mut self, other: &OnPath) {
        self.always |= other.always;
        self.under.extend(other.under.iter().cloned());
        self.under.retain(|(rights, _)| !self.always.has(*rights));
    }
}

/// What is hidden from the member whatever the paths say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hidden {
    /// The stages that he sees; None: all, rows without one included.
    pub stages: Option<BTreeSet<String>>,
    pub sensitive: bool,
    /// His own sensitive records are not hidden.
    pub except_own: bool,
}

impl Hidden {
    pub fn is_nothing(&self) -> bool {
        self.stages.is_none() && !self.sensitive
    }

    pub fn hides_stage(&self, stage: Option<&str>) -> bool {
        self.stages.as_ref().is_some_and(|seen| stage.is_none_or(|stage| !seen.contains(stage)))
    }

    pub fn hides_sensitive(&self, sensitive: bool, own: bool) -> bool {
        self.sensitive && sensitive && !(own && self.except_own)
    }
}

/// The column of a record that decides about a path. The others ask grants, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decides {
    Owner,
    Creator,
    Territory,
    Segment,
    Team,
    Parent,
}

impl Decides {
    const ALL: [Decides; 6] =
        [Decides::Owner, Decides::Creator, Decides::Territory, Decides::Segment, Decides::Team, Decides::Parent];

    fn paths(self) -> &'static [Path] {
        match self {
            Decides::Owner => &[Path::Own, Path::Manager, Path::Colleague],
            Decides::Creator => &[Path::Created],
            Decides::Territory => &[Path::Territory, Path::TerritoryAncestor, Path::TerritoryManager, Path::Scope],
            Decides::Segment => &[Path::Scope],
            Decides::Team => &[Path::Team],
            // An account set is a scope, too.
            Decides::Parent => &[Path::Scope, Path::Parent],
        }
    }
}

/// Paths that one column decides and that give the same: one set answers for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub decides: Decides,
    pub paths: Vec<Path>,
    pub on: OnPath,
}

/// What a member may do in a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    paths: [OnPath; Path::ALL.len()],
    groups: Vec<Group>,
    pub create: bool,
    pub hidden: Hidden,
    /// Deleting for good, by a switch of the table.
    pub hard_delete: bool,
    /// Down to which depth those below count: None where they do not, 0 for all of them.
    pub below: Option<u32>,
    /// What comes from those below gives no more than this.
    pub below_cap: Option<Level>,
    /// A team's access setting decides who reaches what is shared with it.
    pub team_access: bool,
    /// How many rows a transaction may write without an approval.
    pub limits: Limits,
    /// COPY TO needs no capability.
    pub free_export: bool,
}

impl Access {
    pub fn on(&self, path: Path) -> &OnPath {
        &self.paths[path.number()]
    }

    pub fn reads(&self, path: Path) -> bool {
        self.on(path).reads()
    }

    pub fn is_nothing(&self) -> bool {
        self.paths.iter().all(|path| !path.reads())
    }

    /// Whether every record of the organization is reached.
    pub fn reads_everything(&self) -> bool {
        self.reads(Path::Organization) || self.reads(Path::Admin)
    }

    /// The groups of one column, those that show records.
    pub fn groups(&self, decides: Decides) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(move |group| group.decides == decides)
    }

    /// The paths of a column that show records.
    pub fn read_paths(&self, decides: Decides) -> Vec<Path> {
        self.groups(decides).flat_map(|group| group.paths.iter().copied()).collect()
    }

    /// What a grant of a level gives on a path. `below`: to somebody below the member.
    pub fn granted(&self, path: Path, level: Level, below: bool, status: Option<&str>) -> Rights {
        let rights = self.on(path).rights(status) & Rights::of(level);
        if below { rights.capped(self.below_cap) } else { rights }
    }

    /// All that any path may ever give.
    pub fn at_most(&self) -> Rights {
        self.paths.iter().fold(Rights::NONE, |sum, path| sum | path.at_most())
    }

    fn group(&mut self) {
        for decides in Decides::ALL {
            let mut groups: Vec<Group> = Vec::new();
            for path in decides.paths().iter().copied().filter(|path| self.reads(*path)) {
                match groups.iter_mut().find(|group| group.on == *self.on(path)) {
                    Some(group) => group.paths.push(path),
                    None => groups.push(Group { decides, paths: vec![path], on: self.on(path).clone() }),
                }
            }
            self.groups.extend(groups);
        }
    }
}

/// The rules put to one member.
pub fn resolve(rules: &Rules, who: &Who) -> Access {
    let switches = &rules.switches;
    let mut access = Access { team_access: switches.team_access, ..Access::default() };
    if who.system && !switches.systems {
        return access;
    }
    access.below = switches.hierarchy.then_some(switches.manager_depth);
    access.below_cap = switches.manager_level;
    let mut denied_create = false;
    for role in who.roles.iter().map(String::as_str).chain([EVERY]) {
        let of_role = Role::of(rules, role, who);
        for (held, given) in access.paths.iter_mut().zip(&of_role.paths) {
            held.add(given);
        }
        access.create |= of_role.create;
        access.hard_delete |= of_role.hard_delete;
        denied_create |= of_role.denies_create;
        if let Some(stages) = of_role.switches.stages {
            let stages: BTreeSet<String> = stages.into_iter().collect();
            let seen = access.hidden.stages.take();
            access.hidden.stages =
                Some(seen.map_or(stages.clone(), |seen| seen.intersection(&stages).cloned().collect()));
        }
    }
    deny(&mut access, rules, who);
    let cap = if who.analyst_login { Some(Level::Read) } else { who.level_cap };
    if !switches.admin || !who.can("all_records") {
        access.paths[Path::Admin.number()] = OnPath::default();
    }
    for path in Path::ALL {
        let on_path = &mut access.paths[path.number()];
        on_path.limit(|rights| rights.capped(cap));
        let hides = who.personal && switches.view_modes && !matches!(path, Path::Own | Path::Created);
        if hides || !on_path.reads() {
            *on_path = OnPath::default();
        }
    }
    access.create &= !denied_create && cap != Some(Level::Read);
    access.hard_delete &= cap.is_none();
    hide(&mut access, rules, who);
    let said = |role: &str| switches.roles.get(role).map_or(Said::default(), |role| role.batches);
    (access.limits, access.free_export) = Said::most_generous(who.roles.iter().map(|role| said(role)), said(EVERY));
    access.group();
    access
}

fn hide(access: &mut Access, rules: &Rules, who: &Who) {
    if who.is_analyst() && !rules.switches.hiding_binds_analysts {
        access.hidden = Hidden::default();
        return;
    }
    access.hidden.sensitive = !who.can("see_sensitive") && who.rank < rules.switches.sensitive_rank;
    access.hidden.except_own = rules.switches.exempt_owner;
}

/// What one role forbids is forbidden on every path that it names, whatever other roles give.
fn deny(access: &mut Access, rules: &Rules, who: &Who) {
    for rule in &rules.rules {
        let Effect::Deny(rights) = rule.effect else { continue };
        if rule.role.as_ref().is_some_and(|role| !who.roles.contains(role)) {
            continue;
        }
        for path in Path::ALL.into_iter().filter(|path| rule.path.is_none_or(|named| named == *path)) {
            let on_path = &mut access.paths[path.number()];
            if rule.statuses.is_empty() {
                on_path.take(rights);
            } else {
                on_path.denied.push((rights, rule.statuses.clone()));
            }
        }
    }
}

/// A path on which the rules give a role something and do not let it read; that could not work.
pub fn unreadable(rules: &Rules, role: &str) -> Option<(Path, Rights)> {
    let given = |path: Path| {
        let of_path =
            rules.rules.iter().filter(|rule| rule.role.as_deref().unwrap_or(EVERY) == role && rule.path == Some(path));
        of_path.fold(Rights::NONE, |sum, rule| if let Effect::Allow(rights) = rule.effect { sum | rights } else { sum })
    };
    let shows_all = rules.switches.roles.get(role).is_some_and(|switches| switches.visibility == Extent::All);
    Path::ALL.into_iter().map(|path| (path, given(path))).find(|(path, rights)| {
        let implied = rules.switches.edit_implies_read && rights.has(Rights::UPDATE);
        let reads = rights.has(Rights::READ) || implied || (shows_all && *path == Path::Organization);
        !rights.is_empty() && !reads
    })
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
