//! What the presets ship and what a table makes of it, as plain data. The shipped rows are read from the database, so
//! that a test of the rules is not a copy of them; what a table changes is kept here and compared with the views.

use crate::world::{Level, Table, World};
use leadguard_tests::{Client, rows};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub role: String,
    pub path: String,
    pub action: String,
    pub statuses: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    pub key: Key,
    pub effect: String,
}

impl Rule {
    pub fn new(role: &str, path: &str, action: &str, effect: &str, statuses: &[&str]) -> Rule {
        let statuses = statuses.iter().map(|s| s.to_string()).collect();
        let key = Key { role: role.to_string(), path: path.to_string(), action: action.to_string(), statuses };
        Rule { key, effect: effect.to_string() }
    }

    pub fn line(&self) -> Line<'_> {
        Line { key: &self.key, effect: &self.effect }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub rank: i64,
    pub capabilities: BTreeSet<String>,
    pub cap: Option<Level>,
}

#[derive(Clone, Debug)]
pub struct Switch {
    pub per_role: bool,
    pub choices: Vec<String>,
    pub default: String,
}

/// How a preset sets a switch.
pub struct Value {
    pub preset: String,
    pub object: String,
    pub switch: String,
    pub role: String,
    pub value: String,
}

/// The shipped rows.
#[derive(Default)]
pub struct Presets {
    /// By preset: object and rule.
    pub rules: BTreeMap<String, Vec<(String, Rule)>>,
    pub switches: BTreeMap<String, Switch>,
    pub values: Vec<Value>,
    pub roles: BTreeMap<String, Role>,
    /// The roles of each vocabulary.
    pub vocabulary: BTreeMap<String, Vec<String>>,
}

pub const PRESETS: [&str; 4] = ["sales_hierarchy", "four_role", "decision_site", "organization"];
pub const OBJECTS: [&str; 5] = ["lead", "campaign", "deal", "segment", "account"];

impl Presets {
    pub fn read(admin: &mut Client) -> Presets {
        let mut presets = Presets::default();
        for row in rows(
            admin,
            "SELECT preset, object, role, path, action, effect, array_to_string(statuses, ',') FROM leadguard.preset_rule",
        ) {
            let rule = Rule::new(&row[2], &row[3], &row[4], &row[5], &split(&row[6]));
            presets.rules.entry(row[0].clone()).or_default().push((row[1].clone(), rule));
        }
        for row in rows(
            admin,
            "SELECT name, per_role, array_to_string(choices, ','), default_value FROM leadguard.access_switch",
        ) {
            let choices = split(&row[2]).into_iter().map(str::to_string).collect();
            let switch = Switch { per_role: row[1] == "t", choices, default: row[3].clone() };
            presets.switches.insert(row[0].clone(), switch);
        }
        for row in rows(admin, "SELECT preset, object, switch, role, value FROM leadguard.preset_switch") {
            let [preset, object, switch, role, value] = <[String; 5]>::try_from(row).expect("five columns");
            presets.values.push(Value { preset, object, switch, role, value });
        }
        for row in rows(
            admin,
            "SELECT name, preset, rank, array_to_string(capabilities, ','), coalesce(level_cap, '')
             FROM leadguard.role WHERE org_id IS NULL",
        ) {
            presets.vocabulary.entry(row[1].clone()).or_default().push(row[0].clone());
            presets.roles.insert(row[0].clone(), role(&row[2], &row[3], &row[4]));
        }
        presets
    }
}

fn role(rank: &str, capabilities: &str, cap: &str) -> Role {
    Role {
        rank: rank.parse().expect("rank"),
        capabilities: split(capabilities).into_iter().map(str::to_string).collect(),
        cap: Level::ALL.into_iter().find(|level| level.name() == cap),
    }
}

fn split(list: &str) -> Vec<&str> {
    list.split(',').filter(|item| !item.is_empty()).collect()
}

/// A rule without a copy of it: the reference asks for them all the time.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    pub key: &'a Key,
    pub effect: &'a str,
}

impl Line<'_> {
    pub fn denies(&self) -> bool {
        self.effect == "deny"
    }

    /// `None` stands for any status: whether there is one under which the rule holds.
    pub fn holds(&self, status: Option<Option<&str>>) -> bool {
        self.key.statuses.is_empty()
            || match status {
                None => true,
                Some(value) => value.is_some_and(|v| self.key.statuses.iter().any(|s| s == v)),
            }
    }
}

impl Table {
    /// The preset's rules, with what the table puts in their place; `none` leaves nothing.
    pub fn rulebook<'a>(&'a self, presets: &'a Presets) -> Vec<Line<'a>> {
        let shipped = presets.rules[&self.preset]
            .iter()
            .filter(|(object, rule)| (object == "*" || *object == self.object) && !self.rules.contains_key(&rule.key))
            .map(|(_, rule)| rule)
            .map(|rule| Line { key: &rule.key, effect: &rule.effect });
        let own = self.rules.iter().filter(|(_, effect)| *effect != "none").map(|(key, effect)| Line { key, effect });
        shipped.chain(own).collect()
    }

    pub fn preset_value<'a>(&self, presets: &'a Presets, switch: &str, role: &str) -> &'a str {
        let value = |object: &str| {
            let shipped = presets.values.iter();
            let mut of_object = shipped.filter(|v| v.preset == self.preset && v.object == object);
            of_object.find(|v| v.switch == switch && v.role == role).map(|v| v.value.as_str())
        };
        value(&self.object).or_else(|| value("*")).unwrap_or(&presets.switches[switch].default)
    }

    /// `role` is empty for a switch that has one value.
    pub fn value<'a>(&'a self, presets: &'a Presets, switch: &str, role: &str) -> &'a str {
        let mut set = self.switches.iter();
        match set.find(|((name, of), _)| name == switch && of == role) {
            Some((_, value)) => value,
            None => self.preset_value(presets, switch, role),
        }
    }
}

impl World {
    pub fn on(&self, table: usize, switch: &str) -> bool {
        self.tables[table].value(&self.presets, switch, "") == "on"
    }

    pub fn number(&self, table: usize, switch: &str) -> i64 {
        let value = self.tables[table].value(&self.presets, switch, "");
        value.trim().parse().unwrap_or_else(|_| panic!("{switch} is a number, not {value}"))
    }
}
