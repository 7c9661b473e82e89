//! The rules of one table as they are written: what a role may do on a path, and the switches.

use super::batch::{self, Said};
use super::level::Level;
pub use super::owner_change::OwnerChange;
use super::path::Path;
use super::rights::Rights;
use std::collections::HashMap;

/// One rule of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Empty for `*`: every member.
    pub role: Option<String>,
    /// None for `*`.
    pub path: Option<Path>,
    pub effect: Effect,
    /// Values of the status column under which it holds; empty: always.
    pub statuses: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow(Rights),
    Deny(Rights),
    /// Whether new rows may be inserted.
    Create(bool),
    /// Takes the preset's rule away, and is none itself.
    Nothing,
}

/// What every member is in the column of roles, and every path in that of paths.
pub const EVERY: &str = "*";

impl Rule {
    /// The rule that five columns of a table say; or why there is none.
    pub fn parse(role: &str, path: &str, action: &str, statuses: &[String], effect: &str) -> Result<Rule, String> {
        let role = (role != EVERY).then(|| role.to_owned());
        let path = match path {
            EVERY => None,
            name => Some(
                Path::parse(name).ok_or_else(|| format!("there is no path \"{name}\"; there are {}", Path::NAMES))?,
            ),
        };
        let rule = Rule { role, path, effect: Effect::parse(action, effect)?, statuses: statuses.to_vec() };
        match rule.effect {
            Effect::Create(_) if rule.path.is_some() => {
                return Err("create is not about records that are there: its path is *".to_owned());
            }
            Effect::Allow(_) if rule.path.is_none() => {
                return Err("only create, and what is denied, may be said for all paths".to_owned());
            }
            _ => {}
        }
        let is_conditional = !rule.statuses.is_empty();
        let reads = matches!(rule.effect, Effect::Allow(rights) | Effect::Deny(rights) if rights.has(Rights::READ));
        if is_conditional && (reads || matches!(rule.effect, Effect::Create(_))) {
            return Err(
                "what is read does not depend on a status: PostgreSQL would hide the row from its own UPDATE; \
                        hide by stage instead"
                    .to_owned(),
            );
        }
        Ok(rule)
    }
}

impl Effect {
    fn parse(action: &str, effect: &str) -> Result<Effect, String> {
        if action == "access" {
            return match effect {
                "none" => Ok(Effect::Nothing),
                level => Level::parse(level)
                    .map(|level| Effect::Allow(Rights::of(level)))
                    .ok_or_else(|| "access is none, read, edit or full".to_owned()),
            };
        }
        let allows = match effect {
            "allow" => Some(true),
            "deny" => Some(false),
            "none" => None,
            _ => return Err(format!("{action} is allow, deny or none")),
        };
        match (action, Rights::named(action), allows) {
            ("create", _, Some(allows)) => Ok(Effect::Create(allows)),
            ("create", _, None) | (_, Some(_), None) => Ok(Effect::Nothing),
            (_, Some(right), Some(true)) => Ok(Effect::Allow(right)),
            (_, Some(right), Some(false)) => Ok(Effect::Deny(right)),
            (_, None, _) => Err(format!("there is no action \"{action}\"")),
        }
    }
}

/// How far a role's rights go, apart from what its rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// As the rules say.
    Rules,
    /// Every record of the organization.
    All,
    /// As the rules say, without the path organization.
    Paths,
    Scope,
    Own,
    Invited,
    None,
}

impl Extent {
    pub fn parse(text: &str) -> Option<Extent> {
        Some(match text {
            "rules" => Extent::Rules,
            "all" => Extent::All,
            "paths" => Extent::Paths,
            "scope" => Extent::Scope,
            "own" => Extent::Own,
            "invited" => Extent::Invited,
            "none" => Extent::None,
            _ => return None,
        })
    }

