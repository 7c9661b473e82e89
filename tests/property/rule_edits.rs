//! Random changes of rules and switches, right ones and wrong ones. Where the words of set_rule leave open whether a
//! rule can work, either answer is taken, and the reference follows it.

use crate::checks::describe;
use crate::edits::{Step, refusal, step};
use crate::generate::{chance, pick};
use crate::reference;
use crate::resolve::{Action, Book, PATHS};
use crate::rich::{self, STAGES, STATUSES};
use crate::rulebook::{Line, OBJECTS, PRESETS, Rule};
use crate::sessions::Sessions;
use crate::tally::met;
use crate::world::*;
use leadguard_tests::code;
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::seq::IndexedRandom;

pub fn edit(rng: &mut StdRng, world: &mut World) -> Vec<Step> {
    let at = rng.random_range(0..world.tables.len());
    let before = world.clone();
    let steps = change(rng, world, at);
    // The policies name the creator where rules ask for him, and changing them waits for whoever reads the table.
    if !world.alone && asks_creator(&before, at) != asks_creator(world, at) {
        *world = before;
        return vec![];
    }
    steps
}

fn asks_creator(world: &World, at: usize) -> bool {
    let table = &world.tables[at];
    let created = |line: &Line| line.key.path == "created" && !line.denies();
    table.shape.creator.is_some() && table.rulebook(&world.presets).iter().any(created)
}

fn change(rng: &mut StdRng, world: &mut World, at: usize) -> Vec<Step> {
    match rng.random_range(0..20) {
        0..9 => set_rule(rng, world, at),
        9..11 => drop_rule(rng, world, at),
        11..16 => set_switch(rng, world, at),
        16..18 => reset_switch(rng, world, at),
        18 => wrong(rng, world, at),
        _ if chance(rng, 40) => set_preset(rng, world, at),
        _ => vec![],
    }
}

/// Roles that members have, so that a rule matters, and now and then any other that exists.
fn role(rng: &mut StdRng, world: &World) -> String {
    let held: Vec<String> = world.members.values().flat_map(|m| m.roles.iter().cloned()).collect();
    match rng.random_range(0..10) {
        0..4 => "*".to_string(),
        4 => pick(rng, &rich::pool(world, "system")).expect("roles"),
        _ => pick(rng, &held).unwrap_or_else(|| "*".to_string()),
    }
}

pub fn mapped(shape: &Shape, path: &str) -> bool {
    match path {
        "own" | "manager" | "colleague" => shape.owner.is_some(),
        "created" => shape.creator.is_some(),
        "territory" | "territory_ancestor" | "territory_manager" => shape.territory.is_some(),
        "scope" => shape.territory.is_some() || shape.segment || shape.parent.is_some(),
        "team" => shape.team.is_some(),
        "parent" => shape.parent.is_some(),
        _ => true,
    }
}

