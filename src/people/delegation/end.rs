//! A delegation ends before its time, and all that was given by it with it.

use crate::audit::{self, Event};
use crate::directory;
use crate::errors::bad_argument;
use crate::ffi::call::Call;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::{Row, TriggerCall, When};
use crate::model::value::Value;
use pgrx::pg_extern;
use pgrx::pg_sys::Datum;

/// Delegations that have ended just now.
#[derive(Default)]
struct Ended {
    ids: Vec<i64>,
    /// Whose records they are about.
    members: Vec<i64>,
}

impl Ended {
    fn take(&mut self, row: &sql::Row) {
        self.ids.extend(row.int(0));
        self.members.extend(row.int(1));
    }

    /// Whoever gives one of the members a record at this moment sees the end afterwards (assignment::owners), or is waited
    /// for; so is who shares by the delegation (grants::lasting).
    fn take_grants(&self) {
        if self.ids.is_empty() {
            return;
        }
        directory::wait_for_givers(&self.members);
        let text = "DELETE FROM leadguard.record_grant WHERE delegation_id = ANY ($1)";
        sql::query(text, &[Param::Ints(&self.ids)], Sees::Now, &mut |_| {});
    }
}

/// Ends a delegation at once; true when there was one that lasted. Errors: 22023.
#[pg_extern(sql = false)]
fn undelegate(id: Option<i64>) -> bool {
    let id = id.unwrap_or_else(|| bad_argument("argument \"id\" must not be NULL").raise());
    let mut ended = Ended::default();
    let (mut organization, mut target) = (None, None);
    as_extension(|| {
        let text = include_str!("../../../sql/query/undelegate.sql");
        sql::query(text, &[Param::Int(Some(id))], Sees::Now, &mut |row| {
            ended.take(row);
            (organization, target) = (row.int(2), row.oid(3));
        });
        ended.take_grants();
    });
    if ended.ids.is_empty() {
        return false;
    }
    let event = Event {
        target,
        record: None,
        action: "undelegate",
        reason: None,
        approval: None,
        detail: Some(format!("delegation {id}")),
    };
    audit::event_of(&event, organization);
    true
}

/// All that the member delegates, and all that is delegated to him; how many they were. As the extension.
pub(in crate::people) fn of_member(member: i64) -> i64 {
    let mut ended = Ended::default();
    let text = "UPDATE leadguard.delegation SET ended_at = clock_timestamp() \
                WHERE $1 IN (member_id, delegate_id) AND ended_at IS NULL RETURNING id, member_id";
    sql::query(text, &[Param::Int(Some(member))], Sees::Now, &mut |row| ended.take(row));
    ended.take_grants();
    i64::try_from(ended.ids.len()).unwrap_or(i64::MAX)
}

/// Whether everybody of an organization moves to the other one.
fn is_merged(from: Option<i64>, to: Option<i64>) -> bool {
    let text = "SELECT id FROM leadguard.organization WHERE id = $1 AND merged_into = $2";
    sql::first_int(text, &[Param::Int(from), Param::Int(to)], Sees::Now).is_some()
}

/// AFTER ROW of member: who is no active person of the organization any more.
pub(crate) fn member_changed(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::AfterRow);
    let (old, new) = (trigger.old(), trigger.new_row());
    let number = |row: &Row, name: &str| match row.column(name).map(|column| row.value(column)) {
        Some(Value::Int(number)) => Some(number),
        _ => None,
    };
    let (from, to) = (number(&old, "org_id"), number(&new, "org_id"));
    if let Some(member) = number(&new, "id") {
        as_extension(|| {
            if from == to || !is_merged(from, to) {
                of_member(member);
            }
        });
    }
    trigger.pass()
}
