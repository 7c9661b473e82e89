//! The right to change the contacts of a record: that of updating it, in the newest state.

use crate::errors::refused;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::{Right, lasting, writes};
use crate::model::rights::Rights;
use crate::names;
use crate::questions::record::Target;
use pgrx::pg_sys::Oid;

/// A contact that the caller may change, locked.
pub(super) struct Contact {
    pub right: Right,
    pub id: i64,
    /// Whether it is a member, who has access by it.
    pub member: bool,
    pub buyer: bool,
    pub removed: bool,
}

impl Contact {
    /// One answer for a contact that is not there and one of a record that the caller cannot read.
    pub(super) fn find(operation: &str, id: i64) -> Contact {
        writes(operation, &|| format!("contact {id}"));
        let absent = || refused(format!("contact {id} does not exist or is not visible"));
        let right = of(id).and_then(|(target, record)| {
            Right::seek(operation, Target::find(Some(target), Sees::Now), &record, Rights::UPDATE)
        });
        let right = right.unwrap_or_else(|| absent().raise());
        demand_unarchived(operation, &right);
        let mut found = None;
        as_extension(|| {
            sql::query(
                "SELECT member_id, side = 'BUYER', removed_at IS NOT NULL FROM leadguard.record_contact WHERE id = $1 \
                 FOR NO KEY UPDATE",
                &[Param::Int(Some(id))],
                Sees::Now,
                &mut |row| found = Some((row.int(0), row.bool(1), row.bool(2))),
            )
        });
        let (member, buyer, removed) = found.unwrap_or_else(|| absent().raise());
        if member.is_some() && !matches!(operation, "contact_mark" | "contact_unmark") {
            demand_no_guest(operation, &right);
        }
        Contact { right, id, member: member.is_some(), buyer, removed }
    }
}

/// The right to add a contact to a record.
pub(super) fn to_add(target: Option<Oid>, record: Option<&str>, is_member: bool) -> Right {
    let right = Right::find("contact_add", target, record, Rights::UPDATE);
    demand_unarchived("contact_add", &right);
    if is_member {
        demand_no_guest("contact_add", &right);
        demand_lasting("contact_add", &right);
    }
    right
}

/// A member who is a contact has access by it until the contact is removed: not by a right that ends.
pub(super) fn demand_lasting(operation: &str, right: &Right) {
    lasting::demand(operation, right, Rights::UPDATE);
}

/// 42501 for a guest: whether members are on a record is not for external people to say, nor who is a member.
fn demand_no_guest(operation: &str, right: &Right) {
    if right.guest {
        refused(format!("{operation} refused: the contact is, or would be, a member"))
            .hint("Guests change contacts that are no members.")
            .raise();
    }
}

/// 42501 for a member who sees archived records: those stay as they are.
fn demand_unarchived(operation: &str, right: &Right) {
    if right.member.is_some() && right.record.archived {
        let table = names::shown(right.target.table.target);
        refused(format!("{operation} on record {} of {table} refused: it is archived", right.record.id))
            .hint("leadguard.restore takes it back.")
            .raise();
    }
}

/// The record of a contact.
fn of(id: i64) -> Option<(Oid, String)> {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT target::oid, record FROM leadguard.record_contact WHERE id = $1",
            &[Param::Int(Some(id))],
            Sees::Now,
            &mut |row| found = row.oid(0).zip(row.text(1)),
        )
    });
    found
}
