//! Deciding requests, whatever they are for.

use super::request::readable;
use crate::arguments::{required, said};
use crate::assignment;
use crate::audit::{self, Event};
use crate::errors::{failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::imports;
use crate::people;
use crate::questions::record::Target;
use crate::visibility::{self, Member, Subject};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;
use serde_json::json;

/// So many are told of a request at most: more need not read it.
const MOST_TOLD: i64 = 20;

struct Asked {
    target: Option<Oid>,
    record: Option<String>,
    requester: i64,
    kind: String,
    what: Option<String>,
    decided: bool,
    expired: bool,
}

fn asked(id: i64, org_id: i64) -> Option<Asked> {
    let text = if session::is_governed() {
        include_str!("../../sql/query/approval_asked.sql")
    } else {
        include_str!("../../sql/query/approval_asked_before_batches.sql")
    };
    let mut found = None;
    as_extension(|| {
        sql::query(text, &[Param::Int(Some(id)), Param::Int(Some(org_id))], Sees::Now, &mut |row| {
            found = row.int(2).map(|requester| Asked {
                target: row.oid(0),
                record: row.text(1),
                requester,
                kind: row.text(3).unwrap_or_default(),
                what: row.text(4),
                decided: row.bool(5),
                expired: row.bool(6),
            });
        })
    });
    found
}

/// Whether whoever decides needs another right than the capability approve, which is judged where it is carried out.
fn is_judged_there(kind: &str) -> bool {
    matches!(kind, "access" | "role")
}

fn may_decide(subject: &Subject, member: &Member, asked: Option<&Asked>) -> bool {
    subject.is_data_owner()
        || (!member.system && !member.guest && asked.is_some_and(|asked| is_judged_there(&asked.kind)))
}

/// Grants or denies a request, once. A person with the capability approve, of the requester's organization, who sees
/// the record, if there is one, and is not the requester; more access is given by whoever may give it. Errors: 42501
/// (no right, own request, no such request for him), 22023 (arguments), 55000 (decided already, expired).
#[pg_extern(sql = false)]
fn decide_approval(id: Option<i64>, granted: Option<bool>, answer: Option<&str>) {
    let subject = visibility::now();
    let id = required(id, "the request");
    let shown = format!("request {id}");
    let member = subject.writer("decide_approval", &shown);
    let asked = asked(id, member.org_id);
    if !may_decide(&subject, member, asked.as_ref()) {
        refused(format!("decide_approval on {shown} refused for \"{}\"", member.key))
            .hint("A person with the capability approve (a data owner) decides.")
            .raise();
    }
    let granted = required(granted, "the decision");
    let answer = answer.map(|answer| said(Some(answer), "the answer"));
    let absent = || -> ! { refused(format!("{shown} does not exist or is not visible")).raise() };
    let Some(asked) = asked else { absent() };
    if asked.requester == member.id {
        refused(format!("{shown} is your own")).hint("Somebody else with the capability approve decides.").raise();
    }
    if let Some(record) = &asked.record {
        let target = Target::find(asked.target, Sees::Now);
        if readable(&target, record, member).is_none() {
            absent();
        }
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
    audit::event(&Event {
        target: asked.target,
        record: asked.record.as_deref(),
        action: if granted { "approve" } else { "deny" },
        reason: answer,
        approval: Some(id),
        detail: Some(asked.what.as_ref().map_or_else(|| asked.kind.clone(), |what| format!("{} {what}", asked.kind))),
    });
    match asked.kind.as_str() {
        "import" => imports::decided(id, granted),
        kind if is_judged_there(kind) => people::decided(id, granted),
        _ => {}
    }
    if session::is_governed() {
        let detail = json!({"approval": id, "kind": asked.kind, "granted": granted}).to_string();
        assignment::tell(asked.requester, "approval_decided", asked.target, asked.record.as_deref(), Some(&detail));
    }
}

/// Tells those who may decide about a request, of how many records where it is about a number. They need not know of
/// the record.
pub(crate) fn tell_deciders(requester: &Member, approval: i64, kind: &str, target: Option<Oid>, records: Option<i64>) {
    if !session::is_governed() {
        return;
    }
    let mut deciders = Vec::new();
    as_extension(|| {
        sql::query(
            include_str!("../../sql/query/approval_deciders.sql"),
            &[Param::Int(Some(requester.org_id)), Param::Int(Some(requester.id)), Param::Int(Some(MOST_TOLD))],
            Sees::Now,
            &mut |row| deciders.extend(row.int(0)),
        )
    });
    let mut detail = json!({"approval": approval, "kind": kind, "by": requester.key});
    if let Some(records) = records {
        detail["records"] = records.into();
    }
    let detail = detail.to_string();
    for decider in deciders {
        assignment::tell(decider, "approval_requested", target, None, Some(&detail));
    }
}
