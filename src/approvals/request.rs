//! Asking for an approval of one write of a record.

use super::KINDS;
use super::decide::tell_deciders;
use crate::arguments::{MOST_NAME, required, said};
use crate::audit::{self, Event};
use crate::errors::{self, bad_argument};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::model::rights::Rights;
use crate::names;
use crate::questions::paths::{self, Whose};
use crate::questions::record::{Record, Target};
use crate::rulebook::field::Columns;
use crate::visibility::Member;
use crate::visibility::{self};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};

/// The record, if the member reads it; row security may not apply to his role, the paths do.
pub(super) fn readable(target: &Target, record: &str, member: &Member) -> Option<Record> {
    let found = target.read(record, Sees::Now)?;
    paths::rights_of(target, &found, Whose::Member(member.id), Sees::Now).has(Rights::READ).then_some(found)
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
    let shown = names::shown_argument(target);
    let member = subject.writer("request_approval", &shown);
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
    let justification = said(justification, "the justification");
    let until = until.map(pg_sys::TimestampTz::from);
    let until = until.filter(|until| *until > session::statement_time()).unwrap_or_else(|| {
        bad_argument("the approval would end before it begins").hint("until must be in the future.").raise()
    });
    let name = required(record, "the record");
    let found = Some(name).filter(|name| name.len() <= MOST_NAME).and_then(|name| readable(&target, name, member));
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
    tell_deciders(member, made, kind, Some(target.table.target), None);
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
