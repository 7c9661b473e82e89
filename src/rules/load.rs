//! The rules of a table as they are stored. Read without an executor: the first query of every connection needs them.

use crate::errors::bug;
use crate::ffi::scan::{Equal, Table, Tuple};
use crate::ffi::session;
use crate::ffi::snapshot;
use crate::ffi::sql::Sees;
use crate::model::rules::{Effect, Rule, Rules, Switches};
use pgrx::pg_sys::Oid;
use std::ffi::{CStr, CString};

/// Whether the database holds rules: those that are not updated to 0.4.0 do not.
pub(crate) fn are_there() -> bool {
    session::own_relation(c"access_rule") != Oid::INVALID
}

/// The preset that there was before there were rules. A snapshot from before the update sees none of them.
const FIRST: &str = "sales_hierarchy";

/// In the state that `sees` stands for.
pub(crate) fn of(target: Oid, sees: Sees) -> Rules {
    if !are_there() {
        return Rules::before_there_were_any();
    }
    let mut rules = match sees {
        Sees::Statement => read(target),
        Sees::Now => snapshot::with_latest(|| read(target)),
    };
    rules.switches.governed = session::is_governed();
    rules
}

fn read(target: Oid) -> Rules {
    let mut found = Rules { rules: Vec::new(), switches: Switches::default() };
    let of_table = Equal::Oid(target);
    let mut registered = None;
    each(c"protected_table", c"protected_table_pkey", (c"target", of_table), |row| {
        registered = Some((row.text(c"preset"), row.text(c"object")));
    });
    let Some((preset, object)) = registered else { return found };
    let Ok(named) = CString::new(preset.as_str()) else { return found };
    let of_preset = (c"preset", Equal::Text(&named));

    // A rule of the table takes the place of the preset's.
    let mut stored = Vec::new();
    each(c"access_rule", c"access_rule_pkey", (c"target", of_table), |row| stored.push(Stored::of(row)));
    let own = stored.len();
    each(c"preset_rule", c"preset_rule_pkey", of_preset, |row| {
        let rule = Stored::of(row);
        if ["*", &object].contains(&row.text(c"object").as_str()) && !stored[..own].iter().any(|o| o.key == rule.key) {
            stored.push(rule);
        }
    });
    if stored.is_empty() && preset == FIRST {
        return Rules::before_there_were_any();
    }
    found.rules = stored.iter().map(Stored::parsed).filter(|rule| rule.effect != Effect::Nothing).collect();

    // Of switches, later ones take the place of earlier ones: every kind of object, this kind, the table.
    let mut set = |row: &Row| {
        let [name, role, value] = [c"switch", c"role", c"value"].map(|column| row.text(column));
        if !found.switches.set(&name, &role, &value) {
            bug(&format!("switch {name} cannot be {value}"));
        }
    };
    for of in ["*", &object] {
        each(c"preset_switch", c"preset_switch_pkey", of_preset, |row| {
            if row.text(c"object") == of {
                set(row);
            }
        });
    }
    each(c"table_switch", c"table_switch_pkey", (c"target", of_table), set);
    found
}

/// A rule, not understood yet.
struct Stored {
    /// Role, path, action and statuses: what it is about.
    key: ([String; 3], Vec<String>),
    effect: String,
}

impl Stored {
    fn of(row: &Row) -> Stored {
        let key = ([c"role", c"path", c"action"].map(|column| row.text(column)), row.texts(c"statuses"));
        Stored { key, effect: row.text(c"effect") }
    }

    fn parsed(&self) -> Rule {
        let ([role, path, action], statuses) = &self.key;
        // One that denies must not be passed over.
        Rule::parse(role, path, action, statuses, &self.effect)
            .unwrap_or_else(|reason| bug(&format!("a stored rule cannot be understood: {reason}")))
    }
}

struct Row<'a> {
    table: &'a Table,
    tuple: &'a Tuple,
}

impl Row<'_> {
    fn text(&self, column: &CStr) -> String {
        self.tuple.text(self.table.column(column)).unwrap_or_default()
    }

    fn texts(&self, column: &CStr) -> Vec<String> {
        self.tuple.texts(self.table.column(column))
    }
}

/// Every row of a table whose first column of an index is so.
fn each(table: &CStr, index: &CStr, (column, value): (&CStr, Equal), mut body: impl FnMut(&Row)) {
    let table = Table::open(table);
    table.scan(Some(index), &[(table.column(column), value)], |tuple| {
        body(&Row { table: &table, tuple });
        true
    });
}
