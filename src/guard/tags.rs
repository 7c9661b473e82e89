//! Tags of the form namespace:tag. Whoever has the namespace's role adds and removes its tags; the rest of the array
//! is free to change.

use super::fields::Resolved;
use super::judged::{self, Judged};
use super::write::Write;
use crate::errors::refused;
use crate::ffi::row::Values;
use std::collections::HashSet;

pub(super) fn check(column: &Judged, resolved: &Resolved, write: &Write, old: &Values, new: &Values) {
    if !resolved.rules.has_tags(&column.attribute.name) {
        return;
    }
    let (Some(before), Some(after)) = (old.texts(&column.attribute), new.texts(&column.attribute)) else {
        refused(format!("{} holds a list of tags only", column.shown(write, "")))
            .hint("Write an array of one dimension.")
            .raise();
    };
    let before: HashSet<Option<String>> = before.into_iter().collect();
    let after: HashSet<Option<String>> = after.into_iter().collect();
    for tag in after.difference(&before) {
        change(resolved, write, tag.as_deref(), true);
    }
    for tag in before.difference(&after) {
        change(resolved, write, tag.as_deref(), false);
    }
}

/// The namespace of a well-formed tag.
fn namespace(tag: &str) -> Option<&str> {
    tag.split_once(':').filter(|(space, rest)| !space.is_empty() && !rest.is_empty()).map(|(space, _)| space)
}

/// Judges one tag that appears or goes. What is no tag may go, and does not come.
fn change(resolved: &Resolved, write: &Write, tag: Option<&str>, added: bool) {
    let table = write.table.shown();
    let Some((tag, space)) = tag.and_then(|tag| Some((tag, namespace(tag)?))) else {
        if added {
            let shown = tag.map_or_else(|| "NULL".to_owned(), |tag| format!("\"{tag}\""));
            refused(format!("{shown} is no tag of {table}"))
                .hint("A tag has the form namespace:tag, in a namespace that is known for the table.")
                .raise();
        }
        return;
    };
    let member = &resolved.member;
    let found = resolved.rules.namespace(space);
    if found.is_some_and(|found| member.roles.contains(&found.role)) {
        return;
    }
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