    pub fn includes(self, path: Path) -> bool {
        use Path::*;
        match self {
            Extent::Rules | Extent::All => true,
            Extent::Paths => path != Organization,
            Extent::Scope => {
                let scoped = [Scope, Territory, TerritoryAncestor, TerritoryManager, RecordTeamManager];
                scoped.contains(&path) || Extent::Invited.includes(path)
            }
            Extent::Own => matches!(path, Own | Created) || Extent::Invited.includes(path),
            Extent::Invited => matches!(path, RecordTeam | Share | Contact | Admin),
            Extent::None => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteMode {
    Rules,
    None,
    Soft,
    Hard,
}

/// A hundred years, and a week.
const MOST_DAYS: u32 = 36_500;
const MOST_SECONDS: u32 = 604_800;

/// Whether a switch of roles, set without one, is set for every role that has no value of its own.
pub fn for_all_by_default(switch: &str) -> bool {
    matches!(switch, "batch_insert" | "batch_update" | "batch_archive" | "batch_delete" | "batch_reassign" | "export")
}

/// The switches that each role has for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSwitches {
    pub visibility: Extent,
    pub edit: Extent,
    pub delete_mode: DeleteMode,
    /// None: all of them.
    pub stages: Option<Vec<String>>,
    pub batches: Said,
}

impl Default for RoleSwitches {
    fn default() -> RoleSwitches {
        RoleSwitches {
            visibility: Extent::Rules,
            edit: Extent::Rules,
            delete_mode: DeleteMode::Rules,
            stages: None,
            batches: Said::default(),
        }
    }
}

/// The switches of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    pub edit_implies_read: bool,
    pub status_binds_owner: bool,
    pub exempt_owner: bool,
    pub hierarchy: bool,
    /// None: the same as those below.
    pub manager_level: Option<Level>,
    /// 0: to the top.
    pub manager_depth: u32,
    pub admin: bool,
    pub hiding_binds_analysts: bool,
    pub colleagues: bool,
    pub creator_keeps_edit: bool,
    pub systems: bool,
    pub view_modes: bool,
    /// None: as the organization says.
    pub organization_view: Option<bool>,
    pub team_access: bool,
    pub sensitive_rank: i64,
    pub reason_required: bool,
    /// From how many rows on a transaction's writes are a batch.
    pub batch_from: u64,
    /// How many days after somebody worked on a record it is not cleaned up with others.
    pub active_days: u32,
    /// Over how many seconds rows are counted; 0: in each transaction.
    pub batch_window: u32,
    /// Batches have limits, and are logged: not in databases that are not updated to 0.5.0.
    pub governed: bool,
    pub owner_change: OwnerChange,
    /// What the previous owner keeps after a handoff.
    pub previous_owner: Option<Level>,
    /// New rows without an owner are given to somebody by the rules of assignment.
    pub routes_inserts: bool,
    /// Stages, or statuses, in which a record is qualified.
    pub qualified: Vec<String>,
    /// Whoever reads a record may claim it.
    pub readers_claim: bool,
    pub roles: HashMap<String, RoleSwitches>,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches {
            edit_implies_read: false,
            status_binds_owner: true,
            exempt_owner: true,
            hierarchy: false,
            manager_level: None,
            manager_depth: 0,
            admin: true,
            hiding_binds_analysts: true,
            colleagues: false,
            creator_keeps_edit: true,
            systems: true,
            view_modes: false,
            organization_view: None,
            team_access: false,
            sensitive_rank: 50,
            reason_required: false,
            batch_from: 10,
            active_days: 30,
            batch_window: 0,
            governed: true,
            owner_change: OwnerChange::Free,
            previous_owner: None,
            routes_inserts: false,
            qualified: Vec::new(),
            readers_claim: false,
            roles: HashMap::new(),
        }
    }
}

