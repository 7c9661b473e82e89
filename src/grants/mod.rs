//! Giving access to single records, and taking it back: the record team, shares, reassignment.
//!
//! All of it runs with the caller's own privileges; only leadguard's tables are written as the extension's
//! owner. The right is judged in the newest state, because these functions write. Retained grants (deal
//! registrations) outlive everything but an administrator. Tests: tests/writes, tests/paths (grants, shares).

mod invite;
pub(crate) mod lasting;
pub(crate) mod reassign;
mod right;

use crate::arguments::required;
use crate::audit::{self, Event};
use crate::errors::{bad_argument, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::model::level::Level;
use crate::model::rights::Rights;
use crate::names;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};
pub(crate) use right::{Right, writes};

const TO_MEMBER: &str = concat!(
    include_str!("../../sql/query/give_values.sql"),
    "ON CONFLICT (target, record, kind, member_id, retained) WHERE member_id IS NOT NULL\n",
    include_str!("../../sql/query/give_again.sql")
);
const TO_TEAM: &str = concat!(
    include_str!("../../sql/query/give_values.sql"),
    "ON CONFLICT (target, record, kind, team_id, retained) WHERE team_id IS NOT NULL\n",
    include_str!("../../sql/query/give_again.sql")
);

/// Whom a share is with.
#[derive(Clone, Copy)]
enum Holder<'a> {
    Member(&'a str),
    Team(&'a str),
}

impl std::fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Holder::Member(key) => write!(f, "member {key}"),
            Holder::Team(key) => write!(f, "team {key}"),
        }
    }
}

impl<'a> Holder<'a> {
    fn one_of(member: Option<&'a str>, team: Option<&'a str>) -> Holder<'a> {
        match (member, team) {
            (Some(member), None) => Holder::Member(member),
            (None, Some(team)) => Holder::Team(team),
            _ => bad_argument("either a member or a team must be named").raise(),
        }
    }
}

/// What is given.
struct Grant<'a> {
    kind: &'static str,
    level: Level,
    reason: Option<&'a str>,
    until: Option<i64>,
    retained: bool,
    /// The request that asked for it.
    approval: Option<i64>,
}

pub(crate) fn parse_level(level: Option<&str>) -> Level {
    level.and_then(Level::parse).unwrap_or_else(|| {
        bad_argument(format!("level \"{}\" is unknown", level.unwrap_or("NULL")))
            .hint("Levels are read, edit, full.")
            .raise()
    })
}

/// Shares a record with a member or a team; sharing again replaces level, reason and expiry. Needs level full
/// on the record, or a superuser. Errors: 42501 (no right, no such record), 22023 (arguments, unknown holder).
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn share(
    target: Option<Oid>,
    record: Option<&str>,
    member: Option<&str>,
    level: Option<&str>,
    reason: Option<&str>,
    until: Option<TimestampWithTimeZone>,
    retained: Option<bool>,
    team: Option<&str>,
) {
    let right = Right::find("share", target, record, Rights::SHARE);
    let holder = Holder::one_of(member, team);
    let until = until.map(pg_sys::TimestampTz::from);
    check_until(until);
    let retained = retained.unwrap_or(false);
    let grant = Grant { kind: "share", level: parse_level(level), reason, until, retained, approval: None };
    give(&right, holder, &grant);
}

/// 22023 for a share that ends before it begins.
fn check_until(until: Option<pg_sys::TimestampTz>) {
    if until.is_some_and(|until| until <= session::statement_time()) {
        bad_argument("the share would end before it begins").hint("until must be in the future.").raise();
    }
}

/// Shares a record with a member who asked for it (key), in the name of whoever granted that. Errors: as share.
pub(crate) fn share_as_requested(
    right: &Right,
    member: &str,
    level: Level,
    reason: &str,
    until: Option<i64>,
    approval: i64,
) {
    let grant = Grant { kind: "share", level, reason: Some(reason), until, retained: false, approval: Some(approval) };
    give(right, Holder::Member(member), &grant);
}

/// Puts a member on the record team, or changes the level there. Who may call and errors: as share.
#[pg_extern(sql = false)]
fn team_add_with(
    target: Option<Oid>,
    record: Option<&str>,
    member: Option<&str>,
    level: Option<&str>,
    reason: Option<&str>,
) {
    let right = Right::find("team_add", target, record, Rights::SHARE);
    let holder = Holder::Member(required(member, "the member"));
    give(
        &right,
        holder,
        &Grant { kind: "record_team", level: parse_level(level), reason, until: None, retained: false, approval: None },
    );
}

/// The function of 0.1.0 to 0.3.0, until the extension is updated.
#[pg_extern(sql = false)]
fn team_add(target: Option<Oid>, record: Option<&str>, member: Option<&str>, level: Option<&str>) {
    team_add_with(target, record, member, level, None);
}

