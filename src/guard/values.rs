//! Lists of valid values. NULL is always valid.

use super::fields::{How, Resolved};
use super::judged::Judged;
use super::transitions::list;
use super::write::Write;
use crate::errors::failure;
use crate::ffi::row::Values;
use crate::model::keys;

const INVALID: &str = "23514";

pub(super) fn check(column: &Judged, resolved: &Resolved, write: &Write, old: &Values, new: &Values, how: How) {
    let name = column.attribute.name.as_str();
    let Some(value) = new.text(&column.attribute) else { return };
    if let Some(valid) = resolved.rules.valid(name, "") {
        require(column, resolved, write, "", &value, valid);
    }
    let before = if how == How::Insert { None } else { old.text(&column.attribute) };
    for key in &column.keys {
        let Some(valid) = resolved.rules.valid(name, key) else { continue };
        let text = keys::text(&value, key);
        let is_new = before.as_deref().is_none_or(|before| keys::text(before, key) != text);
        if let Some(text) = text.filter(|_| is_new) {
            require(column, resolved, write, key, &text, valid);
        }
    }
}

fn require(column: &Judged, resolved: &Resolved, write: &Write, key: &str, value: &str, valid: &[String]) {
    if valid.iter().any(|v| v == value) {
        return;
    }
    let refusal = failure(INVALID, format!("the new value of {} is not valid", column.shown(write, key)));
    let roles = &resolved.member.roles;
    if resolved.rules.access(column.number, &column.attribute.name, key, roles).reads() {
        refusal.hint(format!("Valid values: {}.", list(valid))).raise();
    }
    refusal.raise()
}
