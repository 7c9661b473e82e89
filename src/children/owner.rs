//! Whose code runs when a record is purged or a note is erased.
//!
//! Postgres runs triggers, rules and policies of a table with the rights of whoever uses it. That is the usual trust in
//! a table's owner, and who purges a record gives it to the owner of its table by naming that. Tables of notes and tags
//! he does not name: they are reached only while their owner could put the same code on the parent.

use super::Child;
use crate::errors::refused;
use crate::ffi::count;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::names::{self, literal};
use pgrx::pg_sys::Oid;

/// Both owners, as they are named in SQL.
pub(crate) struct Owners {
    pub child: String,
    pub parent: String,
}

/// The owners of a table of notes or tags and of its parent, unless the first could act as the second.
pub(crate) fn strangers(child: Oid, parent: Oid) -> Option<Owners> {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT quote_ident(pg_get_userbyid(c.relowner)), quote_ident(pg_get_userbyid(p.relowner)) \
             FROM pg_class c, pg_class p \
             WHERE c.oid = $1 AND p.oid = $2 AND NOT pg_has_role(c.relowner, p.relowner, 'USAGE')",
            &[Param::Oid(child), Param::Oid(parent)],
            Sees::Now,
            &mut |row| {
                found =
                    Some(Owners { child: row.text(0).unwrap_or_default(), parent: row.text(1).unwrap_or_default() });
            },
        )
    });
    found
}

/// Whether reading a table of notes or tags in the name of whoever asks about their records runs nobody else's code.
pub(crate) fn is_trusted(child: &Child) -> bool {
    count::is_table(child.target) && strangers(child.target, child.parent).is_none()
}

/// 42501 for a table of notes or tags that is not to be touched in the name of `operation`'s caller.
pub(super) fn require_trusted(child: &Child, operation: &str) {
    let Some(owners) = strangers(child.target, child.parent) else { return };
    let (shown, parent) = (names::shown(child.target), names::shown(child.parent));
    refused(format!("{operation} refused: {shown} belongs to {}, who does not own {parent}", owners.child))
        .detail("Triggers of its owner would run with the rights of the caller.")
        .hint(format!(
            "A superuser runs leadguard.unprotect({}); or, when he knows the triggers on {shown}, ALTER TABLE {shown} OWNER TO {}.",
            literal(&shown),
            owners.parent
        ))
        .raise();
}
