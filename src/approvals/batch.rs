//! Approvals of many rows: no record is named, only how many there may be.

use crate::audit::{self, Event};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::visibility::{Member, Table};

/// Uses up an approval of the member (kind batch for an operation, or import) for at least so many records: the
/// smallest that suffices. Its number, and how many it allows.
pub(crate) fn take_batch(
    member: &Member,
    kind: &str,
    table: &Table,
    operation: Option<&str>,
    count: i64,
) -> Option<(i64, u64)> {
    let params = [
        Param::Int(Some(member.id)),
        Param::Text(Some(kind)),
        Param::Oid(table.target),
        Param::Text(operation),
        Param::Int(Some(count)),
    ];
    let mut found: Option<(i64, i64, Option<i64>)> = None;
    as_extension(|| {
        // Of two sessions that meet here the second waits, sees that it is used, and goes on to another one.
        sql::query(
            "SELECT id, records, decided_by FROM leadguard.approval \
             WHERE requested_by = $1 AND kind = $2 AND target = $3 AND operation IS NOT DISTINCT FROM $4 AND records >= $5 \
             AND granted AND used_at IS NULL AND until > clock_timestamp() ORDER BY records, until, id LIMIT 1 FOR UPDATE",
            &params,
            Sees::Now,
            &mut |row| found = row.int(0).zip(row.int(1)).map(|(id, records)| (id, records, row.int(2))),
        )
    });
    let (id, records, decided_by) = found?;
    use_up(id);
    let decider = as_extension(|| {
        sql::first_text("SELECT key FROM leadguard.member WHERE id = $1", &[Param::Int(decided_by)], Sees::Now)
    });
    audit::event(&Event {
        target: Some(table.target),
        record: None,
        action: "use_approval",
        reason: None,
        approval: Some(id),
        detail: Some(format!("{kind} {}, granted by {}", operation.unwrap_or_default(), decider.unwrap_or_default())),
    });
    Some((id, u64::try_from(records).unwrap_or_default()))
}

pub(super) fn use_up(id: i64) {
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.approval SET used_at = clock_timestamp() WHERE id = $1",
            &[Param::Int(Some(id))],
            Sees::Now,
            &mut |_| {},
        )
    });
}
