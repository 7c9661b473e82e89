//! Changes of a field along defined transitions.

use super::fields::{How, Resolved};
use super::judged::{self, Judged};
use super::write::Write;
use crate::errors::refused;
use crate::ffi::row::Values;
use crate::ffi::trigger::Row;
use crate::fields::transition::{Transition, Wanted};

pub(super) fn check(
    column: &Judged,
    resolved: &Resolved,
    write: &Write,
    row: &Row,
    (old, new): (&Values, &Values),
    how: How,
) {
    let name = column.attribute.name.as_str();
    let mut defined = resolved.rules.transitions.iter().filter(|t| t.column.name == name).peekable();
    // A new row may leave the field empty, and may say what the column gets anyway.
    if defined.peek().is_none() || old.is_same(new, &column.attribute) {
        return;
    }
    let from = if how == How::Insert { None } else { old.text(&column.attribute) };
    let to = new.text(&column.attribute);
    let roles = &resolved.member.roles;
    let possible: Vec<&Transition> = defined.filter(|t| t.is_from(from.as_deref()) && t.is_for(roles)).collect();
    let mut unmet: Option<&(String, Wanted)> = None;
    for transition in possible.iter().filter(|t| Some(t.to.as_str()) == to.as_deref()) {
        // Other triggers may yet fill the columns of a condition: it is judged on the stored row.
        let failing = transition.condition.iter().find(|(column, wanted)| !is_met(write, new, column, wanted));
        if write.before || failing.is_none() {
            return;
        }
        unmet = unmet.or(failing);
    }
    let refusal =
        refused(format!("this change of {} is not possible for \"{}\"", column.shown(write, ""), resolved.member.key));
    if how != How::Insert && column.is_unreadable(write, row) {
        refusal
            .detail(format!(
                "No such transition is defined, or its condition is not met; the present value is not shown to \"{}\".",
                resolved.member.key
            ))
            .hint("A member to whom the column is shown in clear on this record learns what is possible.")
            .raise();
    }
    if let Some((column, wanted)) = unmet {
        if judged::hides(resolved, write, row, column) {
            refusal
                .detail(format!(
                    "It has a condition on column \"{column}\", which is not shown to \"{}\".",
                    resolved.member.key
                ))
                .hint("A member to whom that column is shown in clear on this record learns what is missing.")
                .raise();
        }
        let needs = match wanted {
            Wanted::Present => format!("a value in column \"{column}\""),
            Wanted::Absent => format!("no value in column \"{column}\""),
            Wanted::OneOf(values) => format!("in column \"{column}\" one of {}", list(values)),
            Wanted::Unknown => "a condition that is not understood".to_owned(),
        };
        refusal.detail(format!("The change needs {needs}.")).hint("Set both in one statement.").raise();
    }
    let mut next: Vec<&String> = possible.iter().map(|transition| &transition.to).collect();
    next.dedup();
    let hint = match (next.is_empty(), how) {
        (true, How::Insert) => "No first value is defined for a new row; leave the column out.".to_owned(),
        (true, _) => "No change from the present value is defined for this member.".to_owned(),
        (false, How::Insert) => format!("A new row may have: {}.", list(next)),
        (false, _) => format!("Possible from the present value: {}.", list(next)),
    };
    refusal
        .detail(format!("No such transition is defined; {}.", judged::roles(roles, &resolved.member.key)))
        .hint(hint)
        .raise()
}

/// Whether the new row fulfils one part of a condition; a column that is not there fulfils none.
fn is_met(write: &Write, new: &Values, column: &str, wanted: &Wanted) -> bool {
    let fields = write.columns.fields.as_ref();
    fields.and_then(|fields| fields.attribute(column)).is_some_and(|a| wanted.is_met(new.text(a).as_deref()))
}

/// Values of a rule in a message.
pub(super) fn list<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    const MOST: usize = 20;
    let mut values = values.into_iter();
    let mut shown: Vec<String> = values.by_ref().take(MOST).map(|value| format!("\"{}\"", value.as_ref())).collect();
    if values.next().is_some() {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}
