//! What somebody has in hand beside records: claims, handoffs to him, imports that are not done. It ends on his last day,
//! and stands in the way of the end while it is there.

use crate::ffi::session::own_relation;
use crate::ffi::sql::{self, Param, Sees};
use pgrx::pg_sys;
use std::ffi::CStr;

struct Kind {
    /// Where it is; a database that is not updated has none.
    table: &'static CStr,
    what: &'static str,
    count: &'static str,
    /// Ends it; it stays with who else has it.
    end: &'static str,
    ended: &'static str,
}

/// $1 is the member.
const KINDS: [Kind; 3] = [
    Kind {
        table: c"claim",
        what: "open claims",
        count: "SELECT count(*) FROM leadguard.claim WHERE member_id = $1 AND state <> 'closed'",
        end: "UPDATE leadguard.claim SET state = 'closed', closed_at = clock_timestamp() \
              WHERE member_id = $1 AND state <> 'closed'",
        ended: "claims ended",
    },
    Kind {
        table: c"handoff",
        what: "open handoffs",
        count: "SELECT count(*) FROM leadguard.handoff WHERE to_member = $1 AND state = 'open'",
        end: "WITH withdrawn AS ( \
                  UPDATE leadguard.handoff SET state = 'withdrawn', ended_at = clock_timestamp() \
                  WHERE to_member = $1 AND state = 'open' RETURNING target, record, from_member) \
              SELECT leadguard.tell(w.from_member, 'handoff', w.target, w.record, '{\"state\": \"withdrawn\"}') FROM withdrawn w",
        ended: "handoffs withdrawn",
    },
    Kind {
        table: c"import_session",
        what: "open imports",
        count: "SELECT count(*) FROM leadguard.import_session \
                WHERE member_id = $1 AND state IN ('open', 'checked', 'submitted', 'approved')",
        end: "WITH gone AS ( \
                  UPDATE leadguard.import_session SET state = 'cancelled', ended_at = clock_timestamp() \
                  WHERE member_id = $1 AND state IN ('open', 'checked', 'submitted', 'approved') RETURNING id), \
              empty AS (DELETE FROM leadguard.import_row r USING gone g WHERE r.import_id = g.id) \
              SELECT id FROM gone",
        ended: "imports cancelled",
    },
];

fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| own_relation(kind.table) != pg_sys::InvalidOid)
}

/// Ends all of it; what and how many. Within as_extension, like count.
pub(super) fn end(member: i64) -> Vec<(&'static str, u64)> {
    let ended = |kind: &Kind| (kind.ended, sql::query(kind.end, &[Param::Int(Some(member))], Sees::Now, &mut |_| {}));
    kinds().map(ended).filter(|(_, count)| *count > 0).collect()
}

/// What there is and how much, in words.
pub(super) fn count(member: i64) -> Vec<String> {
    let counted = |kind: &Kind| (sql::first_int(kind.count, &[Param::Int(Some(member))], Sees::Now), kind.what);
    kinds().map(counted).filter_map(|(count, what)| Some(format!("{} {what}", count.filter(|c| *c > 0)?))).collect()
}
