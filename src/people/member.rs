//! About whom it is, and who may manage him: members with the capability administer or manage_members, superusers.

use crate::arguments::required;
pub(super) use crate::arguments::said;
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::writes;
use crate::identity;
use crate::visibility;

/// Somebody who leaves, and who manages it.
pub(super) struct Managed {
    pub id: i64,
    pub key: String,
    pub org_id: i64,
    /// The managing member; None for a superuser.
    pub by: Option<i64>,
    pub administers: bool,
    pub active: bool,
}

impl Managed {
    /// 55000 for one who is gone.
    pub(super) fn demand_active(&self) {
        if !self.active {
            failure("55000", format!("member \"{}\" is gone already", self.key))
                .hint("Who is not active does not leave; leadguard.owned_records says what is still his.")
                .raise();
        }
    }
}

/// Locked: nobody else manages him meanwhile. 42501 unless the caller manages members; 22023 for one who is not of his
/// organization, like for none.
pub(super) fn managed(operation: &str, key: Option<&str>) -> Managed {
    writes(operation, &|| format!("member {}", key.unwrap_or("NULL")));
    let subject = visibility::now();
    let superuser = subject.member.is_none() && identity::is_superuser();
    let administers = superuser || subject.has_capability("administer");
    let guest = subject.member.as_ref().is_some_and(|member| member.guest);
    if guest || !(administers || subject.has_capability("manage_members")) {
        refused(format!("{operation} refused"))
            .hint("Members with the capability administer or manage_members can.")
            .raise();
    }
    let key = required(key, "the member");
    let organization = subject.member.as_ref().map(|member| member.org_id);
    let mut found = None;
    let (mut outranks, mut active) = (false, false);
    as_extension(|| {
        sql::query(
            "SELECT id, org_id, leadguard.outranks_me(id), active FROM leadguard.member \
             WHERE key = $1 AND ($2::bigint IS NULL OR org_id = $2) FOR NO KEY UPDATE",
            &[Param::Text(Some(key)), Param::Int(organization)],
            Sees::Now,
            &mut |row| {
                found = row.int(0).zip(row.int(1));
                (outranks, active) = (row.bool(2), row.bool(3));
            },
        )
    });
    let Some((id, org_id)) = found else {
        bad_argument(format!("there is no member \"{key}\""))
            .hint("Members are named by their keys; leadguard.member lists those of your organization.")
            .raise()
    };
    let by = subject.member.as_ref().map(|member| member.id);
    if by == Some(id) {
        refused(format!("{operation} of yourself refused")).hint("Somebody else does it.").raise();
    }
    if outranks && !administers {
        refused(format!("{operation} of a member of a higher rank than your own refused"))
            .hint("A member with the capability administer can.")
            .raise();
    }
    Managed { id, key: key.to_owned(), org_id, by, administers, active }
}

/// Somebody who takes over: the member with the key, or the nearest active one above. 22023 when there is none.
pub(super) fn successor(leaver: &Managed, key: Option<&str>) -> (i64, String) {
    let params = [Param::Int(Some(leaver.id)), Param::Int(Some(leaver.org_id)), Param::Text(key)];
    let mut found = None;
    as_extension(|| {
        sql::query(include_str!("../../sql/query/successor.sql"), &params, Sees::Now, &mut |row| {
            found = row.int(0).zip(row.text(1));
        })
    });
    found.unwrap_or_else(|| match key {
        Some(key) => bad_argument(format!("\"{key}\" is no active person of the organization who stays"))
            .hint("Name somebody who does not leave himself; leadguard.member lists the members.")
            .raise(),
        None => bad_argument(format!("nobody active stands above \"{}\"", leaver.key))
            .hint("Name who takes over: new_owner => '...'.")
            .raise(),
    })
}
