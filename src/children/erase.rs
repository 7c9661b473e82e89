//! Erasing what a note says, and taking away what belongs to a record that is purged. Both leave a proof.

use super::{Child, Kind, find, guard, of, organization, owner};
use crate::arguments::required;
use crate::audit::{self, Event};
use crate::errors::{self, bad_argument, refused};
use crate::ffi::sql::{self, Param, Sees};
use crate::guard::{Purpose, Sanction};
use crate::identity;
use crate::names;
use crate::questions::record::{Column, as_caller};
use crate::visibility;
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

/// Blanks the content of a note. The capability hard_delete and sight of the note, or a superuser; 42501, 22023.
#[pg_extern(sql = false)]
fn erase_note(target: Option<Oid>, record: Option<&str>, reason: Option<&str>) {
    let reason = required(reason.filter(|reason| !reason.trim().is_empty()), "the reason");
    let record = required(record, "the note");
    let Some(child) = target.and_then(find).filter(|child| child.kind == Kind::Notes) else {
        bad_argument(format!("{} is no table of notes", names::shown_argument(target)))
            .hint("leadguard.protect_notes secures one; the view leadguard.protected_children lists those that are.")
            .raise()
    };
    let shown = names::shown(child.target);
    let subject = visibility::now();
    match &subject.member {
        None if identity::is_superuser() => {}
        None => errors::no_identity("erase_note", &shown),
        Some(member) if !subject.has_capability("hard_delete") || subject.mode == Some(identity::Mode::Analyst) => {
            refused(format!("erasing a note of {shown} refused for \"{}\"", member.key))
                .detail("It takes the capability hard_delete.")
                .hint("A data owner can do it.")
                .raise()
        }
        Some(_) => {}
    }
    owner::require_trusted(&child, "erase_note");
    let id = column(&child, child.id.as_ref());
    let notes = notes(&child, &id, record);
    let Some(note) = notes.first() else { errors::no_such_record(&shown, record) };
    erase(&child, &id, note, reason);
}

struct Note {
    id: String,
    parent: String,
    content: Option<String>,
}

/// A registered column that names a note or its record; 42501 when it is gone.
fn column(child: &Child, name: Option<&String>) -> Column {
    let name = name.map_or("id", String::as_str);
    Column::of(child.target, name).unwrap_or_else(|| guard::no_column(child.target, name))
}

/// The notes that the caller sees: those with this value in `by`.
fn notes(child: &Child, by: &Column, value: &str) -> Vec<Note> {
    let Some(value) = by.canonical(value) else { return Vec::new() };
    let (condition, param) = by.is(1, &value);
    let text = format!(
        "SELECT {}::pg_catalog.text, {}::pg_catalog.text, {}::pg_catalog.text, {}::pg_catalog.text FROM {} \
         WHERE {condition}",
        by.quoted,
        column(child, child.id.as_ref()).quoted,
        names::quote(&child.parent_column),
        names::quote(&child.content),
        names::shown(child.target)
    );
    let mut found = Vec::new();
    as_caller(|| {
        sql::query_once(&text, &[param], Sees::Now, &mut |row| {
            // A collation may call two different texts equal.
            if row.text(0).as_deref() == Some(value.as_str())
                && let (Some(id), Some(parent)) = (row.text(1), row.text(2))
            {
                found.push(Note { id, parent, content: row.text(3) });
            }
        })
    });
    found
}

fn erase(child: &Child, id: &Column, note: &Note, reason: &str) {
    let relation = names::shown(child.target);
    let (condition, param) = id.is(1, &note.id);
    let text =
        format!("UPDATE {relation} SET {} = CASE WHEN $2 THEN '' END WHERE {condition}", names::quote(&child.content));
    let params = [param, Param::Bool(is_not_null(child))];
    let sanction = Sanction::of(child.target, &note.id, Purpose::Erase, Some(reason));
    if crate::guard::sanction(sanction, || sql::query_once(&text, &params, Sees::Now, &mut |_| {})) == 0 {
        errors::no_such_record(&relation, &note.id);
    }
    prove(child, note, reason);
}

fn is_not_null(child: &Child) -> bool {
    sql::first_int(
        "SELECT 1::bigint FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) $1 \
         AND a.attname OPERATOR(pg_catalog.=) $2::pg_catalog.name AND a.attnotnull",
        &[Param::Oid(child.target), Param::Text(Some(&child.content))],
        Sees::Now,
    )
    .is_some()
}

/// What stays of a note: who erased it, when, why, and the digest of what it said.
fn prove(child: &Child, note: &Note, reason: &str) {
    let subject = visibility::now();
    let digest = note.content.as_ref().map(|content| audit::digest(&note.id, &child.content, content));
    let organization = organization(&subject, child);
    let params = [
        Param::Oid(child.target),
        Param::Text(Some(&note.id)),
        Param::Text(Some(&note.parent)),
        Param::Int(organization),
        Param::Int(subject.member.as_ref().map(|m| m.id)),
        Param::Text(Some(reason)),
        Param::Text(digest.as_deref()),
    ];
    audit::proving(|| {
        sql::query(
            "INSERT INTO leadguard.erasure (target, record, parent_record, org_id, erased_by, reason, digest) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    });
    audit::erase_values(child.target, &note.id);
    let event = Event {
        target: Some(child.target),
        record: Some(&note.id),
        action: "erase",
        reason: Some(reason),
        approval: None,
        detail: None,
    };
    audit::event_of(&event, organization);
}

/// Takes away the notes and tags of a record that is being purged. Whoever purges has shown his right. 42501 where the
/// owner of one of the tables is not to be trusted with it: a purge that leaves notes behind would be none.
pub(crate) fn purge(parent: Oid, record: &str) {
    let children = of(parent);
    children.iter().for_each(|child| owner::require_trusted(child, "purge"));
    for child in children {
        let by = column(&child, Some(&child.parent_column));
        if child.kind == Kind::Notes {
            notes(&child, &by, record).iter().for_each(|note| prove(&child, note, "its record was purged"));
        }
        let Some(value) = by.canonical(record) else { continue };
        let (condition, param) = by.is(1, &value);
        let text = format!("DELETE FROM {} WHERE {condition}", names::shown(child.target));
        let sanction = Sanction::of(child.target, &value, Purpose::Purge, None);
        crate::guard::sanction(sanction, || sql::query_once(&text, &[param], Sees::Now, &mut |_| {}));
    }
}
