//! What somebody has in the place of another, by a delegation, he does not pass on for longer: neither by giving the record
//! away, nor by a share that outlasts the delegation. What he shares carries the delegation and goes with it.

use super::right::Right;
use crate::errors::{Failure, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::names;
use crate::people;
use crate::questions::paths::{self, Reached, Whose};
use crate::questions::record::{Record, Target};
use pgrx::pg_sys::Oid;

/// A grant that comes from a delegation.
#[derive(Clone, Copy)]
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
    if !session::is_governed() || !people::is_any_delegated() {
        return;
    }
    let target = Target::find(Some(target), Sees::Now);
    if !is_delegated(&target, record) {
        return;
    }
    if let Some(right) = Right::seek("UPDATE", target, record, Rights::REASSIGN) {
        demand("UPDATE", &right, Rights::REASSIGN);
    }
}

/// The delegation on which it rests that somebody gives what is needed until then, locked until the transaction ends; None
/// for who has it himself. 42501 where the delegation ends before, or with no end to what is given.
pub(super) fn basis(operation: &str, right: &Right, needed: Rights, until: Option<i64>) -> Option<i64> {
    let member = right.member.filter(|_| is_delegated(&right.target, &right.record.id))?;
    let ways = ways(&right.target, &right.record, member, until);
    let own = ways.iter().filter(|way| way.by.is_none()).fold(Rights::NONE, |own, way| own | way.rights);
    if ways.iter().all(|way| way.by.is_none()) || own.has(needed) {
        return None;
    }
    let enough = |way: &&Way| (own | way.rights).has(needed) && way.by.is_some_and(|held| held.covers);
    let held = ways.iter().find(enough).and_then(|way| way.by).filter(|held| lock(held.grant));
    Some(held.unwrap_or_else(|| ends(operation, right, needed).raise()).delegation)
}

/// What a member may do with a record on one way, and the delegation from which that comes.
struct Way {
    rights: Rights,
    by: Option<Delegated>,
}

fn ways(target: &Target, record: &Record, member: i64, until: Option<i64>) -> Vec<Way> {
    let reached = paths::reached(target, record, Whose::Member(member), Sees::Now);
    let delegated = delegated(&reached, until);
    let by = |way: &Reached| match way.path {
        Path::Parent => by_parent(target, record, member, until),
        _ => delegated.iter().find(|held| Some(held.grant) == way.grant).copied(),
    };
    reached.iter().map(|way| Way { rights: way.rights, by: by(way) }).collect()
}

/// The delegation by which a member reads the record that this one belongs to, if he reads it by no right of his own.
fn by_parent(target: &Target, record: &Record, member: i64, until: Option<i64>) -> Option<Delegated> {
    let parent = Target::find(Some(target.table.parent?), Sees::Now);
    let held = parent.read(record.parent.as_deref()?, Sees::Now)?;
    let reading: Vec<Way> =
        ways(&parent, &held, member, until).into_iter().filter(|way| way.rights.has(Rights::READ)).collect();
    if reading.iter().any(|way| way.by.is_none()) {
        return None;
    }
    reading.iter().filter_map(|way| way.by).max_by_key(|held| held.covers)
}

/// Whether anybody may have it by a delegation, before more is asked.
fn is_delegated(target: &Target, record: &str) -> bool {
    let text = "SELECT id FROM leadguard.record_grant WHERE target = $1 AND record = $2 \
                AND kind IN ('delegated', 'share') AND delegation_id IS NOT NULL LIMIT 1";
    let params = [Param::Oid(target.table.target), Param::Text(Some(record))];
    session::is_governed()
        && people::is_any_delegated()
        && (target.table.parent.is_some() || as_extension(|| sql::first_int(text, &params, Sees::Now)).is_some())
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

/// 55000 where the holder has a grant that no delegation ends: it would be replaced by one that goes.
pub(super) fn keep_given(right: &Right, kind: &str, member: Option<i64>, team: Option<i64>) {
    let text = "SELECT id FROM leadguard.record_grant WHERE target = $1 AND record = $2 AND kind = $3 \
                AND (member_id = $4 OR team_id = $5) AND NOT retained AND delegation_id IS NULL \
                AND (until IS NULL OR until > statement_timestamp())";
    let (table, record) = (right.target.table.target, &right.record.id);
    let params =
        [Param::Oid(table), Param::Text(Some(record)), Param::Text(Some(kind)), Param::Int(member), Param::Int(team)];
    if as_extension(|| sql::first_int(text, &params, Sees::Now)).is_some() {
        failure("55000", format!("record {record} of {} is shared with them already", names::shown(table)))
            .detail("That share is the owner's; yours would take its place, and go with the delegation.")
            .hint("The owner changes it.")
            .raise();
    }
}

/// 40001 for a member who is newer than the state from which the transaction reads: a foreign key would not find him.
pub(super) fn demand_known(member: Option<i64>) {
    let text = "SELECT id FROM leadguard.member WHERE id = $1";
    let find = || as_extension(|| sql::first_int(text, &[Param::Int(member)], Sees::Statement));
    if member.is_some() && !snapshot::knows(find) {
        failure("40001", "the member came while this transaction ran").hint("Run the transaction again.").raise();
    }
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
