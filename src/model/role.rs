//! What one role gives on each path, with the switches that it has for itself.

use super::access::{OnPath, Who};
use super::path::Path;
use super::rights::Rights;
use super::rules::{DeleteMode, EVERY, Effect, Extent, RoleSwitches, Rule, Rules};
use std::collections::BTreeSet;

/// What one role gives, before anything is denied.
pub(super) struct Role {
    pub paths: [OnPath; Path::ALL.len()],
    pub create: bool,
    pub denies_create: bool,
    pub hard_delete: bool,
    pub switches: RoleSwitches,
}

/// A path that follows from others where managers reach what those below do.
const DERIVED: [(Path, &[Path]); 3] = [
    (Path::Manager, &[Path::Own]),
    (Path::RecordTeamManager, &[Path::RecordTeam]),
    (Path::TerritoryManager, &[Path::Territory, Path::TerritoryAncestor]),
];

impl Role {
    pub(super) fn of(rules: &Rules, name: &str, who: &Who) -> Role {
        let switches = rules.switches.roles.get(name).cloned().unwrap_or_default();
        let mut role = Role {
            paths: Default::default(),
            create: false,
            denies_create: false,
            hard_delete: switches.delete_mode == DeleteMode::Hard,
            switches,
        };
        let mut named = BTreeSet::new();
        let is_of_role = |rule: &&Rule| rule.role.as_deref().unwrap_or(EVERY) == name;
        for rule in rules.rules.iter().filter(is_of_role) {
            match (rule.effect, rule.path) {
                (Effect::Create(allowed), _) if allowed => role.create = true,
                (Effect::Create(_), _) => role.denies_create = true,
                (Effect::Allow(rights), Some(path)) => {
                    named.insert(path);
                    let on_path = &mut role.paths[path.number()];
                    if rule.statuses.is_empty() {
                        on_path.always |= rights;
                    } else {
                        on_path.under.push((rights, rule.statuses.clone()));
                    }
                }
                _ => {}
            }
        }
        role.derive(rules, &named);
        role.switch(rules, who);
        role
    }

    fn derive(&mut self, rules: &Rules, named: &BTreeSet<Path>) {
        let switches = &rules.switches;
        for (path, from) in DERIVED {
            if !switches.hierarchy {
                self.paths[path.number()] = OnPath::default();
            } else if !named.contains(&path) {
                let mut derived = OnPath::default();
                from.iter().for_each(|from| derived.add(&self.paths[from.number()]));
                derived.limit(|rights| rights.capped(switches.manager_level));
                self.paths[path.number()] = derived;
            }
        }
        if !switches.colleagues {
            self.paths[Path::Colleague.number()] = OnPath::default();
        } else if !named.contains(&Path::Colleague) && self.paths[Path::Own.number()].reads() {
            self.paths[Path::Colleague.number()].always = Rights::READ;
        }
    }

    fn switch(&mut self, rules: &Rules, who: &Who) {
        let switches = &rules.switches;
        if !switches.status_binds_owner {
            for path in [Path::Own, Path::Created] {
                let on_path = &mut self.paths[path.number()];
                on_path.always = on_path.at_most();
                on_path.under.clear();
            }
        }
        if !switches.creator_keeps_edit {
            self.paths[Path::Created.number()].limit(|rights| rights & Rights::READ);
        }
        let mut visibility = self.switches.visibility;
        if visibility == Extent::Own && switches.organization_view.unwrap_or(who.organization_view) {
            visibility = Extent::All;
        }
        if self.switches.edit == Extent::All {
            self.paths[Path::Organization.number()].always |= Rights::UPDATE;
        }
        if visibility == Extent::All {
            self.paths[Path::Organization.number()].always |= Rights::READ;
        }
        for path in Path::ALL {
            let on_path = &mut self.paths[path.number()];
            if !self.switches.edit.includes(path) {
                on_path.take(Rights::UPDATE);
            }
            match self.switches.delete_mode {
                DeleteMode::Rules => {}
                DeleteMode::None => on_path.take(Rights::ARCHIVE),
                DeleteMode::Soft | DeleteMode::Hard => on_path.limit(archived_where_updated),
            }
            if !visibility.includes(path) {
                on_path.limit(|rights| rights - Rights::READ);
            }
            if !on_path.reads() && switches.edit_implies_read && on_path.at_most().has(Rights::UPDATE) {
                on_path.always |= Rights::READ;
            }
            // PostgreSQL updates no row that it does not show.
            if !on_path.reads() {
                *on_path = OnPath::default();
            }
        }
    }
}

/// A role whose DELETE archives does so wherever it updates, and nowhere else.
fn archived_where_updated(rights: Rights) -> Rights {
    if rights.has(Rights::UPDATE) { rights | Rights::ARCHIVE } else { rights - Rights::ARCHIVE }
}
