//! What somebody asks for and somebody else grants: writing a field, deleting, purging or restoring a record, many rows
//! at once, a change of a table, more access.
//!
//! request  asking for one record
//! decide   deciding, and telling those concerned
//! batch    approvals of many rows
//! used     approvals that the running transaction has used up
//!
//! An approval is for one member, one kind, one record and one field, and is used once. Whether it was granted
//! rightly was judged when it was granted: a decider who loses the right later takes nothing back.
//! Tests: tests/fields/approvals.rs.

mod batch;
mod decide;
mod request;
mod used;

pub(crate) use batch::take_batch;
pub(crate) use decide::tell_deciders;
pub(crate) use used::on_transaction;

use crate::audit::{self, Event};
use crate::ffi::session::as_extension;
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::visibility::Member;
use crate::visibility::Table;
use pgrx::pg_sys::Oid;
use used::Use;

/// What approvals of one record are for. The others have functions of their own that ask.
const KINDS: [&str; 4] = ["field", "delete", "purge", "restore"];

/// Those that the triggers of a command use up, which may ask again about the same row.
const TRIGGERED: [&str; 2] = ["field", "delete"];

/// Uses up an approval of the member for this record (and field); None without one. The triggers of one command may
/// judge a row twice and are given the same approval; another command, or another call of a function, needs another one.
pub(crate) fn take(member: &Member, kind: &str, table: &Table, record: &str, field: Option<&str>) -> Option<i64> {
    // restore and purge ask once for each call. Several calls in one query run under one command.
    let this = TRIGGERED.contains(&kind).then(|| Use {
        member: member.id,
        target: table.target,
        kind: kind.to_owned(),
        record: record.to_owned(),
        field: field.map(str::to_owned),
        command: snapshot::command(),
    });
    if let Some(id) = this.as_ref().and_then(used::find) {
        return Some(id);
    }
    let params = [
        Param::Int(Some(member.id)),
        Param::Text(Some(kind)),
        Param::Oid(table.target),
        Param::Text(Some(record)),
        Param::Text(field),
    ];
    let mut found: Option<(i64, Option<i64>)> = None;
    as_extension(|| {
        // Of two sessions that meet here the second waits, sees that it is used, and goes on to another one.
        sql::query(
            "SELECT id, decided_by FROM leadguard.approval \
             WHERE requested_by = $1 AND kind = $2 AND target = $3 AND record = $4 AND field IS NOT DISTINCT FROM $5 \
             AND granted AND used_at IS NULL AND until > clock_timestamp() ORDER BY until, id LIMIT 1 FOR UPDATE",
            &params,
            Sees::Now,
            &mut |row| found = row.int(0).map(|id| (id, row.int(1))),
        )
    });
    let (id, decided_by) = found?;
    let decider = as_extension(|| {
        batch::use_up(id);
        sql::first_text("SELECT key FROM leadguard.member WHERE id = $1", &[Param::Int(decided_by)], Sees::Now)
    });
    if let Some(this) = this {
        used::remember(this, id);
    }
    let what = field.map_or_else(|| kind.to_owned(), |field| format!("{kind} {field}"));
    audit::event(&Event {
        target: Some(table.target),
        record: Some(record),
        action: "use_approval",
        reason: None,
        approval: Some(id),
        detail: Some(format!("{what}, granted by {}", decider.unwrap_or_default())),
    });
    Some(id)
}

/// A record is gone for good: what was asked for it, or granted, is over, and is not for another one that gets its id.
pub(crate) fn end(target: Oid, record: &str) {
    let params = [Param::Oid(target), Param::Text(Some(record))];
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.approval SET until = clock_timestamp() \
             WHERE target = $1 AND record = $2 AND used_at IS NULL AND until > clock_timestamp()",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    });
}
