//! The right to change the contacts of a record: that of updating it, in the newest state.

use crate::errors::{self, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::{self, Mode};
use crate::model::level::{Action, Level};
use crate::names;
use crate::questions::paths;
use crate::questions::record::{Record, Target, subject};
use pgrx::pg_sys::Oid;

/// What is needed to change contacts of a record.
pub(super) struct Editor {
    pub target: Target,
    pub record: Record,
    /// None for a superuser who is no member.
    pub member: Option<i64>,
    pub guest: bool,
}

/// A contact that the caller may change, locked.
pub(super) struct Contact {
    pub editor: Editor,
    pub id: i64,
    pub buyer: bool,
    pub removed: bool,
}

impl Editor {
    /// None for a record that is not there and one that the caller cannot read; 42501 for one that he only reads.
    pub(super) fn find(operation: &str, on: &str, target: Option<Oid>, record: &str) -> Option<Editor> {
        may_write(operation, on);
        let target = Target::find(target, Sees::Now);
        let record = target.read(record, Sees::Now)?;
        let subject = subject(Sees::Now);
        let member = subject.member.as_ref();
        if let Some(member) = member {
            let level = paths::level_of(&target, &record, member.id, Sees::Now);
            if level == Level::None {
                return None;
            }
            let missing = if level < Action::Update.needs() {
                Some(format!("The level on this record is {}; edit is needed.", level.name()))
            } else {
                record.archived.then(|| "The record is archived.".to_owned())
            };
            if let Some(missing) = missing {
                let table = names::shown(target.table.target);
                refused(format!("{operation} on record {} of {table} refused", record.id))
                    .detail(missing)
                    .hint("Whoever may update a record changes its contacts.")
                    .raise();
            }
        }
        Some(Editor { member: member.map(|m| m.id), guest: member.is_some_and(|m| m.guest), target, record })
    }

    /// 42501 for a guest: whether members are on a record is not for external people to say, nor who is a member.
    pub(super) fn demand_no_guest(&self, operation: &str) {
        if self.guest {
            refused(format!("{operation} refused: the contact is, or would be, a member"))
                .hint("Guests change contacts that are no members.")
                .raise();
        }
    }
}

/// 42501 for nobody and for logins that only read.
fn may_write(operation: &str, on: &str) {
    let subject = subject(Sees::Now);
    match &subject.member {
        None if identity::is_superuser() => {}
        None => errors::no_identity(operation, on),
        Some(_) if subject.mode == Some(Mode::Analyst) => errors::read_only_login(operation, on),
        Some(member) if member.level_cap == Some(Level::Read) => errors::view_only(operation, on, &member.key),
        Some(_) => {}
    }
}

impl Contact {
    /// One answer for a contact that is not there and one of a record that the caller cannot read.
    pub(super) fn find(operation: &str, id: i64) -> Contact {
        let shown = format!("contact {id}");
        may_write(operation, &shown);
        let editor = of(id).and_then(|(target, record)| Editor::find(operation, &shown, Some(target), &record));
        let Some(editor) = editor else { no_such_contact(id) };
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
        let Some((member, buyer, removed)) = found else { no_such_contact(id) };
        if member.is_some() && !matches!(operation, "contact_mark" | "contact_unmark") {
            editor.demand_no_guest(operation);
        }
        Contact { editor, id, buyer, removed }
    }
}

fn no_such_contact(id: i64) -> ! {
    refused(format!("contact {id} does not exist or is not visible")).raise()
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
