//! Tags of the form namespace:tag. Whoever has the namespace's role adds and removes its tags; the rest of the array
//! is free to change. Whoever does not see the tags of a row in clear does not write them: a list that replaces
//! another one removes what it leaves out, and a refusal that depends on it would tell what that is.

use super::fields::{How, Resolved};
use super::judged::{self, Judged};
use super::write::Write;
use crate::errors::refused;
use crate::ffi::row::Values;
use crate::ffi::trigger::Row;
use std::collections::HashSet;

/// Refuses a statement that gives tags which the member does not see, whatever they are.
pub(super) fn require_sight(column: &Judged, resolved: &Resolved, write: &Write, row: &Row) {
    if resolved.rules.has_tags(&column.attribute.name) && column.is_named(write) && column.is_unreadable(write, row) {
        unseen(column, resolved, write);
    }
}

fn unseen(column: &Judged, resolved: &Resolved, write: &Write) -> ! {
    let member = &resolved.member.key;
    refused(format!("the tags in {} may not be changed by \"{member}\"", column.shown(write, "")))
        .detail(format!(
            "They are not shown to \"{member}\" on this record, and a new list would remove those that it lacks."
        ))
        .hint("A member to whom the column is shown in clear on this record changes its tags.")
        .raise()
}

pub(super) fn check(
    column: &Judged,
    resolved: &Resolved,
    write: &Write,
    row: &Row,
    (old, new): (&Values, &Values),
    how: How,
) {
    if !resolved.rules.has_tags(&column.attribute.name) {
        return;
    }
    // What other triggers make of tags is not named either.
    let hidden = || how != How::Insert && column.is_unreadable(write, row);
    let judge = |tag: Option<&str>, added: bool| {
        if !is_allowed(resolved, tag, added) {
            if hidden() {
                unseen(column, resolved, write);
            }
            refuse(resolved, write, tag, added);
        }
    };
    let (Some(before), Some(after)) = (old.texts(&column.attribute), new.texts(&column.attribute)) else {
        refused(format!("{} holds a list of tags only", column.shown(write, "")))
            .hint("Write an array of one dimension.")
            .raise();
    };
    let before: HashSet<Option<String>> = before.into_iter().collect();
    let after: HashSet<Option<String>> = after.into_iter().collect();
    for tag in after.difference(&before) {
        judge(tag.as_deref(), true);
    }
    for tag in before.difference(&after) {
        judge(tag.as_deref(), false);
    }
}

/// The namespace of a well-formed tag.
pub(crate) fn namespace(tag: &str) -> Option<&str> {
    tag.split_once(':').filter(|(space, rest)| !space.is_empty() && !rest.is_empty()).map(|(space, _)| space)
}

/// Whether a tag may appear or go. What is no tag may go, and does not come.
fn is_allowed(resolved: &Resolved, tag: Option<&str>, added: bool) -> bool {
    match tag.and_then(namespace) {
        Some(space) => resolved.rules.namespace(space).is_some_and(|found| resolved.member.roles.contains(&found.role)),
        None => !added,
    }
}

fn refuse(resolved: &Resolved, write: &Write, tag: Option<&str>, added: bool) -> ! {
    let table = write.table.shown();
    let Some((tag, space)) = tag.and_then(|tag| Some((tag, namespace(tag)?))) else {
        let shown = tag.map_or_else(|| "NULL".to_owned(), |tag| format!("\"{tag}\""));
        refused(format!("{shown} is no tag of {table}"))
            .hint("A tag has the form namespace:tag, in a namespace that is known for the table.")
            .raise()
    };
    let member = &resolved.member;
    let found = resolved.rules.namespace(space);
    let verb = if added { "added" } else { "removed" };
    let refusal = refused(format!("tag \"{tag}\" of {table} may not be {verb} by \"{}\"", member.key));
    match found {
        Some(found) => refusal
            .detail(format!(
                "Tags of the namespace \"{space}\" belong to the role \"{}\"; {}.",
                found.role,
                judged::roles(&member.roles, &member.key)
            ))
            .hint(format!("A member with the role \"{}\" adds and removes them.", found.role)),
        None => refusal
            .detail(format!("The namespace \"{space}\" is not known for this table."))
            .hint("A member with the capability manage_fields adds namespaces with leadguard.tag_namespace."),
    }
    .raise()
}