fn give(right: &Right, holder: Holder, grant: &Grant) {
    if grant.reason.is_none_or(|reason| reason.trim().is_empty()) && right.target.table.rules.switches.reason_required {
        bad_argument("the reason is missing")
            .detail(format!(
                "Access to records of {} is given on justified request (switch reason_required).",
                shown(right)
            ))
            .hint("Say why: reason => '...'.")
            .raise();
    }
    // Nobody gives more than he has.
    if !right.rights().has(Rights::of(grant.level)) {
        refused(format!("level {} on record {} of {} refused", grant.level.name(), right.record.id, shown(right)))
            .detail(format!("It is more than the giver has: {}.", right.rights().shown()))
            .hint("Give a lower level, or have the owner give this one.")
            .raise();
    }
    let operation = if grant.kind == "share" { "share" } else { "team_add" };
    let (text, member, team) = match holder {
        Holder::Member(key) => (TO_MEMBER, Some(right.active_member(key)), None),
        Holder::Team(key) => (TO_TEAM, None, Some(right.team(key))),
    };
    // By a right that ends nobody gives to himself.
    let until = grant.until.filter(|_| member.is_none() || member != right.member);
    let delegation = lasting::basis(operation, right, Rights::SHARE | Rights::of(grant.level), until);
    if delegation.is_some() && grant.retained {
        refused(format!("a retained share of record {} of {} refused", right.record.id, shown(right)))
            .detail("Your own right to the record comes from a delegation, with which all ends that is given by it.")
            .hint("The owner gives what is retained.")
            .raise();
    }
    if delegation.is_some() {
        lasting::keep_given(right, grant.kind, member, team);
    }
    lasting::demand_known(member);
    let params = [
        Param::Oid(right.target.table.target),
        Param::Text(Some(&right.record.id)),
        Param::Text(Some(grant.kind)),
        Param::Int(member),
        Param::Int(team),
        Param::Text(Some(grant.level.name())),
        Param::Text(grant.reason),
        Param::Int(right.member),
        Param::Timestamp(grant.until),
        Param::Bool(grant.retained),
        Param::Bool(right.administers),
    ];
    let given = as_extension(|| sql::first_int(text, &params, Sees::Now)).unwrap_or_else(|| {
        refused(format!("the retained grant on record {} of {} cannot be weakened", right.record.id, shown(right)))
            .hint("An administrator of the organization can change or remove it.")
            .raise()
    });
    write_origin(given, grant.approval, delegation);
    let mut detail = format!("{holder}, level {}", grant.level.name());
    if let Some(until) = grant.until.and_then(|until| TimestampWithTimeZone::try_from(until).ok()) {
        detail.push_str(&format!(", until {until}"));
    }
    if grant.retained {
        detail.push_str(", retained");
    }
    note(right, operation, grant.reason, detail);
}

/// From which request and which delegation a grant comes.
fn write_origin(grant: i64, approval: Option<i64>, delegation: Option<i64>) {
    if !session::is_governed() {
        return;
    }
    let text = "UPDATE leadguard.record_grant SET approval_id = $2, delegation_id = $3 \
                WHERE id = $1 AND (approval_id, delegation_id) IS DISTINCT FROM ($2, $3)";
    let params = [Param::Int(Some(grant)), Param::Int(approval), Param::Int(delegation)];
    as_extension(|| sql::query(text, &params, Sees::Now, &mut |_| {}));
}

/// What was done about a record, in the audit.
pub(crate) fn note(right: &Right, action: &'static str, reason: Option<&str>, detail: String) {
    let event = Event {
        target: Some(right.target.table.target),
        record: Some(&right.record.id),
        action,
        reason,
        approval: None,
        detail: Some(detail),
    };
    audit::event_of(&event, right.record.organization);
}

/// Takes shares of a member or a team back; true when there was one. Retained ones only for members with the
/// capability administer and superusers. Needs level full, or a superuser. Errors: 42501, 22023.
#[pg_extern(sql = false)]
fn unshare(target: Option<Oid>, record: Option<&str>, member: Option<&str>, team: Option<&str>) -> bool {
    let right = Right::find("unshare", target, record, Rights::SHARE);
    let holder = Holder::one_of(member, team);
    let (member, team) = match holder {
        Holder::Member(key) => (Some(right.any_member(key)), None),
        Holder::Team(key) => (None, Some(right.team(key))),
    };
    let taken = take(&right, "share", member, team, right.administers);
    if !taken && !right.administers && is_retained(&right, member, team) {
        refused(format!("the share of record {} of {} is retained", right.record.id, shown(&right)))
            .hint("An administrator of the organization can remove it.")
            .raise();
    }
    if taken {
        note(&right, "unshare", None, holder.to_string());
    }
    taken
}

/// Takes a member off the record team; true when he was on it. Retained grants stay. Needs level full, or a
/// superuser. Errors: 42501, 22023.
#[pg_extern(sql = false)]
fn team_remove(target: Option<Oid>, record: Option<&str>, member: Option<&str>) -> bool {
    let right = Right::find("team_remove", target, record, Rights::SHARE);
    let key = required(member, "the member");
    let taken = take(&right, "record_team", Some(right.any_member(key)), None, false);
    if taken {
        note(&right, "team_remove", None, Holder::Member(key).to_string());
    }
    taken
}

fn take(right: &Right, kind: &str, member: Option<i64>, team: Option<i64>, retained: bool) -> bool {
    let params = [
        Param::Oid(right.target.table.target),
        Param::Text(Some(&right.record.id)),
        Param::Text(Some(kind)),
        Param::Int(member),
        Param::Int(team),
        Param::Bool(retained),
    ];
    as_extension(|| sql::query(include_str!("../../sql/query/take.sql"), &params, Sees::Now, &mut |_| {})) > 0
}

fn is_retained(right: &Right, member: Option<i64>, team: Option<i64>) -> bool {
    let params = [
        Param::Oid(right.target.table.target),
        Param::Text(Some(&right.record.id)),
        Param::Int(member),
        Param::Int(team),
    ];
    as_extension(|| {
        sql::first_int(
            "SELECT id FROM leadguard.record_grant WHERE target = $1 AND record = $2 AND kind = 'share' \
             AND (member_id = $3 OR team_id = $4) AND retained",
            &params,
            Sees::Now,
        )
    })
    .is_some()
}

fn shown(right: &Right) -> String {
    names::shown(right.target.table.target)
}
