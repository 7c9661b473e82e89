//! Setting rules, switches and the preset of a table. Each takes effect with the next statement of every session.

use super::load;
use crate::activity;
use crate::arguments::{given, required};
use crate::audit::{self, Event};
use crate::errors::{Failure, bad_argument};
use crate::ffi::raise;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::access::unreadable;
use crate::model::path::Path;
use crate::model::rules::{EVERY, Effect, Rule, Switches, for_all_by_default};
use crate::protect;
use crate::rulebook::right::Editor;
use crate::visibility::{Part, Table};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

fn editor(operation: &str, target: Option<Oid>) -> Editor {
    let editor = Editor::with(operation, target, "manage_rules");
    editor.lock();
    editor
}

/// A list without NULL, each value once.
fn statuses(given: Option<Vec<Option<String>>>) -> Vec<String> {
    let mut statuses: Vec<String> = given
        .unwrap_or_default()
        .into_iter()
        .map(|status| status.unwrap_or_else(|| bad_argument("a status is NULL").raise()))
        .collect();
    statuses.sort();
    statuses.dedup();
    statuses
}

fn note(editor: &Editor, action: &'static str, detail: String) {
    audit::event(&Event {
        target: Some(editor.table.target),
        record: None,
        action,
        reason: None,
        approval: None,
        detail: Some(detail),
    });
}

/// Sets one rule. For the table's owner, superusers and members with manage_rules of the table's organization (42501);
/// 22023 for a rule that cannot work.
#[pg_extern(sql = false)]
fn set_rule(
    target: Option<Oid>,
    role: Option<&str>,
    path: Option<&str>,
    action: Option<&str>,
    effect: Option<&str>,
    under: Option<Vec<Option<String>>>,
) {
    let editor = editor("set_rule", target);
    let (role, path) = (required(role, "the role"), required(path, "the path"));
    let (action, effect) = (required(action, "the action"), required(effect, "the effect"));
    let statuses = statuses(under);
    let rule = Rule::parse(role, path, action, &statuses, effect).unwrap_or_else(|why| cannot_work(why).raise());
    if role != EVERY {
        editor.role(role);
    }
    require_columns(&editor.table, &rule);
    let params = [
        Param::Oid(editor.table.target),
        Param::Text(Some(role)),
        Param::Text(Some(path)),
        Param::Text(Some(action)),
        Param::Texts(&statuses),
        Param::Text(Some(effect)),
    ];
    as_extension(|| {
        sql::query(
            "INSERT INTO leadguard.access_rule AS r (target, role, path, action, statuses, effect) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT ON CONSTRAINT access_rule_pkey DO UPDATE SET effect = excluded.effect WHERE r.effect <> excluded.effect",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    });
    settled(&editor, Some(role));
    note(&editor, "set_rule", format!("{role} {path} {action} {effect} {}", statuses.join(",")).trim_end().to_owned());
}

/// Takes back what set_rule said. Who may call and errors: as set_rule.
#[pg_extern(sql = false)]
fn drop_rule(
    target: Option<Oid>,
    role: Option<&str>,
    path: Option<&str>,
    action: Option<&str>,
    under: Option<Vec<Option<String>>>,
) -> bool {
    let editor = editor("drop_rule", target);
    let (role, path, action) = (required(role, "the role"), required(path, "the path"), required(action, "the action"));
    let statuses = statuses(under);
    let params = [
        Param::Oid(editor.table.target),
        Param::Text(Some(role)),
        Param::Text(Some(path)),
        Param::Text(Some(action)),
        Param::Texts(&statuses),
    ];
    let dropped = as_extension(|| {
        sql::query(
            "DELETE FROM leadguard.access_rule WHERE target = $1 AND role = $2 AND path = $3 AND action = $4 AND statuses = $5",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    }) > 0;
    if dropped {
        settled(&editor, Some(role));
        note(&editor, "drop_rule", format!("{role} {path} {action} {}", statuses.join(",")).trim_end().to_owned());
    }
    dropped
}

/// Sets a switch. Who may call and errors: as set_rule.
#[pg_extern(sql = false)]
fn set_switch(target: Option<Oid>, switch: Option<&str>, value: Option<&str>, role: Option<&str>) {
    switch_as("set_switch", target, switch, value, role)
}

/// The switch routing. Who may call and errors: as set_switch.
#[pg_extern(sql = false)]
fn set_routing(target: Option<Oid>, on_insert: Option<bool>) {
    let value = if given(on_insert, "on_insert") { "insert" } else { "off" };
    switch_as("set_routing", target, Some("routing"), Some(value), None)
}

/// `function` is what a refusal names.
fn switch_as(function: &str, target: Option<Oid>, switch: Option<&str>, value: Option<&str>, role: Option<&str>) {
    let editor = editor(function, target);
    let (switch, value) = (required(switch, "the switch"), required(value, "the value"));
    let role = known_switch(&editor, switch, Some(value), role);
    let params =
        [Param::Oid(editor.table.target), Param::Text(Some(switch)), Param::Text(Some(role)), Param::Text(Some(value))];
    as_extension(|| {
        sql::query(
            "INSERT INTO leadguard.table_switch AS s (target, switch, role, value) VALUES ($1, $2, $3, $4) \
             ON CONFLICT ON CONSTRAINT table_switch_pkey DO UPDATE SET value = excluded.value WHERE s.value <> excluded.value",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    });
    if switch == "batch_window" && value != "0" && !activity::is_preloaded() {
        raise::notice(
            "batch_window counts nothing as long as the server does not preload the library (shared_preload_libraries)",
        );
    }
    settled(&editor, None);
    note(&editor, "set_switch", format!("{switch} {value} {role}").trim_end().to_owned());
}

/// Gives a switch the value of the preset again. Who may call and errors: as set_rule.
#[pg_extern(sql = false)]
fn reset_switch(target: Option<Oid>, switch: Option<&str>, role: Option<&str>) -> bool {
    let editor = editor("reset_switch", target);
    let switch = required(switch, "the switch");
    let role = known_switch(&editor, switch, None, role);
    let params = [Param::Oid(editor.table.target), Param::Text(Some(switch)), Param::Text(Some(role))];
    let reset = as_extension(|| {
        sql::query(
            "DELETE FROM leadguard.table_switch WHERE target = $1 AND switch = $2 AND role = $3",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    }) > 0;
    if reset {
        settled(&editor, None);
        note(&editor, "reset_switch", format!("{switch} {role}").trim_end().to_owned());
    }
    reset
}

/// The role that a switch is set for, empty for one that has one value; 22023 for what there is not.
fn known_switch<'a>(editor: &Editor, switch: &str, value: Option<&str>, role: Option<&'a str>) -> &'a str {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT per_role, choices = '{}' OR $2::text IS NULL OR $2 = ANY (choices), array_to_string(choices, ', ') \
             FROM leadguard.access_switch WHERE name = $1",
            &[Param::Text(Some(switch)), Param::Text(value)],
            Sees::Now,
            &mut |row| found = Some((row.bool(0), row.bool(1), row.text(2).unwrap_or_default())),
        )
    });
    let Some((per_role, is_choice, choices)) = found else {
        bad_argument(format!("there is no switch \"{switch}\"")).hint("leadguard.switches lists them.").raise()
    };
    let role = match (per_role, role) {
        (true, Some(role)) if role == EVERY => role,
        (true, Some(role)) => editor.role(role),
        (true, None) if for_all_by_default(switch) => EVERY,
        (true, None) => bad_argument(format!("switch \"{switch}\" has a value for each role"))
            .hint("Pass role => with the name of a role.")
            .raise(),
        (false, None) => "",
        (false, Some(_)) => {
            bad_argument(format!("switch \"{switch}\" has one value for all roles")).hint("Leave the role out.").raise()
        }
    };
    let fits = value.is_none_or(|value| is_choice && Switches::default().set(switch, role, value));
    if !fits {
        let hint = match choices.as_str() {
            "" if for_all_by_default(switch) => "It takes a number, or none.".to_owned(),
            "" => "It takes a number.".to_owned(),
            choices => format!("It is one of {choices}."),
        };
        bad_argument(format!("switch \"{switch}\" cannot be \"{}\"", value.unwrap_or_default())).hint(hint).raise();
    }
    role
}

