//! The rules of a table as they are stored.

use crate::errors::bug;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::model::rules::{Rule, Rules, Switches};
use pgrx::pg_sys::Oid;

/// Whether the database holds rules: those that are not updated to 0.4.0 do not.
pub(crate) fn are_there() -> bool {
    session::own_relation(c"access_rule") != Oid::INVALID
}

/// In the state that `sees` stands for.
pub(crate) fn of(target: Oid, sees: Sees) -> Rules {
    if !are_there() {
        return Rules::before_there_were_any();
    }
    let mut found = Rules { rules: Vec::new(), switches: Switches::default() };
    as_extension(|| {
        let params = [Param::Oid(target)];
        sql::query(include_str!("../../sql/query/rules.sql"), &params, sees, &mut |row| {
            let text = |column| row.text(column).unwrap_or_default();
            let rule = serde_json::from_str::<Vec<String>>(&text(3))
                .map_err(|e| e.to_string())
                .and_then(|statuses| Rule::parse(&text(0), &text(1), &text(2), &statuses, &text(4)));
            match rule {
                Ok(rule) => found.rules.push(rule),
                // One that denies must not be passed over.
                Err(reason) => bug(&format!("a stored rule cannot be understood: {reason}")),
            }
        });
        sql::query(include_str!("../../sql/query/switches.sql"), &params, sees, &mut |row| {
            let text = |column| row.text(column).unwrap_or_default();
            if !found.switches.set(&text(0), &text(1), &text(2)) {
                bug(&format!("switch {} cannot be {}", text(0), text(2)));
            }
        });
    });
    if found.rules.is_empty() && !are_visible(sees) { Rules::before_there_were_any() } else { found }
}

/// A snapshot from before the update sees the tables of the rules, and no rule in them.
fn are_visible(sees: Sees) -> bool {
    as_extension(|| sql::first_int("SELECT 1 FROM leadguard.preset_rule LIMIT 1", &[], sees)).is_some()
}
