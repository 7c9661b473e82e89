//! What somebody has in the place of another, by a delegation, he does not pass on for longer: neither by giving the record
//! away, nor by a share that outlasts the delegation. What he shares carries the delegation and goes with it.

use super::right::Right;
use crate::errors::{Failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::model::rights::Rights;
use crate::names;
use crate::people;
use crate::questions::paths::{self, Reached, Whose};
use crate::questions::record::Target;
use pgrx::pg_sys::Oid;

/// A grant that comes from a delegation.
struct Delegated {
    grant: i64,
    delegation: i64,
    /// Whether it lasts as long as what is given.
    covers: bool,
}

/// 42501 where the right comes from a delegation.
pub(crate) fn demand(operation: &str, right: &Right, needed: Rights) {
    basis(operation, right, needed, None);
}

/// An UPDATE moves a record to another owner, territory, team or parent: as for reassign, not by a delegation.
pub(crate) fn demand_move(target: Oid, record: &str) {
    if !is_delegated(target, record) {
        return;
    }
    let target = Target::find(Some(target), Sees::Now);
    if let Some(right) = Right::seek("UPDATE", target, record, Rights::REASSIGN) {
        demand("UPDATE", &right, Rights::REASSIGN);
    }
}

/// The delegation on which it rests that somebody gives what is needed until then, locked until the transaction ends; None
/// for who has it himself. 42501 where the delegation ends before, or with no end to what is given.
pub(super) fn basis(operation: &str, right: &Right, needed: Rights, until: Option<i64>) -> Option<i64> {
    let member = right.member.filter(|_| is_delegated(right.target.table.target, &right.record.id))?;
    let reached = paths::reached(&right.target, &right.record, Whose::Member(member), Sees::Now);
    let delegated = delegated(&reached, until);
    let of = |reached: &Reached| delegated.iter().find(|held| Some(held.grant) == reached.grant);
    let own = reached.iter().filter(|way| of(way).is_none()).fold(Rights::NONE, |own, way| own | way.rights);
    if delegated.is_empty() || own.has(needed) {
        return None;
    }
    let enough = |way: &&Reached| (own | way.rights).has(needed) && of(way).is_some_and(|held| held.covers);
    let held = reached.iter().find(enough).and_then(of).filter(|held| lock(held.grant));
    Some(held.unwrap_or_else(|| ends(operation, right, needed).raise()).delegation)
}

/// Whether anybody has it by a delegation, before more is asked.
fn is_delegated(target: Oid, record: &str) -> bool {
    let text = "SELECT id FROM leadguard.record_grant WHERE target = $1 AND record = $2 \
                AND kind IN ('delegated', 'share') AND delegation_id IS NOT NULL LIMIT 1";
    let params = [Param::Oid(target), Param::Text(Some(record))];
    session::is_governed()
        && people::is_any_delegated()
        && as_extension(|| sql::first_int(text, &params, Sees::Now)).is_some()
}

fn delegated(reached: &[Reached], until: Option<i64>) -> Vec<Delegated> {
    let ids: Vec<i64> = reached.iter().filter_map(|way| way.grant).collect();
    let mut found = Vec::new();
    if ids.is_empty() {
        return found;
    }
    let text = "SELECT id, delegation_id, coalesce(until >= $2, false) FROM leadguard.record_grant \
                WHERE id = ANY ($1) AND delegation_id IS NOT NULL";
    as_extension(|| {
        sql::query(text, &[Param::Ints(&ids), Param::Timestamp(until)], Sees::Now, &mut |row| {
            if let (Some(grant), Some(delegation)) = (row.int(0), row.int(1)) {
                found.push(Delegated { grant, delegation, covers: row.bool(2) });
            }
        })
    });
    found
}

/// Whoever ends the delegation, or gives the record to another owner, waits until what rests on it can be seen; false
/// where he was first.
fn lock(grant: i64) -> bool {
    let text = "SELECT g.id FROM leadguard.record_grant g JOIN leadguard.delegation d ON d.id = g.delegation_id \
                WHERE g.id = $1 AND d.ended_at IS NULL AND d.until > statement_timestamp() FOR SHARE OF g, d";
    as_extension(|| sql::first_int(text, &[Param::Int(Some(grant))], Sees::Now)).is_some()
}

fn ends(operation: &str, right: &Right, needed: Rights) -> Failure {
    let (table, record) = (names::shown(right.target.table.target), &right.record.id);
    let hint = if needed.has(Rights::SHARE) {
        "A share may end with it, until => ...; the owner does what is meant to last."
    } else {
        "The owner does it, or somebody whose own right to the record does not end."
    };
    refused(format!("{operation} of record {record} of {table} refused: your own right to it ends"))
        .detail("Somebody has delegated the record, and what is given for a time is passed on for no longer.")
        .hint(hint)
}