/// Puts a table under another preset, or says what its rows are. For the table's owner and superusers (42501); 22023.
#[pg_extern(sql = false)]
fn set_preset(target: Option<Oid>, preset: Option<&str>, object: Option<&str>) {
    let preset = protect::arguments::preset(preset);
    let object = object.map(|object| protect::arguments::object(Some(object)));
    let table = protect::owned_table(target);
    let params = [Param::Oid(table.target), Param::Text(Some(&preset)), Param::Text(object.as_deref())];
    as_extension(|| {
        let change =
            "UPDATE leadguard.protected_table SET preset = $2, object = coalesce($3, object) WHERE target = $1";
        sql::query(change, &params, Sees::Now, &mut |_| {});
        for forget in [
            "DELETE FROM leadguard.access_rule WHERE target = $1",
            "DELETE FROM leadguard.table_switch WHERE target = $1",
        ] {
            sql::query(forget, &params[..1], Sees::Now, &mut |_| {});
        }
    });
    protect::follow_rules(table.target);
    audit::event(&Event {
        target: Some(table.target),
        record: None,
        action: "set_preset",
        reason: None,
        approval: None,
        detail: Some(format!("{preset} {}", object.as_deref().unwrap_or_default()).trim_end().to_owned()),
    });
}

fn cannot_work(why: String) -> Failure {
    bad_argument(format!("the rule cannot work: {why}"))
}

/// What a rule looks at must be mapped.
fn require_columns(table: &Table, rule: &Rule) {
    if !rule.statuses.is_empty() && table.status_column.is_none() {
        cannot_work("the table maps no status column".to_owned()).raise();
    }
    let missing = match rule.path {
        Some(Path::Own | Path::Manager | Path::Colleague) => table.column(Part::Owner).is_none(),
        Some(Path::Created) => table.column(Part::Creator).is_none(),
        Some(Path::Territory | Path::TerritoryAncestor | Path::TerritoryManager) => {
            table.column(Part::Territory).is_none()
        }
        Some(Path::Scope) => {
            [Part::Territory, Part::Segment, Part::Parent].into_iter().all(|p| table.column(p).is_none())
        }
        Some(Path::Team) => table.column(Part::Team).is_none(),
        Some(Path::Parent) => table.parent.is_none(),
        _ => false,
    };
    if let Some(path) = rule.path.filter(|_| missing && matches!(rule.effect, Effect::Allow(_))) {
        cannot_work(format!("the table maps no column that decides about the path {}", path.name())).raise();
    }
}

/// After a change: what came out must be able to work, and the policies name the columns that it takes.
fn settled(editor: &Editor, role: Option<&str>) {
    let target = editor.table.target;
    let rules = load::of(target, Sees::Now);
    if let Some(role) = role
        && let Some((path, rights)) = unreadable(&rules, role)
    {
        cannot_work(format!("\"{role}\" may {} on the path {} and not read there", rights.names(), path.name()))
            .detail("PostgreSQL updates and deletes only rows that it shows.")
            .hint("Give access with level edit, or set the switch edit_implies_read to on.")
            .raise();
    }
    protect::follow_rules(target);
}
