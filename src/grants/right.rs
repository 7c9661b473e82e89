//! The right to give a record away, or to do something else to it, in the newest state, or a superuser who is no member.

use crate::errors::{self, bad_argument, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::{self, Mode};
use crate::model::level::Level;
use crate::model::rights::Rights;
use crate::names;
use crate::questions::paths::{self, Whose};
use crate::questions::record::{Record, Target, subject};
use crate::questions::required;
use pgrx::pg_sys::Oid;

const MEMBERS: &str = "Members are named by their keys; leadguard.member lists them.";

pub(crate) struct Right {
    pub target: Target,
    pub record: Record,
    /// None for a superuser who is no member.
    pub member: Option<i64>,
    pub guest: bool,
    /// May weaken and take away retained grants.
    pub administers: bool,
}

impl Right {
    /// 42501 without the right, with one answer for a record that is not there and one the caller cannot
    /// read; 22023 for arguments that are wrong whatever the record.
    pub(crate) fn find(operation: &str, target: Option<Oid>, record: Option<&str>, needed: Rights) -> Right {
        let shown = || target.map_or_else(|| "NULL".to_owned(), names::shown);
        writes(operation, &shown);
        let target = Target::find(target, Sees::Now);
        let name = required(record, "the record");
        let shown = names::shown(target.table.target);
        Right::seek(operation, target, name, needed).unwrap_or_else(|| errors::no_such_record(&shown, name))
    }

    /// As find, for whoever may write at all; None for a record that is not there and one that the caller cannot read.
    pub(crate) fn seek(operation: &str, target: Target, record: &str, needed: Rights) -> Option<Right> {
        let subject = subject(Sees::Now);
        let record = target.read(record, Sees::Now)?;
        let right = Right {
            target,
            record,
            member: subject.member.as_ref().map(|m| m.id),
            guest: subject.member.as_ref().is_some_and(|m| m.guest),
            administers: subject.member.is_none() || subject.has_capability("administer"),
        };
        if right.rights().is_empty() {
            return None;
        }
        right.demand(operation, needed);
        Some(right)
    }

    /// What the member may do with the record as it was read, in the newest state; everything for a superuser.
    pub(crate) fn rights(&self) -> Rights {
        self.member.map_or(Rights::ALL, |member| {
            paths::rights_of(&self.target, &self.record, Whose::Member(member), Sees::Now)
        })
    }

    /// 42501 unless that includes what is needed.
    pub(crate) fn demand(&self, operation: &str, needed: Rights) {
        let rights = self.rights();
        if rights.is_empty() {
            no_such_record(&self.target, &self.record.id);
        }
        if !rights.has(needed) {
            let (table, record) = (names::shown(self.target.table.target), &self.record.id);
            refused(format!("{operation} of record {record} of {table} refused"))
                .detail(rights.lacks(needed))
                .hint(format!(
                    "The owner, those above and administrators have level full; {}",
                    errors::asks_for_access(&table, record, needed.level_that_has())
                ))
                .raise();
        }
    }

    /// An active member of the record's organization. One answer for all others: nobody learns who is where.
    pub(crate) fn active_member(&self, key: &str) -> i64 {
        self.holder("SELECT id FROM leadguard.member WHERE key = $1 AND org_id = $2 AND active", key).unwrap_or_else(
            || {
                bad_argument(format!("\"{key}\" is no active member of the organization of the record"))
                    .hint(MEMBERS)
                    .raise()
            },
        )
    }

    /// A member of the record's organization, active or not: what somebody left behind can be taken back.
    pub(super) fn any_member(&self, key: &str) -> i64 {
        self.holder("SELECT id FROM leadguard.member WHERE key = $1 AND org_id = $2", key).unwrap_or_else(|| {
            bad_argument(format!("\"{key}\" is no member of the organization of the record")).hint(MEMBERS).raise()
        })
    }

    pub(super) fn team(&self, key: &str) -> i64 {
        self.holder("SELECT id FROM leadguard.team WHERE key = $1 AND org_id = $2", key).unwrap_or_else(|| {
            bad_argument(format!("\"{key}\" is no team of the organization of the record"))
                .hint("Teams are named by their keys; leadguard.team lists them.")
                .raise()
        })
    }

    pub(crate) fn territory(&self, key: &str) -> i64 {
        self.holder("SELECT id FROM leadguard.territory WHERE key = $1 AND org_id = $2", key).unwrap_or_else(|| {
            bad_argument(format!("\"{key}\" is no territory of the organization of the record"))
                .hint("Territories are named by their keys; leadguard.territory lists them.")
                .raise()
        })
    }

    fn holder(&self, text: &'static str, key: &str) -> Option<i64> {
        as_extension(|| {
            sql::first_int(text, &[Param::Text(Some(key)), Param::Int(self.record.organization)], Sees::Now)
        })
    }
}

/// 42501 for nobody and for logins that only read.
pub(crate) fn writes(operation: &str, on: &dyn Fn() -> String) {
    let subject = subject(Sees::Now);
    match &subject.member {
        None if identity::is_superuser() => {}
        None => errors::no_identity(operation, &on()),
        Some(_) if subject.mode == Some(Mode::Analyst) => errors::read_only_login(operation, &on()),
        Some(member) if member.level_cap == Some(Level::Read) => errors::view_only(operation, &on(), &member.key),
        Some(_) => {}
    }
}

pub(crate) fn no_such_record(target: &Target, record: &str) -> ! {
    errors::no_such_record(&names::shown(target.table.target), record)
}