impl Switches {
    /// Sets one; false for a value that it cannot have. Switches that concern other parts are none of this one's.
    pub fn set(&mut self, name: &str, role: &str, value: &str) -> bool {
        let on = match value {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        };
        let flag = match name {
            "edit_implies_read" => Some(&mut self.edit_implies_read),
            "status_binds_owner" => Some(&mut self.status_binds_owner),
            "exempt_owner" => Some(&mut self.exempt_owner),
            "hierarchy" => Some(&mut self.hierarchy),
            "admin" => Some(&mut self.admin),
            "hiding_binds_analysts" => Some(&mut self.hiding_binds_analysts),
            "colleagues" => Some(&mut self.colleagues),
            "creator_keeps_edit" => Some(&mut self.creator_keeps_edit),
            "view_modes" => Some(&mut self.view_modes),
            "team_access" => Some(&mut self.team_access),
            "reason_required" => Some(&mut self.reason_required),
            _ => None,
        };
        if let Some(flag) = flag {
            return on.map(|on| *flag = on).is_some();
        }
        match name {
            "manager_level" => match (value, Level::parse(value)) {
                ("same", _) => self.manager_level = None,
                (_, Some(level @ (Level::Read | Level::Edit))) => self.manager_level = Some(level),
                _ => return false,
            },
            "manager_depth" => return value.parse().map(|depth| self.manager_depth = depth).is_ok(),
            "sensitive_rank" => return value.parse().map(|rank| self.sensitive_rank = rank).is_ok(),
            "batch_from" => match batch::number(value) {
                Some(rows) if rows > 0 => self.batch_from = u64::from(rows),
                _ => return false,
            },
            "active_days" => match batch::number(value) {
                Some(days) if days <= MOST_DAYS => self.active_days = days,
                _ => return false,
            },
            "batch_window" => match batch::number(value) {
                Some(seconds) if seconds <= MOST_SECONDS => self.batch_window = seconds,
                _ => return false,
            },
            "principals" => match value {
                "all" => self.systems = true,
                "persons" => self.systems = false,
                _ => return false,
            },
            "organization_view" => match (value, on) {
                ("organization", _) => self.organization_view = None,
                (_, Some(on)) => self.organization_view = Some(on),
                _ => return false,
            },
            "owner_change" => match OwnerChange::parse(value) {
                Some(by) => self.owner_change = by,
                None => return false,
            },
            "previous_owner_access" => match (value, Level::parse(value)) {
                ("none", _) => self.previous_owner = None,
                (_, Some(level @ (Level::Read | Level::Edit))) => self.previous_owner = Some(level),
                _ => return false,
            },
            "routing" => match value {
                "off" => self.routes_inserts = false,
                "insert" => self.routes_inserts = true,
                _ => return false,
            },
            "qualified" => {
                let listed = value.split(',').map(|stage| stage.trim().to_owned());
                self.qualified = listed.filter(|stage| !stage.is_empty()).collect();
            }
            "claims" => match value {
                "update" => self.readers_claim = false,
                "read" => self.readers_claim = true,
                _ => return false,
            },
            "visibility" | "edit" | "delete_mode" | "stages" => return self.set_for_role(name, role, value),
            name if for_all_by_default(name) => {
                return self.roles.entry(role.to_owned()).or_default().batches.set(name, value);
            }
            _ => {}
        }
        true
    }

    fn set_for_role(&mut self, name: &str, role: &str, value: &str) -> bool {
        let switches = self.roles.entry(role.to_owned()).or_default();
        match (name, Extent::parse(value)) {
            ("visibility", Some(extent)) => switches.visibility = extent,
            ("edit", Some(extent)) => switches.edit = extent,
            ("delete_mode", _) => {
                switches.delete_mode = match value {
                    "rules" => DeleteMode::Rules,
                    "none" => DeleteMode::None,
                    "soft" => DeleteMode::Soft,
                    "hard" => DeleteMode::Hard,
                    _ => return false,
                }
            }
            ("stages", _) => {
                switches.stages =
                    (value != EVERY).then(|| value.split(',').map(|stage| stage.trim().to_owned()).collect());
            }
            _ => return false,
        }
        true
    }
}

/// All that a table says about access.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    pub rules: Vec<Rule>,
    pub switches: Switches,
}

impl Rules {
    /// The preset sales_hierarchy, for databases that hold no rules yet.
    pub fn before_there_were_any() -> Rules {
        let full = [Path::Own, Path::RecordTeam, Path::Share, Path::Admin].map(|path| (path, Level::Full));
        let edit = [Path::Territory, Path::TerritoryAncestor].map(|path| (path, Level::Edit));
        let mut rules: Vec<Rule> = full
            .into_iter()
            .chain(edit)
            .map(|(path, level)| Rule {
                role: None,
                path: Some(path),
                effect: Effect::Allow(Rights::of(level)),
                statuses: Vec::new(),
            })
            .collect();
        rules.push(Rule { role: None, path: None, effect: Effect::Create(true), statuses: Vec::new() });
        Rules { rules, switches: Switches { hierarchy: true, governed: false, ..Switches::default() } }
    }
}
