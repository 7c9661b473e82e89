//! Rules about which records roles reach, and what they may do there.
//!
//! load       the rules of a table as they are stored
//! change     setting rules and switches, and the preset
//! matrix     what they come to, as a table
//! sensitive  marking records
//!
//! What they come to for a member is computed in model::access; policies, guards and questions take it from there.
//! Tests: tests/presets, tests/property.

mod change;
pub(crate) mod load;
mod matrix;
mod sensitive;

use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::path::Path;
use crate::model::rules::{Effect, Rules};
use pgrx::pg_sys::Oid;

/// Whether some rule asks who created a row: only then policies name that column.
fn asks_creator(rules: &Rules) -> bool {
    rules.rules.iter().any(|rule| rule.path == Some(Path::Created) && matches!(rule.effect, Effect::Allow(_)))
}

pub(crate) fn use_creator(target: Oid) -> bool {
    asks_creator(&load::of(target, Sees::Now))
}

/// The same for a table that is about to be protected.
pub(crate) fn preset_uses_creator(preset: &str, object: &str) -> bool {
    load::are_there()
        && as_extension(|| {
            sql::first_int(
                "SELECT 1 FROM leadguard.preset_rule WHERE preset = $1 AND object IN ('*', $2) AND path = 'created' LIMIT 1",
                &[Param::Text(Some(preset)), Param::Text(Some(object))],
                Sees::Now,
            )
        })
        .is_some()
}
