//! Guests come by invitation: to one record, by somebody who may share it.

use super::right::Right;
use super::{Grant, Holder, check_until, give, note, parse_level};
use crate::arguments::{MOST_NAME, limited, required};
use crate::errors::{bad_argument, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::rights::Rights;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};

/// Shares a record with a guest, who becomes a member first if he is none. The right to share it, or a superuser.
/// Errors: 42501 (no right, no such record), 22023 (arguments, the key of anybody but an active guest).
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn invite(
    target: Option<Oid>,
    record: Option<&str>,
    key: Option<&str>,
    name: Option<&str>,
    email: Option<&str>,
    level: Option<&str>,
    reason: Option<&str>,
    until: Option<TimestampWithTimeZone>,
) -> i64 {
    let right = Right::find("invite", target, record, Rights::SHARE);
    if right.guest {
        refused("invite refused: guests invite nobody").hint("A member of the organization invites guests.").raise();
    }
    let key = required(key.filter(|key| !key.trim().is_empty()), "the key of the guest");
    for (value, what) in [(Some(key), "the key"), (name, "the name"), (email, "the e-mail")] {
        if let Some(value) = value {
            limited(value, what, MOST_NAME);
        }
    }
    let until = until.map(pg_sys::TimestampTz::from);
    check_until(until);
    let grant = Grant { kind: "share", level: parse_level(level), reason, until, retained: false, approval: None };
    let made = make(&right, key, name.unwrap_or_default(), email);
    let guest = find(&right, key).unwrap_or_else(|| {
        // One answer for a colleague, somebody of another organization, and a guest who left.
        bad_argument(format!("\"{key}\" is no guest of the organization of the record"))
            .hint("Members that are no guests get a record by leadguard.share; for a new guest choose another key.")
            .raise()
    });
    if made {
        note(&right, "invite", reason, format!("new guest {key}"));
    }
    give(&right, Holder::Member(key), &grant);
    guest
}

/// Makes the guest unless the key is taken, or was by a member whom records may still name; true when made.
fn make(right: &Right, key: &str, name: &str, email: Option<&str>) -> bool {
    let params =
        [Param::Int(right.record.organization), Param::Text(Some(key)), Param::Text(Some(name)), Param::Text(email)];
    as_extension(|| {
        let made = sql::first_int(
            "INSERT INTO leadguard.member (org_id, key, name, email, kind) SELECT $1, $2, $3, $4, 'guest' \
             WHERE NOT EXISTS (SELECT FROM leadguard.retired_key WHERE key = $2) ON CONFLICT DO NOTHING RETURNING id",
            &params,
            Sees::Now,
        );
        if made.is_some() {
            sql::query(
                "INSERT INTO leadguard.member_role (member_id, role) VALUES ($1, 'GUEST')",
                &[Param::Int(made)],
                Sees::Now,
                &mut |_| {},
            );
        }
        made.is_some()
    })
}

fn find(right: &Right, key: &str) -> Option<i64> {
    as_extension(|| {
        sql::first_int(
            "SELECT id FROM leadguard.member WHERE key = $1 AND org_id = $2 AND kind = 'guest' AND active",
            &[Param::Text(Some(key)), Param::Int(right.record.organization)],
            Sees::Now,
        )
    })
}
