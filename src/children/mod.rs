//! Notes and tags in tables of their own. They follow a record of a protected table, their parent: who reads it reads
//! them, who edits it adds to them.
//!
//! guard     the triggers: notes are append-only, tags have namespaces
//! erase     the one exception: an erasure, which leaves a proof
//! owner     whose triggers an erasure and a purge may run
//!
//! The policies ask the parent itself, under its own row security. protect::child puts all of it on a table.
//! Tests: tests/notes.

mod erase;
pub(crate) mod guard;
mod owner;

pub(crate) use erase::purge;
pub(crate) use owner::{is_trusted, strangers};

use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::visibility::Subject;
use pgrx::pg_sys::Oid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Notes,
    Tags,
}

/// A table of notes or tags as registered.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub target: Oid,
    pub parent: Oid,
    pub kind: Kind,
    pub id: Option<String>,
    pub parent_column: String,
    pub content: String,
    pub author: Option<String>,
    pub time: Option<String>,
}

fn load(condition: &str, of: Oid) -> Vec<Child> {
    let text = format!(
        "SELECT target::oid, parent::oid, kind, id_column, parent_column, content_column, author_column, time_column \
         FROM leadguard.protected_child WHERE {condition} = $1 ORDER BY target"
    );
    let mut found = Vec::new();
    if !session::is_updated() {
        return found;
    }
    as_extension(|| {
        sql::query_once(&text, &[Param::Oid(of)], Sees::Now, &mut |row| {
            if let (Some(target), Some(parent)) = (row.oid(0), row.oid(1)) {
                found.push(Child {
                    target,
                    parent,
                    kind: if row.text(2).as_deref() == Some("tags") { Kind::Tags } else { Kind::Notes },
                    id: row.text(3),
                    parent_column: row.text(4).unwrap_or_default(),
                    content: row.text(5).unwrap_or_default(),
                    author: row.text(6),
                    time: row.text(7),
                });
            }
        })
    });
    found
}

pub(crate) fn find(target: Oid) -> Option<Child> {
    load("target", target).pop()
}

/// The tables whose rows follow a protected table.
pub(crate) fn of(parent: Oid) -> Vec<Child> {
    load("parent", parent)
}

/// To which organization what happens to the rows of a table belongs: the acting member's or, without one, that of the
/// parent, unless each of its records says so itself.
fn organization(subject: &Subject, child: &Child) -> Option<i64> {
    subject.member.as_ref().map(|m| m.org_id).or_else(|| {
        let parent = subject.table(child.parent);
        Option::as_ref(&parent).filter(|t| t.organization_column.is_none()).map(|t| t.org_id)
    })
}