fn random_rule(rng: &mut StdRng, world: &World, at: usize) -> Rule {
    let table = &world.tables[at];
    // A rule of the preset or of the table, with another effect.
    if chance(rng, 30) {
        if let Some(rule) = pick(rng, &table.rulebook(&world.presets)) {
            let effects = if rule.key.action == "access" {
                &["none", "read", "edit", "full"][..]
            } else {
                &["none", "allow", "deny"][..]
            };
            return Rule { key: rule.key.clone(), effect: effects.choose(rng).expect("effect").to_string() };
        }
    }
    let role = role(rng, world);
    let path = PATHS.choose(rng).expect("path");
    match rng.random_range(0..10) {
        0 => Rule::new(&role, "*", "create", ["allow", "deny", "none"].choose(rng).expect("effect"), &[]),
        1..6 => {
            let effect = ["read", "edit", "full", "none"].choose(rng).expect("effect");
            Rule::new(&role, path, "access", effect, &[])
        }
        kind => {
            let action = Action::ALL.choose(rng).expect("action").name();
            let mut statuses: Vec<&str> = STATUSES.iter().filter(|_| chance(rng, 40)).copied().collect();
            statuses.sort();
            let conditional = action != "read" && table.shape.status && chance(rng, 50);
            let statuses = if conditional { &statuses[..] } else { &[] };
            if kind < 8 {
                Rule::new(&role, path, action, "allow", statuses)
            } else {
                Rule::new(&role, if chance(rng, 30) { "*" } else { path }, action, "deny", statuses)
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Works,
    Cannot,
    /// The words do not say.
    Open,
}

/// Can the rule work, once it is set?
fn verdict(world: &World, at: usize, rule: &Rule) -> Verdict {
    let (table, key) = (&world.tables[at], &rule.key);
    let mut after = world.clone();
    after.tables[at].rules.insert(key.clone(), rule.effect.clone());
    let book = Book::of(&after, at);
    // The presets have rules with statuses, and a table need not map one.
    let statusless = !key.statuses.is_empty() && !table.shape.status;
    if statusless || (key.path == "*" && key.action != "create" && rule.effect == "allow") {
        return Verdict::Cannot;
    }
    if key.action == "create" || key.path == "*" {
        return Verdict::Works;
    }
    if !mapped(&table.shape, &key.path) {
        return if rule.effect == "none" || rule.line().denies() { Verdict::Open } else { Verdict::Cannot };
    }
    if rule.effect == "none" {
        let others = book.rules().iter().any(|r| r.key.role == key.role && r.key.path == key.path);
        let takes_read = key.action == "access" || key.action == "read";
        return if others && takes_read { Verdict::Open } else { Verdict::Works };
    }
    if rule.line().denies() || key.action == "access" || key.action == "read" {
        return Verdict::Works;
    }
    let own = |role: &str| {
        book.rules().iter().any(|r| {
            r.key.role == role
                && r.key.path == key.path
                && !r.denies()
                && (r.key.action == "access" || r.key.action == "read")
        })
    };
    if own(&key.role) || (world.on(at, "edit_implies_read") && key.action == "update") {
        return Verdict::Works;
    }
    let elsewhere = own("*")
        || world.on(at, "edit_implies_read")
        || book.switch("visibility", &key.role) == "all"
        || book.switch("visibility", &key.role) == "own";
    if elsewhere { Verdict::Open } else { Verdict::Cannot }
}

pub fn arguments(rule: &Rule) -> String {
    let Rule { key, .. } = rule;
    format!("{}, {}, {}", literal(&key.role), literal(&key.path), literal(&key.action))
}

fn set_rule_sql(world: &World, at: usize, rule: &Rule) -> String {
    format!(
        "SELECT leadguard.set_rule({}, {}, {}, {})",
        literal(&world.tables[at].shape.name),
        arguments(rule),
        literal(&rule.effect),
        array(&rule.key.statuses)
    )
}

/// A member sets a rule himself, which takes the capability and a table that his organization has to itself.
pub fn by_member(rng: &mut StdRng, sessions: &mut Sessions, world: &mut World) {
    let (number, at) = (rng.random_range(0..LOGINS + ANALYSTS), rng.random_range(0..world.tables.len()));
    let Some(who) = world.who(number) else { return };
    let rule = random_rule(rng, world, at);
    if verdict(world, at, &rule) != Verdict::Works {
        return;
    }
    let (m, shape) = (&world.members[&who.member], &world.tables[at].shape);
    let may = world.has(who.member, "manage_rules") && !shape.org_column && shape.org == m.org;
    let expected = if may && reference::writes(world, Some(who)) { "ok" } else { "42501" };
    let sql = set_rule_sql(world, at, &rule);
    met(format!("set_rule by a member: {expected}"));
    assert_eq!(code(&mut sessions.people[number], &sql), expected, "{sql}\n{}", describe(world, Some(who), at));
    if expected == "ok" {
        world.tables[at].rules.insert(rule.key, rule.effect);
    }
}

fn set_rule(rng: &mut StdRng, world: &mut World, at: usize) -> Vec<Step> {
    let rule = random_rule(rng, world, at);
    let sql = set_rule_sql(world, at, &rule);
    let verdict = verdict(world, at, &rule);
    met(format!("set_rule: {verdict:?}"));
    if verdict == Verdict::Cannot {
        return vec![refusal(sql, &["22023"])];
    }
    let before = world.clone();
    world.tables[at].rules.insert(rule.key, rule.effect);
    let instead = (verdict == Verdict::Open).then(|| Box::new(before));
    vec![Step { instead, ..step(sql) }]
}

fn drop_rule(rng: &mut StdRng, world: &mut World, at: usize) -> Vec<Step> {
    let set: Vec<Rule> =
        world.tables[at].rules.iter().map(|(key, effect)| Rule { key: key.clone(), effect: effect.clone() }).collect();
    let rule = pick(rng, &set).filter(|_| chance(rng, 90)).unwrap_or_else(|| random_rule(rng, world, at));
    let before = world.clone();
    let had = world.tables[at].rules.remove(&rule.key).is_some();
    let sql = format!(
        "SELECT leadguard.drop_rule({}, {}, {})",
        literal(&world.tables[at].shape.name),
        arguments(&rule),
        array(&rule.key.statuses)
    );
    // Without its read another rule of the table may be left that cannot work.
    vec![Step { answer: Some(if had { "t" } else { "f" }.to_string()), instead: Some(Box::new(before)), ..step(sql) }]
}

fn value(rng: &mut StdRng, world: &World, switch: &str) -> String {
    match switch {
        "stages" => match rng.random_range(0..4) {
            0 => "*".to_string(),
            _ => STAGES.iter().filter(|_| chance(rng, 70)).copied().chain(["won"]).collect::<Vec<_>>().join(","),
        },
        "manager_depth" => rng.random_range(0..4).to_string(),
        "colleagues" if chance(rng, 60) => "on".to_string(),
        "sensitive_rank" => ["1", "10", "50", "51", "101"].choose(rng).expect("rank").to_string(),
        _ => pick(rng, &world.presets.switches[switch].choices).expect("choices"),
    }
}

/// What the reference knows nothing of; other tests do.
const ELSEWHERE: [&str; 10] = [
    "domain_roles",
    "owners_stay",
    "active_days",
    "export",
    "owner_change",
    "previous_owner_access",
    "routing",
    "qualified",
    "claims",
    "schema_changes",
];

fn random_switch(rng: &mut StdRng, world: &World) -> (String, String) {
    let mut names: Vec<String> = world
        .presets
        .switches
        .keys()
        .filter(|name| !ELSEWHERE.contains(&name.as_str()) && !name.starts_with("batch_"))
        .cloned()
        .collect();
    // Those without which other rules and switches mean nothing.
    names.extend(["colleagues", "colleagues", "hierarchy", "edit_implies_read"].map(str::to_string));
    let switch = pick(rng, &names).expect("switches");
    let role = if world.presets.switches[&switch].per_role { role(rng, world) } else { String::new() };
    (switch, role)
}

fn role_argument(role: &str) -> String {
    if role.is_empty() { String::new() } else { format!(", role => {}", literal(role)) }
}

fn set_switch(rng: &mut StdRng, world: &mut World, at: usize) -> Vec<Step> {
    let (switch, role) = random_switch(rng, world);
    let value = value(rng, world, &switch);
    let before = world.clone();
    let sql = format!(
        "SELECT leadguard.set_switch({}, '{switch}', {}{})",
        literal(&world.tables[at].shape.name),
        literal(&value),
        role_argument(&role)
    );
    met(format!("set_switch: {switch}"));
    // Rules that need it may stand in the way.
    let open = switch == "edit_implies_read";
    world.tables[at].switches.insert((switch, role), value);
    vec![Step { instead: open.then(|| Box::new(before)), ..step(sql) }]
}

fn reset_switch(rng: &mut StdRng, world: &mut World, at: usize) -> Vec<Step> {
    let set: Vec<(String, String)> = world.tables[at].switches.keys().cloned().collect();
    let (switch, role) = pick(rng, &set).filter(|_| chance(rng, 90)).unwrap_or_else(|| random_switch(rng, world));
    let before = world.clone();
    let had = world.tables[at].switches.remove(&(switch.clone(), role.clone())).is_some();
    let sql = format!(
        "SELECT leadguard.reset_switch({}, '{switch}'{})",
        literal(&world.tables[at].shape.name),
        role_argument(&role)
    );
    let open = switch == "edit_implies_read";
    let answer = Some(if had { "t" } else { "f" }.to_string());
    vec![Step { answer, instead: open.then(|| Box::new(before)), ..step(sql) }]
}

fn set_preset(rng: &mut StdRng, world: &mut World, at: usize) -> Vec<Step> {
    let table = &mut world.tables[at];
    table.preset = PRESETS.choose(rng).expect("preset").to_string();
    table.rules.clear();
    table.switches.clear();
    let (name, preset) = (literal(&table.shape.name), &table.preset);
    if chance(rng, 50) {
        return vec![step(format!("SELECT leadguard.set_preset({name}, '{preset}')"))];
    }
    table.object = OBJECTS.choose(rng).expect("object").to_string();
    vec![step(format!("SELECT leadguard.set_preset({name}, '{preset}', '{}')", table.object))]
}

/// Calls that say nothing that could hold.
fn wrong(rng: &mut StdRng, world: &World, at: usize) -> Vec<Step> {
    let shape = &world.tables[at].shape;
    let mut calls = vec![
        "set_rule(T, 'nobody knows it', 'own', 'access', 'read')",
        "set_rule(T, '*', 'nowhere', 'access', 'read')",
        "set_rule(T, '*', 'share', 'fly', 'allow')",
        "set_rule(T, '*', 'share', 'access', 'allow')",
        "set_rule(T, '*', 'share', 'access', 'deny')",
        "set_rule(T, '*', 'share', 'update', 'edit')",
        "set_rule(T, '*', '*', 'access', 'read')",
        "set_rule(T, '*', '*', 'update', 'allow')",
        "set_rule(T, '*', 'share', 'access', 'read', '{draft}')",
        "set_rule(T, '*', 'share', 'read', 'allow', '{draft}')",
        "set_rule(T, '*', '*', 'create', 'allow', '{draft}')",
        "set_rule(T, NULL, 'share', 'access', 'read')",
        "set_rule(T, '*', 'share', 'access', NULL)",
        "set_switch(T, 'nothing', 'on')",
        "set_switch(T, 'admin', 'maybe')",
        "set_switch(T, 'admin', 'on', '*')",
        "set_switch(T, 'visibility', 'all')",
        "set_switch(T, 'visibility', 'all', 'nobody knows it')",
        "set_switch(T, 'manager_depth', 'deep')",
        "set_switch(T, 'sensitive_rank', '')",
        "set_switch(T, 'admin', NULL)",
        "set_preset(T, 'none')",
        "set_preset(T, 'four_role', 'house')",
    ];
    if !shape.status {
        calls.push("set_rule(T, '*', 'share', 'update', 'allow', '{draft}')");
    }
    let call = calls.choose(rng).expect("a call").replace('T', &literal(&shape.name));
    vec![refusal(format!("SELECT leadguard.{call}"), &["22023"])]
}
