//! Asking for an approval and deciding it.

use super::KINDS;
use crate::audit::{self, Event};
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::Mode;
use crate::model::level::Level;
use crate::model::rights::Rights;
use crate::names;
use crate::questions::paths::{self, Whose};
use crate::questions::record::{Record, Target};
use crate::questions::required;
use crate::rulebook::field::Columns;
use crate::visibility::{self};
use crate::visibility::{Member, Subject};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};

const MOST_TEXT: usize = 10_000;
const MOST_RECORD: usize = 1000;

/// The asking member; 42501 for nobody and for logins that only read.
fn member<'a>(subject: &'a Subject, operation: &str, on: &str) -> &'a Member {
    match &subject.member {
        None => errors::no_identity(operation, on),
        Some(_) if subject.mode == Some(Mode::Analyst) => errors::read_only_login(operation, on),
        Some(member) if member.level_cap == Some(Level::Read) => errors::view_only(operation, on, &member.key),
        Some(member) => member,
    }
}

/// The record, if the member reads it; row security may not apply to his role, the paths do.
fn readable(target: &Target, record: &str, member: &Member) -> Option<Record> {
    let found = target.read(record, Sees::Now)?;
    paths::rights_of(target, &found, Whose::Member(member.id), Sees::Now).has(Rights::READ).then_some(found)
}

fn text<'a>(value: Option<&'a str>, what: &str) -> &'a str {
    let value = required(value, what);
    if value.trim().is_empty() {
        bad_argument(format!("{what} is empty")).raise();
    }
    if value.len() > MOST_TEXT {
        bad_argument(format!("{what} is longer than {MOST_TEXT} bytes")).raise();
    }
    value
}

/// Asks for an approval for a record that the member can see; returns its number. For members, systems too. Errors:
/// 42501 (no member, no such record for him), 22023 (arguments), 42703 (no such column).
#[pg_extern(sql = false)]
fn request_approval(
    kind: Option<&str>,
    target: Option<Oid>,
    record: Option<&str>,
    field: Option<&str>,
    justification: Option<&str>,
    until: Option<TimestampWithTimeZone>,
) -> i64 {
    let subject = visibility::now();
    let shown = target.map_or_else(|| "NULL".to_owned(), names::shown);
    let member = member(&subject, "request_approval", &shown);
    let kind = required(kind, "the kind");
    if !KINDS.contains(&kind) {
        bad_argument(format!("kind \"{kind}\" is unknown")).hint(format!("Kinds are {}.", KINDS.join(", "))).raise();
    }
    let target = Target::find(target, Sees::Now);
    let field = match (kind, field) {
        ("field", Some(field)) => Some(Columns::of(&target.table).field(field).name()),
        ("field", None) => bad_argument("the field is missing").raise(),
        (_, Some(_)) => {
            bad_argument(format!("an approval of kind \"{kind}\" is for the whole record, not for a field")).raise()
        }
        (_, None) => None,
    };
    let justification = text(justification, "the justification");
    let until = until.map(pg_sys::TimestampTz::from);
    let until = until.filter(|until| *until > session::statement_time()).unwrap_or_else(|| {
        bad_argument("the approval would end before it begins").hint("until must be in the future.").raise()
    });
    let name = required(record, "the record");
    let found = Some(name).filter(|name| name.len() <= MOST_RECORD).and_then(|name| readable(&target, name, member));
    let Some(found) = found else { errors::no_such_record(&shown, name) };
    let made = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.approval (org_id, kind, target, record, field, justification, requested_by, until) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
            &[
                Param::Int(Some(member.org_id)),
                Param::Text(Some(kind)),
                Param::Oid(target.table.target),
                Param::Text(Some(&found.id)),
                Param::Text(field.as_deref()),
                Param::Text(Some(justification)),
                Param::Int(Some(member.id)),
                Param::Timestamp(Some(until)),
            ],
            Sees::Now,
        )
    });
    let made = made.unwrap_or_else(|| errors::bug("a request that was not made"));
    audit::event(&Event {
        target: Some(target.table.target),
        record: Some(&found.id),
        action: "request_approval",
        reason: None,
        approval: Some(made),
        detail: Some(field.map_or_else(|| kind.to_owned(), |field| format!("{kind} {field}"))),
    });
    made
}

struct Asked {
    target: Oid,
    record: String,
    requester: i64,
    kind: String,
    field: Option<String>,
    decided: bool,
    expired: bool,
}

fn asked(id: i64, org_id: i64) -> Option<Asked> {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT target::oid, record, requested_by, kind, field, decided_by IS NOT NULL, until <= clock_timestamp() \
             FROM leadguard.approval WHERE id = $1 AND org_id = $2 FOR UPDATE",
            &[Param::Int(Some(id)), Param::Int(Some(org_id))],
            Sees::Now,
            &mut |row| {
                if let (Some(target), Some(record), Some(requester)) = (row.oid(0), row.text(1), row.int(2)) {
                    found = Some(Asked {
                        target,
                        record,
                        requester,
                        kind: row.text(3).unwrap_or_default(),
                        field: row.text(4),
                        decided: row.bool(5),
                        expired: row.bool(6),
                    });
                }
            },
        )
    });
    found
}

/// Grants or denies a request, once. A person with the capability approve, of the requester's organization, who sees
/// the record and is not the requester. Errors: 42501 (no right, own request, no such request for him), 22023
/// (arguments), 55000 (decided already, expired).
#[pg_extern(sql = false)]
fn decide_approval(id: Option<i64>, granted: Option<bool>, answer: Option<&str>) {
    let subject = visibility::now();
    let id = id.unwrap_or_else(|| bad_argument("the request is missing").raise());
    let shown = format!("request {id}");
    if crate::people::decides(&subject, id, granted, answer) {
        return;
    }
    let member = member(&subject, "decide_approval", &shown);
    if member.system || member.guest || !subject.has_capability("approve") {
        refused(format!("decide_approval on {shown} refused for \"{}\"", member.key))
            .hint("A person with the capability approve (a data owner) decides.")
            .raise();
    }
    let granted = granted.unwrap_or_else(|| bad_argument("the decision is missing").raise());
    let answer = answer.map(|answer| text(Some(answer), "the answer"));
    let absent = || -> ! { refused(format!("{shown} does not exist or is not visible")).raise() };
    let Some(asked) = asked(id, member.org_id) else { absent() };
    if asked.requester == member.id {
        refused(format!("{shown} is your own")).hint("Somebody else with the capability approve decides.").raise();
    }
    let target = Target::find(Some(asked.target), Sees::Now);
    if readable(&target, &asked.record, member).is_none() {
        absent();
    }
    if asked.decided || asked.expired {
        let what = if asked.decided { "is decided" } else { "has expired" };
        failure("55000", format!("{shown} {what}")).hint("The requester can ask again.").raise();
    }
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.approval SET decided_by = $2, decided_at = clock_timestamp(), granted = $3, answer = $4 \
             WHERE id = $1",
            &[Param::Int(Some(id)), Param::Int(Some(member.id)), Param::Bool(granted), Param::Text(answer)],
            Sees::Now,
            &mut |_| {},
        )
    });
    let what = asked.field.map_or_else(|| asked.kind.clone(), |field| format!("{} {field}", asked.kind));
    audit::event(&Event {
        target: Some(asked.target),
        record: Some(&asked.record),
        action: if granted { "approve" } else { "deny" },
        reason: answer,
        approval: Some(id),
        detail: Some(what),
    });
}
